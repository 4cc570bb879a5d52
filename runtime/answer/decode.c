// The answer to one text of a group that has been run, by the model's task.
#include <math.h>
#include <string.h>

#include "runtime/answer/answer.h"
#include "runtime/answer/tasks.h"
#include "runtime/load/check.h"

int answer_choices(const bertc_session *s) {
    int n = (int)s->model->descriptor->vocab_size,
        k = s->text->options->top_k > 0 ? s->text->options->top_k : 5;
    return k < n ? k : n;
}

// --- Answers that are not finite

static void hold_finite(const answer_part *p, float x) {
    p->session->text->unfinite |= !isfinite(x);
}

// Of logits, -inf only says "never".
static void hold_logit(const answer_part *p, float x) {
    p->session->text->unfinite |= isnan(x) || x == INFINITY;
}

static int dimensions_of(const bertc_session *s) {
    int asked = s->text->options->dimensions;
    if (!asked) asked = (int)s->model->task->dimensions;
    return asked ? asked : answer_width(s, 0);
}

static void normalize(float *x, int n) {
    double square = 0;
    for (int i = 0; i < n; i++) square += (double)x[i] * (double)x[i];
    double length = sqrt(square);
    if (!(length > 1e-12)) length = 1e-12; // zeros stay
    for (int i = 0; i < n; i++) x[i] = (float)((double)x[i] / length);
}

bool answer_embedding(answer_part *p, const float *row) {
    int n = dimensions_of(p->session);
    float *out = store_take(&p->session->text->store, (size_t)n, sizeof *out);
    if (!out) return false;
    memcpy(out, row, (size_t)n * sizeof *out);
    for (int i = 0; i < n; i++) hold_finite(p, row[i]);
    if (p->session->text->options->normalize || p->session->model->task->normalize) normalize(out, n);
    p->result->embedding = out;
    p->result->embedding_size = n;
    return true;
}

bool answer_labels(answer_part *p, const float *logits) {
    const bertc_model *m = p->session->model;
    bertc_task_kind kind = answer_task(p->session);
    int n = (int)m->task->label_count, most = p->session->text->options->top_k,
        k = most > 0 && most < n ? most : n;
    bertc_score *out = store_take(&p->session->text->store, (size_t)(k ? k : 1), sizeof *out);
    if (!out) return false;
    if (kind == BERTC_TASK_REGRESSION) // values, not ranks: in the labels' order
        for (int i = 0; i < k; i++) out[i] = (bertc_score){.id = i, .score = logits[i]};
    else
        k = task_top(logits, n, k, out);
    bool raw = p->session->text->options->raw_scores;
    if (kind == BERTC_TASK_CLASSIFY && k && !raw) task_softmax(logits, n, out, k);
    if (kind == BERTC_TASK_MULTI_LABEL && !raw) task_sigmoid(out, k);
    for (int i = 0; i < k; i++) out[i].label = bertc_label(m, out[i].id);
    for (int i = 0; i < k; i++) hold_finite(p, out[i].score);
    for (int i = 0; i < n; i++) hold_logit(p, logits[i]);
    p->result->scores = out;
    p->result->score_count = k;
    return true;
}

bool answer_keeps_logits(const bertc_session *s) {
    return answer_task(s) == BERTC_TASK_ENTITIES && s->text->options->aggregation == BERTC_AGGREGATE_AVERAGE;
}

static bool answer_words(answer_part *p, const entity_view *v) {
    size_t count = p->text->word_count;
    if (!p->text->words) return true;
    bertc_score *words = store_take(&p->session->text->store, count ? count : 1, sizeof *words);
    if (!words) return false;
    entities_of_words(v, words);
    p->result->words = words;
    p->result->word_count = (int)count;
    return true;
}

