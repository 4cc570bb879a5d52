// Convolutions over a text's tokens: bodies over one sequence's rows. A token's neighbours are slices of
// the rows, which have zeros before and after them.
#include "frontend/hub/config/activation.h"
#include "frontend/hub/encoder/encoder.h"

value hub_build_is_shown(graph *body, value mask, int rank, const dim *shape) {
    int32_t zero = 0;
    value x = graph_reshape(body, mask, rank, shape),
          none = hub_build_numbers(body, type_make(ELEM_I32, 0, NULL), &zero);
    attr ne = attr_word(ATTR_predicate, "ne");
    return graph_append(body, OP_compare, 2, (value[]){x, none}, 1, &ne);
}

// --- Neighbours

// [L,..] with n rows of zeros before and after it.
static value surrounded(graph *g, value x, int n) {
    type t = *graph_type(g, x), zeros = t;
    zeros.d[0] = dim_num(n);
    t.d[0].n += n;
    int32_t number = 0;
    value zero =
        t.e == ELEM_F32 ? graph_scalar(g, 0) : hub_build_numbers(g, type_make(ELEM_I32, 0, NULL), &number);
    attr before = {.id = ATTR_shape, .n = t.rank, .u.dims = zeros.d},
         whole = {.id = ATTR_shape, .n = t.rank, .u.dims = t.d}, axis = attr_int(ATTR_axis, 0);
    value parts[] = {graph_append(g, OP_broadcast, 1, &zero, 1, &before),
                     graph_append(g, OP_pad, 1, &x, 1, &whole)};
    return graph_append(g, OP_concat, 2, parts, 1, &axis);
}

// Rows `by` to `by` + L - 1 of the result of `surrounded`, [L,..].
static value shifted(graph *g, value x, int by) {
    type t = *graph_type(g, x);
    dim from[IR_MAX_RANK] = {dim_num(by)};
    t.d[0] = (dim){SYM_L, by};
    for (int i = 1; i < t.rank; i++) from[i] = dim_num(0);
    return graph_slice(g, x, t.rank, from, t.d);
}

// The part of the last axis that `i` counts, of `n` elements.
static value last_part(graph *g, value x, int i, int n) {
    type t = *graph_type(g, x);
    dim from[IR_MAX_RANK] = {{0}};
    for (int k = 0; k + 1 < t.rank; k++) from[k] = dim_num(0);
    from[t.rank - 1] = dim_num(i * n);
    t.d[t.rank - 1] = dim_num((i + 1) * n);
    return graph_slice(g, x, t.rank, from, t.d);
}

static value param_of(hub_builder *b, graph *body, value v, const char *name) {
    type t = *graph_type(b->g, v);
    if (t.d[0].s == SYM_T) t.d[0] = dim_sym(SYM_L);
    return graph_param(body, name, t);
}

static value region_of(hub_builder *b, graph *body, value yields, int n, const value *operands) {
    value all[8] = {b->bounds};
    for (int i = 0; i < n; i++) all[i + 1] = operands[i];
    graph_output_add(body, NULL, yields);
    return graph_region(b->g, OP_per_sequence, n + 1, all, body, 1);
}

static value side_by_side(graph *g, int n, const value *parts) {
    attr axis = attr_int(ATTR_axis, 1);
    return graph_append(g, OP_concat, n, parts, 1, &axis);
}

// --- MobileBERT

value hub_build_trigrams(hub_builder *b, value x) {
    graph *body = graph_new(b->g->arena, NULL);
    value px = param_of(b, body, x, "x"), all = surrounded(body, px, 1);
    value y = side_by_side(body, 3, (value[]){shifted(body, all, 2), px, shifted(body, all, 0)});
    return region_of(b, body, y, 1, &x);
}

// --- ConvBERT

// Each column convolved with its own taps, w [taps,W].
static value depthwise(hub_builder *b, value x, value w) {
    graph *body = graph_new(b->g->arena, NULL);
    value px = param_of(b, body, x, "x"), pw = param_of(b, body, w, "taps"), sum = VALUE_NONE;
    int taps = (int)b->config->sizes[SIZE_TAPS];
    value all = surrounded(body, px, taps / 2);
    for (int i = 0; i < taps; i++) {
        dim from[] = {dim_num(i), dim_num(0)}, to[] = {dim_num(i + 1), graph_type(body, pw)->d[1]};
        value tap = graph_slice(body, pw, 2, from, to);
        value y = graph_op2(body, OP_mul, shifted(body, all, i), tap);
        sum = i ? graph_op2(body, OP_add, sum, y) : y;
    }
    return region_of(b, body, sum, 2, (value[]){x, w});
}

