// Training with libbertc: a trainer runs the parts of a model that `bertc compile --train` made, one step after the
// other, and gives its parameters and the optimiser's states.
//
// A step is forward and backward over one micro-batch or several, which add up their gradients, and one update:
// the gradients' norm, clipping, AdamW. The parameters are the trainer's own copy; the artefact stays as it is.
// A trainer serves one call at a time. The same calls give the same bits on any number of threads.
//
// Errors are as in bertc.h: false (or NULL), and *error (which may be NULL) says what and where. Every struct begins
// with its size (BERTC_SIZED); of an array, the first one's counts for all.
#ifndef BERTC_TRAIN_H
#define BERTC_TRAIN_H

#include "bertc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bertc_trainer bertc_trainer;

// Does the model train: has it an update, and the output `loss`?
BERTC_API bool bertc_model_trains(const bertc_model *model);
// Options as of bertc_open: threads of its own, or the caller's parallel_for. NULL: one thread.
BERTC_API bertc_trainer *bertc_trainer_open(bertc_model *model, const bertc_session_options *options,
                                            bertc_error *error);
BERTC_API void bertc_trainer_close(bertc_trainer *trainer);
// Gives the memory that the last step's values took back to the system, as before a model is written; the next call takes
// it again. Parameters and all that training keeps stay. False where the trainer is in a call.
BERTC_API bool bertc_trainer_trim(bertc_trainer *trainer, bertc_error *error);
// The trainer's session, to tokenize or answer texts with the parameters as they are now. It is the trainer's: it is
// in a call while the trainer is, and is closed with it. bertc_run on it is forward alone.
BERTC_API bertc_session *bertc_trainer_session(bertc_trainer *trainer);

// What the loss is held against: an input of the graph, by its name.
typedef struct bertc_target {
    size_t size;
    const char *name; // "labels"
    // One of the two, by the input's element type. Rows lie as those of the batch: one for each cell (of inputs over T
    // or R), or for each text (over S), each of as many numbers as the input's further axes have.
    const int32_t *integers;
    const float *numbers;
} bertc_target;
#define BERTC_TARGET_INIT BERTC_INIT(bertc_target)

// What a model's target is; index from 0. NULL: there is none of that index. *symbol: 'T', 'S' or 'R'; *width: numbers
// of a row; *integers: whether they are int32_t. Each may be NULL.
BERTC_API const char *bertc_target_describe(const bertc_model *model, int index, char *symbol, int64_t *width,
                                            bool *integers);

typedef struct bertc_train_batch {
    size_t size;
    int64_t batch;  // texts, at least one
    int64_t length; // of a grid [batch, length]; not read where there are `bounds`
    // NULL: the cells are that grid. Else [batch + 1], ascending from 0: text b's cells are bounds[b] to bounds[b + 1] - 1,
    // so that nothing is padded.
    const int32_t *bounds;
    const int32_t *input_ids;      // a number for each cell, as are the next four
    const int32_t *attention_mask; // 0 hides a token. NULL: all are shown
    const int32_t *token_type_ids; // NULL: zeros
    const int32_t *position_ids;   // NULL: by the model's rule
    // Not 0: the head reads the token (a masked LM's masks). NULL: it reads all shown tokens.
    const int32_t *rows;
    // Targets that are not here are -100, or 0 where they are no integers: they add nothing to a loss of labels.
    int target_count;
    const bertc_target *targets;
    // The loss is a sum times this: 1 / (labels of the whole step), of all its micro-batches and processes.
    float scale;
    int32_t seed[2]; // of random ops (dropout): another pair for each micro-batch
} bertc_train_batch;
#define BERTC_TRAIN_BATCH_INIT BERTC_INIT(bertc_train_batch)

typedef struct bertc_train_update {
    size_t size;
    int32_t step; // of the optimiser, from 1 on: AdamW's correction of its means
    float rate;   // the learning rate
    // The largest norm of all gradients together: larger ones are scaled down to it, as PyTorch's clip_grad_norm_ does.
    // 0: no clipping.
    float clip;
} bertc_train_update;
#define BERTC_TRAIN_UPDATE_INIT BERTC_INIT(bertc_train_update)

// Forward alone. Writes each output i whose buffers[i] is not NULL, and describes it in tensors[i] (may be NULL), as
// bertc_run does: on the batch's grid, or, with `bounds`, [cells, ...]. *loss (may be NULL) is scale times the sum.
// The batch must fit in one call.
BERTC_API bool bertc_trainer_forward(bertc_trainer *trainer, const bertc_train_batch *batch,
                                     float *const *buffers, bertc_tensor *tensors, float *loss,
                                     bertc_error *error);
