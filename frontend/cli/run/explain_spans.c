// What each word does for an entity, or for the answer to a question. A word's tokens are hidden where they stand: by the mask token's
// id, or where there is none by the attention mask. So all tokens keep their places, and the span's score is read from its own tokens:
// of an entity the probability of the label that each of its words has, in the mean; of an answer that of its start times that of its end,
// among the context's tokens and the first one.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/explain.h"
#include "ir/memory.h"

enum { AT_ONCE = 32 }; // rows of a call

// The text's tokens, and the outputs that are read.
typedef struct reader {
    size_t n, words;
    bertc_token *tokens;
    int64_t *of;                  // the word of each token
    int32_t *labels;              // of entities: the best label of each token with nothing hidden
    int32_t *ids, *types, *shown; // [AT_ONCE, n]
    float *logits[2];             // [AT_ONCE, n, width]
    float **buffers;
    int outputs[2], output_count;
    int64_t width;
    int32_t mask;
} reader;

static void reader_free(reader *r) {
    free(r->tokens);
    free(r->of);
    free(r->labels);
    free(r->ids);
    free(r->types);
    free(r->shown);
    free(r->logits[0]);
    free(r->logits[1]);
    free(r->buffers);
}

static int find_output(const bertc_model *model, const bertc_model_info *info, const char *name) {
    for (int i = 0; i < info->output_count; i++)
        if (!strcmp(bertc_output_name(model, i), name)) return i;
    return -1;
}

static bool read_tokens(const run_options *o, bertc_session *s, const bertc_text *text,
                        const bertc_model_info *info, reader *r, diag *d) {
    bertc_text_options options = run_text_options(o);
    const bertc_token *tokens;
    bertc_error e;
    if (o->read.windows)
        return diag_error(d, "--explain", "explains no windows: a text that is too long can be truncated");
    options.max_tokens =
        o->read.max_tokens && o->read.max_tokens < info->max_length ? o->read.max_tokens : info->max_length;
    if (!bertc_tokenize_with(s, text, &options, &tokens, &r->n, &e)) return runtime_failed(d, &e);
    r->tokens = memory_alloc(r->n + 1, sizeof *r->tokens);
    if (r->tokens) memcpy(r->tokens, tokens, r->n * sizeof *tokens);
    r->of = memory_zero(r->n + 1, sizeof *r->of);
    r->labels = memory_zero(r->n + 1, sizeof *r->labels);
    r->ids = memory_zero(r->n + 1, AT_ONCE * sizeof *r->ids);
    r->types = memory_zero(r->n + 1, AT_ONCE * sizeof *r->types);
    r->shown = memory_zero(r->n + 1, AT_ONCE * sizeof *r->shown);
    return (r->tokens && r->of && r->labels && r->ids && r->types && r->shown) ||
           diag_error(d, NULL, "out of memory for %zu tokens", r->n);
}

static bool open_outputs(const bertc_model *model, const bertc_model_info *info, reader *r, diag *d) {
    bool answers = info->task == BERTC_TASK_ANSWER;
    r->output_count = answers ? 2 : 1;
    r->outputs[0] = find_output(model, info, answers ? "start_logits" : "logits");
    r->outputs[1] = answers ? find_output(model, info, "end_logits") : -1;
    r->width = answers ? 1 : info->label_count;
    r->buffers = memory_zero((size_t)info->output_count, sizeof *r->buffers);
    bool ok = r->buffers != NULL;
    for (int i = 0; i < r->output_count && ok; i++) {
        r->logits[i] = memory_alloc(bertc_output_bytes(model, r->outputs[i], AT_ONCE, (int64_t)r->n) + 1, 1);
        ok = r->logits[i] != NULL;
        if (ok) r->buffers[r->outputs[i]] = r->logits[i];
    }
    return ok || diag_error(d, NULL, "out of memory for %zu tokens", r->n);
}

// Rows [0, count): the text without word first + row; word -1: with all of them.
static bool run_rows(bertc_session *s, reader *r, int64_t first, size_t count, diag *d) {
    bertc_error e;
    for (size_t row = 0; row < count; row++)
        for (size_t i = 0; i < r->n; i++) {
            bool hidden = r->of[i] >= 0 && r->of[i] == first + (int64_t)row;
            size_t at = row * r->n + i;
            r->ids[at] = hidden && r->mask >= 0 ? r->mask : r->tokens[i].id;
            r->types[at] = r->tokens[i].type;
            r->shown[at] = !hidden || r->mask >= 0;
        }
    const bertc_batch batch = {BERTC_SIZED(bertc_batch),   .batch = (int64_t)count,
                               .length = (int64_t)r->n,    .input_ids = r->ids,
                               .attention_mask = r->shown, .token_type_ids = r->types};
    return bertc_run(s, &batch, r->buffers, NULL, &e) || runtime_failed(d, &e);
}

// --- Scores

static double probability(const float *logits, int64_t n, int64_t k) {
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, (double)logits[i]);
    for (int64_t i = 0; i < n; i++) sum += exp((double)logits[i] - most);
    return exp((double)logits[k] - most) / sum;
}

static bool in_span(const explanation *x, const bertc_token *t) {
    return t->text == x->span_text && t->byte_end > t->byte_start && t->byte_start < x->span_end &&
           t->byte_end > x->span_start;
}

