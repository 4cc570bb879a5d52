#include "frontend/cli/evaluate/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/calibrate.h"
#include "frontend/cli/run/run.h"

static const int64_t usual_cuts[] = {1, 5, 10};

// --- Options

static void add_data(option_table *t, evaluate_options *o) {
    t->group = "data";
    options_add(t,
                (option_row){"data", 0, OPTION_TEXT, "FILE",
                             "the examples (-: standard input): JSON lines, .csv, .tsv, or .txt for a masked "
                             "language model",
                             &o->data});
    options_add(t, (option_row){"columns", 0, OPTION_TEXT, "ROLE=NAME,...",
                                "what columns are called that have other names: text=review,label=stars",
                                &o->columns});
    options_add(t, (option_row){"plain-text", 0, OPTION_FLAG, NULL,
                                "text makes no special tokens: [SEP] or </s> in it is text like any other",
                                &o->plain_text});
    options_add(t,
                (option_row){"long", 0, OPTION_TEXT, "HOW",
                             "longer texts, as of bertc run (default: window for questions, else truncate)",
                             &o->long_texts});
    options_add(t, (option_row){"stride", 0, OPTION_INT, "N",
                                "tokens that neighbouring windows share (default 128, at most half)",
                                &o->stride, 0});
    options_add(t,
                (option_row){"max-tokens", 0, OPTION_INT, "N",
                             "longest text, or window (default: what the model takes)", &o->max_tokens, 1});
    options_add(
        t, (option_row){"prompt-name", 0, OPTION_TEXT, "NAME",
                        "of embeddings and labels: the model's prompt of that name goes before each text",
                        &o->prompt_name});
    options_add(
        t, (option_row){"prompt", 0, OPTION_TEXT, "TEXT", "the same, as it is (\"\": none)", &o->prompt});
    options_add(t, (option_row){"threads", 'j', OPTION_INT, "N", "default: all CPUs", &o->threads, 1});
}

static void add_figures(option_table *t, evaluate_options *o) {
    t->group = "figures";
    options_add(t, (option_row){"json", 0, OPTION_FLAG, NULL, "one JSON object", &o->json});
    options_add(t, (option_row){"threshold", 0, OPTION_NUMBER, "P",
                                "of several labels: the probability above which one is found (default 0.5)",
                                &o->threshold, .floor = 0, .ceiling = 1});
    options_add(t, (option_row){"strict", 0, OPTION_FLAG, NULL,
                                "spans by IOB2 alone, as seqeval's strict mode (default: as conlleval)",
                                &o->strict});
    options_add(t, (option_row){"max-answer", 0, OPTION_INT, "N", "tokens of the longest answer (default 30)",
                                &o->max_answer, 1});
    options_add(t, (option_row){"no-answer", 0, OPTION_FLAG, NULL,
                                "that the context holds no answer is an answer too", &o->no_answer});
    options_add(t, (option_row){"cut", 0, OPTION_INTS, "K[,K]...",
                                "of ranks: the K of nDCG and recall (default 1,5,10)", &o->cuts, 1});
    t->group = "bias";
    options_add(t, (option_row){"group-by", 0, OPTION_TEXT, "COLUMN",
                                "all figures for each value of that column, and how far they are apart",
                                &o->group_by});
    options_add(t,
                (option_row){"positive", 0, OPTION_TEXT, "LABEL",
                             "of --group-by: the label whose rates are compared (default: the second of two, "
                             "else each)",
                             &o->positive});
    options_add(t, (option_row){"swap", 0, OPTION_TEXT, "WORD:WORD,...",
                                "how often an answer changes when these words are swapped: he:she,his:her",
                                &o->swap});
}

