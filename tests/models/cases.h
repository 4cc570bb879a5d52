// The shared conformance cases: a folder each, with inputs on a grid and the outputs that Transformers gives.
// The inputs are packed by the mask as the runtime packs them: hidden positions are left out, positions are
// columns.
#ifndef BERTC_TESTS_CASES_H
#define BERTC_TESTS_CASES_H

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "frontend/hub/hub.h"

typedef struct grid {
    int64_t batch, length, tokens;
    int32_t *ids, *types, *positions; // [tokens]
    int32_t *bounds;                  // [batch + 1]
    int32_t *cells;                   // [tokens]: the grid's cell (row * length + column) of each token
} grid;

// The folder of a case: the copy beside this file, or the shared one; NULL where neither is there.
static inline const char *case_folder(arena *a, const char *name) {
    struct stat s;
    const char *path = arena_printf(a, BERTC_TESTS "/models/cases/%s", name);
    if (!stat(path, &s)) return path;
    path = arena_printf(a, BERTC_SHARED "/conformance/models/%s", name);
    return stat(path, &s) ? NULL : path;
}

static const int64_t *case_input(const safetensors *io, const char *name, int64_t *batch, int64_t *length) {
    const char *dtype;
    int rank;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    if (!safetensors_entry(io, name, &dtype, &rank, &shape, &data, &bytes)) return NULL;
    ck_assert_str_eq(dtype, "I64");
    ck_assert_int_eq(rank, 2);
    *batch = shape[0];
    *length = shape[1];
    return data;
}

// `rows`: 0, or how many of the batch.
static grid case_grid(const safetensors *io, int64_t rows, arena *a) {
    grid g = {0};
    const int64_t *ids = case_input(io, "input_ids", &g.batch, &g.length);
    const int64_t *types = case_input(io, "token_type_ids", &g.batch, &g.length);
    const int64_t *mask = case_input(io, "attention_mask", &g.batch, &g.length);
    ck_assert_ptr_nonnull(ids);
    if (rows && rows < g.batch) g.batch = rows;
    int64_t most = g.batch * g.length;
    g.ids = ARENA_ARRAY(a, int32_t, most);
    g.types = ARENA_ARRAY(a, int32_t, most);
    g.positions = ARENA_ARRAY(a, int32_t, most);
    g.cells = ARENA_ARRAY(a, int32_t, most);
    g.bounds = ARENA_ARRAY(a, int32_t, g.batch + 1);
    for (int64_t i = 0; i < most; i++) {
        if (i % g.length == 0) g.bounds[i / g.length] = (int32_t)g.tokens;
        if (mask && !mask[i]) continue;
        g.ids[g.tokens] = (int32_t)ids[i];
        g.types[g.tokens] = types ? (int32_t)types[i] : 0;
        g.positions[g.tokens] = (int32_t)(i % g.length);
        g.cells[g.tokens++] = (int32_t)i;
    }
    g.bounds[g.batch] = (int32_t)g.tokens;
    return g;
}

static eval_input case_vector(const char *name, const int32_t *data, int64_t n) {
    return (eval_input){name, {.e = ELEM_I32, .rank = 1, .shape = {n}, .data = (void *)(uintptr_t)data}};
}

// The inputs of a graph; every token's row is read where the head reads chosen rows.
static int case_inputs(const grid *g, arena *a, eval_input *inputs) {
    int32_t *rows = ARENA_ARRAY(a, int32_t, g->tokens);
    for (int64_t i = 0; i < g->tokens; i++) rows[i] = (int32_t)i;
    inputs[0] = case_vector("ids", g->ids, g->tokens);
    inputs[1] = case_vector("types", g->types, g->tokens);
    inputs[2] = case_vector("positions", g->positions, g->tokens);
    inputs[3] = case_vector("bounds", g->bounds, g->batch + 1);
    inputs[4] = case_vector("rows", rows, g->tokens);
    inputs[5] = case_vector("row_bounds", g->bounds, g->batch + 1);
    return 6;
}

