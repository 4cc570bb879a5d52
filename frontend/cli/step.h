// Options of a training step: those of AdamW, and what is frozen.
#ifndef BERTC_CLI_STEP_H
#define BERTC_CLI_STEP_H

#include "frontend/cli/options.h"
#include "frontend/cli/tensor_rates.h"
#include "passes/passes.h"

typedef struct step_options {
    double weight_decay, beta1, beta2, epsilon;
    tensor_rates rates;
    const char *memory; // NULL: the default
} step_options;

// Adds --weight-decay, --adam-beta1, --adam-beta2, --adam-epsilon and --freeze and --memory, with Transformers' defaults.
void step_options_add(option_table *t, step_options *o);
// Is one of them another than the default?
bool step_options_given(const step_options *o);
// What the pass `optimize` takes; it points to *o.
optimizer_options step_optimizer(step_options *o);

#endif
