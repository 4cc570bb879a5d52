// How far a model's outputs are from a teacher's, both at a temperature, times its square, so that gradients keep their size
// (Hinton et al. 2015).
#include "frontend/hub/objective/objective.h"

static value times(graph *g, value x, double c) {
    return graph_op2(g, OP_mul, x, graph_scalar(g, c));
}

static value log_softmax(graph *g, value x) {
    return graph_op2(g, OP_sub, x, loss_log_sum(g, x));
}

// sum p (log p - log q), p: the teacher's softmax.
value loss_divergence(graph *g, value x, value teacher, double t) {
    value q = log_softmax(g, times(g, x, 1 / t)), p = log_softmax(g, times(g, teacher, 1 / t));
    value apart = graph_op2(g, OP_sub, p, q), gap = graph_op2(g, OP_mul, graph_op1(g, OP_exp, p), apart);
    return times(g, loss_over(g, OP_reduce_sum, gap, 1), t * t);
}

// log(1 + e^x), whatever the size of x: max(x, 0) + log(1 + e^-|x|).
value loss_softplus(graph *g, value x) {
    value size = graph_op2(g, OP_maximum, x, graph_op1(g, OP_neg, x));
    value one = graph_scalar(g, 1), zero = graph_scalar(g, 0);
    value tail = graph_op1(g, OP_exp, graph_op1(g, OP_neg, size));
    tail = graph_op1(g, OP_log, graph_op2(g, OP_add, tail, one));
    value positive = graph_op2(g, OP_maximum, x, zero);
    return graph_op2(g, OP_add, positive, tail);
}

// p (log p - log q) + (1 - p) (log(1 - p) - log(1 - q)): -log of a sigmoid of z is softplus(-z), of the other side softplus(z).
value loss_divergence_of_each(graph *g, value x, value teacher, double t) {
    value z = times(g, x, 1 / t), y = times(g, teacher, 1 / t);
    value nz = graph_op1(g, OP_neg, z), ny = graph_op1(g, OP_neg, y);
    value yes = loss_softplus(g, nz), yes_known = loss_softplus(g, ny);
    value no = loss_softplus(g, z), no_known = loss_softplus(g, y);
    value p = graph_op1(g, OP_sigmoid, y), rest = graph_op1(g, OP_sigmoid, ny);
    value first = graph_op2(g, OP_mul, p, graph_op2(g, OP_sub, yes, yes_known));
    value second = graph_op2(g, OP_mul, rest, graph_op2(g, OP_sub, no, no_known));
    return times(g, graph_op2(g, OP_add, first, second), t * t);
}
