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
    value zero = build_scalar(c->t, 0), one = build_scalar(c->t, 1);
    value ones = build_select(c->t, largest, one, zero);
    value share = build_div(c->t, c->g, build_reduce(c->t, OP_reduce_sum, ones, axes->n, axes->u.ints));
    rule_give(c, 0, build_mul(c->t, ones, share));
}

// --- Along rows

// y (g - sum(g y))
void gradient_softmax(const rule_call *c) {
    value y = rule_result(c);
    bool kept = c->t->kept.softmax == c->v && c->v > 0;
    value sum =
        kept ? kept_softmax_along(c->t) : build_reduce_last(c->t, OP_reduce_sum, build_mul(c->t, c->g, y));
    rule_give(c, 0, build_mul(c->t, y, build_sub(c->t, c->g, sum)));
}

// What both norms have: x normed, n = (x - mean) r with r = 1 / sqrt(variance + eps); gamma's and beta's gradients are
// sums of g n and g over rows; with h = g gamma, x's is r (h - mean(h) - n mean(h n)), for rms_norm without mean(h).
typedef struct norm {
    value g, x, gamma; // in t->to
    double eps;
    bool centred, want_x, want_gamma;
    value dx, gn; // VALUE_NONE: not wanted
} norm;

static void norm_ops(tape *t, norm *n) {
    value x = n->centred ? build_sub(t, n->x, build_reduce_last(t, OP_reduce_mean, n->x)) : n->x;
    value variance = build_reduce_last(t, OP_reduce_mean, build_mul(t, x, x));
    value r = build_op(t, OP_rsqrt, build_add(t, variance, build_scalar(t, n->eps))),
          normed = build_mul(t, x, r);
    n->dx = n->gn = VALUE_NONE;
    if (n->want_gamma) n->gn = build_mul(t, n->g, normed);
    if (!n->want_x) return;
    value h = build_mul(t, n->g, n->gamma);
    value along = build_mul(t, normed, build_reduce_last(t, OP_reduce_mean, build_mul(t, h, normed)));
    value dx = n->centred ? build_sub(t, h, build_reduce_last(t, OP_reduce_mean, h)) : h;
    n->dx = build_mul(t, build_sub(t, dx, along), r);
}

// The same as one kernel, so that the rows are read once: a `fuse` of (g, x, gamma).
static void norm_box(tape *t, norm *n) {
    tape inner = {.p = t->p, .scratch = t->scratch, .to = graph_new(t->to->arena, NULL)};
    norm body = *n;
    body.g = graph_param(inner.to, "g", *graph_type(t->to, n->g));
    body.x = graph_param(inner.to, "x", *graph_type(t->to, n->x));
    if (n->want_x) body.gamma = graph_param(inner.to, "gamma", *graph_type(t->to, n->gamma));
    norm_ops(&inner, &body);
    if (n->want_x) graph_output_add(inner.to, NULL, body.dx);
    if (n->want_gamma) graph_output_add(inner.to, NULL, body.gn);
    value region =
        graph_region(t->to, OP_fuse, n->want_x ? 3 : 2, (value[]){n->g, n->x, n->gamma}, inner.to, 0);
    n->dx = n->want_x ? region : VALUE_NONE;
    n->gn = !n->want_gamma ? VALUE_NONE : n->want_x ? graph_result(t->to, region, 1) : region;
}

static void norm_gradient(const rule_call *c, bool centred) {
    tape *t = c->t;
    norm n = {c->g,      rule_operand(c, 0), rule_operand(c, 1), node_attr(&c->n, ATTR_eps)->u.f,
              centred,   rule_wants(c, 0),   rule_wants(c, 1),   VALUE_NONE,
              VALUE_NONE};
    if (centred && rule_wants(c, 2)) rule_give(c, 2, c->g);
    if (!n.want_x && !n.want_gamma) return;
    if (t->boxes)
        norm_box(t, &n);
    else
        norm_ops(t, &n);
    if (n.want_gamma) rule_give(c, 1, n.gn);
    if (n.want_x) rule_give(c, 0, n.dx);
}

void gradient_layer_norm(const rule_call *c) {
    norm_gradient(c, true);
}

void gradient_rms_norm(const rule_call *c) {
    norm_gradient(c, false);
}
