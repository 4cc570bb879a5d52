// Batches to the trainer: its targets by their names, and what the loss is divided by.
#ifndef BERTC_CLI_TRAIN_FEED_H
#define BERTC_CLI_TRAIN_FEED_H

#include "frontend/cli/train/batch.h"
#include "runtime/bertc_train.h"

// The micro-batches of a step.
typedef struct train_step {
    int64_t count;
    train_batch *batches;                    // of this process: its shares, which may be empty
    const order_part *whole;                 // [count]: what they are shares of
    int64_t labels, texts, tokens, examples; // of all of them
    double weight;
} train_step;

// Adds up what the batches hold.
void step_sum(train_step *s);
// Batch `i` of the step as the trainer takes it; what it points to is in `a`, or the batch's own. `scale`: 1 / weight of the step.
// False, with a diagnostic, where the model asks for a target that the task has not.
bool feed_batch(bertc_train_batch *out, const bertc_model *model, const train_step *s, int64_t i, arena *a,
                diag *d);

#endif
