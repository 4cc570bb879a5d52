// Extractive summaries: the sentences of a text that say most of it. Each sentence is embedded; a sentence is central as
// far as it is like all of them, and one that is like a sentence which is taken already says little that is new (maximal
// marginal relevance).
#include <math.h>
#include <stdlib.h>

#include "runtime/answer/answer.h"
#include "runtime/answer/sentences.h"
#include "runtime/error.h"
#include "runtime/sized.h"

#define USUAL_NOVELTY 0.3

typedef struct summary {
    const sentence *sentences;
    size_t count, width;
    const float **rows;        // [count], each of `width` numbers
    double *length;            // [count], of the rows; 0: taken for 1
    double *central, *nearest; // [count]: the mean likeness to all; the largest to a sentence that is taken
    bool *taken;
} summary;

// --- Likeness

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static double cosine(const summary *s, size_t i, size_t k) {
    return dot(s->rows[i], s->rows[k], s->width) / (s->length[i] * s->length[k]);
}

// The mean of the cosines to all sentences: the product with the mean of all rows, each of length 1. `sum`: [width].
static void find_central(summary *s, double *sum) {
    for (size_t k = 0; k < s->width; k++) sum[k] = 0;
    for (size_t i = 0; i < s->count; i++) {
        double length = sqrt(dot(s->rows[i], s->rows[i], s->width));
        s->length[i] = length > 0 ? length : 1;
        for (size_t k = 0; k < s->width; k++) sum[k] += (double)s->rows[i][k] / s->length[i];
    }
    for (size_t i = 0; i < s->count; i++) {
        double product = 0;
        for (size_t k = 0; k < s->width; k++) product += (double)s->rows[i][k] * sum[k];
        s->central[i] = product / (s->length[i] * (double)s->count);
        s->nearest[i] = 0;
        s->taken[i] = false;
    }
}

static void choose(summary *s, size_t n, double novelty) {
    for (size_t taken = 0; taken < n; taken++) {
        size_t best = s->count;
        double most = 0;
        for (size_t i = 0; i < s->count; i++) {
            double worth = (1 - novelty) * s->central[i] - novelty * s->nearest[i];
            if (s->taken[i] || (best < s->count && worth <= most)) continue;
            best = i;
            most = worth;
        }
        s->taken[best] = true;
        for (size_t i = 0; i < s->count && taken + 1 < n; i++) {
            double like = cosine(s, i, best);
            if (!taken || like > s->nearest[i]) s->nearest[i] = like;
        }
    }
}

// --- The call

static bool check_model(const bertc_model *m, bertc_error *error) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    return (bertc_model_describe(m, &info, NULL) && info.embedding_size > 0) ||
           error_set(error, "summaries compare embeddings, and the model gives none (compile it with --head "
                            "embedding)");
}

static bool check_how(const bertc_text *text, bertc_summary_options *how, bertc_error *error) {
    if (how->sentence_count < 1)
        return error_set(error, "sentence_count is %lld: how many sentences are taken, at least 1",
                         (long long)how->sentence_count);
    if (how->novelty == -1)
        how->novelty = 0;
    else if (how->novelty == 0)
        how->novelty = USUAL_NOVELTY;
    else if (!(how->novelty > 0 && how->novelty <= 1))
        return error_set(error, "novelty is %g: a number from 0 to 1, 0 for the usual one, or -1 for none",
                         how->novelty);
    if (text->pair || text->words)
        return error_set(error, "the text has %s of its own", text->pair ? "a pair" : "words");
    if (!text->text && text->size) return error_set(error, "text is NULL, and its size is %zu", text->size);
    return text->size <= UINT32_MAX || error_set(error, "the text has %zu bytes: at most 4 GB", text->size);
}

