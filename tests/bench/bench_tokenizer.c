// MB/s of a tokenizer on one thread: bench_tokenizer TOKENIZER TEXT_FILE [SECONDS]. TOKENIZER is what
// `bertc tokenize` takes: tokenizer.json, vocab.txt, vocab.json or a folder. Each line is a text; the best of
// many passes counts. Before it, what making the table and opening it cost.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/hub/hub.h"
#include "runtime/bertc.h"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static char *read_file(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    char *text = n < 0 ? NULL : malloc((size_t)n + 1);
    *size = text ? fread(text, 1, (size_t)n, f) : 0;
    fclose(f);
    return text;
}

// Tokens of all lines, -1 where one can't be encoded.
static long encode_lines(bertc_tokenizer_handle *t, const char *text, size_t size) {
    long tokens = 0;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t n = (end ? (size_t)(end - text) : size) - at, count;
        const bertc_token *list;
        bertc_error error;
        const bertc_text line = {.text = text + at, .size = n};
        if (!bertc_tokenizer_encode(t, &line, 0, BERTC_TRUNCATE_NEVER, &list, &count, &error)) {
            fprintf(stderr, "%s\n", error.message);
            return -1;
        }
        tokens += (long)count;
        at += n + 1;
    }
    return tokens;
}

static int measure(const void *table, size_t bytes, const char *text, size_t size, double seconds) {
    bertc_error error;
    double begin = now();
    bertc_tokenizer_handle *t = bertc_tokenizer_open(table, bytes, 0, &error);
    if (!t) return fprintf(stderr, "%s\n", error.message), 1;
    printf("open %.3f ms\n", 1e3 * (now() - begin));
    double best = 1e30;
    long tokens = 0;
    begin = now();
    do {
        double start = now();
        tokens = encode_lines(t, text, size);
        double took = now() - start;
        best = took < best ? took : best;
    } while (tokens >= 0 && now() - begin < seconds);
    bertc_tokenizer_close(t);
    if (tokens < 0) return 1;
    printf("%.1f MB/s, %ld tokens of %zu bytes\n", 1e-6 * (double)size / best, tokens, size);
    return 0;
}

int main(int count, char **arguments) {
    if (count < 3) return fprintf(stderr, "bench_tokenizer TOKENIZER TEXT_FILE [SECONDS]\n"), 2;
    size_t size = 0, bytes = 0;
    char *text = read_file(arguments[2], &size);
    if (!text) return fprintf(stderr, "%s can't be read\n", arguments[2]), 1;
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    const void *table;
    double begin = now();
    bool ok = hub_tokenizer(arguments[1], a, &table, &bytes, &d);
    int status = 1;
    if (ok) {
        printf("table of %zu bytes in %.3f s\n", bytes, now() - begin);
        status = measure(table, bytes, text, size, count > 3 ? atof(arguments[3]) : 2);
    } else {
        fprintf(stderr, "%s\n", d.items[0].text);
    }
    diag_free(&d);
    arena_free(a);
    free(text);
    return status;
}
