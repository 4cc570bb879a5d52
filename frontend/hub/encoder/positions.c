// The values of positions that attention reads, built once for all layers: rotary tables, relative
// embeddings, and the row of these for each distance.
#include <math.h>

#include "frontend/hub/encoder/encoder.h"

value hub_build_numbers(graph *g, type t, const int32_t *data) {
    return graph_constant_literal(g, NULL, t, data);
}

// --- Rotary

// Of RoFormer's table, sines and then cosines in a row.
static value half_of_table(hub_builder *b, bool second) {
    const hub_weight *w = hub_weight_of(b->weights, MODULE_ROTARY, -1, PART_WEIGHT);
    arena *a = b->g->arena;
    recipe *r = recipe_tensor(a, w->tensor, w->e, w->rank, w->shape);
    if (w->e != ELEM_F32) r = recipe_cast(a, r, ELEM_F32);
    int64_t half = w->shape[1] / 2;
    return graph_constant_recipe(b->g, NULL,
                                 recipe_slice(a, r, 1, second ? half : 0, second ? 2 * half : half));
}

// The angles of each token, where the frequencies are not the plain ones: f32[T,d/2].
static value angles(hub_builder *b, const float *frequencies, int64_t columns, value positions) {
    graph *g = b->g;
    dim down[] = {dim_sym(SYM_T), dim_num(1)}, n = dim_num(columns);
    attr to = {.id = ATTR_to, .u.e = ELEM_F32};
    value p = graph_append(g, OP_cast, 1, &positions, 1, &to);
    value f = graph_constant_f32(g, NULL, type_make(ELEM_F32, 1, &n), frequencies);
    return graph_op2(g, OP_mul, graph_reshape(g, p, 2, down), f);
}

static value scaled(graph *g, value x, double scale) {
    return scale < 1 || scale > 1 ? graph_op2(g, OP_mul, x, graph_scalar(g, scale)) : x;
}

static void rotary(hub_builder *b) {
    const hub_config *c = b->config;
    int64_t rows = c->sizes[SIZE_POSITIONS], columns = c->sizes[SIZE_TURNED] / 2;
    value at = c->family->traits & TRAIT_ROTARY_COLUMNS ? b->columns : b->positions;
    bool given = hub_build_has(b, MODULE_ROTARY);
    for (int i = 0; i < 1 + (c->theta[1] > 0); i++) {
        const hub_rope *rope = &c->ropes[i];
        if (rope->frequencies) {
            value x = angles(b, rope->frequencies, columns, at);
            b->cosines[i] = scaled(b->g, graph_op1(b->g, OP_cos, x), rope->scale);
            b->sines[i] = scaled(b->g, graph_op1(b->g, OP_sin, x), rope->scale);
            continue;
        }
        recipe *cosines = recipe_waves(b->g->arena, RECIPE_COS, rows, columns, c->theta[i]);
        recipe *sines = recipe_waves(b->g->arena, RECIPE_SIN, rows, columns, c->theta[i]);
        value x = given ? half_of_table(b, true) : graph_constant_recipe(b->g, NULL, cosines);
        value y = given ? half_of_table(b, false) : graph_constant_recipe(b->g, NULL, sines);
        b->cosines[i] = graph_op2(b->g, OP_gather, x, at);
        b->sines[i] = graph_op2(b->g, OP_gather, y, at);
    }
}

// --- Buckets of distances

// MPNet, as T5: half of the buckets for each side; near distances have one each, far ones share by their
// logarithm. In float, as PyTorch computes it.
static int32_t bucket_of(int32_t d, int32_t buckets, int32_t farthest) {
    int32_t half = buckets / 2, first = d > 0 ? half : 0, size = d < 0 ? -d : d, exact = half / 2;
    if (size < exact) return first + size;
    float scale = logf((float)size / (float)exact) / (float)log((double)farthest / exact);
    int32_t far = exact + (int32_t)(scale * (float)(half - exact));
    return first + (far < half - 1 ? far : half - 1);
}

