#include "frontend/hub/encoder/encoder.h"

#include <math.h>

#include "frontend/hub/config/activation.h"

// --- Embeddings

static value input(hub_builder *b, const char *name, dim rows) {
    return graph_input(b->g, name, type_make(ELEM_I32, 1, &rows));
}

static bool reads_columns(const hub_config *c) {
    bool turns = c->rotary != ROTARY_NONE && c->family->traits & TRAIT_ROTARY_COLUMNS;
    return turns || hub_module_use(c, MODULE_CONVOLUTION) || c->distances || c->windows || c->causal ||
           c->alibi || c->family->modules[MODULE_BUCKET] || c->family->modules[MODULE_LAYER_BUCKET] ||
           c->relative.keys || c->relative.queries;
}

static void inputs(hub_builder *b) {
    const hub_config *c = b->config;
    hub_head h = c->head;
    b->ids = input(b, "ids", dim_sym(SYM_T));
    b->types = input(b, "types", dim_sym(SYM_T));
    b->positions = input(b, "positions", dim_sym(SYM_T));
    b->tasks = hub_build_has(b, MODULE_TASK) ? input(b, "tasks", dim_sym(SYM_T)) : VALUE_NONE;
    b->columns = reads_columns(b->config) ? input(b, "columns", dim_sym(SYM_T)) : VALUE_NONE;
    b->global = c->family->modules[MODULE_GLOBAL_QUERY] ? input(b, "global", dim_sym(SYM_T)) : VALUE_NONE;
    b->mask = c->family->traits & TRAIT_HIDDEN_ROWS || hub_config_hides(c) ? input(b, "mask", dim_sym(SYM_T))
                                                                           : VALUE_NONE;
    b->prompt =
        h == HEAD_EMBEDDING && c->sentence.skips_prompt ? input(b, "prompt", dim_sym(SYM_T)) : VALUE_NONE;
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

// LayoutLM: the place of each token on its page.
static value with_boxes(hub_builder *b, value x) {
    static const struct {
        hub_module table;
        const char *input;
    } sides[] = {{MODULE_BOX_X, "box_left"},        {MODULE_BOX_Y, "box_top"},
                 {MODULE_BOX_X, "box_right"},       {MODULE_BOX_Y, "box_bottom"},
                 {MODULE_BOX_HEIGHT, "box_height"}, {MODULE_BOX_WIDTH, "box_width"}};
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++)
        x = with(b, x, sides[i].table, input(b, sides[i].input, dim_sym(SYM_T)));
    return x;
}

// ESM: mask tokens are zero, and the rest is scaled as if as many were masked as in training. [L,H]
static value without_masked(hub_builder *b, value x) {
    const hub_config *c = b->config;
    graph *body = graph_new(b->g->arena, NULL);
    dim rows[] = {dim_sym(SYM_L), dim_num(c->sizes[SIZE_EMBEDDING])}, column[] = {rows[0], dim_num(1)};
    value ids = graph_param(body, "ids", type_make(ELEM_I32, 1, rows));
    value px = graph_param(body, "x", type_make(ELEM_F32, 2, rows));
    int32_t mask_id = (int32_t)c->mask_id;
    int64_t axis = 0;
    attr eq = attr_word(ATTR_predicate, "eq"), axes = {.id = ATTR_axes, .n = 1, .u.ints = &axis};
    value mask = hub_build_numbers(body, type_make(ELEM_I32, 0, NULL), &mask_id);
    value is =
        graph_append(body, OP_compare, 2, (value[]){graph_reshape(body, ids, 2, column), mask}, 1, &eq);
    value no = graph_scalar(body, 0), yes = graph_scalar(body, 1);
    value ones = graph_op3(body, OP_select, is, yes, no);
    value share = graph_append(body, OP_reduce_mean, 1, &ones, 1, &axes);
    value left = graph_op2(body, OP_sub, graph_scalar(body, 1), share);
    value scale = graph_op2(body, OP_div, graph_scalar(body, 1 - 0.15 * 0.8), left);
    value kept = graph_op3(body, OP_select, is, graph_scalar(body, 0), px);
    graph_output_add(body, NULL, graph_op2(body, OP_mul, kept, scale));
    return graph_region(b->g, OP_per_sequence, 3, (value[]){b->bounds, b->ids, x}, body, 1);
}

