// Texts that are read in windows: the windows' outputs are gathered as the groups run, and become one
// answer at the end. A token that is in several windows counts in the one where it is farthest from an
// edge, since there it has the most text round it.
#include <limits.h>
#include <math.h>
#include <string.h>

#include "runtime/answer/answer.h"
#include "runtime/answer/tasks.h"

static float *zeros(store *s, int n) {
    float *x = store_take(s, (size_t)(n ? n : 1), sizeof *x);
    if (x) memset(x, 0, (size_t)n * sizeof *x);
    return x;
}

static int *unseen(store *s, int n) {
    int *x = store_take(s, (size_t)(n ? n : 1), sizeof *x);
    for (int i = 0; x && i < n; i++) x[i] = -1;
    return x;
}

// The output whose row a text has, as an index in s->text->outputs; -1: none.
static int row_output(bertc_task_kind kind) {
    switch (kind) {
    case BERTC_TASK_EMBEDDING:
    case BERTC_TASK_SPARSE:
    case BERTC_TASK_CLASSIFY:
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION:
    case BERTC_TASK_NEXT_SENTENCE: return 0;
    case BERTC_TASK_PRETRAINING: return 1;
    case BERTC_TASK_TENSORS:
    case BERTC_TASK_ENTITIES:
    case BERTC_TASK_ANSWER:
    case BERTC_TASK_VECTORS:
    case BERTC_TASK_SEVERAL:
    case BERTC_TASK_FILL_MASK: break;
    }
    return -1;
}

static bool begin_entities(bertc_session *s, answer_long *l, const bertc_token *tokens) {
    store *memory = &s->text->store;
    size_t n = (size_t)l->count, row = answer_keeps_logits(s) ? (size_t)answer_width(s, 0) : 0;
    l->tokens = store_take(memory, n, sizeof *l->tokens);
    l->labels = store_take(memory, n, sizeof *l->labels);
    l->logits = row ? store_take(memory, n * row, sizeof *l->logits) : NULL;
    l->nearest = unseen(memory, l->count);
    if (!l->tokens || !l->labels || (row && !l->logits) || !l->nearest) return false;
    memcpy(l->tokens, tokens + l->first, n * sizeof *tokens);
    return true;
}

static bool begin_masks(bertc_session *s, answer_long *l, const bertc_token *tokens, size_t n) {
    store *memory = &s->text->store;
    int32_t mask = s->model->task->mask_id;
    size_t count = 0, k = (size_t)answer_choices(s), at = 0;
    for (size_t i = 0; i < n; i++) count += tokens[i].id == mask;
    l->masks = store_take(memory, count + 1, sizeof *l->masks);
    l->mask_at = store_take(memory, count + 1, sizeof *l->mask_at);
    l->nearest = unseen(memory, (int)count);
    l->mask_scores = store_take(memory, (count + 1) * k, sizeof *l->mask_scores);
    if (!l->masks || !l->mask_at || !l->nearest || !l->mask_scores) return false;
    for (size_t i = 0; i < n; i++)
        if (tokens[i].id == mask) l->mask_at[at++] = (int)i;
    s->text->results[l->place].masks = l->masks;
    s->text->results[l->place].mask_count = (int)count;
    return true;
}

answer_long *windows_begin(bertc_session *s, int64_t place, const bertc_token *tokens, size_t n, int moving) {
    store *memory = &s->text->store;
    bertc_task_kind kind = answer_task(s);
    answer_long *l = store_take(memory, 1, sizeof *l);
    if (!l) return NULL;
    *l = (answer_long){.before = s->text->longs, .place = place, .unit = true};
    size_t held = s->text->prompt.tokens; // in every window
    while ((size_t)l->first < n && (tokens[l->first].text != moving || (size_t)l->first < held)) l->first++;
    while ((size_t)(l->first + l->count) < n && tokens[l->first + l->count].text == moving) l->count++;
    s->text->results[place] = answer_none(s, n);
    int output = row_output(kind);
    bool ok = output < 0 || (l->sums = zeros(memory, answer_width(s, output))) != NULL;
    if (kind == BERTC_TASK_ENTITIES) ok = ok && begin_entities(s, l, tokens);
    if (answer_has_masks(s)) ok = ok && begin_masks(s, l, tokens, n);
    if (!ok) return NULL;
    s->text->longs = l;
    return l;
}

// --- Gathering

