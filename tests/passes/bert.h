// Encoders for tests of passes: graphs as frontend/hub emits them, of any shape, and a checkpoint of random
// numbers that depend on the tensors' names alone.
#ifndef TEST_BERT_H
#define TEST_BERT_H

#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

typedef enum bert_head { HEAD_NONE, HEAD_CLS, HEAD_LM, HEAD_TOKENS, HEAD_MEAN, HEAD_BOTH } bert_head;
typedef enum bert_activation { ACT_GELU, ACT_GELU_TANH, ACT_RELU, ACT_SILU } bert_activation;

typedef struct bert {
    int64_t hidden, heads, inner, vocab, positions, labels;
    int layers;
    bert_activation activation;
    bert_head head;
    bool hidden_states, attentions, last_hidden_state;
    bool windowed; // scores outside |i-j| <= 2 are excluded
    bool no_bias;  // of the linear layers
} bert;

// --- The checkpoint

typedef struct checkpoint {
    arena *a;
    // Gammas have some elements far above the others, and some far below; what reads them has small weights there, as
    // training makes them.
    bool outliers;
    int count;
    struct {
        const char *name;
        tensor_view view;
    } tensors[512];
} checkpoint;

static uint32_t test_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static bool checkpoint_find(void *context, const char *name, tensor_view *out) {
    checkpoint *c = context;
    for (int i = 0; i < c->count; i++) {
        if (!strcmp(c->tensors[i].name, name)) {
            *out = c->tensors[i].view;
            return true;
        }
    }
    return false;
}

// What an element of gamma is multiplied by: most by 1.
static float test_outlier(int64_t i) {
    return i % 7 == 3 ? 40 : i % 7 == 5 ? -25 : i % 11 == 6 ? 1e-3f : 1;
}

static bool test_reads_norm(const char *name) {
    static const char *const weights[] = {"query.weight", "key.weight", "value.weight", "up.weight"};
    for (int i = 0; i < 4; i++)
        if (strstr(name, weights[i])) return true;
    return false;
}

// A tensor of the checkpoint, made on first use; gammas lie around 1.
static recipe *test_tensor(checkpoint *c, const char *name, int rank, const int64_t *shape) {
    tensor_view v;
    recipe *r = recipe_tensor(c->a, name, ELEM_F32, rank, shape);
    if (checkpoint_find(c, name, &v)) return r;
    int64_t n = 1;
    uint32_t state = 2166136261u;
    for (int i = 0; i < rank; i++) n *= shape[i];
    for (const char *p = name; *p; p++) state = (state ^ (uint8_t)*p) * 16777619u;
    state |= 1;
    float *data = ARENA_ARRAY(c->a, float, n);
    float scale = rank == 2 ? 1.0f / sqrtf((float)shape[1]) : 0.2f;
    for (int64_t i = 0; i < n; i++) {
        float x = (float)(test_random(&state) % 20001) / 10000.0f - 1.0f;
        data[i] = x * scale + (strstr(name, "gamma") ? 1.0f : 0.0f);
        if (c->outliers && strstr(name, "gamma")) data[i] *= test_outlier(i);
        if (c->outliers && test_reads_norm(name)) data[i] /= test_outlier(i % shape[rank - 1]);
    }
    if (c->count == 512) abort();
    v = (tensor_view){.e = ELEM_F32, .rank = rank, .data = data};
    for (int i = 0; i < rank; i++) v.shape[i] = shape[i];
    c->tensors[c->count].name = arena_strdup(c->a, name);
    c->tensors[c->count++].view = v;
    return r;
}

// --- The graph

typedef struct maker {
    graph *g;
    arena *a;
    checkpoint *c;
    const bert *b;
    value ids, types, positions, bounds, rows, row_bounds;
} maker;

static value make_vector(maker *m, const char *name, int64_t n) {
    recipe *r = test_tensor(m->c, name, 1, (int64_t[]){n});
    return graph_constant_recipe(m->g, name, r);
}

static value make_table(maker *m, const char *name, int64_t rows, int64_t columns) {
    return graph_constant_recipe(m->g, name, test_tensor(m->c, name, 2, (int64_t[]){rows, columns}));
}

