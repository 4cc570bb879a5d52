// A new head: tensors that a checkpoint lacks, which training begins with.
//
// They come from a file (--init), or are drawn, as Transformers does: weights from a normal distribution of the config's
// initializer_range (0.02 where it is missing), biases 0, norms 1. ModernBERT cuts the normal distribution off at
// initializer_cutoff_factor deviations, and has others for its dense layer (the range / sqrt(2 layers)) and its classifiers
// (1 / sqrt(hidden size)). A tensor's numbers depend on the seed and its name alone.
#ifndef BERTC_HUB_FRESH_H
#define BERTC_HUB_FRESH_H

#include "frontend/hub/config/config.h"
#include "frontend/hub/files/checkpoint.h"

typedef struct hub_fresh {
    uint64_t seed;
    double range, cutoff; // of config.json
    bool numbered;        // the number of labels is given
    bool replaces;        // a classifier of another number is drawn anew
    int count;
    const char **names; // [count] of the tensors that were drawn
} hub_fresh;

// May the module be new: is it the head's, or the pooler before it?
bool hub_fresh_may(hub_module m);
// Has it a row for each label?
bool hub_fresh_is_classifier(hub_module m);
// Gives the checkpoint the module's tensor under that name: of the file of --init, where that has it by this or by the
// family's own name, else drawn.
void hub_fresh_give(hub_fresh *f, hub_checkpoint *c, const hub_config *config, hub_module m, hub_part p,
                    const char *name);

#endif
