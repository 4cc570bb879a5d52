// One variant of a descriptor: its sizes, the places of its inputs and outputs in the arena, and its phases.
#include "runtime/load/check.h"

#include <stddef.h>
#include <string.h>

#include "runtime/error.h"

static bool broken(const check_source *c, const bertc_variant *v, const char *what) {
    const char *name = check_string(c, v->name, "a variant's name");
    return name ? error_set(c->error, "broken descriptor: variant %s: %s", name, what) : false;
}

static bool check_sizes(const check_source *c, const bertc_variant *v) {
    if (!check_string(c, v->name, "a variant's name") || !check_string(c, v->isa, "a variant's level"))
        return false;
    if ((v->enter && !check_at(c, v->enter, 1, 1, 1, PF_X, "what threads call first")) ||
        (v->leave && !check_at(c, v->leave, 1, 1, 1, PF_X, "what threads call last")))
        return false;
    if (v->class_name && !check_string(c, v->class_name, "a variant's class")) return false;
    if (v->length < 1 || v->tokens < v->length || v->tokens > BERTC_TOKENS_MAX || v->sequences < 1 ||
        v->sequences > v->tokens)
        return broken(c, v, "its capacity");
    if (v->arena_bytes < 0 || v->arena_bytes > BERTC_ARENA_MAX || v->scratch_bytes < 0 ||
        v->scratch_bytes > BERTC_SCRATCH_MAX)
        return broken(c, v, "its memory");
    if (v->row_tile < 1 || v->row_tile > BERTC_ROW_TILE_MAX) return broken(c, v, "its row tile");
    return true;
}

