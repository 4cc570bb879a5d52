// Opening and closing a session: its memory, the addresses of arguments, its threads.
#include "runtime/session/session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/error.h"
#include "runtime/load/check.h"
#include "runtime/load/map.h"
#include "runtime/memory.h"

// Bytes, where the system does not say what a core's cache holds.
#define FETCH_OTHERWISE (256 * 1024)

static int thread_class(int threads) {
    return threads <= 1 ? 0 : threads <= 2 ? 1 : threads <= 8 ? 2 : 3;
}

// Inputs by name; the loader has seen that there are no others.
static void find_inputs(bertc_session *s) {
    static const char *const names[INPUT_COUNT] = {
#define X(id, name) name,
        BERTC_INPUT_LIST(X)
#undef X
    };
    const bertc_descriptor *d = s->model->descriptor;
    for (int i = 0; i < INPUT_COUNT; i++) {
        s->input_slots[i] = -1;
        for (uint32_t k = 0; k < d->input_count; k++)
            if (strcmp(model_at(s->model, s->model->inputs[k].name), names[i]) == 0)
                s->input_slots[i] = (int)k;
    }
}

static const char *base_of(const bertc_session *s, const session_variant *v, uint64_t kind) {
    switch ((bertc_arg_kind)kind) {
    case BERTC_ARG_WEIGHT: return s->weights;
    case BERTC_ARG_STATE: return s->states;
    case BERTC_ARG_CALL: return (const char *)&s->call;
    case BERTC_ARG_ARENA: break;
    }
    return v->arena;
}

static bool resolve(bertc_session *s, session_variant *v) {
    size_t count = 0, n = 0;
    for (int i = 0; i < v->phase_count; i++) count += v->phases[i].arg_count;
    v->args = heap_zero(count, sizeof *v->args);
    v->arg_at = heap_zero((size_t)v->phase_count, sizeof *v->arg_at);
    if (!v->args || !v->arg_at) return false;
    for (int i = 0; i < v->phase_count; i++) {
        const void *rows = model_at(s->model, v->phases[i].args);
        v->arg_at[i] = (int)n;
        for (uint32_t k = 0; k < v->phases[i].arg_count; k++) {
            bertc_arg a;
            row_read(s->model->descriptor, BERTC_ROW_ARG, rows, k, &a);
            v->args[n++] = (void *)(uintptr_t)(base_of(s, v, a.kind) + a.offset);
        }
    }
    return true;
}

// The variant's tables for `class` of thread counts, as this version has them.
static bool read_tables(session_variant *out, const bertc_model *m, int class) {
    const bertc_variant *v = out->variant;
    out->inputs = model_rows(m, v->inputs, m->descriptor->input_count, BERTC_ROW_SLOT);
    out->outputs = model_rows(m, v->outputs, m->descriptor->output_count, BERTC_ROW_SLOT);
    out->phases = model_rows(m, v->phases[class], v->phase_count[class], BERTC_ROW_PHASE);
    out->phase_count = (int)v->phase_count[class];
    int forward = (int)v->forward[class], all = out->phase_count;
    const int parts[] = {0, forward ? forward : all, forward ? (int)v->backward[class] : all, all};
    memcpy(out->parts, parts, sizeof parts);
    return out->inputs && out->outputs && out->phases;
}

// One arena for each variant, side by side: what one leaves behind is never read as something else by
// another.
static bool open_memory(bertc_session *s) {
    const bertc_model *m = s->model;
    size_t total = 0, scratch = 0;
    for (int i = 0; i < m->variant_count; i++) {
        total += heap_round_up((size_t)m->variants[i].arena_bytes, 4096);
        if ((size_t)m->variants[i].scratch_bytes > scratch) scratch = (size_t)m->variants[i].scratch_bytes;
    }
    s->arena_bytes = total;
    s->scratch_stride = heap_round_up(scratch, 4096) + 128; // not all threads' in the same cache sets
    s->scratch_bytes = s->scratch_stride * (size_t)s->threads;
    s->arena = map_large(s->arena_bytes);
    s->scratch = map_large(s->scratch_bytes);
    return s->arena && s->scratch;
}

static bool copy_weights(bertc_session *s) {
    size_t bytes = (size_t)s->model->descriptor->weights_bytes;
    s->weights_copy = map_large(bytes);
    if (!s->weights_copy) return false;
    memcpy(s->weights_copy, s->model->weights, bytes);
    s->weights = s->weights_copy;
    return true;
}

// The states begin as the artefact has them, or as zeros. Kernels read vectors whole, also of a row that is a vector's part, so 64 zeros
// stand behind the last one, as behind the weights.
static bool open_states(bertc_session *s, bertc_error *error) {
    size_t bytes = (size_t)s->model->descriptor->state_bytes,
           zeros = (size_t)s->model->descriptor->zero_bytes;
    if (!bytes && !zeros) return true;
    s->states_bytes = bytes + zeros + 64;
    s->states = map_large(s->states_bytes);
    if (!s->states)
        return error_set(error, "out of memory: the session's states are %zu bytes", bytes + zeros);
    if (bytes) memcpy(s->states, s->model->weights, bytes);
    return true;
}

