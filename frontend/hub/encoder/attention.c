// Attention: bodies over one sequence's rows. Bias, rotations and hidden pairs, in which families differ,
// are ops in the body.
#include <math.h>

#include "frontend/hub/encoder/encoder.h"

#define MOST_OPERANDS 20
#define HIDDEN        -3.4e38 // a score that softmax makes 0

typedef struct attention_builder {
    hub_builder *b;
    int layer;
    graph *body;
    int count;
    value operands[MOST_OPERANDS];
    // Params; VALUE_NONE: there is no such operand.
    value q, k, v, cosines, sines, columns, mask, global, global_q, global_k, global_v, buckets, distances,
        relative_keys, relative_queries, embedded, q_norm, k_norm, slopes;
} attention_builder;

// --- Operands

// A value of the graph as a param: its rows of this text, or all of it where it has no row for each token.
static value operand(attention_builder *at, value v, const char *name) {
    if (v == VALUE_NONE) return VALUE_NONE;
    type t = *graph_type(at->b->g, v);
    if (t.rank && t.d[0].s == SYM_T) t.d[0] = dim_sym(SYM_L);
    at->operands[at->count++] = v;
    return graph_param(at->body, name, t);
}

static bool counts_columns(const hub_builder *b, int layer) {
    const hub_config *c = b->config;
    return b->buckets != VALUE_NONE || hub_build_has(b, MODULE_LAYER_BUCKET) || c->distances ||
           c->relative.keys || c->relative.queries || c->causal || c->alibi ||
           (c->windows && c->windows[layer]);
}

static attention_builder attention_begin(hub_builder *b, int layer, bool with_values) {
    const hub_projections *p = &b->projections[layer];
    const hub_config *c = b->config;
    int turn = c->theta[1] > 0 && c->windows[layer];
    attention_builder at = {.b = b, .layer = layer, .body = graph_new(b->g->arena, NULL)};
    at.operands[at.count++] = b->bounds;
    at.q = operand(&at, p->q, "q");
    at.q_norm = operand(&at, p->q_norm, "q_norm");
    at.k = operand(&at, p->k, "k");
    at.k_norm = operand(&at, p->k_norm, "k_norm");
    at.v = operand(&at, with_values ? p->v : VALUE_NONE, "v");
    at.cosines = operand(&at, b->cosines[turn], "cosines");
    at.sines = operand(&at, b->sines[turn], "sines");
    at.columns = operand(&at, counts_columns(b, layer) ? b->columns : VALUE_NONE, "columns");
    at.mask = operand(&at, b->mask, "mask");
    at.buckets = operand(&at, hub_build_buckets(b, layer), "buckets");
    at.slopes = operand(&at, b->slopes, "slopes");
    at.distances = operand(&at, b->distances, "distances");
    at.relative_keys = operand(&at, p->relative_keys, "relative_keys");
    at.relative_queries = operand(&at, p->relative_queries, "relative_queries");
    at.embedded = operand(&at, p->distances, "embedded");
    at.global = operand(&at, b->global, "global");
    if (!with_values) return at;
    at.global_q = operand(&at, p->global_q, "global_q");
    at.global_k = operand(&at, p->global_k, "global_k");
    at.global_v = operand(&at, p->global_v, "global_v");
    return at;
}

static value attention_end(attention_builder *at, value yields) {
    graph_output_add(at->body, NULL, yields);
    return graph_region(at->b->g, OP_per_sequence, at->count, at->operands, at->body, 1);
}

// --- Heads

// [X,heads d] -> the heads' rows, its axes in the order of `perm` over (X, head, d).
static value heads_of(attention_builder *at, value x, const int64_t *perm) {
    const type *t = graph_type(at->body, x);
    int64_t width = at->b->config->sizes[SIZE_HEAD];
    dim shape[] = {t->d[0], dim_num(t->d[1].n / width), dim_num(width)};
    return graph_transpose(at->body, graph_reshape(at->body, x, 3, shape), 3, perm);
}

static value sliced(graph *body, value x, int64_t begin, int64_t end) {
    type t = *graph_type(body, x);
    dim from[IR_MAX_RANK] = {{0}};
    from[t.rank - 1] = dim_num(begin);
    t.d[t.rank - 1] = dim_num(end);
    return graph_slice(body, x, t.rank, from, t.d);
}

static value joined(graph *body, value x, value y) {
    attr axis = attr_int(ATTR_axis, graph_type(body, x)->rank - 1);
    return graph_append(body, OP_concat, 2, (value[]){x, y}, 1, &axis);
}

