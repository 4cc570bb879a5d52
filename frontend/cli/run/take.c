#include "frontend/cli/run/take.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/memory.h"

// --- Text

static bool take_json(void *user, row *r, const bertc_result *result, const char **why) {
    (void)user;
    (void)why;
    size_t n = bertc_result_json(result, &r->text, NULL, 0);
    r->json = memory_alloc(n + 1, 1);
    if (r->json) bertc_result_json(result, &r->text, r->json, n + 1);
    return r->json != NULL;
}

static bool take_printed(void *user, row *r, const bertc_result *result, const char **why) {
    const taker *t = user;
    (void)why;
    FILE *f = memory_stream(&r->json, &r->json_size);
    if (!f) return false;
    if (t->options->format == FORMAT_CSV)
        csv_answer(f, &t->table, t->options, r->line, &r->text, result);
    else
        print_result(f, t->options, result, &r->text, true);
    return memory_stream_end(f, &r->json);
}

// --- Numbers

static bool take_embedding(row *r, const bertc_result *result) {
    size_t n = (size_t)result->embedding_size * sizeof(float);
    r->embedding = memory_alloc(n ? n : 1, 1);
    if (r->embedding && n) memcpy(r->embedding, result->embedding, n);
    return r->embedding != NULL;
}

// In the labels' order, not the best first.
static bool take_scores(row *r, const bertc_result *result, int64_t width) {
    r->embedding = memory_alloc((size_t)width, sizeof(float));
    if (!r->embedding) return false;
    for (int64_t i = 0; i < width; i++) r->embedding[i] = NAN;
    for (int i = 0; i < result->score_count; i++)
        if (result->scores[i].id >= 0 && result->scores[i].id < width)
            r->embedding[result->scores[i].id] = result->scores[i].score;
    return true;
}

static bool take_next(row *r, const bertc_result *result, const char **why) {
    if (!r->text.pair) return *why = "has no second text", false;
    r->embedding = memory_alloc(1, sizeof(float));
    if (r->embedding) *r->embedding = result->next_sentence;
    return r->embedding != NULL;
}

static bool take_row(void *user, row *r, const bertc_result *result, const char **why) {
    const taker *t = user;
    if (result->embedding_size) return take_embedding(r, result);
    return result->task == BERTC_TASK_NEXT_SENTENCE ? take_next(r, result, why)
                                                    : take_scores(r, result, t->width);
}

static bool take_vectors(void *user, row *r, const bertc_result *result, const char **why) {
    (void)user;
    (void)why;
    size_t n = (size_t)result->vector_count * (size_t)result->vector_width * sizeof(float);
    r->embedding = memory_alloc(n ? n : 1, 1);
    r->rows = result->vector_count;
    if (r->embedding && n) memcpy(r->embedding, result->vectors, n);
    return r->embedding != NULL;
}

static int by_id(const void *a, const void *b) {
    int32_t x = ((const bertc_score *)a)->id, y = ((const bertc_score *)b)->id;
    return (x > y) - (x < y);
}

bertc_score *scores_by_id(const bertc_score *v, int count) {
    size_t n = (size_t)count;
    bertc_score *sorted = memory_alloc(n ? n : 1, sizeof *sorted);
    if (!sorted || !n) return sorted;
    memcpy(sorted, v, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_id);
    return sorted;
}

// In the order of the columns, as scipy has them.
static bool take_sparse(void *user, row *r, const bertc_result *result, const char **why) {
    (void)user;
    (void)why;
    r->sparse = scores_by_id(result->sparse, result->sparse_count);
    r->sparse_count = result->sparse_count;
    return r->sparse != NULL;
}

crew_take take_of(answer_format f, bool csr, bool several) {
    if (f == FORMAT_NPZ && csr) return take_sparse;
    if (f == FORMAT_NPZ && several) return take_vectors;
    if (f == FORMAT_NPZ || f == FORMAT_NPY) return take_row;
    return f == FORMAT_JSONL ? take_json : take_printed;
}