static value make_linear(maker *m, value x, const char *name, int64_t in, int64_t out) {
    const char *w = arena_printf(m->a, "%s.weight", name);
    recipe *r =
        recipe_transpose(m->a, recipe_cast(m->a, test_tensor(m->c, w, 2, (int64_t[]){out, in}), ELEM_F32));
    value y = graph_op2(m->g, OP_matmul, x, graph_constant_recipe(m->g, w, r));
    if (m->b->no_bias) return y;
    return graph_op2(m->g, OP_add, y, make_vector(m, arena_printf(m->a, "%s.bias", name), out));
}

static value make_norm(maker *m, value x, const char *name, int64_t n) {
    value in[] = {x, make_vector(m, arena_printf(m->a, "%s.gamma", name), n),
                  make_vector(m, arena_printf(m->a, "%s.beta", name), n)};
    attr eps = attr_float(ATTR_eps, 1e-12);
    return graph_append(m->g, OP_layer_norm, 3, in, 1, &eps);
}

static value make_activation(graph *g, value x, bert_activation kind) {
    attr word = attr_word(ATTR_approximation, kind == ACT_GELU ? "none" : "tanh");
    switch (kind) {
    case ACT_RELU: return graph_op2(g, OP_maximum, x, graph_scalar(g, 0));
    case ACT_SILU: return graph_op2(g, OP_mul, x, graph_op1(g, OP_sigmoid, x));
    case ACT_GELU:
    case ACT_GELU_TANH: break;
    }
    return graph_append(g, OP_gelu, 1, &x, 1, &word);
}

// |i - j| > 2 gets -1e30.
static value make_window(graph *p, value s, int64_t heads) {
    dim shape[] = {dim_sym(SYM_L), dim_sym(SYM_L)}, full[] = {dim_num(heads), shape[0], shape[0]};
    attr rows[] = {attr_dims(p->arena, ATTR_shape, 2, shape), attr_int(ATTR_axis, 0)};
    attr columns[] = {rows[0], attr_int(ATTR_axis, 1)}, to = {.id = ATTR_to, .u.e = ELEM_F32};
    value i = graph_append(p, OP_iota, 0, NULL, 2, rows), j = graph_append(p, OP_iota, 0, NULL, 2, columns);
    value d = graph_op2(p, OP_sub, i, j);
    d = graph_append(p, OP_cast, 1, &d, 1, &to);
    d = graph_op2(p, OP_maximum, d, graph_op1(p, OP_neg, d));
    attr le = attr_word(ATTR_predicate, "le"), all = attr_dims(p->arena, ATTR_shape, 3, full);
    value in[] = {d, graph_scalar(p, 2)};
    value near = graph_append(p, OP_compare, 2, in, 1, &le);
    value far = graph_scalar(p, -1e30);
    far = graph_append(p, OP_broadcast, 1, &far, 1, &all);
    return graph_op3(p, OP_select, near, s, far);
}

// The probabilities [h,L,L] of a body whose first params are q and k.
static value make_probabilities(graph *p, const bert *b, value q, value k) {
    int64_t d = b->hidden / b->heads;
    dim by_head[] = {dim_sym(SYM_L), dim_num(b->heads), dim_num(d)};
    value qh = graph_transpose(p, graph_reshape(p, q, 3, by_head), 3, (int64_t[]){1, 0, 2});
    value kt = graph_transpose(p, graph_reshape(p, k, 3, by_head), 3, (int64_t[]){1, 2, 0});
    value s = graph_op2(p, OP_matmul, qh, kt);
    s = graph_op2(p, OP_mul, s, graph_scalar(p, 1 / sqrt((double)d)));
    if (b->windowed) s = make_window(p, s, b->heads);
    return graph_op1(p, OP_softmax, s);
}

