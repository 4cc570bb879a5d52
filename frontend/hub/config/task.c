#include "frontend/hub/config/task.h"

#include <string.h>

// One label's score is the sigmoid of its logit, but for a regression, as of Transformers' pipeline and of
// sentence-transformers.
static bertc_task_kind kind_of_scores(const hub_config *c, diag *d) {
    bool one = c->sizes[SIZE_LABELS] == 1;
    if (one && c->identity) return BERTC_TASK_REGRESSION;
    if (one && c->problem == PROBLEM_SINGLE)
        diag_note(d, c->file,
                  "problem_type: a softmax over one label (\"single_label_classification\") is 1 for every "
                  "text: the score is the sigmoid of the logit instead");
    switch (c->problem) {
    case PROBLEM_MULTI: return BERTC_TASK_MULTI_LABEL;
    case PROBLEM_REGRESSION: return BERTC_TASK_REGRESSION;
    case PROBLEM_NONE:
    case PROBLEM_SINGLE: break;
    }
    return one ? BERTC_TASK_MULTI_LABEL : BERTC_TASK_CLASSIFY;
}

static bertc_task_kind kind_of(const hub_config *c, diag *d) {
    switch (c->head) {
    case HEAD_MASKED_LM: return BERTC_TASK_FILL_MASK;
    case HEAD_NEXT_SENTENCE: return BERTC_TASK_NEXT_SENTENCE;
    case HEAD_PRETRAINING: return BERTC_TASK_PRETRAINING;
    case HEAD_TOKEN: return BERTC_TASK_ENTITIES;
    case HEAD_ANSWER: return BERTC_TASK_ANSWER;
    case HEAD_EMBEDDING: return BERTC_TASK_EMBEDDING;
    case HEAD_SPARSE: return BERTC_TASK_SPARSE;
    case HEAD_VECTORS: return BERTC_TASK_VECTORS;
    case HEAD_SEVERAL: return BERTC_TASK_SEVERAL;
    case HEAD_SEQUENCE: return kind_of_scores(c, d);
    case HEAD_MODEL:
    case HEAD_DISCRIMINATOR:
    case HEAD_COUNT: break;
    }
    return BERTC_TASK_TENSORS;
}

// Strings follow the table's fields; lists hold their offsets.
typedef struct task_writer {
    char *bytes;
    size_t list, at; // where the next offset and the next string go
} task_writer;

static void put_string(task_writer *t, const char *text) {
    size_t n = strlen(text) + 1;
    uint64_t at = t->at;
    memcpy(t->bytes + t->list, &at, sizeof at);
    memcpy(t->bytes + t->at, text, n);
    t->list += sizeof at;
    t->at += n;
}

static uint32_t vector_flags(const hub_late *l) {
    return (l->attends ? TASK_VECTORS_ATTENDED : 0) | (l->at_least ? TASK_VECTORS_AT_LEAST : 0) |
           (l->skips_queries ? TASK_VECTORS_SKIP_QUERIES : 0) |
           (l->skips_documents ? TASK_VECTORS_SKIP_DOCUMENTS : 0);
}

// The ids that there are, one behind the other, at *at; how many.
static uint32_t put_ids(task_writer *t, const int32_t *ids, int count, uint64_t *at) {
    uint32_t n = 0;
    *at = t->at;
    for (int i = 0; i < count; i++) {
        if (ids[i] < 0) continue;
        memcpy(t->bytes + t->at, &ids[i], sizeof *ids);
        t->at += sizeof *ids;
        n++;
    }
    if (!n) *at = 0;
    return n;
}