static value embeddings(hub_builder *b) {
    value x = looked_up(b, MODULE_WORD, b->ids);
    if (b->config->family->traits & TRAIT_SCALED_WORDS)
        x = graph_op2(b->g, OP_mul, x, graph_scalar(b->g, sqrt((double)b->config->sizes[SIZE_HIDDEN])));
    if (b->config->drops_masked) x = without_masked(b, x);
    if (b->config->trigrams) x = hub_build_trigrams(b, x);
    if (hub_build_has(b, MODULE_TRIGRAM)) x = hub_build_linear(b, x, MODULE_TRIGRAM, -1);
    x = with(b, x, MODULE_TYPE, b->types);
    x = with(b, x, MODULE_POSITION, b->positions);
    x = with(b, x, MODULE_TASK, b->tasks);
    if (hub_build_has(b, MODULE_BOX_X)) x = with_boxes(b, x);
    bool first = b->config->family->traits & TRAIT_PROJECTS_FIRST,
         projects = hub_build_has(b, MODULE_PROJECTION);
    if (projects && first) x = hub_build_linear(b, x, MODULE_PROJECTION, -1);
    if (hub_build_has(b, MODULE_EMBEDDING_NORM)) x = hub_build_norm(b, x, MODULE_EMBEDDING_NORM, -1);
    x = hub_build_dropped(b, x, DROP_EMBEDDING);
    if (projects && !first) x = hub_build_linear(b, x, MODULE_PROJECTION, -1);
    return hub_build_named(b, x, "embeddings");
}

// --- Layers

static value projected(hub_builder *b, int i, value x, hub_module m, const char *name) {
    return hub_build_layer_named(b, hub_build_linear(b, x, m, i), i, name);
}

// With a norm of its own, where the family has one.
static value result_normed(hub_builder *b, value x, hub_module m, int i) {
    return hub_build_has(b, m) ? hub_build_norm(b, x, m, i) : x;
}

static void project_global(hub_builder *b, int i, value x) {
    hub_projections *p = &b->projections[i];
    p->global_q = p->global_k = p->global_v = VALUE_NONE;
    if (b->global == VALUE_NONE) return;
    p->global_q = projected(b, i, x, MODULE_GLOBAL_QUERY, "attention.global_query");
    p->global_k = projected(b, i, x, MODULE_GLOBAL_KEY, "attention.global_key");
    p->global_v = projected(b, i, x, MODULE_GLOBAL_VALUE, "attention.global_value");
}

static void project_norms(hub_builder *b, int i) {
    hub_projections *p = &b->projections[i];
    bool norms = hub_build_has(b, MODULE_QUERY_NORM);
    p->q_norm = norms ? hub_build_weight(b, MODULE_QUERY_NORM, i, PART_WEIGHT, false) : VALUE_NONE;
    p->k_norm = norms ? hub_build_weight(b, MODULE_KEY_NORM, i, PART_WEIGHT, false) : VALUE_NONE;
}

static void project_relative(hub_builder *b, int i) {
    const hub_config *c = b->config;
    bool shared = c->relative.shared;
    hub_projections *p = &b->projections[i];
    p->relative_keys = p->relative_queries = p->distances = VALUE_NONE;
    if (c->distances) p->distances = hub_build_weight(b, MODULE_DISTANCE, i, PART_WEIGHT, false);
    if (c->relative.keys)
        p->relative_keys = hub_build_linear(b, b->relative, shared ? MODULE_KEY : MODULE_RELATIVE_KEY, i);
    if (c->relative.queries)
        p->relative_queries =
            hub_build_linear(b, b->relative, shared ? MODULE_QUERY : MODULE_RELATIVE_QUERY, i);
}

// A linear layer and its norm, over the sum with `x` where there is one.
static value normed(hub_builder *b, value y, value x, hub_module dense, hub_module norm, int set) {
    y = hub_build_linear(b, y, dense, set);
    return hub_build_norm(b, x == VALUE_NONE ? y : graph_op2(b->g, OP_add, y, x), norm, set);
}

// `inside`: what the layer works on, where that is narrower than its input x.
static value attention(hub_builder *b, int i, value x, value inside) {
    hub_projections *p = &b->projections[i];
    const hub_config *c = b->config;
    value asks = c->narrow_queries ? inside : x, gives = c->narrow_values ? inside : x;
    if (hub_build_has(b, MODULE_SHARED))
        asks = normed(b, x, VALUE_NONE, MODULE_SHARED, MODULE_SHARED_NORM, i);
    p->q = result_normed(b, projected(b, i, asks, MODULE_QUERY, "attention.query"), MODULE_QUERY_ROW_NORM, i);
    p->k = result_normed(b, projected(b, i, asks, MODULE_KEY, "attention.key"), MODULE_KEY_ROW_NORM, i);
    p->v = projected(b, i, gives, MODULE_VALUE, "attention.value");
    project_norms(b, i);
    project_global(b, i, x);
    project_relative(b, i);
    value context = hub_build_layer_named(b, hub_build_context(b, i), i, "attention.context");
    if (hub_build_has(b, MODULE_DEPTHWISE)) {
        attr axis = attr_int(ATTR_axis, 1);
        value both[] = {context, hub_build_span_convolution(b, i, x, p->q)};
        context = graph_append(b->g, OP_concat, 2, both, 1, &axis);
    }
    return hub_build_dropped(b, hub_build_linear(b, context, MODULE_ATTENTION_OUTPUT, i), DROP_MIX);
}

