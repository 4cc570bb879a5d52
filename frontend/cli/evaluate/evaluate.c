#include "frontend/cli/evaluate/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/calibrate.h"
#include "frontend/cli/evaluate/rates.h"
#include "frontend/cli/run/run.h"

// --- Options

static void add_data(option_table *t, evaluate_options *o) {
    t->group = "data";
    options_add(t,
                (option_row){"data", 0, OPTION_TEXT, "FILE",
                             "the examples (-: standard input): JSON lines, .csv, .tsv, or .txt for a masked "
                             "language model",
                             &o->data});
    options_add(t, (option_row){"columns", 0, OPTION_TEXT, "ROLE=NAME,...",
                                "names of columns, where the file has other ones: text=review,label=stars",
                                &o->columns});
    options_add(t,
                (option_row){"skip-bad-lines", 0, OPTION_FLAG, NULL,
                             "leave lines out that are no example, with a note (else the exit status is 1)",
                             &o->skip_bad});
    reading_options_add(t, &o->read,
                        "what to do with a text that is too long, as for bertc run (default: window for "
                        "questions, else truncate)");
    reading_prompts_add(t, &o->read,
                        "for embeddings and labels: put the model's prompt of this name before each text");
    options_add(
        t, (option_row){"threads", 'j', OPTION_INT, "N", "threads (default: one per CPU)", &o->threads, 1});
}