static void add_row(const answer_part *p, const answer_window *w, int output) {
    int n = answer_width(p->session, output);
    const float *row = answer_row(p, output, p->index);
    double square = 0;
    if (answer_task(p->session) == BERTC_TASK_SPARSE) { // 0 is the least weight
        for (int i = 0; i < n; i++)
            if (!(row[i] <= w->of->sums[i])) w->of->sums[i] = row[i];
        return;
    }
    for (int i = 0; i < n; i++) {
        w->of->sums[i] += (float)w->count * row[i];
        square += (double)row[i] * (double)row[i];
    }
    w->of->weight += w->count;
    if (fabs(square - 1) > 1e-3) w->of->unit = false;
}

// Tokens between a moving token of the window and the nearer edge, where the text goes on.
static int margin(const answer_window *w, int i) {
    int left = w->start ? i : INT_MAX,
        right = w->start + w->count < w->of->count ? w->count - 1 - i : INT_MAX;
    return left < right ? left : right;
}

static void add_entities(const answer_part *p, const answer_window *w) {
    answer_long *l = w->of;
    int n = answer_width(p->session, 0);
    for (int i = 0; i < w->count; i++) {
        int at = w->start + i, far = margin(w, i);
        if (far <= l->nearest[at]) continue;
        l->nearest[at] = far;
        const float *row = answer_row(p, 0, p->first + l->first + i);
        l->labels[at] = entity_label_of(row, n);
        if (l->logits) memcpy(l->logits + (size_t)at * (size_t)n, row, (size_t)n * sizeof *row);
    }
}

static void add_masks(const answer_part *p, const answer_window *w) {
    const int32_t *rows = p->session->group.inputs[INPUT_ROWS];
    answer_long *l = w->of;
    for (int r = 0, mask = 0; r < p->rows; r++) {
        int t = (int)(rows[p->row + r] - p->first), i = t - l->first, far = INT_MAX, at = t;
        if (i >= w->count) at = t - w->count + l->count;
        if (i >= 0 && i < w->count) at = t + w->start, far = margin(w, i);
        while (l->mask_at[mask] != at) mask++;
        if (far <= l->nearest[mask]) continue;
        l->nearest[mask] = far;
        answer_mask(p, &p->tokens[t], p->row + r, l->mask_scores + mask * answer_choices(p->session),
                    &l->masks[mask]);
    }
}

bool windows_add(answer_part *p, const answer_window *w) {
    bertc_task_kind kind = answer_task(p->session);
    int output = row_output(kind);
    p->result->window_count++;
    if (output >= 0) add_row(p, w, output);
    if (kind == BERTC_TASK_ENTITIES) add_entities(p, w);
    if (answer_has_masks(p->session)) add_masks(p, w);
    return kind != BERTC_TASK_ANSWER || answer_spans(p, &w->of->spans);
}

// --- The answer

static void average(answer_long *l, int n, bool embedding) {
    double by = l->weight, square = 0;
    for (int i = 0; i < n; i++) square += (double)l->sums[i] * (double)l->sums[i];
    if (embedding && l->unit && square > 0) by = sqrt(square);
    for (int i = 0; i < n; i++) l->sums[i] = (float)((double)l->sums[i] / by);
}

static bool finish_one(bertc_session *s, answer_long *l) {
    bertc_task_kind kind = answer_task(s);
    answer_part p = {.session = s,
                     .text = &s->text->texts[l->place],
                     .tokens = l->tokens,
                     .count = l->count,
                     .before = l->first,
                     .result = &s->text->results[l->place]};
    int output = row_output(kind);
    if (output >= 0 && kind != BERTC_TASK_SPARSE)
        average(l, answer_width(s, output), kind == BERTC_TASK_EMBEDDING);
    switch (kind) {
    case BERTC_TASK_EMBEDDING: return answer_embedding(&p, l->sums);
    case BERTC_TASK_SPARSE: return answer_sparse(&p, l->sums);
    case BERTC_TASK_CLASSIFY:
    case BERTC_TASK_MULTI_LABEL:
    case BERTC_TASK_REGRESSION: return answer_labels(&p, l->sums);
    case BERTC_TASK_NEXT_SENTENCE:
    case BERTC_TASK_PRETRAINING: answer_next(&p, l->sums); return true;
    case BERTC_TASK_ENTITIES: return answer_entities(&p, l->labels, l->logits);
    case BERTC_TASK_ANSWER: return answer_best(&p, &l->spans);
    case BERTC_TASK_VECTORS:
    case BERTC_TASK_SEVERAL:
    case BERTC_TASK_TENSORS:
    case BERTC_TASK_FILL_MASK: break;
    }
    return true;
}

bool windows_finish(bertc_session *s, int64_t *place) {
    for (answer_long *l = s->text->longs; l && !s->text->unfinite; l = l->before) {
        *place = l->place;
        if (!finish_one(s, l)) return false;
    }
    return true;
}
