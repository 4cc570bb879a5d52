// The peer's side of bench.h's protocol, for contenders in C: what a contender gives, and the loop that
// serves it.
#ifndef BERTC_TESTS_BENCH_PEER_IO_H
#define BERTC_TESTS_BENCH_PEER_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct peer_batch {
    int64_t texts, length;
    int32_t *ids, *mask; // [texts, length]
} peer_batch;

typedef struct peer_calls {
    void *user;
    // Takes the next calls' input, which stays as it is until the next one; then one call; then the last
    // call's outputs into f, and how many numbers they were. False with a message in `error` (of 512 bytes).
    bool (*set_batch)(void *user, const peer_batch *b, char *error);
    bool (*call)(void *user, char *error);
    bool (*write_outputs)(void *user, FILE *f, int64_t *count, char *error);
} peer_calls;

double peer_seconds(void); // monotonic
// Says that it is ready, and serves standard input to its end. Returns the exit status.
int peer_serve(const peer_calls *calls, double load_milliseconds, const char *isa);
// Says why it is not; returns the exit status.
int peer_failed(const char *message);

#endif
