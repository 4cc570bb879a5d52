// Tensors of the checkpoint as constants, each made once, and the layers that are made of them.
#include "encoder.h"

static value constant(hub_builder *b, const hub_weight *w, const char *name, bool turned) {
    arena *a = b->g->arena;
    recipe *r = recipe_tensor(a, w->tensor, w->e, w->rank, w->shape);
    if (w->e != ELEM_F32) r = recipe_cast(a, r, ELEM_F32);
    if (turned) r = recipe_transpose(a, r);
    return graph_constant_recipe(b->g, name, r);
}

value hub_build_weight(hub_builder *b, hub_module m, int layer, hub_part p, bool turned) {
    int set = hub_weight_set(b->config, layer);
    value *known = &b->constants[((set + 1) * MODULE_COUNT + (int)m) * PART_COUNT + (int)p];
    if (*known == VALUE_NONE) {
        const char *name = hub_tensor_name(b->g->arena, b->config, m, set, p);
        *known = constant(b, hub_weight_of(b->checkpoint, m, set, p), name, turned);
    }
    return *known;
}

bool hub_build_has(const hub_builder *b, hub_module m) {
    return hub_weight_of(b->checkpoint, m, -1, PART_WEIGHT)->tensor != NULL;
}

value hub_build_decoder(hub_builder *b) {
    hub_module from = b->checkpoint->tied ? MODULE_WORD : MODULE_DECODER;
    const char *name = hub_tensor_name(b->g->arena, b->config, MODULE_DECODER, -1, PART_WEIGHT);
    return constant(b, hub_weight_of(b->checkpoint, from, -1, PART_WEIGHT), name, true);
}

value hub_build_linear(hub_builder *b, value x, hub_module m, int layer) {
    value w = hub_build_weight(b, m, layer, PART_WEIGHT, true);
    value bias = hub_build_weight(b, m, layer, PART_BIAS, false);
    return graph_op2(b->g, OP_add, graph_op2(b->g, OP_matmul, x, w), bias);
}

value hub_build_norm(hub_builder *b, value x, hub_module m, int layer) {
    value gamma = hub_build_weight(b, m, layer, PART_WEIGHT, false);
    value beta = hub_build_weight(b, m, layer, PART_BIAS, false);
    attr eps = attr_float(ATTR_eps, b->config->eps);
    return graph_append(b->g, OP_layer_norm, 3, (value[]){x, gamma, beta}, 1, &eps);
}

value hub_build_named(hub_builder *b, value v, const char *name) {
    graph_name(b->g, v, name);
    return v;
}

value hub_build_layer_named(hub_builder *b, value v, int layer, const char *what) {
    return hub_build_named(b, v, arena_printf(b->g->arena, "layer.%d.%s", layer, what));
}
