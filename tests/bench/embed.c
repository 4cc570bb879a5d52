// What bertc_embed_texts takes for one text, for python_overhead.py:  bench_embed MODEL.so THREADS CALLS TEXT
// Prints the median in microseconds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/bertc.h"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int ascending(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv) {
    if (argc != 5) return fprintf(stderr, "usage: %s MODEL.so THREADS CALLS TEXT\n", argv[0]), 2;
    bertc_error error = {"out of memory"};
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    const bertc_session_options options = {BERTC_SIZED(bertc_session_options), .threads = atoi(argv[2])};
    const bertc_text_options cut = {BERTC_SIZED(bertc_text_options),
                                    .truncation = BERTC_TRUNCATE_LONGEST_FIRST};
    const bertc_text text = {.text = argv[4], .size = strlen(argv[4])};
    int calls = atoi(argv[3]) > 0 ? atoi(argv[3]) : 1;
    double *times = calloc((size_t)calls, sizeof *times);
    bertc_model *model = bertc_load(argv[1], &error);
    bertc_session *session = model ? bertc_open(model, &options, &error) : NULL;
    bool ok = times && session && bertc_model_describe(model, &info, &error);
    float *row = calloc((size_t)info.embedding_size + 1, sizeof *row);
    for (int i = 0; ok && i < calls; i++) {
        double start = now();
        ok = row && bertc_embed_texts(session, &text, 1, &cut, row, info.embedding_size, &error);
        times[i] = now() - start;
    }
    if (ok) {
        qsort(times, (size_t)calls, sizeof *times, ascending);
        printf("%.2f\n", times[calls / 2]);
    } else
        fprintf(stderr, "%s\n", error.message);
    free(row);
    free(times);
    bertc_close(session);
    bertc_unload(model);
    return ok ? 0 : 1;
}
