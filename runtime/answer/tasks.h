// From a head's numbers to an answer. Pure functions over tokens and logits; none allocates.
#ifndef BERTC_TASKS_H
#define BERTC_TASKS_H

#include "runtime/load/model.h"

// The `k` best of n logits (n of them where k > n), best first; of equal ones the lower index first.
// out[i].id is the index, out[i].score the logit; labels are not set. Returns how many.
int task_top(const float *logits, int n, int k, bertc_score *out);
// Sorts n scores into that order.
void task_sort(bertc_score *scores, int n);
// Scores as probabilities over all n logits.
void task_softmax(const float *logits, int n, bertc_score *scores, int count);
void task_sigmoid(bertc_score *scores, int count);
// Adds the probabilities of all n logits to sums[n].
void task_add_softmax(const float *logits, int n, double *sums);

#endif