bool answer_entities(answer_part *p, const entity_label *labels, const float *logits) {
    const answer_state *a = p->session->text;
    store *s = &p->session->text->store;
    entity_view v = {.model = p->session->model,
                     .marks = a->marks,
                     .text = p->text,
                     .tokens = p->tokens,
                     .count = p->count,
                     .before = p->before,
                     .labels = labels,
                     .logits = logits,
                     .how = p->text->words ? BERTC_AGGREGATE_WORDS : a->options->aggregation,
                     .raw = a->options->raw_scores};
    for (int i = 0; i < p->count; i++)
        if (p->tokens[i].text == 0) hold_finite(p, labels[i].score);
    size_t sums = v.how == BERTC_AGGREGATE_AVERAGE ? v.model->task->label_count : 0;
    if (sums && !(v.sums = store_take(s, sums, sizeof *v.sums))) return false;
    if (!answer_words(p, &v)) return false;
    bertc_entity *out = store_take(s, (size_t)p->count, sizeof *out);
    if (!out) return false;
    int n = entities_find(&v, out);
    store_trim(s, out, (size_t)n * sizeof *out);
    p->result->entities = out;
    p->result->entity_count = n;
    return true;
}

static bool decode_entities(answer_part *p) {
    store *s = &p->session->text->store;
    int n = answer_width(p->session, 0);
    size_t row = answer_keeps_logits(p->session) ? (size_t)n : 0;
    entity_label *labels = store_take(s, (size_t)p->count, sizeof *labels);
    float *logits = row ? store_take(s, (size_t)p->count * row, sizeof *logits) : NULL;
    if (!labels || (row && !logits)) return false;
    for (int i = 0; i < p->count; i++) {
        const float *from = answer_row(p, 0, p->first + i);
        labels[i] = entity_label_of(from, n);
        if (row) memcpy(logits + (size_t)i * row, from, row * sizeof *logits);
    }
    return answer_entities(p, labels, logits);
}

void answer_mask(const answer_part *p, const bertc_token *t, int64_t row, bertc_score *scores,
                 bertc_mask *out) {
    const bertc_model *m = p->session->model;
    int n = (int)m->descriptor->vocab_size;
    const float *logits = answer_row(p, 0, row);
    int k = task_top(logits, n, answer_choices(p->session), scores);
    if (!p->session->text->options->raw_scores) task_softmax(logits, n, scores, k);
    for (int i = 0; i < k; i++) scores[i].label = bertc_token_text(m, scores[i].id);
    for (int i = 0; i < k; i++) hold_finite(p, scores[i].score);
    *out = (bertc_mask){.char_start = t->char_start,
                        .char_end = t->char_end,
                        .byte_start = t->byte_start,
                        .byte_end = t->byte_end,
                        .text = t->text,
                        .score_count = k,
                        .scores = scores};
}

static bool decode_masks(answer_part *p) {
    store *s = &p->session->text->store;
    size_t rows = (size_t)(p->rows ? p->rows : 1), k = (size_t)answer_choices(p->session);
    bertc_mask *out = store_take(s, rows, sizeof *out);
    bertc_score *scores = out ? store_take(s, rows * k, sizeof *scores) : NULL;
    if (!scores) return false;
    const int32_t *at = p->session->group.inputs[INPUT_ROWS];
    for (int i = 0; i < p->rows; i++)
        answer_mask(p, &p->session->text->tokens[at[p->row + i]], p->row + i, scores + (size_t)i * k,
                    &out[i]);
    p->result->masks = out;
    p->result->mask_count = p->rows;
    return true;
}

// Index 0 says that the pair is the next sentence.
void answer_next(answer_part *p, const float *logits) {
    bool raw = p->session->text->options->raw_scores;
    bertc_score first = {.score = logits[0]};
    if (!raw) task_softmax(logits, 2, &first, 1);
    if (p->text->pair) hold_finite(p, first.score);
    p->result->next_sentence = p->text->pair ? first.score : raw ? NAN : -1;
}

