// Quantised matrices: scales of columns, elements quantised by these scales, sums of columns. Each function goes
// through the elements in memory order, along columns or across them.
#include "ir/quantize.h"
#include "ir/recipe_parts.h"

#include <string.h>

#define SIGN     0x80000000u
#define INFINITE 0x7f800000u
// Added to a double below 2^51, its last bits are the double's nearest integer, ties to even.
#define ROUNDER 0x1.8p52

strided_matrix matrix_transposed(const strided_matrix *v) {
    return (strided_matrix){v->e, v->cols, v->rows, v->col_step, v->row_step, v->data, v->owned};
}

// The element's magnitude; *bad becomes not 0 where it is NaN or infinite.
static float magnitude(const unsigned char *at, uint32_t *bad) {
    uint32_t bits;
    float x;
    memcpy(&bits, at, sizeof(bits));
    bits &= ~SIGN;
    *bad |= bits >= INFINITE;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

// False where an element is not finite.
static bool column_magnitudes(const strided_matrix *w, float *most) {
    uint32_t bad = 0;
    for (int64_t j = 0; j < w->cols; j++) most[j] = 0;
    for (int64_t j = 0; w->row_step == 1 && j < w->cols; j++) {
        const unsigned char *column = w->data + 4 * j * w->col_step;
        float here = 0;
        for (int64_t k = 0; k < w->rows; k++) {
            float x = magnitude(column + 4 * k, &bad);
            here = x > here ? x : here;
        }
        most[j] = here;
    }
    for (int64_t k = 0; w->row_step != 1 && k < w->rows; k++) {
        const unsigned char *row = w->data + 4 * k * w->row_step;
        for (int64_t j = 0; j < w->cols; j++) {
            float x = magnitude(row + 4 * j, &bad);
            most[j] = x > most[j] ? x : most[j];
        }
    }
    return !bad;
}

bool matrix_column_scales(const strided_matrix *w, float limit, float *scales) {
    if (!column_magnitudes(w, scales)) return false;
    for (int64_t j = 0; j < w->cols; j++) scales[j] = scale_of_largest(scales[j], limit);
    return true;
}

// As quantized_number of ir/quantize.h, of what is within the limit.
static int8_t quantized(const unsigned char *at, float reciprocal) {
    float x;
    uint64_t bits;
    memcpy(&x, at, sizeof(x));
    double rounded = (double)x * (double)reciprocal + ROUNDER; // the product is exact
    memcpy(&bits, &rounded, sizeof(bits));
    return (int8_t)(uint8_t)bits;
}

void matrix_quantize(const strided_matrix *w, const float *scales, int8_t *out) {
    if (w->row_step == 1) {
        for (int64_t j = 0; j < w->cols; j++) {
            const unsigned char *column = w->data + 4 * j * w->col_step;
            int8_t *to = out + j * w->col_step;
            float reciprocal = 1 / scales[j];
            for (int64_t k = 0; k < w->rows; k++) to[k] = quantized(column + 4 * k, reciprocal);
        }
        return;
    }
    for (int64_t k = 0; k < w->rows; k++) {
        const unsigned char *row = w->data + 4 * k * w->row_step;
        int8_t *to = out + k * w->row_step;
        for (int64_t j = 0; j < w->cols; j++) to[j] = quantized(row + 4 * j, 1 / scales[j]);
    }
}

void matrix_column_sums(const strided_matrix *q, int64_t group, int32_t factor, int32_t *out) {
    const int8_t *data = (const int8_t *)q->data;
    for (int64_t i = 0; i < q->rows / group; i++, out += q->cols) {
        memset(out, 0, (size_t)q->cols * sizeof(*out));
        if (q->row_step == 1) {
            for (int64_t j = 0; j < q->cols; j++)
                for (int64_t k = i * group; k < (i + 1) * group; k++) out[j] += data[j * q->col_step + k];
        } else {
            for (int64_t k = i * group; k < (i + 1) * group; k++)
                for (int64_t j = 0; j < q->cols; j++) out[j] += data[k * q->row_step + j];
        }
        for (int64_t j = 0; j < q->cols; j++) out[j] *= factor;
    }
}
