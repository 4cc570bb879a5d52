// Targets of a loss, for a case's inputs: labels that there are.
#ifndef BERTC_TESTS_CASE_TARGETS_H
#define BERTC_TESTS_CASE_TARGETS_H

#include <string.h>

#include "models/cases.h"

static inline int64_t case_size(const grid *at, dim d) {
    return d.s == SYM_NONE ? d.n : d.s == SYM_S ? at->batch : at->tokens;
}

// Of the output's columns, of the text's tokens, of the call's texts. `wide`: what is f32 is given as doubles.
static inline eval_input case_target(const graph *g, const grid *at, const node *n, bool wide, arena *a) {
    tensor t = {.e = n->type.e, .rank = n->type.rank};
    for (int i = 0; i < t.rank; i++) t.shape[i] = case_size(at, n->type.d[i]);
    int64_t count = tensor_count(&t);
    bool at_token = !strcmp(n->name, "starts") || !strcmp(n->name, "ends"), next = !strcmp(n->name, "next");
    const type *logits = graph_type(g, g->outputs[0].value);
    int64_t most = at_token || next                ? 2
                   : !strcmp(n->name, "positives") ? at->batch
                   : logits->rank > 1              ? logits->d[1].n
                                                   : 2;
    int32_t *integers = ARENA_ARRAY(a, int32_t, count);
    double *doubles = ARENA_ARRAY(a, double, count);
    float *floats = ARENA_ARRAY(a, float, count);
    for (int64_t i = 0; i < count; i++) {
        integers[i] = !strcmp(n->name, "candidates") ? 1 : (int32_t)((i + 1) * 7 % most);
        doubles[i] = 0.25 * (double)(i % 5 + 1);
        floats[i] = (float)doubles[i];
        if (at_token && at->bounds[i + 1] - at->bounds[i] == 1) integers[i] = 0;
    }
    t.data = t.e == ELEM_I32 ? (void *)integers : wide ? (void *)doubles : (void *)floats;
    return (eval_input){n->name, t};
}

#endif
