// Reranking: a cross-encoder scores each document as the pair of one query.
#include <stdlib.h>

#include "runtime/answer/answer.h"
#include "runtime/error.h"

static bool check_model(const bertc_model *m, bertc_error *error) {
    int count = m->task ? (int)m->task->label_count : 0;
    bertc_task_kind kind = m->task ? (bertc_task_kind)m->task->kind : BERTC_TASK_TENSORS;
    if (kind != BERTC_TASK_CLASSIFY && kind != BERTC_TASK_MULTI_LABEL && kind != BERTC_TASK_REGRESSION)
        return error_set(error, "ranking needs a cross-encoder, a model with one score for a pair; this one "
                                "scores no texts");
    return count == 1 ||
           error_set(
               error,
               "ranking needs a cross-encoder with one label, whose score is the rank; this model has %d "
               "labels",
               count);
}

static bool check_documents(const bertc_text *query, const bertc_text *documents, size_t count,
                            bertc_error *error) {
    if (query->pair) return error_set(error, "the query has a pair, where the document would stand");
    for (size_t i = 0; i < count; i++) {
        const bertc_text *t = &documents[i];
        if (t->pair || t->words)
            return error_set(error, "document %zu of %zu has %s of its own", i + 1, count,
                             t->pair ? "a pair" : "words");
        if (!t->text && t->size)
            return error_set(error, "document %zu of %zu: text is NULL, and its size is %zu", i + 1, count,
                             t->size);
    }
    return true;
}

static int better(const void *a, const void *b) {
    const bertc_ranked *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

static bool rank_all(bertc_session *s, const bertc_text *query, const bertc_text *documents, size_t count,
                     int top, bertc_ranked *ranked, bertc_error *error) {
    store *memory = &s->text->store;
    bertc_text *pairs = store_take(memory, count, sizeof *pairs);
    bertc_ranked *all = pairs ? store_take(memory, count, sizeof *all) : NULL;
    int64_t at;
    if (!all) return error_set(error, "out of memory for the pairs of query and documents");
    for (size_t i = 0; i < count; i++) {
        pairs[i] = *query;
        pairs[i].pair = documents[i].text ? documents[i].text : "";
        pairs[i].pair_size = documents[i].size;
    }
    if (!answer_all(s, pairs, count, &at, error)) {
        if (at >= 0) error_prefix(error, "document %lld of %zu", (long long)at + 1, count);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        all[i] = (bertc_ranked){.index = i, .score = s->text->results[i].scores[0].score};
    qsort(all, count, sizeof *all, better);
    size_t most = top > 0 && (size_t)top < count ? (size_t)top : count;
    for (size_t i = 0; i < most; i++) ranked[i] = all[i];
    return true;
}

bool bertc_rank(bertc_session *s, const bertc_text *query, const bertc_text *documents, size_t count,
                const bertc_text_options *options, bertc_ranked *ranked, bertc_error *error) {
    bertc_text_options own;
    if (!s || !query || (count && (!documents || !ranked)))
        return error_set(error, "%s is NULL",
                         !s           ? "session"
                         : !query     ? "query"
                         : !documents ? "documents"
                                      : "ranked");
    if (!check_model(s->model, error) || !check_documents(query, documents, count, error) ||
        !answer_enter(s, options, &own, error))
        return false;
    int top = own.top_k;
    own.top_k = 0;
    bool ok = rank_all(s, query, documents, count, top, ranked, error);
    session_leave(s);
    return ok;
}
