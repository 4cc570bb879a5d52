// The hash of a file's bytes: XXH64, as artefacts have it.
#ifndef BERTC_CLI_FILE_HASH_H
#define BERTC_CLI_FILE_HASH_H

#include <stdint.h>

#include "ir/ir.h"

// False, with a diagnostic, where it can't be read.
bool file_hash(const char *path, uint64_t *hash, int64_t *bytes, diag *d);

#endif
