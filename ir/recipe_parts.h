// What the files of recipes share. Private to ir/.
#ifndef BERTC_IR_RECIPE_PARTS_H
#define BERTC_IR_RECIPE_PARTS_H
#include "ir/recipe.h"

type recipe_type(elem e, int rank, const int64_t *shape);

// A matrix with two strides, so that a transposition costs nothing until the elements are copied. Anything but a
// matrix is treated as one row. Data is dense in one of the two orders, with separate elements, and may be unaligned.
// (recipe_matrix.c)
typedef struct strided_matrix {
    elem e;
    int64_t rows, cols, row_step, col_step;
    const unsigned char *data;
    void *owned;
} strided_matrix;
strided_matrix matrix_of(const type *t, const void *data, void *owned);
bool matrix_is_dense(const strided_matrix *v); // is it row-major without gaps?
// Copies it into a row-major matrix whose rows are `ld` elements apart.
void matrix_copy(const strided_matrix *v, unsigned char *out, int64_t ld);
// Copies it into LAYOUT_PACKED (packed_bytes).
void matrix_pack(const strided_matrix *v, unsigned char *out);

// --- recipe_quantize.c: f32 matrices by columns. To work by rows, pass the transposed matrix.

strided_matrix matrix_transposed(const strided_matrix *v);
// The scale of each column, as the op `scales` computes it for a row. False if an element is NaN or infinite.
bool matrix_column_scales(const strided_matrix *w, float limit, float *scales);
// Each element times the reciprocal of its column's scale, rounded to the nearest. `out` is a matrix with w's strides.
void matrix_quantize(const strided_matrix *w, const float *scales, int8_t *out);
// out[i][j]: factor times the sum of column j of q (i8) over the rows of group i.
void matrix_column_sums(const strided_matrix *q, int64_t group, int32_t factor, int32_t *out);

// Like recipe_bytes and recipe_run, but the elements of a row-major result are separate. (recipe_run.c)
size_t recipe_held(const recipe *r);
bool recipe_run_elements(const recipe *r, const tensor_source *source, void *out, diag *d);
// Is it f32 arithmetic that needs its parts complete? (recipe.c)
bool recipe_is_computed(recipe_kind kind);
// Runs such a recipe. `parts` are the results of r->parts, in that order: row-major, each recipe_bytes long.
// (recipe_compute.c)
#define RECIPE_COMPUTED_PARTS 3
void recipe_compute(const recipe *r, float *const *parts, float *out);
bool tensor_is_finite(const tensor_view *t); // no NaN, no infinity
// Finds the tensor that a recipe names, and checks its type. (recipe_source.c)
bool recipe_find_tensor(const recipe *r, const tensor_source *source, tensor_view *t, diag *d);
#endif
