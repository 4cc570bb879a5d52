// What the files of recipes share. Private to ir/.
#ifndef BERTC_IR_RECIPE_PARTS_H
#define BERTC_IR_RECIPE_PARTS_H
#include "ir/recipe.h"

type recipe_type(elem e, int rank, const int64_t *shape);

// A matrix with two strides, so that a transposition costs nothing until its elements are copied; what is not a
// matrix is one row. Data is dense in one of the two orders, every element by itself, and may be unaligned.
// (recipe_matrix.c)
typedef struct strided_matrix {
    elem e;
    int64_t rows, cols, row_step, col_step;
    const unsigned char *data;
    void *owned;
} strided_matrix;
strided_matrix matrix_of(const type *t, const void *data, void *owned);
bool matrix_is_dense(const strided_matrix *v); // do its rows lie as they are?
// Into a row-major matrix whose rows are `ld` elements apart.
void matrix_copy(const strided_matrix *v, unsigned char *out, int64_t ld);
// Into LAYOUT_PACKED: packed_bytes of it.
void matrix_pack(const strided_matrix *v, unsigned char *out);

// --- recipe_quantize.c: f32 matrices by columns. What goes by rows is that of the transposed matrix.

strided_matrix matrix_transposed(const strided_matrix *v);
// The scale of each column: as the op `scales` has it of a row. False where an element is NaN or infinite.
bool matrix_column_scales(const strided_matrix *w, float limit, float *scales);
// Each element times the reciprocal of its column's scale, to the nearest. `out` has the order of w's elements: it
// is a matrix of w's steps.
void matrix_quantize(const strided_matrix *w, const float *scales, int8_t *out);
// out[i][j]: factor times the sum of column j of q (i8) over the rows of group i.
void matrix_column_sums(const strided_matrix *q, int64_t group, int32_t factor, int32_t *out);

// As recipe_bytes and recipe_run, but every element of a row-major result stands by itself. (recipe_run.c)
size_t recipe_held(const recipe *r);
bool recipe_run_elements(const recipe *r, const tensor_source *source, void *out, diag *d);
// Is it arithmetic on f32 that takes its parts whole? (recipe.c)
bool recipe_is_computed(recipe_kind kind);
// Such a recipe of parts that have been executed: row-major, in the order of r->parts, each recipe_bytes long.
// (recipe_compute.c)
#define RECIPE_COMPUTED_PARTS 3
void recipe_compute(const recipe *r, float *const *parts, float *out);
bool tensor_is_finite(const tensor_view *t); // no NaN, no infinity
// The tensor that a recipe names, checked against its type. (recipe_source.c)
bool recipe_find_tensor(const recipe *r, const tensor_source *source, tensor_view *t, diag *d);
#endif
