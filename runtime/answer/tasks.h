// From a head's numbers to an answer. Pure functions over tokens and logits; none allocates.
#ifndef BERTC_TASKS_H
#define BERTC_TASKS_H

#include "runtime/load/model.h"

// The `k` best of n logits (n of them where k > n), best first; of equal ones the lower index first.
// out[i].id is the index, out[i].score the logit; labels are not set. Returns how many.
int task_top(const float *logits, int n, int k, bertc_score *out);
// Scores as probabilities over all n logits.
void task_softmax(const float *logits, int n, bertc_score *scores, int count);
void task_sigmoid(bertc_score *scores, int count);

// A token's best label and its probability.
bertc_score task_token(const bertc_model *m, const float *logits);

// Groups the tokens of the first text as Transformers' token-classification pipeline does with
// aggregation_strategy "simple": neighbours with the same type belong together unless the later one's label
// begins with "B-"; a group's score is the mean of its tokens' scores; groups of "O" are left out. `words`:
// as with the strategy "first", a word counts as one token with the label of its first token. `labels` has
// n elements, `out` room for n. Returns how many.
int task_entities(const bertc_token *tokens, int n, const bertc_score *labels, bool words, bertc_entity *out);

// The label of each of `count` words of the first text: its first token's. A word without a token: NULL, -1.
void task_words(const bertc_token *tokens, int n, const bertc_score *labels, bertc_score *out, size_t count);

// The best span of the pair's tokens (the context), start before end, at most `longest` tokens. `words`:
// the span is widened to whole words, as Transformers' question-answering pipeline does (align_to_words).
bertc_answer task_answer(const bertc_token *tokens, int n, const float *start, const float *end, int longest,
                         bool words);

#endif
