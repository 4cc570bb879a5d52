// Tensors of the checkpoint as constants, one for each tensor, and the layers that use them.
#include "frontend/hub/adapter/adapter.h"
#include "frontend/hub/encoder/encoder.h"

// The part of the tensor that is meant: rows one after the other, or of each head.
static recipe *part_of(hub_builder *b, const hub_weight *w, recipe *r) {
    arena *a = b->g->arena;
    int64_t parts = w->slice.parts, rows = w->shape[0] / parts, heads = b->config->heads;
    if (parts == 1) return r;
    if (!w->slice.by_head) return recipe_slice(a, r, 0, w->slice.part * rows, (w->slice.part + 1) * rows);
    int64_t columns = w->rank == 2 ? w->shape[1] : 1;
    r = recipe_reshape(a, r, 4, (int64_t[]){heads, parts, rows / heads, columns});
    r = recipe_slice(a, r, 1, w->slice.part, w->slice.part + 1);
    return recipe_reshape(a, r, w->rank, (int64_t[]){rows, columns});
}

// The tensor in the shape that the config says, one of [groups, columns, rows] as a matrix of its
// columns.
static recipe *as_said(hub_builder *b, const hub_weight *w) {
    arena *a = b->g->arena;
    int64_t stands[4] = {w->shape[0], w->shape[1], w->shape[2]},
            columns[] = {w->shape[0] * w->shape[1], w->shape[2]};
    stands[w->rank] = 1;
    recipe *r = recipe_tensor(a, w->tensor, w->e, w->rank + w->one_more, stands);
    r = hub_adapted(b->weights->checkpoint->adapters, a, w->tensor, r);
    if (w->groups_first) return recipe_reshape(a, r, 2, columns);
    return w->one_more ? recipe_reshape(a, r, w->rank, w->shape) : r;
}

static recipe *as_float(hub_builder *b, recipe *r) {
    return r->type.e == ELEM_F32 ? r : recipe_cast(b->g->arena, r, ELEM_F32);
}

recipe *hub_build_recipe(hub_builder *b, const hub_weight *w, bool turned) {
    arena *a = b->g->arena;
    recipe *r = part_of(b, w, as_said(b, w));
    if (w->groups > 1) r = recipe_diagonal(a, r, w->groups);
    r = as_float(b, r);
    return turned && !w->groups_first ? recipe_transpose(a, r) : r;
}

// A convolution: a block [columns, rows] a tap, one below the other; of a single column, a row a tap.
static recipe *of_taps(hub_builder *b, const hub_weight *w) {
    arena *a = b->g->arena;
    int64_t rows = w->shape[0], columns = w->shape[1], taps = w->shape[2], matrix[] = {rows, columns};
    recipe *whole = as_said(b, w), **blocks = ARENA_ARRAY(a, recipe *, taps);
    if (columns == 1 && w->groups == 1)
        return recipe_transpose(a, as_float(b, recipe_reshape(a, whole, 2, (int64_t[]){rows, taps})));
    for (int64_t i = 0; i < taps; i++) {
        recipe *r = recipe_reshape(a, recipe_slice(a, whole, 2, i, i + 1), 2, matrix);
        if (w->groups > 1) r = recipe_diagonal(a, r, w->groups);
        blocks[i] = recipe_transpose(a, as_float(b, r));
    }
    return recipe_concat(a, 0, (int)taps, blocks);
}

value hub_build_weight(hub_builder *b, hub_module m, int layer, hub_part p, bool turned) {
    int set = hub_weight_set(b->config, layer);
    value *known = &b->constants[((set + 1) * MODULE_COUNT + (int)m) * PART_COUNT + (int)p];
    if (*known == VALUE_NONE) {
        const hub_weight *w = hub_weight_of(b->weights, m, set, p);
        const char *name = hub_tensor_name(b->g->arena, b->config, m, set, p);
        if (w->slice.parts > 1) name = arena_printf(b->g->arena, "%s.%d", name, w->slice.part);
        recipe *r = w->rank == 3 && !w->groups_first ? of_taps(b, w) : hub_build_recipe(b, w, turned);
        bool gamma = hub_module_of(m)->kind == KIND_NORM && p == PART_WEIGHT;
        if (gamma && b->config->family->traits & TRAIT_ONE_MORE) r = recipe_shift(b->g->arena, r, 1);
        *known = graph_constant_recipe(b->g, name, r);
    }
    return *known;
}

bool hub_build_has(const hub_builder *b, hub_module m) {
    int set = hub_module_sets(b->config, m) ? 0 : -1;
    return hub_weight_of(b->weights, m, set, PART_WEIGHT)->tensor != NULL;
}

value hub_build_decoder(hub_builder *b) {
    hub_module from = b->weights->tied ? MODULE_WORD : MODULE_DECODER;
    const char *name = hub_tensor_name(b->g->arena, b->config, MODULE_DECODER, -1, PART_WEIGHT);
    recipe *r = hub_build_recipe(b, hub_weight_of(b->weights, from, -1, PART_WEIGHT), true);
    if (hub_build_has(b, MODULE_DECODER_REST)) {
        recipe *rest =
            hub_build_recipe(b, hub_weight_of(b->weights, MODULE_DECODER_REST, -1, PART_WEIGHT), false);
        r = recipe_concat(b->g->arena, 0, 2, (recipe *[]){r, rest});
    }
    return graph_constant_recipe(b->g, name, r);
}

static value zeros(hub_builder *b, int64_t n) {
    dim d = dim_num(n);
    return graph_constant_f32(b->g, NULL, type_make(ELEM_F32, 1, &d), ARENA_ARRAY(b->g->arena, float, n));
}

value hub_build_norm(hub_builder *b, value x, hub_module m, int layer) {
    const hub_config *c = b->config;
    double own = c->family->eps[m];
    value gamma = hub_build_weight(b, m, layer, PART_WEIGHT, false);
    attr eps = attr_float(ATTR_eps, own > 0 ? own : c->eps);
    if (c->plain_norms && hub_module_of(m)->scope != SCOPE_HEAD) {
        value bias = hub_build_weight(b, m, layer, PART_BIAS, false);
        return graph_op2(b->g, OP_add, graph_op2(b->g, OP_mul, x, gamma), bias);
    }
    if (b->config->family->traits & TRAIT_RMS_NORM)
        return graph_append(b->g, OP_rms_norm, 2, (value[]){x, gamma}, 1, &eps);
    value beta = b->config->biased[m] ? hub_build_weight(b, m, layer, PART_BIAS, false)
                                      : zeros(b, graph_type(b->g, gamma)->d[0].n);
    return graph_append(b->g, OP_layer_norm, 3, (value[]){x, gamma, beta}, 1, &eps);
}

value hub_build_named(hub_builder *b, value v, const char *name) {
    graph_name(b->g, v, name);
    return v;
}

value hub_build_layer_named(hub_builder *b, value v, int layer, const char *what) {
    return hub_build_named(b, v, arena_printf(b->g->arena, "layer.%d.%s", layer, what));
}
