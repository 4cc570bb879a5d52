#include "frontend/cli/serve/answer.h"

#include <stdlib.h>
#include <string.h>

#include "ir/memory.h"

static void fail(job *j, const char *why) {
    free(j->error);
    j->error = memory_must(memory_strdup(why));
}

// --- What is kept

static bool keep_numbers(job *j, const float *numbers, int64_t rows, int64_t width) {
    size_t n = (size_t)(rows * width);
    if (!numbers && n) return false;
    j->numbers = memory_alloc(n ? n : 1, sizeof *j->numbers);
    if (!j->numbers) return false;
    if (n) memcpy(j->numbers, numbers, n * sizeof *numbers);
    j->rows = rows;
    j->width = width;
    return true;
}

static bool keep_vectors(job *j, const bertc_result *r) {
    size_t n = (size_t)r->vector_count;
    j->places = memory_alloc(n + 1, sizeof *j->places);
    if (!j->places) return false;
    if (n) memcpy(j->places, r->vector_tokens, n * sizeof *j->places);
    return keep_numbers(j, r->vectors, r->vector_count, r->vector_width);
}

static bool keep_scores(job *j, const bertc_score *scores, int count) {
    j->scores = memory_alloc((size_t)count + 1, sizeof *scores);
    if (!j->scores) return false;
    if (count) memcpy(j->scores, scores, (size_t)count * sizeof *scores);
    j->score_count = count;
    return true;
}

static bool keep_json(job *j, const bertc_result *r) {
    size_t n = bertc_result_json(r, &j->text, NULL, 0);
    j->json = memory_alloc(n + 1, 1);
    if (j->json) bertc_result_json(r, &j->text, j->json, n + 1);
    return j->json != NULL;
}

static void keep(job *j, const bertc_result *r) {
    bool kept = false;
    j->tokens = r->token_count;
    switch (j->of->keep) {
    case KEEP_JSON: kept = keep_json(j, r); break;
    case KEEP_EMBEDDING: kept = keep_numbers(j, r->embedding, 1, r->embedding_size); break;
    case KEEP_VECTORS: kept = keep_vectors(j, r); break;
    case KEEP_SPARSE: kept = keep_scores(j, r->sparse, r->sparse_count); break;
    case KEEP_SCORES: kept = keep_scores(j, r->scores, r->score_count); break;
    }
    if (!kept) fail(j, "out of memory for the answer");
}

// --- Calls

static bool call(const work *w, const bertc_text *texts, size_t count, bertc_result *results,
                 bertc_error *e) {
    bertc_session *s = w->model->session;
    if (w->kind == WORK_ZERO_SHOT)
        return bertc_zero_shot(s, texts, count, &w->labels, &w->options, results, e);
    if (w->kind == WORK_SUMMARY) return bertc_summarize(s, texts, &w->summary, &w->options, results, e);
    return bertc_answer_texts(s, texts, count, &w->options, results, e);
}

// An error is about one text, and none is answered: each alone then.
static void answer_texts(job **jobs, size_t count, bertc_text *texts, bertc_result *results) {
    bertc_error e = {""};
    for (size_t i = 0; i < count; i++) {
        texts[i] = jobs[i]->text;
        results[i] = (bertc_result)BERTC_RESULT_INIT;
    }
    if (call(jobs[0]->of, texts, count, results, &e)) {
        for (size_t i = 0; i < count; i++) keep(jobs[i], &results[i]);
    } else if (count == 1) {
        fail(jobs[0], e.message);
    } else {
        for (size_t i = 0; i < count; i++) answer_texts(jobs + i, 1, texts, results);
    }
}

static void answer_output(job *j) {
    const work *w = j->of;
    served *m = w->model;
    size_t outputs = (size_t)m->info.output_count;
    float **buffers = memory_zero(outputs, sizeof *buffers);
    bertc_tensor *tensors = memory_zero(outputs, sizeof *tensors);
    size_t bytes = bertc_output_bytes(m->model, w->output, 1, j->tokens);
    bertc_batch b = {BERTC_SIZED(bertc_batch), .batch = 1, .length = j->tokens, .input_ids = j->ids,
                     .token_type_ids = j->types};
    bertc_error e = {"out of memory for the answer"};
    j->numbers = memory_alloc(bytes ? bytes : 1, 1);
    bool ok = buffers && tensors && j->numbers;
    if (ok) {
        buffers[w->output] = j->numbers;
        tensors[0].size = sizeof *tensors;
        ok = bertc_run(m->session, &b, buffers, tensors, &e);
    }
    if (ok) {
        const bertc_tensor *t = &tensors[w->output];
        j->width = t->rank ? t->shape[t->rank - 1] : 1;
        j->rows = j->width ? (int64_t)(bytes / sizeof(float)) / j->width : 0;
    } else {
        fail(j, e.message);
    }
    free(buffers);
    free(tensors);
}

void answer_jobs(job **jobs, size_t count) {
    double started = seconds_now();
    if (jobs[0]->of->kind == WORK_OUTPUT) {
        for (size_t i = 0; i < count; i++) answer_output(jobs[i]);
    } else {
        bertc_text *texts = memory_alloc(count, sizeof *texts);
        bertc_result *results = memory_alloc(count, sizeof *results);
        for (size_t i = 0; (!texts || !results) && i < count; i++)
            fail(jobs[i], "out of memory for the texts");
        if (texts && results) answer_texts(jobs, count, texts, results);
        free(texts);
        free(results);
    }
    double ended = seconds_now();
    for (size_t i = 0; i < count; i++) {
        jobs[i]->started = started;
        jobs[i]->ended = ended;
    }
}
