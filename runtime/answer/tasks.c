// Answers from logits.
#include "runtime/answer/tasks.h"

#include <math.h>
#include <string.h>

// --- The best few

static bool worse(const bertc_score *a, const bertc_score *b) {
    return a->score < b->score || (a->score == b->score && a->id > b->id);
}

// A heap whose root is the worst.
static void sift_down(bertc_score *heap, int n, int i) {
    for (int child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && worse(&heap[child + 1], &heap[child])) child++;
        if (!worse(&heap[child], &heap[i])) return;
        bertc_score t = heap[i];
        heap[i] = heap[child];
        heap[child] = t;
    }
}

int task_top(const float *logits, int n, int k, bertc_score *out) {
    if (k > n) k = n;
    if (k <= 0) return 0;
    for (int i = 0; i < k; i++) out[i] = (bertc_score){.id = i, .score = logits[i]};
    for (int i = k / 2 - 1; i >= 0; i--) sift_down(out, k, i);
    for (int i = k; i < n; i++)
        if (logits[i] > out[0].score) {
            out[0] = (bertc_score){.id = i, .score = logits[i]};
            sift_down(out, k, 0);
        }
    for (int left = k - 1; left > 0; left--) { // the worst goes to the end
        bertc_score t = out[0];
        out[0] = out[left];
        out[left] = t;
        sift_down(out, left, 0);
    }
    return k;
}

static float largest(const float *x, int n) {
    float m = x[0];
    for (int i = 1; i < n; i++)
        if (x[i] > m) m = x[i];
    return m;
}

static double exp_sum(const float *x, int n, float max) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += exp((double)x[i] - (double)max);
    return sum;
}

void task_softmax(const float *logits, int n, bertc_score *scores, int count) {
    float max = largest(logits, n);
    double sum = exp_sum(logits, n, max);
    for (int i = 0; i < count; i++)
        scores[i].score = (float)(exp((double)scores[i].score - (double)max) / sum);
}

void task_sigmoid(bertc_score *scores, int count) {
    for (int i = 0; i < count; i++) scores[i].score = (float)(1 / (1 + exp(-(double)scores[i].score)));
}

// --- Entities

static const char *tag_of(const char *label) {
    bool marked = (label[0] == 'B' || label[0] == 'I') && label[1] == '-';
    return marked ? label + 2 : label;
}

static const char *type_of(const char *label) {
    const char *dash = strchr(label, '-');
    return dash ? dash + 1 : label;
}

// A group that is being put together.
typedef struct entity_group {
    bertc_entity entity;
    const char *last; // label of its last token
    double sum;
    int count;
} entity_group;

static int close_group(entity_group *g, bertc_entity *out, int n) {
    if (g->count == 0 || strcmp(g->entity.type, "O") == 0) return n;
    g->entity.score = (float)(g->sum / g->count);
    out[n] = g->entity;
    return n + 1;
}

bertc_score task_token(const bertc_model *m, const float *logits) {
    int labels = (int)m->task->label_count;
    bertc_score best = {.id = -1};
    if (!task_top(logits, labels, 1, &best)) return best;
    best.label = bertc_label(m, best.id);
    best.score = (float)(1 / exp_sum(logits, labels, best.score));
    return best;
}

int task_entities(const bertc_token *tokens, int n, const bertc_score *labels, bool words,
                  bertc_entity *out) {
    int count = 0, word = -1;
    entity_group g = {.count = 0};
    for (int i = 0; i < n; i++) {
        const bertc_token *t = &tokens[i];
        const char *label = labels[i].label;
        if (t->text != 0 || !label) continue;
        bool begins = label[0] == 'B' && label[1] == '-', goes_on = words && g.count && t->word == word;
        if (!goes_on && (g.count == 0 || begins || strcmp(tag_of(label), tag_of(g.last)) != 0)) {
            count = close_group(&g, out, count);
            g = (entity_group){
                .entity = {.type = type_of(label), .char_start = t->char_start, .byte_start = t->byte_start}};
        }
        g.entity.char_end = t->char_end;
        g.entity.byte_end = t->byte_end;
        word = t->word;
        if (goes_on) continue;
        g.last = label;
        g.sum += (double)labels[i].score;
        g.count++;
    }
    return close_group(&g, out, count);
}

void task_words(const bertc_token *tokens, int n, const bertc_score *labels, bertc_score *out, size_t count) {
    for (size_t w = 0; w < count; w++) out[w] = (bertc_score){.id = -1};
    for (int i = n - 1; i >= 0; i--)
        if (tokens[i].text == 0 && tokens[i].word >= 0 && (size_t)tokens[i].word < count)
            out[tokens[i].word] = labels[i];
}

// --- Answers

static bool same_word(const bertc_token *a, const bertc_token *b) {
    return a->text == b->text && a->word == b->word && a->word >= 0;
}

bertc_answer task_answer(const bertc_token *tokens, int n, const float *start, const float *end, int longest,
                         bool words) {
    bertc_answer a = {.found = false};
    double best = -INFINITY;
    int from = -1, to = -1;
    for (int i = 0; i < n; i++) {
        if (tokens[i].text != 1) continue;
        for (int k = i; k < n && k - i < longest; k++) {
            double sum = (double)start[i] + (double)end[k];
            if (tokens[k].text != 1 || !(sum > best)) continue;
            best = sum;
            from = i;
            to = k;
        }
    }
    if (from < 0) return a;
    while (words && from > 0 && same_word(&tokens[from - 1], &tokens[from])) from--;
    while (words && to + 1 < n && same_word(&tokens[to + 1], &tokens[to])) to++;
    return (bertc_answer){.found = true,
                          .score = (float)best,
                          .char_start = tokens[from].char_start,
                          .char_end = tokens[to].char_end,
                          .byte_start = tokens[from].byte_start,
                          .byte_end = tokens[to].byte_end};
}