// [heads,1,distances]: what each distance of the key from the query adds to a head's scores.
static value buckets(hub_builder *b, hub_module m, int layer) {
    graph *g = b->g;
    int32_t most = (int32_t)b->config->farthest, *ids = ARENA_ARRAY(g->arena, int32_t, 2 * most + 1);
    dim n = dim_num(2 * most + 1);
    for (int32_t i = 0; i <= 2 * most; i++)
        ids[i] = bucket_of(i - most, (int32_t)b->config->sizes[SIZE_BUCKETS], most);
    value table = hub_build_weight(b, m, layer, PART_WEIGHT, false);
    value rows = graph_op2(g, OP_gather, table, hub_build_numbers(g, type_make(ELEM_I32, 1, &n), ids));
    dim shape[] = {dim_num(b->config->heads), dim_num(1), n};
    return graph_reshape(g, graph_transpose(g, rows, 2, (int64_t[]){1, 0}), 3, shape);
}

value hub_build_buckets(hub_builder *b, int layer) {
    return hub_build_has(b, MODULE_LAYER_BUCKET) ? buckets(b, MODULE_LAYER_BUCKET, layer) : b->buckets;
}

// --- Scores that fall with the distance

// Of a power of two of heads 2^(-8 (i + 1) / n); of other numbers those of the next lower power, and then every other
// one of the next higher.
static double slope_of(int64_t i, int64_t heads) {
    int64_t power = 1;
    while (2 * power <= heads) power *= 2;
    return i < power ? exp2(-8.0 * (double)(i + 1) / (double)power)
                     : exp2(-8.0 * (double)(2 * (i - power) + 1) / (double)(2 * power));
}

static void slopes(hub_builder *b) {
    int64_t heads = b->config->heads;
    float *numbers = ARENA_ARRAY(b->g->arena, float, heads);
    for (int64_t i = 0; i < heads; i++) numbers[i] = (float)slope_of(i, heads);
    dim shape[] = {dim_num(heads), dim_num(1), dim_num(1)};
    b->slopes = graph_constant_f32(b->g, NULL, type_make(ELEM_F32, 3, shape), numbers);
}

// DeBERTa-v2's make_log_bucket_position, as a row of the relative embeddings.
static int32_t relative_of(int64_t d, const hub_config *c) {
    int64_t buckets = c->relative.buckets, mid = buckets / 2, size = d < 0 ? -d : d,
            near = size < mid ? mid - 1 : size;
    float span = (float)log((double)(c->relative.most - 1) / (double)mid);
    float log_position = ceilf(logf((float)near / (float)mid) / span * (float)(mid - 1)) + (float)mid;
    int64_t at = (near <= mid ? d
                  : d < 0     ? -(int64_t)log_position
                              : (int64_t)log_position) +
                 c->relative.span;
    int64_t last = 2 * c->relative.span - 1;
    return (int32_t)(at < 0 ? 0 : at > last ? last : at);
}

static void relative(hub_builder *b) {
    const hub_config *c = b->config;
    value x = hub_build_weight(b, MODULE_RELATIVE, -1, PART_WEIGHT, false);
    b->relative = hub_build_has(b, MODULE_RELATIVE_NORM) ? hub_build_norm(b, x, MODULE_RELATIVE_NORM, -1) : x;
    if (!c->relative.buckets) return;
    int64_t n = 2 * c->relative.most + 1;
    int32_t *rows = ARENA_ARRAY(b->g->arena, int32_t, n);
    for (int64_t i = 0; i < n; i++) rows[i] = relative_of(i - c->relative.most, c);
    dim shape[] = {dim_num(1), dim_num(n)};
    b->distances = hub_build_numbers(b->g, type_make(ELEM_I32, 2, shape), rows);
}

void hub_build_positions(hub_builder *b) {
    b->cosines[0] = b->cosines[1] = b->sines[0] = b->sines[1] = VALUE_NONE;
    b->buckets = b->distances = b->relative = b->slopes = VALUE_NONE;
    if (b->config->alibi) slopes(b);
    if (b->config->rotary != ROTARY_NONE) rotary(b);
    if (hub_build_has(b, MODULE_BUCKET)) b->buckets = buckets(b, MODULE_BUCKET, -1);
    if (hub_build_has(b, MODULE_RELATIVE)) relative(b);
}
