// Which parameters are trained, and how fast: factors of the learning rate by their names.
#ifndef BERTC_CLI_TENSOR_RATES_H
#define BERTC_CLI_TENSOR_RATES_H

#include "ir/ir.h"

enum { FREEZE_MAX = 64 };

typedef struct tensor_rates {
    // Words, by commas: "embeddings,layer.0-7"; NULL: none. A word is parts of a tensor's name that stand behind each other, as
    // "layer.3.attention"; a part may be a range of layers, "0-7".
    const char *frozen;
    double decay; // 1: all learn alike; else each layer less than the one above, by this factor
    int64_t layers;
    bool found[FREEZE_MAX]; // by word: tensor_rate met a tensor that it names
} tensor_rates;

// The factor of a tensor's rate; 0: a word names it, it is frozen. `context` is a tensor_rates. With a decay the head and what it
// reads have 1, layer i decay to the (layers + 1 - i), embeddings decay to the (layers + 2), as in ELECTRA's fine-tuning.
double tensor_rate(void *context, const char *name);
// Once tensor_rate has seen each tensor that is trained: did each word name one? Else a diagnostic says which did not.
bool tensor_rates_check(const tensor_rates *r, diag *d);

#endif
