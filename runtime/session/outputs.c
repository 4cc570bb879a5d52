// Outputs of a call, from the arena to where the caller keeps them.
#include "runtime/session/outputs.h"

#include <string.h>

#include "runtime/load/check.h"

size_t bertc_output_bytes(const bertc_model *m, int index, int64_t batch, int64_t length) {
    if (!m || index < 0 || (uint32_t)index >= m->descriptor->output_count || batch < 0 || length < 0)
        return 0;
    const bertc_port *p = &m->outputs[index];
    size_t n = p->leading == BERTC_NUMBER ? 1 : (size_t)batch;
    if (p->leading != BERTC_S && p->leading != BERTC_NUMBER && __builtin_mul_overflow(n, (size_t)length, &n))
        return SIZE_MAX;
    if (__builtin_mul_overflow(n, (size_t)port_width(p, 1), &n)) return SIZE_MAX;
    if (p->ragged && __builtin_mul_overflow(n, (size_t)length, &n)) return SIZE_MAX;
    return __builtin_mul_overflow(n, sizeof(float), &n) ? SIZE_MAX : n;
}

// One leading row of an output to its place.
static void copy_row(const bertc_port *p, int64_t ld, const float *from, float *to) {
    int64_t last = p->rank ? p->shape[p->rank - 1] : 1, rows = 1;
    for (uint32_t i = 0; i + 1 < p->rank; i++) rows *= p->shape[i];
    for (int64_t r = 0; r < rows; r++) memcpy(to + r * last, from + r * ld, (size_t)last * sizeof *to);
}

// A ragged output [T,h,M] (query, head, key) becomes [batch,h,length,length]: for each text, the heads come
// first, then the queries, then the keys.
static void scatter_ragged(const bertc_session *s, int output, float *buffer, const output_grid *grid,
                           int64_t text) {
    const session_group *g = &s->group;
    const bertc_port *p = &s->model->outputs[output];
    int64_t ld = s->current->outputs[output].ld, length = grid->length;
    int64_t from = g->inputs[INPUT_BOUNDS][text], n = g->inputs[INPUT_BOUNDS][text + 1] - from, heads = 1;
    const int32_t *columns = g->inputs[INPUT_COLUMNS] + from;
    for (uint32_t i = 0; i + 1 < p->rank; i++) heads *= p->shape[i];
    for (int64_t t = 0; t < n; t++)
        for (int64_t h = 0; h < heads && g->inputs[INPUT_MASK][from + t]; h++) {
            const float *row = session_output(s, output, from + t) + h * ld;
            float *to = buffer + ((g->places[text] * heads + h) * length + columns[t]) * length;
            for (int64_t i = 0; i < n; i++) to[columns[i]] = row[i];
        }
}

// The cell of the grid, or of the packed cells, that column 0 of a text of the call is.
static int64_t first_cell(const bertc_session *s, const output_grid *grid, int64_t text) {
    int64_t place = s->group.places[text];
    return grid->bounds ? grid->bounds[place] : place * grid->length;
}

void output_scatter(const bertc_session *s, int output, const output_grid *grid, float *buffer) {
    const session_group *g = &s->group;
    const bertc_port *p = &s->model->outputs[output];
    const bertc_slot *slot = &s->current->outputs[output];
    int64_t width = port_width(p, 0);
    if (p->leading == BERTC_NUMBER) copy_row(p, slot->ld, session_output(s, output, 0), buffer);
    for (int64_t q = 0; p->leading != BERTC_NUMBER && q < g->sequences; q++) {
        if (p->ragged) {
            scatter_ragged(s, output, buffer, grid, q);
            continue;
        }
        if (p->leading == BERTC_S) {
            copy_row(p, slot->ld, session_output(s, output, q), buffer + g->places[q] * width);
            continue;
        }
        const int32_t *bounds = g->inputs[p->leading == BERTC_T ? INPUT_BOUNDS : INPUT_ROW_BOUNDS];
        for (int64_t r = bounds[q]; r < bounds[q + 1]; r++) {
            int64_t t = p->leading == BERTC_T ? r : g->inputs[INPUT_ROWS][r];
            if (!g->inputs[INPUT_MASK][t] && !session_shows_hidden(s)) continue;
            copy_row(p, slot->ld, session_output(s, output, r),
                     buffer + (first_cell(s, grid, q) + g->inputs[INPUT_COLUMNS][t]) * width);
        }
    }
}

bertc_tensor output_describe(const bertc_model *m, int index, const output_grid *grid, const float *data) {
    const bertc_port *p = &m->outputs[index];
    bertc_tensor own = {.name = bertc_output_name(m, index), .data = data}, *out = &own;
    bool texts = p->leading == BERTC_S || p->ragged;
    if (p->leading != BERTC_NUMBER)
        out->shape[out->rank++] = texts || !grid->bounds ? grid->batch : grid->bounds[grid->batch];
    if (p->ragged) {
        for (uint32_t i = 0; i + 1 < p->rank; i++) out->shape[out->rank++] = p->shape[i];
        out->shape[out->rank++] = grid->length;
        out->shape[out->rank++] = grid->length;
        return own;
    }
    if (!texts && p->leading != BERTC_NUMBER && !grid->bounds) out->shape[out->rank++] = grid->length;
    for (uint32_t i = 0; i < p->rank; i++) out->shape[out->rank++] = p->shape[i];
    return own;
}