// Room for what is known of each sentence, in the session's memory for answers.
static double *take_room(summary *s, store *memory) {
    s->rows = store_take(memory, s->count, sizeof *s->rows);
    s->length = store_take(memory, s->count, sizeof *s->length);
    s->central = store_take(memory, s->count, sizeof *s->central);
    s->nearest = store_take(memory, s->count, sizeof *s->nearest);
    s->taken = store_take(memory, s->count, sizeof *s->taken);
    double *sum = store_take(memory, s->width, sizeof *sum);
    return s->rows && s->length && s->central && s->nearest && s->taken ? sum : NULL;
}

static bool embed(bertc_session *session, summary *s, const char *text, int *tokens, bertc_error *error) {
    bertc_text *pieces = store_take(&session->text->store, s->count, sizeof *pieces);
    int64_t at;
    if (!pieces) return error_set(error, "out of memory for %zu sentences", s->count);
    for (size_t i = 0; i < s->count; i++)
        pieces[i] = (bertc_text){.text = text + s->sentences[i].start,
                                 .size = s->sentences[i].end - s->sentences[i].start};
    if (!answer_all(session, pieces, s->count, &at, error)) {
        if (at >= 0)
            error_prefix(error, "the sentence at character %lld", (long long)s->sentences[at].char_start);
        return false;
    }
    s->width = (size_t)session->text->results[0].embedding_size;
    double *sum = take_room(s, &session->text->store);
    if (!sum) return error_set(error, "out of memory for %zu sentences", s->count);
    for (size_t i = 0; i < s->count; i++) {
        s->rows[i] = session->text->results[i].embedding;
        *tokens += session->text->results[i].token_count;
    }
    find_central(s, sum);
    return true;
}

// The taken ones, in the text's order.
static const bertc_sentence *taken_of(const summary *s, size_t n, store *memory) {
    bertc_sentence *out = store_take(memory, n ? n : 1, sizeof *out);
    size_t at = 0;
    for (size_t i = 0; out && i < s->count; i++) {
        const sentence *x = &s->sentences[i];
        if (s->taken[i])
            out[at++] = (bertc_sentence){(uint32_t)x->char_start, (uint32_t)x->char_end, (uint32_t)x->start,
                                         (uint32_t)x->end, (float)s->central[i]};
    }
    return out;
}

static bool summarize(bertc_session *session, summary *s, const char *text, const bertc_summary_options *how,
                      bertc_result *out, bertc_error *error) {
    size_t n = (uint64_t)how->sentence_count < s->count ? (size_t)how->sentence_count : s->count;
    *out = (bertc_result){.task = (int)answer_task(session),
                          .window_count = 1,
                          .next_sentence = -1,
                          .sentence_count = (int64_t)n};
    if (s->count && !embed(session, s, text, &out->token_count, error)) return false;
    choose(s, n, how->novelty);
    out->sentences = taken_of(s, n, &session->text->store);
    return out->sentences || error_set(error, "out of memory for %zu sentences", n);
}

bool bertc_summarize(bertc_session *session, const bertc_text *text, const bertc_summary_options *how,
                     const bertc_text_options *options, bertc_result *result, bertc_error *error) {
    bertc_summary_options own;
    bertc_text_options to;
    bertc_result r;
    if (!session || !text || !result)
        return error_set(error, "%s is NULL", !session ? "session" : !text ? "text" : "result");
    if (!sized_take(SIZED_bertc_summary_options, how, &own, error) || !check_how(text, &own, error) ||
        !check_model(session->model, error) || !sized_check(SIZED_bertc_result, result, error) ||
        !answer_enter(session, options, &to, error))
        return false;
    summary s = {0};
    sentence *found = NULL;
    to.top_k = 0;
    bool ok = sentences_find(text->text, text->size, &found, &s.count) ||
              error_set(error, "out of memory for the sentences");
    s.sentences = found;
    ok = ok && summarize(session, &s, text->text, &own, &r, error);
    if (ok) sized_give(SIZED_bertc_result, &r, result, 0);
    free(found);
    session_leave(session);
    return ok;
}