// Each pair (x, y) turned by its angle: (x cos - y sin, y cos + x sin). [heads,L,d]
static value turned_whole(attention_builder *at, value x) {
    graph *g = at->body;
    type t = *graph_type(g, x), whole = t;
    int64_t half = t.d[2].n / 2, step = half;
    value cosines = at->cosines, sines = at->sines;
    bool pairs = at->b->config->rotary == ROTARY_PAIRS;
    if (pairs) { // neighbours: along an axis of their own
        t.rank = 4;
        t.d[2] = dim_num(half);
        t.d[3] = dim_num(2);
        x = graph_reshape(g, x, 4, t.d);
        dim column[] = {dim_sym(SYM_L), dim_num(half), dim_num(1)};
        cosines = graph_reshape(g, cosines, 3, column);
        sines = graph_reshape(g, sines, 3, column);
        step = 1;
    }
    value a = sliced(g, x, 0, step), b = sliced(g, x, step, 2 * step);
    // A node's number follows from the order of these calls, which C leaves open among arguments.
    value b_sines = graph_op2(g, OP_mul, b, sines), a_cosines = graph_op2(g, OP_mul, a, cosines);
    value left = graph_op2(g, OP_sub, a_cosines, b_sines);
    value a_sines = graph_op2(g, OP_mul, a, sines), b_cosines = graph_op2(g, OP_mul, b, cosines);
    value right = graph_op2(g, OP_add, b_cosines, a_sines);
    value y = joined(g, left, right);
    return pairs ? graph_reshape(g, y, 3, whole.d) : y;
}

// Each head with its first columns turned and the others as they were.
static value turned(attention_builder *at, value x) {
    int64_t width = graph_type(at->body, x)->d[2].n, part = at->b->config->sizes[SIZE_TURNED];
    if (at->cosines == VALUE_NONE) return x;
    if (part == width) return turned_whole(at, x);
    value y = turned_whole(at, sliced(at->body, x, 0, part));
    return joined(at->body, y, sliced(at->body, x, part, width));
}

// Heads of keys or values, [n,..,..], each as often as there are heads of queries for it.
static value repeated(attention_builder *at, value x) {
    type t = *graph_type(at->body, x);
    int64_t heads = at->b->config->heads, n = t.d[0].n;
    if (n == heads) return x;
    dim shape[] = {dim_num(n), dim_num(1), t.d[1], t.d[2]};
    value y = graph_reshape(at->body, x, 4, shape);
    shape[1] = dim_num(heads / n);
    attr wide = {.id = ATTR_shape, .n = 4, .u.dims = shape};
    y = graph_append(at->body, OP_broadcast, 1, &y, 1, &wide);
    t.d[0] = dim_num(heads);
    return graph_reshape(at->body, y, 3, t.d);
}

// The rows of each head with a norm of their own, where the family has one.
static value normed(attention_builder *at, value x, value gamma) {
    attr eps = attr_float(ATTR_eps, at->b->config->eps);
    return gamma == VALUE_NONE ? x : graph_append(at->body, OP_rms_norm, 2, (value[]){x, gamma}, 1, &eps);
}

static value queries(attention_builder *at) {
    return turned(at, normed(at, heads_of(at, at->q, (int64_t[]){1, 0, 2}), at->q_norm));
}

static value keys(attention_builder *at) { // [heads,L,d]
    return repeated(at, turned(at, normed(at, heads_of(at, at->k, (int64_t[]){1, 0, 2}), at->k_norm)));
}

static value keys_transposed(attention_builder *at) { // [heads,d,L]
    bool plain = at->cosines == VALUE_NONE && at->k_norm == VALUE_NONE;
    if (plain) return repeated(at, heads_of(at, at->k, (int64_t[]){1, 2, 0}));
    return graph_transpose(at->body, keys(at), 3, (int64_t[]){0, 2, 1});
}

// --- Distances

static value number(graph *body, int32_t x) {
    type t = type_make(ELEM_I32, 0, NULL);
    return hub_build_numbers(body, t, &x);
}

static value at_most(graph *g, value x, int32_t most) {
    value least = number(g, -most);
    return graph_op1(g, OP_neg, graph_op2(g, OP_maximum, graph_op1(g, OP_neg, x), least));
}

// d + span, at least 0.
static value from_zero(graph *g, value d, int32_t span) {
    value zero = number(g, 0), more = number(g, span);
    return graph_op2(g, OP_maximum, graph_op2(g, OP_add, d, more), zero);
}

// [L,L]: the row's column minus the column's, or the other way.
static value distance(attention_builder *at, bool from_row) {
    dim down[] = {dim_sym(SYM_L), dim_num(1)}, transposed[] = {dim_num(1), dim_sym(SYM_L)};
    value i = graph_reshape(at->body, at->columns, 2, down),
          j = graph_reshape(at->body, at->columns, 2, transposed);
    return from_row ? graph_op2(at->body, OP_sub, i, j) : graph_op2(at->body, OP_sub, j, i);
}

