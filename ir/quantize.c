#include "ir/quantize.h"

#include <math.h>

int quantized_number(float x, float reciprocal, float limit) {
    double q = rint((double)x * (double)reciprocal); // exact up to here: 48 bits
    if (!(q >= (double)-limit)) return (int)-limit;
    return q > (double)limit ? (int)limit : (int)q;
}

int zero_point(const node *n, elem e) {
    const attr *limit = node_attr(n, ATTR_limit);
    return e != ELEM_U8 ? 0 : limit ? (int)limit->u.i + 1 : 128;
}
