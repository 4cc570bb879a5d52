// How far a lowered encoder is from float32 where its softmax is taken out of the way.
#ifndef BERTC_TESTS_ATTENTION_HELD_H
#define BERTC_TESTS_ATTENTION_HELD_H
#include "frontend/cli/cli.h"

// Of one random text.
typedef struct held_apart {
    int layers; // whose attention was held
    double
        context; // the most that a layer's attention differs, in terms of the root mean square, where all that it reads ...
    double cosine; // ... and the least cosine of an output, where attention's results are those of float32
} held_apart;

// Evaluates the checkpoint of `o` (its hub.model; one level) as it was read, and lowered, where the lowered graph gets the float32 result of
// each layer's attention in place of its own. Rounding of queries and keys is multiplied by the spread of the scores: of a model
// with random weights and scores without a scale this hides whether all else is right.
held_apart attention_held(const build_options *o, const char *what);

#endif