static void put_late(task_writer *t, const hub_sentence *s, const hub_late_ids *ids) {
    bertc_task *task = (bertc_task *)(void *)t->bytes;
    const hub_late *l = &s->late;
    task->query_length = (uint32_t)s->query_length;
    task->document_length = (uint32_t)s->document_length;
    task->expansion_id = -1;
    if (task->kind == BERTC_TASK_SEVERAL) {
        if (!s->several[ANSWER_DENSE])
            task->similarity = s->several[ANSWER_VECTORS] ? BERTC_SIMILARITY_MAXSIM : BERTC_SIMILARITY_DOT;
        task->vectors = TASK_VECTORS_NOT_FIRST;
        task->skipped_count = put_ids(t, ids->skipped, ids->special_count, &task->skipped);
    }
    if (task->kind != BERTC_TASK_VECTORS) return;
    task->similarity = l->mean ? BERTC_SIMILARITY_MEAN_MAXSIM : BERTC_SIMILARITY_MAXSIM;
    task->vectors = vector_flags(l);
    task->expansion = (uint32_t)l->expansion;
    task->expansion_id = l->expansion ? ids->expansion : -1;
    task->skipped_count = put_ids(t, ids->skipped, ids->skipped ? l->skipped_count : 0, &task->skipped);
    task->kept_count = put_ids(t, l->kept, l->kept_count, &task->kept);
}

// Weights of a sparse model's queries.
static void put_weights(task_writer *t, const hub_query_weights *q, size_t count) {
    bertc_task *task = (bertc_task *)(void *)t->bytes;
    if (!count) return;
    task->weights = t->at;
    task->weight_count = (uint32_t)count;
    task->query_by_default = q->by_default;
    memcpy(t->bytes + t->at, q->by_id, count * sizeof(float));
    t->at += count * sizeof(float);
}

const void *hub_task_table(const hub_config *c, int64_t max_length, int32_t mask_id, const hub_late_ids *ids,
                           arena *a, size_t *bytes, diag *d) {
    const hub_sentence *s = &c->sentence;
    size_t labels = c->labels ? (size_t)c->sizes[SIZE_LABELS] : 0;
    bool prompted = c->head == HEAD_EMBEDDING || c->head == HEAD_SPARSE || c->head == HEAD_VECTORS ||
                    c->head == HEAD_SEVERAL || (s->scores && c->head == HEAD_SEQUENCE);
    size_t prompts = prompted ? (size_t)s->prompt_count : 0;
    task_writer t = {.list = sizeof(bertc_task)};
    t.at = t.list + (labels + 2 * prompts) * sizeof(uint64_t);
    size_t numbers =
        (size_t)(s->late.skipped_count + s->late.kept_count + ids->special_count) * sizeof(int32_t);
    size_t weights = c->head == HEAD_SPARSE && s->queries.by_id ? (size_t)s->queries.count : 0;
    *bytes = t.at + numbers + weights * sizeof(float);
    for (size_t i = 0; i < labels; i++) *bytes += strlen(c->labels[i]) + 1;
    for (size_t i = 0; i < prompts; i++)
        *bytes += strlen(s->prompts[i].name) + strlen(s->prompts[i].text) + 2;
    t.bytes = arena_alloc(a, *bytes);
    bertc_task *task = (bertc_task *)(void *)t.bytes;
    *task = (bertc_task){.size = sizeof *task,
                         .kind = kind_of(c, d),
                         .label_count = (uint32_t)labels,
                         .entailment = c->entailment <= (int64_t)labels ? (uint32_t)c->entailment : 0,
                         .max_length = (uint32_t)max_length,
                         .mask_id = mask_id,
                         .labels = labels ? t.list : 0,
                         .prompt_count = (uint32_t)prompts,
                         .default_prompt = prompts ? (uint32_t)(s->default_prompt + 1) : 0,
                         .prompts = prompts ? t.list + labels * sizeof(uint64_t) : 0,
                         .own_prompts = prompted ? (uint32_t)s->own_prompts : 0,
                         .similarity = (uint32_t)s->similarity,
                         .dimensions = (uint32_t)s->dimensions,
                         .normalize = s->normalize,
                         .empty = s->fixed};
    put_late(&t, s, ids);
    put_weights(&t, &s->queries, weights);
    for (size_t i = 0; i < labels; i++) put_string(&t, c->labels[i]);
    for (size_t i = 0; i < prompts; i++) {
        put_string(&t, s->prompts[i].name);
        put_string(&t, s->prompts[i].text);
    }
    return t.bytes;
}