static void table_init(option_table *t, evaluate_options *o) {
    *t = (option_table){
        .usage = "bertc evaluate model.so|MODEL --data FILE [OPTION]...",
        .summary = "Answers the examples of a data set, and says how good the answers are: accuracy, F1, "
                   "Matthews and\n"
                   "calibration of labels; spans; exact match and F1 of answers; correlations; ranks; "
                   "perplexity. By group\n"
                   "and with swapped words, too.",
        .example = "bertc evaluate examples/models/mini-sst2 --data examples/reviews.jsonl"};
    *o = (evaluate_options){.stride = -1, .threshold = 0.5};
    add_data(t, o);
    add_figures(t, o);
    build_options_add(t, &o->build, "native");
}

// --- The model and the data

static bool kind_of(const evaluation *v, evaluate_kind *kind, data_form *form, diag *d) {
    switch ((bertc_task_kind)v->info.task) {
    case BERTC_TASK_CLASSIFY: return *kind = EVALUATE_LABEL, *form = DATA_LABEL, true;
    case BERTC_TASK_MULTI_LABEL: return *kind = EVALUATE_LABELS, *form = DATA_LABELS, true;
    case BERTC_TASK_REGRESSION:
        *kind = EVALUATE_NUMBER;
        *form = DATA_NUMBER;
        return v->info.label_count == 1 ||
               diag_error(d, NULL, "answers with %d numbers: models with one are evaluated",
                          v->info.label_count);
    case BERTC_TASK_ENTITIES: return *kind = EVALUATE_TAGS, *form = DATA_TAGS, true;
    case BERTC_TASK_ANSWER: return *kind = EVALUATE_ANSWER, *form = DATA_ANSWER, true;
    case BERTC_TASK_FILL_MASK:
    case BERTC_TASK_PRETRAINING: return *kind = EVALUATE_TEXT, *form = DATA_TEXT, true;
    case BERTC_TASK_EMBEDDING:
    case BERTC_TASK_SEVERAL:
        *kind = EVALUATE_SCORED;
        *form = DATA_EMBED;
        if (v->info.embedding_size) return true;
        break;
    case BERTC_TASK_TENSORS:
    case BERTC_TASK_NEXT_SENTENCE:
    case BERTC_TASK_SPARSE:
    case BERTC_TASK_VECTORS: break;
    }
    return diag_error(d, NULL,
                      "answers with nothing that is evaluated: labels, a number, tags, answers to questions, "
                      "embeddings, words for masks (--head)");
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
        return diag_error(d, o->max_answer ? "--max-answer" : "--no-answer",
                          "goes with answers to questions");
    if (o->threshold != 0.5 && v->kind != EVALUATE_LABELS)
        return diag_error(d, "--threshold", "goes with models that give several labels");
    data_label positive = {o->positive, NAN};
    if (o->positive && data_labels_find(v->labels, &positive) < 0)
        return diag_error(d, "--positive", "%s", data_labels_unknown(v->labels, &positive, v->arena));
    return true;
}

// Of embeddings the first good line says whether pairs have scores; it is read again.
static bool settle_embeddings(evaluation *v, data_example *first, diag *d) {
    while (data_next(v->source, first, v->arena, d) && first->error)
        data_report(v->source, first, first->error, d);
    if (!first->line || first->error) return true; // there is none
    v->kind = first->number_count ? EVALUATE_SCORED : EVALUATE_RANKED;
    return v->kind == EVALUATE_RANKED || data_seek(v->source, first->offset, first->line, d);
}

static bool open_data(evaluation *v, data_form form, diag *d) {
    const evaluate_options *o = v->options;
    v->source = data_open(o->data, &(data_options){form, o->columns, o->group_by, form == DATA_EMBED}, d);
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
    if (v->info.embedding_size && v->kind == EVALUATE_SCORED) {
        if (!settle_embeddings(v, &first, d)) return false;
        v->tallies.kind = v->kind;
    }
    tallies_open(&v->tallies);
    if (v->kind == EVALUATE_TEXT) return evaluate_perplexity(v, d);
    return v->kind == EVALUATE_RANKED ? evaluate_ranked(v, &first, d) : evaluate_examples(v, d);
}

