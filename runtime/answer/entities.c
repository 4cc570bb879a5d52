#include "runtime/answer/entities.h"

#include <string.h>

#include "runtime/answer/tasks.h"
#include "runtime/answer/words.h"

entity_label entity_label_of(const float *logits, int n) {
    bertc_score best = {.id = -1};
    if (!task_top(logits, n, 1, &best)) return (entity_label){.id = -1};
    entity_label l = {.id = best.id, .logit = best.score};
    task_softmax(logits, n, &best, 1);
    l.score = best.score;
    return l;
}

// --- The label of tokens [from, to) as one word

static entity_label average_of(const entity_view *v, int from, int to) {
    int n = (int)v->model->task->label_count;
    for (int k = 0; k < n; k++) v->sums[k] = 0;
    for (int i = from; i < to; i++) task_add_softmax(v->logits + (size_t)i * (size_t)n, n, v->sums);
    entity_label best = {.id = 0};
    for (int k = 1; k < n; k++)
        if (v->sums[k] > v->sums[best.id]) best.id = k;
    double logit = 0;
    for (int i = from; i < to; i++) logit += (double)v->logits[(size_t)i * (size_t)n + (size_t)best.id];
    best.score = (float)(v->sums[best.id] / (to - from));
    best.logit = (float)(logit / (to - from));
    return best;
}

static entity_label word_label(const entity_view *v, int from, int to) {
    entity_label best = v->labels[from];
    if (best.id < 0) return best;
    if (v->how == BERTC_AGGREGATE_AVERAGE && to - from > 1) return average_of(v, from, to);
    if (v->how == BERTC_AGGREGATE_MAX)
        for (int i = from + 1; i < to; i++)
            if (v->labels[i].score > best.score) best = v->labels[i];
    return best;
}

// --- Words

// Does token i belong to the word of the token before it?
static bool goes_on(const entity_view *v, int i) {
    const bertc_token *t = &v->tokens[i];
    switch (v->how) {
    case BERTC_AGGREGATE_WORDS: return v->text->words ? t->word == t[-1].word : words_join(v->text, t - 1, t);
    case BERTC_AGGREGATE_FIRST:
    case BERTC_AGGREGATE_AVERAGE:
    case BERTC_AGGREGATE_MAX: return words_join_as_transformers(v->model, v->text, t);
    case BERTC_AGGREGATE_SIMPLE:
    case BERTC_AGGREGATE_NONE: break;
    }
    return false;
}

static int word_end(const entity_view *v, int from) {
    int to = from + 1;
    while (to < v->count && v->tokens[to].text == 0 && goes_on(v, to)) to++;
    return to;
}

// --- Groups of words

// As Transformers reads a label: a type that neighbours share, and the mark that parts them.
static const char *plain_tag(const char *label) {
    return (label[0] == 'B' || label[0] == 'I') && label[1] == '-' ? label + 2 : label;
}

static const char *plain_type(const char *label) {
    const char *dash = strchr(label, '-');
    return dash ? dash + 1 : label;
}

// The entity that is being put together.
typedef struct entity_group {
    bertc_entity entity;
    int last; // label of its last word
    double sum;
    int count; // words; 0: there is none
} entity_group;

static int close_group(const entity_group *g, bertc_aggregation how, bertc_entity *out, int n) {
    const char *type = g->entity.type;
    bool outside = !type || (how != BERTC_AGGREGATE_WORDS && !strcmp(type, "O"));
    if (!g->count || outside) return n;
    out[n] = g->entity;
    out[n].score = (float)(g->sum / g->count);
    return n + 1;
}

// Does a word of that label go on with the group?
static bool extends(const entity_view *v, const entity_group *g, int label) {
    if (!g->count || v->how == BERTC_AGGREGATE_NONE) return false;
    if (v->how == BERTC_AGGREGATE_WORDS) {
        const label_mark *a = &v->marks[g->last], *b = &v->marks[label];
        if (a->place == LABEL_ENDS || a->place == LABEL_SINGLE) return false;
        if (b->place == LABEL_BEGINS || b->place == LABEL_SINGLE) return false;
        return a->type && b->type ? !strcmp(a->type, b->type) : a->type == b->type;
    }
    const char *name = bertc_label(v->model, label);
    bool begins = name[0] == 'B' && name[1] == '-';
    return !begins && !strcmp(plain_tag(name), plain_tag(bertc_label(v->model, g->last)));
}

static const char *type_of(const entity_view *v, int label) {
    if (v->how == BERTC_AGGREGATE_WORDS) return v->marks[label].type;
    const char *name = bertc_label(v->model, label);
    return v->how == BERTC_AGGREGATE_NONE ? name : plain_type(name);
}

static entity_group begin_group(const entity_view *v, int from, int label) {
    const bertc_token *t = &v->tokens[from];
    entity_group g = {.entity = {.type = type_of(v, label),
                                 .char_start = t->char_start,
                                 .byte_start = t->byte_start,
                                 .single = v->how == BERTC_AGGREGATE_NONE}};
    if (!g.entity.single) return g;
    g.entity.index = v->before + from;
    if (!words_unknown(v->model, t)) g.entity.token = bertc_token_text(v->model, t->id);
    return g;
}

int entities_find(const entity_view *v, bertc_entity *out) {
    int n = 0;
    entity_group g = {.count = 0};
    for (int from = 0, to; from < v->count; from = to) {
        to = from + 1;
        if (v->tokens[from].text != 0) continue;
        to = word_end(v, from);
        entity_label l = word_label(v, from, to);
        if (l.id < 0) continue;
        if (!extends(v, &g, l.id)) {
            n = close_group(&g, v->how, out, n);
            g = begin_group(v, from, l.id);
        }
        g.entity.char_end = v->tokens[to - 1].char_end;
        g.entity.byte_end = v->tokens[to - 1].byte_end;
        g.last = l.id;
        g.sum += (double)(v->raw ? l.logit : l.score);
        g.count++;
    }
    return close_group(&g, v->how, out, n);
}

void entities_of_words(const entity_view *v, bertc_score *out) {
    size_t count = v->text->word_count;
    for (size_t w = 0; w < count; w++) out[w] = (bertc_score){.id = -1};
    for (int i = v->count - 1; i >= 0; i--) {
        const bertc_token *t = &v->tokens[i];
        if (t->text != 0 || t->word < 0 || (size_t)t->word >= count || v->labels[i].id < 0) continue;
        const entity_label *l = &v->labels[i];
        out[t->word] = (bertc_score){bertc_label(v->model, l->id), l->id, v->raw ? l->logit : l->score};
    }
}
