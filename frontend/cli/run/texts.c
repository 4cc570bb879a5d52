// Texts from the command line or from standard input, answered as they come.
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/run/csv.h"
#include "frontend/cli/run/lines.h"
#include "frontend/cli/run/run.h"

#define BATCH_TEXTS 64 // lines of standard input answered in one call

// How answers are printed.
typedef struct printer {
    const run_options *options;
    bertc_session *session;
    csv_table table; // of CSV
    bool several;    // the text is printed too
} printer;

// Prints the answers to the texts from number `line` on. False: e->message says why there are none, or d (then it is "").
static bool answer(const printer *p, const bertc_text *texts, size_t n, int64_t line, bertc_error *e,
                   diag *d) {
    const run_options *o = p->options;
    bertc_result results[BATCH_TEXTS] = {BERTC_RESULT_INIT};
    bertc_text_options to = run_text_options(o);
    e->message[0] = 0;
    if (!run_answer(o, p->session, texts, n, &to, results, e)) return false;
    for (size_t i = 0; i < n; i++) {
        if (o->said == FORMAT_CSV)
            csv_answer(stdout, &p->table, o, line + (int64_t)i, &texts[i], &results[i]);
        else if (!o->json)
            print_result(stdout, o, &results[i], &texts[i], p->several);
        else if (!print_result_json(&results[i], &texts[i], d))
            return false;
    }
    return true;
}

static bool answer_arguments(const printer *p, const arguments *words, diag *d) {
    const char *pair = p->options->pair;
    for (int i = 0; i < words->count; i += BATCH_TEXTS) {
        bertc_text texts[BATCH_TEXTS];
        int n = words->count - i < BATCH_TEXTS ? words->count - i : BATCH_TEXTS;
        for (int k = 0; k < n; k++) {
            const char *text = words->v[i + k];
            texts[k] = (bertc_text){text, strlen(text), pair, pair ? strlen(pair) : 0};
        }
        bertc_error e;
        if (!answer(p, texts, (size_t)n, i + 1, &e, d)) return e.message[0] ? runtime_failed(d, &e) : false;
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
static bool answer_rows(const printer *p, const line_source *in, row *rows, const bertc_text *texts, size_t n,
                        diag *d) {
    size_t good = 0;
    bertc_error e;
    while (good < n && !rows[good].error) good++;
    if (good && !answer(p, texts, good, rows[0].line, &e, d)) { // one of them can't be, so none of them is
        size_t i = 0;
        if (!e.message[0]) return false;
        while (i < good && answer(p, &texts[i], 1, rows[i].line, &e, d)) i++;
        if (i < good && !e.message[0]) return false;
        if (i < good) row_fail(&rows[i], e.message);
        good = i;
    }
    if (good < n) lines_report(in, &rows[good], 1, d);
    return good == n;
}

// Up to the first line that can't be answered.
static bool answer_lines(const printer *p, diag *d) {
    row rows[BATCH_TEXTS];
    bertc_text texts[BATCH_TEXTS];
    line_source in;
    bool ok = lines_open(&in, "-", p->options->pair, d), more = ok, prompt = isatty(0) && is_terminal(2);
    in.format = LINES_TEXT;
    if (prompt) fputs("one text per line, a tab before a second text; Ctrl-D ends\n", stderr);
    while (ok && more) {
        size_t n = read_lines(&in, rows, texts, prompt, &more, d);
        ok = answer_rows(p, &in, rows, texts, n, d) && (in.reader.size >= 0 || flush_stdout(d));
        for (size_t i = 0; i < n; i++) row_free(&rows[i]);
    }
    ok = ok && !in.reader.failed;
    lines_close(&in);
    if (prompt && !more) fputs("\n", stderr);
    return ok;
}

bool run_texts(const run_options *o, const bertc_model *model, bertc_session *s, const arguments *words,
               diag *d) {
    printer p = {.options = o, .session = s, .several = !words->count || words->count > 1};
    if (o->said == FORMAT_CSV) {
        if (!csv_table_of(&p.table, o, model, d)) return false;
        csv_header(stdout, &p.table);
    }
    return words->count ? answer_arguments(&p, words, d) : answer_lines(&p, d);
}
