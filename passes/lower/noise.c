#include "passes/lower/noise.h"

#include <math.h>
#include <stddef.h>

#define LEVELS    127 // of a magnitude
#define BISECTION 60
#define COLUMNS   64 // at a time

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

// What a block of columns adds up, row by row, for the matrix lies so.
typedef struct column_sums {
    double most[COLUMNS], squares[COLUMNS], power;
} column_sums;

static column_sums sum_columns(const noise_rows *x, const float *w, int64_t columns, int64_t count) {
    column_sums s = {0};
    for (int64_t j = 0; j < x->n; j++) {
        double deviation = (double)x->deviation[j], mean = mean_of(x, j), row = 0;
        for (int64_t c = 0; c < count; c++) {
            double weight = fabs((double)w[j * columns + c]);
            s.most[c] = weight <= s.most[c] ? s.most[c] : weight; // NaN too
            s.squares[c] += weight * weight;
            row += weight * weight;
        }
        s.power += row * (deviation * deviation + mean * mean);
    }
    return s;
}

double noise_of_product(const noise_rows *x, const float *w, int64_t columns) {
    double step = noise_largest(x) / LEVELS, rows = 0, error = 0, power = 0;
    for (int64_t j = 0; j < x->n; j++) rows += pow((double)x->deviation[j], 2) + pow(mean_of(x, j), 2);
    for (int64_t from = 0; from < columns; from += COLUMNS) {
        int64_t count = columns - from < COLUMNS ? columns - from : COLUMNS;
        column_sums s = sum_columns(x, w + from, columns, count);
        power += s.power;
        for (int64_t c = 0; c < count; c++)
            error += (step * step * s.squares[c] + pow(s.most[c] / LEVELS, 2) * rows) / 12;
    }
    return error / power;
}
