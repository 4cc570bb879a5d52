// Converts elements from one type to another, and between separate elements and rows in memory.
#include "ir/half.h"
#include "ir/types.h"

#include <assert.h>
#include <math.h>

// --- From any type to float

static void to_floats(elem e, const unsigned char *in, float *out, int64_t n) {
    uint16_t h;
    int32_t k;
    double d;
    switch (e) {
    case ELEM_F32: memcpy(out, in, (size_t)n * 4); break;
    case ELEM_F16:
        for (int64_t i = 0; i < n; i++) memcpy(&h, in + 2 * i, 2), out[i] = from_f16(h);
        break;
    case ELEM_BF16:
        for (int64_t i = 0; i < n; i++) memcpy(&h, in + 2 * i, 2), out[i] = from_bf16(h);
        break;
    case ELEM_I32:
        for (int64_t i = 0; i < n; i++) memcpy(&k, in + 4 * i, 4), out[i] = (float)k;
        break;
    case ELEM_I8:
    case ELEM_I4:
        for (int64_t i = 0; i < n; i++) out[i] = (float)(int8_t)in[i];
        break;
    case ELEM_U8:
        for (int64_t i = 0; i < n; i++) out[i] = (float)in[i];
        break;
    case ELEM_I1:
        for (int64_t i = 0; i < n; i++) out[i] = in[i] != 0;
        break;
    case ELEM_F64:
        for (int64_t i = 0; i < n; i++) memcpy(&d, in + 8 * i, 8), out[i] = (float)d;
        break;
    case ELEM_F8_E4M3:
        for (int64_t i = 0; i < n; i++) out[i] = from_f8_e4m3(in[i]);
        break;
    case ELEM_F8_E5M2:
        for (int64_t i = 0; i < n; i++) out[i] = from_f8_e5m2(in[i]);
        break;
    case ELEM_COUNT: assert(0 && "an element type");
    }
}

// --- From float to what a value can have

// Towards zero, into [low, high], which are exact floats or, for i32, the nearest above; NaN is 0.
static int32_t truncated(float x, int32_t low, int32_t high) {
    if (isnan(x)) return 0;
    if (x <= (float)low) return low;
    return x >= (float)high ? high : (int32_t)x;
}

static void from_floats(const float *in, elem e, void *out, int64_t n) {
    uint16_t *halves = out;
    int32_t *ints = out;
    int8_t *signed_bytes = out;
    uint8_t *bytes = out;
    switch (e) {
    case ELEM_F32: memcpy(out, in, (size_t)n * 4); break;
    case ELEM_F16:
        for (int64_t i = 0; i < n; i++) halves[i] = to_f16(in[i]);
        break;
    case ELEM_BF16:
        for (int64_t i = 0; i < n; i++) halves[i] = to_bf16(in[i]);
        break;
    case ELEM_I32:
        for (int64_t i = 0; i < n; i++) ints[i] = truncated(in[i], INT32_MIN, INT32_MAX);
        break;
    case ELEM_I8:
        for (int64_t i = 0; i < n; i++) signed_bytes[i] = (int8_t)truncated(in[i], INT8_MIN, INT8_MAX);
        break;
    case ELEM_I4:
        for (int64_t i = 0; i < n; i++) signed_bytes[i] = (int8_t)truncated(in[i], -8, 7);
        break;
    case ELEM_U8:
        for (int64_t i = 0; i < n; i++) bytes[i] = (uint8_t)truncated(in[i], 0, UINT8_MAX);
        break;
    case ELEM_I1:
        for (int64_t i = 0; i < n; i++) bytes[i] = in[i] != 0;
        break;
    case ELEM_F64:
    case ELEM_F8_E4M3:
    case ELEM_F8_E5M2:
    case ELEM_COUNT: assert(0 && "an element type of values");
    }
}

#define BLOCK 256

void elem_convert(elem from, const void *in, elem to, void *out, int64_t n) {
    const unsigned char *next = in;
    unsigned char *put = out;
    float block[BLOCK];
    if (from == to) {
        memcpy(out, in, (size_t)n * elem_size(to));
        return;
    }
    if (to == ELEM_F32) {
        to_floats(from, next, out, n);
        return;
    }
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t m = n - i < BLOCK ? n - i : BLOCK;
        to_floats(from, next + (size_t)i * elem_size(from), block, m);
        from_floats(block, to, put + (size_t)i * elem_size(to), m);
    }
}

// --- Rows in memory

static void row_shape(const type *t, int64_t *rows, int64_t *columns) {
    assert(t->layout == LAYOUT_ROW);
    *columns = t->rank ? t->d[t->rank - 1].n : 1;
    *rows = 1;
    for (int i = 0; i + 1 < t->rank; i++) *rows *= t->d[i].n;
}

void type_to_memory(const type *t, const void *elements, void *memory) {
    const unsigned char *in = elements;
    unsigned char *out = memory;
    int64_t rows, columns;
    if (t->e != ELEM_I4) {
        memcpy(memory, elements, (size_t)type_bytes(t));
        return;
    }
    row_shape(t, &rows, &columns);
    for (int64_t r = 0; r < rows; r++, in += columns) {
        for (int64_t i = 0; i < columns; i += 2) {
            int high = i + 1 < columns ? in[i + 1] & 15 : 0;
            *out++ = (unsigned char)((in[i] & 15) | high << 4);
        }
    }
}

void type_from_memory(const type *t, const void *memory, void *elements) {
    const unsigned char *in = memory;
    int8_t *out = elements;
    int64_t rows, columns;
    if (t->e != ELEM_I4) {
        memcpy(elements, memory, (size_t)type_bytes(t));
        return;
    }
    row_shape(t, &rows, &columns);
    for (int64_t r = 0; r < rows; r++, in += elem_bytes(ELEM_I4, columns)) {
        for (int64_t i = 0; i < columns; i++) {
            int nibble = in[i / 2] >> (i % 2 * 4) & 15;
            *out++ = (int8_t)((nibble ^ 8) - 8);
        }
    }
}
