// Examples, some thousand rows at a time: read, answered on all threads, and counted in their order.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/evaluate/evaluate.h"
#include "frontend/cli/run/crew.h"
#include "ir/memory.h"

// What a row's answer is; which of these, the kind says.
typedef struct found {
    float *numbers; // probabilities in the labels' order, or numbers
    compared vector;
    int count, best;
    int32_t *words;      // of each word its label; -1: it has none
    bool answered, none; // is there a span; is "none" the answer?
    uint32_t start, end; // bytes of the context
    double lead;         // by how much "none" scores above the span
} found;

typedef struct item {
    data_example e;
    int row, other; // `other`: of the second text, or the swapped one; -1: there is none
    int gold;
    float *marks;
    const char **tags;
} item;

typedef struct batch {
    evaluation *v;
    chunk work;
    crew *workers;
    bertc_text_options options;
    found *found; // of each row
    item *items;
    int count;
    arena *arena;
} batch;

// --- Answers, on any thread

static bool take_numbers(found *f, const bertc_score *scores, int n) {
    f->numbers = memory_zero((size_t)(n ? n : 1), sizeof *f->numbers);
    f->count = n;
    for (int i = 0; f->numbers && i < n; i++)
        if (scores[i].id >= 0 && scores[i].id < n) f->numbers[scores[i].id] = scores[i].score;
    f->best = n ? scores[0].id : -1;
    return f->numbers != NULL;
}

static bool take_words(found *f, const bertc_result *r) {
    f->count = r->word_count;
    f->words = memory_alloc((size_t)r->word_count, sizeof *f->words);
    for (int i = 0; f->words && i < f->count; i++) f->words[i] = r->words[i].label ? r->words[i].id : -1;
    return f->words != NULL;
}

static void take_span(found *f, const bertc_result *r, const evaluate_options *o) {
    const bertc_answer *best = NULL;
    for (int i = 0; i < r->answer_count && !best; i++)
        if (r->answers[i].found) best = &r->answers[i];
    f->answered = best != NULL;
    f->start = best ? best->byte_start : 0;
    f->end = best ? best->byte_end : 0;
    f->lead = best ? (double)r->no_answer.logit_score - (double)best->logit_score : INFINITY;
    f->none = isnan(o->null_difference) ? !r->answer.found : f->lead > o->null_difference;
}

static bool take(void *user, row *r, const bertc_result *result, const char **why) {
    const batch *b = user;
    found *f = &b->found[r - b->work.rows];
    (void)why;
    switch (b->v->kind) {
    case EVALUATE_LABEL:
    case EVALUATE_LABELS:
    case EVALUATE_NUMBER: return take_numbers(f, result->scores, result->score_count);
    case EVALUATE_SCORED: return compared_take(&f->vector, &b->v->compare, result);
    case EVALUATE_TAGS: return take_words(f, result);
    case EVALUATE_ANSWER: take_span(f, result, b->v->options); return true;
    case EVALUATE_RANKED:
    case EVALUATE_RERANKED:
    case EVALUATE_TEXT: break;
    }
    return true;
}

// --- Gold answers

static const char *find_tags(const batch *b, item *x) {
    x->tags = ARENA_ARRAY(b->arena, const char *, x->e.label_count + 1);
    for (int i = 0; i < x->e.label_count; i++) {
        int id = data_labels_find(b->v->labels, &x->e.labels[i]);
        if (id < 0) return data_labels_unknown(b->v->labels, &x->e.labels[i], b->arena);
        x->tags[i] = data_labels_name(b->v->labels, id);
    }
    return NULL;
}

// NULL, or why the example can't be held against the model's answers.
static const char *find_gold(const batch *b, item *x) {
    const evaluation *v = b->v;
    if (x->e.positive_count && v->kind != EVALUATE_SCORED)
        return "has documents to rank, and the lines before it have labels or numbers";
    switch (v->kind) {
    case EVALUATE_LABEL:
        x->gold = data_labels_find(v->labels, &x->e.labels[0]);
        return x->gold < 0 ? data_labels_unknown(v->labels, &x->e.labels[0], b->arena) : NULL;
    case EVALUATE_LABELS:
        x->marks = ARENA_ARRAY(b->arena, float, v->tallies.labels);
        return data_labels_mark(v->labels, &x->e, x->marks, b->arena);
    case EVALUATE_NUMBER:
        if (x->e.number_count == v->info.label_count) return NULL;
        return arena_printf(b->arena, "has %d number%s, and the model answers with %d", x->e.number_count,
                            x->e.number_count == 1 ? "" : "s", v->info.label_count);
    case EVALUATE_TAGS: return find_tags(b, x);
    case EVALUATE_SCORED: return x->e.number_count == 1 ? NULL : "has no score, as the lines before it have";
    case EVALUATE_ANSWER:
    case EVALUATE_RANKED:
    case EVALUATE_RERANKED:
    case EVALUATE_TEXT: break;
    }
    return NULL;
}

