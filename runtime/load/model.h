// A loaded model: a checked descriptor, its mapping, and the variants that this CPU can run.
#ifndef BERTC_MODEL_H
#define BERTC_MODEL_H

#include "runtime/abi.h"
#include "runtime/bertc.h"
#include "runtime/load/rows.h"
#include "runtime/tokenizer/tokenizer.h"

// A level of instruction sets that there is code for.
typedef struct model_level {
    const char *name;
    int rank;
    char lack[128]; // why it is not run here; "": it may be
} model_level;

struct bertc_model {
    const bertc_descriptor *descriptor; // as this version has it: &own
    bertc_descriptor own;
    const void *bytes; // the file's descriptor: offsets count from here
    const void *weights;
    void *mapping; // NULL: the caller's memory
    size_t mapping_bytes;
    bertc_variant *all_variants; // the descriptor's, as this version has them
    // Of these, those of the level that is run, ascending by tokens.
    const bertc_variant *variants;
    int variant_count;
    int64_t max_length, max_tokens; // over those
    bertc_port *inputs, *outputs;
    bertc_parameter_part *parts; // the parameters', as this version has them
    int *parameter_at;           // by parameter: its first part; one more ends the last
    int parameter_count;         // of the checkpoint; behind them come
    int tensor_count;            // with those of training, which begin as zeros
    const bertc_task *task;      // as this version has it: &own_task; NULL: raw tensors only
    bertc_task own_task;
    const char *task_table; // its offsets count from here
    tokenizer tokenizer;    // where the descriptor has one
    model_level *levels;    // of all variants, best first
    int level_count;
    char isa_names[256]; // of the levels that this CPU runs
};

// Address of an offset of the descriptor.
static inline const void *model_at(const bertc_model *m, bertc_off off) {
    return (const void *)((uintptr_t)m->bytes + (uintptr_t)off);
}

// `count` rows of an array, as this version has them, to free(); NULL: no memory.
static inline void *model_rows(const bertc_model *m, bertc_off off, size_t count, bertc_row row) {
    return rows_read(m->descriptor, row, model_at(m, off), count);
}

#endif