// What a reader of the figures should know.
static void add_notes(const evaluation *v, diag *d) {
    const tallies *t = &v->tallies;
    const char *name = data_name(v->source);
    for (int i = 0; i < t->count; i++)
        if (t->groups[i]->count < SMALL_GROUP)
            diag_note(d, name, "group '%s' has %lld example%s: its figures are rough", t->groups[i]->group,
                      (long long)t->groups[i]->count, t->groups[i]->count == 1 ? "" : "s");
    if (t->ungrouped)
        diag_note(d, name, "%lld examples have no %s, and are in no group", (long long)t->ungrouped,
                  v->options->group_by);
    if (t->all.cut)
        diag_note(d, name, "%lld words were cut off with longer texts, and don't count (--long window)",
                  (long long)t->all.cut);
    if (v->unanswerable && !v->options->no_answer)
        diag_note(d, name, "%lld questions have no answer, which the model could not say (--no-answer)",
                  (long long)v->unanswerable);
    if (v->swaps.count && !v->swapped.texts) diag_note(d, name, "no text has one of the words of --swap");
}

static bool report(const evaluation *v, diag *d) {
    int64_t bad = data_bad(v->source);
    if (bad > 50) diag_error(d, data_name(v->source), "%lld lines are bad in all", (long long)bad);
    if (!v->tallies.all.count)
        return bad ? false : diag_error(d, data_name(v->source), "is empty: it holds no example");
    add_notes(v, d);
    if (v->options->json)
        evaluate_print_json(v);
    else
        evaluate_print(v);
    return flush_stdout(d);
}

static void evaluate(evaluate_options *o, const char *path, diag *d) {
    evaluation v = {.options = o, .arena = arena_new(), .info = BERTC_MODEL_INFO_INIT};
    opened model = {0};
    data_form form = DATA_LABEL;
    bool ok = calibrate_options(&o->build, path, v.arena, d) && opened_open(&model, path, &o->build, d);
    v.model = model.model;
    v.labels = data_labels_new(v.arena);
    if (ok) bertc_model_describe(v.model, &v.info, NULL);
    for (int i = 0; ok && i < v.info.label_count; i++) data_labels_add(v.labels, bertc_label(v.model, i));
    ok = ok && kind_of(&v, &v.kind, &form, d) && options_fit(&v, d);
    if (ok && !o->long_texts && v.kind == EVALUATE_ANSWER) o->windows = true;
    if (ok && o->swap) {
        const char *why = swap_parse(o->swap, &v.swaps, v.arena);
        ok = !why || diag_error(d, "--swap", "'%s' %s", o->swap, why);
    }
    ok = ok && open_data(&v, form, d) && run_kind(&v, d);
    tallies_sort(&v.tallies);
    if (ok) report(&v, d);
    data_close(v.source);
    opened_close(&model);
    arena_free(v.arena);
}

int command_evaluate(int argc, char **argv) {
    option_table t;
    evaluate_options o;
    arguments rest;
    table_init(&t, &o);
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count != 1) return usage_error(&t, "needs an artefact or a checkpoint");
    if (!o.data) return usage_error(&t, "needs --data FILE");
    if (!long_texts_of(o.long_texts ? o.long_texts : "truncate", &o.windows, &o.truncation, &o.side))
        return usage_error(
            &t, "--long: '%s' is none of error, truncate (and -first, -second, -left, -right), window",
            o.long_texts);
    if (o.stride >= 0 && o.long_texts && !o.windows)
        return usage_error(&t, "--stride goes with --long window");
    if (o.prompt && o.prompt_name) return usage_error(&t, "takes --prompt or --prompt-name, not both");
    if (o.positive && !o.group_by) return usage_error(&t, "--positive goes with --group-by");
    status = build_options_check(&t, &o.build, rest.v[0], false);
    if (status >= 0) return status;
    diag d;
    diag_init(&d);
    d.subject = rest.v[0];
    evaluate(&o, rest.v[0], &d);
    return finish(&d);
}
