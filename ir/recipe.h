// Recipes: how a large constant is made from tensors of the checkpoint. A constant holds a recipe instead of its
// elements. The recipe runs when the object is written, or when the JIT maps its weights.
#ifndef BERTC_IR_RECIPE_H
#define BERTC_IR_RECIPE_H

#include "ir/arena.h"
#include "ir/diag.h"
#include "ir/types.h"

typedef enum recipe_kind {
    RECIPE_TENSOR,    // tensor("name"): as it is in the checkpoint
    RECIPE_TRANSPOSE, // transpose(r): a matrix
    RECIPE_CONCAT,    // concat(axis, r, r, ...)
    RECIPE_SCALE,     // scale(r, c): every element times c, in float32
    RECIPE_CAST,      // cast(r, elem): as elem_convert does
    RECIPE_RESHAPE,   // reshape(r, [..])
    RECIPE_SLICE,     // slice(r, axis, begin, end)
    RECIPE_DIAGONAL,  // diagonal(r, n): the rows of r in n blocks, each in columns of its own; else zero
    RECIPE_COS,       // cos(f32[P,N], c): cos(p c^(-j/N)), a rotary table
    RECIPE_SIN,
    RECIPE_DFT_COS, // dft_cos(f32[n,n]): cos(2 pi i j / n), of the discrete Fourier transform
    RECIPE_DFT_SIN,
    RECIPE_PRODUCT, // product(r, r): of two f32 matrices
    RECIPE_SUM,     // sum(r, r): an f32 matrix plus another, or plus a vector in each row
    RECIPE_NORM,    // norm(r, gamma, beta, eps): layer_norm of the rows of an f32 matrix
    RECIPE_PACK,    // pack(r): a matrix [K,N] in LAYOUT_PACKED, zeros past K and N
    // Hashes contain these numbers, so new kinds come last.
    // The next four take an f32 matrix [K,N]; NaN and infinity in it are an error.
    RECIPE_COLUMN_SCALES,    // column_scales(r, limit): f32[N], the largest magnitude of a column / limit
    RECIPE_QUANTIZE_COLUMNS, // quantize_columns(r, limit): i8[K,N], by these scales
    RECIPE_ROW_SCALES,       // row_scales(r, limit): f32[K,1], of the rows
    RECIPE_QUANTIZE_ROWS,    // quantize_rows(r, limit): i8[K,N]
    RECIPE_COLUMN_SUMS, // column_sums(r, group, factor): of an i8 matrix, i32[K/group,N] (i32[N] for one group)
    RECIPE_NUMBERS,     // numbers([..]): an f32 vector that is in no checkpoint
    RECIPE_LARGE, // large(r, c): an f32 vector's elements of at least c times its largest magnitude; else 1
    RECIPE_QUOTIENT,   // quotient(r, r): of two f32 vectors, in float32
    RECIPE_SCALE_ROWS, // scale_rows(r, r): row i of an f32 matrix times element i of a vector, in float32
    RECIPE_SHIFT,      // shift(r, c): every element plus c, in float32
    RECIPE_ZEROS, // zeros("name"): a tensor that is in no checkpoint: a training state that begins as zeros
    RECIPE_KINDS
} recipe_kind;

typedef struct recipe {
    recipe_kind kind;
    type type; // of the result
    const char *tensor;
    int64_t axis, begin; // concat, slice; `axis` also: the blocks of a diagonal, the group of column_sums
    // scale, shift, large, cos, sin: c; norm: eps; quantised numbers: limit; column_sums: factor
    double scale;
    const float *numbers;
    int part_count;
    struct recipe **parts;
} recipe;

// A tensor of the checkpoint: borrowed, row-major, possibly unaligned.
typedef struct tensor_view {
    elem e;
    int rank;
    int64_t shape[IR_MAX_RANK];
    const void *data;
} tensor_view;

// Where tensors come from; the frontend implements it over the mapped checkpoint.
typedef struct tensor_source {
    void *context;
    bool (*find)(void *context, const char *name, tensor_view *out); // false: no such tensor
} tensor_source;

