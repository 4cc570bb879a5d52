// One variant of a descriptor: its sizes, the places of its inputs and outputs in the arena, and its phases.
#include "runtime/load/check.h"

#include <string.h>

#include "runtime/error.h"

enum { MAX_PHASES = 1 << 16, MAX_ARGS = 64, MAX_ROW_TILE = 4096 };
#define MAX_ARENA   ((int64_t)1 << 46)
#define MAX_SCRATCH ((int64_t)1 << 34)
#define MAX_TASKS   ((int64_t)1 << 30)

static bool broken(const check_source *c, const bertc_variant *v, const char *what) {
    const char *name = check_string(c, v->name, "a variant's name");
    return name ? error_set(c->error, "broken descriptor: variant %s: %s", name, what) : false;
}

static bool check_sizes(const check_source *c, const bertc_variant *v) {
    if (!check_string(c, v->name, "a variant's name")) return false;
    if (v->length < 1 || v->tokens < v->length || v->tokens > BERTC_TOKENS_MAX || v->sequences < 1 ||
        v->sequences > v->tokens)
        return broken(c, v, "its capacity");
    if (v->arena_bytes < 0 || v->arena_bytes > MAX_ARENA || v->scratch_bytes < 0 ||
        v->scratch_bytes > MAX_SCRATCH)
        return broken(c, v, "its memory");
    if (v->row_tile < 1 || v->row_tile > MAX_ROW_TILE) return broken(c, v, "its row tile");
    return true;
}

static bool check_inputs(const check_source *c, const bertc_variant *v) {
    const bertc_descriptor *d = c->descriptor;
    const bertc_port *ports = check_at(c, d->inputs, d->input_count, sizeof *ports, 8, 0, "inputs");
    const bertc_slot *slots =
        ports ? check_at(c, v->inputs, d->input_count, sizeof *slots, 8, 0, "a variant's inputs") : NULL;
    if (!slots) return false;
    int64_t rows = (v->tokens + v->row_tile - 1) / v->row_tile * v->row_tile;
    for (uint32_t i = 0; i < d->input_count; i++) {
        int64_t bytes = (ports[i].leading == BERTC_S ? v->sequences + 1 : rows) * (int64_t)sizeof(int32_t);
        if (slots[i].offset == -1) continue;
        if (slots[i].offset < 0 || slots[i].offset % 64 || bytes > v->arena_bytes ||
            slots[i].offset > v->arena_bytes - bytes)
            return broken(c, v, "an input outside of the arena");
    }
    return true;
}

static bool output_fits(const bertc_variant *v, const bertc_port *p, const bertc_slot *s) {
    int64_t last = 1, ld = 1, rows = p->leading == BERTC_S ? v->sequences : v->tokens, elements, bytes;
    if (p->rank > 0) {
        last = p->ragged ? v->length : p->shape[p->rank - 1];
        ld = s->ld;
        for (uint32_t i = 0; i + 1 < p->rank; i++)
            if (__builtin_mul_overflow(rows, p->shape[i], &rows)) return false;
    }
    if (ld < last || s->offset < 0 || s->offset % 64 || __builtin_mul_overflow(rows - 1, ld, &elements) ||
        __builtin_add_overflow(elements, last, &elements) ||
        __builtin_mul_overflow(elements, (int64_t)sizeof(float), &bytes))
        return false;
    return bytes <= v->arena_bytes && s->offset <= v->arena_bytes - bytes;
}

static bool check_outputs(const check_source *c, const bertc_variant *v) {
    const bertc_descriptor *d = c->descriptor;
    const bertc_port *ports = check_at(c, d->outputs, d->output_count, sizeof *ports, 8, 0, "outputs");
    const bertc_slot *slots =
        ports ? check_at(c, v->outputs, d->output_count, sizeof *slots, 8, 0, "a variant's outputs") : NULL;
    if (!slots) return false;
    for (uint32_t i = 0; i < d->output_count; i++)
        if (!output_fits(v, &ports[i], &slots[i])) return broken(c, v, "an output outside of the arena");
    return true;
}

// Is the beginning of each task's stream inside? The bytes that it prefetches may lie beyond the end.
static bool stream_inside(const check_source *c, const bertc_phase *p, const bertc_arg *args) {
    int64_t end = c->descriptor->weights_bytes, last;
    if (p->stream_bytes == 0) return true;
    return p->stream_bytes > 0 && p->stream_bytes <= end && p->stream >= 0 && p->stream < p->arg_count &&
           args[p->stream].kind == BERTC_ARG_WEIGHT && p->stream_step >= 0 &&
           !__builtin_mul_overflow(p->inner - 1, p->stream_step, &last) &&
           last < end - args[p->stream].offset;
}

static bool check_phase(const check_source *c, const bertc_variant *v, const bertc_phase *p) {
    if (!check_string(c, p->name, "a phase's name")) return false;
    if (!check_at(c, p->kernel, 1, 1, 1, PF_X, "a kernel")) return false;
    if (p->arg_count < 1 || p->arg_count > MAX_ARGS) return broken(c, v, "the arguments of a phase");
    const bertc_arg *args =
        check_at(c, p->args, p->arg_count, sizeof *args, 8, 0, "the arguments of a phase");
    if (!args) return false;
    for (uint32_t i = 0; i < p->arg_count; i++) {
        if (args[i].kind > BERTC_ARG_ARENA) return broken(c, v, "an argument of no known kind");
        int64_t limit = args[i].kind == BERTC_ARG_WEIGHT ? c->descriptor->weights_bytes : v->arena_bytes;
        if (args[i].offset < 0 || args[i].offset >= limit)
            return broken(c, v, "an argument outside of weights or arena");
    }
    int64_t size = p->dim == BERTC_NUMBER ? 1 : v->tokens, tasks;
    if (p->dim > BERTC_R || p->unit < 1 || p->inner < 1 ||
        __builtin_mul_overflow((size - 1) / p->unit + 1, p->inner, &tasks) || tasks > MAX_TASKS)
        return broken(c, v, "the tasks of a phase");
    if (!stream_inside(c, p, args)) return broken(c, v, "what a phase streams");
    return true;
}

bool check_variant(const check_source *c, const bertc_variant *v) {
    if (!check_sizes(c, v) || !check_inputs(c, v) || !check_outputs(c, v)) return false;
    for (int t = 0; t < BERTC_THREAD_CLASSES; t++) {
        if (v->phase_count[t] < 1 || v->phase_count[t] > MAX_PHASES)
            return broken(c, v, "the number of its phases");
        const bertc_phase *p = check_at(c, v->phases[t], v->phase_count[t], sizeof *p, 8, 0, "phases");
        for (uint32_t i = 0; p && i < v->phase_count[t]; i++)
            if (!check_phase(c, v, &p[i])) return false;
        if (!p) return false;
    }
    return true;
}
