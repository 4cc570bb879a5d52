// `bertc evaluate`: what its files share. The answers come from libbertc as an application would get them; metrics/ counts them.
#ifndef BERTC_CLI_EVALUATE_H
#define BERTC_CLI_EVALUATE_H

#include "frontend/cli/cli.h"
#include "frontend/cli/data/data.h"
#include "frontend/cli/evaluate/compared.h"
#include "frontend/cli/evaluate/swap.h"
#include "frontend/cli/evaluate/tally.h"
#include "frontend/cli/forms.h"
#include "frontend/cli/run/reading.h"

#define SMALL_GROUP 30 // below so many examples a group's figures are said to be rough

typedef struct evaluate_options {
    build_options build;
    const char *data, *columns, *group_by, *swap, *positive;
    form_choice out;
    bool skip_bad, strict, no_answer;
    reading read;
    double threshold;
    double null_difference; // NaN: not given
    int_list cuts;          // of ranks
    int64_t max_answer;
    int64_t threads; // 0: not given
} evaluate_options;

typedef struct evaluation {
    const evaluate_options *options;
    bertc_model *model;
    bertc_model_info info;
    bool windows;
    evaluate_kind kind;
    compared_rule compare; // of EVALUATE_SCORED and EVALUATE_RANKED
    data_source *source;
    arena *arena;        // for as long as the run
    data_labels *labels; // the model's
    tallies tallies;
    int64_t unanswerable; // questions without an answer, where the model may not say so
    bool unknown;         // a bad line has a label that the model lacks
    swap_list swaps;
    swap_counts swapped;
} evaluation;

// --- evaluation.c

// Finds out what the model answers with, reads the data and counts. Options, model and arena are the caller's, the rest
// is zeros; data_close(v->source) in all cases.
bool evaluation_run(evaluation *v, diag *d);

// --- settings.c: what the options say to libbertc
void evaluate_defaults(evaluate_options *o); // those of the command line
bertc_text_options evaluate_text_options(const evaluation *v);
int evaluate_threads(const evaluate_options *o);

// --- examples.c: every kind but the three below
bool evaluate_examples(evaluation *v, diag *d);

// --- ranked.c: for each query, the documents of the whole file in the order of their likeness
bool evaluate_ranked(evaluation *v, const data_example *first, diag *d);

// --- reranked.c: for each query, its own documents in the order of a cross-encoder's scores
bool evaluate_reranked(evaluation *v, const data_example *first, diag *d);

// --- perplexity.c: each token masked alone
bool evaluate_perplexity(evaluation *v, diag *d);

// --- report.c, report_json.c, report_csv.c
void evaluate_print(const evaluation *v);
cJSON *evaluate_json(const evaluation *v); // the caller's
void evaluate_print_csv(const cJSON *figures);

#endif