static bool open_variants(bertc_session *s) {
    const bertc_model *m = s->model;
    int c = thread_class(s->threads);
    size_t at = 0;
    s->variants = heap_zero((size_t)m->variant_count, sizeof *s->variants);
    if (!s->variants) return false;
    for (int i = 0; i < m->variant_count; i++) {
        const bertc_variant *v = &m->variants[i];
        s->variants[i] = (session_variant){.variant = v, .arena = s->arena + at};
        if (!read_tables(&s->variants[i], m, c) || !resolve(s, &s->variants[i])) return false;
        at += heap_round_up((size_t)v->arena_bytes, 4096);
        if (v->tokens > s->max_tokens) s->max_tokens = v->tokens;
        if (v->sequences > s->max_sequences) s->max_sequences = v->sequences;
    }
    return true;
}

static bool open_group(session_group *g, int64_t tokens, int64_t sequences) {
    for (int i = 0; i < INPUT_COUNT; i++) {
        bool bounds = i == INPUT_BOUNDS || i == INPUT_ROW_BOUNDS;
        g->inputs[i] = heap_zero((size_t)(bounds ? sequences + 1 : tokens), sizeof(int32_t));
        if (!g->inputs[i]) return false;
    }
    g->places = heap_zero((size_t)sequences, sizeof *g->places);
    return g->places != NULL;
}

static bool open_targets(bertc_session *s) {
    const bertc_descriptor *d = s->model->descriptor;
    s->targets = heap_zero((size_t)d->input_count + 1, sizeof *s->targets);
    if (!s->targets) return false;
    for (uint32_t i = 0; i < d->input_count; i++) {
        const bertc_port *p = &s->model->inputs[i];
        if (!p->target) continue;
        session_target *t = &s->targets[s->target_count++];
        size_t rows = (size_t)(p->leading == BERTC_S ? s->max_sequences : s->max_tokens), count;
        *t = (session_target){.port = (int)i, .width = port_width(p, 1)};
        if (__builtin_mul_overflow(rows, (size_t)t->width, &count)) return false;
        t->rows = heap_zero(count, sizeof(int32_t));
        if (!t->rows) return false;
    }
    return true;
}

static bool open_all(bertc_session *s, const bertc_session_options *o, bertc_error *error) {
    s->weights = s->model->weights;
    find_inputs(s);
    if (!open_states(s, error)) return false;
    if (!open_memory(s) || (o->huge_pages && s->model->descriptor->weights_bytes && !copy_weights(s)) ||
        !open_variants(s) || !open_targets(s) || !open_group(&s->group, s->max_tokens, s->max_sequences))
        return error_set(error, "out of memory: the session needs %zu bytes",
                         s->arena_bytes + s->scratch_bytes);
    s->pool = pool_open(s->threads, o->parallel, o->parallel_user, error);
    return s->pool != NULL;
}

// Half of a core's own cache.
static int64_t fetch_most(void) {
    long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return l2 > 0 ? l2 / 2 : FETCH_OTHERWISE;
}

bertc_session *session_open(bertc_model *model, const bertc_session_options *o, bertc_error *error) {
    bertc_session *s = heap_zero(1, sizeof *s);
    if (!s) {
        error_set(error, "out of memory");
        return NULL;
    }
    s->model = model;
    s->threads = o->threads ? o->threads : 1;
    s->parallel = o->parallel != NULL;
    s->fetch_most = fetch_most();
    s->hook = o->hook;
    s->hook_user = o->hook_user;
    if (open_all(s, o, error)) return s;
    session_close(s);
    return NULL;
}

void session_trim(bertc_session *s) {
    map_empty(s->arena, s->arena_bytes);
    map_empty(s->scratch, s->scratch_bytes);
}

bool session_enter(bertc_session *s, bertc_error *error) {
    if (!atomic_exchange_explicit(&s->busy, true, memory_order_acquire)) return true;
    return error_set(error, pool_is_own(s->pool)
                                ? "the session is in a call already: it serves one at a time"
                                : "the session is in a call, or was in one when the process forked: open "
                                  "another");
}

void session_leave(bertc_session *s) {
    atomic_store_explicit(&s->busy, false, memory_order_release);
}

bool session_is_torn(const bertc_session *s) {
    return atomic_load(&s->busy) && !pool_is_own(s->pool);
}

void session_close(bertc_session *s) {
    pool_close(s->pool);
    for (int i = 0; s->variants && i < s->model->variant_count; i++) {
        free(s->variants[i].inputs);
        free(s->variants[i].outputs);
        free(s->variants[i].phases);
        free(s->variants[i].args);
        free(s->variants[i].arg_at);
    }
    free(s->variants);
    for (int i = 0; i < INPUT_COUNT; i++) free(s->group.inputs[i]);
    free(s->group.places);
    for (int i = 0; i < s->target_count; i++) free(s->targets[i].rows);
    free(s->targets);
    map_free(s->states, s->states_bytes);
    map_free(s->weights_copy, (size_t)s->model->descriptor->weights_bytes);
    map_free(s->arena, s->arena_bytes);
    map_free(s->scratch, s->scratch_bytes);
    free(s);
}
