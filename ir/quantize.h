// How a number is quantised. The evaluator, the recipes of weights and the emitters all follow it.
#ifndef BERTC_IR_QUANTIZE_H
#define BERTC_IR_QUANTIZE_H
#include "ir/graph.h"

// The scale of numbers whose largest magnitude is `most`. It is 1 if the reciprocal would be no finite float: the
// numbers are then zero, or so small that they may count as zero.
#define LEAST_SCALE 0x1p-126f
static inline float scale_of_largest(float most, float limit) {
    float scale = most / limit;
    return scale >= LEAST_SCALE ? scale : 1;
}

// x times the reciprocal of its scale, rounded once to the nearest whole number (ties to even) and clamped to +-limit.
// NaN gives -limit.
int quantized_number(float x, float reciprocal, float limit);

// The number that means 0 in the result of a quantize, or the operand of a dequantize, of type e: limit + 1 in u8.
int zero_point(const node *n, elem e);

#endif
