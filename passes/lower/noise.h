// Predicts what rounding to 8 bits costs a product, from the distribution of its operands.
//
// Rounding a number to a multiple of s adds an error of variance s^2 / 12 (Bennett 1948; Widrow). Activations have
// one s per row: the row's largest magnitude / 127. Weights have one per column. So the largest channel of a row
// decides how coarse the whole row is. If a norm's gamma makes one channel large, it coarsens all others (Wei and
// others, Outlier Suppression, arXiv 2209.13325).
#ifndef BERTC_PASSES_LOWER_NOISE_H
#define BERTC_PASSES_LOWER_NOISE_H
#include <stdint.h>

// What is known of the channels of the rows that a product reads: the mean and the standard deviation of each.
// After a norm they are beta and gamma; without gamma, the deviation is 1.
typedef struct noise_rows {
    int64_t n;
    const float *deviation, *mean; // mean NULL: 0
} noise_rows;

// The median of a row's largest magnitude, if the channels were normal and independent.
double noise_largest(const noise_rows *x);
// The power of the rounding errors of x w, as a share of the power of x w, for rows x and w[n,columns]. Not finite
// if a number is not finite, or if x w is 0.
double noise_of_product(const noise_rows *x, const float *w, int64_t columns);

#endif
