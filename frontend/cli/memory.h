// --memory: what a step of training keeps in memory, and what it makes again.
#ifndef BERTC_CLI_MEMORY_H
#define BERTC_CLI_MEMORY_H

#include "ir/diag.h"
#include "passes/passes.h"

// What a process takes beside states, weights and arena: code, the compiler's and the tokenizer's memory, a batch.
#define MEMORY_BESIDE (INT64_C(48) << 20)

#define MEMORY_HELP                                                                                          \
    "the most memory of a step, as 2.2GB, or what it keeps for its backward part: products (default), "      \
    "everything, linear, nothing"

// Reads "2.2GB", "800MB", "2GiB", a number of bytes, or a policy's word. False, with a diagnostic, for others.
bool memory_read(const char *text, memory_options *out, diag *d);
// Says what was chosen, and what it saves; nothing where the pass has not run.
void memory_tell(const memory_options *o, FILE *out);

#endif
