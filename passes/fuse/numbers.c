// Finds the numbers of a norm's row that a graph computes beside the norm: mean, variance, 1 / standard deviation.
#include "passes/fuse/fuse.h"

bool norm_op(op o) {
    return o == OP_layer_norm || o == OP_rms_norm;
}

// The first reader of v that is an o of which `takes` holds; VALUE_NONE where there is none.
static value find_reader(rewriter *r, value v, op o, bool (*takes)(const graph *g, value reader, value v)) {
    const graph *g = rewriter_graph(r);
    value users[BOX_MAX];
    int n = users_of(r, v, users, BOX_MAX);
    for (int i = 0; i < n && i < BOX_MAX; i++)
        if (op_is(g, users[i], o) && takes(g, users[i], v)) return users[i];
    return VALUE_NONE;
}

static bool along_rows(const graph *g, value mean, value x) {
    const attr *axes = node_attr(graph_node(g, mean), ATTR_axes);
    return axes->n == 1 && axes->u.ints[0] == graph_type(g, x)->rank - 1;
}

static bool less_mean(const graph *g, value difference, value mean) {
    const node *n = graph_node(g, difference);
    return n->inputs[1] == mean && n->inputs[0] == graph_node(g, mean)->inputs[0];
}

static bool squares(const graph *g, value square, value x) {
    const node *n = graph_node(g, square);
    return n->inputs[0] == x && n->inputs[1] == x;
}

static bool adds_number(const graph *g, value sum, value variance) {
    const node *n = graph_node(g, sum);
    value other = n->inputs[n->inputs[0] == variance];
    return value_is_scalar(g, other, NULL) && graph_type(g, other)->rank == 0;
}

static bool any(const graph *g, value reader, value v) {
    (void)g, (void)reader, (void)v;
    return true;
}

static void take(box *b, value v) {
    b->ops[b->count++] = v;
}

// From x (rms_norm: of x itself; layer_norm: of x less its mean) to the variance and what follows it. Rows on
// the way that something else reads too would have to be written: then nothing is taken.
static void take_variance(rewriter *r, value x, bool centred, box *b) {
    value square = find_reader(r, x, OP_mul, squares);
    if (square == VALUE_NONE || (centred && use_count(r, x) != 2) || !has_one_use(r, square)) return;
    value variance = find_reader(r, square, OP_reduce_mean, along_rows);
    if (variance == VALUE_NONE) return;
    if (centred) take(b, x);
    take(b, square);
    take(b, variance);
    value sum = find_reader(r, variance, OP_add, adds_number);
    value rstd = sum == VALUE_NONE ? VALUE_NONE : find_reader(r, sum, OP_rsqrt, any);
    if (rstd == VALUE_NONE) return;
    take(b, sum);
    take(b, rstd);
}

void box_take_numbers(rewriter *r, box *b) {
    const graph *g = rewriter_graph(r);
    value v = b->results[0];
    value x = graph_node(g, v)->inputs[0];
    if (op_is(g, v, OP_rms_norm)) {
        take_variance(r, x, false, b);
    } else {
        value mean = find_reader(r, x, OP_reduce_mean, along_rows);
        if (mean == VALUE_NONE) return;
        take(b, mean);
        value difference = find_reader(r, mean, OP_sub, less_mean);
        if (difference != VALUE_NONE) take_variance(r, difference, true, b);
    }
    for (int i = 1; i < b->count; i++)
        if (box_used_outside(r, b, b->ops[i])) b->results[b->result_count++] = b->ops[i];
}
