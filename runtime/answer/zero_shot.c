// Zero-shot classification: each text is paired with a sentence for each label of the call, all pairs are answered
// together, and a label's score is made of its pair's logits, by the rules of Transformers' pipeline.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/answer/answer.h"
#include "runtime/error.h"
#include "runtime/sized.h"

#define USUAL_HYPOTHESIS "This example is {}."

// A call's labels, and the model's two that are read.
typedef struct zero_shot {
    const bertc_zero_shot_options *how;
    bertc_text *hypotheses; // [labels]
    int entailment, contradiction, top;
    bool raw;
} zero_shot;

// --- The model's labels

static bool entails(const char *label) {
    static const char start[] = "entail";
    for (int i = 0; start[i]; i++)
        if (label[i] != start[i] && label[i] != start[i] - 'a' + 'A') return false;
    return true;
}

int bertc_entailment_label(const bertc_model *m) {
    const char *label;
    if (m && m->task && m->task->entailment) return (int)m->task->entailment - 1;
    for (int i = 0; (label = bertc_label(m, i)); i++)
        if (entails(label)) return i;
    return -1;
}

static bool find_labels(zero_shot *z, const bertc_model *m, bertc_error *error) {
    int count = m->task ? (int)m->task->label_count : 0;
    bertc_task_kind kind = m->task ? (bertc_task_kind)m->task->kind : BERTC_TASK_TENSORS;
    bool labels =
        kind == BERTC_TASK_CLASSIFY || kind == BERTC_TASK_MULTI_LABEL || kind == BERTC_TASK_REGRESSION;
    if (!labels || count < 2)
        return error_set(error,
                         "zero-shot labels need a model of natural language inference, whose labels are "
                         "entailment and contradiction; this one has %s",
                         labels ? "one label" : "no labels of texts");
    z->entailment = bertc_entailment_label(m);
    if (z->entailment < 0) z->entailment = count - 1;
    z->contradiction = z->entailment == 0 ? count - 1 : 0;
    return true;
}

// --- The hypothesis

// Steps over one piece of a template: *size bytes of text, or what stands for the label. NULL: a brace that is neither.
static const char *next_piece(const char **at, size_t *size, bool *label) {
    const char *c = *at;
    *label = false;
    *size = strcspn(c, "{}");
    if (*size) return *at += *size, c;
    if (c[1] == c[0]) return *size = 1, *at += 2, c; // {{ or }}
    *label = !strncmp(c, "{}", 2) || !strncmp(c, "{0}", 3);
    *at += c[1] == '}' ? 2 : 3;
    return *label ? c : NULL;
}

// Is the label in it, by the rules of Python's format?
static bool check_template(const char *template, bertc_error *error) {
    int next = 0, first = 0; // {} and {0}
    bool label;
    size_t size;
    for (const char *at = template; *at;) {
        const char *piece = next_piece(&at, &size, &label);
        if (!piece)
            return error_set(error,
                             "the hypothesis \"%.200s\": only {} and {0} stand for the label; {{ and }} are "
                             "braces",
                             template);
        if (label) *(piece[1] == '}' ? &next : &first) += 1;
    }
    if (!next && !first)
        return error_set(error, "the hypothesis \"%.200s\" has no {}, where the label would stand", template);
    return (next <= 1 && !(next && first)) ||
           error_set(error,
                     "the hypothesis \"%.200s\": {} stands for the one label once; {0} may be repeated",
                     template);
}

// Writes the template with the label in it, unless `out` is NULL; returns its size.
static size_t fill_template(const char *template, const char *name, char *out) {
    size_t all = 0, size, length = strlen(name);
    bool label;
    for (const char *at = template; *at;) {
        const char *piece = next_piece(&at, &size, &label);
        if (label) piece = name, size = length;
        if (out) memcpy(out + all, piece, size);
        all += size;
    }
    return all;
}

static bool fill_hypotheses(zero_shot *z, store *s, bertc_error *error) {
    const char *template = z->how->hypothesis;
    z->hypotheses = store_take(s, (size_t)z->how->label_count, sizeof *z->hypotheses);
    for (int i = 0; z->hypotheses && i < z->how->label_count; i++) {
        size_t size = fill_template(template, z->how->labels[i], NULL);
        char *text = store_take(s, size + 1, 1);
        if (!text) return error_set(error, "out of memory for the hypotheses");
        fill_template(template, z->how->labels[i], text);
        z->hypotheses[i] = (bertc_text){.text = text, .size = size};
    }
    return z->hypotheses || error_set(error, "out of memory for the hypotheses");
}

// --- Scores

static double logit_of(const bertc_result *r, int label) {
    for (int i = 0; i < r->score_count; i++)
        if (r->scores[i].id == label) return (double)r->scores[i].score;
    return 0;
}

// Among equals the later one is first, as where Transformers turns an ascending order round.
static int better(const void *a, const void *b) {
    const bertc_score *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->id < y->id) - (x->id > y->id);
}

// The labels' scores as a softmax over their entailment logits.
static void score_together(const zero_shot *z, const bertc_result *pairs, bertc_score *out) {
    int n = z->how->label_count;
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++) most = fmax(most, logit_of(&pairs[i], z->entailment));
    for (int i = 0; i < n; i++) sum += exp(logit_of(&pairs[i], z->entailment) - most);
    for (int i = 0; i < n; i++) out[i].score = (float)(exp(logit_of(&pairs[i], z->entailment) - most) / sum);
}

