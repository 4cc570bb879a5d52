// An open-loop load on an HTTP server: requests go out at times that do not depend on the replies, as those of many users do.
// A request's latency counts from the time at which it was to go out, so a server that stalls is charged for all who wait behind.
#ifndef BERTC_BENCH_LOAD_H
#define BERTC_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct load_options {
    const char *at;   // "127.0.0.1:8080" or "unix:PATH"
    const char *path; // "/embed"
    const char *const *bodies;
    int body_count;
    double rate; // requests a second, at exponential intervals (Poisson); 0: as many as the connections take
    double seconds;  // that requests go out
    int connections; // the most requests on their way at a time
    uint64_t seed;
    // NULL, or the reply to each body: another one is counted as wrong.
    const char *const *expected;
} load_options;

typedef struct load_result {
    int64_t sent, answered, refused, failed, wrong; // answered: 200; refused: 429; failed: any other, or none
    int64_t late;   // went out more than 10 ms after its time, for all connections were busy
    double seconds; // from the first request to the last reply
    int64_t count;
    double *latencies; // [count] seconds of those that were answered, ascending; freed by load_free
} load_result;

bool load_run(const load_options *o, load_result *r);
void load_free(load_result *r);
double load_quantile(const load_result *r, double q);
// One request; the reply's body, freed by the caller, or NULL. *status may be NULL.
char *load_ask(const char *at, const char *path, const char *body, int *status);

#endif
