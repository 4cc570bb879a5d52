// From the numbers that a head gives to an answer. Pure functions over tokens and logits; nothing allocates.
#ifndef BERTC_TASKS_H
#define BERTC_TASKS_H

#include "model.h"

// The `k` (clamped to n) best of n logits, best first, the lower index first where equal: out[i].id is the
// index, out[i].score the logit. Labels are not set. Returns how many.
int task_top(const float *logits, int n, int k, bertc_score *out);
// Scores as probabilities over all n logits.
void task_softmax(const float *logits, int n, bertc_score *scores, int count);
void task_sigmoid(bertc_score *scores, int count);

// Groups the tokens of the first text as Transformers' token-classification pipeline with
// aggregation_strategy "simple": a token has its best label; neighbours with the same type belong together
// unless the later one begins with "B-"; the score is the mean of its tokens'; groups of "O" are left out.
// logits: rows of m's labels, `ld` floats apart. out: room for n. Returns how many.
int task_entities(const bertc_model *m, const bertc_token *tokens, int n, const float *logits, int64_t ld,
                  bertc_entity *out);

// The best span of the pair's tokens (the context), start before end, at most `longest` tokens; offsets go
// out to whole words, as Transformers' question-answering pipeline does it (align_to_words).
bertc_answer task_answer(const bertc_token *tokens, int n, const float *start, const float *end, int longest);

#endif
