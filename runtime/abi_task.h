// The task table of an artefact: what the answer is. Written by the frontend, read in place by the runtime.
// Offsets in it count from the bertc_task itself, which stands at a multiple of 8.
#ifndef BERTC_ABI_TASK_H
#define BERTC_ABI_TASK_H

#include <stdint.h>

typedef enum bertc_task_kind {
    BERTC_TASK_TENSORS = 0,   // raw tensors only
    BERTC_TASK_EMBEDDING,     // output "embedding" [S,width]: pooled (and normalised) in the graph
    BERTC_TASK_CLASSIFY,      // "logits" [S,labels]: softmax
    BERTC_TASK_MULTI_LABEL,   // "logits" [S,labels]: sigmoid
    BERTC_TASK_REGRESSION,    // "logits" [S,labels]: as they are
    BERTC_TASK_ENTITIES,      // "logits" [T,labels]
    BERTC_TASK_ANSWER,        // "start_logits", "end_logits" [T]
    BERTC_TASK_FILL_MASK,     // "logits" [R,vocab] (masked LM)
    BERTC_TASK_NEXT_SENTENCE, // "logits" [S,2]: index 0 is "is next"
    BERTC_TASK_PRETRAINING    // "prediction_logits" [R,vocab] and "seq_relationship_logits" [S,2]
} bertc_task_kind;

typedef struct bertc_task {
    uint32_t kind; // bertc_task_kind
    uint32_t label_count;
    uint32_t max_length; // the tokenizer's or sentence-transformers' limit in tokens; 0: none
    int32_t mask_id;     // the id of the mask token; -1: none
    uint64_t labels; // uint64_t[label_count]: offsets of NUL-ended strings
} bertc_task;

#endif