// Forward and backward. `first`: the step's first micro-batch, whose gradients replace those of the step before; else they
// are added.
BERTC_API bool bertc_trainer_gradients(bertc_trainer *trainer, const bertc_train_batch *batch, bool first,
                                       float *loss, bertc_error *error);
// The update alone, from the gradients as they are. *norm (may be NULL): of all gradients, before clipping.
BERTC_API bool bertc_trainer_update(bertc_trainer *trainer, const bertc_train_update *update, float *norm,
                                    bertc_error *error);
// A whole step of one micro-batch: the two above, in one call.
BERTC_API bool bertc_trainer_step(bertc_trainer *trainer, const bertc_train_batch *batch,
                                  const bertc_train_update *update, float *loss, float *norm,
                                  bertc_error *error);
// May so many tokens, in so many texts, the longest of `longest` tokens, be one call?
BERTC_API bool bertc_trainer_fits(const bertc_trainer *trainer, int64_t tokens, int64_t texts,
                                  int64_t longest);

// --- What training changes

typedef enum bertc_tensor_kind {
    BERTC_TENSOR_PARAMETER = 0, // of the checkpoint, by its name
    BERTC_TENSOR_GRADIENT,      // "gradient.NAME": what a step's micro-batches have added up so far
    BERTC_TENSOR_OPTIMIZER      // "exp_avg.NAME", "exp_avg_sq.NAME": of AdamW
} bertc_tensor_kind;
typedef struct bertc_train_tensor {
    size_t size;
    const char *name;
    int64_t kind; // bertc_tensor_kind
    int64_t rank;
    int64_t shape[6], count; // of the checkpoint's tensor; count: all elements
} bertc_train_tensor;
#define BERTC_TRAIN_TENSOR_INIT BERTC_INIT(bertc_train_tensor)

// Parameters come first, then the others, by name.
BERTC_API int bertc_trainer_tensor_count(const bertc_trainer *trainer);
BERTC_API bool bertc_trainer_tensor_describe(const bertc_trainer *trainer, int index, bertc_train_tensor *out,
                                             bertc_error *error);
BERTC_API int bertc_trainer_tensor_find(const bertc_trainer *trainer, const char *name); // -1: none
// `count` numbers, row-major in the tensor's shape.
BERTC_API bool bertc_trainer_tensor_read(bertc_trainer *trainer, int index, float *data, bertc_error *error);
BERTC_API bool bertc_trainer_tensor_write(bertc_trainer *trainer, int index, const float *data,
                                          bertc_error *error);
// All gradients as they lie, *count numbers (zeros between them), to be added up over processes between
// bertc_trainer_gradients and bertc_trainer_update. The layout is the artefact's. NULL: there are none.
BERTC_API float *bertc_trainer_gradient_memory(bertc_trainer *trainer, int64_t *count);
// That memory in pieces, in the order in which a backward part makes them whole: piece `index` is *count numbers from number
// *first on. Together the pieces are all of it. False: there is none of that index.
BERTC_API bool bertc_trainer_gradient_piece(const bertc_trainer *trainer, int index, int64_t *first,
                                            int64_t *count);
// Called by bertc_trainer_gradients, on its thread, as soon as pieces 0 to `whole` - 1 are whole: they may be read and
// changed from then on, by any thread, while the call goes on with the layers below. Each call of it ends with all pieces.
typedef void (*bertc_gradient_hook)(void *user, int whole);
// `hook` NULL: none (again). `least`: numbers that come together before the hook is called. Not during a call.
BERTC_API bool bertc_trainer_on_gradients(bertc_trainer *trainer, bertc_gradient_hook hook, void *user,
                                          int64_t least, bertc_error *error);

// Writes the tensors of one kind to a safetensors file, as float32 under their names. It is written beside `path`
// (PATH.PID.part) and renamed over it when it is whole and on the disk: where that fails, what was at `path` stays. It needs
// memory for the largest tensor.
BERTC_API bool bertc_trainer_save(bertc_trainer *trainer, const char *path, bertc_tensor_kind kind,
                                  bertc_error *error);
// Reads all tensors of one kind from a safetensors file into the trainer: one that bertc_trainer_save wrote, or any other that has
// each of them under its name, in its shape, as F32, F16 or BF16. So parameters may come from a checkpoint that has the same
// names as the one that was compiled. What else the file holds is not read. A file that lacks a tensor, or is damaged, is an error that
// names it. All is checked before the first tensor changes, so the trainer then stays as it was; an error of reading behind that
// point (a disk that fails, a file that is cut meanwhile) leaves some tensors loaded.
// The number of the step is not in a file: the application keeps it (bertc_train_update.step).
BERTC_API bool bertc_trainer_load(bertc_trainer *trainer, const char *path, bertc_tensor_kind kind,
                                  bertc_error *error);

#ifdef __cplusplus
}
#endif
#endif
