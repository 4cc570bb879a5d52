// Constants that passes make from other constants: recipes from recipes, literals by arithmetic on literals.
#ifndef BERTC_PASSES_CONSTANTS_H
#define BERTC_PASSES_CONSTANTS_H

#include "passes/pass.h"

// The constant with this recipe: one that the graph holds already, or a new one without a name.
value constant_of_recipe(graph *g, const recipe *r);
// A literal of `t` (f32 or i32, `data` is copied), without a name.
value constant_literal(graph *g, type t, const void *data);
// Every element of f32 constant `c` times `by`. The literal or the recipe must be row-major.
value constant_scaled(graph *g, value c, double by);
// Can the constants be concatenated? They are all literals, all recipes or all states, row-major, of one element
// type. Of states, one is made, so nothing else may read the parts.
bool constants_concat(const graph *g, int n, const value *c);
value constant_concat(graph *g, int64_t axis, int n, const value *c);
// Is the recipe's matrix `parts` equal matrices side by side, each zero outside of `blocks` blocks (2 or more) down
// its diagonal?
bool recipe_blocks(const recipe *r, int64_t *parts, int64_t *blocks);
// What the recipe makes before it widens to f32, which changes no element.
const recipe *recipe_before_casts(const recipe *r);
// The recipe whose transpose r is, both before they are widened; NULL: it is no such recipe.
const recipe *recipe_turned(const recipe *r);
// Names `v` if no other node of the graph has the name.
void name_if_free(graph *g, value v, const char *name);

#endif
