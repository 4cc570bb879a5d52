// A trainer: a session, and what its calls share. Private to runtime/train/.
#ifndef BERTC_TRAINER_H
#define BERTC_TRAINER_H

#include "runtime/bertc_train.h"
#include "runtime/session/outputs.h"
#include "runtime/session/session.h"

struct bertc_trainer {
    bertc_session *session;
    int loss, norm; // outputs; norm -1: there is none
};

// --- batch.c: the caller's batch, checked and packed.

// Copies and checks *batch; everything that is wrong with it is an error that names the text and the cell.
// `wanted`: of outputs that the caller asks for, by index, NULL: none.
bool batch_take(const bertc_trainer *t, const bertc_train_batch *batch, float *const *wanted,
                bertc_train_batch *out, bertc_error *error);
// The batch as the session's group, with its targets and numbers.
void batch_pack(bertc_session *s, const bertc_train_batch *b);
static inline output_grid batch_grid(const bertc_train_batch *b) {
    return (output_grid){b->batch, b->length, b->bounds};
}

// --- tensors.c

// The tensor's kind, by its row and its name.
bertc_tensor_kind tensor_kind(const bertc_model *m, int index);
const char *tensor_name(const bertc_model *m, int index);
bertc_train_tensor tensor_describe(const bertc_model *m, int index);

#endif
