// What rounding to 8 bits costs a product, predicted from what its operands look like.
//
// A number that is rounded to a multiple of s is off by as much as a uniform error of variance s^2 / 12 (Bennett 1948;
// Widrow). Activations have one s a row, the row's largest magnitude / 127; weights one a column. So a row is as
// coarse as its largest channel makes it, and a channel that a norm's gamma makes large coarsens all others (Wei and
// others, Outlier Suppression, arXiv 2209.13325).
#ifndef BERTC_PASSES_LOWER_NOISE_H
#define BERTC_PASSES_LOWER_NOISE_H
#include <stdint.h>

// The channels of the rows that a product reads, as far as they are known: of channel j the mean, and the deviation
// round it. A norm without gamma has deviation 1; gamma and beta are deviation and mean of what it gives.
typedef struct noise_rows {
    int64_t n;
    const float *deviation, *mean; // mean NULL: 0
} noise_rows;

// The median of a row's largest magnitude, were the channels normal and independent.
double noise_largest(const noise_rows *x);
// Power of the rounding errors of x w, as a share of the power of x w: of rows x and w[n,columns]. Not finite where a
// number is not, or where x w is 0.
double noise_of_product(const noise_rows *x, const float *w, int64_t columns);

#endif