// Each label's as a softmax over its contradiction and its entailment.
static void score_alone(const zero_shot *z, const bertc_result *pairs, bertc_score *out) {
    for (int i = 0; i < z->how->label_count; i++)
        out[i].score =
            (float)(1 /
                    (1 + exp(logit_of(&pairs[i], z->contradiction) - logit_of(&pairs[i], z->entailment))));
}

// `pairs`: the answers to the text's pairs, one for each label.
static bool score_text(const zero_shot *z, store *s, const bertc_result *pairs, bertc_result *out) {
    int n = z->how->label_count;
    bertc_score *scores = store_take(s, (size_t)n, sizeof *scores);
    if (!scores) return false;
    for (int i = 0; i < n; i++) scores[i] = (bertc_score){.label = z->how->labels[i], .id = i};
    if (z->how->multi_label || n == 1)
        score_alone(z, pairs, scores);
    else
        score_together(z, pairs, scores);
    qsort(scores, (size_t)n, sizeof *scores, better);
    for (int i = 0; z->raw && i < n; i++)
        scores[i].score = (float)logit_of(&pairs[scores[i].id], z->entailment);
    *out = (bertc_result){.task = pairs[0].task,
                          .window_count = 1,
                          .next_sentence = -1,
                          .score_count = z->top > 0 && z->top < n ? z->top : n,
                          .scores = scores,
                          .raw_scores = z->raw,
                          .zero_shot = true};
    for (int i = 0; i < n; i++) out->token_count += pairs[i].token_count;
    return true;
}

// --- The call

static bool check_how(const bertc_text *texts, size_t count, const bertc_zero_shot_options *how,
                      bertc_error *error) {
    if (how->label_count < 1 || !how->labels)
        return error_set(error, "no labels are given: zero-shot classification needs at least one");
    for (int i = 0; i < how->label_count; i++)
        if (!how->labels[i]) return error_set(error, "labels[%d] is NULL", i);
    for (size_t i = 0; i < count; i++)
        if (texts[i].pair)
            return error_set(error, "text %zu of %zu has a pair, where the label's sentence would stand",
                             i + 1, count);
    return check_template(how->hypothesis, error);
}

// What of the options counts for the pairs.
static bool set_options(zero_shot *z, bertc_text_options *o, bertc_error *error) {
    if (o->windows) return error_set(error, "zero-shot labels are not read in windows: a longer text is cut");
    z->top = o->top_k;
    z->raw = o->raw_scores;
    o->top_k = 0;
    o->raw_scores = true;
    o->truncation = BERTC_TRUNCATE_ONLY_FIRST;
    if (!o->prompt && !o->prompt_name) o->prompt = "";
    return true;
}

// Text by text, label by label. NULL: no memory.
static bertc_text *make_pairs(const zero_shot *z, store *s, const bertc_text *texts, size_t count,
                              size_t *pairs) {
    size_t labels = (size_t)z->how->label_count;
    if (__builtin_mul_overflow(count, labels, pairs)) return NULL;
    bertc_text *out = store_take(s, *pairs, sizeof *out);
    for (size_t i = 0; out && i < *pairs; i++) {
        out[i] = texts[i / labels];
        out[i].pair = z->hypotheses[i % labels].text;
        out[i].pair_size = z->hypotheses[i % labels].size;
    }
    return out;
}

static bool answer_pairs(zero_shot *z, bertc_session *s, const bertc_text *texts, size_t count,
                         bertc_result *results, bertc_error *error) {
    size_t labels = (size_t)z->how->label_count, n;
    int64_t at;
    if (!fill_hypotheses(z, &s->text->store, error)) return false;
    const bertc_text *pairs = make_pairs(z, &s->text->store, texts, count, &n);
    if (!pairs) return error_set(error, "out of memory for the pairs of texts and labels");
    if (!answer_all(s, pairs, n, &at, error)) {
        if (at >= 0)
            error_prefix(error, "text %lld of %zu, label \"%.64s\"", (long long)at / (long long)labels + 1,
                         count, z->how->labels[at % (int64_t)labels]);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        bertc_result r;
        if (!score_text(z, &s->text->store, s->text->results + i * labels, &r))
            return error_set(error, "out of memory for the answers");
        sized_give(SIZED_bertc_result, &r, results, i);
    }
    return true;
}

bool bertc_zero_shot(bertc_session *s, const bertc_text *texts, size_t count,
                     const bertc_zero_shot_options *how, const bertc_text_options *options,
                     bertc_result *results, bertc_error *error) {
    bertc_zero_shot_options own;
    bertc_text_options to;
    zero_shot z = {.how = &own};
    if (!s || (count && (!texts || !results)))
        return error_set(error, "%s is NULL", !s ? "session" : !texts ? "texts" : "results");
    if (!sized_take(SIZED_bertc_zero_shot_options, how, &own, error)) return false;
    if (!own.hypothesis) own.hypothesis = USUAL_HYPOTHESIS;
    if (!check_how(texts, count, &own, error) || !find_labels(&z, s->model, error) ||
        (count && !sized_check(SIZED_bertc_result, results, error)) || !answer_enter(s, options, &to, error))
        return false;
    bool ok = set_options(&z, &to, error) && answer_pairs(&z, s, texts, count, results, error);
    session_leave(s);
    return ok;
}
