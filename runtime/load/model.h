// A loaded model: a checked descriptor, its mapping, and the variants that this CPU can run.
#ifndef BERTC_MODEL_H
#define BERTC_MODEL_H

#include "runtime/abi.h"
#include "runtime/bertc.h"
#include "runtime/tokenizer/tokenizer.h"

struct bertc_model {
    const bertc_descriptor *descriptor;
    const void *weights;
    void *mapping; // NULL: the caller's memory
    size_t mapping_bytes;
    const bertc_variant *variants; // of the best instruction set that this CPU runs, ascending by tokens
    int variant_count;
    int64_t max_length, max_tokens; // over those
    const bertc_port *inputs, *outputs;
    const bertc_task *task; // NULL: raw tensors only
    tokenizer tokenizer;    // where the descriptor has one
    char isa_names[256];
};

// Address of an offset of the descriptor.
static inline const void *model_at(const bertc_model *m, bertc_off off) {
    return (const void *)((uintptr_t)m->descriptor + (uintptr_t)off);
}

#endif
