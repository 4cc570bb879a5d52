// Recipes executed.
#include "ir/half.h"
#include "ir/memory.h"
#include "ir/recipe_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// --- Execution. A view is a matrix with two strides, so that a transposition costs nothing until its
// elements are copied; what is not a matrix is one row. Data is dense in one of the two orders, and may be
// unaligned.

typedef struct strided_matrix {
    elem e;
    int64_t rows, cols, row_step, col_step;
    const unsigned char *data;
    void *owned;
} strided_matrix;

static bool matrix_is_dense(const strided_matrix *v) {
    return v->col_step == 1;
}

static strided_matrix matrix_of(const type *t, const void *data, void *owned) {
    bool matrix = t->rank == 2;
    int64_t rows = matrix ? t->d[0].n : 1, cols = matrix ? t->d[1].n : type_count(t);
    return (strided_matrix){t->e, rows, cols, cols, 1, data, owned};
}

static void to_floats(elem e, const unsigned char *in, float *out, int64_t n) {
    uint16_t h;
    double d;
    if (e == ELEM_F32) {
        memcpy(out, in, (size_t)n * 4);
    } else if (e == ELEM_F16) {
        for (int64_t i = 0; i < n; i++) memcpy(&h, in + 2 * i, 2), out[i] = from_f16(h);
    } else if (e == ELEM_BF16) {
        for (int64_t i = 0; i < n; i++) memcpy(&h, in + 2 * i, 2), out[i] = from_bf16(h);
    } else if (e == ELEM_F64) {
        for (int64_t i = 0; i < n; i++) memcpy(&d, in + 8 * i, 8), out[i] = (float)d;
    } else if (e == ELEM_F8_E4M3) {
        for (int64_t i = 0; i < n; i++) out[i] = from_f8_e4m3(in[i]);
    } else {
        for (int64_t i = 0; i < n; i++) out[i] = from_f8_e5m2(in[i]);
    }
}

void elem_convert(elem from, const void *data, elem to, void *out, int64_t n) {
    const unsigned char *in = data;
    if (from == to) {
        memcpy(out, in, (size_t)n * elem_size(to));
        return;
    }
    if (to == ELEM_F32) {
        to_floats(from, in, out, n);
        return;
    }
    float block[256];
    uint16_t *half = out;
    for (int64_t i = 0; i < n; i += 256) {
        int64_t m = n - i < 256 ? n - i : 256;
        to_floats(from, in + (size_t)i * elem_size(from), block, m);
        for (int64_t k = 0; k < m; k++) half[i + k] = to == ELEM_F16 ? to_f16(block[k]) : to_bf16(block[k]);
    }
}

#define BLOCK 32

// `n` elements of `size` bytes that are `step` elements apart, side by side. A copy whose size is known is a
// load and a store.
static void copy_apart(unsigned char *out, const unsigned char *in, int64_t n, int64_t step, size_t size) {
    switch (size) {
    case 1:
        for (int64_t j = 0; j < n; j++) out[j] = in[j * step];
        return;
    case 2:
        for (int64_t j = 0; j < n; j++) memcpy(out + 2 * j, in + 2 * j * step, 2);
        return;
    case 4:
        for (int64_t j = 0; j < n; j++) memcpy(out + 4 * j, in + 4 * j * step, 4);
        return;
    default:
        for (int64_t j = 0; j < n; j++) memcpy(out + (size_t)j * size, in + (size_t)(j * step) * size, size);
    }
}

// Into a row-major matrix whose rows are `ld` elements apart.
static void copy_matrix(const strided_matrix *v, unsigned char *out, int64_t ld) {
    size_t size = elem_size(v->e);
    if (matrix_is_dense(v)) {
        for (int64_t i = 0; i < v->rows; i++) {
            memcpy(out + (size_t)(i * ld) * size, v->data + (size_t)(i * v->row_step) * size,
                   (size_t)v->cols * size);
        }
        return;
    }
    for (int64_t i0 = 0; i0 < v->rows; i0 += BLOCK) {
        for (int64_t j0 = 0; j0 < v->cols; j0 += BLOCK) {
            int64_t i1 = i0 + BLOCK < v->rows ? i0 + BLOCK : v->rows;
            int64_t j1 = j0 + BLOCK < v->cols ? j0 + BLOCK : v->cols;
            for (int64_t i = i0; i < i1; i++) {
                const unsigned char *from = v->data + (size_t)(i * v->row_step) * size;
                unsigned char *to = out + (size_t)(i * ld) * size;
                copy_apart(to + (size_t)j0 * size, from + (size_t)(j0 * v->col_step) * size, j1 - j0,
                           v->col_step, size);
            }
        }
    }
}

