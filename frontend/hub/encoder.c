#include "encoder.h"

#include <math.h>

#include "activation.h"

// --- Constants, and what is made of them

static value constant(hub_builder *b, const hub_weight *w, hub_module m, int layer, hub_part p, bool turned) {
    arena *a = b->g->arena;
    recipe *r = recipe_tensor(a, w->tensor, w->e, w->rank, w->shape);
    if (w->e != ELEM_F32) r = recipe_cast(a, r, ELEM_F32);
    if (turned) r = recipe_transpose(a, r);
    return graph_constant_recipe(b->g, hub_tensor_name(a, b->config->family, m, layer, p), r);
}

value hub_build_weight(hub_builder *b, hub_module m, int layer, hub_part p, bool turned) {
    return constant(b, hub_weight_of(b->checkpoint, m, layer, p), m, layer, p, turned);
}

value hub_build_decoder(hub_builder *b) {
    hub_module from = b->checkpoint->tied ? MODULE_WORD : MODULE_DECODER;
    return constant(b, hub_weight_of(b->checkpoint, from, -1, PART_WEIGHT), MODULE_DECODER, -1, PART_WEIGHT,
                    true);
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

static value named(hub_builder *b, value v, int layer, const char *what) {
    return hub_build_named(b, v, arena_printf(b->g->arena, "layer.%d.%s", layer, what));
}

// --- Embeddings

static value input(hub_builder *b, const char *name, dim rows) {
    return graph_input(b->g, name, type_make(ELEM_I32, 1, &rows));
}

static void inputs(hub_builder *b) {
    hub_head h = b->config->head;
    b->ids = input(b, "ids", dim_sym(SYM_T));
    b->types = input(b, "types", dim_sym(SYM_T));
    b->positions = input(b, "positions", dim_sym(SYM_T));
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

static value embeddings(hub_builder *b) {
    int traits = b->config->family->traits;
    value x = looked_up(b, MODULE_WORD, b->ids);
    if (traits & TRAIT_TYPES) x = graph_op2(b->g, OP_add, x, looked_up(b, MODULE_TYPE, b->types));
    if (traits & TRAIT_POSITIONS) x = graph_op2(b->g, OP_add, x, looked_up(b, MODULE_POSITION, b->positions));
    return hub_build_named(b, hub_build_norm(b, x, MODULE_EMBEDDING_NORM, -1), "embeddings");
}

// --- Attention: bodies over one sequence's rows

static value param(const hub_builder *b, graph *body, const char *name) {
    dim d[] = {dim_sym(SYM_L), dim_num(b->config->sizes[SIZE_HIDDEN])};
    return graph_param(body, name, type_make(ELEM_F32, 2, d));
}

// [L,H] -> the heads' rows, its axes in the order of `perm` over (L, head, d).
static value heads_of(const hub_builder *b, graph *body, value x, const int64_t *perm) {
    int64_t n = b->config->heads, width = b->config->sizes[SIZE_HIDDEN];
    dim split_shape[] = {dim_sym(SYM_L), dim_num(n), dim_num(width / n)};
    return graph_transpose(body, graph_reshape(body, x, 3, split_shape), 3, perm);
}

static value probabilities(const hub_builder *b, graph *body, value q, value k) {
    value qh = heads_of(b, body, q, (int64_t[]){1, 0, 2});
    value kt = heads_of(b, body, k, (int64_t[]){1, 2, 0});
    double d = (double)(b->config->sizes[SIZE_HIDDEN] / b->config->heads);
    value products = graph_op2(body, OP_matmul, qh, kt);
    value scores = graph_op2(body, OP_mul, products, graph_scalar(body, 1 / sqrt(d)));
    graph_name(body, scores, "scores");
    value p = graph_op1(body, OP_softmax, scores);
    graph_name(body, p, "probabilities");
    return p;
}

static value context(hub_builder *b, value q, value k, value v) {
    graph *body = graph_new(b->g->arena, NULL);
    value pq = param(b, body, "q"), pk = param(b, body, "k"), pv = param(b, body, "v");
    value p = probabilities(b, body, pq, pk);
    value o = graph_op2(body, OP_matmul, p, heads_of(b, body, pv, (int64_t[]){1, 0, 2}));
    dim shape[] = {dim_sym(SYM_L), dim_num(b->config->sizes[SIZE_HIDDEN])};
    o = graph_reshape(body, graph_transpose(body, o, 3, (int64_t[]){1, 0, 2}), 2, shape);
    graph_output_add(body, NULL, o);
    return graph_region(b->g, OP_per_sequence, 4, (value[]){b->bounds, q, k, v}, body, 1);
}

value hub_build_attentions(hub_builder *b, int i) {
    graph *body = graph_new(b->g->arena, NULL);
    value q = param(b, body, "q"), k = param(b, body, "k");
    value p = graph_transpose(body, probabilities(b, body, q, k), 3, (int64_t[]){1, 0, 2});
    dim shape[] = {dim_sym(SYM_L), dim_num(b->config->heads), dim_sym(SYM_M)};
    attr padded = {.id = ATTR_shape, .n = 3, .u.dims = shape};
    graph_output_add(body, NULL, graph_append(body, OP_pad, 1, &p, 1, &padded));
    value v =
        graph_region(b->g, OP_per_sequence, 3, (value[]){b->bounds, b->queries[i], b->keys[i]}, body, 1);
    return named(b, v, i, "attention.probabilities");
}

// --- Layers

static value layer(hub_builder *b, int i, value x) {
    graph *g = b->g;
    value q = named(b, hub_build_linear(b, x, MODULE_QUERY, i), i, "attention.query");
    value k = named(b, hub_build_linear(b, x, MODULE_KEY, i), i, "attention.key");
    value v = named(b, hub_build_linear(b, x, MODULE_VALUE, i), i, "attention.value");
    b->queries[i] = q;
    b->keys[i] = k;
    value ctx = named(b, context(b, q, k, v), i, "attention.context");
    value out = graph_op2(g, OP_add, hub_build_linear(b, ctx, MODULE_ATTENTION_OUTPUT, i), x);
    value a = named(b, hub_build_norm(b, out, MODULE_ATTENTION_NORM, i), i, "attention.output");
    value up = hub_build_linear(b, a, MODULE_UP, i);
    value u = named(b, hub_activation(g, b->config->activation, up), i, "intermediate");
    value down = graph_op2(g, OP_add, hub_build_linear(b, u, MODULE_DOWN, i), a);
    return named(b, hub_build_norm(b, down, MODULE_OUTPUT_NORM, i), i, "output");
}

void hub_build_encoder(hub_builder *b) {
    int n = (int)b->config->layers;
    b->hidden = ARENA_ARRAY(b->g->arena, value, n + 1);
    b->queries = ARENA_ARRAY(b->g->arena, value, n);
    b->keys = ARENA_ARRAY(b->g->arena, value, n);
    b->pooled = VALUE_NONE;
    inputs(b);
    b->hidden[0] = embeddings(b);
    for (int i = 0; i < n; i++) b->hidden[i + 1] = layer(b, i, b->hidden[i]);
}
