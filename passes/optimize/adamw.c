// The kernels of a step: one adds up a gradient, one computes AdamW.
#include <math.h>

#include "passes/optimize/optimize.h"

static value compare(graph *g, value a, value b, const char *predicate) {
    attr x = attr_word(ATTR_predicate, predicate);
    return graph_append(g, OP_compare, 2, (value[]){a, b}, 1, &x);
}

// The state of zeros beside a parameter.
static value zero_state(graph *g, const trained *x, const char *prefix, const char *name) {
    const recipe *r = node_attr(graph_node(g, x->state), ATTR_recipe)->u.recipe;
    value v = graph_constant_recipe(g, arena_printf(g->arena, "%s%s", name, x->name),
                                    recipe_zeros_like(g->arena, r, prefix));
    node_set_attr(g, graph_node(g, v), attr_flag(ATTR_trainable));
    return v;
}

// What was there counts where keep is not 0. It is chosen, not multiplied: NaN of a step that went wrong is
// forgotten.
void adamw_add_up(graph *g, trained *x) {
    value inputs[] = {x->gradient, zero_state(g, x, "gradient.", "sum."), call_number(g, "keep")};
    graph *body = graph_new(g->arena, NULL);
    value gradient = graph_param(body, "g", *graph_type(g, inputs[0])),
          sum = graph_param(body, "sum", *graph_type(g, inputs[1])),
          keep = graph_param(body, "keep", *graph_type(g, inputs[2]));
    value zero = graph_scalar(body, 0);
    value before = graph_op3(body, OP_select, compare(body, keep, zero, "gt"), sum, zero);
    value next = graph_op2(body, OP_add, before, gradient);
    graph_output_add(body, NULL, graph_op2(body, OP_assign, sum, next));
    x->sum = graph_region(g, OP_fuse, 3, inputs, body, 0);
}

// 1 - beta^step. As beta^step is close to 1, that is 2 h / (1 + h) with h = tanh(-step ln(beta) / 2), which loses
// no digit.
static value correction(graph *g, value step, double beta) {
    value h = graph_op1(g, OP_tanh, scalar_op(g, OP_mul, step, -log(beta) / 2));
    value twice = graph_op2(g, OP_add, h, h), under = scalar_op(g, OP_add, h, 1);
    return graph_op2(g, OP_div, twice, under);
}

// clip / (norm + 1e-6), at most 1; 1 where clip is 0.
static value clip_factor(graph *g, value norm, value clip) {
    value ratio = graph_op2(g, OP_div, clip, scalar_op(g, OP_add, norm, 1e-6));
    value least = graph_op1(g, OP_neg, scalar_op(g, OP_maximum, graph_op1(g, OP_neg, ratio), -1));
    value zero = graph_scalar(g, 0), one = graph_scalar(g, 1);
    return graph_op3(g, OP_select, compare(g, clip, zero, "gt"), least, one);
}

step_numbers adamw_numbers(graph *g, value norm, const optimizer_options *o) {
    value inputs[] = {norm, call_number(g, "clip"), call_number(g, "rate"), call_number(g, "step")};
    graph *body = graph_new(g->arena, NULL);
    const char *const names[] = {"norm", "clip", "rate", "step"};
    value p[4];
    for (int i = 0; i < 4; i++) p[i] = graph_param(body, names[i], *graph_type(g, inputs[i]));
    const dim one = dim_num(1);
    attr to = attr_elem(ATTR_to, ELEM_F32);
    value step = graph_reshape(body, graph_append(body, OP_cast, 1, &p[3], 1, &to), 1, &one);
    value rate = graph_op2(body, OP_div, p[2], correction(body, step, o->beta1));
    value root = graph_op1(body, OP_rsqrt, correction(body, step, o->beta2));
    graph_output_add(body, NULL, clip_factor(body, p[0], p[1]));
    graph_output_add(body, NULL, rate);
    graph_output_add(body, NULL, root);
    value all = graph_region(g, OP_fuse, 4, inputs, body, 0);
    graph_name(g, all, "adamw");
    return (step_numbers){all, graph_result(g, all, 1), graph_result(g, all, 2)};
}

// beta a + (1 - beta) b
static value mean(graph *g, value a, value b, double beta) {
    value kept = scalar_op(g, OP_mul, a, beta), more = scalar_op(g, OP_mul, b, 1 - beta);
    return graph_op2(g, OP_add, kept, more);
}

// w (1 - rate decay)
static value decayed(graph *g, value w, value rate, double decay) {
    value part = scalar_op(g, OP_mul, rate, decay), one = graph_scalar(g, 1);
    return graph_op2(g, OP_mul, w, graph_op2(g, OP_sub, one, part));
}

void adamw_step(graph *g, const trained *x, const step_numbers *s, const optimizer_options *o) {
    enum { W, M, V, GRADIENT, FACTOR, SIZE, ROOT, RATE, COUNT };
    static const char *const names[] = {"w", "m", "v", "g", "factor", "size", "root", "rate"};
    const value inputs[COUNT] = {[W] = x->state,
                                 [M] = zero_state(g, x, "exp_avg.", "exp_avg."),
                                 [V] = zero_state(g, x, "exp_avg_sq.", "exp_avg_sq."),
                                 [GRADIENT] = x->sum,
                                 [FACTOR] = s->factor,
                                 [SIZE] = s->rate,
                                 [ROOT] = s->root,
                                 [RATE] = call_number(g, "rate")};
    int count = x->decay > 0 ? COUNT : RATE;
    graph *b = graph_new(g->arena, NULL);
    value p[COUNT];
    for (int i = 0; i < count; i++) p[i] = graph_param(b, names[i], *graph_type(g, inputs[i]));
    value gradient = graph_op2(b, OP_mul, p[GRADIENT], p[FACTOR]);
    value m = mean(b, p[M], gradient, o->beta1),
          v = mean(b, p[V], graph_op2(b, OP_mul, gradient, gradient), o->beta2);
    value one = graph_scalar(b, 1), root = graph_op2(b, OP_div, one, graph_op1(b, OP_rsqrt, v));
    value under = scalar_op(b, OP_add, graph_op2(b, OP_mul, root, p[ROOT]), o->epsilon);
    value size = scalar_op(b, OP_mul, p[SIZE], x->rate);
    value moved = graph_op2(b, OP_mul, graph_op2(b, OP_div, m, under), size);
    value from = count > RATE ? decayed(b, p[W], p[RATE], x->rate * x->decay) : p[W];
    value w = graph_op2(b, OP_sub, from, moved);
    value next[] = {graph_op2(b, OP_assign, p[W], w), graph_op2(b, OP_assign, p[M], m),
                    graph_op2(b, OP_assign, p[V], v)};
    for (int i = 0; i < 3; i++) graph_output_add(b, NULL, next[i]);
    value all = graph_region(g, OP_fuse, count, inputs, b, 0);
    graph_name(g, all, arena_printf(g->arena, "%s.next", x->name));
}
