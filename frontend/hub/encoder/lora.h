// Low-rank adapters (LoRA) of linear layers, as PEFT trains them: y = x W + s (x A) B, where W stays as it is. A [rank,columns]
// begins uniform between -1 / sqrt(columns) and 1 / sqrt(columns), B [rows,rank] as zeros, and s is alpha / rank (PEFT's
// patterns may give a layer its own). They are tensors
// of the checkpoint under the names that PEFT gives them in its file.
//
// Modules that are trained whole beside them: the classifier, those that were asked for, and those that the folder lacks, for
// else an adapter would stand on numbers that nobody has. Biases may be trained too (PEFT's `bias`).
#ifndef BERTC_HUB_LORA_H
#define BERTC_HUB_LORA_H

#include "frontend/hub/encoder/weights.h"

#define LORA_WRAPPER "base_model.model."

typedef struct hub_adapted_layer {
    const char *tensor; // of its weight, in the checkpoint
    const char *a, *b;  // the factors: tensors "base_model.model.MODULE.lora_A.weight" and lora_B
    int64_t rows, columns, rank;
    double scale;
} hub_adapted_layer;

typedef struct hub_adapted_layers {
    const hub_lora *asked;
    int count;
    hub_adapted_layer *layers;
    int saved_count; // ends of module names
    const char **saved;
    int target_count; // the same of the layers, as adapter_config.json lists them
    const char **targets;
    int whole_count; // tensors that are trained whole
    const char **whole;
} hub_adapted_layers;

// Chooses the layers, and gives their factors to the checkpoint. After the weights are read. False, with a diagnostic that lists
// which layers there are, where a name means none.
bool hub_lora_choose(const hub_lora *asked, const hub_config *c, const hub_fresh *fresh, hub_weights *w,
                     diag *d);
// The adapter of the layer whose weight is that tensor; NULL: it has none.
const hub_adapted_layer *hub_lora_of(const hub_adapted_layers *s, const char *weight);
// Is the tensor trained: a factor, or of a module that is trained whole?
bool hub_lora_trains(const hub_adapted_layers *s, const char *name);
// Has the module an adapter, in which PEFT then wraps it?
bool hub_lora_is_wrapped(const hub_adapted_layers *s, const hub_weights *w, hub_module m, int set);
// A module's name in Transformers' class: "bert.encoder.layer.0.attention.self.query".
const char *hub_class_module(arena *a, const hub_config *c, hub_module m, int set);

#endif
