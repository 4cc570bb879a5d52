// Losses: what training makes smaller, as ops behind a model's outputs.
//
// The graph gets the output `loss`, f32[1]: a sum over texts or tokens times `scale`, a number of the call. The caller sets
// it to 1 / (how many labels the whole step has), so that micro-batches and processes add up. Targets are inputs, by name
// (docs/training.md, Targets); a label of -100 adds nothing.
#ifndef BERTC_HUB_OBJECTIVE_H
#define BERTC_HUB_OBJECTIVE_H

#include "frontend/hub/hub.h"

typedef enum objective_kind {
    OBJECTIVE_CLASSES, // labels i32[S] or i32[T]: cross-entropy of the logits [S,C] or [T,C]
    OBJECTIVE_SEVERAL, // labels f32[S,C] of 0 and 1: binary cross-entropy of each logit
    OBJECTIVE_NUMBERS, // labels f32[S,C]: squared difference
    OBJECTIVE_SPANS,   // starts, ends i32[S]: cross-entropy over the tokens of each text, halved
    OBJECTIVE_WORDS,   // labels i32[R]: of the rows that the head reads
    OBJECTIVE_ORDER,   // that, and next i32[S], next_weights f32[S]: is the second text the one that follows?
    OBJECTIVE_NEAREST, // positives, candidates i32[S]: cross-entropy over cosines of the call's texts, times 20
    OBJECTIVE_COSINES // pairs i32[S], labels f32[S]: squared difference of cosine and label
} objective_kind;

// Appends the loss. The model's own outputs come first and stay. False, with a diagnostic, where an option is for another
// task.
bool hub_build_objective(graph *g, objective_kind kind, const hub_training *train, diag *d);

// --- rows.c: ops that the losses are made of. Rows are f32[X,C], of one symbol X or a number.

value loss_over(graph *g, op reduction, value x, int64_t axis);
// log(sum(exp(x))) of each row: [X,1].
value loss_log_sum(graph *g, value x);
// 1 where the row's label is the column, as i1 [X,C]; labels i32[X].
value loss_is_label(graph *g, value x, value labels);
// x where `is`, else 0, summed along the row: [X,1].
value loss_picked(graph *g, value is, value x);
// 1 where the label is one, 0 at -100: f32[X,1].
value loss_known(graph *g, value labels);
// What is more than plain cross-entropy of labels. {0}: nothing.
typedef struct loss_labels {
    double smoothing;     // share that all columns have alike
    const float *weights; // of columns, or NULL
    int64_t weight_count;
} loss_labels;
// The cross-entropy of each row, 0 where the label is -100: [X,1].
value loss_cross_entropy(graph *g, value x, value labels, const loss_labels *how);
// The sum of all elements, [1].
value loss_sum(graph *g, value x);
// Each row divided by its length: as torch's normalize.
value loss_normalized(graph *g, value x);
// --- teacher.c

// The Kullback-Leibler divergence of each row's softmax from that of the teacher's logits, at temperature t, times t squared: [X,1].
value loss_divergence(graph *g, value x, value teacher, double t);
// The same of each number's sigmoid: [X,C].
value loss_divergence_of_each(graph *g, value x, value teacher, double t);
// log(1 + e^x)
value loss_softplus(graph *g, value x);

value loss_compared(graph *g, const char *predicate, value a, value b);
value loss_integer(graph *g, int32_t x); // a scalar

#endif
