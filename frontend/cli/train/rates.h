// The learning rate of each step, as Transformers' schedulers of the same names have it.
#ifndef BERTC_CLI_RATE_H
#define BERTC_CLI_RATE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum rate_kind { RATE_LINEAR, RATE_COSINE, RATE_CONSTANT } rate_kind;

typedef struct rate_rule {
    rate_kind kind;
    double rate;           // the largest
    int64_t warmup, steps; // steps in which the rate rises from 0, and all steps
} rate_rule;

// "linear", "cosine", "constant", "constant_with_warmup"; false: none of them.
bool rate_find(const char *name, rate_kind *out);
// Steps of warm-up: `given` where it is not 0, else the share `ratio` of all steps, rounded up.
int64_t rate_warmup(int64_t given, double ratio, int64_t steps);
// Of step `step`, from 1.
double rate_at(const rate_rule *s, int64_t step);

#endif
