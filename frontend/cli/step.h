// Options of a training step: those of AdamW, and what is frozen.
#ifndef BERTC_CLI_STEP_H
#define BERTC_CLI_STEP_H

#include "frontend/cli/options.h"
#include "passes/passes.h"

enum { FREEZE_MAX = 64 };

// A place in tensors' names: parts between dots, of which the last may be a number from `first` to `last`.
typedef struct frozen_part {
    const char *text;
    size_t size;         // of the parts before the numbers, with the dot behind
    int64_t first, last; // first -1: no numbers
    bool found;          // a tensor has it
} frozen_part;

typedef struct step_options {
    double weight_decay, beta1, beta2, epsilon;
    const char *freeze; // NULL, or parts of names by commas: "embeddings,layer.0-7"
    frozen_part parts[FREEZE_MAX];
    int count;
} step_options;

// Adds --weight-decay, --adam-beta1, --adam-beta2, --adam-epsilon and --freeze, with Transformers' defaults.
void step_options_add(option_table *t, step_options *o);
// Is one of them another than the default?
bool step_options_given(const step_options *o);
// What the pass `optimize` takes; it points to *o. False, with a diagnostic, where --freeze can't be read.
bool step_options_read(step_options *o, optimizer_options *out, diag *d);
// After the passes have run: was each part of --freeze found in a tensor's name? Else a diagnostic names it.
bool step_options_check(const step_options *o, diag *d);

#endif
