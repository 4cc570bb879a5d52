// What /metrics tells Prometheus, under text-embeddings-inference's names.
#ifndef BERTC_CLI_METRICS_H
#define BERTC_CLI_METRICS_H

#include <stdatomic.h>

#include "frontend/hub/files/out.h"

typedef enum histogram_id {
    HISTOGRAM_TOTAL,
    HISTOGRAM_TOKENIZATION,
    HISTOGRAM_QUEUE,
    HISTOGRAM_INFERENCE,
    HISTOGRAM_INPUT_LENGTH,
    HISTOGRAM_BATCH_SIZE,
    HISTOGRAM_BATCH_TOKENS,
    HISTOGRAMS
} histogram_id;

typedef enum failure_id {
    FAILURE_BATCH_SIZE,
    FAILURE_EMPTY,
    FAILURE_INFERENCE,
    FAILURE_MODEL_TYPE,
    FAILURE_OVERLOADED,
    FAILURE_REQUEST, // no JSON, no such route, no key
    FAILURE_TOKENIZATION,
    FAILURE_VALIDATION,
    FAILURES
} failure_id;

enum { HISTOGRAM_BUCKETS = 35, METRIC_METHODS = 2, METRIC_TASKS = 5 };

typedef struct histogram {
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS + 1];
    _Atomic uint64_t count;
    _Atomic uint64_t sum; // in millionths
} histogram;

// All of it may be written by any thread.
typedef struct metrics {
    histogram histograms[HISTOGRAMS];
    _Atomic uint64_t requests[METRIC_METHODS], successes[METRIC_METHODS]; // single, batch
    _Atomic uint64_t asked[METRIC_TASKS], answered[METRIC_TASKS];         // texts, by task
    _Atomic uint64_t failures[FAILURES];
    _Atomic int64_t queued;
} metrics;

void metrics_observe(metrics *m, histogram_id id, double value);
void metrics_write(metrics *m, out *o);

#endif
