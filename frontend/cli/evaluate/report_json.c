// The figures as one JSON object; what is not defined is null.
#include <math.h>
#include <string.h>

#include "frontend/cli/evaluate/evaluate.h"
#include "frontend/cli/evaluate/rates.h"
#include "ir/memory.h"

static void add_metrics(cJSON *o, const char *name, const metric_list *l) {
    cJSON *all = cJSON_AddObjectToObject(o, name);
    for (int i = 0; i < l->count; i++) cJSON_AddNumberToObject(all, l->v[i].name, l->v[i].value);
}

static void add_prf(cJSON *list, const char *key, const char *name, const prf *x) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, key, name);
    cJSON_AddNumberToObject(o, "precision", x->precision);
    cJSON_AddNumberToObject(o, "recall", x->recall);
    cJSON_AddNumberToObject(o, "f1", x->f1);
    cJSON_AddNumberToObject(o, "support", (double)x->support);
    cJSON_AddItemToArray(list, o);
}

static void add_labels(cJSON *o, const evaluation *v) {
    const tallies *t = &v->tallies;
    cJSON *list = cJSON_AddArrayToObject(o, "labels");
    for (int i = 0; i < t->labels; i++) {
        prf one =
            t->kind == EVALUATE_LABEL ? label_metrics_of(&t->all.label, i) : multi_label_of(&t->all.marks, i);
        add_prf(list, "label", bertc_label(v->model, i), &one);
    }
}

// Rows are gold labels, columns found ones.
static void add_confusion(cJSON *o, const label_metrics *m) {
    cJSON *rows = cJSON_AddArrayToObject(o, "confusion");
    for (int i = 0; i < m->labels; i++) {
        cJSON *columns = cJSON_CreateArray();
        for (int k = 0; k < m->labels; k++)
            cJSON_AddItemToArray(
                columns, cJSON_CreateNumber((double)m->matrix[(size_t)i * (size_t)m->labels + (size_t)k]));
        cJSON_AddItemToArray(rows, columns);
    }
}

static void add_types(cJSON *o, const span_metrics *m) {
    cJSON *list = cJSON_AddArrayToObject(o, "types");
    for (int i = 0; i < m->type_count; i++) {
        prf one = prf_of(m->types[i].right, m->types[i].wrong, m->types[i].missed);
        add_prf(list, "type", m->types[i].name, &one);
    }
}

// --- Groups

static void add_apart(cJSON *o, const tallies *t, const metric_list *all) {
    cJSON *apart = cJSON_AddObjectToObject(o, "between_groups");
    double values[GROUPS_MAX];
    for (int k = 0; k < all[0].count; k++) {
        cJSON *one = cJSON_AddObjectToObject(apart, all[0].v[k].name);
        for (int i = 0; i < t->count; i++) values[i] = all[i].v[k].value;
        cJSON_AddNumberToObject(one, "difference", group_difference(values, t->count));
        cJSON_AddNumberToObject(one, "ratio", group_ratio(values, t->count));
    }
}

static void add_rates(cJSON *list, const evaluation *v, int positive) {
    const tallies *t = &v->tallies;
    group_rates rates[GROUPS_MAX];
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "label", bertc_label(v->model, positive));
    cJSON *groups = cJSON_AddArrayToObject(o, "groups");
    for (int i = 0; i < t->count; i++) {
        cJSON *one = cJSON_CreateObject();
        rates[i] = tally_rates(t, t->groups[i], positive);
        cJSON_AddStringToObject(one, "group", t->groups[i]->group);
        cJSON_AddNumberToObject(one, "selection_rate", rates[i].selection);
        cJSON_AddNumberToObject(one, "true_positive_rate", rates[i].true_positive);
        cJSON_AddNumberToObject(one, "false_positive_rate", rates[i].false_positive);
        cJSON_AddItemToArray(groups, one);
    }
    group_parity p = group_parity_of(rates, t->count);
    cJSON_AddNumberToObject(o, "demographic_parity_difference", p.demographic_difference);
    cJSON_AddNumberToObject(o, "demographic_parity_ratio", p.demographic_ratio);
    cJSON_AddNumberToObject(o, "equalized_odds_difference", p.odds_difference);
    cJSON_AddNumberToObject(o, "equalized_odds_ratio", p.odds_ratio);
    cJSON_AddItemToArray(list, o);
}

