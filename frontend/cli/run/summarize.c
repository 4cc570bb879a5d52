// `bertc run ST --summarize N FILE`: the N sentences of a text that say most of it, in the text's order (bertc_summarize).
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/run.h"
#include "ir/memory.h"

#define MOST_BYTES ((size_t)1 << 30)

void summarize_options_add(option_table *t, run_options *o) {
    options_add(
        t, (option_row){"summarize", 0, OPTION_INT, "N",
                        "the N sentences of the file given as TEXT (-: standard input) that say most of it, "
                        "by a model of embeddings",
                        &o->summarize, 1});
    options_add(t,
                (option_row){"novelty", 0, OPTION_TEXT, "X",
                             "of --summarize: from 0 to 1, what counts that a sentence is unlike those taken "
                             "(default 0.3)",
                             &o->novelty});
}

// As bertc_summary_options has it; false: it is no such number.
static bool novelty_of(const run_options *o, double *out) {
    *out = 0;
    if (!o->novelty) return true;
    char *end;
    double x = strtod(o->novelty, &end);
    *out = x > 0 ? x : -1;
    return end != o->novelty && !*end && x >= 0 && x <= 1;
}

int summarize_options_check(const option_table *t, const run_options *o, int texts) {
    double novelty;
    if (o->novelty && !o->summarize) return usage_error(t, "--novelty goes with --summarize");
    if (!o->summarize) return -1;
    if (texts != 1) return usage_error(t, "--summarize N takes one file");
    if (o->pair) return usage_error(t, "--summarize takes no --pair");
    if (!novelty_of(o, &novelty))
        return usage_error(t, "--novelty: '%s' is no number from 0 to 1", o->novelty);
    return -1;
}

typedef struct file_text {
    char *text;
    size_t size;
} file_text;

static bool read_all(const char *path, file_text *s, diag *d) {
    FILE *f = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    const char *name = f == stdin ? "standard input" : path;
    size_t room = 0;
    if (!f) return diag_error(d, path, "can't be opened: %s", strerror(errno));
    for (size_t n = 1; n;) {
        if (s->size == room) {
            room = room ? 2 * room : 64 << 10;
            bool fits = room <= MOST_BYTES;
            char *grown = fits ? memory_grow(s->text, room, 1) : NULL;
            if (!grown) {
                if (f != stdin) fclose(f);
                return fits ? diag_error(d, name, "out of memory")
                            : diag_error(d, name, "is too long for a summary: it may have %zu MB",
                                         MOST_BYTES >> 20);
            }
            s->text = grown;
        }
        n = fread(s->text + s->size, 1, room - s->size, f);
        s->size += n;
    }
    int error = errno;
    bool failed = ferror(f);
    if (f != stdin) fclose(f);
    return !failed || diag_error(d, name, "can't be read: %s", strerror(error));
}

static void print_summary(const bertc_result *r, const char *text) {
    for (int64_t i = 0; i < r->sentence_count; i++) {
        const bertc_sentence *x = &r->sentences[i];
        for (size_t k = x->byte_start; k < x->byte_end; k++)
            putchar(strchr("\r\n\v\f", text[k]) && text[k] ? ' ' : text[k]);
        putchar('\n');
    }
}

static bool summarize(const run_options *o, bertc_session *session, const file_text *file, diag *d) {
    bertc_text_options options = run_text_options(o);
    bertc_summary_options how = {BERTC_SIZED(bertc_summary_options), .sentence_count = o->summarize};
    const bertc_text text = {.text = file->text, .size = file->size};
    bertc_result r = BERTC_RESULT_INIT;
    bertc_error e;
    novelty_of(o, &how.novelty);
    if (!o->read.long_texts) options.truncation = BERTC_TRUNCATE_LONGEST_FIRST;
    if (!bertc_summarize(session, &text, &how, &options, &r, &e)) return runtime_failed(d, &e);
    if (o->json) return print_result_json(&r, &text, d);
    print_summary(&r, file->text);
    return true;
}

bool run_summarize(const run_options *o, bertc_model *model, const char *path, diag *d) {
    file_text file = {0};
    bertc_error e;
    bertc_session_options so = {BERTC_SIZED(bertc_session_options),
                                .threads = o->threads ? (int)o->threads : bertc_cpu_count(),
                                .huge_pages = o->huge_pages};
    if (!embedding_width(o, model))
        return diag_error(d, NULL,
                          "--summarize compares embeddings, and the model gives none (--head embedding)");
    bool ok = read_all(path, &file, d);
    bertc_session *session = ok ? bertc_open(model, &so, &e) : NULL;
    if (ok && !session) ok = runtime_failed(d, &e);
    ok = ok && summarize(o, session, &file, d);
    bertc_close(session);
    free(file.text);
    return flush_stdout(d) && ok;
}
