#include <math.h>

#include "frontend/cli/metrics/metrics.h"

void calibration_add(calibration_bins *c, double probability, bool holds) {
    if (isnan(probability)) return;
    int bin = (int)ceil(probability * CALIBRATION_BINS) - 1;
    if (bin < 0) bin = 0;
    if (bin >= CALIBRATION_BINS) bin = CALIBRATION_BINS - 1;
    c->count[bin]++;
    c->holds[bin] += holds;
    c->sum[bin] += probability;
}

double calibration_error(const calibration_bins *c) {
    int64_t count = 0;
    double apart = 0;
    for (int i = 0; i < CALIBRATION_BINS; i++) {
        count += c->count[i];
        apart += fabs(c->sum[i] - (double)c->holds[i]);
    }
    return count ? apart / (double)count : NAN;
}
