// What the files of the pass `optimize` share. Private to passes/optimize/.
#ifndef BERTC_PASSES_OPTIMIZE_H
#define BERTC_PASSES_OPTIMIZE_H

#include "passes/pass.h"

// A parameter and what belongs to it.
typedef struct trained {
    const char *name; // of the constant
    value state;      // the trainable constant
    value gradient;   // of this call
    value sum;        // the gradients of the step so far, with this call's
    double rate;      // the factor of the rate; 0: frozen
    double decay;     // of the weight in a step, times the rate
} trained;

// --- rules.c: what a parameter's options are.

// Are its tensors biases, or a norm's weights? They do not decay. As Transformers has it, by name.
bool recipe_is_spared(const recipe *r);
// The factor of the rate for what the recipe is made of; 0: it is frozen. -1: its tensors' differ.
double recipe_rate(const recipe *r, const optimizer_options *o);
// The recipe of a state of zeros beside a parameter: its tensors' names behind `prefix`, of their shapes, moved in the same
// way.
recipe *recipe_zeros_like(arena *a, const recipe *r, const char *prefix);

// --- numbers.c: small values that all parameters share.

// The number of the call, an input that is there.
value call_number(const graph *g, const char *name);
// Makes those inputs that the graph lacks; values change.
void call_numbers_add(graph *g);
value scalar_op(graph *g, op o, value a, double x); // a o x
// The norm of all gradients together, f32[1].
value gradient_norm(graph *g, const trained *items, int count);

// --- adamw.c

// What all parameters' steps share, each f32[1]: the factor that clips, rate / (1 - beta1^step), 1 / sqrt(1 - beta2^step).
typedef struct step_numbers {
    value factor, rate, root;
} step_numbers;
step_numbers adamw_numbers(graph *g, value norm, const optimizer_options *o);
// x->sum: the gradient is added to its state of zeros.
void adamw_add_up(graph *g, trained *x);
// The parameter's next value and those of its two means, in one kernel.
void adamw_step(graph *g, const trained *x, const step_numbers *s, const optimizer_options *o);

#endif
