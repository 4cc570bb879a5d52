// The shared conformance cases: a folder each, with inputs on a grid and the outputs that Transformers gives.
// The inputs are packed by the mask as the runtime packs them: hidden positions are left out; positions
// follow the model's rule, or are given.
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
    int32_t *ids, *positions, *columns, *shown; // [tokens]
    int32_t *bounds;                            // [batch + 1]
    int32_t *cells; // [tokens]: the grid's cell (row * length + column) of each token
} grid;

static inline const int64_t *case_input(const safetensors *io, const char *name, int64_t *batch,
                                        int64_t *length) {
    const char *dtype;
    int rank;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    if (!safetensors_entry(io, name, &dtype, &rank, &shape, &data, &bytes)) return NULL;
    ck_assert_str_eq(dtype, "I64");
    ck_assert_int_eq(rank, strcmp(name, "bbox") ? 2 : 3);
    *batch = shape[0];
    *length = shape[1];
    return data;
}

// The position of a cell: given, or by the model's rule.
static inline int32_t case_position(const hub_model *m, const int64_t *ids, const int64_t *given, int64_t i,
                                    int64_t column) {
    if (given) return (int32_t)given[i];
    if (m->position_rule == BERTC_POSITION_COLUMN) return (int32_t)column + m->position_start;
    int32_t n = m->position_start;
    for (int64_t k = i - column; k < i; k++) n += ids[k] != m->pad_id;
    return ids[i] == m->pad_id ? m->pad_id : n;
}

static inline bool case_has_input(const graph *g, const char *name) {
    for (int i = 0; i < g->count; i++) {
        if (g->nodes[i].op == OP_input && !strcmp(g->nodes[i].name, name)) return true;
    }
    return false;
}

// `rows`: 0, or how many of the batch.
static inline grid case_grid(const hub_model *m, const safetensors *io, int64_t rows, arena *a) {
    grid g = {0};
    const int64_t *ids = case_input(io, "input_ids", &g.batch, &g.length);
    const int64_t *mask = case_input(io, "attention_mask", &g.batch, &g.length);
    const int64_t *given = case_input(io, "position_ids", &g.batch, &g.length);
    ck_assert_ptr_nonnull(ids);
    if (rows && rows < g.batch) g.batch = rows;
    bool all = case_has_input(m->graph, "mask"); // hidden tokens too
    int64_t most = g.batch * g.length;
    g.ids = ARENA_ARRAY(a, int32_t, most);
    g.positions = ARENA_ARRAY(a, int32_t, most);
    g.columns = ARENA_ARRAY(a, int32_t, most);
    g.shown = ARENA_ARRAY(a, int32_t, most);
    g.cells = ARENA_ARRAY(a, int32_t, most);
    g.bounds = ARENA_ARRAY(a, int32_t, g.batch + 1);
    for (int64_t i = 0; i < most; i++) {
        int64_t column = i % g.length;
        if (column == 0) g.bounds[i / g.length] = (int32_t)g.tokens;
        if (mask && !mask[i] && !all) continue;
        g.shown[g.tokens] = !mask || mask[i];
        g.ids[g.tokens] = (int32_t)ids[i];
        g.positions[g.tokens] = case_position(m, ids, given, i, column);
        g.columns[g.tokens] = (int32_t)column;
        g.cells[g.tokens++] = (int32_t)i;
    }
    g.bounds[g.batch] = (int32_t)g.tokens;
    return g;
}

static inline eval_input case_vector(const char *name, const int32_t *data, int64_t n) {
    return (eval_input){name, {.e = ELEM_I32, .rank = 1, .shape = {n}, .data = (void *)(uintptr_t)data}};
}

// A tensor of the grid, packed; zeros where the file has none.
static inline eval_input case_packed(const grid *g, const safetensors *io, const char *name, const char *from,
                                     arena *a) {
    int64_t batch, length;
    const int64_t *cells = case_input(io, from, &batch, &length);
    int32_t *v = ARENA_ARRAY(a, int32_t, g->tokens);
    for (int64_t i = 0; cells && i < g->tokens; i++) v[i] = (int32_t)cells[g->cells[i]];
    return case_vector(name, v, g->tokens);
}

// One of LayoutLM's sides of a token's box: `column`, less `from` (-1: nothing).
static inline eval_input case_box(const grid *g, const safetensors *io, const char *name, int column,
                                  int from, arena *a) {
    int64_t batch, length;
    const int64_t *boxes = case_input(io, "bbox", &batch, &length);
    int32_t *v = ARENA_ARRAY(a, int32_t, g->tokens);
    for (int64_t i = 0; boxes && i < g->tokens; i++) {
        const int64_t *box = boxes + 4 * g->cells[i];
        v[i] = (int32_t)(box[column] - (from < 0 ? 0 : box[from]));
    }
    return case_vector(name, v, g->tokens);
}

