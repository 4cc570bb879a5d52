#include "passes/lower/noise.h"

#include <math.h>
#include <stddef.h>

#define LEVELS    127 // of a magnitude
#define BISECTION 60

static double mean_of(const noise_rows *x, int64_t j) {
    return x->mean ? (double)x->mean[j] : 0;
}

// The logarithm of how likely all channels stay within +-m.
static double log_within(const noise_rows *x, double m) {
    double sum = 0;
    for (int64_t j = 0; j < x->n; j++) {
        double mean = fabs(mean_of(x, j)), spread = fabs((double)x->deviation[j]) * sqrt(2);
        if (spread == 0) {
            if (mean > m) return -INFINITY;
            continue;
        }
        sum += log1p(-(erfc((m - mean) / spread) + erfc((m + mean) / spread)) / 2);
    }
    return sum;
}

double noise_largest(const noise_rows *x) {
    double low = 0, high = 0;
    for (int64_t j = 0; j < x->n; j++) {
        double most = fabs(mean_of(x, j)) + 10 * fabs((double)x->deviation[j]);
        if (!(most <= high)) high = most; // NaN too
    }
    if (!isfinite(high)) return high;
    for (int i = 0; i < BISECTION; i++) {
        double middle = (low + high) / 2;
        if (log_within(x, middle) < -log(2))
            low = middle;
        else
            high = middle;
    }
    return high;
}

double noise_of_product(const noise_rows *x, const float *w, int64_t columns) {
    double step = noise_largest(x) / LEVELS, rows = 0, error = 0, power = 0;
    for (int64_t j = 0; j < x->n; j++) rows += pow((double)x->deviation[j], 2) + pow(mean_of(x, j), 2);
    for (int64_t c = 0; c < columns; c++) {
        double most = 0, squares = 0;
        for (int64_t j = 0; j < x->n; j++) {
            double weight = fabs((double)w[j * columns + c]);
            if (!(weight <= most)) most = weight;
            squares += weight * weight;
            power += weight * weight * (pow((double)x->deviation[j], 2) + pow(mean_of(x, j), 2));
        }
        error += (step * step * squares + pow(most / LEVELS, 2) * rows) / 12;
    }
    return error / power;
}