// Looks up distances in a table of 2 `most` + 1 columns for -most .. most; farther ones count as these.
static value looked_up(attention_builder *at, value table, value d, int64_t most) {
    graph *g = at->body;
    value index = from_zero(g, d, (int32_t)most);
    return graph_op2(g, OP_gather_along, table, at_most(g, index, (int32_t)(2 * most)));
}

// --- Scores

// The row of the relative embeddings for the distance from key j to query i: [i,j], or [j,i].
static value relative_index(attention_builder *at, bool transposed) {
    graph *g = at->body;
    const hub_config *c = at->b->config;
    value d = distance(at, !transposed);
    if (at->distances != VALUE_NONE) return looked_up(at, at->distances, d, c->relative.most);
    value index = from_zero(g, d, (int32_t)c->relative.span);
    return at_most(g, index, (int32_t)(2 * c->relative.span - 1));
}

// DeBERTa: the query with the key's relative position, and the key with the query's.
static value disentangled(attention_builder *at, value s, value q) {
    graph *g = at->body;
    const int64_t transposed[] = {1, 2, 0};
    if (at->relative_keys != VALUE_NONE) {
        value all = graph_op2(g, OP_matmul, q, heads_of(at, at->relative_keys, transposed));
        s = graph_op2(g, OP_add, s, graph_op2(g, OP_gather_along, all, relative_index(at, false)));
    }
    if (at->relative_queries != VALUE_NONE) {
        value heads = heads_of(at, at->relative_queries, transposed);
        value all = graph_op2(g, OP_matmul, keys(at), heads);
        value chosen = graph_op2(g, OP_gather_along, all, relative_index(at, true));
        s = graph_op2(g, OP_add, s, graph_transpose(g, chosen, 3, (int64_t[]){0, 2, 1}));
    }
    return s;
}

// What a table [2 P - 1, d] of distances says to each query, or key: [heads,L,2 P - 1], chosen by distance.
static value with_distances(attention_builder *at, value x, bool of_keys) {
    graph *g = at->body;
    int32_t span = (int32_t)at->b->config->sizes[SIZE_POSITIONS] - 1;
    value all = graph_op2(g, OP_matmul, x, graph_transpose(g, at->embedded, 2, (int64_t[]){1, 0}));
    value index = from_zero(g, distance(at, !of_keys), span);
    value chosen = graph_op2(g, OP_gather_along, all, at_most(g, index, 2 * span));
    return of_keys ? graph_transpose(g, chosen, 3, (int64_t[]){0, 2, 1}) : chosen;
}

static value is_global(attention_builder *at, bool key) {
    dim down[] = {dim_sym(SYM_L), dim_num(1)}, transposed[] = {dim_num(1), dim_sym(SYM_L)};
    value x = graph_reshape(at->body, at->global, 2, key ? transposed : down);
    attr ne = attr_word(ATTR_predicate, "ne");
    return graph_append(at->body, OP_compare, 2, (value[]){x, number(at->body, 0)}, 1, &ne);
}

static value size_of(graph *g, value d) {
    return graph_op2(g, OP_maximum, d, graph_op1(g, OP_neg, d));
}

// Scores less what the distance costs in each head.
static value fallen(attention_builder *at, value s) {
    graph *g = at->body;
    attr to = attr_elem(ATTR_to, ELEM_F32);
    if (at->slopes == VALUE_NONE) return s;
    value d = size_of(g, distance(at, true)), far = graph_append(g, OP_cast, 1, &d, 1, &to);
    return graph_op2(g, OP_sub, s, graph_op2(g, OP_mul, at->slopes, far));
}

// Scores of keys behind the query are hidden.
static value causal(attention_builder *at, value s) {
    graph *g = at->body;
    attr ge = attr_word(ATTR_predicate, "ge");
    if (!at->b->config->causal) return s;
    value before = graph_append(g, OP_compare, 2, (value[]){distance(at, true), number(g, 0)}, 1, &ge);
    return graph_op3(g, OP_select, before, s, graph_scalar(g, HIDDEN));
}

// Scores of keys beyond the window are hidden, unless the key is a global one.
static value windowed(attention_builder *at, value s) {
    graph *g = at->body;
    const hub_config *c = at->b->config;
    if (!c->windows || !c->windows[at->layer]) return s;
    value size = size_of(g, distance(at, true));
    attr le = attr_word(ATTR_predicate, "le");
    value near =
        graph_append(g, OP_compare, 2, (value[]){size, number(g, (int32_t)c->windows[at->layer])}, 1, &le);
    value far = graph_scalar(g, HIDDEN);
    if (at->global != VALUE_NONE) far = graph_op3(g, OP_select, is_global(at, true), s, far);
    return graph_op3(g, OP_select, near, s, far);
}

