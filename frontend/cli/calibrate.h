// `--calibrate`: the values of a model over texts, in float32, for static scales of int8.
#ifndef BERTC_CLI_CALIBRATE_H
#define BERTC_CLI_CALIBRATE_H

#include "frontend/cli/cli.h"

// Compiles the checkpoint in float32 and runs it over every line of `file` that isn't blank: once as it is, for
// spread_outliers to smooth norms by, and once with what that leaves. *out lies in `a`: of each value of rows that has a
// name, the largest magnitude of each channel. False, with a diagnostic, where the file can't be read or holds no text, or
// the model has no tokenizer.
bool calibrate(const build_options *o, const char *file, arena *a, calibration *out, diag *d);

// What --calibrate asks for, of the checkpoint at `path`: o->calibration, in `a`. Nothing where it is not given.
bool calibrate_options(build_options *o, const char *path, arena *a, diag *d);

#endif
