// Static embeddings, of sentence-transformers' StaticEmbedding and of model2vec: each token's row of a table, and their
// mean. There is no encoder.
#include <inttypes.h>
#include <string.h>

#include "frontend/hub/encoder/static_embedding.h"

#define MOST_TOKENS (1 << 20) // of a text: nothing in the model ends it

static const hub_family no_family = {.model_type = "static"};

static bool wrong(const hub_checkpoint *c, const char *name, const char *cause, diag *d) {
    char where[700];
    snprintf(where, sizeof where, "%.400s: tensor \"%.200s\"", c->where, name);
    return diag_error(d, where, "%s", cause);
}

// False where the checkpoint has no tensor of that name and rank.
static bool entry(const hub_checkpoint *c, const char *name, int rank, hub_table *out) {
    tensor_view t;
    if (!hub_checkpoint_find((void *)(uintptr_t)c, name, &t) || t.rank != rank) return false;
    *out = (hub_table){.tensor = name, .e = t.e, .rows = t.shape[0], .columns = rank > 1 ? t.shape[1] : 1};
    return true;
}

static bool has(const hub_checkpoint *c, const char *name) {
    const char *dtype;
    const int64_t *shape;
    const void *data;
    int rank;
    return hub_checkpoint_entry(c, name, &dtype, &rank, &shape, &data);
}

// A vector of whole numbers, each a row of the table.
static bool read_mapping(const hub_checkpoint *c, hub_static *s, diag *d) {
    static const char name[] = "mapping";
    const char *dtype;
    const int64_t *shape;
    const void *data;
    int rank;
    if (!hub_checkpoint_entry(c, name, &dtype, &rank, &shape, &data)) return true;
    bool wide = !strcmp(dtype, "I64");
    if (rank != 1 || (!wide && strcmp(dtype, "I32") != 0) || shape[0] < 1)
        return wrong(c, name, "must be a vector of I32 or I64", d);
    s->vocabulary = shape[0];
    s->mapping = ARENA_ARRAY(c->arena, int32_t, shape[0]);
    for (int64_t i = 0; i < shape[0]; i++) {
        int64_t row;
        int32_t narrow;
        memcpy(wide ? (void *)&row : (void *)&narrow, (const char *)data + i * (wide ? 8 : 4), wide ? 8 : 4);
        if (!wide) row = narrow;
        if (row < 0 || row >= s->table.rows)
            return wrong(c, name,
                         arena_printf(c->arena,
                                      "maps token %" PRId64 " to row %" PRId64 ", and there are %" PRId64, i,
                                      row, s->table.rows),
                         d);
        s->mapping[i] = (int32_t)row;
    }
    return true;
}

static bool read_weights(const hub_checkpoint *c, hub_static *s, diag *d) {
    if (!has(c, "weights")) return true;
    if (!entry(c, "weights", 1, &s->weights) || !elem_is_float(s->weights.e))
        return wrong(c, "weights", "must be a vector of floating-point numbers", d);
    return s->weights.rows == s->vocabulary ||
           wrong(c, "weights", "has another length than the vocabulary", d);
}

bool hub_static_read(hub_checkpoint *c, const hub_sentence *sentence, hub_static *s, hub_config *config,
                     diag *d) {
    const char *name = has(c, "embedding.weight") ? "embedding.weight" : "embeddings";
    *s = (hub_static){0};
    if (!entry(c, name, 2, &s->table))
        return wrong(c, name, has(c, name) ? "is no matrix of numbers" : "is missing", d);
    if (s->table.e == ELEM_I32 || s->table.rows < 1 || s->table.columns < 1 || s->table.rows > INT32_MAX)
        return wrong(c, name, "is no table of embeddings", d);
    s->vocabulary = s->table.rows;
    if (!strcmp(name, "embeddings") && (!read_mapping(c, s, d) || !read_weights(c, s, d))) return false;
    *config = (hub_config){.file = c->where,
                           .family = &no_family,
                           .head = HEAD_EMBEDDING,
                           .pad_id = -1,
                           .sep_id = -1,
                           .sentence = *sentence};
    config->sizes[SIZE_VOCAB] = s->vocabulary;
    config->sizes[SIZE_HIDDEN] = s->table.columns;
    config->sizes[SIZE_POSITIONS] = MOST_TOKENS;
    config->sizes[SIZE_TYPES] = 1;
    return true;
}

// --- The graph

static value input(hub_builder *b, const char *name, dim rows) {
    return graph_input(b->g, name, type_make(ELEM_I32, 1, &rows));
}

static recipe *as_float(arena *a, const hub_table *t, int rank) {
    recipe *r = recipe_tensor(a, t->tensor, t->e, rank, (int64_t[]){t->rows, t->columns});
    return t->e == ELEM_F32 ? r : recipe_cast(a, r, ELEM_F32);
}

// The row of each token's id.
static value mapped(hub_builder *b, const hub_static *s) {
    dim shape[] = {dim_num(s->vocabulary)};
    if (!s->mapping) return b->ids;
    value table = hub_build_numbers(b->g, type_make(ELEM_I32, 1, shape), s->mapping);
    return graph_op2(b->g, OP_gather, hub_build_named(b, table, "mapping"), b->ids);
}

static value rows_of(hub_builder *b, const hub_static *s) {
    arena *a = b->g->arena;
    value table = graph_constant_recipe(b->g, "embeddings", as_float(a, &s->table, 2));
    value x = graph_op2(b->g, OP_gather, table, mapped(b, s));
    if (!s->weights.tensor) return x;
    recipe *column = recipe_reshape(a, as_float(a, &s->weights, 1), 2, (int64_t[]){s->vocabulary, 1});
    value weights = graph_op2(b->g, OP_gather, graph_constant_recipe(b->g, "weights", column), b->ids);
    return graph_op2(b->g, OP_mul, x, weights);
}

void hub_build_static(hub_builder *b, const hub_static *s, int32_t unknown) {
    const dim tokens = dim_sym(SYM_T);
    b->ids = input(b, "ids", tokens);
    b->types = input(b, "types", tokens);
    b->positions = input(b, "positions", tokens);
    b->columns = b->tasks = b->global = b->mask = b->prompt = b->rows = b->pooled = VALUE_NONE;
    b->bounds = input(b, "bounds", (dim){SYM_S, 1});
    b->hidden = ARENA_ARRAY(b->g->arena, value, 1);
    b->hidden[0] = hub_build_named(b, rows_of(b, s), "tokens");
    if (unknown < 0) return;
    // The unknown token is hidden: 0 where the id is its.
    value id = hub_build_numbers(b->g, type_make(ELEM_I32, 0, NULL), &unknown);
    b->mask = hub_build_named(b, graph_op2(b->g, OP_sub, b->ids, id), "known");
}
