// Bodies of per_sequence: rebuilt with other params.
#ifndef BERTC_PASSES_REGION_H
#define BERTC_PASSES_REGION_H

#include "passes/pass.h"

// Copies the nodes of `from` that are no params and that its output needs into `to`. map[v] is the value in
// `to`: given for the params that are needed, filled in for the rest. Returns what `from` yields.
value region_copy(graph *to, const graph *from, value *map);
// Marks what the body's output needs.
void region_live(const graph *body, bool *live);
// Number of params.
int region_params(const graph *body);
// "x", or "x2", ...: the first that no node of `body` has.
const char *region_free_name(const graph *body, const char *name);

#endif
