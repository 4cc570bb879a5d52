// Names of a checkpoint's parts: "model-00001-of-00003.safetensors".
#ifndef BERTC_HUB_SHARD_H
#define BERTC_HUB_SHARD_H

#include "ir/ir.h"

// Is it the name of one of several parts? The part, from 1, and how many there are.
bool shard_name(const char *path, int *number, int *count);
// Explains why such a file can't be read alone; returns false.
bool shard_alone(const char *path, arena *a, diag *d);
// False, with a diagnostic, where the folder holds parts: it has no file of all weights, so their index is missing.
bool shard_none_in(const char *folder, arena *a, diag *d);

#endif