static void pack_panels(const strided_matrix *v, float *out) {
    for (int64_t j = 0; j < v->cols; j += PANEL_COLUMNS, out += PANEL_COLUMNS * v->rows) {
        int64_t n = v->cols - j < PANEL_COLUMNS ? v->cols - j : PANEL_COLUMNS;
        if (n < PANEL_COLUMNS) memset(out, 0, sizeof(float) * (size_t)(PANEL_COLUMNS * v->rows));
        for (int64_t k0 = 0; k0 < v->rows; k0 += BLOCK) {
            int64_t k1 = k0 + BLOCK < v->rows ? k0 + BLOCK : v->rows;
            for (int64_t c = 0; c < n; c++) {
                const unsigned char *from = v->data + 4 * (j + c) * v->col_step;
                for (int64_t k = k0; k < k1; k++)
                    memcpy(&out[k * PANEL_COLUMNS + c], from + 4 * k * v->row_step, 4);
            }
        }
    }
}

static bool run_recipe(const recipe *r, const tensor_source *source, void *out, diag *d);

// The result as a view; memory of its own where the recipe computes.
static bool open_matrix(const recipe *r, const tensor_source *source, strided_matrix *v, diag *d) {
    if (r->kind == RECIPE_TENSOR) {
        tensor_view t;
        if (!recipe_find_tensor(r, source, &t, d)) return false;
        *v = matrix_of(&r->type, t.data, NULL);
        return true;
    }
    if (r->kind == RECIPE_TRANSPOSE) {
        strided_matrix x;
        if (!open_matrix(r->parts[0], source, &x, d)) return false;
        *v = (strided_matrix){x.e, x.cols, x.rows, x.col_step, x.row_step, x.data, x.owned};
        return true;
    }
    if (r->kind == RECIPE_RESHAPE) {
        if (!open_matrix(r->parts[0], source, v, d)) return false;
        if (matrix_is_dense(v)) {
            *v = matrix_of(&r->type, v->data, v->owned);
            return true;
        }
        free(v->owned);
    }
    void *owned = memory_alloc(recipe_bytes(r), 1);
    if (!owned) return diag_error(d, NULL, "out of memory: %zu bytes for a constant", recipe_bytes(r));
    if (!run_recipe(r, source, owned, d)) {
        free(owned);
        return false;
    }
    *v = matrix_of(&r->type, owned, owned);
    return true;
}

// Cast and scale, in the order in which the part lies; a transposed part is transposed afterwards.
static bool run_elementwise(const recipe *r, const tensor_source *source, void *out, diag *d) {
    strided_matrix v;
    if (!open_matrix(r->parts[0], source, &v, d)) return false;
    int64_t n = v.rows * v.cols;
    unsigned char *to = out;
    unsigned char *between = matrix_is_dense(&v) ? NULL : memory_alloc(recipe_bytes(r), 1);
    bool ok = matrix_is_dense(&v) || between;
    if (!ok) diag_error(d, NULL, "out of memory: %zu bytes for a constant", recipe_bytes(r));
    if (ok && between) to = between;
    if (ok && r->kind == RECIPE_CAST) elem_convert(v.e, v.data, r->type.e, to, n);
    if (ok && r->kind == RECIPE_SCALE) {
        float c = (float)r->scale, x;
        for (int64_t i = 0; i < n; i++) memcpy(&x, v.data + 4 * i, 4), x *= c, memcpy(to + 4 * i, &x, 4);
    }
    if (ok && between) {
        strided_matrix result = v;
        result.e = r->type.e;
        result.data = between;
        copy_matrix(&result, out, v.cols);
    }
    free(between);
    free(v.owned);
    return ok;
}

static bool run_concat(const recipe *r, const tensor_source *source, unsigned char *out, diag *d) {
    size_t size = elem_size(r->type.e);
    int64_t outer = 1, inner = 1, at = 0;
    for (int i = 0; i < r->type.rank; i++) *(i < r->axis ? &outer : &inner) *= r->type.d[i].n;
    for (int i = 0; i < r->part_count; i++) {
        const type *t = &r->parts[i]->type;
        int64_t cols = type_count(t) / outer;
        strided_matrix v;
        if (!open_matrix(r->parts[i], source, &v, d)) return false;
        if (t->rank != 2) {
            v.rows = outer;
            v.cols = v.row_step = cols;
        }
        copy_matrix(&v, out + (size_t)at * size, t->rank == 2 && r->axis == 0 ? v.cols : inner);
        at += cols;
        free(v.owned);
    }
    return true;
}

