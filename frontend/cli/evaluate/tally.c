#include "frontend/cli/evaluate/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *evaluate_kind_name(evaluate_kind kind) {
    switch (kind) {
    case EVALUATE_LABEL: return "classify";
    case EVALUATE_LABELS: return "multi-label";
    case EVALUATE_NUMBER: return "regress";
    case EVALUATE_TAGS: return "tag";
    case EVALUATE_ANSWER: return "answer";
    case EVALUATE_SCORED:
    case EVALUATE_RANKED: return "embed";
    case EVALUATE_RERANKED: return "rerank";
    case EVALUATE_TEXT: return "mlm";
    }
    return "";
}

static void tally_open(tallies *t, tally *one, const char *group) {
    *one = (tally){.group = group};
    switch (t->kind) {
    case EVALUATE_LABEL: label_metrics_open(&one->label, t->labels, t->arena); break;
    case EVALUATE_LABELS: multi_label_open(&one->marks, t->labels, t->arena); break;
    case EVALUATE_NUMBER:
    case EVALUATE_SCORED: number_metrics_open(&one->numbers, t->arena); break;
    case EVALUATE_TAGS: span_metrics_open(&one->spans, t->strict, t->arena); break;
    case EVALUATE_RANKED:
    case EVALUATE_RERANKED: rank_metrics_open(&one->ranks, t->cuts, t->cut_count); break;
    case EVALUATE_ANSWER: one->answers.arena = t->arena; break;
    case EVALUATE_TEXT: break; // zeros
    }
}

void tallies_open(tallies *t) {
    tally_open(t, &t->all, NULL);
}

tally *tallies_group(tallies *t, const char *group) {
    for (int i = 0; i < t->count; i++)
        if (!strcmp(t->groups[i]->group, group)) return t->groups[i];
    if (t->count == GROUPS_MAX) return NULL;
    if (t->count == t->room) {
        int room = 2 * t->room + 8;
        tally **grown = ARENA_ARRAY(t->arena, tally *, room);
        if (t->count) memcpy(grown, t->groups, (size_t)t->count * sizeof(*grown));
        t->groups = grown;
        t->room = room;
    }
    tally *one = ARENA_NEW(t->arena, tally);
    tally_open(t, one, arena_strdup(t->arena, group));
    return t->groups[t->count++] = one;
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(tally *const *)a)->group, (*(tally *const *)b)->group);
}

void tallies_sort(tallies *t) {
    if (t->count) qsort((void *)t->groups, (size_t)t->count, sizeof *t->groups, by_name);
}

void tally_list(const tallies *t, const tally *one, metric_list *out) {
    double tokens = one->tokens ? (double)one->tokens : NAN;
    switch (t->kind) {
    case EVALUATE_LABEL: label_metrics_list(&one->label, out); break;
    case EVALUATE_LABELS: multi_label_list(&one->marks, out); break;
    case EVALUATE_NUMBER: number_metrics_list(&one->numbers, true, out); break;
    case EVALUATE_SCORED: number_metrics_list(&one->numbers, false, out); break;
    case EVALUATE_TAGS: span_metrics_list(&one->spans, out); break;
    case EVALUATE_ANSWER: answer_metrics_list(&one->answers, out); break;
    case EVALUATE_RANKED:
    case EVALUATE_RERANKED: rank_metrics_list(&one->ranks, out, t->arena); break;
    case EVALUATE_TEXT:
        metric_add(out, "perplexity", exp(one->loss / tokens));
        metric_add(out, "loss", one->loss / tokens);
        metric_add(out, "accuracy", (double)one->right_tokens / tokens);
        break;
    }
}

group_rates tally_rates(const tallies *t, const tally *one, int positive) {
    return t->kind == EVALUATE_LABEL ? group_rates_of(&one->label, positive)
                                     : group_rates_of_mark(&one->marks, positive);
}
