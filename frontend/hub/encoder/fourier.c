// FNet: the real part of the discrete Fourier transform over a text's tokens and its columns. With C and S
// the matrices of cosines and sines, that is C_L x C_H - S_L x S_H. The matrices over columns are
// constants; those over tokens depend on the text's length and are computed once in each call.
#include "frontend/hub/encoder/encoder.h"

// cos or sin of 2 pi i j / L (or the transform's own length), [L,L] within [L,M]. i j is taken modulo that,
// so that angles stay small: by a quotient in float, which may be one off, and then the angle is off by a
// whole turn.
static value turns_of(hub_builder *b, op f) {
    graph *g = graph_new(b->g->arena, NULL);
    dim rows = dim_sym(SYM_L), down[] = {rows, dim_num(1)}, across[] = {dim_num(1), rows},
        whole[] = {rows, dim_sym(SYM_M)};
    int64_t zero = 0;
    attr shape = {.id = ATTR_shape, .n = 2, .u.dims = down}, axis = attr_int(ATTR_axis, 0),
         axes = {.id = ATTR_axes, .n = 1, .u.ints = &zero},
         padded = {.id = ATTR_shape, .n = 2, .u.dims = whole}, to_float = {.id = ATTR_to, .u.e = ELEM_F32},
         to_int = {.id = ATTR_to, .u.e = ELEM_I32};
    graph_param(g, "rows", type_make(ELEM_I32, 1, &rows)); // nothing of it is read but how many there are
    value i = graph_append(g, OP_iota, 0, NULL, 2, (attr[]){shape, axis}), j = graph_reshape(g, i, 2, across);
    value at = graph_append(g, OP_cast, 1, &i, 1, &to_float);
    value n = graph_scalar(g, (double)b->config->transformed);
    if (!b->config->transformed) {
        value one = graph_scalar(g, 1);
        n = graph_op2(g, OP_add, graph_append(g, OP_reduce_max, 1, &at, 1, &axes), one);
    }
    value p = graph_op2(g, OP_mul, i, j), x = graph_append(g, OP_cast, 1, &p, 1, &to_float);
    value times = graph_op2(g, OP_div, x, n), whole_n = graph_append(g, OP_cast, 1, &n, 1, &to_int);
    times = graph_append(g, OP_cast, 1, &times, 1, &to_int);
    value left = graph_op2(g, OP_sub, p, graph_op2(g, OP_mul, times, whole_n));
    left = graph_append(g, OP_cast, 1, &left, 1, &to_float);
    value turn = graph_scalar(g, 6.283185307179586);
    value angle = graph_op2(g, OP_mul, graph_op2(g, OP_div, left, n), turn);
    value y = graph_op1(g, f, angle);
    graph_output_add(g, NULL, graph_append(g, OP_pad, 1, &y, 1, &padded));
    return graph_region(b->g, OP_per_sequence, 2, (value[]){b->bounds, b->ids}, g, 1);
}

void hub_build_turns(hub_builder *b) {
    b->turns[0] = b->turns[1] = b->transforms[0] = b->transforms[1] = VALUE_NONE;
    if (!(b->config->family->traits & TRAIT_FOURIER)) return;
    b->turns[0] = hub_build_named(b, turns_of(b, OP_cos), "cosines");
    b->turns[1] = hub_build_named(b, turns_of(b, OP_sin), "sines");
}

value hub_build_fourier(hub_builder *b, value x) {
    graph *body = graph_new(b->g->arena, NULL);
    int64_t width = b->config->sizes[SIZE_HIDDEN];
    dim rows = dim_sym(SYM_L), from[] = {dim_num(0), dim_num(0)}, square[] = {rows, rows},
        wide[] = {rows, dim_sym(SYM_M)}, columns[] = {rows, dim_num(width)};
    value operands[5] = {b->bounds}, terms[2];
    for (int i = 0; i < 2; i++) {
        recipe *r = recipe_dft(b->g->arena, i ? RECIPE_DFT_SIN : RECIPE_DFT_COS, width);
        value *c = &b->transforms[i];
        if (*c == VALUE_NONE) *c = graph_constant_recipe(b->g, i ? "fourier.sin" : "fourier.cos", r);
        operands[1 + i] = graph_op2(b->g, OP_matmul, x, *c);
        operands[3 + i] = b->turns[i];
    }
    value over[] = {graph_param(body, "x_cos", type_make(ELEM_F32, 2, columns)),
                    graph_param(body, "x_sin", type_make(ELEM_F32, 2, columns))},
          turns[] = {graph_param(body, "cosines", type_make(ELEM_F32, 2, wide)),
                     graph_param(body, "sines", type_make(ELEM_F32, 2, wide))};
    for (int i = 0; i < 2; i++)
        terms[i] = graph_op2(body, OP_matmul, graph_slice(body, turns[i], 2, from, square), over[i]);
    graph_output_add(body, NULL, graph_op2(body, OP_sub, terms[0], terms[1]));
    return graph_region(b->g, OP_per_sequence, 5, operands, body, 1);
}