static double entity_score(const reader *r, const explanation *x, size_t row) {
    double sum = 0;
    int words = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (!in_span(x, &r->tokens[i]) || (i && r->of[i] == r->of[i - 1])) continue;
        const float *logits = r->logits[0] + (row * r->n + i) * (size_t)r->width;
        words++;
        if (r->shown[row * r->n + i]) sum += probability(logits, r->width, r->labels[i]);
    }
    return words ? sum / words : 0;
}

// Of the token at `at`, among those of the context and the first one.
static double place_score(const reader *r, const float *logits, const int32_t *shown, size_t at) {
    double most = -INFINITY, sum = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < r->n; i++) {
            if ((i && r->tokens[i].text != 1) || !shown[i]) continue;
            if (pass)
                sum += exp((double)logits[i] - most);
            else
                most = fmax(most, (double)logits[i]);
        }
    return shown[at] ? exp((double)logits[at] - most) / sum : 0;
}

static double answer_score(const reader *r, const explanation *x, size_t row) {
    size_t first = r->n, last = 0;
    for (size_t i = 0; i < r->n; i++)
        if (in_span(x, &r->tokens[i])) {
            if (first == r->n) first = i;
            last = i;
        }
    if (first == r->n) return 0;
    const int32_t *shown = r->shown + row * r->n;
    return place_score(r, r->logits[0] + row * r->n, shown, first) *
           place_score(r, r->logits[1] + row * r->n, shown, last);
}

static double score_of(const reader *r, const explanation *x, size_t row) {
    return *x->label ? entity_score(r, x, row) : answer_score(r, x, row);
}

static void note_labels(reader *r) {
    for (size_t i = 0; i < r->n; i++)
        for (int64_t k = 1; k < r->width; k++)
            if (r->logits[0][i * (size_t)r->width + (size_t)k] >
                r->logits[0][i * (size_t)r->width + (size_t)r->labels[i]])
                r->labels[i] = (int32_t)k;
}

// --- The spans

static void add_span(const bertc_text *text, explanation *x, const char *label, int where, uint32_t start,
                     uint32_t end, uint32_t char_start, uint32_t char_end) {
    *x = (explanation){.text = *text,
                       .spanned = true,
                       .span_text = where,
                       .span_start = start,
                       .span_end = end,
                       .char_start = char_start,
                       .char_end = char_end};
    snprintf(x->label, sizeof x->label, "%s", label);
}

static bool find_spans(const run_options *o, bertc_session *s, const bertc_text *text, explanation **out,
                       size_t *count, diag *d) {
    bertc_text_options options = run_text_options(o);
    bertc_result r = BERTC_RESULT_INIT;
    bertc_error e;
    if (!bertc_answer_texts(s, text, 1, &options, &r, &e)) return runtime_failed(d, &e);
    bool entities = r.task == BERTC_TASK_ENTITIES;
    size_t n = entities ? (size_t)r.entity_count : (size_t)r.answer_count;
    *out = memory_zero(n + 1, sizeof **out);
    if (!*out) return diag_error(d, NULL, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const bertc_entity *x = entities ? &r.entities[i] : NULL;
        const bertc_answer *a = entities ? NULL : &r.answers[i];
        if (x)
            add_span(text, &(*out)[(*count)++], x->type, 0, x->byte_start, x->byte_end, x->char_start,
                     x->char_end);
        else if (a->found)
            add_span(text, &(*out)[(*count)++], "", 1, a->byte_start, a->byte_end, a->char_start,
                     a->char_end);
    }
    return true;
}

static bool weigh(bertc_session *s, reader *r, explanation *list, size_t count, diag *d) {
    if (!run_rows(s, r, -1, 1, d)) return false;
    if (r->output_count == 1) note_labels(r);
    for (size_t k = 0; k < count; k++) list[k].score = score_of(r, &list[k], 0);
    for (size_t w = 0; w < r->words; w += AT_ONCE) {
        size_t rows = r->words - w < AT_ONCE ? r->words - w : AT_ONCE;
        if (!run_rows(s, r, (int64_t)w, rows, d)) return false;
        for (size_t k = 0; k < count; k++)
            for (size_t i = 0; i < rows; i++)
                list[k].words[w + i].weight = list[k].score - score_of(r, &list[k], i);
    }
    return true;
}

bool explain_spans(const run_options *o, const bertc_model *model, bertc_session *s, const bertc_text *text,
                   explanation **out, size_t *count, diag *d) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    reader r = {0};
    *count = 0;
    bertc_model_describe(model, &info, NULL);
    explain_mask(model, s, &r.mask);
    bool ok = find_spans(o, s, text, out, count, d) && read_tokens(o, s, text, &info, &r, d) &&
              open_outputs(model, &info, &r, d);
    for (size_t i = 0; i < *count && ok; i++) {
        (*out)[i].words = explain_words(text, r.tokens, r.n, r.of, &r.words);
        (*out)[i].count = r.words;
        ok = (*out)[i].words != NULL || diag_error(d, NULL, "out of memory");
    }
    ok = ok && (!*count || weigh(s, &r, *out, *count, d));
    reader_free(&r);
    return ok;
}

void explanations_free(explanation *list, size_t count) {
    for (size_t i = 0; i < count; i++) free(list[i].words);
    free(list);
}
