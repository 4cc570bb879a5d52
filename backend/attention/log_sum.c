// The log-sum-exp of each row of scores: what the softmax has anyway, its maximum and its sum. A backward pass makes the
// probabilities of it again.
#include "backend/attention/attention.h"

static bool reduces_keys(const node *n, op o) {
    if (n->op != o || n->type.rank != 3) return false;
    const attr *axes = node_attr(n, ATTR_axes);
    return axes->n == 1 && axes->u.ints[0] == 2;
}

// v = reduce_max scores along the keys.
static bool is_most(const graph *g, value v, value scores) {
    const node *n = graph_node(g, v);
    return reduces_keys(n, OP_reduce_max) && n->inputs[0] == scores;
}

// v = log (reduce_sum (exp (scores - most))).
static bool is_log(const graph *g, value v, value scores, value most) {
    const node *log = graph_node(g, v);
    if (log->op != OP_log) return false;
    const node *sum = graph_node(g, log->inputs[0]);
    if (!reduces_keys(sum, OP_reduce_sum)) return false;
    const node *exp = graph_node(g, sum->inputs[0]);
    if (exp->op != OP_exp) return false;
    const node *less = graph_node(g, exp->inputs[0]);
    return less->op == OP_sub && less->inputs[0] == scores && less->inputs[1] == most;
}

static bool is_log_sum(const graph *g, value v, value scores) {
    const node *n = graph_node(g, v);
    if (n->op != OP_add) return false;
    for (int i = 0; i < 2; i++)
        if (is_most(g, n->inputs[i], scores) && is_log(g, n->inputs[!i], scores, n->inputs[i])) return true;
    return false;
}

// Does v show a value [heads,rows,1], transposed, or with axes of length 1 more or less? *of: that value; *axis: where its
// heads are in v (of one head: anywhere).
static bool heads_axis(const graph *g, value v, value *of, int *axis) {
    const node *n = graph_node(g, v);
    if (n->op == OP_transpose) {
        int from;
        if (!heads_axis(g, n->inputs[0], of, &from)) return false;
        const attr *perm = node_attr(n, ATTR_perm);
        for (int i = 0; i < perm->n; i++)
            if (perm->u.ints[i] == from) *axis = i;
        return true;
    }
    if (n->op != OP_reshape) {
        *of = v;
        *axis = 0;
        return n->type.rank == 3;
    }
    const type *x = graph_type(g, n->inputs[0]), *y = &n->type;
    int from, i = 0;
    if (!heads_axis(g, n->inputs[0], of, &from)) return false;
    *axis = 0;
    for (int k = 0; k < y->rank; k++) {
        if (dim_is(y->d[k], 1)) continue;
        while (i < x->rank && dim_is(x->d[i], 1)) i++;
        if (i == x->rank || !dim_eq(x->d[i], y->d[k])) return false;
        if (i++ == from) *axis = k;
    }
    return true;
}

bool attention_log_sum_of(const kernel_site *s, const graph *body, value v, value scores,
                          const kernel_result *r, log_sum *out) {
    value of;
    int axis;
    if (!heads_axis(body, v, &of, &axis) || !is_log_sum(body, of, scores)) return false;
    const type *t = graph_type(s->graph, r->node);
    int64_t stride[IR_MAX_RANK], step = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        stride[i] = step;
        if (i > 0 && t->d[i].s != SYM_NONE) return false;
        step = i == t->rank - 1 ? r->ld : step * t->d[i].n;
    }
    *out = (log_sum){.arg = r->arg, .ld = stride[0], .stride = stride[axis]};
    return true;
}
