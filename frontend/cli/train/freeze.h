// Which parameters are trained, and how fast: factors of the learning rate by their names.
#ifndef BERTC_CLI_FREEZE_H
#define BERTC_CLI_FREEZE_H

#include "ir/ir.h"

typedef struct tensor_rates {
    const char *frozen; // "embeddings,layer.0-7": NULL: none
    double decay;       // 1: all learn alike; else each layer less than the one above, by this factor
    int64_t layers;
} tensor_rates;

// Does one of the list's words name the tensor? A word is parts of its name that stand behind each other, as "layer.3.attention"; a
// part may be a range of layers, "0-7".
bool freeze_names(const char *list, const char *name);
// The factor of a tensor's rate; 0: it is frozen. `context` is a tensor_rates. With a decay the head and what it reads have 1, layer i
// decay to the (layers + 1 - i), embeddings decay to the (layers + 2), as in ELECTRA's fine-tuning.
double tensor_rate(void *context, const char *name);

#endif
