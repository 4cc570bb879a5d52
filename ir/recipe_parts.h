// What recipe.c and recipe_run.c share. Private to ir/.
#ifndef BERTC_IR_RECIPE_PARTS_H
#define BERTC_IR_RECIPE_PARTS_H
#include "ir/recipe.h"

type recipe_type(elem e, int rank, const int64_t *shape);
// Executes a product, a sum or a norm. (recipe_compute.c)
#define RECIPE_COMPUTED_PARTS 3
bool recipe_compute(const recipe *r, const tensor_source *source, float *out, diag *d);
// The tensor that a recipe names, checked against its type.
bool recipe_find_tensor(const recipe *r, const tensor_source *source, tensor_view *t, diag *d);
#endif
