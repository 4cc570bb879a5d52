// Runs recipes. Meanwhile every element is separate: an i4 takes one byte.
#include "ir/memory.h"
#include "ir/recipe_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t recipe_held(const recipe *r) {
    return r->type.layout == LAYOUT_PACKED ? recipe_bytes(r)
                                           : (size_t)type_count(&r->type) * elem_size(r->type.e);
}

static bool no_memory(const recipe *r, diag *d) {
    return diag_error(d, NULL, "out of memory: %zu bytes for a constant", recipe_held(r));
}

static bool run_recipe(const recipe *r, const tensor_source *source, void *out, diag *d);
static bool open_quantized(const recipe *r, const tensor_source *source, strided_matrix *v, diag *d);

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
        *v = matrix_transposed(&x);
        return true;
    }
    if (r->kind == RECIPE_QUANTIZE_COLUMNS || r->kind == RECIPE_QUANTIZE_ROWS)
        return open_quantized(r, source, v, d);
    if (r->kind == RECIPE_RESHAPE) {
        if (!open_matrix(r->parts[0], source, v, d)) return false;
        if (matrix_is_dense(v)) {
            *v = matrix_of(&r->type, v->data, v->owned);
            return true;
        }
        free(v->owned);
    }
    void *owned = memory_alloc(recipe_held(r), 1);
    if (!owned) return no_memory(r, d);
    if (!run_recipe(r, source, owned, d)) {
        free(owned);
        return false;
    }
    *v = matrix_of(&r->type, owned, owned);
    return true;
}

// Cast, scale and shift, in the order in which the part lies; a transposed part is transposed afterwards.
static bool run_elementwise(const recipe *r, const tensor_source *source, void *out, diag *d) {
    strided_matrix v;
    if (!open_matrix(r->parts[0], source, &v, d)) return false;
    int64_t n = v.rows * v.cols;
    unsigned char *to = out;
    unsigned char *between = matrix_is_dense(&v) ? NULL : memory_alloc(recipe_held(r), 1);
    bool ok = matrix_is_dense(&v) || between;
    if (!ok) no_memory(r, d);
    if (ok && between) to = between;
    if (ok && r->kind == RECIPE_CAST) elem_convert(v.e, v.data, r->type.e, to, n);
    if (ok && r->kind == RECIPE_SCALE) {
        float c = (float)r->scale, x;
        for (int64_t i = 0; i < n; i++) memcpy(&x, v.data + 4 * i, 4), x *= c, memcpy(to + 4 * i, &x, 4);
    }
    if (ok && r->kind == RECIPE_SHIFT) {
        float c = (float)r->scale, x;
        for (int64_t i = 0; i < n; i++) memcpy(&x, v.data + 4 * i, 4), x += c, memcpy(to + 4 * i, &x, 4);
    }
    if (ok && between) {
        strided_matrix result = v;
        result.e = r->type.e;
        result.data = between;
        matrix_copy(&result, out, v.cols);
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
        matrix_copy(&v, out + (size_t)at * size, t->rank == 2 && r->axis == 0 ? v.cols : inner);
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
    unsigned char *dense = matrix_is_dense(&v) ? NULL : memory_alloc(recipe_held(part), 1);
    bool ok = matrix_is_dense(&v) || dense;
    if (!ok) no_memory(part, d);
    if (dense) matrix_copy(&v, dense, v.cols);
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
    unsigned char *dense = memory_alloc(recipe_held(r->parts[0]), 1);
    if (!dense) return no_memory(r->parts[0], d);
    bool ok = run_recipe(r->parts[0], source, dense, d);
    if (ok) memset(out, 0, recipe_held(r));
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
        parts[i] = memory_alloc(recipe_held(r->parts[i]), 1);
        if (!parts[i])
            ok = no_memory(r->parts[i], d);
        else
            ok = run_recipe(r->parts[i], source, parts[i], d);
    }
    if (ok) recipe_compute(r, parts, out);
    for (int i = 0; i < r->part_count; i++) free(parts[i]);
    return ok;
}

// --- Quantised matrices

bool recipe_check_finite(const recipe *r, const tensor_source *source, diag *d) {
    tensor_view t;
    char where[256];
    for (int i = 0; i < r->part_count; i++)
        if (!recipe_check_finite(r->parts[i], source, d)) return false;
    if (r->kind != RECIPE_TENSOR || !recipe_find_tensor(r, source, &t, d)) return true;
    if (tensor_is_finite(&t)) return true;
    snprintf(where, sizeof where, "tensor \"%.200s\"", r->tensor);
    return diag_error(
        d, where,
        "holds NaN or infinity, which int8 can't represent (--keep f32:NAMES leaves it in float32)");
}