// Where hidden tokens are rows too, their keys are hidden by the mask.
static value masked(attention_builder *at, value s) {
    dim transposed[] = {dim_num(1), dim_sym(SYM_L)};
    if (at->mask == VALUE_NONE) return s;
    value hidden = graph_scalar(at->body, HIDDEN);
    return graph_op3(at->body, OP_select, hub_build_is_shown(at->body, at->mask, 2, transposed), s, hidden);
}

static value probabilities(attention_builder *at) {
    graph *g = at->body;
    const hub_config *c = at->b->config;
    int terms = 1 + c->relative.keys + c->relative.queries;
    value q = queries(at), s = graph_op2(g, OP_matmul, q, keys_transposed(at));
    s = disentangled(at, s, q);
    if (at->embedded != VALUE_NONE) s = graph_op2(g, OP_add, s, with_distances(at, q, false));
    if (at->embedded != VALUE_NONE && c->distances_of_keys)
        s = graph_op2(g, OP_add, s, with_distances(at, keys(at), true));
    double scale = c->score_scale > 0 ? c->score_scale : 1 / sqrt((double)(c->sizes[SIZE_HEAD] * terms));
    if (scale < 1 || scale > 1) s = graph_op2(g, OP_mul, s, graph_scalar(g, scale));
    if (at->buckets != VALUE_NONE)
        s = graph_op2(g, OP_add, s, looked_up(at, at->buckets, distance(at, false), c->farthest));
    s = fallen(at, s);
    s = masked(at, causal(at, windowed(at, s)));
    graph_name(g, s, "scores");
    value p = graph_op1(g, OP_softmax, s);
    graph_name(g, p, "probabilities");
    return p;
}

// --- Regions

// Longformer's global tokens attend to all by projections of their own.
static value with_global(attention_builder *at, value o) {
    graph *g = at->body;
    if (at->global_q == VALUE_NONE) return o;
    value q = heads_of(at, at->global_q, (int64_t[]){1, 0, 2}),
          k = heads_of(at, at->global_k, (int64_t[]){1, 2, 0});
    value s = graph_op2(g, OP_matmul, q, k);
    s = graph_op2(g, OP_mul, s, graph_scalar(g, 1 / sqrt((double)at->b->config->sizes[SIZE_HEAD])));
    s = masked(at, s);
    value v = heads_of(at, at->global_v, (int64_t[]){1, 0, 2});
    value all = graph_op2(g, OP_matmul, graph_op1(g, OP_softmax, s), v);
    return graph_op3(g, OP_select, is_global(at, false), all, o);
}

value hub_build_context(hub_builder *b, int layer) {
    attention_builder at = attention_begin(b, layer, true);
    bool drops = b->config->drops[DROP_SCORES] > 0;
    value seed = operand(&at, drops ? b->seed : VALUE_NONE, "seed");
    value tokens = operand(&at, drops ? b->tokens : VALUE_NONE, "tokens");
    value p = probabilities(&at);
    if (drops) p = hub_build_dropped_scores(b, at.body, p, seed, tokens);
    value v = heads_of(&at, at.v, (int64_t[]){1, 0, 2});
    v = repeated(&at, b->config->turns_values ? turned(&at, v) : v);
    value o = with_global(&at, graph_op2(at.body, OP_matmul, p, v));
    dim shape[] = {dim_sym(SYM_L), dim_num(b->config->sizes[SIZE_ATTENTION])};
    o = graph_reshape(at.body, graph_transpose(at.body, o, 3, (int64_t[]){1, 0, 2}), 2, shape);
    return attention_end(&at, o);
}

static value attentions(hub_builder *b, int i) {
    attention_builder at = attention_begin(b, i, false);
    value p = graph_transpose(at.body, probabilities(&at), 3, (int64_t[]){1, 0, 2});
    dim shape[] = {dim_sym(SYM_L), dim_num(b->config->heads), dim_sym(SYM_M)};
    attr padded = {.id = ATTR_shape, .n = 3, .u.dims = shape};
    value v = attention_end(&at, graph_append(at.body, OP_pad, 1, &p, 1, &padded));
    return hub_build_layer_named(b, v, i, "attention.probabilities");
}

value hub_build_attentions(hub_builder *b, int i) {
    const hub_config *whole = b->config;
    b->config = hub_config_of_layer(whole, i);
    value v = attentions(b, i);
    b->config = whole;
    return v;
}
