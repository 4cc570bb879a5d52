// Finds the numbers that a norm computes of its row anyway among the values of a body (row.h).
#include "backend/emit/row.h"

static bool is_norm(op o) {
    return o == OP_layer_norm || o == OP_rms_norm;
}

// The first norm of x; VALUE_NONE: there is none.
static value norm_of(const graph *g, value x, op o) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (is_norm(n->op) && n->op == o && n->inputs[0] == x) return v;
    }
    return VALUE_NONE;
}

// v = reduce_mean x along the last axis.
static bool mean_of(const graph *g, value v, value *x) {
    const node *n = graph_node(g, v);
    if (n->op != OP_reduce_mean) return false;
    const attr *axes = node_attr(n, ATTR_axes);
    *x = n->inputs[0];
    return axes->n == 1 && axes->u.ints[0] == n->type.rank - 1;
}

// v = the mean of squares: of x itself, or (`centred`) of x less its mean.
static bool variance_of(const graph *g, value v, bool centred, value *x) {
    value square, mean;
    if (!mean_of(g, v, &square)) return false;
    const node *n = graph_node(g, square);
    if (n->op != OP_mul || n->inputs[0] != n->inputs[1]) return false;
    *x = n->inputs[0];
    if (!centred) return true;
    const node *difference = graph_node(g, *x);
    return difference->op == OP_sub && mean_of(g, difference->inputs[1], &mean) &&
           (*x = difference->inputs[0]) == mean;
}

static value variance_norm(const graph *g, value v) {
    value x, norm = VALUE_NONE;
    if (variance_of(g, v, true, &x)) norm = norm_of(g, x, OP_layer_norm);
    if (norm == VALUE_NONE && variance_of(g, v, false, &x)) norm = norm_of(g, x, OP_rms_norm);
    return norm;
}

static value rstd_norm(const graph *g, value v) {
    const node *n = graph_node(g, v), *sum = n->op == OP_rsqrt ? graph_node(g, n->inputs[0]) : NULL;
    if (!sum || sum->op != OP_add) return VALUE_NONE;
    for (int i = 0; i < 2; i++) {
        double eps;
        value norm = variance_norm(g, sum->inputs[i]);
        if (norm == VALUE_NONE || !value_is_scalar(g, sum->inputs[!i], &eps)) continue;
        if ((float)eps == (float)node_attr(graph_node(g, norm), ATTR_eps)->u.f) return norm;
    }
    return VALUE_NONE;
}

statistic row_statistic(const graph *g, value v, value *norm) {
    value x;
    if (mean_of(g, v, &x) && (*norm = norm_of(g, x, OP_layer_norm)) != VALUE_NONE) return STATISTIC_MEAN;
    if ((*norm = variance_norm(g, v)) != VALUE_NONE) return STATISTIC_VARIANCE;
    if ((*norm = rstd_norm(g, v)) != VALUE_NONE) return STATISTIC_RSTD;
    return STATISTIC_NONE;
}
