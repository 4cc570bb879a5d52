#include "frontend/cli/serve/metrics.h"

#include <inttypes.h>

static const struct {
    const char *name, *help;
    int buckets;
    double first, factor; // the upper ends of the buckets
} histograms[HISTOGRAMS] = {
    [HISTOGRAM_TOTAL] = {"te_request_duration", "seconds of a request", 35, 1.5e-5, 1.5},
    [HISTOGRAM_TOKENIZATION] = {"te_request_tokenization_duration", "seconds of tokenization, per text", 35,
                                1.5e-5, 1.5},
    [HISTOGRAM_QUEUE] = {"te_request_queue_duration", "seconds in the queue, per text", 35, 1.5e-5, 1.5},
    [HISTOGRAM_INFERENCE] = {"te_request_inference_duration", "seconds of the model's call, per text", 35,
                             1.5e-5, 1.5},
    [HISTOGRAM_INPUT_LENGTH] = {"te_request_input_length", "tokens of a text", 20, 1, 2},
    [HISTOGRAM_BATCH_SIZE] = {"te_batch_next_size", "texts of a call", 13, 1, 2},
    [HISTOGRAM_BATCH_TOKENS] = {"te_batch_next_tokens", "tokens of a call", 21, 1, 2},
};
static const char *const methods[METRIC_METHODS] = {"single", "batch"};
static const char *const tasks[METRIC_TASKS] = {"embed", "embed_sparse", "embed_all", "predict", "rerank"};
static const char *const failures[FAILURES] = {"batch_size", "empty",   "inference",    "model_type",
                                               "overloaded", "request", "tokenization", "validation"};

void metrics_observe(metrics *m, histogram_id id, double value) {
    histogram *h = &m->histograms[id];
    double end = histograms[id].first;
    int i = 0;
    while (i < histograms[id].buckets && value > end) i++, end *= histograms[id].factor;
    atomic_fetch_add(&h->buckets[i], 1);
    atomic_fetch_add(&h->sum, (uint64_t)(value * 1e6 + 0.5));
    atomic_fetch_add(&h->count, 1);
}

static void write_head(out *o, const char *name, const char *help, const char *type) {
    out_format(o, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_histogram(out *o, const histogram *h, int id) {
    const char *name = histograms[id].name;
    double end = histograms[id].first;
    uint64_t sum = 0;
    write_head(o, name, histograms[id].help, "histogram");
    for (int i = 0; i < histograms[id].buckets; i++, end *= histograms[id].factor) {
        sum += atomic_load(&h->buckets[i]);
        out_format(o, "%s_bucket{le=\"%.6g\"} %" PRIu64 "\n", name, end, sum);
    }
    sum += atomic_load(&h->buckets[histograms[id].buckets]);
    out_format(o, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64 "\n", name, sum, name,
               (double)atomic_load(&h->sum) * 1e-6, name, sum);
}

void metrics_write(metrics *m, out *o) {
    write_head(o, "te_request_count", "requests", "counter");
    for (int i = 0; i < METRIC_METHODS; i++)
        out_format(o, "te_request_count{method=\"%s\"} %" PRIu64 "\n", methods[i],
                   atomic_load(&m->requests[i]));
    write_head(o, "te_request_success", "requests that were answered", "counter");
    for (int i = 0; i < METRIC_METHODS; i++)
        out_format(o, "te_request_success{method=\"%s\"} %" PRIu64 "\n", methods[i],
                   atomic_load(&m->successes[i]));
    write_head(o, "te_request_failure", "requests that were not, by cause", "counter");
    for (int i = 0; i < FAILURES; i++)
        out_format(o, "te_request_failure{err=\"%s\"} %" PRIu64 "\n", failures[i],
                   atomic_load(&m->failures[i]));
    for (int i = 0; i < METRIC_TASKS; i++) {
        out_format(o, "# TYPE te_%s_count counter\nte_%s_count %" PRIu64 "\n", tasks[i], tasks[i],
                   atomic_load(&m->asked[i]));
        out_format(o, "# TYPE te_%s_success counter\nte_%s_success %" PRIu64 "\n", tasks[i], tasks[i],
                   atomic_load(&m->answered[i]));
    }
    write_head(o, "te_queue_size", "texts that wait", "gauge");
    out_format(o, "te_queue_size %" PRId64 "\n", atomic_load(&m->queued));
    for (int i = 0; i < HISTOGRAMS; i++) write_histogram(o, &m->histograms[i], i);
}
