// The loader's limits (runtime/abi.h), held against what is about to be written: an artefact that is made can be loaded.
// Messages name the node.
#include <inttypes.h>

#include "backend/output/descriptor.h"

static bool check_phase(const kernel_phase *p, const variant *v, const char *name, diag *d) {
    int64_t size = p->dim == SYM_NONE ? 1 : v->tokens, tasks;
    if (p->unit < 1) return true; // not complete: put_phases says so
    if (__builtin_mul_overflow((size - 1) / p->unit + 1, p->inner, &tasks) || tasks > BERTC_TASKS_MAX)
        return diag_error(d, name, "its kernel is cut into more than %" PRId64 " tasks (variant %s)",
                          BERTC_TASKS_MAX, v->name);
    return true;
}

bool limits_check_kernel(const kernel *k, const variant *v, const char *name, uint32_t arg_count, diag *d) {
    if (arg_count > BERTC_ARGS_MAX)
        return diag_error(d, name, "it has %u operands and results: a kernel takes at most %u", arg_count,
                          BERTC_ARGS_MAX);
    if (k->scratch_bytes > BERTC_SCRATCH_MAX)
        return diag_error(d, name,
                          "its kernel needs %" PRId64 " bytes of scratch memory a thread, more than %" PRId64
                          ": use a smaller length than %" PRId64 " (variant %s)",
                          k->scratch_bytes, BERTC_SCRATCH_MAX, v->length, v->name);
    for (int class = 0; class < THREAD_CLASSES; class ++)
        for (int i = 0; i < k->phase_count[class]; i++)
            if (!check_phase(&k->phases[class][i], v, name, d)) return false;
    return true;
}

bool limits_check_variant(const bertc_variant *out, const variant *v, diag *d) {
    if (out->arena_bytes > BERTC_ARENA_MAX)
        return diag_error(d, v->name, "its arena has %" PRId64 " bytes, more than %" PRId64, out->arena_bytes,
                          BERTC_ARENA_MAX);
    if (out->row_tile > BERTC_ROW_TILE_MAX)
        return diag_error(d, v->name, "its row tile is %" PRId64 ", at most %d", out->row_tile,
                          BERTC_ROW_TILE_MAX);
    for (int class = 0; class < THREAD_CLASSES; class ++)
        if (out->phase_count[class] > BERTC_PHASES_MAX)
            return diag_error(d, v->name, "it has %u phases, at most %u", out->phase_count[class],
                              BERTC_PHASES_MAX);
    return true;
}

bool limits_check_parameters(const bertc_descriptor *h, const graph *g, diag *d) {
    return h->parameter_count <= BERTC_PARTS_MAX ||
           diag_error(d, g->name, "%u parts of parameters, at most %u", h->parameter_count, BERTC_PARTS_MAX);
}

bool limits_check_ports(const bertc_descriptor *h, const graph *g, diag *d) {
    if (h->input_count > BERTC_INPUTS_MAX)
        return diag_error(d, g->name, "%u inputs, at most %u", h->input_count, BERTC_INPUTS_MAX);
    if (h->output_count > BERTC_OUTPUTS_MAX)
        return diag_error(d, g->name, "%u outputs, at most %u", h->output_count, BERTC_OUTPUTS_MAX);
    return h->variant_count <= BERTC_VARIANTS_MAX ||
           diag_error(d, g->name, "%u variants (lengths, for each level), at most %u", h->variant_count,
                      BERTC_VARIANTS_MAX);
}
