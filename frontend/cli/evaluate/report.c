// The figures as tables for people.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/columns.h"
#include "frontend/cli/evaluate/evaluate.h"
#include "frontend/cli/evaluate/rates.h"

#define COLUMNS       6  // of figures in a table by group
#define CONFUSION_MAX 20 // labels of a printed matrix

static void print_name(const char *name, int width) {
    columns_left(stdout, name, width);
}

static void print_figure(double x, int width) {
    if (isnan(x))
        printf("  %*s", width, "-");
    else if (fabs(x) < 1e5)
        printf("  %*.4f", width, x);
    else
        printf("  %*.4g", width, x);
}

static int figure_width(const char *heading) {
    return columns_widest(7, heading);
}

static void print_heading(const char *first, int width, int n, const char *const *headings) {
    print_name(first, width);
    for (int i = 0; i < n; i++)
        fputs("  ", stdout), columns_right(stdout, headings[i], figure_width(headings[i]));
    putchar('\n');
}

// --- All examples

static void print_all(const evaluation *v) {
    metric_list l = {0};
    int width = 0;
    tally_list(&v->tallies, &v->tallies.all, &l);
    for (int i = 0; i < l.count; i++) width = columns_widest(width, l.v[i].name);
    print_name("examples", width);
    printf("  %7" PRId64 "\n", v->tallies.all.count);
    for (int i = 0; i < l.count; i++) {
        print_name(l.v[i].name, width);
        print_figure(l.v[i].value, 7);
        putchar('\n');
    }
}

static void print_prf(const char *name, int width, const prf *x) {
    print_name(name, width);
    print_figure(x->precision, 9);
    print_figure(x->recall, 7);
    print_figure(x->f1, 7);
    printf("  %8" PRId64 "\n", x->support);
}

static void print_prf_heading(const char *first, int width) {
    putchar('\n');
    print_name(first, width);
    printf("  precision   recall       f1     there\n");
}

static void print_labels(const evaluation *v) {
    const tallies *t = &v->tallies;
    int width = columns_of("label");
    for (int i = 0; i < t->labels; i++) width = columns_widest(width, bertc_label(v->model, i));
    print_prf_heading("label", width);
    for (int i = 0; i < t->labels; i++) {
        prf one =
            t->kind == EVALUATE_LABEL ? label_metrics_of(&t->all.label, i) : multi_label_of(&t->all.marks, i);
        print_prf(bertc_label(v->model, i), width, &one);
    }
}

static void print_types(const span_metrics *m) {
    int width = columns_of("type");
    for (int i = 0; i < m->type_count; i++) width = columns_widest(width, m->types[i].name);
    print_prf_heading("type", width);
    for (int i = 0; i < m->type_count; i++) {
        prf one = prf_of(m->types[i].right, m->types[i].wrong, m->types[i].missed);
        print_prf(m->types[i].name, width, &one);
    }
}

static void print_confusion(const evaluation *v) {
    const label_metrics *m = &v->tallies.all.label;
    int width = columns_of("gold \\ found");
    if (m->labels > CONFUSION_MAX) {
        printf("\nThe confusion matrix of %d labels is in --json.\n", m->labels);
        return;
    }
    for (int i = 0; i < m->labels; i++) width = columns_widest(width, bertc_label(v->model, i));
    putchar('\n');
    print_name("gold \\ found", width);
    for (int i = 0; i < m->labels; i++) {
        fputs("  ", stdout);
        columns_right(stdout, bertc_label(v->model, i), figure_width(bertc_label(v->model, i)));
    }
    putchar('\n');
    for (int i = 0; i < m->labels; i++) {
        print_name(bertc_label(v->model, i), width);
        for (int k = 0; k < m->labels; k++)
            printf("  %*" PRId64, figure_width(bertc_label(v->model, k)),
                   m->matrix[(size_t)i * (size_t)m->labels + (size_t)k]);
        putchar('\n');
    }
}

// --- Groups

static int group_width(const tallies *t) {
    int width = columns_of("difference");
    for (int i = 0; i < t->count; i++)
        width = columns_widest(width, data_printable(t->groups[i]->group, t->arena));
    return width;
}