// Makers; they infer the type. Callers check shapes first: parts that don't fit fail an assert.
recipe *recipe_tensor(arena *a, const char *name, elem e, int rank, const int64_t *shape);
recipe *recipe_zeros(arena *a, const char *name, int rank, const int64_t *shape); // f32
recipe *recipe_transpose(arena *a, recipe *r);
recipe *recipe_concat(arena *a, int64_t axis, int n, recipe *const *parts);
recipe *recipe_scale(arena *a, recipe *r, double c);
recipe *recipe_shift(arena *a, recipe *r, double c);
recipe *recipe_cast(arena *a, recipe *r, elem to);
recipe *recipe_reshape(arena *a, recipe *r, int rank, const int64_t *shape);
recipe *recipe_slice(arena *a, recipe *r, int64_t axis, int64_t begin, int64_t end);
recipe *recipe_diagonal(arena *a, recipe *r, int64_t n);
recipe *recipe_waves(arena *a, recipe_kind kind, int64_t rows, int64_t columns,
                     double c);                            // RECIPE_COS, RECIPE_SIN
recipe *recipe_dft(arena *a, recipe_kind kind, int64_t n); // RECIPE_DFT_COS, RECIPE_DFT_SIN
recipe *recipe_product(arena *a, recipe *x, recipe *w);
recipe *recipe_sum(arena *a, recipe *x, recipe *y);
recipe *recipe_norm(arena *a, recipe *x, recipe *gamma, recipe *beta, double eps);
recipe *recipe_numbers(arena *a, int64_t n, const float *numbers); // copies
recipe *recipe_large(arena *a, recipe *r, double c);
recipe *recipe_quotient(arena *a, recipe *x, recipe *y);
recipe *recipe_scale_rows(arena *a, recipe *x, recipe *by);
// Do these parts fit a recipe of this kind? For kinds that compute from several parts.
bool recipe_fits(recipe_kind kind, int n, recipe *const *parts);
const char *recipe_word(recipe_kind kind); // "tensor"; NULL after the last kind
recipe *recipe_pack(arena *a, recipe *r);
// Is it a named tensor: of the checkpoint, or zeros?
static inline bool recipe_names_tensor(const recipe *r) {
    return r->kind == RECIPE_TENSOR || r->kind == RECIPE_ZEROS;
}
// Does it consist only of zeros?
bool recipe_is_zeros(const recipe *r);
// Is it one of RECIPE_COLUMN_SCALES to RECIPE_QUANTIZE_ROWS?
static inline bool recipe_quantizes(recipe_kind kind) {
    return kind >= RECIPE_COLUMN_SCALES && kind <= RECIPE_QUANTIZE_ROWS;
}
// A recipe of one of these kinds, of an f32 matrix; limit: 1 to 127.
recipe *recipe_quantized(arena *a, recipe_kind kind, recipe *r, int64_t limit);
// `factor` times the sums of each column's elements, group by group; `group` divides the number of rows of the i8
// matrix.
recipe *recipe_column_sums(arena *a, recipe *r, int64_t group, int64_t factor);

bool recipe_eq(const recipe *a, const recipe *b);
// May elements of type `from` be cast to `to` in a recipe? To any type that a value can have; i1 is excluded on both
// sides.
bool recipe_casts(elem from, elem to);
// Bytes of the result in memory; the packed layout with its padding.
size_t recipe_bytes(const recipe *r);

// --- recipe_moves.c: recipes that only move elements (concat, slice, transpose, reshape, pack) and widen them to
// f32. They can run backwards.

// A part of a tensor, and its place in the recipe's result. The result is a matrix here; a vector, or a
// tensor of more axes, counts as one row. Element (i, j) of the part is element first + i * row_step + j *
// column_step of the tensor, row-major. Its place is row `row` + i, column `column` + j.
typedef struct recipe_move {
    const recipe *tensor; // a RECIPE_TENSOR or RECIPE_ZEROS
    int64_t rows, columns;
    int64_t first, row_step, column_step;
    int64_t row, column;
} recipe_move;

// The parts of `r` (array in `a`), in the order in which the recipe names them. Each is a contiguous range of the
// tensor's elements, [first, first + rows * columns). Returns their number; 0 if the recipe does more than move and
// widen, or takes columns out of a matrix.
int recipe_moves(const recipe *r, arena *a, recipe_move **out);

// Runs a recipe into `out` (recipe_bytes long). False, with a diagnostic that names the tensor, if the source lacks it
// or it has another type or shape. Needs about as much memory as one part.
bool recipe_run(const recipe *r, const tensor_source *source, void *out, diag *d);
// Are all tensors of the recipe finite? False, with a diagnostic that names the first that isn't. Ignores a tensor that
// the source lacks.
bool recipe_check_finite(const recipe *r, const tensor_source *source, diag *d);
// 64-bit hash of the recipe's structure and of the bytes of its tensors.
bool recipe_hash(const recipe *r, const tensor_source *source, uint64_t *hash, diag *d);

#endif
