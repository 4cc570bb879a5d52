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
    uint32_t empty;      // 1: of a text without a token it is zeros; else such a text is an error
    // Of texts that are queries, or documents: their most tokens. 0: max_length.
    uint32_t query_length, document_length;
    // Of vectors.
    uint32_t vectors;     // TASK_VECTORS_*
    uint32_t expansion;   // tokens that queries are filled up to; 0: they are not
    int32_t expansion_id; // with this one; -1: none
    uint32_t skipped_count, kept_count;
    uint32_t entailment; // number of the label, from 1, that zero-shot labels take for it; 0: by its name
    // int32_t[..]: ids that get no vector (of BERTC_TASK_SEVERAL: no weight); of documents only those in `kept` get one.
    uint64_t skipped, kept;
    // Of a sparse model whose queries have weights by their tokens alone: float[weight_count], by id; 0: it has none.
    uint64_t weights;
    uint32_t weight_count;
    uint32_t query_by_default; // 1: texts of no role are queries
} bertc_task;
#define BERTC_TASK_LEAST 64u // bytes that every file's has

#define TASK_VECTORS_ATTENDED       1u  // tokens that a query is filled up with are attended to
#define TASK_VECTORS_AT_LEAST       2u  // a query may have more tokens than it is filled up to
#define TASK_VECTORS_SKIP_QUERIES   4u  // `skipped` counts in queries
#define TASK_VECTORS_SKIP_DOCUMENTS 8u  // and in all other texts
#define TASK_VECTORS_NOT_FIRST      16u // a text's first token gets none
#define TASK_VECTORS_ALL            31u

// The output of a pretraining task that says whether the second text follows the first, by
// Transformers' names.
#define TASK_ORDER       "seq_relationship_logits"
#define TASK_ORDER_OTHER "sop_logits" // ALBERT's

#endif
