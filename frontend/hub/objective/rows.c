// The parts that losses are made of: ops over the rows of a matrix.
#include "frontend/hub/objective/objective.h"

value loss_over(graph *g, op reduction, value x, int64_t axis) {
    attr axes = {.id = ATTR_axes, .n = 1, .u.ints = &axis};
    return graph_append(g, reduction, 1, &x, 1, &axes);
}

value loss_integer(graph *g, int32_t x) {
    return graph_constant_literal(g, NULL, type_make(ELEM_I32, 0, NULL), &x);
}

value loss_compared(graph *g, const char *predicate, value a, value b) {
    attr word = attr_word(ATTR_predicate, predicate);
    return graph_append(g, OP_compare, 2, (value[]){a, b}, 1, &word);
}

value loss_log_sum(graph *g, value x) {
    value most = loss_over(g, OP_reduce_max, x, 1);
    value shifted = graph_op1(g, OP_exp, graph_op2(g, OP_sub, x, most));
    value sum = loss_over(g, OP_reduce_sum, shifted, 1);
    return graph_op2(g, OP_add, graph_op1(g, OP_log, sum), most);
}

// i32[X] as i32[X,1].
static value column(graph *g, value labels) {
    dim shape[] = {graph_type(g, labels)->d[0], dim_num(1)};
    return graph_reshape(g, labels, 2, shape);
}

value loss_is_label(graph *g, value x, value labels) {
    dim shape[] = {dim_num(1), graph_type(g, x)->d[1]};
    attr attrs[] = {{.id = ATTR_shape, .n = 2, .u.dims = shape}, {.id = ATTR_axis, .u.i = 1}};
    value columns = graph_append(g, OP_iota, 0, NULL, 2, attrs);
    return loss_compared(g, "eq", columns, column(g, labels));
}

value loss_picked(graph *g, value is, value x) {
    return loss_over(g, OP_reduce_sum, graph_op3(g, OP_select, is, x, graph_scalar(g, 0)), 1);
}

value loss_known(graph *g, value labels) {
    value none = loss_integer(g, 0), is = loss_compared(g, "ge", column(g, labels), none);
    value yes = graph_scalar(g, 1), no = graph_scalar(g, 0);
    return graph_op3(g, OP_select, is, yes, no);
}

static value weights_of(graph *g, const loss_labels *how) {
    dim shape[] = {dim_num(1), dim_num(how->weight_count)};
    return graph_constant_f32(g, NULL, type_make(ELEM_F32, 2, shape), how->weights);
}

// As torch's cross_entropy: (1 - s) w_label l_label + s mean(w l) of the columns' losses l, where s is the smoothing.
value loss_cross_entropy(graph *g, value x, value labels, const loss_labels *how) {
    value is = loss_is_label(g, x, labels), sum = loss_log_sum(g, x);
    value row = graph_op2(g, OP_sub, sum, loss_picked(g, is, x));
    value weights = how->weights ? weights_of(g, how) : VALUE_NONE;
    if (weights != VALUE_NONE) row = graph_op2(g, OP_mul, row, loss_picked(g, is, weights));
    if (how->smoothing > 0) {
        value all = graph_op2(g, OP_sub, sum, x);
        if (weights != VALUE_NONE) all = graph_op2(g, OP_mul, all, weights);
        value share = graph_scalar(g, how->smoothing);
        value even = graph_op2(g, OP_mul, loss_over(g, OP_reduce_mean, all, 1), share);
        row = graph_op2(g, OP_mul, row, graph_scalar(g, 1 - how->smoothing));
        row = graph_op2(g, OP_add, row, even);
    }
    return graph_op2(g, OP_mul, row, loss_known(g, labels));
}

value loss_sum(graph *g, value x) {
    dim one = dim_num(1);
    if (graph_type(g, x)->rank == 2) x = loss_over(g, OP_reduce_sum, x, 1);
    return graph_reshape(g, loss_over(g, OP_reduce_sum, x, 0), 1, &one);
}

value loss_normalized(graph *g, value x) {
    value sum = loss_over(g, OP_reduce_sum, graph_op2(g, OP_mul, x, x), 1);
    value floored = graph_op2(g, OP_maximum, sum, graph_scalar(g, 1e-24));
    return graph_op2(g, OP_mul, x, graph_op1(g, OP_rsqrt, floored));
}
