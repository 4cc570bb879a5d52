// Rules of pointwise ops: the result's gradient times the derivative, element by element.
#include "passes/differentiate/differentiate.h"

#include <string.h>

#define SQRT_HALF          0.70710678118654752440
#define ONE_OVER_SQRT_2_PI 0.39894228040143267794
#define TWO_OVER_SQRT_PI   1.12837916709551257390
#define SQRT_TWO_OVER_PI   0.79788456080286535588
#define GELU_CUBE          0.044715

static value square(tape *t, value x) {
    return build_mul(t, x, x);
}

void gradient_add(const rule_call *c) {
    for (int i = 0; i < 2; i++)
        if (rule_wants(c, i)) rule_give(c, i, c->g);
}

void gradient_sub(const rule_call *c) {
    if (rule_wants(c, 0)) rule_give(c, 0, c->g);
    if (rule_wants(c, 1)) rule_give(c, 1, build_op(c->t, OP_neg, c->g));
}

void gradient_mul(const rule_call *c) {
    for (int i = 0; i < 2; i++)
        if (rule_wants(c, i)) rule_give(c, i, build_mul(c->t, c->g, rule_operand(c, 1 - i)));
}

// y = a / b: g / b, and - y g / b
void gradient_div(const rule_call *c) {
    value q = build_div(c->t, c->g, rule_operand(c, 1));
    if (rule_wants(c, 0)) rule_give(c, 0, q);
    if (rule_wants(c, 1)) rule_give(c, 1, build_op(c->t, OP_neg, build_mul(c->t, q, rule_result(c))));
}

// To the larger operand. Where both are equal: half to each; nothing where the other one is not wanted (a ReLU of 0
// has the gradient 0).
void gradient_maximum(const rule_call *c) {
    bool both = rule_wants(c, 0) && rule_wants(c, 1) && c->n.inputs[0] != c->n.inputs[1];
    if (c->n.inputs[0] == c->n.inputs[1]) {
        rule_give(c, 0, c->g);
        return;
    }
    for (int i = 0; i < 2; i++) {
        if (!rule_wants(c, i)) continue;
        value own = rule_operand(c, i), other = rule_operand(c, 1 - i), rest = build_scalar(c->t, 0);
        if (both) {
            value half = build_scaled(c->t, c->g, 0.5), equal = build_compare(c->t, "eq", own, other);
            rest = build_select(c->t, equal, half, rest);
        }
        rule_give(c, i, build_select(c->t, build_compare(c->t, "gt", own, other), c->g, rest));
    }
}

void gradient_neg(const rule_call *c) {
    rule_give(c, 0, build_op(c->t, OP_neg, c->g));
}

void gradient_exp(const rule_call *c) {
    rule_give(c, 0, build_mul(c->t, c->g, rule_result(c)));
}

void gradient_log(const rule_call *c) {
    rule_give(c, 0, build_div(c->t, c->g, rule_operand(c, 0)));
}

// 1 - y^2
void gradient_tanh(const rule_call *c) {
    value y2 = square(c->t, rule_result(c)), slope = build_sub(c->t, build_scalar(c->t, 1), y2);
    rule_give(c, 0, build_mul(c->t, c->g, slope));
}

void gradient_cos(const rule_call *c) {
    value slope = build_op(c->t, OP_neg, build_op(c->t, OP_sin, rule_operand(c, 0)));
    rule_give(c, 0, build_mul(c->t, c->g, slope));
}

void gradient_sin(const rule_call *c) {
    rule_give(c, 0, build_mul(c->t, c->g, build_op(c->t, OP_cos, rule_operand(c, 0))));
}

// e^(-s x^2)
static value bell(tape *t, value x, double s) {
    return build_op(t, OP_exp, build_scaled(t, square(t, x), -s));
}

// 2 / sqrt(pi) e^(-x^2)
void gradient_erf(const rule_call *c) {
    value slope = build_scaled(c->t, bell(c->t, rule_operand(c, 0), 1), TWO_OVER_SQRT_PI);
    rule_give(c, 0, build_mul(c->t, c->g, slope));
}

// - y^3 / 2
void gradient_rsqrt(const rule_call *c) {
    value y = rule_result(c), slope = build_scaled(c->t, build_mul(c->t, square(c->t, y), y), -0.5);
    rule_give(c, 0, build_mul(c->t, c->g, slope));
}

// y (1 - y)
void gradient_sigmoid(const rule_call *c) {
    value y = rule_result(c);
    value slope = build_mul(c->t, y, build_sub(c->t, build_scalar(c->t, 1), y));
    rule_give(c, 0, build_mul(c->t, c->g, slope));
}

// Of x P(x) with P(x) = (1 + erf(x / sqrt 2)) / 2: P(x) + x e^(-x^2 / 2) / sqrt(2 pi)
static value gelu_slope(tape *t, value x) {
    value e = build_op(t, OP_erf, build_scaled(t, x, SQRT_HALF));
    value share = build_scaled(t, build_add(t, e, build_scalar(t, 1)), 0.5);
    return build_add(t, share, build_scaled(t, build_mul(t, x, bell(t, x, 0.5)), ONE_OVER_SQRT_2_PI));
}

// Of x (1 + h) / 2 with h = tanh(k (x + c x^3)): (1 + h) / 2 + x (1 - h^2) k (1 + 3 c x^2) / 2
static value gelu_tanh_slope(tape *t, value x) {
    value one = build_scalar(t, 1), x2 = square(t, x);
    value inner = build_mul(t, x, build_add(t, build_scaled(t, x2, GELU_CUBE), one));
    value h = build_op(t, OP_tanh, build_scaled(t, inner, SQRT_TWO_OVER_PI));
    value slope =
        build_scaled(t, build_add(t, build_scaled(t, x2, 3 * GELU_CUBE), one), 0.5 * SQRT_TWO_OVER_PI);
    value second = build_mul(t, build_mul(t, x, build_sub(t, one, square(t, h))), slope);
    return build_add(t, build_scaled(t, build_add(t, h, one), 0.5), second);
}

void gradient_gelu(const rule_call *c) {
    bool exact = !strcmp(node_attr(&c->n, ATTR_approximation)->u.name, "none");
    value x = rule_operand(c, 0);
    rule_give(c, 0, build_mul(c->t, c->g, exact ? gelu_slope(c->t, x) : gelu_tanh_slope(c->t, x)));
}

void gradient_select(const rule_call *c) {
    value zero = build_scalar(c->t, 0), condition = rule_operand(c, 0);
    if (rule_wants(c, 1)) rule_give(c, 1, build_select(c->t, condition, c->g, zero));
    if (rule_wants(c, 2)) rule_give(c, 2, build_select(c->t, condition, zero, c->g));
}

// Rounding counts as nothing: gradients are f32.
void gradient_cast(const rule_call *c) {
    rule_give(c, 0, c->g);
}