// The scales of the columns of r's part, which is open in `w`.
static bool run_scales(const recipe *r, const strided_matrix *w, const tensor_source *source, float *scales,
                       diag *d) {
    if (matrix_column_scales(w, (float)r->scale, scales)) return true;
    if (recipe_check_finite(r->parts[0], source, d)) // else the tensor is named
        diag_error(d, NULL, "a constant that int8 should represent holds NaN or infinity");
    return false;
}

// The part of a recipe that quantises, by the columns of the view.
static bool open_part(const recipe *r, const tensor_source *source, strided_matrix *w, diag *d) {
    bool rows = r->kind == RECIPE_ROW_SCALES || r->kind == RECIPE_QUANTIZE_ROWS;
    if (!open_matrix(r->parts[0], source, w, d)) return false;
    if (rows) *w = matrix_transposed(w);
    return true;
}

// The result lies in the order of its part.
static bool open_quantized(const recipe *r, const tensor_source *source, strided_matrix *v, diag *d) {
    strided_matrix w;
    if (!open_part(r, source, &w, d)) return false;
    float *scales = memory_alloc((size_t)w.cols, sizeof(*scales));
    int8_t *q = scales ? memory_alloc((size_t)w.rows, (size_t)w.cols) : NULL;
    bool ok = q ? run_scales(r, &w, source, scales, d) : no_memory(r, d);
    if (ok) matrix_quantize(&w, scales, q);
    free(scales);
    free(w.owned);
    *v = w;
    v->e = ELEM_I8;
    v->data = v->owned = q;
    if (r->kind == RECIPE_QUANTIZE_ROWS) *v = matrix_transposed(v);
    if (!ok) free(q);
    return ok;
}

static bool run_column_scales(const recipe *r, const tensor_source *source, float *out, diag *d) {
    strided_matrix w;
    if (!open_part(r, source, &w, d)) return false;
    bool ok = run_scales(r, &w, source, out, d);
    free(w.owned);
    return ok;
}

static bool run_column_sums(const recipe *r, const tensor_source *source, int32_t *out, diag *d) {
    strided_matrix q;
    if (!open_matrix(r->parts[0], source, &q, d)) return false;
    matrix_column_sums(&q, r->axis, (int32_t)r->scale, out);
    free(q.owned);
    return true;
}

static bool run_recipe(const recipe *r, const tensor_source *source, void *out, diag *d) {
    if (r->kind == RECIPE_COLUMN_SCALES || r->kind == RECIPE_ROW_SCALES)
        return run_column_scales(r, source, out, d);
    if (r->kind == RECIPE_COLUMN_SUMS) return run_column_sums(r, source, out, d);
    if (r->kind == RECIPE_SLICE) return run_slice(r, source, out, d);
    if (r->kind == RECIPE_DIAGONAL) return run_diagonal(r, source, out, d);
    if (r->kind == RECIPE_COS || r->kind == RECIPE_SIN) return run_waves(r, out), true;
    if (r->kind == RECIPE_DFT_COS || r->kind == RECIPE_DFT_SIN) return run_dft(r, out), true;
    if (r->kind == RECIPE_ZEROS) return memset(out, 0, recipe_held(r)), true;
    if (r->kind == RECIPE_NUMBERS) return memcpy(out, r->numbers, recipe_bytes(r)), true;
    if (recipe_is_computed(r->kind)) return run_computed(r, source, out, d);
    if (r->kind == RECIPE_CONCAT) return run_concat(r, source, out, d);
    if (r->kind == RECIPE_CAST || r->kind == RECIPE_SCALE || r->kind == RECIPE_SHIFT)
        return run_elementwise(r, source, out, d);
    strided_matrix v;
    bool whole = r->kind == RECIPE_TENSOR || r->kind == RECIPE_TRANSPOSE || recipe_quantizes(r->kind);
    const recipe *from = whole ? r : r->parts[0];
    if (!open_matrix(from, source, &v, d)) return false;
    if (r->kind == RECIPE_PACK)
        matrix_pack(&v, out);
    else
        matrix_copy(&v, out, v.cols);
    free(v.owned);
    return true;
}

bool recipe_run_elements(const recipe *r, const tensor_source *source, void *out, diag *d) {
    return run_recipe(r, source, out, d);
}

bool recipe_run(const recipe *r, const tensor_source *source, void *out, diag *d) {
    if (r->type.e != ELEM_I4 || r->type.layout == LAYOUT_PACKED) return run_recipe(r, source, out, d);
    void *elements = memory_alloc(recipe_held(r), 1);
    if (!elements) return no_memory(r, d);
    bool ok = run_recipe(r, source, elements, d);
    if (ok) type_to_memory(&r->type, elements, out);
    free(elements);
    return ok;
}
