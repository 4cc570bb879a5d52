// scales, quantize and dequantize: rows in groups of columns that share a scale.
#include "ir/eval_ops.h"
#include "ir/quantize.h"

#include <math.h>

bool kernel_scales(const eval_call *c) {
    const eval_float *x = eval_operand(c, 0)->data;
    int64_t group = node_attr(c->n, ATTR_group)->u.i, count = tensor_count(c->out);
    float limit = (float)node_attr(c->n, ATTR_limit)->u.i;
    eval_float *out = c->out->data;
    for (int64_t i = 0; i < count; i++) {
        float most = 0;
        for (int64_t j = 0; j < group; j++) most = fmaxf(most, fabsf((float)x[i * group + j]));
        out[i] = (eval_float)scale_of_largest(most, limit);
    }
    return true;
}

bool kernel_quantize(const eval_call *c) {
    const eval_float *x = eval_operand(c, 0)->data, *scale = eval_operand(c, 1)->data;
    int64_t group = node_attr(c->n, ATTR_group)->u.i, count = tensor_count(c->out);
    float limit = (float)node_attr(c->n, ATTR_limit)->u.i;
    int zero = zero_point(c->n, c->out->e);
    uint8_t *out = c->out->data; // the bits of i8 and i4 too
    for (int64_t i = 0; i < count; i++)
        out[i] = (uint8_t)(quantized_number((float)x[i], 1 / (float)scale[i / group], limit) + zero);
    return true;
}

bool kernel_dequantize(const eval_call *c) {
    const tensor *q = eval_operand(c, 0);
    const eval_float *scale = eval_operand(c, 1)->data;
    int64_t group = node_attr(c->n, ATTR_group)->u.i, count = tensor_count(q);
    int zero = zero_point(c->n, q->e);
    eval_float *out = c->out->data;
    for (int64_t i = 0; i < count; i++) {
        int number = q->e == ELEM_U8 ? ((const uint8_t *)q->data)[i] : ((const int8_t *)q->data)[i];
        out[i] = (eval_float)(number - zero) * scale[i / group];
    }
    return true;
}
