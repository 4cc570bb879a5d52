// The trainer's tensors in safetensors files, one after the other: none but the one that is on its way is held.
//
// Parameters lie in the model's file. Where that has one under another name, or in another shape (a folder that is written is named as
// its class in Transformers is, whatever the names were that were read), the optimiser's file has it too, under its own.
#ifndef BERTC_CLI_TENSOR_FILE_H
#define BERTC_CLI_TENSOR_FILE_H

#include "ir/ir.h"
#include "runtime/bertc_train.h"

// Writes the optimiser's states, and parameters that the file `model` lacks (which may not be there), as float32 in the order of their
// names. The file is whole or not there.
bool tensor_file_write(bertc_trainer *trainer, const char *path, const char *model, diag *d);
// Puts all parameters into the trainer, each from `model` or else from `path`; and, with `states`, the optimiser's.
bool tensor_file_read(bertc_trainer *trainer, const char *path, const char *model, bool states, diag *d);
// A tensor by its name in the checkpoint that was opened: hub_save's `read`, of whom `user` is a parameter_source.
typedef struct parameter_source {
    bertc_trainer *trainer;
    const tensor_source *checkpoint; // of what the model does not read, and training leaves as it is
} parameter_source;
bool tensor_read_parameter(void *user, const char *name, float *out, int64_t count, diag *d);

#endif
