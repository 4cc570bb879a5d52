#include "frontend/cli/train/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/memory.h"

static int compare_lengths(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x < y) - (x > y);
}

// Tokens of the `n` longest.
static int64_t longest_together(const int32_t *lengths, int64_t count, int64_t n) {
    int32_t *sorted = memory_must(memory_alloc((size_t)count, sizeof *sorted));
    int64_t sum = 0;
    memcpy(sorted, lengths, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_lengths);
    for (int64_t i = 0; i < n && i < count; i++) sum += sorted[i];
    free(sorted);
    return sum;
}

static int64_t steps_of(const order_rule *rule, const int32_t *lengths, int64_t count, int64_t accumulation,
                        int64_t epoch) {
    int64_t batches = (count + rule->examples - 1) / rule->examples;
    if (rule->tokens) {
        order o;
        order_make(&o, rule, lengths, count, epoch);
        batches = o.batches;
        order_free(&o);
    }
    return (batches + accumulation - 1) / accumulation;
}

// Of so many epochs: as Transformers, a part of the last one is rounded up.
static int64_t steps_in(const order_rule *rule, const int32_t *lengths, int64_t count, int64_t accumulation,
                        double epochs) {
    int64_t sum = 0, whole = (int64_t)floor(epochs), n = 0;
    double part = epochs - floor(epochs);
    for (int64_t e = 0; e <= whole; e++) {
        if (rule->tokens || !e) n = steps_of(rule, lengths, count, accumulation, e);
        sum += e < whole ? n : (int64_t)ceil((double)n * part - 1e-9);
    }
    return sum;
}

train_plan plan_of(const order_rule *rule, const int32_t *lengths, int64_t count, int64_t accumulation,
                   double epochs, int64_t max_steps, int processes) {
    train_plan p = {.steps = max_steps};
    if (!p.steps) p.steps = steps_in(rule, lengths, count, accumulation, epochs);
    if (!p.steps) p.steps = 1; // a part of an epoch that is less than a step
    int64_t longest = longest_together(lengths, count, 1), share = rule->tokens / processes;
    if (!rule->tokens) p.tokens = longest_together(lengths, count, rule->examples / processes);
    // A share by tokens ends with the example in which its part of all tokens ends.
    if (rule->tokens) p.tokens = processes > 1 ? share + longest : share > longest ? share : longest;
    return p;
}