static void add_figures(option_table *t, evaluate_options *o) {
    t->group = "figures";
    form_options_add(t, &o->out, "one JSON object", true);
    options_add(
        t, (option_row){
               "threshold", 0, OPTION_NUMBER, "P",
               "for texts with several labels: a label counts as given above this probability (default 0.5)",
               &o->threshold, .floor = 0, .ceiling = 1});
    options_add(t,
                (option_row){"strict", 0, OPTION_FLAG, NULL,
                             "read spans by IOB2 alone, like seqeval's strict mode (default: like conlleval)",
                             &o->strict});
    options_add(t, (option_row){"max-answer", 0, OPTION_INT, "N", "the most tokens of an answer (default 30)",
                                &o->max_answer, 1});
    options_add(t, (option_row){"no-answer", 0, OPTION_FLAG, NULL,
                                "allow the answer that the context holds no answer", &o->no_answer});
    options_add(t, (option_row){"null-score-diff-threshold", 0, OPTION_NUMBER, "X",
                                "answer none where it scores more than X above the best answer (implies "
                                "--no-answer; best_exact_thresh and best_f1_thresh say which X is best)",
                                &o->null_difference, .floor = -1e9, .ceiling = 1e9});
    options_add(t, (option_row){"cut", 0, OPTION_INTS, "K[,K]...",
                                "for rankings: the K of nDCG@K and recall@K (default 1,5,10)", &o->cuts, 1});
    t->group = "bias";
    options_add(t, (option_row){"group-by", 0, OPTION_TEXT, "COLUMN[,...]",
                                "print all figures per value of this column, and how far they differ",
                                &o->group_by});
    options_add(t, (option_row){"positive", 0, OPTION_TEXT, "LABEL",
                                "with --group-by: the label whose rates are compared (default: the second of "
                                "two labels, else each label)",
                                &o->positive});
    options_add(t,
                (option_row){"swap", 0, OPTION_TEXT, "WORD:WORD,...",
                             "print how often an answer changes when these words are swapped: he:she,his:her",
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
    evaluate_defaults(o);
    add_data(t, o);
    add_figures(t, o);
    build_options_add(t, &o->build, "native");
}

// --- What is printed

// Groups that lack a rate which counts as 0.
static void note_rates(const evaluation *v, diag *d) {
    int first, last;
    rates_range(v, &first, &last);
    for (int label = first; label < last; label++)
        for (int i = 0; i < v->tallies.count; i++) {
            const tally *one = v->tallies.groups[i];
            group_rates r = tally_rates(&v->tallies, one, label);
            if (!isnan(r.true_positive) && !isnan(r.false_positive)) continue;
            diag_note(d, data_name(v->source),
                      "group '%s' has %s examples with the label %s: its rate of them counts as 0",
                      data_printable(one->group, v->arena), isnan(r.true_positive) ? "no" : "only",
                      data_printable(data_labels_name(v->labels, label), v->arena));
        }
}

// What a reader of the figures should know.
static void add_notes(const evaluation *v, diag *d) {
    const tallies *t = &v->tallies;
    const char *name = data_name(v->source);
    for (int i = 0; i < t->count; i++)
        if (t->groups[i]->count < SMALL_GROUP)
            diag_note(d, name, "group '%s' has %lld example%s: its figures are rough",
                      data_printable(t->groups[i]->group, v->arena), (long long)t->groups[i]->count,
                      t->groups[i]->count == 1 ? "" : "s");
    note_rates(v, d);
    if (t->ungrouped)
        diag_note(d, name, "%lld examples have no %s, and are in no group", (long long)t->ungrouped,
                  v->options->group_by);
    if (t->all.cut)
        diag_note(
            d, name,
            "%lld words at the end of texts were cut off, or have no token, and don't count (--long window)",
            (long long)t->all.cut);
    if (v->unanswerable && !v->options->no_answer)
        diag_note(d, name, "%lld questions have no answer, which the model could not say (--no-answer)",
                  (long long)v->unanswerable);
    if (v->swaps.count && !v->swapped.texts) diag_note(d, name, "no text has one of the words of --swap");
}

static bool report(const evaluation *v, diag *d) {
    int64_t bad = data_bad(v->source);
    if (bad > 50 && v->options->skip_bad)
        diag_note(d, data_name(v->source), "%lld lines are bad in all", (long long)bad);
    else if (bad > 50)
        diag_error(d, data_name(v->source), "%lld lines are bad in all", (long long)bad);
    if (v->unknown && !v->options->skip_bad)
        diag_note(
            d, data_name(v->source),
            "only the model's own labels can be compared with its answers: --skip-bad-lines leaves other "
            "lines out, --columns label=NAME reads another column");
    if (!v->tallies.all.count)
        return bad && !v->options->skip_bad
                   ? false
                   : diag_error(d, data_name(v->source), "is empty: it holds no example");
    if (v->options->group_by && !v->tallies.count)
        return diag_error(d, data_name(v->source), "has no example with %s (--group-by)",
                          v->options->group_by);
    add_notes(v, d);
    cJSON *figures = v->options->out.form == FORMAT_TEXT ? NULL : evaluate_json(v);
    if (!figures)
        evaluate_print(v);
    else if (v->options->out.json)
        print_json(figures);
    else
        evaluate_print_csv(figures);
    if (!v->options->out.json) cJSON_Delete(figures);
    return flush_stdout(d);
}

static void evaluate(evaluate_options *o, const char *path, diag *d) {
    evaluation v = {.options = o, .arena = arena_new()};
    opened model = {0};
    bool ok = calibrate_options(&o->build, path, v.arena, d) && opened_open(&model, path, &o->build, d);
    v.model = model.model;
    if (ok && evaluation_run(&v, d)) report(&v, d);
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
    if (o.read.long_texts) o.read.truncation = BERTC_TRUNCATE_NEVER;
    status = form_options_check(&t, &o.out, true, NULL);
    if (status < 0) status = reading_check(&t, &o.read, true);
    if (status >= 0) return status;
    o.no_answer |= !isnan(o.null_difference);
    if (o.positive && !o.group_by) return usage_error(&t, "--positive goes with --group-by");
    status = build_options_check(&t, &o.build, rest.v[0], false);
    if (status >= 0) return status;
    diag d;
    diag_init(&d);
    d.subject = rest.v[0];
    evaluate(&o, rest.v[0], &d);
    return finish(&d);
}