// What mixes the tokens.
static value mixed(hub_builder *b, int i, value x, value inside) {
    return b->config->family->traits & TRAIT_FOURIER ? hub_build_fourier(b, x) : attention(b, i, x, inside);
}

static value feed_forward(hub_builder *b, int i, value x) {
    value up = hub_activation(b->g, b->config->activation, hub_build_linear(b, x, MODULE_UP, i));
    if (hub_build_has(b, MODULE_GATE))
        up = graph_op2(b->g, OP_mul, up, hub_build_linear(b, x, MODULE_GATE, i));
    up = hub_build_dropped(b, hub_build_layer_named(b, up, i, "intermediate"), DROP_INNER);
    return hub_build_dropped(b, hub_build_linear(b, up, MODULE_DOWN, i), DROP_FED);
}

// The feed-forwards before the last.
static value stages(hub_builder *b, int i, value x) {
    int n = (int)b->config->stages;
    for (int k = i * n; k < (i + 1) * n; k++) {
        value up = hub_activation(b->g, b->config->activation, hub_build_linear(b, x, MODULE_STAGE_UP, k));
        x = normed(b, up, x, MODULE_STAGE_DOWN, MODULE_STAGE_NORM, k);
    }
    return x;
}

// Norms after each half of the layer, over the sum; or before each half, and the sum without a norm.
static value layer(hub_builder *b, int i, value x) {
    graph *g = b->g;
    bool before = b->config->family->traits & TRAIT_PRE_NORM, narrows = b->config->narrows;
    bool first = i == 0 && b->config->family->traits & TRAIT_FIRST_BARE;
    value in = before && !first ? hub_build_norm(b, x, MODULE_ATTENTION_NORM, i) : x;
    value inside = narrows ? normed(b, in, VALUE_NONE, MODULE_BOTTLENECK, MODULE_BOTTLENECK_NORM, i) : in;
    value mix = result_normed(b, mixed(b, i, in, inside), MODULE_ATTENTION_RESULT_NORM, i);
    value a = graph_op2(g, OP_add, mix, narrows ? inside : x);
    if (!before) a = hub_build_norm(b, a, MODULE_ATTENTION_NORM, i);
    if (hub_build_has(b, MODULE_SECOND_NORM))
        a = hub_build_norm(b, graph_op2(g, OP_add, a, x), MODULE_SECOND_NORM, i);
    a = stages(b, i, hub_build_layer_named(b, a, i, "attention.output"));
    in = before ? hub_build_norm(b, a, MODULE_OUTPUT_NORM, i) : a;
    value fed = result_normed(b, feed_forward(b, i, in), MODULE_OUTPUT_RESULT_NORM, i);
    value out = graph_op2(g, OP_add, fed, a);
    if (!before) out = hub_build_norm(b, out, MODULE_OUTPUT_NORM, i);
    if (narrows) out = normed(b, out, x, MODULE_WIDENING, MODULE_WIDENING_NORM, i);
    if (i == 0 && hub_build_has(b, MODULE_CONVOLUTION)) {
        out = graph_op2(g, OP_add, out, hub_build_convolution(b, x));
        out = hub_build_norm(b, out, MODULE_CONVOLUTION_NORM, -1);
    }
    return hub_build_layer_named(b, out, i, "output");
}

// A layer whose heads are pruned reads a config of its own.
static value layer_of_own(hub_builder *b, int i, value x) {
    const hub_config *whole = b->config;
    b->config = hub_config_of_layer(whole, i);
    value out = layer(b, i, x);
    b->config = whole;
    return out;
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
    b->projections = ARENA_ARRAY(b->g->arena, hub_projections, n);
    b->pooled = VALUE_NONE;
    inputs(b);
    hub_build_seed(b);
    hub_build_positions(b);
    hub_build_turns(b);
    b->hidden[0] = embeddings(b);
    for (int i = 0; i < n; i++) b->hidden[i + 1] = layer_of_own(b, i, b->hidden[i]);
    if (hub_build_has(b, MODULE_FINAL_NORM)) {
        value x = hub_build_norm(b, b->hidden[n], MODULE_FINAL_NORM, -1);
        b->hidden[n] = hub_build_named(b, x, "output");
    }
}