static int add_row(batch *b, const data_example *e, const bertc_text *text) {
    b->work.rows[b->work.count] = (row){.line = e->line, .text = *text};
    return b->work.count++;
}

static void add_rows(batch *b, item *x) {
    bertc_text other = {0};
    x->other = -1;
    if (b->v->kind == EVALUATE_SCORED) {
        bertc_text first = {.text = x->e.text.text, .size = x->e.text.size};
        other = (bertc_text){.text = x->e.text.pair, .size = x->e.text.pair_size};
        x->row = add_row(b, &x->e, &first);
        x->other = add_row(b, &x->e, &other);
        return;
    }
    x->row = add_row(b, &x->e, &x->e.text);
    if (b->v->swaps.count && swap_example(&b->v->swaps, &x->e.text, &other, b->arena))
        x->other = add_row(b, &x->e, &other);
}

// Reads until there are so many rows or bytes. False: no line was left.
static bool read_batch(batch *b, int64_t rows, diag *d) {
    evaluation *v = b->v;
    size_t bytes = 0;
    int64_t lines = 0;
    item *x = b->items;
    while (b->work.count + 2 <= rows && bytes < CHUNK_BYTES && data_next(v->source, &x->e, b->arena, d)) {
        const char *why = x->e.error ? x->e.error : find_gold(b, x);
        v->unknown |= why && strstr(why, DATA_LABEL_UNKNOWN);
        lines++;
        bytes += x->e.text.size + x->e.text.pair_size + x->e.text.word_count * sizeof(bertc_word) + 256;
        if (why) {
            data_report(v->source, &x->e, why, d);
            continue;
        }
        add_rows(b, x++);
        b->count++;
    }
    chunk_order(&b->work);
    return lines > 0;
}

// --- Counts

// Words at the end that were cut off are not asked for; a word without a token has no tag.
static void count_tags(batch *b, const item *x, const found *f, tally *one) {
    int n = f->count;
    const char **names = ARENA_ARRAY(b->arena, const char *, n + 1);
    while (n && f->words[n - 1] < 0) n--;
    for (int i = 0; i < n; i++)
        names[i] = f->words[i] < 0 ? "O" : data_labels_name(b->v->labels, f->words[i]);
    one->cut += f->count - n;
    span_metrics_add(&one->spans, x->tags, names, n);
}

static void count_answer(const batch *b, const item *x, const found *f, tally *one) {
    answer_text *gold = ARENA_ARRAY(b->arena, answer_text, x->e.answer_count + 1);
    for (int i = 0; i < x->e.answer_count; i++)
        gold[i] = (answer_text){x->e.answers[i].text, x->e.answers[i].size};
    answer_text span = {f->answered ? x->e.text.pair + f->start : "", f->answered ? f->end - f->start : 0};
    const answer_text none = {"", 0};
    answer_metrics_add(&one->answers, f->none ? &none : &span, gold, x->e.answer_count);
    answer_metrics_add_span(&one->answers, &span, f->lead, gold, x->e.answer_count);
}

static void count_one(batch *b, const item *x, tally *one) {
    const evaluation *v = b->v;
    const found *f = &b->found[x->row], *other = x->other < 0 ? NULL : &b->found[x->other];
    one->count++;
    switch (v->kind) {
    case EVALUATE_LABEL: label_metrics_add(&one->label, x->gold, f->best, (double)f->numbers[f->best]); break;
    case EVALUATE_LABELS: multi_label_add(&one->marks, x->marks, f->numbers, v->options->threshold); break;
    case EVALUATE_NUMBER:
        one->numbers.columns = f->count;
        for (int i = 0; i < f->count; i++)
            number_metrics_add(&one->numbers, x->e.numbers[i], (double)f->numbers[i]);
        break;
    case EVALUATE_TAGS: count_tags(b, x, f, one); break;
    case EVALUATE_ANSWER: count_answer(b, x, f, one); break;
    case EVALUATE_SCORED:
        number_metrics_add(&one->numbers, x->e.numbers[0],
                           compared_likeness(&v->compare, &f->vector, &other->vector));
        break;
    case EVALUATE_RANKED:
    case EVALUATE_RERANKED:
    case EVALUATE_TEXT: break;
    }
}

