// Checkpoints of a run: OUT/checkpoint-STEP, which is whole or not there. It is made as OUT/checkpoint-STEP.partial and gets its
// name when everything in it is on the disk.
#ifndef BERTC_CLI_CHECKPOINT_H
#define BERTC_CLI_CHECKPOINT_H

#include <limits.h>

#include "ir/ir.h"

#define CHECKPOINT_STATE     "state.json"
#define CHECKPOINT_OPTIMIZER "optimizer.safetensors"

typedef struct checkpoint_path {
    char text[PATH_MAX];
} checkpoint_path;

// "OUT/checkpoint-STEP"
checkpoint_path checkpoint_folder(const char *out, int64_t step);
// "FOLDER/NAME"
checkpoint_path checkpoint_file(const char *folder, const char *name);

// Writes one: `fill` puts its files into the folder that it is given. Where anything fails (a full disk) nothing of it is left, and
// a note says which checkpoint is the last good one.
bool checkpoint_write(const char *out, int64_t step, bool (*fill)(void *user, const char *folder, diag *d),
                      void *user, diag *d);
// The step of the last one; -1: there is none.
int64_t checkpoint_last(const char *out);
// That of the one before `step`; -1: there is none.
int64_t checkpoint_before(const char *out, int64_t step);
// Removes what a run that was killed left half-written.
void checkpoint_clean(const char *out);
// Removes the oldest ones, so that `keep` are left; never that of step `spared`.
void checkpoint_prune(const char *out, int64_t keep, int64_t spared);

#endif
