// What the rest of passes/ asks of the plan of a variant: its sizes and its arena.
#ifndef BERTC_PASSES_PLAN_H
#define BERTC_PASSES_PLAN_H

#include "passes/pass.h"

// The sizes of a variant of g: length, tokens, sequences and row_tile; all else is 0. False, with a diagnostic,
// where they are out of range or the target multiplies no f32.
bool plan_sizes(const graph *g, const target *t, int64_t length, int64_t batch, diag *d, variant *out);
// Gives the values of g their places, in x->places, which has room for them, and x->arena_bytes, for the sizes
// that x has. States and weights need not have theirs yet. False, with a diagnostic, where a value or the
// arena is too large.
bool plan_places(const graph *g, const target *t, variant *x, diag *d);

#endif