// Longformer's global tokens: given, or by the model's rule.
static inline eval_input case_global(const hub_model *m, const grid *g, const safetensors *io, arena *a) {
    int64_t batch, length;
    eval_input given = case_packed(g, io, "global", "global_attention_mask", a);
    if (case_input(io, "global_attention_mask", &batch, &length)) return given;
    int32_t *v = given.value.data;
    for (int64_t i = 0; i < g->batch; i++) {
        bool passed = false;
        for (int64_t t = g->bounds[i]; t < g->bounds[i + 1]; t++) {
            passed |= g->ids[t] == m->sep_id;
            v[t] = m->global_rule == BERTC_RULE_FIRST    ? g->columns[t] == 0
                   : m->global_rule == BERTC_RULE_BEFORE ? !passed
                                                         : 0;
        }
    }
    return given;
}

// The inputs that a graph may have; every token's row is read where the head reads chosen rows.
#define CASE_INPUTS 17
static inline void case_inputs(const hub_model *m, const grid *g, const safetensors *io, arena *a,
                               eval_input *inputs) {
    int32_t *rows = ARENA_ARRAY(a, int32_t, g->tokens);
    for (int64_t i = 0; i < g->tokens; i++) rows[i] = (int32_t)i;
    inputs[0] = case_vector("ids", g->ids, g->tokens);
    inputs[1] = case_packed(g, io, "types", "token_type_ids", a);
    inputs[2] = case_vector("positions", g->positions, g->tokens);
    inputs[3] = case_vector("bounds", g->bounds, g->batch + 1);
    inputs[4] = case_vector("rows", rows, g->tokens);
    inputs[5] = case_vector("row_bounds", g->bounds, g->batch + 1);
    inputs[6] = case_vector("columns", g->columns, g->tokens);
    inputs[7] = case_packed(g, io, "tasks", "task_type_ids", a);
    inputs[8] = case_global(m, g, io, a);
    inputs[9] = case_box(g, io, "box_left", 0, -1, a);
    inputs[10] = case_box(g, io, "box_top", 1, -1, a);
    inputs[11] = case_box(g, io, "box_right", 2, -1, a);
    inputs[12] = case_box(g, io, "box_bottom", 3, -1, a);
    inputs[13] = case_box(g, io, "box_height", 3, 1, a);
    inputs[14] = case_box(g, io, "box_width", 2, 0, a);
    inputs[15] = case_vector("mask", g->shown, g->tokens);
    inputs[16] = case_packed(g, io, "prompt", "prompt", a);
}

// The largest difference of a packed output from the reference, over the rows that the mask shows, and the
// largest value.
typedef struct difference {
    double most, largest;
} difference;

static inline void difference_add(difference *d, double has, double wants) {
    double x = fabs(has - wants);
    if (!(x <= d->most)) d->most = x; // a NaN stays
    if (fabs(wants) > d->largest) d->largest = fabs(wants);
}

// `out` is [T,...] or, where `reference` has no axis of columns, [S,...]; attentions [T,heads,M] against
// [batch,heads,length,length].
static inline difference case_compare(const grid *g, const tensor *out, int rank, const int64_t *shape,
                                      const float *reference) {
    difference d = {0, 0};
    const float *x = out->data;
    if (rank == 4) {
        int64_t heads = shape[1], width = out->shape[2];
        for (int64_t t = 0; t < g->tokens; t++) {
            int64_t row = g->cells[t] / g->length, column = g->cells[t] % g->length;
            if (!g->shown[t]) continue;
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
        // Transformers reads column 0, hidden or not; there is no such row here.
        if (tokens ? !g->shown[t] : g->cells[g->bounds[t]] % g->length) continue;
        const float *wants = reference + (tokens ? g->cells[t] : t) * width;
        for (int64_t i = 0; i < width; i++) difference_add(&d, x[t * width + i], wants[i]);
    }
    return d;
}

static inline void case_fail(const diag *d) {
    diag_print(d, stderr);
    ck_abort_msg("%s", d->count ? d->items[d->count - 1].text : "failed without a word");
}

static inline bool case_is_input(const char *name) {
    static const char *const known[] = {"input_ids", "token_type_ids", "attention_mask"};
    for (int i = 0; i < 3; i++) {
        if (!strcmp(name, known[i])) return true;
    }
    return false;
}

// Evaluates the model's graph on the inputs of `io` and holds each output against the tensor `prefix`NAME
// there: all of them, and no other, within `tolerance` x max(1, largest).
static inline void case_check(const hub_model *m, const safetensors *io, const char *prefix, int64_t rows,
                              double tolerance, arena *a, diag *d) {
    grid g = case_grid(m, io, rows, a);
    eval_input all[CASE_INPUTS], inputs[CASE_INPUTS];
    case_inputs(m, &g, io, a, all);
    eval_options e = {.source = &m->source, .inputs = inputs};
    for (int i = 0; i < CASE_INPUTS; i++) {
        if (case_has_input(m->graph, all[i].name)) inputs[e.input_count++] = all[i];
    }
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
        references += !strncmp(name, prefix, strlen(prefix)) && (*prefix || !case_is_input(name));
    }
    ck_assert_int_eq(m->graph->output_count, references);
}

#endif
