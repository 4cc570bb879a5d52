// The sizes and the arena of a variant, for the rest of passes/.
#ifndef BERTC_PASSES_PLAN_H
#define BERTC_PASSES_PLAN_H

#include "passes/pass.h"

// Fills in the sizes of a variant of g: length, tokens, sequences and row_tile. Everything else becomes 0. False,
// with a diagnostic, if they are out of range or the target has no product of f32.
bool plan_sizes(const graph *g, const target *t, int64_t length, int64_t batch, diag *d, variant *out);
// Fills in x->places (which has room for all values of g) and x->arena_bytes, for the sizes in x. States and weights
// need not have places yet. False, with a diagnostic, if a value or the arena is too large.
bool plan_places(const graph *g, const target *t, variant *x, diag *d);

#endif
