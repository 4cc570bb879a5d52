// `bertc run`: what its files share.
#ifndef BERTC_CLI_RUN_H
#define BERTC_CLI_RUN_H

#include "cli.h"

typedef struct run_options {
    build_options build;
    const char *pair, *truncate, *tensors, *output;
    bertc_truncation truncation;
    bool json, huge_pages;
    int64_t top_k, max_answer, threads;
} run_options;

// NULL: never; "" or "longest", "first", "second". False for other words.
bool truncation_of(const char *word, bertc_truncation *out);
// input_ids, attention_mask and token_type_ids ([batch,length], I32 or I64; the last two may be missing) from
// the safetensors file `in`, outputs under Transformers' names as F32 into `out`.
bool run_tensors(const bertc_model *model, bertc_session *s, const char *in, const char *out, diag *d);

#endif
