// `bertc run MODEL --explain TEXT`: how much each word adds to the label's score. Each word is hidden in
// turn, by the mask token where the tokenizer has one; the difference of the scores with and without it is
// its part.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/run/draw.h"
#include "frontend/cli/run/run.h"
#include "ir/memory.h"
#include "ir/output_file.h"

#define BATCH_TEXTS 64

// --- Words, as the tokenizer has them

static bool find_words(bertc_session *s, explanation *x, diag *d) {
    const bertc_token *tokens;
    size_t n;
    bertc_error e;
    if (!bertc_tokenize(s, &x->text, 0, BERTC_TRUNCATE_NEVER, &tokens, &n, &e)) return runtime_failed(d, &e);
    x->words = memory_zero(n, sizeof *x->words);
    if (!x->words) return diag_error(d, NULL, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const bertc_token *t = &tokens[i];
        bool same = i && t->text == tokens[i - 1].text && t->word == tokens[i - 1].word;
        if (t->text < 0 || t->byte_end <= t->byte_start) continue;
        if (same && x->count)
            x->words[x->count - 1].end = t->byte_end;
        else
            x->words[x->count++] = (word_weight){t->text, t->byte_start, t->byte_end, 0};
    }
    for (size_t i = 0; i < x->count; i++) { // a byte-level token begins with its space
        word_weight *w = &x->words[i];
        const char *of = w->text ? x->text.pair : x->text.text;
        while (w->start + 1 < w->end && (of[w->start] == ' ' || of[w->start] == '\n')) w->start++;
    }
    return true;
}

// The mask token as text that is read as it; "" where there is none.
static const char *mask_text(const bertc_model *model, bertc_session *s) {
    static const char *const names[] = {"[MASK]", "<mask>"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const bertc_text text = {.text = names[i], .size = strlen(names[i])};
        const bertc_token *tokens;
        size_t n, own = 0;
        bool is = false;
        if (!bertc_tokenize(s, &text, 0, BERTC_TRUNCATE_NEVER, &tokens, &n, NULL)) continue;
        for (size_t k = 0; k < n; k++) {
            const char *name = bertc_token_text(model, tokens[k].id);
            own += tokens[k].text == 0;
            is |= tokens[k].text == 0 && name && !strcmp(name, names[i]);
        }
        if (is && own == 1) return names[i];
    }
    return "";
}

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
    x->label = r.score_count ? r.scores[0].label : "";
    x->score = score_of(&r, id);
    if (!find_words(s, x, d)) return false;
    bool ok = true;
    for (size_t i = 0; i < x->count && ok; i += BATCH_TEXTS)
        ok = weigh_batch(s, &options, x, i, x->count - i < BATCH_TEXTS ? x->count - i : BATCH_TEXTS, id, mask,
                         d);
    return ok;
}

// --- For people

static void print_coloured(const explanation *x, int text) {
    const char *of = text ? x->text.pair : x->text.text;
    size_t size = text ? x->text.pair_size : x->text.size, at = 0;
    double most = explanation_largest(x);
    for (size_t i = 0; i < x->count; i++) {
        const word_weight *w = &x->words[i];
        double part = w->weight / most;
        if (w->text != text) continue;
        int other = 255 - (int)(155 * (part < 0 ? -part : part));
        fwrite(of + at, 1, w->start - at, stdout);
        printf("\033[30;48;2;%d;%d;%dm", part < 0 ? 255 : other, part < 0 ? other : 255, other);
        fwrite(of + w->start, 1, w->end - w->start, stdout);
        printf("\033[0m");
        at = w->end;
    }
    fwrite(of + at, 1, size - at, stdout);
    putchar('\n');
}

static void print_words(const explanation *x) {
    for (size_t i = 0; i < x->count; i++) {
        const word_weight *w = &x->words[i];
        printf("%+8.4f  %.*s\n", w->weight, (int)(w->end - w->start),
               (w->text ? x->text.pair : x->text.text) + w->start);
    }
}

static void print_explanation(const explanation *x) {
    printf("%s %.4f\n", x->label, x->score);
    if (!isatty(1) || getenv("NO_COLOR")) {
        print_words(x);
        return;
    }
    print_coloured(x, 0);
    if (x->text.pair) print_coloured(x, 1);
}

static void print_explanation_json(const explanation *x) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "label", x->label);
    cJSON_AddNumberToObject(o, "score", x->score);
    cJSON *list = cJSON_AddArrayToObject(o, "words");
    for (size_t i = 0; i < x->count; i++) {
        const word_weight *w = &x->words[i];
        char *word = memory_must(
            memory_strndup((w->text ? x->text.pair : x->text.text) + w->start, w->end - w->start));
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "word", word);
        cJSON_AddNumberToObject(one, "weight", w->weight);
        if (w->text) cJSON_AddNumberToObject(one, "text", 1);
        cJSON_AddItemToArray(list, one);
        free(word);
    }
    print_json(o);
}

static bool explain_all(const run_options *o, const bertc_model *model, bertc_session *s,
                        const arguments *words, FILE *html, diag *d) {
    const char *mask = o->plain_text ? "" : mask_text(model, s); // plain text holds no mask
    bool ok = true;
    if (html) draw_explanation_start(html);
    for (int i = 0; i < words->count && ok; i++) {
        const char *word = words->v[i];
        explanation x = {.text = {.text = word,
                                  .size = strlen(word),
                                  .pair = o->pair,
                                  .pair_size = o->pair ? strlen(o->pair) : 0}};
        ok = weigh(o, s, &x, mask, d);
        if (ok && html)
            draw_explanation(html, &x);
        else if (ok && o->json)
            print_explanation_json(&x);
        else if (ok)
            print_explanation(&x);
        free(x.words);
    }
    if (html) draw_explanation_end(html);
    return ok;
}

bool run_explain(const run_options *o, const bertc_model *model, bertc_session *s, const arguments *words,
                 diag *d) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    if (info.task != BERTC_TASK_CLASSIFY && info.task != BERTC_TASK_MULTI_LABEL &&
        info.task != BERTC_TASK_REGRESSION)
        return diag_error(d, "--explain",
                          "explains a label's score, and the model gives none: it takes a classifier (--head "
                          "sequence-classification)");
    if (!o->output) return explain_all(o, model, s, words, NULL, d);
    char *text = NULL;
    size_t size = 0;
    FILE *html = memory_stream(&text, &size);
    bool ok = html && explain_all(o, model, s, words, html, d);
    if (html && !memory_stream_end(html, &text)) ok = false;
    if (!ok && !diag_failed(d)) diag_error(d, o->output, "out of memory");
    ok = ok && output_file_text(o->output, text, size, true, d);
    free(text);
    return ok;
}