static bool run_slice(const recipe *r, const tensor_source *source, unsigned char *out, diag *d) {
    const recipe *part = r->parts[0];
    size_t inner = elem_size(r->type.e);
    int64_t outer = 1, rows = part->type.d[r->axis].n, kept = r->type.d[r->axis].n;
    for (int i = 0; i < r->axis; i++) outer *= r->type.d[i].n;
    for (int i = (int)r->axis + 1; i < r->type.rank; i++) inner *= (size_t)r->type.d[i].n;
    strided_matrix v;
    if (!open_matrix(part, source, &v, d)) return false;
    unsigned char *dense = matrix_is_dense(&v) ? NULL : memory_alloc(recipe_bytes(part), 1);
    bool ok = matrix_is_dense(&v) || dense;
    if (!ok) diag_error(d, NULL, "out of memory: %zu bytes for a constant", recipe_bytes(part));
    if (dense) copy_matrix(&v, dense, v.cols);
    const unsigned char *from = dense ? dense : v.data;
    for (int64_t i = 0; ok && i < outer; i++) {
        memcpy(out + (size_t)(i * kept) * inner, from + (size_t)(i * rows + r->begin) * inner,
               (size_t)kept * inner);
    }
    free(dense);
    free(v.owned);
    return ok;
}

static bool run_diagonal(const recipe *r, const tensor_source *source, unsigned char *out, diag *d) {
    const type *t = &r->parts[0]->type;
    size_t row = (size_t)t->d[1].n * elem_size(t->e);
    unsigned char *dense = memory_alloc(recipe_bytes(r->parts[0]), 1);
    if (!dense)
        return diag_error(d, NULL, "out of memory: %zu bytes for a constant", recipe_bytes(r->parts[0]));
    bool ok = run_recipe(r->parts[0], source, dense, d);
    if (ok) memset(out, 0, recipe_bytes(r));
    for (int64_t i = 0; ok && i < t->d[0].n; i++) {
        int64_t block = i * r->axis / t->d[0].n;
        memcpy(out + (size_t)(i * r->axis + block) * row, dense + (size_t)i * row, row);
    }
    free(dense);
    return ok;
}

// Angles in float, step by step as PyTorch computes them: the tables that models were trained with.
static void run_waves(const recipe *r, float *out) {
    int64_t rows = r->type.d[0].n, columns = r->type.d[1].n;
    for (int64_t j = 0; j < columns; j++) {
        float frequency = 1 / powf((float)r->scale, (float)(2 * j) / (float)(2 * columns));
        for (int64_t p = 0; p < rows; p++) {
            double angle = (float)p * frequency;
            out[p * columns + j] = (float)(r->kind == RECIPE_COS ? cos(angle) : sin(angle));
        }
    }
}

// i j is taken modulo n, so that angles stay small.
static void run_dft(const recipe *r, float *out) {
    int64_t n = r->type.d[0].n;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0, turn = 0; j < n; j++, turn = (turn + i) % n) {
            double angle = 6.283185307179586477 * (double)turn / (double)n;
            out[i * n + j] = (float)(r->kind == RECIPE_DFT_COS ? cos(angle) : sin(angle));
        }
    }
}

static bool run_computed(const recipe *r, const tensor_source *source, float *out, diag *d) {
    float *parts[RECIPE_COMPUTED_PARTS] = {NULL};
    bool ok = true;
    for (int i = 0; ok && i < r->part_count; i++) {
        parts[i] = memory_alloc(recipe_bytes(r->parts[i]), 1);
        if (!parts[i])
            ok = diag_error(d, NULL, "out of memory: %zu bytes for a constant", recipe_bytes(r->parts[i]));
        else
            ok = run_recipe(r->parts[i], source, parts[i], d);
    }
    if (ok) recipe_compute(r, parts, out);
    for (int i = 0; i < r->part_count; i++) free(parts[i]);
    return ok;
}

static bool run_recipe(const recipe *r, const tensor_source *source, void *out, diag *d) {
    if (r->kind == RECIPE_SLICE) return run_slice(r, source, out, d);
    if (r->kind == RECIPE_DIAGONAL) return run_diagonal(r, source, out, d);
    if (r->kind == RECIPE_COS || r->kind == RECIPE_SIN) return run_waves(r, out), true;
    if (r->kind == RECIPE_DFT_COS || r->kind == RECIPE_DFT_SIN) return run_dft(r, out), true;
    if (r->kind == RECIPE_PRODUCT || r->kind == RECIPE_SUM || r->kind == RECIPE_NORM)
        return run_computed(r, source, out, d);
    if (r->kind == RECIPE_CONCAT) return run_concat(r, source, out, d);
    if (r->kind == RECIPE_CAST || r->kind == RECIPE_SCALE) return run_elementwise(r, source, out, d);
    strided_matrix v;
    const recipe *from = r->kind == RECIPE_TENSOR || r->kind == RECIPE_TRANSPOSE ? r : r->parts[0];
    if (!open_matrix(from, source, &v, d)) return false;
    if (r->kind == RECIPE_PACK)
        pack_panels(&v, out);
    else
        copy_matrix(&v, out, v.cols);
    free(v.owned);
    return true;
}

bool recipe_run(const recipe *r, const tensor_source *source, void *out, diag *d) {
    return run_recipe(r, source, out, d);
}
