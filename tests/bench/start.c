// From a file in the page cache to the first answer: every time a new process loads the model and makes one
// call, and then enough calls to know what one takes.
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define STEADY_CALLS 7

typedef struct start_times {
    double *load, *first, *steady, *beyond; // milliseconds, one a process
} start_times;

static bool start_once(const bench_options *o, const bench_row *r, contender_kind kind, int threads,
                       start_times *t, int64_t i, diag *d) {
    contender c;
    model_sizes sizes;
    double calls[STEADY_CALLS] = {0};
    bool ok = contender_open(&c, o, kind, r, threads, &sizes, d) && peer_go(&c.peer, 1, &t->first[i], d);
    for (int k = 0; ok && k < STEADY_CALLS; k++) ok = peer_go(&c.peer, 1, &calls[k], d);
    if (ok) {
        t->load[i] = c.peer.load_ms;
        t->steady[i] = median_of(calls, STEADY_CALLS, NULL, NULL);
        t->beyond[i] = t->load[i] + t->first[i] - t->steady[i];
    }
    contender_close(&c);
    return ok;
}

static void report(const bench_options *o, const bench_row *r, contender_kind kind, int threads,
                   start_times *t) {
    int64_t n = o->rounds;
    double load = median_of(t->load, n, NULL, NULL), first = median_of(t->first, n, NULL, NULL);
    double steady = median_of(t->steady, n, NULL, NULL), beyond = median_of(t->beyond, n, NULL, NULL);
    if (!o->json) {
        printf("| %-15s | %7d | %-14s | %9.2f | %9.2f | %9.2f | %9.2f |\n", r->name, threads,
               contender_names[kind], load, first, steady, beyond);
        return;
    }
    cJSON *j = cJSON_CreateObject();
    cJSON_AddStringToObject(j, "row", r->name);
    cJSON_AddNumberToObject(j, "threads", threads);
    cJSON_AddStringToObject(j, "contender", contender_names[kind]);
    cJSON_AddNumberToObject(j, "load_milliseconds", load);
    cJSON_AddNumberToObject(j, "first_milliseconds", first);
    cJSON_AddNumberToObject(j, "steady_milliseconds", steady);
    cJSON_AddNumberToObject(j, "beyond_one_call_milliseconds", beyond);
    char *text = cJSON_PrintUnformatted(j);
    if (text) puts(text);
    cJSON_free(text);
    cJSON_Delete(j);
}

bool measure_start(const bench_options *o, const bench_row *r, int threads, diag *d) {
    static const contender_kind kinds[] = {BERTC, ORT_EXPORTER, ORT_FUSED};
    enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };
    start_times t[KINDS];
    size_t n = (size_t)o->rounds;
    double *all = calloc(4 * KINDS * n, sizeof(double));
    if (!all) return diag_error(d, NULL, "out of memory");
    for (size_t k = 0; k < KINDS; k++) {
        double *v = all + 4 * k * n;
        t[k] = (start_times){v, v + n, v + 2 * n, v + 3 * n};
    }
    bool ok = true;
    for (int64_t i = 0; ok && i < o->rounds; i++) {
        for (int k = 0; ok && k < KINDS; k++) {
            if (contender_wanted(o, r, kinds[k])) ok = start_once(o, r, kinds[k], threads, &t[k], i, d);
        }
    }
    if (ok && !o->json)
        printf(
            "\n| %-15s | %7s | %-14s | %9s | %9s | %9s | %9s |\n|%s\n", "load to answer", "threads",
            "contender", "load ms", "first ms", "steady ms", "beyond ms",
            " --------------- | ------- | -------------- | --------- | --------- | --------- | --------- |");
    for (int k = 0; ok && k < KINDS; k++) {
        if (contender_wanted(o, r, kinds[k])) report(o, r, kinds[k], threads, &t[k]);
    }
    free(all);
    return ok;
}