// The largest difference of a packed output from the reference, over the rows that the mask shows, and the
// largest value.
typedef struct difference {
    double most, largest;
} difference;

static void difference_add(difference *d, double has, double wants) {
    double x = fabs(has - wants);
    if (!(x <= d->most)) d->most = x; // a NaN stays
    if (fabs(wants) > d->largest) d->largest = fabs(wants);
}

// `out` is [T,...] or, where `reference` has no axis of columns, [S,...]; attentions [T,heads,M] against
// [batch,heads,length,length].
static difference case_compare(const grid *g, const tensor *out, int rank, const int64_t *shape,
                               const float *reference) {
    difference d = {0, 0};
    const float *x = out->data;
    if (rank == 4) {
        int64_t heads = shape[1], width = out->shape[2];
        for (int64_t t = 0; t < g->tokens; t++) {
            int64_t row = g->cells[t] / g->length, column = g->cells[t] % g->length;
            for (int64_t h = 0; h < heads; h++) {
                const float *wants = reference + ((row * heads + h) * g->length + column) * g->length;
                for (int64_t k = g->bounds[row]; k < g->bounds[row + 1]; k++) {
                    difference_add(&d, x[(t * heads + h) * width + k - g->bounds[row]],
                                   wants[g->cells[k] % g->length]);
                }
            }
        }
        return d;
    }
    bool tokens =
        rank > 1 && shape[1] == g->length && out->shape[0] == g->tokens && (rank == 3 || out->rank == 1);
    int64_t width = rank == 3 ? shape[2] : tokens ? 1 : shape[1];
    int64_t rows = tokens ? g->tokens : g->batch;
    for (int64_t t = 0; t < rows; t++) {
        const float *wants = reference + (tokens ? g->cells[t] : t) * width;
        for (int64_t i = 0; i < width; i++) difference_add(&d, x[t * width + i], wants[i]);
    }
    return d;
}

static inline void case_fail(const diag *d) {
    diag_print(d, stderr);
    ck_abort_msg("%s", d->count ? d->items[d->count - 1].text : "failed without a word");
}

static inline bool case_has_input(const graph *g, const char *name) {
    for (int i = 0; i < g->count; i++) {
        if (g->nodes[i].op == OP_input && !strcmp(g->nodes[i].name, name)) return true;
    }
    return false;
}

// Evaluates the model's graph on the inputs of `io` and holds each output against the tensor `prefix`NAME
// there: all of them, and no other, within `tolerance` x max(1, largest).
static inline void case_check(const hub_model *m, const safetensors *io, const char *prefix, int64_t rows,
                              double tolerance, arena *a, diag *d) {
    grid g = case_grid(io, rows, a);
    eval_input inputs[6];
    eval_options e = {.source = &m->source, .input_count = case_inputs(&g, a, inputs), .inputs = inputs};
    if (!case_has_input(m->graph, "rows")) e.input_count = 4;
    tensor *results = ARENA_ARRAY(a, tensor, m->graph->output_count);
    if (!graph_eval(m->graph, &e, a, results, d)) case_fail(d);
    for (int i = 0; i < m->graph->output_count; i++) {
        const char *dtype, *name = arena_printf(a, "%s%s", prefix, m->graph->outputs[i].name);
        int rank;
        const int64_t *shape;
        const void *data;
        size_t bytes;
        ck_assert_msg(safetensors_entry(io, name, &dtype, &rank, &shape, &data, &bytes),
                      "no reference for %s", name);
        difference x = case_compare(&g, &results[i], rank, shape, data);
        ck_assert_msg(x.largest > 0 && x.most <= tolerance * fmax(1, x.largest),
                      "%s is off by %g (largest %g)", name, x.most, x.largest);
    }
    int references = 0;
    for (int i = 0; i < safetensors_count(io); i++) {
        const char *name = safetensors_name(io, i);
        bool input =
            !strcmp(name, "input_ids") || !strcmp(name, "token_type_ids") || !strcmp(name, "attention_mask");
        references += !input;
    }
    ck_assert_int_eq(m->graph->output_count, references);
}

#endif
