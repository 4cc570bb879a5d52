// Texts from the command line or from standard input, answered as they come.
#include <inttypes.h>
#include <string.h>

#include "frontend/cli/run/lines.h"
#include "frontend/cli/run/run.h"

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

// Up to the first line that can't be answered.
static bool answer_lines(const run_options *o, bertc_session *s, diag *d) {
    row rows[BATCH_TEXTS];
    bertc_text texts[BATCH_TEXTS];
    line_source in;
    bool ok = lines_open(&in, "-", o->pair, d), more = ok;
    in.format = LINES_TEXT;
    while (ok && more) {
        int64_t first = in.number + 1;
        size_t n = 0;
        while (ok && n < BATCH_TEXTS && (more = lines_next(&in, &rows[n], d))) {
            ok = !rows[n].error;
            if (!ok) lines_report(&in, &rows[n], 1, d);
            texts[n] = rows[n].text;
            n++;
        }
        int errors = d->errors;
        if (ok && n) ok = answer(o, s, texts, n, true, d);
        if (d->errors > errors) diag_note(d, in.name, "in lines %" PRId64 " to %" PRId64, first, in.number);
        for (size_t i = 0; i < n; i++) row_free(&rows[i]);
    }
    ok = ok && !in.failed;
    lines_close(&in);
    return ok;
}

bool run_texts(const run_options *o, bertc_session *s, const arguments *words, diag *d) {
    return words->count ? answer_arguments(o, s, words, d) : answer_lines(o, s, d);
}
