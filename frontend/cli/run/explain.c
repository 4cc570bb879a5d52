// `bertc run MODEL --explain TEXT`: how much each word adds to the score of a label, an entity or an answer. Each word is hidden in
// turn; the difference of the scores with and without it is its part. Here a label's: a word is hidden by the mask token where the
// tokenizer has one.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/explain.h"
#include "ir/memory.h"
#include "ir/output_file.h"

#define BATCH_TEXTS 64

// --- Scores

// The text without one word; the changed part is *own, for the caller to free.
static bertc_text hide(const bertc_text *t, const word_weight *w, const char *mask, char **own) {
    const char *of = w->text ? t->pair : t->text;
    size_t size = w->text ? t->pair_size : t->size, n = strlen(mask);
    bertc_text out = *t;
    *own = memory_alloc(size + n + 1, 1);
    if (!*own) return out;
    memcpy(*own, of, w->start);
    memcpy(*own + w->start, mask, n);
    memcpy(*own + w->start + n, of + w->end, size - w->end);
    if (w->text) {
        out.pair = *own;
        out.pair_size = size - (w->end - w->start) + n;
    } else {
        out.text = *own;
        out.size = size - (w->end - w->start) + n;
    }
    return out;
}

static double score_of(const bertc_result *r, int id) {
    for (int i = 0; i < r->score_count; i++)
        if (r->scores[i].id == id) return (double)r->scores[i].score;
    return 0;
}

static bool weigh_batch(bertc_session *s, const bertc_text_options *options, explanation *x, size_t from,
                        size_t n, int id, const char *mask, diag *d) {
    bertc_text texts[BATCH_TEXTS] = {{0}};
    bertc_result results[BATCH_TEXTS] = {BERTC_RESULT_INIT};
    char *own[BATCH_TEXTS];
    bertc_error e;
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        texts[i] = hide(&x->text, &x->words[from + i], mask, &own[i]);
        ok &= own[i] != NULL;
    }
    if (!ok) diag_error(d, NULL, "out of memory");
    ok = ok && (bertc_answer_texts(s, texts, n, options, results, &e) || runtime_failed(d, &e));
    for (size_t i = 0; i < n; i++) {
        if (ok) x->words[from + i].weight = x->score - score_of(&results[i], id);
        free(own[i]);
    }
    return ok;
}

static bool weigh(const run_options *o, bertc_session *s, explanation *x, const char *mask, diag *d) {
    bertc_text_options options = run_text_options(o);
    bertc_result r = BERTC_RESULT_INIT;
    bertc_error e;
    options.top_k = 0;
    if (!bertc_answer_texts(s, &x->text, 1, &options, &r, &e)) return runtime_failed(d, &e);
    int id = r.score_count ? r.scores[0].id : -1;
    snprintf(x->label, sizeof x->label, "%s", r.score_count ? r.scores[0].label : "");
    x->score = score_of(&r, id);
    const bertc_token *tokens;
    size_t n;
    if (!bertc_tokenize(s, &x->text, 0, BERTC_TRUNCATE_NEVER, &tokens, &n, &e)) return runtime_failed(d, &e);
    x->words = explain_words(&x->text, tokens, n, NULL, &x->count);
    if (!x->words) return diag_error(d, NULL, "out of memory");
    bool ok = true;
    for (size_t i = 0; i < x->count && ok; i += BATCH_TEXTS)
        ok = weigh_batch(s, &options, x, i, x->count - i < BATCH_TEXTS ? x->count - i : BATCH_TEXTS, id, mask,
                         d);
    return ok;
}

// --- All texts

static bool show(const run_options *o, const explanation *x, size_t count, FILE *html, const char *list) {
    if (html || !o->json) {
        for (size_t i = 0; i < count; i++)
            if (html)
                draw_explanation(html, &x[i]);
            else
                explanation_print(&x[i]);
        if (!count) fputs(html ? "<p>nothing found</p>\n" : "nothing found\n", html ? html : stdout);
        return true;
    }
    if (!list) return print_json(explanation_json(x)), true;
    cJSON *all = cJSON_CreateObject(), *rows = cJSON_AddArrayToObject(all, list);
    for (size_t i = 0; i < count; i++) cJSON_AddItemToArray(rows, explanation_json(&x[i]));
    print_json(all);
    return true;
}

static bool explain_label(const run_options *o, const bertc_model *model, bertc_session *s,
                          const bertc_text *text, FILE *html, diag *d) {
    const char *mask = o->read.plain_text ? "" : explain_mask(model, s, NULL); // plain text holds no mask
    explanation x = {.text = *text};
    bool ok = weigh(o, s, &x, mask, d) && show(o, &x, 1, html, NULL);
    free(x.words);
    return ok;
}

static bool explain_all(const run_options *o, const bertc_model *model, bertc_session *s, int task,
                        const arguments *words, FILE *html, diag *d) {
    bool ok = true;
    if (html) draw_explanation_start(html);
    for (int i = 0; i < words->count && ok; i++) {
        const bertc_text text = {.text = words->v[i],
                                 .size = strlen(words->v[i]),
                                 .pair = o->pair,
                                 .pair_size = o->pair ? strlen(o->pair) : 0};
        explanation *list = NULL;
        size_t count = 0;
        if (task != BERTC_TASK_ENTITIES && task != BERTC_TASK_ANSWER)
            ok = explain_label(o, model, s, &text, html, d);
        else
            ok = explain_spans(o, model, s, &text, &list, &count, d) &&
                 show(o, list, count, html, task == BERTC_TASK_ANSWER ? "answers" : "entities");
        explanations_free(list, count);
    }
    if (html) draw_explanation_end(html);
    return ok;
}

bool run_explain(const run_options *o, const bertc_model *model, bertc_session *s, const arguments *words,
                 diag *d) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    if (info.task != BERTC_TASK_CLASSIFY && info.task != BERTC_TASK_MULTI_LABEL &&
        info.task != BERTC_TASK_REGRESSION && info.task != BERTC_TASK_ENTITIES &&
        info.task != BERTC_TASK_ANSWER)
        return diag_error(d, "--explain",
                          "explains labels, entities and answers, and the model gives none (--head "
                          "sequence-classification, token-classification, question-answering)");
    if (!o->output) return explain_all(o, model, s, info.task, words, NULL, d);
    char *text = NULL;
    size_t size = 0;
    FILE *html = memory_stream(&text, &size);
    bool ok = html && explain_all(o, model, s, info.task, words, html, d);
    if (html && !memory_stream_end(html, &text)) ok = false;
    if (!ok && !diag_failed(d)) diag_error(d, o->output, "out of memory");
    ok = ok && output_file_text(o->output, text, size, true, d);
    free(text);
    return ok;
}
