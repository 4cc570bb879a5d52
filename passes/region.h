// Bodies of per_sequence: rebuilt with other params. And graphs whose nodes stand in another order.
#ifndef BERTC_PASSES_REGION_H
#define BERTC_PASSES_REGION_H

#include "passes/pass.h"

// Copies those nodes of `from` that its yields need, params excepted, into `to`, which yields the same. map[v]
// is the value in `to`: the caller gives it for the params that are needed, the others are filled in.
void region_copy(graph *to, const graph *from, value *map);
// live[v]: does a yield of the body need v?
void region_live(const graph *body, bool *live);
// Does the body yield v?
bool region_yields(const graph *body, value v);
// Number of params.
int region_params(const graph *body);
// Puts the nodes in another topological order: node i becomes that of sorted[i]. Variants are dropped where one moves.
void region_permute(graph *g, const value *sorted);
// "x", or "x2", ...: the first that no node of `body` has.
const char *region_free_name(const graph *body, const char *name);

// Is the box of attention its gradient? There, unlike in attention, rows that were multiplied on the right, or their
// probabilities, are turned round to stand on the left of a product.
bool region_is_gradient(const graph *box);

#endif