// Each head's rows convolved with its token's kernel, a row of [T,heads taps] after softmax.
static value spanned(hub_builder *b, value x, value kernels) {
    const hub_config *c = b->config;
    graph *body = graph_new(b->g->arena, NULL);
    int taps = (int)c->sizes[SIZE_TAPS];
    dim rows = dim_sym(SYM_L), heads = dim_num(c->heads),
        by_head[] = {rows, heads, dim_num(c->sizes[SIZE_HEAD])}, by_tap[] = {rows, heads, dim_num(taps)},
        flat[] = {rows, dim_num(c->sizes[SIZE_ATTENTION])};
    value px = param_of(b, body, x, "x"), pk = param_of(b, body, kernels, "kernels"), sum = VALUE_NONE;
    value all = surrounded(body, graph_reshape(body, px, 3, by_head), taps / 2);
    value w = graph_op1(body, OP_softmax, graph_reshape(body, pk, 3, by_tap));
    for (int i = 0; i < taps; i++) {
        value tap = last_part(body, w, i, 1);
        value y = graph_op2(body, OP_mul, shifted(body, all, i), tap);
        sum = i ? graph_op2(body, OP_add, sum, y) : y;
    }
    return region_of(b, body, graph_reshape(body, sum, 2, flat), 2, (value[]){x, kernels});
}

value hub_build_span_convolution(hub_builder *b, int layer, value x, value q) {
    value taps = hub_build_weight(b, MODULE_DEPTHWISE, layer, PART_WEIGHT, false);
    value k = hub_build_linear(b, depthwise(b, x, taps), MODULE_POINTWISE, layer);
    value kernels = hub_build_linear(b, graph_op2(b->g, OP_mul, k, q), MODULE_KERNEL, layer);
    value y = spanned(b, hub_build_linear(b, x, MODULE_CONVOLVED, layer), kernels);
    return hub_build_layer_named(b, y, layer, "attention.convolved");
}

// --- DeBERTa-v2

// The row of the token `by` columns on, zeros where that is hidden: among the rows present it is one of the
// next.
static value neighbour(graph *g, value x, value columns, int reach, int by) {
    dim rows[] = {dim_sym(SYM_L), dim_num(1)};
    int side = by < 0 ? -1 : 1;
    int32_t distance = by;
    value own = shifted(g, columns, reach),
          far = hub_build_numbers(g, type_make(ELEM_I32, 0, NULL), &distance), sum = VALUE_NONE;
    attr eq = attr_word(ATTR_predicate, "eq");
    for (int s = side; s * side <= by * side; s += side) {
        value d = graph_op2(g, OP_sub, shifted(g, columns, reach + s), own);
        value is = graph_append(g, OP_compare, 2, (value[]){graph_reshape(g, d, 2, rows), far}, 1, &eq);
        value zero = graph_scalar(g, 0);
        value y = graph_op3(g, OP_select, is, shifted(g, x, reach + s), zero);
        sum = sum == VALUE_NONE ? y : graph_op2(g, OP_add, sum, y);
    }
    return sum;
}

value hub_build_convolution(hub_builder *b, value x) {
    graph *body = graph_new(b->g->arena, NULL);
    int taps = (int)b->config->sizes[SIZE_TAPS], reach = taps / 2;
    value px = param_of(b, body, x, "x"), pc = param_of(b, body, b->columns, "columns");
    value rows = surrounded(body, px, reach), columns = surrounded(body, pc, reach);
    value *parts = ARENA_ARRAY(b->g->arena, value, taps);
    for (int i = 0; i < taps; i++)
        parts[i] = i == reach ? px : neighbour(body, rows, columns, reach, i - reach);
    value y = region_of(b, body, side_by_side(body, taps, parts), 2, (value[]){x, b->columns});
    return hub_activation(b->g, b->config->convolve, hub_build_linear(b, y, MODULE_CONVOLUTION, -1));
}
