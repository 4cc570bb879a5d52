#include "peer_io.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

double peer_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int peer_failed(const char *message) {
    printf("error %s\n", message);
    return 1;
}

static bool read_batch(const char *path, peer_batch *b, char *error) {
    size_t n = (size_t)(b->texts * b->length);
    free(b->ids);
    b->ids = malloc(2 * n * sizeof(int32_t));
    b->mask = b->ids ? b->ids + n : NULL;
    FILE *f = fopen(path, "rb");
    bool ok = b->ids && f && fread(b->ids, sizeof(int32_t), 2 * n, f) == 2 * n;
    if (f) fclose(f);
    if (!ok) snprintf(error, 512, "%.400s: can't be read", path);
    return ok;
}

static bool take_batch(const peer_calls *calls, const char *line, peer_batch *b, char *error) {
    char path[4096];
    long long texts, length;
    if (sscanf(line, "batch %4095s %lld %lld", path, &texts, &length) != 3 || texts < 1 || length < 1) {
        snprintf(error, 512, "no batch: %.400s", line);
        return false;
    }
    b->texts = texts;
    b->length = length;
    if (!read_batch(path, b, error) || !calls->set_batch(calls->user, b, error)) return false;
    puts("ok");
    return true;
}

static bool time_calls(const peer_calls *calls, int n, char *error) {
    double start = 0;
    for (int i = 0; i < n; i++) {
        start = peer_seconds();
        if (!calls->call(calls->user, error)) return false;
    }
    printf("%.6f\n", (peer_seconds() - start) * 1e3);
    return true;
}

static bool give_outputs(const peer_calls *calls, const char *path, char *error) {
    FILE *f = fopen(path, "wb");
    int64_t count = 0;
    bool ok = f && calls->write_outputs(calls->user, f, &count, error);
    if (f && fclose(f)) ok = false;
    if (!f || (!ok && !*error)) snprintf(error, 512, "%.400s: can't be written", path);
    if (ok) printf("ok %lld\n", (long long)count);
    return ok;
}

int peer_serve(const peer_calls *calls, double load_milliseconds, const char *isa) {
    char line[8192], error[512] = "";
    peer_batch b = {0};
    bool ok = true;
    printf("ready %.6f %s\n", load_milliseconds, isa);
    fflush(stdout);
    while (ok && fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, "batch ", 6)) {
            ok = take_batch(calls, line, &b, error);
        } else if (!strncmp(line, "go ", 3)) {
            ok = time_calls(calls, atoi(line + 3), error);
        } else if (!strncmp(line, "out ", 4)) {
            ok = give_outputs(calls, line + 4, error);
        } else {
            snprintf(error, sizeof(error), "unknown line: %.400s", line);
            ok = false;
        }
        fflush(stdout);
    }
    free(b.ids);
    return ok ? 0 : peer_failed(error);
}
