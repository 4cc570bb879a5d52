// From what a model gives for a batch of the dev file to metrics of its task.
#ifndef BERTC_CLI_TRAIN_JUDGE_H
#define BERTC_CLI_TRAIN_JUDGE_H

#include "frontend/cli/metrics/metrics.h"
#include "frontend/cli/train/batch.h"

// Of a window: its best answer, and how likely it is that it has none; both as sums of a start's and an end's logit.
typedef struct found_answer {
    float score, none;
    uint32_t from, to; // bytes of the context
} found_answer;

typedef struct judge {
    train_set *set;
    const feature_rule *rule;
    arena *arena;
    label_metrics labels;
    multi_label_metrics marks;
    number_metrics values;
    span_metrics spans;
    found_answer *answers; // of each entry of the set
    answer_metrics texts;
    // Of TRAIN_PRETRAIN: the second texts, the sum of their losses and how many were told right; and the part that they have in the
    // summed loss, whose batches are weighted by their masks.
    int64_t pairs, pairs_right, masks;
    double pair_losses, pairs_in_loss;
    // Of TRAIN_MLM: the loss has a part that is no cross entropy of the labels (label smoothing, a teacher's), so that is added up here,
    // over `masks`.
    bool mixed;
    double mask_losses;
} judge;

// Of a set whose labels are settled. What it keeps is in `a`. `mixed`: the loss is not the labels' cross entropy alone.
void judge_open(judge *j, train_set *s, bool mixed, arena *a);
// Does it read that output of the model?
bool judge_reads(const judge *j, const char *output);
// The batch's answers: those of `outputs` that it reads have data, on the batch's rows.
void judge_add(judge *j, const train_batch *b, int count, const bertc_tensor *outputs);
// Behind the last batch: what is judged by whole texts. False, with a diagnostic, where the file has changed.
bool judge_end(judge *j, diag *d);
// `loss`: the mean over the file, of which a perplexity is made where it is the labels' cross entropy.
void judge_list(const judge *j, double loss, metric_list *out);

// --- judge_answer.c

// The tokens of the longest answer, as Transformers' run_qa.py has it.
#define ANSWER_TOKENS 30
// The best span of the context's tokens, from the logits of a window of `n` tokens.
found_answer answer_find(const float *starts, const float *ends, const uint32_t *byte_starts,
                         const uint32_t *byte_ends, int64_t n);
// The windows of each example together, against its answers. What *out keeps is in `kept`.
bool answers_judge(answer_metrics *out, train_set *s, const found_answer *found, arena *kept, diag *d);

#endif