// A target or an output.
static bool port_inside(const bertc_variant *v, const bertc_port *p, const bertc_slot *s) {
    int64_t last = 1, ld = 1, elements, bytes,
            rows = p->leading == BERTC_NUMBER ? 1
                   : p->leading == BERTC_S    ? v->sequences
                                              : v->tokens;
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

static bool check_inputs(const check_source *c, const bertc_variant *v) {
    const bertc_descriptor *d = &c->descriptor;
    const void *ports = check_array(c, d->inputs, d->input_count, BERTC_ROW_PORT, "inputs");
    const void *slots =
        ports ? check_array(c, v->inputs, d->input_count, BERTC_ROW_SLOT, "a variant's inputs") : NULL;
    bertc_port p;
    bertc_slot s;
    if (!slots) return false;
    int64_t rows = (v->tokens + v->row_tile - 1) / v->row_tile * v->row_tile;
    for (uint32_t i = 0; i < d->input_count; i++) {
        check_entry(c, BERTC_ROW_PORT, ports, i, &p);
        check_entry(c, BERTC_ROW_SLOT, slots, i, &s);
        if (s.offset == -1) continue;
        if (p.leading == BERTC_NUMBER) return broken(c, v, "a number of the call in the arena");
        if (p.target && !port_inside(v, &p, &s)) return broken(c, v, "a target outside of the arena");
        if (p.target) continue;
        int64_t bytes = (p.leading == BERTC_S ? v->sequences + 1 : rows) * (int64_t)sizeof(int32_t);
        if (s.offset < 0 || s.offset % 64 || bytes > v->arena_bytes || s.offset > v->arena_bytes - bytes)
            return broken(c, v, "an input outside of the arena");
    }
    return true;
}

static bool check_outputs(const check_source *c, const bertc_variant *v) {
    const bertc_descriptor *d = &c->descriptor;
    const void *ports = check_array(c, d->outputs, d->output_count, BERTC_ROW_PORT, "outputs");
    const void *slots =
        ports ? check_array(c, v->outputs, d->output_count, BERTC_ROW_SLOT, "a variant's outputs") : NULL;
    bertc_port p;
    bertc_slot s;
    if (!slots) return false;
    for (uint32_t i = 0; i < d->output_count; i++) {
        check_entry(c, BERTC_ROW_PORT, ports, i, &p);
        check_entry(c, BERTC_ROW_SLOT, slots, i, &s);
        if (!port_inside(v, &p, &s)) return broken(c, v, "an output outside of the arena");
    }
    return true;
}

// Is the beginning of each task's stream inside? The bytes that it prefetches may lie beyond the end.
static bool stream_inside(const check_source *c, const bertc_phase *p, const void *args) {
    int64_t end, last;
    if (p->stream_bytes == 0) return true;
    if (p->stream < 0 || p->stream >= p->arg_count) return false;
    bertc_arg a;
    check_entry(c, BERTC_ROW_ARG, args, (uint64_t)p->stream, &a);
    if (a.kind != BERTC_ARG_WEIGHT && a.kind != BERTC_ARG_STATE) return false;
    end = a.kind == BERTC_ARG_STATE ? states_bytes(&c->descriptor) : c->descriptor.weights_bytes;
    return p->stream_bytes > 0 && p->stream_bytes <= end && p->stream_step >= 0 &&
           !__builtin_mul_overflow(p->inner - 1, p->stream_step, &last) && last < end - a.offset;
}

static bool check_arg(const check_source *c, const bertc_variant *v, const bertc_arg *a) {
    int64_t limit = 0;
    switch (a->kind) {
    case BERTC_ARG_WEIGHT: limit = c->descriptor.weights_bytes; break;
    case BERTC_ARG_ARENA: limit = v->arena_bytes; break;
    case BERTC_ARG_STATE: limit = states_bytes(&c->descriptor); break;
    case BERTC_ARG_CALL:
#define X(name, field, elem, count)                                                                          \
    if (a->offset == offsetof(bertc_call, field)) return true;
        BERTC_CALL_LIST(X)
#undef X
        return broken(c, v, "an argument that is no number of the call");
    default: return broken(c, v, "an argument of no known kind");
    }
    if (a->offset < 0 || a->offset >= limit)
        return broken(c, v, "an argument outside of weights, states or arena");
    return true;
}

static bool check_phase(const check_source *c, const bertc_variant *v, const bertc_phase *p) {
    if (!check_string(c, p->name, "a phase's name")) return false;
    if (!check_at(c, p->kernel, 1, 1, 1, PF_X, "a kernel")) return false;
    if (p->arg_count < 1 || p->arg_count > BERTC_ARGS_MAX) return broken(c, v, "the arguments of a phase");
    if (p->result_count < 1 || p->result_count > p->arg_count) return broken(c, v, "the results of a phase");
    const void *args = check_array(c, p->args, p->arg_count, BERTC_ROW_ARG, "the arguments of a phase");
    if (!args) return false;
    for (uint32_t i = 0; i < p->arg_count; i++) {
        bertc_arg a;
        check_entry(c, BERTC_ROW_ARG, args, i, &a);
        if (!check_arg(c, v, &a)) return false;
        if (i >= p->arg_count - p->result_count && a.kind == BERTC_ARG_WEIGHT)
            return broken(c, v, "a phase that writes weights");
        if (i >= p->arg_count - p->result_count && a.kind == BERTC_ARG_CALL)
            return broken(c, v, "a phase that writes the numbers of the call");
    }
    int64_t size = p->dim == BERTC_NUMBER ? 1 : v->tokens, tasks;
    if (p->dim > BERTC_R || p->unit < 1 || p->inner < 1 ||
        __builtin_mul_overflow((size - 1) / p->unit + 1, p->inner, &tasks) || tasks > BERTC_TASKS_MAX)
        return broken(c, v, "the tasks of a phase");
    if (!stream_inside(c, p, args)) return broken(c, v, "what a phase streams");
    return true;
}

bool check_order(const check_source *c, const bertc_variant *before, const bertc_variant *v) {
    if (v->rank > before->rank) return broken(c, v, "its rank is higher than that of the one before it");
    if (v->rank < before->rank) return true;
    const char *isa = check_string(c, v->isa, "a variant's level"),
               *other = check_string(c, before->isa, "a variant's level");
    if (!isa || !other) return false;
    if (strcmp(isa, other) || v->features != before->features)
        return broken(c, v, "another of its rank is not of its level");
    const char *class = v->class_name ? check_string(c, v->class_name, "a variant's class") : "",
               *last = before->class_name ? check_string(c, before->class_name, "a variant's class") : "";
    if (!class || !last) return false;
    if (strcmp(class, last)) return broken(c, v, "another of its rank is of another class");
    return v->tokens >= before->tokens || broken(c, v, "it takes fewer tokens than the one before it");
}

bool check_variant(const check_source *c, const bertc_variant *v) {
    if (!check_sizes(c, v) || !check_inputs(c, v) || !check_outputs(c, v)) return false;
    for (int t = 0; t < BERTC_THREAD_CLASSES; t++) {
        if (v->phase_count[t] < 1 || v->phase_count[t] > BERTC_PHASES_MAX)
            return broken(c, v, "the number of its phases");
        const void *rows = check_array(c, v->phases[t], v->phase_count[t], BERTC_ROW_PHASE, "phases");
        if (!rows) return false;
        for (uint32_t i = 0; i < v->phase_count[t]; i++) {
            bertc_phase p;
            check_entry(c, BERTC_ROW_PHASE, rows, i, &p);
            if (!check_phase(c, v, &p)) return false;
        }
        bool parts = v->forward[t] <= v->backward[t] && v->backward[t] <= v->phase_count[t];
        if (!parts || (v->backward[t] && !v->forward[t])) return broken(c, v, "the parts of its phases");
    }
    return true;
}
