// Texts from the command line or from standard input, answered as they come.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

#define BATCH_TEXTS 64 // lines of standard input answered in one call

static bool answer(const run_options *o, bertc_session *s, const bertc_text *texts, size_t n, bool several,
                   diag *d) {
    bertc_result results[BATCH_TEXTS];
    bertc_error e;
    bertc_text_options to = run_text_options(o);
    if (!bertc_answer_texts(s, texts, n, &to, results, &e)) return runtime_failed(d, &e);
    for (size_t i = 0; i < n; i++) {
        if (!o->json)
            print_result(o, &results[i], &texts[i], several);
        else if (!print_result_json(&results[i], &texts[i], d))
            return false;
    }
    return true;
}

static bool answer_arguments(const run_options *o, bertc_session *s, const arguments *words, diag *d) {
    for (int i = 0; i < words->count; i += BATCH_TEXTS) {
        bertc_text texts[BATCH_TEXTS];
        int n = words->count - i < BATCH_TEXTS ? words->count - i : BATCH_TEXTS;
        for (int k = 0; k < n; k++) {
            const char *text = words->v[i + k];
            texts[k] = (bertc_text){text, strlen(text), o->pair, o->pair ? strlen(o->pair) : 0};
        }
        if (!answer(o, s, texts, (size_t)n, words->count > 1, d)) return false;
    }
    return true;
}

typedef struct line_batch {
    char *lines[BATCH_TEXTS];
    size_t capacity[BATCH_TEXTS];
    bertc_text texts[BATCH_TEXTS];
} line_batch;

static bertc_text text_of_line(const run_options *o, const char *line, size_t n) {
    const char *tab = o->pair ? NULL : memchr(line, '\t', n);
    if (tab) return (bertc_text){line, (size_t)(tab - line), tab + 1, n - (size_t)(tab - line) - 1};
    return (bertc_text){line, n, o->pair, o->pair ? strlen(o->pair) : 0};
}

static bool answer_lines(const run_options *o, bertc_session *s, diag *d) {
    line_batch b = {0};
    int64_t line = 0;
    bool ok = true, more = true;
    while (ok && more) {
        size_t n = 0;
        for (; n < BATCH_TEXTS; n++) {
            ssize_t got = getline(&b.lines[n], &b.capacity[n], stdin);
            more = got >= 0;
            if (!more) break;
            size_t size = (size_t)got;
            if (size && b.lines[n][size - 1] == '\n') size--;
            if (size && b.lines[n][size - 1] == '\r') size--;
            b.texts[n] = text_of_line(o, b.lines[n], size);
        }
        int errors = d->errors;
        ok = !n || answer(o, s, b.texts, n, true, d);
        if (d->errors > errors)
            diag_note(d, "standard input", "in lines %" PRId64 " to %" PRId64, line + 1, line + (int64_t)n);
        line += (int64_t)n;
    }
    if (ferror(stdin)) ok = diag_error(d, "standard input", "can't be read: %s", strerror(errno));
    for (size_t i = 0; i < BATCH_TEXTS; i++) free(b.lines[i]);
    return ok;
}

bool run_texts(const run_options *o, bertc_session *s, const arguments *words, diag *d) {
    return words->count ? answer_arguments(o, s, words, d) : answer_lines(o, s, d);
}
