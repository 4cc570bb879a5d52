// Rebuilds bodies of per_sequence with other params, and puts the nodes of a graph in another order.
#ifndef BERTC_PASSES_REGION_H
#define BERTC_PASSES_REGION_H

#include "passes/pass.h"

// Copies the nodes of `from` that its yields need into `to`, which gets the same yields. map[v] is the value in
// `to`. The caller fills it in for the params that are needed; the function fills in the others.
void region_copy(graph *to, const graph *from, value *map);
// live[v]: does a yield of the body need v?
void region_live(const graph *body, bool *live);
// Does the body yield v?
bool region_yields(const graph *body, value v);
// Number of params.
int region_params(const graph *body);
// Puts the nodes in another topological order: node i becomes node sorted[i]. If any node moves, variants are
// dropped.
void region_permute(graph *g, const value *sorted);
// The first of "x", "x2", ... that is the name of no node of `body`.
const char *region_free_name(const graph *body, const char *name);

// Is this fuse attention's gradient, not attention itself? Only in the gradient are probabilities, or rows that
// are the right operand of one product, transposed into the left operand of another.
bool region_is_gradient(const graph *box);

#endif