static void add_groups(cJSON *o, const evaluation *v) {
    const tallies *t = &v->tallies;
    metric_list *all = ARENA_ARRAY(v->arena, metric_list, t->count + 1);
    cJSON_AddStringToObject(o, "group_by", v->options->group_by);
    cJSON_AddNumberToObject(o, "ungrouped", (double)t->ungrouped);
    cJSON *groups = cJSON_AddArrayToObject(o, "groups");
    for (int i = 0; i < t->count; i++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "group", t->groups[i]->group);
        cJSON_AddNumberToObject(one, "examples", (double)t->groups[i]->count);
        cJSON_AddBoolToObject(one, "small", t->groups[i]->count < SMALL_GROUP);
        tally_list(t, t->groups[i], &all[i]);
        add_metrics(one, "metrics", &all[i]);
        cJSON_AddItemToArray(groups, one);
    }
    add_apart(o, t, all);
    int first, last;
    rates_range(v, &first, &last);
    cJSON *rates = first < last ? cJSON_AddArrayToObject(o, "rates") : NULL;
    for (int i = first; i < last; i++) add_rates(rates, v, i);
}

static void add_swaps(cJSON *o, const evaluation *v) {
    const swap_counts *s = &v->swapped;
    cJSON *swap = cJSON_AddObjectToObject(o, "swap");
    double n = s->texts ? (double)s->texts : NAN;
    cJSON_AddStringToObject(swap, "words", v->options->swap);
    cJSON_AddNumberToObject(swap, "examples", (double)s->texts);
    cJSON_AddNumberToObject(swap, "changed", (double)s->changed);
    cJSON_AddNumberToObject(swap, "changed_share", (double)s->changed / n);
    cJSON_AddNumberToObject(swap, "mean_change", s->moved / n);
    cJSON_AddNumberToObject(swap, "largest_change", s->texts ? s->most : NAN);
    cJSON_AddNumberToObject(swap, "largest_change_line", s->texts ? (double)s->most_line : NAN);
}

static void add_question_row(cJSON *questions, const char *name, double exact, double f1, int64_t count) {
    cJSON *row = cJSON_AddObjectToObject(questions, name);
    double n = count ? (double)count : NAN;
    cJSON_AddNumberToObject(row, "exact_match", exact / n);
    cJSON_AddNumberToObject(row, "f1", f1 / n);
    cJSON_AddNumberToObject(row, "support", (double)count);
}

static void add_questions(cJSON *o, const answer_metrics *m) {
    if (m->possible == m->count) return;
    cJSON *questions = cJSON_AddObjectToObject(o, "questions");
    add_question_row(questions, "has_answer", m->with_exact, m->with_f1, m->possible);
    add_question_row(questions, "no_answer", m->without, m->without, m->count - m->possible);
}

cJSON *evaluate_json(const evaluation *v) {
    metric_list l = {0};
    cJSON *o = cJSON_CreateObject();
    tally_list(&v->tallies, &v->tallies.all, &l);
    cJSON_AddStringToObject(o, "task", evaluate_kind_name(v->kind));
    cJSON_AddNumberToObject(o, "examples", (double)v->tallies.all.count);
    cJSON_AddNumberToObject(o, "bad_lines", (double)data_bad(v->source));
    add_metrics(o, "metrics", &l);
    if (v->kind == EVALUATE_LABEL || v->kind == EVALUATE_LABELS) add_labels(o, v);
    if (v->kind == EVALUATE_LABEL) add_confusion(o, &v->tallies.all.label);
    if (v->kind == EVALUATE_ANSWER) add_questions(o, &v->tallies.all.answers);
    if (v->kind == EVALUATE_TAGS) add_types(o, &v->tallies.all.spans);
    if (v->kind == EVALUATE_TAGS) cJSON_AddNumberToObject(o, "words_cut_off", (double)v->tallies.all.cut);
    if (v->kind == EVALUATE_TEXT) cJSON_AddNumberToObject(o, "tokens", (double)v->tallies.all.tokens);
    if (v->options->group_by) add_groups(o, v);
    if (v->swaps.count) add_swaps(o, v);
    return o;
}
