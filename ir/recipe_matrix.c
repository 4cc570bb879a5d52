// Matrices with two strides: copied row by row, and packed.
#include "ir/recipe_parts.h"

#include <string.h>

bool matrix_is_dense(const strided_matrix *v) {
    return v->col_step == 1;
}

strided_matrix matrix_of(const type *t, const void *data, void *owned) {
    bool matrix = t->rank == 2;
    int64_t rows = matrix ? t->d[0].n : 1, cols = matrix ? t->d[1].n : type_count(t);
    return (strided_matrix){t->e, rows, cols, cols, 1, data, owned};
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

void matrix_copy(const strided_matrix *v, unsigned char *out, int64_t ld) {
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

// --- Packing

// Rows [k0, k1) of one column into its place in a panel: `out` is the column's first element, `step` bytes lie
// between the rows of `from`.
static void pack_column(elem e, const unsigned char *from, int64_t step, int64_t k0, int64_t k1,
                        unsigned char *out) {
    from += k0 * step;
    if (e == ELEM_I4) {
        for (int64_t k = k0; k < k1; k++, from += step)
            out[k / 8 * GROUP_BYTES + k % 4] |= (unsigned char)((*from & 15) << (k / 4 % 2 * 4));
        return;
    }
    switch (elem_size(e)) {
    case 1:
        for (int64_t k = k0; k < k1; k++, from += step) out[k / 4 * GROUP_BYTES + k % 4] = *from;
        return;
    case 2:
        for (int64_t k = k0; k < k1; k++, from += step)
            memcpy(out + k / 2 * GROUP_BYTES + k % 2 * 2, from, 2);
        return;
    default:
        for (int64_t k = k0; k < k1; k++, from += step) memcpy(out + k * GROUP_BYTES, from, 4);
    }
}

void matrix_pack(const strided_matrix *v, unsigned char *out) {
    int64_t size = (int64_t)elem_size(v->e), panel = packed_groups(v->e, v->rows) * GROUP_BYTES;
    for (int64_t j = 0; j < v->cols; j += PANEL_COLUMNS, out += panel) {
        int64_t n = v->cols - j < PANEL_COLUMNS ? v->cols - j : PANEL_COLUMNS;
        if (n < PANEL_COLUMNS || packed_group(v->e) > 1) memset(out, 0, (size_t)panel);
        for (int64_t k0 = 0; k0 < v->rows; k0 += BLOCK) {
            int64_t k1 = k0 + BLOCK < v->rows ? k0 + BLOCK : v->rows;
            for (int64_t c = 0; c < n; c++)
                pack_column(v->e, v->data + size * (j + c) * v->col_step, size * v->row_step, k0, k1,
                            out + c * (GROUP_BYTES / PANEL_COLUMNS));
        }
    }
}
