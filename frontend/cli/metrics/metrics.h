// How good answers are: counts that grow answer by answer, and the figures that they give. No model, no files: whoever has a
// gold answer and a found one calls these (`bertc evaluate`, and training at the end of an epoch).
//
// Definitions are those of scikit-learn, seqeval, SQuAD's official script and Fairlearn; where one of these would warn and take 0
// for what is not defined, so does this: each function says so. What has no value at all is NaN.
#ifndef BERTC_CLI_METRICS_H
#define BERTC_CLI_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/ir.h"

// The figures of a set of answers, the one that a model is usually chosen by first.
#define METRICS_MAX 64
typedef struct metric_value {
    const char *name; // "f1_macro"; lives as long as the arena of metric_add, or is a literal
    double value;     // NaN: not defined
} metric_value;
typedef struct metric_list {
    int count;
    metric_value v[METRICS_MAX];
} metric_list;
void metric_add(metric_list *l, const char *name, double figure); // nothing, where the list is full
double metric_find(const metric_list *l, const char *name);       // NaN: there is none of that name

// Precision, recall and F1 of what was found (right, and wrong) among what should have been (right, and missed). 0 where a
// denominator is 0.
typedef struct prf {
    double precision, recall, f1;
    int64_t support; // right and missed
} prf;
prf prf_of(int64_t right, int64_t wrong, int64_t missed);
// Of several: from the summed counts, the mean, and the mean weighted by support.
typedef struct prf_means {
    prf micro, macro, weighted;
} prf_means;
typedef struct prf_sum {
    int64_t right, wrong, missed, support;
    int count;
    double macro[3], weighted[3];
} prf_sum;
void prf_sum_add(prf_sum *s, int64_t right, int64_t wrong, int64_t missed);
prf_means prf_sum_means(const prf_sum *s);

// --- calibration.c: the expected calibration error (Guo et al. 2017): probabilities in 15 bins of equal width, open below; in
// each, how far the mean probability is from the share that holds, weighted by the bin's count.
#define CALIBRATION_BINS 15
typedef struct calibration_bins {
    int64_t count[CALIBRATION_BINS], holds[CALIBRATION_BINS];
    double sum[CALIBRATION_BINS];
} calibration_bins;
void calibration_add(calibration_bins *c, double probability, bool holds);
double calibration_error(const calibration_bins *c); // NaN: nothing was added

// --- label_metrics.c: one label per text

typedef struct label_metrics {
    int labels;
    int64_t count, right;
    int64_t *matrix; // [gold, found]
    calibration_bins calibration;
} label_metrics;
// `labels` at least 1; the matrix is in `a`.
void label_metrics_open(label_metrics *m, int labels, arena *a);
// `probability`: of the found label; NaN: not known.
void label_metrics_add(label_metrics *m, int gold, int found, double probability);
// The same of a row of logits: the found label is the first of the largest, its probability by softmax.
void label_metrics_add_logits(label_metrics *m, int gold, const float *logits);
// right, wrong and missed as scikit-learn counts them for one label.
prf label_metrics_of(const label_metrics *m, int label);
// Over the labels that occur, as gold or as found ones (scikit-learn).
prf_means label_metrics_means(const label_metrics *m);
double label_metrics_matthews(const label_metrics *m); // 0 where a variance is 0
// accuracy; with two labels precision, recall, f1 of the second; *_micro (which are the accuracy), *_macro, *_weighted;
// matthews, calibration_error
void label_metrics_list(const label_metrics *m, metric_list *out);

// --- multi_label.c: any number of labels per text

typedef struct multi_label_metrics {
    int labels;
    int64_t count, exact;
    int64_t *right, *wrong, *missed; // [labels]
    calibration_bins calibration;    // of each label of each text
} multi_label_metrics;
void multi_label_open(multi_label_metrics *m, int labels, arena *a);
// `gold`: 0 or 1 for each label. A label is found where its probability is above `threshold`.
void multi_label_add(multi_label_metrics *m, const float *gold, const float *probabilities, double threshold);
prf multi_label_of(const multi_label_metrics *m, int label);
prf_means multi_label_means(const multi_label_metrics *m);
// f1_micro, ...; subset_accuracy, hamming_loss, calibration_error
void multi_label_list(const multi_label_metrics *m, metric_list *out);

// --- number_metrics.c: numbers against numbers

typedef struct number_metrics {
    arena *arena;
    int64_t count, room;
    double *gold, *found;
    int64_t columns; // numbers of an example, which are added one after the other; 0: one
} number_metrics;
void number_metrics_open(number_metrics *m, arena *a);
void number_metrics_add(number_metrics *m, double gold, double found);
// Correlations of `n` pairs; equal values share their mean rank. NaN where one side is constant, holds a NaN, or n is below 2.
double pearson_of(const double *x, const double *y, int64_t n);
double spearman_of(const double *x, const double *y, int64_t n, arena *a);
// Of several columns each figure is the mean of theirs (scikit-learn's uniform average).
// With `errors`: mse, rmse, mae and r2 too. r2 of a constant gold side is 1 where all is right, else 0 (scikit-learn).
void number_metrics_list(const number_metrics *m, bool errors, metric_list *out);

