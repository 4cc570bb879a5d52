#include "encoder.h"

#include "activation.h"

// --- Embeddings

static value input(hub_builder *b, const char *name, dim rows) {
    return graph_input(b->g, name, type_make(ELEM_I32, 1, &rows));
}

static void inputs(hub_builder *b) {
    hub_head h = b->config->head;
    b->ids = input(b, "ids", dim_sym(SYM_T));
    b->types = input(b, "types", dim_sym(SYM_T));
    b->positions = input(b, "positions", dim_sym(SYM_T));
    b->tasks = b->config->has_tasks ? input(b, "tasks", dim_sym(SYM_T)) : VALUE_NONE;
    b->bounds = input(b, "bounds", (dim){SYM_S, 1});
    b->rows = VALUE_NONE;
    if (h == HEAD_MASKED_LM || h == HEAD_PRETRAINING) {
        b->rows = input(b, "rows", dim_sym(SYM_R));
        input(b, "row_bounds", (dim){SYM_S, 1});
    }
}

static value looked_up(hub_builder *b, hub_module m, value ids) {
    return graph_op2(b->g, OP_gather, hub_build_weight(b, m, -1, PART_WEIGHT, false), ids);
}

static value with(hub_builder *b, value x, hub_module m, value ids) {
    return hub_build_has(b, m) ? graph_op2(b->g, OP_add, x, looked_up(b, m, ids)) : x;
}

static value embeddings(hub_builder *b) {
    value x = looked_up(b, MODULE_WORD, b->ids);
    x = with(b, x, MODULE_TYPE, b->types);
    x = with(b, x, MODULE_POSITION, b->positions);
    x = with(b, x, MODULE_TASK, b->tasks);
    if (hub_build_has(b, MODULE_EMBEDDING_NORM)) x = hub_build_norm(b, x, MODULE_EMBEDDING_NORM, -1);
    if (hub_build_has(b, MODULE_PROJECTION)) x = hub_build_linear(b, x, MODULE_PROJECTION, -1);
    return hub_build_named(b, x, "embeddings");
}

// --- Layers

static value attention(hub_builder *b, int i, value x) {
    value q = hub_build_linear(b, x, MODULE_QUERY, i), k = hub_build_linear(b, x, MODULE_KEY, i);
    value v = hub_build_linear(b, x, MODULE_VALUE, i);
    b->queries[i] = hub_build_layer_named(b, q, i, "attention.query");
    b->keys[i] = hub_build_layer_named(b, k, i, "attention.key");
    hub_build_layer_named(b, v, i, "attention.value");
    value context = hub_build_layer_named(b, hub_build_context(b, q, k, v), i, "attention.context");
    return hub_build_linear(b, context, MODULE_ATTENTION_OUTPUT, i);
}

static value feed_forward(hub_builder *b, int i, value x) {
    value up = hub_activation(b->g, b->config->activation, hub_build_linear(b, x, MODULE_UP, i));
    return hub_build_linear(b, hub_build_layer_named(b, up, i, "intermediate"), MODULE_DOWN, i);
}

// Norms behind each half of the layer, over the sum; or before it, where the sum goes on as it is.
static value layer(hub_builder *b, int i, value x) {
    graph *g = b->g;
    bool before = b->config->family->traits & TRAIT_PRE_NORM;
    value in = before ? hub_build_norm(b, x, MODULE_ATTENTION_NORM, i) : x;
    value a = graph_op2(g, OP_add, attention(b, i, in), x);
    if (!before) a = hub_build_norm(b, a, MODULE_ATTENTION_NORM, i);
    hub_build_layer_named(b, a, i, "attention.output");
    in = before ? hub_build_norm(b, a, MODULE_OUTPUT_NORM, i) : a;
    value out = graph_op2(g, OP_add, feed_forward(b, i, in), a);
    if (!before) out = hub_build_norm(b, out, MODULE_OUTPUT_NORM, i);
    return hub_build_layer_named(b, out, i, "output");
}

static void none(value *v, int64_t n) {
    for (int64_t i = 0; i < n; i++) v[i] = VALUE_NONE;
}

void hub_build_encoder(hub_builder *b) {
    int n = (int)b->config->layers;
    int64_t constants = (hub_weight_sets(b->config) + 1) * MODULE_COUNT * PART_COUNT;
    b->constants = ARENA_ARRAY(b->g->arena, value, constants);
    none(b->constants, constants);
    b->hidden = ARENA_ARRAY(b->g->arena, value, n + 1);
    b->queries = ARENA_ARRAY(b->g->arena, value, n);
    b->keys = ARENA_ARRAY(b->g->arena, value, n);
    b->pooled = VALUE_NONE;
    inputs(b);
    b->hidden[0] = embeddings(b);
    for (int i = 0; i < n; i++) b->hidden[i + 1] = layer(b, i, b->hidden[i]);
    if (hub_build_has(b, MODULE_FINAL_NORM)) {
        value x = hub_build_norm(b, b->hidden[n], MODULE_FINAL_NORM, -1);
        b->hidden[n] = hub_build_named(b, x, "output");
    }
}
