// What of a model's answers is evaluated, on which form of data.
#include <math.h>
#include <string.h>

#include "frontend/cli/evaluate/evaluate.h"

static const int64_t usual_cuts[] = {1, 5, 10};

static bool kind_of(evaluation *v, evaluate_kind *kind, data_form *form, diag *d) {
    switch ((bertc_task_kind)v->info.task) {
    case BERTC_TASK_CLASSIFY: return *kind = EVALUATE_LABEL, *form = DATA_LABEL, true;
    case BERTC_TASK_MULTI_LABEL: return *kind = EVALUATE_LABELS, *form = DATA_LABELS, true;
    case BERTC_TASK_REGRESSION:
        *kind = EVALUATE_NUMBER;
        *form = DATA_NUMBER;
        return true;
    case BERTC_TASK_ENTITIES: return *kind = EVALUATE_TAGS, *form = DATA_TAGS, true;
    case BERTC_TASK_ANSWER: return *kind = EVALUATE_ANSWER, *form = DATA_ANSWER, true;
    case BERTC_TASK_FILL_MASK:
    case BERTC_TASK_PRETRAINING: return *kind = EVALUATE_TEXT, *form = DATA_TEXT, true;
    case BERTC_TASK_EMBEDDING:
    case BERTC_TASK_SPARSE:
    case BERTC_TASK_VECTORS:
    case BERTC_TASK_SEVERAL:
        *kind = EVALUATE_SCORED;
        *form = DATA_EMBED;
        if (compared_rule_of(&v->info, &v->compare)) return true;
        break;
    case BERTC_TASK_TENSORS:
    case BERTC_TASK_NEXT_SENTENCE: break;
    }
    return diag_error(d, NULL,
                      "answers with nothing that is evaluated: labels, a number, tags, answers to questions, "
                      "embeddings, sparse weights, a vector per token, words for masks (--head)");
}

// What the options ask for that the kind has not.
static bool options_fit(const evaluation *v, diag *d) {
    const evaluate_options *o = v->options;
    bool labels = v->kind == EVALUATE_LABEL || v->kind == EVALUATE_LABELS,
         swaps = labels || v->kind == EVALUATE_NUMBER || v->kind == EVALUATE_TAGS;
    if (o->swap && !swaps) return diag_error(d, "--swap", "goes with labels, numbers and tags");
    if (o->positive && !labels) return diag_error(d, "--positive", "goes with labels");
    if (o->strict && v->kind != EVALUATE_TAGS) return diag_error(d, "--strict", "goes with tags");
    if ((o->max_answer || o->no_answer) && v->kind != EVALUATE_ANSWER)
        return diag_error(d,
                          o->max_answer               ? "--max-answer"
                          : isnan(o->null_difference) ? "--no-answer"
                                                      : "--null-score-diff-threshold",
                          "goes with answers to questions");
    if (o->threshold != 0.5 && v->kind != EVALUATE_LABELS)
        return diag_error(d, "--threshold", "goes with models that give several labels");
    if (o->read.long_texts && o->read.windows && v->kind == EVALUATE_TEXT)
        return diag_error(d, "--long",
                          "a masked language model is not asked window by window: error, truncate");
    data_label positive = {o->positive, NAN};
    if (o->positive && data_labels_find(v->labels, &positive) < 0)
        return diag_error(d, "--positive", "%s", data_labels_unknown(v->labels, &positive, v->arena));
    return true;
}

// Does it give one score per text or pair? Then documents may be ranked by it.
static bool one_score(const evaluation *v) {
    bool scores = v->kind == EVALUATE_LABEL || v->kind == EVALUATE_LABELS || v->kind == EVALUATE_NUMBER;
    return scores && v->info.label_count == 1 && !v->options->swap && !v->options->positive;
}

// Of embeddings, and of a model with one score, the first good line says whether texts have scores, or documents are ranked. It is read
// again, if not.
static bool settle_kind(evaluation *v, data_example *first, diag *d) {
    while (data_next(v->source, first, v->arena, d) && first->error)
        data_report(v->source, first, first->error, d);
    if (!first->line || first->error) return true; // there is none
    if (first->positive_count) {
        v->kind = v->kind == EVALUATE_SCORED ? EVALUATE_RANKED : EVALUATE_RERANKED;
        return true;
    }
    return data_seek(v->source, first->offset, first->line, d);
}

static bool open_data(evaluation *v, data_form form, diag *d) {
    const evaluate_options *o = v->options;
    const data_options how = {.form = form,
                              .columns = o->columns,
                              .group_by = o->group_by,
                              .skip_bad = o->skip_bad,
                              .or_ranked = one_score(v),
                              .again = form == DATA_EMBED || one_score(v)};
    v->source = data_open(o->data, &how, d);
    return v->source != NULL;
}

static bool run_kind(evaluation *v, diag *d) {
    data_example first = {0};
    v->tallies = (tallies){.arena = v->arena,
                           .kind = v->kind,
                           .labels = v->info.label_count,
                           .strict = v->options->strict,
                           .cuts = v->options->cuts.count ? v->options->cuts.v : usual_cuts,
                           .cut_count = v->options->cuts.count ? v->options->cuts.count : 3};
    if (v->kind == EVALUATE_SCORED || one_score(v)) {
        if (!settle_kind(v, &first, d)) return false;
        v->tallies.kind = v->kind;
    }
    tallies_open(&v->tallies);
    if (v->kind == EVALUATE_TEXT) return evaluate_perplexity(v, d);
    if (v->kind == EVALUATE_RANKED) return evaluate_ranked(v, &first, d);
    return v->kind == EVALUATE_RERANKED ? evaluate_reranked(v, &first, d) : evaluate_examples(v, d);
}

bool evaluation_run(evaluation *v, diag *d) {
    const evaluate_options *o = v->options;
    data_form form = DATA_LABEL;
    v->info = (bertc_model_info)BERTC_MODEL_INFO_INIT;
    v->labels = data_labels_new(v->arena);
    bertc_model_describe(v->model, &v->info, NULL);
    for (int i = 0; i < v->info.label_count; i++) data_labels_add(v->labels, bertc_label(v->model, i));
    if (!kind_of(v, &v->kind, &form, d) || !options_fit(v, d)) return false;
    v->windows = o->read.long_texts ? o->read.windows : v->kind == EVALUATE_ANSWER;
    const char *why = o->swap ? swap_parse(o->swap, &v->swaps, v->arena) : NULL;
    if (why) return diag_error(d, "--swap", "'%s' %s", o->swap, why);
    bool ok = open_data(v, form, d) && run_kind(v, d);
    tallies_sort(&v->tallies);
    return ok;
}
