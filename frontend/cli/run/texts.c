// Texts from the command line or from standard input, answered as they come.
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/run/lines.h"
#include "frontend/cli/run/run.h"

#define BATCH_TEXTS 64 // lines of standard input answered in one call

// Prints the answers. False: e->message says why there are none, or d (then it is "").
static bool answer(const run_options *o, bertc_session *s, const bertc_text *texts, size_t n, bool several,
                   bertc_error *e, diag *d) {
    bertc_result results[BATCH_TEXTS] = {BERTC_RESULT_INIT};
    bertc_text_options to = run_text_options(o);
    e->message[0] = 0;
    if (!run_answer(o, s, texts, n, &to, results, e)) return false;
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
        bertc_error e;
        if (!answer(o, s, texts, (size_t)n, words->count > 1, &e, d))
            return e.message[0] ? runtime_failed(d, &e) : false;
    }
    return true;
}

// Lines that are there together are answered in one call.
static size_t read_lines(line_source *in, row *rows, bertc_text *texts, bool prompt, bool *more, diag *d) {
    size_t n = 0;
    *more = true;
    if (prompt) fputs("> ", stderr);
    while (n < BATCH_TEXTS && (!n || lines_ready(in)) && (*more = lines_next(in, &rows[n], d)))
        texts[n] = rows[n].text, n++;
    return n;
}

// What stands before a line that has no answer is answered.
static bool answer_rows(const run_options *o, bertc_session *s, const line_source *in, row *rows,
                        const bertc_text *texts, size_t n, diag *d) {
    size_t good = 0;
    bertc_error e;
    while (good < n && !rows[good].error) good++;
    if (good && !answer(o, s, texts, good, true, &e, d)) { // one of them can't be, so none of them is
        size_t i = 0;
        if (!e.message[0]) return false;
        while (i < good && answer(o, s, &texts[i], 1, true, &e, d)) i++;
        if (i < good && !e.message[0]) return false;
        if (i < good) row_fail(&rows[i], e.message);
        good = i;
    }
    if (good < n) lines_report(in, &rows[good], 1, d);
    return good == n;
}

// Up to the first line that can't be answered.
static bool answer_lines(const run_options *o, bertc_session *s, diag *d) {
    row rows[BATCH_TEXTS];
    bertc_text texts[BATCH_TEXTS];
    line_source in;
    bool ok = lines_open(&in, "-", o->pair, d), more = ok, prompt = isatty(0) && is_terminal(2);
    in.format = LINES_TEXT;
    if (prompt) fputs("one text per line, a tab before a second text; Ctrl-D ends\n", stderr);
    while (ok && more) {
        size_t n = read_lines(&in, rows, texts, prompt, &more, d);
        ok = answer_rows(o, s, &in, rows, texts, n, d) && (in.reader.size >= 0 || flush_stdout(d));
        for (size_t i = 0; i < n; i++) row_free(&rows[i]);
    }
    ok = ok && !in.reader.failed;
    lines_close(&in);
    if (prompt && !more) fputs("\n", stderr);
    return ok;
}

bool run_texts(const run_options *o, bertc_session *s, const arguments *words, diag *d) {
    return words->count ? answer_arguments(o, s, words, d) : answer_lines(o, s, d);
}
