#include "task.h"

#include <string.h>

static bertc_task_kind kind_of(const hub_config *c) {
    switch (c->head) {
    case HEAD_MASKED_LM: return BERTC_TASK_FILL_MASK;
    case HEAD_NEXT_SENTENCE: return BERTC_TASK_NEXT_SENTENCE;
    case HEAD_PRETRAINING: return BERTC_TASK_PRETRAINING;
    case HEAD_TOKEN: return BERTC_TASK_ENTITIES;
    case HEAD_ANSWER: return BERTC_TASK_ANSWER;
    case HEAD_EMBEDDING: return BERTC_TASK_EMBEDDING;
    case HEAD_SEQUENCE:
        if (c->problem == PROBLEM_MULTI) return BERTC_TASK_MULTI_LABEL;
        // As Transformers trains it: one label without a word on the problem is a regression.
        if (c->problem == PROBLEM_REGRESSION) return BERTC_TASK_REGRESSION;
        if (c->problem == PROBLEM_NONE && c->sizes[SIZE_LABELS] == 1) return BERTC_TASK_REGRESSION;
        return BERTC_TASK_CLASSIFY;
    case HEAD_MODEL:
    case HEAD_DISCRIMINATOR:
    case HEAD_COUNT: break;
    }
    return BERTC_TASK_TENSORS;
}

const void *hub_task_table(const hub_config *c, int64_t max_length, int32_t mask_id, arena *a,
                           size_t *bytes) {
    size_t n = c->labels ? (size_t)c->sizes[SIZE_LABELS] : 0;
    size_t at = sizeof(bertc_task) + n * sizeof(uint64_t);
    *bytes = at;
    for (size_t i = 0; i < n; i++) *bytes += strlen(c->labels[i]) + 1;
    char *table = arena_alloc(a, *bytes);
    bertc_task *task = (bertc_task *)(void *)table;
    uint64_t *labels = (uint64_t *)(void *)(table + sizeof(bertc_task));
    *task = (bertc_task){.kind = kind_of(c),
                         .label_count = (uint32_t)n,
                         .max_length = (uint32_t)max_length,
                         .mask_id = mask_id,
                         .labels = n ? sizeof(bertc_task) : 0};
    for (size_t i = 0; i < n; i++) {
        labels[i] = at;
        memcpy(table + at, c->labels[i], strlen(c->labels[i]) + 1);
        at += strlen(c->labels[i]) + 1;
    }
    return table;
}