static span_rules rules_of(const answer_part *p) {
    const bertc_text_options *o = p->session->text->options;
    return (span_rules){.top = o->top_k > 0 ? o->top_k : 1,
                        .longest = o->max_answer_tokens > 0 ? o->max_answer_tokens : 15,
                        .words = !o->answer_as_tokens,
                        .none = o->no_answer};
}

bool answer_spans(const answer_part *p, span_list *spans) {
    const float *start = answer_row(p, 0, p->first), *end = answer_row(p, 1, p->first);
    const span_rules rules = rules_of(p);
    for (int i = 0; i < p->count; i++) {
        if (p->tokens[i].text != 1 && i > 0) continue;
        hold_logit(p, start[i]);
        hold_logit(p, end[i]);
    }
    return spans_add(spans, &p->session->text->store, p->text, p->tokens, p->count, start, end, &rules);
}

bool answer_best(answer_part *p, span_list *spans) {
    const span_rules rules = rules_of(p);
    bertc_result *r = p->result;
    bertc_answer *answers;
    if (!spans_best(spans, &p->session->text->store, &rules, &answers, &r->answer_count)) return false;
    for (int i = 0; p->session->text->options->raw_scores && i < r->answer_count; i++)
        answers[i].score = answers[i].logit_score;
    r->answers = answers;
    r->no_answer = spans->none;
    if (p->session->text->options->raw_scores) r->no_answer.score = r->no_answer.logit_score;
    if (r->answer_count) r->answer = answers[0];
    for (int i = 0; i < r->answer_count; i++) hold_finite(p, answers[i].score);
    return true;
}

static bool decode_answer(answer_part *p) {
    span_list spans = {0};
    return answer_spans(p, &spans) && answer_best(p, &spans);
}

static bool decode_several(answer_part *p) {
    const int *outputs = p->session->text->outputs;
    return (outputs[0] < 0 || answer_embedding(p, answer_row(p, 0, p->index))) &&
           (outputs[1] < 0 || answer_token_weights(p, 1)) && (outputs[2] < 0 || answer_vectors(p, 2));
}

answer_part answer_part_of(bertc_session *s, int64_t q) {
    const int32_t *bounds = s->group.inputs[INPUT_BOUNDS], *row_bounds = s->group.inputs[INPUT_ROW_BOUNDS];
    int64_t place = s->group.places[q];
    return (answer_part){.session = s,
                         .text = &s->text->texts[place],
                         .tokens = s->text->tokens + bounds[q],
                         .index = q,
                         .first = bounds[q],
                         .row = row_bounds[q],
                         .count = bounds[q + 1] - bounds[q],
                         .rows = row_bounds[q + 1] - row_bounds[q],
                         .result = &s->text->results[place]};
}

bool answer_decode(answer_part *p) {
    bertc_task_kind kind = answer_task(p->session);
    *p->result = answer_none(p->session, (size_t)p->count);
    p->result->window_count = 1;
    switch (kind) {
    case BERTC_TASK_TENSORS: return true;
    case BERTC_TASK_EMBEDDING: return answer_embedding(p, answer_row(p, 0, p->index));
    case BERTC_TASK_VECTORS: return answer_vectors(p, 0);
    case BERTC_TASK_SEVERAL: return decode_several(p);
    case BERTC_TASK_SPARSE: return answer_sparse(p, answer_row(p, 0, p->index));
    case BERTC_TASK_CLASSIFY:
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION: return answer_labels(p, answer_row(p, 0, p->index));
    case BERTC_TASK_ENTITIES: return decode_entities(p);
    case BERTC_TASK_ANSWER: return decode_answer(p);
    case BERTC_TASK_FILL_MASK: return decode_masks(p);
    case BERTC_TASK_NEXT_SENTENCE: answer_next(p, answer_row(p, 0, p->index)); return true;
    case BERTC_TASK_PRETRAINING: answer_next(p, answer_row(p, 1, p->index)); return decode_masks(p);
    }
    return true;
}
