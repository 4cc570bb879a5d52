// How a number is quantised: what the evaluator, the recipes of weights and the emitters agree on.
#ifndef BERTC_IR_QUANTIZE_H
#define BERTC_IR_QUANTIZE_H
#include "ir/graph.h"

// The scale of numbers whose largest magnitude is `most`. 1 where its reciprocal could be no float: the numbers are zero,
// or so small that they may be.
#define LEAST_SCALE 0x1p-126f
static inline float scale_of_largest(float most, float limit) {
    float scale = most / limit;
    return scale >= LEAST_SCALE ? scale : 1;
}

// x times the reciprocal of its scale, rounded once: to the nearest whole number, ties to even, within +-limit. NaN
// gives -limit.
int quantized_number(float x, float reciprocal, float limit);

// What stands for 0 in a quantize's result, or a dequantize's operand, of type e: limit + 1 in u8.
int zero_point(const node *n, elem e);

#endif
