// A number of all that a graph gives, so that every output counts, and each element in its own way.
#ifndef BERTC_TESTS_MADE_LOSS_H
#define BERTC_TESTS_MADE_LOSS_H

#include "ir/ir.h"

static inline value made_loss_f32(graph *g, value v) {
    attr to = attr_elem(ATTR_to, ELEM_F32);
    return graph_append(g, OP_cast, 1, &v, 1, &to);
}

// A weight for each element of v, so that no two count alike: cosines of its place.
static inline value made_loss_weights(graph *g, value v) {
    type t = *graph_type(g, v);
    value sum = graph_scalar(g, 0.3 + 0.1 * v);
    for (int i = 0; i < t.rank; i++) {
        attr attrs[] = {{.id = ATTR_shape, .n = t.rank, .u.dims = t.d}, attr_int(ATTR_axis, i)};
        value at = made_loss_f32(g, graph_append(g, OP_iota, 0, NULL, 2, attrs));
        sum = graph_op2(g, OP_add, sum, graph_op2(g, OP_mul, at, graph_scalar(g, 0.7 + 0.4 * i)));
    }
    return graph_op1(g, OP_cos, sum);
}

// Bent, so that numbers that stand for minus infinity don't hide the others.
static inline value made_loss_term(graph *g, value v) {
    int64_t axes[IR_MAX_RANK] = {0, 1, 2, 3, 4, 5};
    const dim one = dim_num(1);
    v = graph_op1(g, OP_tanh, graph_op2(g, OP_mul, v, graph_scalar(g, 0.25)));
    v = graph_op2(g, OP_mul, v, made_loss_weights(g, v));
    attr all = {.id = ATTR_axes, .n = graph_type(g, v)->rank, .u.ints = axes};
    if (all.n) v = graph_append(g, OP_reduce_sum, 1, &v, 1, &all);
    return graph_reshape(g, v, 1, &one);
}

// The output `loss`, f32[1], of g's outputs that are f32, in their place; VALUE_NONE: none is.
static inline value made_loss(graph *g) {
    value loss = VALUE_NONE;
    for (int i = 0; i < g->output_count; i++) {
        value v = g->outputs[i].value;
        if (graph_type(g, v)->e != ELEM_F32 || graph_type(g, v)->layout != LAYOUT_ROW) continue;
        value term = made_loss_term(g, v);
        loss = loss == VALUE_NONE ? term : graph_op2(g, OP_add, loss, term);
    }
    g->output_count = 0;
    if (loss != VALUE_NONE) graph_output_add(g, "loss", loss);
    return loss;
}

#endif