static value make_context(maker *m, value q, value k, value v) {
    const bert *b = m->b;
    dim by_head[] = {dim_sym(SYM_L), dim_num(b->heads), dim_num(b->hidden / b->heads)};
    dim merged[] = {dim_sym(SYM_L), dim_num(b->hidden)};
    type t = type_make(ELEM_F32, 2, merged);
    graph *p = graph_new(m->a, NULL);
    value pq = graph_param(p, "q", t), pk = graph_param(p, "k", t), pv = graph_param(p, "v", t);
    value vh = graph_transpose(p, graph_reshape(p, pv, 3, by_head), 3, (int64_t[]){1, 0, 2});
    value o = graph_op2(p, OP_matmul, make_probabilities(p, b, pq, pk), vh);
    graph_output_add(p, NULL, graph_reshape(p, graph_transpose(p, o, 3, (int64_t[]){1, 0, 2}), 2, merged));
    return graph_region(m->g, OP_per_sequence, 4, (value[]){m->bounds, q, k, v}, p, 1);
}

static value make_attentions(maker *m, value q, value k) {
    const bert *b = m->b;
    type t = type_make(ELEM_F32, 2, (dim[]){dim_sym(SYM_L), dim_num(b->hidden)});
    dim padded[] = {dim_sym(SYM_L), dim_num(b->heads), dim_sym(SYM_M)};
    graph *p = graph_new(m->a, NULL);
    value pq = graph_param(p, "q", t), pk = graph_param(p, "k", t);
    value y = graph_transpose(p, make_probabilities(p, b, pq, pk), 3, (int64_t[]){1, 0, 2});
    attr shape = attr_dims(m->a, ATTR_shape, 3, padded);
    graph_output_add(p, NULL, graph_append(p, OP_pad, 1, &y, 1, &shape));
    return graph_region(m->g, OP_per_sequence, 3, (value[]){m->bounds, q, k}, p, 1);
}

static value make_layer(maker *m, value x, int i) {
    const bert *b = m->b;
    const char *at = arena_printf(m->a, "layer.%d", i);
    value q = make_linear(m, x, arena_printf(m->a, "%s.query", at), b->hidden, b->hidden);
    value k = make_linear(m, x, arena_printf(m->a, "%s.key", at), b->hidden, b->hidden);
    value v = make_linear(m, x, arena_printf(m->a, "%s.value", at), b->hidden, b->hidden);
    graph_name(m->g, q, arena_printf(m->a, "%s.attention.query", at));
    graph_name(m->g, k, arena_printf(m->a, "%s.attention.key", at));
    graph_name(m->g, v, arena_printf(m->a, "%s.attention.value", at));
    value context = make_context(m, q, k, v);
    graph_name(m->g, context, arena_printf(m->a, "%s.attention.context", at));
    if (b->attentions)
        graph_output_add(m->g, arena_printf(m->a, "attentions.%d", i), make_attentions(m, q, k));
    value a = make_linear(m, context, arena_printf(m->a, "%s.dense", at), b->hidden, b->hidden);
    a = make_norm(m, graph_op2(m->g, OP_add, a, x), arena_printf(m->a, "%s.norm1", at), b->hidden);
    graph_name(m->g, a, arena_printf(m->a, "%s.attention.output", at));
    value u = make_linear(m, a, arena_printf(m->a, "%s.up", at), b->hidden, b->inner);
    u = make_activation(m->g, u, b->activation);
    graph_name(m->g, u, arena_printf(m->a, "%s.intermediate", at));
    u = make_linear(m, u, arena_printf(m->a, "%s.down", at), b->inner, b->hidden);
    u = make_norm(m, graph_op2(m->g, OP_add, u, a), arena_printf(m->a, "%s.norm2", at), b->hidden);
    graph_name(m->g, u, arena_printf(m->a, "%s.output", at));
    return u;
}

static value make_embeddings(maker *m) {
    const bert *b = m->b;
    value w = graph_op2(m->g, OP_gather, make_table(m, "word", b->vocab, b->hidden), m->ids);
    value t = graph_op2(m->g, OP_gather, make_table(m, "type", 2, b->hidden), m->types);
    value p = graph_op2(m->g, OP_gather, make_table(m, "position", b->positions, b->hidden), m->positions);
    value x = graph_op2(m->g, OP_add, graph_op2(m->g, OP_add, w, t), p);
    x = make_norm(m, x, "embeddings.norm", b->hidden);
    graph_name(m->g, x, "embeddings");
    return x;
}

