// The task table of an artefact: the kind of answer, its labels and prompts. Written by the frontend, read
// in place by the runtime. Offsets in it count from the bertc_task itself, whose address is a multiple of
// 8.
#ifndef BERTC_ABI_TASK_H
#define BERTC_ABI_TASK_H

#include <stdint.h>

#include "runtime/bertc_task.h"

typedef struct bertc_task {
    uint32_t size; // of this struct: a later version has more
    uint32_t kind; // bertc_task_kind
    uint32_t label_count;
    uint32_t max_length; // the tokenizer's or sentence-transformers' limit in tokens; 0: none
    int32_t mask_id;     // the id of the mask token; -1: none
    // What goes before texts that get an embedding or labels, by name.
    uint32_t prompt_count;
    uint32_t default_prompt; // where none is asked for: its number, from 1; 0: none
    uint32_t own_prompts; // the first so many are the model's; the others are empty ones that every model has
    uint64_t labels;      // uint64_t[label_count]: offsets of NUL-ended strings
    uint64_t prompts;     // uint64_t[2 * prompt_count]: offsets of NUL-ended strings, name and text of each
    // Of an embedding.
    uint32_t similarity; // bertc_similarity
    uint32_t dimensions; // how many of its first numbers are the answer; 0: all
    uint32_t normalize;  // 1: and are then made of length 1
    uint32_t reserved;
} bertc_task;
#define BERTC_TASK_LEAST 64u // bytes that every file's has

// The output of a pretraining task that says whether the second text follows the first, by
// Transformers' names.
#define TASK_ORDER       "seq_relationship_logits"
#define TASK_ORDER_OTHER "sop_logits" // ALBERT's

#endif