// --- span_metrics.c: spans of words with a type, from a tag per word, as seqeval

typedef struct span_type {
    const char *name;
    int64_t right, wrong, missed;
} span_type;
typedef struct span_metrics {
    arena *arena;
    // IOB2 alone: a span is B- and the I- of its type behind it. Else as seqeval's default and conlleval.
    bool strict;
    int64_t words, tagged; // words, and those whose tag is right
    int type_count, room;
    span_type *types; // ascending by name
} span_metrics;
void span_metrics_open(span_metrics *m, bool strict, arena *a);
// Of a text with `n` words.
void span_metrics_add(span_metrics *m, const char *const *gold, const char *const *found, int n);
prf_means span_metrics_means(const span_metrics *m);
// f1, precision, recall (micro), *_macro, *_weighted, accuracy (of tags)
void span_metrics_list(const span_metrics *m, metric_list *out);

// --- answer_metrics.c: answers to questions, as SQuAD's scripts

typedef struct answer_text {
    const char *text;
    size_t size;
} answer_text;
// Of a question's best span.
typedef struct answer_span {
    double lead; // by how much "none" scores above it
    int64_t at;  // the question
    bool possible, empty;
    double exact, f1; // by SQuAD 2.0's rule
} answer_span;
typedef struct answer_metrics {
    arena *arena;       // of answer_metrics_add_span
    answer_span *spans; // of each question; NULL: nobody adds them
    int64_t span_count, span_room;
    int64_t count, possible;    // questions, and those that have an answer
    double exact[2], f1[2];     // sums by the rule of SQuAD 1.1 and of 2.0
    double with_exact, with_f1; // by that of 2.0, of questions that have an answer
    double without;             // right ones that have none
} answer_metrics;
typedef struct answer_score {
    double exact, f1;
} answer_score;
// The best over `count` gold answers. `second`: by SQuAD 2.0's rule: gold answers of which normalisation leaves nothing don't count,
// and where there are none the right answer is "".
answer_score answer_compare(const answer_text *found, const answer_text *gold, int count, bool second);
void answer_metrics_add(answer_metrics *m, const answer_text *found, const answer_text *gold, int count);
// Beside it, for the thresholds of SQuAD 2.0: the best span alone, and by how much the score of "none" is above its.
void answer_metrics_add_span(answer_metrics *m, const answer_text *span, double lead, const answer_text *gold,
                             int count);
// The best figure that "none, where it scores more than a threshold above the span" can reach, and that threshold: of exact match, or of F1.
// As the official script of SQuAD 2.0 finds them. NaN where spans are missing.
typedef struct answer_best {
    double figure, threshold;
} answer_best;
answer_best answer_metrics_best(const answer_metrics *m, bool f1);
// f1, exact_match by SQuAD 1.1's rule where every question has an answer; else by 2.0's, with has_answer_f1 and so on, best_exact,
// best_exact_thresh, best_f1 and best_f1_thresh.
void answer_metrics_list(const answer_metrics *m, metric_list *out);

// --- rank_metrics.c: the order in which documents were found, where each is relevant or not

#define RANK_CUTS_MAX 16
typedef struct rank_metrics {
    int64_t count;
    int cut_count;
    int64_t cuts[RANK_CUTS_MAX];
    double ndcg[RANK_CUTS_MAX], recall[RANK_CUTS_MAX], reciprocal, precision;
} rank_metrics;
// `cuts`: each k of nDCG@k and recall@k; at most RANK_CUTS_MAX.
void rank_metrics_open(rank_metrics *m, const int64_t *cuts, int cut_count);
// `ranks`: of the relevant documents, `n` of them (at least 1), ascending from 1.
void rank_metrics_add(rank_metrics *m, const int64_t *ranks, int n);
// ndcg@k, mrr, map, recall@k; the names are in `a`.
void rank_metrics_list(const rank_metrics *m, metric_list *out, arena *a);

// --- group_metrics.c: how groups differ, by Fairlearn's definitions; of at most GROUPS_MAX groups

#define GROUPS_MAX 1024

// Of one label that is looked at as the positive one: how often it is found at all (selection rate), where it is gold (true positive
// rate) and where it is not (false positive rate). NaN where there is no such text.
typedef struct group_rates {
    double selection, true_positive, false_positive;
} group_rates;
group_rates group_rates_of(const label_metrics *m, int positive);
group_rates group_rates_of_mark(const multi_label_metrics *m, int label);
// The largest less the smallest of the values, and the smallest divided by the largest; those that are NaN are left out, and NaN
// where fewer than two are left.
double group_difference(const double *values, int n);
double group_ratio(const double *values, int n);
typedef struct group_parity {
    double demographic_difference, demographic_ratio; // of selection rates
    double odds_difference, odds_ratio; // the larger difference, and the smaller ratio, of the other two
} group_parity;
// As Fairlearn, with 0 for a rate that is NaN.
group_parity group_parity_of(const group_rates *rates, int n);

#endif