static value make_pool(maker *m, value x, bool mean) {
    type t = type_make(ELEM_F32, 2, (dim[]){dim_sym(SYM_L), dim_num(m->b->hidden)});
    graph *p = graph_new(m->a, NULL);
    value v = graph_param(p, "x", t);
    attr axes = attr_ints(m->a, ATTR_axes, 1, (int64_t[]){0});
    if (mean)
        v = graph_append(p, OP_reduce_mean, 1, &v, 1, &axes);
    else
        v = graph_slice(p, v, 2, (dim[]){dim_num(0), dim_num(0)}, (dim[]){dim_num(1), dim_num(m->b->hidden)});
    graph_output_add(p, NULL, v);
    return graph_region(m->g, OP_per_sequence, 2, (value[]){m->bounds, x}, p, 1);
}

static void make_classifier(maker *m, value x) {
    value y = graph_op1(m->g, OP_tanh,
                        make_linear(m, make_pool(m, x, false), "pooler", m->b->hidden, m->b->hidden));
    graph_name(m->g, y, "pooler");
    graph_output_add(m->g, "logits", make_linear(m, y, "classifier", m->b->hidden, m->b->labels));
}

static void make_lm(maker *m, value x, const char *output) {
    value y = graph_op2(m->g, OP_gather, x, m->rows);
    y = make_activation(m->g, make_linear(m, y, "lm.dense", m->b->hidden, m->b->hidden), m->b->activation);
    y = make_norm(m, y, "lm.norm", m->b->hidden);
    recipe *tied =
        recipe_transpose(m->a, test_tensor(m->c, "word", 2, (int64_t[]){m->b->vocab, m->b->hidden}));
    y = graph_op2(m->g, OP_matmul, y, graph_constant_recipe(m->g, "decoder", tied));
    graph_output_add(m->g, output, graph_op2(m->g, OP_add, y, make_vector(m, "decoder.bias", m->b->vocab)));
}

static graph *bert_graph(arena *a, checkpoint *c, const bert *b) {
    maker m = {.g = graph_new(a, "encoder"), .a = a, .c = c, .b = b};
    type tokens = type_make(ELEM_I32, 1, (dim[]){dim_sym(SYM_T)});
    type bounds = type_make(ELEM_I32, 1, (dim[]){{SYM_S, 1}}),
         rows = type_make(ELEM_I32, 1, (dim[]){dim_sym(SYM_R)});
    m.ids = graph_input(m.g, "ids", tokens);
    m.types = graph_input(m.g, "types", tokens);
    m.positions = graph_input(m.g, "positions", tokens);
    m.bounds = graph_input(m.g, "bounds", bounds);
    if (b->head == HEAD_LM || b->head == HEAD_BOTH) {
        m.rows = graph_input(m.g, "rows", rows);
        m.row_bounds = graph_input(m.g, "row_bounds", bounds);
    }
    value x = make_embeddings(&m);
    if (b->hidden_states) graph_output_add(m.g, "hidden_states.0", x);
    for (int i = 0; i < b->layers; i++) {
        x = make_layer(&m, x, i);
        if (b->hidden_states) graph_output_add(m.g, arena_printf(a, "hidden_states.%d", i + 1), x);
    }
    if (b->last_hidden_state || b->head == HEAD_NONE) graph_output_add(m.g, "last_hidden_state", x);
    switch (b->head) {
    case HEAD_NONE: break;
    case HEAD_CLS: make_classifier(&m, x); break;
    case HEAD_LM: make_lm(&m, x, "logits"); break;
    case HEAD_TOKENS:
        graph_output_add(m.g, "logits", make_linear(&m, x, "classifier", b->hidden, b->labels));
        break;
    case HEAD_MEAN: graph_output_add(m.g, "embedding", make_pool(&m, x, true)); break;
    case HEAD_BOTH:
        make_lm(&m, x, "prediction_logits");
        make_classifier(&m, x);
        break;
    }
    return m.g;
}

#endif