static void count_swapped(batch *b, const item *x) {
    evaluation *v = b->v;
    const found *f = &b->found[x->row], *g = &b->found[x->other];
    double most = 0, differ = 0;
    bool flips = false;
    if (v->kind == EVALUATE_TAGS) {
        int n = f->count < g->count ? f->count : g->count;
        for (int i = 0; i < n; i++) differ += f->words[i] != g->words[i];
        swap_count(&v->swapped, differ > 0, n ? differ / n : 0, x->e.line);
        return;
    }
    for (int i = 0; i < f->count; i++) {
        double p = (double)f->numbers[i], q = (double)g->numbers[i];
        most = fmax(most, fabs(p - q));
        flips |= (p > v->options->threshold) != (q > v->options->threshold);
    }
    if (v->kind == EVALUATE_LABEL) {
        flips = f->best != g->best;
        most = fabs((double)f->numbers[f->best] - (double)g->numbers[f->best]);
    }
    swap_count(&v->swapped, v->kind == EVALUATE_NUMBER ? most > 0 : flips, most, x->e.line);
}

static bool count_item(batch *b, item *x, diag *d) {
    evaluation *v = b->v;
    const char *error = b->work.rows[x->row].error;
    if (!error && x->other >= 0) error = b->work.rows[x->other].error;
    if (error) {
        data_report(v->source, &x->e, error, d);
        return true;
    }
    v->unanswerable += v->kind == EVALUATE_ANSWER && !x->e.answer_count;
    count_one(b, x, &v->tallies.all);
    if (v->swaps.count && x->other >= 0) count_swapped(b, x);
    if (!v->options->group_by) return true;
    if (!x->e.group) return v->tallies.ungrouped++, true;
    tally *group = tallies_group(&v->tallies, x->e.group);
    if (!group)
        return diag_error(d, data_name(v->source), "has more than %d groups by %s", GROUPS_MAX,
                          v->options->group_by);
    count_one(b, x, group);
    return true;
}

// --- All

static void clear(batch *b) {
    for (int i = 0; i < b->work.count; i++) {
        free(b->found[i].numbers);
        free(b->found[i].words);
        compared_free(&b->found[i].vector);
        b->found[i] = (found){0};
    }
    chunk_clear(&b->work);
    arena_free(b->arena);
    b->arena = arena_new();
    b->count = 0;
}

static void show_progress(const evaluation *v) {
    if (!is_terminal(2)) return;
    fprintf(stderr, "\r%lld examples", (long long)v->tallies.all.count);
    if (data_size(v->source) > 0)
        fprintf(stderr, ", %.0f %%", 100.0 * (double)data_bytes(v->source) / (double)data_size(v->source));
    fprintf(stderr, "\033[K");
}

static bool run_batches(batch *b, diag *d) {
    bool ok = true;
    while (ok && read_batch(b, crew_rows(b->workers), d)) {
        crew_start(b->workers, &b->work);
        crew_wait(b->workers);
        for (int i = 0; ok && i < b->count; i++) ok = count_item(b, &b->items[i], d);
        show_progress(b->v);
        clear(b);
    }
    if (is_terminal(2)) fprintf(stderr, "\r\033[K");
    return ok;
}

bool evaluate_examples(evaluation *v, diag *d) {
    batch b = {.v = v, .arena = arena_new(), .options = evaluate_text_options(v)};
    b.found = memory_zero(CHUNK_ROWS, sizeof *b.found);
    b.items = memory_zero(CHUNK_ROWS, sizeof *b.items);
    bool ok = (chunk_open(&b.work) && b.found && b.items) || diag_error(d, NULL, "out of memory");
    if (ok) b.workers = crew_open(v->model, evaluate_threads(v->options), &b.options, take, &b, d);
    ok = b.workers && run_batches(&b, d);
    crew_close(b.workers);
    clear(&b);
    arena_free(b.arena);
    chunk_close(&b.work);
    free(b.found);
    free(b.items);
    return ok;
}
