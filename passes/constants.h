// Constants that passes make from other constants: recipes from recipes, literals by arithmetic on literals.
#ifndef BERTC_PASSES_CONSTANTS_H
#define BERTC_PASSES_CONSTANTS_H

#include "passes/pass.h"

// The constant with this recipe: one that the graph has already, or a new one without a name.
value constant_of_recipe(graph *g, const recipe *r);
// A literal of type `t` (f32 or i32) without a name. `data` is copied.
value constant_literal(graph *g, type t, const void *data);
// A constant with every element of the f32 constant `c` times `by`. It must be row-major.
value constant_scaled(graph *g, value c, double by);
// Can the constants be concatenated? They must be row-major, of one element type, and all literals, all recipes or
// all states. States are merged into one state, so nothing else may read them.
bool constants_concat(const graph *g, int n, const value *c);
value constant_concat(graph *g, int64_t axis, int n, const value *c);
// Does the recipe make `parts` equal matrices side by side, each zero outside of `blocks` blocks (2 or more) on its
// diagonal?
bool recipe_blocks(const recipe *r, int64_t *parts, int64_t *blocks);
// The part of the recipe before it widens to f32. Widening changes no element.
const recipe *recipe_before_casts(const recipe *r);
// If r is the transpose of a recipe, that recipe, without its casts; else NULL.
const recipe *recipe_turned(const recipe *r);
// Names `v` if no other node of the graph has the name.
void name_if_free(graph *g, value v, const char *name);

#endif
