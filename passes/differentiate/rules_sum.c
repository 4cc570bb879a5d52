// Rules of ops that sum: matmul, reductions, softmax, norms.
#include "passes/differentiate/differentiate.h"

// g w^T, and x^T g, summed over the leading axes where they share one right operand.
void gradient_matmul(const rule_call *c) {
    const type *w = rule_type(c, 1);
    if (rule_wants(c, 0)) {
        value turned = build_turned(c->t, build_f32(c->t, rule_operand(c, 1)));
        rule_give(c, 0, graph_op2(c->t->to, OP_matmul, c->g, turned));
    }
    if (rule_wants(c, 1)) {
        value turned = build_turned(c->t, build_f32(c->t, rule_operand(c, 0)));
        value each = graph_op2(c->t->to, OP_matmul, turned, c->g);
        int64_t axes[IR_MAX_RANK];
        int leading = graph_type(c->t->to, each)->rank - w->rank;
        for (int i = 0; i < leading; i++) axes[i] = i;
        if (leading) each = build_reduce(c->t, OP_reduce_sum, each, leading, axes);
        rule_give(c, 1, build_reshape(c->t, each, w));
    }
}

// --- Reductions. Their axes stay, with length 1, so a gradient broadcasts to the operand's shape.

void gradient_reduce_sum(const rule_call *c) {
    rule_give(c, 0, build_broadcast(c->t, c->g, rule_type(c, 0)));
}

void gradient_reduce_mean(const rule_call *c) {
    const attr *axes = node_attr(&c->n, ATTR_axes);
    const type *x = rule_type(c, 0);
    value share = build_div(c->t, c->g, build_count(c->t, x, axes->n, axes->u.ints));
    rule_give(c, 0, build_broadcast(c->t, share, x));
}

// To the largest element; to several that are equal, in equal parts.
void gradient_reduce_max(const rule_call *c) {
    const attr *axes = node_attr(&c->n, ATTR_axes);
    value largest = build_compare(c->t, "eq", rule_operand(c, 0), rule_result(c));
    value ones = build_select(c->t, largest, build_scalar(c->t, 1), build_scalar(c->t, 0));
    value share = build_div(c->t, c->g, build_reduce(c->t, OP_reduce_sum, ones, axes->n, axes->u.ints));
    rule_give(c, 0, build_mul(c->t, ones, share));
}

// --- Along rows

// y (g - sum(g y))
void gradient_softmax(const rule_call *c) {
    value y = rule_result(c);
    value sum = build_reduce_last(c->t, OP_reduce_sum, build_mul(c->t, c->g, y));
    rule_give(c, 0, build_mul(c->t, y, build_sub(c->t, c->g, sum)));
}

// What both norms have: x normed, n = (x - mean) r with r = 1 / sqrt(variance + eps); gamma's and beta's gradients are
// sums of g n and g over rows; with h = g gamma, x's is r (h - mean(h) - n mean(h n)), for rms_norm without mean(h).
static void norm(const rule_call *c, bool centred) {
    tape *t = c->t;
    value x = rule_operand(c, 0);
    if (centred) x = build_sub(t, x, build_reduce_last(t, OP_reduce_mean, x));
    value variance = build_reduce_last(t, OP_reduce_mean, build_mul(t, x, x));
    value eps = build_scalar(t, node_attr(&c->n, ATTR_eps)->u.f);
    value r = build_op(t, OP_rsqrt, build_add(t, variance, eps)), n = build_mul(t, x, r);
    if (centred && rule_wants(c, 2)) rule_give(c, 2, c->g);
    if (rule_wants(c, 1)) rule_give(c, 1, build_mul(t, c->g, n));
    if (!rule_wants(c, 0)) return;
    value h = build_mul(t, c->g, rule_operand(c, 1));
    value along = build_mul(t, n, build_reduce_last(t, OP_reduce_mean, build_mul(t, h, n)));
    value dx = centred ? build_sub(t, h, build_reduce_last(t, OP_reduce_mean, h)) : h;
    rule_give(c, 0, build_mul(t, build_sub(t, dx, along), r));
}

void gradient_layer_norm(const rule_call *c) {
    norm(c, true);
}

void gradient_rms_norm(const rule_call *c) {
    norm(c, false);
}
