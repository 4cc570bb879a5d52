// `bertc run`: what its files share.
#ifndef BERTC_CLI_RUN_H
#define BERTC_CLI_RUN_H

#include <stdio.h>

#include "frontend/cli/cli.h"
#include "frontend/cli/forms.h"
#include "frontend/cli/run/reading.h"

typedef struct run_options {
    build_options build;
    const char *pair, *how_aggregated, *tensors, *output, *input, *similar, *search, *rank, *labels,
        *hypothesis, *novelty, *shard;
    reading read;
    bertc_aggregation aggregation;
    const char *as; // NULL: neither
    bertc_role role;
    bool json, huge_pages, resume, explain, pieces, answer_tokens, raw_scores, no_answer, normalize,
        multi_label;
    bertc_zero_shot_options zero_shot; // what zero_shot_begin makes of --labels
    int_list attention;                // layer, head
    const char *similarity;            // NULL: as the model says
    int64_t top_k, max_answer, dimensions;
    int64_t summarize;      // sentences; 0: not given
    const arguments *words; // NULL, or texts of the command line whose answers -o gets
    int64_t threads;        // 0: not given
    int64_t shards;         // 0: not given
    bool merge;
    const char *format_word;
    answer_format said;   // on the command line
    answer_format format; // of --input: what is written
} run_options;

// --- options.c
// "words", "first" and so on; NULL: words. False for other words.
bool aggregation_of(const char *word, bertc_aggregation *out);
// "query", "document"; NULL: none. False for other words.
bool role_of(const char *word, bertc_role *out);
bertc_text_options run_text_options(const run_options *o);
// Numbers of an answer; 0: it is no embedding.
int embedding_width(const run_options *o, const bertc_model *model);
// Numbers of a sparse answer with its zeros, where the model gives nothing else; 0: it does, or gives none.
int64_t sparse_alone(const bertc_model *model);
// Can sparse vectors be compared so? False, with a diagnostic: they can't.
bool compares_sparse(bertc_similarity how, diag *d);
// Do --dimensions and --normalize fit the model?
bool check_embedding(const run_options *o, const bertc_model *model, diag *d);

// --- print.c
// `several`: the text is printed too.
void print_result(FILE *out, const run_options *o, const bertc_result *r, const bertc_text *text,
                  bool several);
bool print_result_json(const bertc_result *r, const bertc_text *text, diag *d);

// --- texts.c: the texts of the command line, or of standard input.
bool run_texts(const run_options *o, const bertc_model *model, bertc_session *s, const arguments *words,
               diag *d);

// --- input.c: answers to the lines of a file, or to o->words.
// `part`: the shard of them that this process answers; NULL: all.
struct shard;
bool run_input(const run_options *o, const struct shard *part, bertc_model *model, diag *d);

// --- similar.c: the lines of `corpus` that are most like each line of o->similar.
bool run_similar(const run_options *o, bertc_model *model, const char *corpus, diag *d);

// --- zero_shot.c: labels that the command line gives
void zero_shot_options_add(option_table *t, run_options *o);
// -1, or the exit status of a usage error.
int zero_shot_options_check(const option_table *t, const run_options *o);
// Reads --labels, and holds them against the model; zero_shot_end frees them.
bool zero_shot_begin(run_options *o, const bertc_model *model, diag *d);
void zero_shot_end(run_options *o);
// Answers by those labels where there are any; `options`: a run_options. As a crew_answer.
bool run_answer(const void *options, bertc_session *s, const bertc_text *texts, size_t count,
                const bertc_text_options *to, bertc_result *results, bertc_error *error);

// --- rank.c: the lines of `documents`, by the score that a cross-encoder gives them for o->rank.
void rank_options_add(option_table *t, run_options *o);
// -1, or the exit status of a usage error. `texts`: on the command line.
int rank_options_check(const option_table *t, const run_options *o, int texts);
bool run_rank(const run_options *o, bertc_model *model, const char *documents, diag *d);

// --- summarize.c: the sentences of a text that say most of it.
void summarize_options_add(option_table *t, run_options *o);
// -1, or the exit status of a usage error. `texts`: on the command line.
int summarize_options_check(const option_table *t, const run_options *o, int texts);
bool run_summarize(const run_options *o, bertc_model *model, const char *path, diag *d);

// --- search.c: the rows of o->search, a file of vectors, that are most like each of the queries.
bool run_search(const run_options *o, bertc_model *model, const arguments *words, diag *d);

// --- attention.c: whom each token of the text looks at.
bool run_attention(const run_options *o, const bertc_model *model, bertc_session *s, const char *word,
                   diag *d);

// --- explain.c: what each word of the texts does for their label.
bool run_explain(const run_options *o, const bertc_model *model, bertc_session *s, const arguments *words,
                 diag *d);

// --- tensors.c
// input_ids, attention_mask and token_type_ids ([batch,length], I32 or I64; the last two may be missing) from
// the safetensors file `in`, outputs under Transformers' names as F32 into `out`.
bool run_tensors(const bertc_model *model, bertc_session *s, const char *in, const char *out, diag *d);

#endif
