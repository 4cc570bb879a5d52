// quantize and dequantize, in f32: rows in groups of columns that share a scale.
#include "ir/eval_ops.h"

#include <math.h>

#define UNSIGNED_ZERO 128 // what stands for 0 in u8

// The quotient to the nearest, ties to even, within +-limit; NaN, as 0 / 0 is, gives 0.
static int quantized(float x, float scale, float limit) {
    float q = rintf(x / scale);
    if (isnan(q)) return 0;
    return (int)fmaxf(-limit, fminf(q, limit));
}

bool kernel_quantize(const eval_call *c) {
    const float *x = eval_operand(c, 0)->data, *scale = eval_operand(c, 1)->data;
    int64_t group = node_attr(c->n, ATTR_group)->u.i, count = tensor_count(c->out);
    float limit = (float)node_attr(c->n, ATTR_limit)->u.i;
    int zero = c->out->e == ELEM_U8 ? UNSIGNED_ZERO : 0;
    uint8_t *out = c->out->data; // the bits of i8 and i4 too
    for (int64_t i = 0; i < count; i++) out[i] = (uint8_t)(quantized(x[i], scale[i / group], limit) + zero);
    return true;
}

bool kernel_dequantize(const eval_call *c) {
    const tensor *q = eval_operand(c, 0);
    const float *scale = eval_operand(c, 1)->data;
    int64_t group = node_attr(c->n, ATTR_group)->u.i, count = tensor_count(q);
    float *out = c->out->data;
    for (int64_t i = 0; i < count; i++) {
        int number =
            q->e == ELEM_U8 ? ((const uint8_t *)q->data)[i] - UNSIGNED_ZERO : ((const int8_t *)q->data)[i];
        out[i] = (float)number * scale[i / group];
    }
    return true;
}
