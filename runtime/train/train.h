// A trainer: a session, and what its calls share. Private to runtime/train/.
#ifndef BERTC_TRAINER_H
#define BERTC_TRAINER_H

#include "runtime/bertc_train.h"
#include "runtime/session/outputs.h"
#include "runtime/session/session.h"

// A part of the gradients' memory: the numbers of one state, and the zeros up to the next one.
typedef struct gradient_piece {
    int64_t offset, bytes; // in the session's states
} gradient_piece;

struct bertc_trainer {
    bertc_session *session;
    int loss, norm;         // outputs; norm -1: there is none
    gradient_piece *pieces; // in the order in which they become whole
    int piece_count;
    bertc_gradient_hook hook; // NULL: none
    void *hook_user;
    int64_t hook_least; // bytes
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

// --- pieces.c

// Finds the trainer's pieces. False: there is no memory.
bool pieces_open(bertc_trainer *t);
void pieces_close(bertc_trainer *t);
// Forward and backward of what is packed, with the trainer's hook.
void pieces_run(bertc_trainer *t);

// --- tensors.c

// The tensor's kind, by its row and its name.
bertc_tensor_kind tensor_kind(const bertc_model *m, int index);
const char *tensor_name(const bertc_model *m, int index);
bertc_train_tensor tensor_describe(const bertc_model *m, int index);

#endif
