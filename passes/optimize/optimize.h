// What the files of the pass `optimize` share. Private to passes/optimize/.
#ifndef BERTC_PASSES_OPTIMIZE_H
#define BERTC_PASSES_OPTIMIZE_H

#include "passes/pass.h"

// A parameter and its values in the step.
typedef struct trained {
    const char *name; // of the constant
    value state;      // the trainable constant
    value gradient;   // of this call
    value sum;        // the step's gradients so far, including this call's
    double rate;      // the factor of the learning rate; 0: frozen
    double decay;     // weight decay, multiplied by the rate in each step
} trained;

// --- rules.c: the options of a parameter.

// Are its tensors biases, or weights of a norm? These do not decay. Decided by name, as in Transformers.
bool recipe_is_spared(const recipe *r);
// The factor of the learning rate of the recipe's tensors; 0: they are frozen; -1: their factors differ.
double recipe_rate(const recipe *r, const optimizer_options *o);
// The recipe of a state of zeros that belongs to a parameter. Its tensors have the same shapes, the same names after
// `prefix`, and are moved in the same way.
recipe *recipe_zeros_like(arena *a, const recipe *r, const char *prefix);

// --- numbers.c: small values that all parameters share.

// The input that is this number of the call; the graph must have it.
value call_number(const graph *g, const char *name);
// Adds the numbers of the call that the graph lacks. Values change.
void call_numbers_add(graph *g);
value scalar_op(graph *g, op o, value a, double x); // a o x
// The norm of all gradients together, f32[1].
value gradient_norm(graph *g, const trained *items, int count);

// --- adamw.c

// What the steps of all parameters share, each f32[1]: the factor that clips, rate / (1 - beta1^step), and 1 /
// sqrt(1 - beta2^step).
typedef struct step_numbers {
    value factor, rate, root;
} step_numbers;
step_numbers adamw_numbers(graph *g, value norm, const optimizer_options *o);
// Adds the gradient to its state, and sets x->sum.
void adamw_add_up(graph *g, trained *x);
// Appends the kernel that computes the parameter's next value and its two means.
void adamw_step(graph *g, const trained *x, const step_numbers *s, const optimizer_options *o);

#endif