// Columns [from, to) of the figures: a line per group, then how far they are apart.
static void print_columns(const tallies *t, const metric_list *all, int from, int to) {
    int width = group_width(t);
    double values[GROUPS_MAX];
    const char *headings[METRICS_MAX];
    for (int k = from; k < to; k++) headings[k - from] = all[0].v[k].name;
    putchar('\n');
    print_name("group", width);
    printf("  %8s", "examples");
    print_heading("", 0, to - from, headings);
    for (int i = 0; i < t->count; i++) {
        print_name(data_printable(t->groups[i]->group, t->arena), width);
        printf("  %8" PRId64, t->groups[i]->count);
        for (int k = from; k < to; k++) print_figure(all[i].v[k].value, figure_width(headings[k - from]));
        putchar('\n');
    }
    for (int ratio = 0; ratio < 2; ratio++) {
        print_name(ratio ? "ratio" : "difference", width);
        printf("  %8s", "");
        for (int k = from; k < to; k++) {
            for (int i = 0; i < t->count; i++) values[i] = all[i].v[k].value;
            print_figure(ratio ? group_ratio(values, t->count) : group_difference(values, t->count),
                         figure_width(headings[k - from]));
        }
        putchar('\n');
    }
}

static void print_rates(const evaluation *v, int positive) {
    static const char *const headings[] = {"selection", "true positive", "false positive"};
    const tallies *t = &v->tallies;
    int width = group_width(t);
    group_rates rates[GROUPS_MAX];
    printf("\nrates of ");
    print_name(bertc_label(v->model, positive), 0);
    putchar('\n');
    print_heading("group", width, 3, headings);
    for (int i = 0; i < t->count; i++) {
        rates[i] = tally_rates(t, t->groups[i], positive);
        print_name(data_printable(t->groups[i]->group, t->arena), width);
        print_figure(rates[i].selection, figure_width(headings[0]));
        print_figure(rates[i].true_positive, figure_width(headings[1]));
        print_figure(rates[i].false_positive, figure_width(headings[2]));
        putchar('\n');
    }
    group_parity p = group_parity_of(rates, t->count);
    printf("demographic parity  difference");
    print_figure(p.demographic_difference, 0);
    printf("  ratio");
    print_figure(p.demographic_ratio, 0);
    printf("\nequalized odds      difference");
    print_figure(p.odds_difference, 0);
    printf("  ratio");
    print_figure(p.odds_ratio, 0);
    putchar('\n');
}

static void print_groups(const evaluation *v) {
    const tallies *t = &v->tallies;
    metric_list *all = ARENA_ARRAY(v->arena, metric_list, t->count + 1);
    int first, last;
    if (!t->count) return;
    for (int i = 0; i < t->count; i++) tally_list(t, t->groups[i], &all[i]);
    for (int k = 0; k < all[0].count; k += COLUMNS)
        print_columns(t, all, k, k + COLUMNS < all[0].count ? k + COLUMNS : all[0].count);
    rates_range(v, &first, &last);
    for (int i = first; i < last; i++) print_rates(v, i);
}

static void print_swaps(const evaluation *v) {
    const swap_counts *s = &v->swapped;
    if (!s->texts) return;
    printf("\nwith %s swapped\n", v->options->swap);
    printf("texts with such a word  %" PRId64 "\n", s->texts);
    printf("answers that change     %" PRId64 "  (%.4f)\n", s->changed,
           (double)s->changed / (double)s->texts);
    printf("mean change of a score  %.4f\n", s->moved / (double)s->texts);
    printf("largest                 %.4f  (line %" PRId64 ")\n", s->most, s->most_line);
}

static void print_question_row(const char *name, double exact, double f1, int64_t count) {
    double n = count ? (double)count : NAN;
    print_name(name, 14);
    print_figure(exact / n, 11);
    print_figure(f1 / n, 7);
    printf("  %8" PRId64 "\n", count);
}

// Of questions with an answer and without one, where there are such.
static void print_questions(const answer_metrics *m) {
    if (m->possible == m->count) return;
    printf("\nquestions       exact match       f1     there\n");
    print_question_row("with an answer", m->with_exact, m->with_f1, m->possible);
    print_question_row("without", m->without, m->without, m->count - m->possible);
}

void evaluate_print(const evaluation *v) {
    print_all(v);
    if (v->kind == EVALUATE_ANSWER) print_questions(&v->tallies.all.answers);
    if (v->kind == EVALUATE_LABEL || v->kind == EVALUATE_LABELS) print_labels(v);
    if (v->kind == EVALUATE_LABEL) print_confusion(v);
    if (v->kind == EVALUATE_TAGS) print_types(&v->tallies.all.spans);
    print_groups(v);
    print_swaps(v);
}
