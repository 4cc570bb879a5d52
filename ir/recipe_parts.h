// What the files of recipes share. Private to ir/.
#ifndef BERTC_IR_RECIPE_PARTS_H
#define BERTC_IR_RECIPE_PARTS_H
#include "ir/recipe.h"

type recipe_type(elem e, int rank, const int64_t *shape);
// A product, a sum or a norm of parts that have been executed: row-major, in the order of r->parts, each
// recipe_bytes long. (recipe_compute.c)
#define RECIPE_COMPUTED_PARTS 3
void recipe_compute(const recipe *r, float *const *parts, float *out);
// The tensor that a recipe names, checked against its type. (recipe_source.c)
bool recipe_find_tensor(const recipe *r, const tensor_source *source, tensor_view *t, diag *d);
#endif
