// The gradients' memory, and when which part of it is whole: a piece is the numbers of one state, which a phase of the backward
// part writes last.
#include <stdlib.h>

#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/session/parameters.h"
#include "runtime/train/train.h"

static int64_t end_of(const bertc_parameter_part *p) {
    int64_t columns = p->packed ? (p->state_columns + 15) / 16 * 16 : p->state_columns;
    return p->offset + p->state_rows * columns * (int64_t)sizeof(float);
}

// The compiler places gradients side by side. *end is 0 where there are none.
static void find_bounds(const bertc_model *m, int64_t *first, int64_t *end) {
    *first = INT64_MAX;
    *end = 0;
    for (int i = m->parameter_count; i < m->tensor_count; i++) {
        int n;
        const bertc_parameter_part *p = parameter_parts(m, i, &n);
        for (int k = 0; k < n && tensor_kind(m, i) == BERTC_TENSOR_GRADIENT; k++) {
            if (p[k].offset < *first) *first = p[k].offset;
            if (end_of(&p[k]) > *end) *end = end_of(&p[k]);
        }
    }
}

float *bertc_trainer_gradient_memory(bertc_trainer *t, int64_t *count) {
    int64_t first = 0, end = 0;
    if (t) find_bounds(t->session->model, &first, &end);
    if (count) *count = end ? (end - first) / (int64_t)sizeof(float) : 0;
    return end ? (float *)(void *)(t->session->states + first) : NULL;
}

// --- Pieces

static int compare_offsets(const void *a, const void *b) {
    const gradient_piece *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

// One for each state, ascending; each ends where the next one begins.
static void list_pieces(bertc_trainer *t) {
    const bertc_model *m = t->session->model;
    int64_t first, end;
    int count = 0, kept = 0;
    find_bounds(m, &first, &end);
    for (int i = m->parameter_count; i < m->tensor_count; i++) {
        int n;
        const bertc_parameter_part *p = parameter_parts(m, i, &n);
        for (int k = 0; k < n && tensor_kind(m, i) == BERTC_TENSOR_GRADIENT; k++)
            t->pieces[count++].offset = p[k].offset;
    }
    qsort(t->pieces, (size_t)count, sizeof *t->pieces, compare_offsets);
    for (int i = 0; i < count; i++)
        if (!kept || t->pieces[kept - 1].offset != t->pieces[i].offset) t->pieces[kept++] = t->pieces[i];
    for (int i = 0; i < kept; i++)
        t->pieces[i].bytes = (i + 1 < kept ? t->pieces[i + 1].offset : end) - t->pieces[i].offset;
    t->piece_count = kept;
}

// Where the phase behind the last one that writes the piece begins; the end of the backward part where none does.
static int whole_at(const bertc_session *s, const session_variant *v, const gradient_piece *piece) {
    const char *state = s->states + piece->offset;
    for (int i = v->parts[SESSION_UPDATE] - 1; i >= v->parts[SESSION_BACKWARD]; i--) {
        const bertc_phase *p = &v->phases[i];
        for (uint32_t k = p->arg_count - p->result_count; k < p->arg_count; k++)
            if (v->args[v->arg_at[i] + (int)k] == (const void *)state) return i + 1;
    }
    return v->parts[SESSION_UPDATE];
}

// Nodes stand in the same order in all variants, so the first one's counts for all.
static void order_pieces(bertc_trainer *t) {
    const bertc_session *s = t->session;
    for (int i = 1; i < t->piece_count; i++) { // few, and mostly in order
        gradient_piece moved = t->pieces[i];
        int at = whole_at(s, &s->variants[0], &moved), k = i;
        for (; k > 0 && whole_at(s, &s->variants[0], &t->pieces[k - 1]) > at; k--)
            t->pieces[k] = t->pieces[k - 1];
        t->pieces[k] = moved;
    }
}

bool pieces_open(bertc_trainer *t) {
    size_t most = 1;
    const bertc_model *m = t->session->model;
    for (int i = m->parameter_count; i < m->tensor_count; i++) {
        int n;
        parameter_parts(m, i, &n);
        most += (size_t)n;
    }
    t->pieces = heap_zero(most, sizeof *t->pieces);
    if (!t->pieces) return false;
    list_pieces(t);
    order_pieces(t);
    return true;
}

void pieces_close(bertc_trainer *t) {
    free(t->pieces);
}

bool bertc_trainer_gradient_piece(const bertc_trainer *t, int index, int64_t *first, int64_t *count) {
    if (!t || index < 0 || index >= t->piece_count) return false;
    int64_t from, end;
    find_bounds(t->session->model, &from, &end);
    if (first) *first = (t->pieces[index].offset - from) / (int64_t)sizeof(float);
    if (count) *count = t->pieces[index].bytes / (int64_t)sizeof(float);
    return true;
}

// --- The hook

bool bertc_trainer_on_gradients(bertc_trainer *t, bertc_gradient_hook hook, void *user, int64_t least,
                                bertc_error *error) {
    if (!t) return error_set(error, "trainer is NULL");
    if (least < 0) return error_set(error, "at least %lld numbers", (long long)least);
    if (!session_enter(t->session, error)) return false;
    t->hook = hook;
    t->hook_user = user;
    t->hook_least = least > INT64_MAX / (int64_t)sizeof(float) ? INT64_MAX : least * (int64_t)sizeof(float);
    session_leave(t->session);
    return true;
}

void pieces_run(bertc_trainer *t) {
    bertc_session *s = t->session;
    session_prepare(s, SESSION_FORWARD);
    const session_variant *v = s->current;
    int at = v->parts[SESSION_FORWARD], end = v->parts[SESSION_UPDATE], last = at;
    int64_t bytes = 0;
    for (int i = 0; t->hook && i < t->piece_count; i++) {
        int whole = whole_at(s, v, &t->pieces[i]);
        if (whole > last) last = whole;
        bytes += t->pieces[i].bytes;
        if (bytes < t->hook_least || last >= end) continue;
        session_run_phases(s, at, last);
        t->hook(t->hook_user, i + 1);
        at = last;
        bytes = 0;
    }
    session_run_phases(s, at, end);
    if (t->hook) t->hook(t->hook_user, t->piece_count);
}
