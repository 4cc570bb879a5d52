// Small values that the steps of all parameters share: numbers of the call, and the norm of the gradients.
#include <string.h>

#include "passes/optimize/optimize.h"
#include "passes/region.h"

value call_number(const graph *g, const char *name) {
    for (value v = 0; v < g->count; v++)
        if (graph_node(g, v)->op == OP_input && !strcmp(graph_node(g, v)->name, name)) return v;
    return VALUE_NONE;
}

void call_numbers_add(graph *g) {
    static const char *const names[] = {"step", "rate", "keep", "clip"};
    type t;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (call_number(g, names[i]) == VALUE_NONE && number_of_call(names[i], &t))
            graph_input(g, names[i], t);
    value *sorted = ARENA_ARRAY(g->arena, value, g->count);
    int n = 0;
    for (int inputs = 1; inputs >= 0; inputs--) // inputs stand first
        for (value v = 0; v < g->count; v++)
            if ((graph_node(g, v)->op == OP_input) == inputs) sorted[n++] = v;
    region_permute(g, sorted);
}

value scalar_op(graph *g, op o, value a, double x) {
    value c = graph_scalar(g, x);
    return graph_op2(g, o, a, c);
}

static value sum_over(graph *g, value x, int first, int end) {
    int64_t axes[IR_MAX_RANK];
    for (int i = first; i < end; i++) axes[i - first] = i;
    attr a = attr_ints(g->arena, ATTR_axes, end - first, axes);
    return graph_append(g, OP_reduce_sum, 1, &x, 1, &a);
}

static value as_one(graph *g, value x) {
    const dim one = dim_num(1);
    return graph_type(g, x)->rank == 1 ? x : graph_reshape(g, x, 1, &one);
}

// The sum of the squares of a gradient, f32[1]: of a matrix down each column, in a kernel of many tasks (columns), then of the
// columns; of more axes first along all but one.
static value square_sum(graph *g, value x) {
    int rank = graph_type(g, x)->rank, from = rank > 2, end = rank > 2 ? rank : 1, left = rank == 2;
    graph *body = graph_new(g->arena, NULL);
    value param = graph_param(body, "g", *graph_type(g, x)), squares = graph_op2(body, OP_mul, param, param);
    graph_output_add(body, NULL, sum_over(body, squares, from, end));
    value sums = graph_region(g, OP_fuse, 1, &x, body, 0);
    return rank > 1 ? as_one(g, sum_over(g, sums, left, left + 1)) : as_one(g, sums);
}

// A kernel takes so many operands.
#define TERMS 32

// Sums of up to TERMS neighbours, until one is left: an order that follows from the parameters alone.
static value sum_of(graph *g, value *items, int count) {
    while (count > 1) {
        int made = 0;
        for (int at = 0; at < count; at += TERMS) {
            int n = count - at < TERMS ? count - at : TERMS;
            graph *body = graph_new(g->arena, NULL);
            value sum = graph_param(body, "s0", *graph_type(g, items[at]));
            value *params = ARENA_ARRAY(g->arena, value, n);
            for (int i = 1; i < n; i++)
                params[i] =
                    graph_param(body, arena_printf(g->arena, "s%d", i), *graph_type(g, items[at + i]));
            for (int i = 1; i < n; i++) sum = graph_op2(body, OP_add, sum, params[i]);
            graph_output_add(body, NULL, sum);
            items[made++] = n > 1 ? graph_region(g, OP_fuse, n, items + at, body, 0) : items[at];
        }
        count = made;
    }
    return items[0];
}

value gradient_norm(graph *g, const trained *items, int count) {
    value *sums = ARENA_ARRAY(g->arena, value, count);
    for (int i = 0; i < count; i++) sums[i] = square_sum(g, items[i].sum);
    value total = sum_of(g, sums, count);
    // The root as 1 / (1 / root), for rsqrt of 0 is infinite: 0, not NaN.
    graph *body = graph_new(g->arena, NULL);
    value x = graph_op1(body, OP_rsqrt, graph_param(body, "sum", *graph_type(g, total)));
    value one = graph_scalar(body, 1);
    graph_output_add(body, NULL, graph_op2(body, OP_div, one, x));
    return graph_region(g, OP_fuse, 1, &total, body, 0);
}
