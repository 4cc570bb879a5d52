// `bertc run MODEL --input FILE`: a file of any size, chunk by chunk. While the workers answer one chunk,
// this thread writes the one before and reads the one after.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "run.h"
#include "sink.h"

#define REPORTED_MAX 50 // broken lines that are named

// --- Progress, on a terminal

typedef struct progress {
    bool shown;
    double start, last;
    int64_t done;
} progress;

static void time_text(double seconds, char *out, size_t size) {
    int64_t s = (int64_t)(seconds + 0.5);
    if (s < 3600)
        snprintf(out, size, "%" PRId64 ":%02" PRId64, s / 60, s % 60);
    else
        snprintf(out, size, "%" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
}

static void show_progress(progress *p, int64_t texts, int64_t bytes, int64_t size) {
    double now = seconds_now(), passed = now - p->start;
    p->done += texts;
    if (!p->shown || now - p->last < 0.2 || passed <= 0) return;
    p->last = now;
    fprintf(stderr, "\r%" PRId64 " texts, %.0f texts/s", p->done, (double)p->done / passed);
    if (size > 0 && bytes > 0) {
        char left[32];
        time_text(passed * (double)(size - bytes) / (double)bytes, left, sizeof left);
        fprintf(stderr, ", %s left", left);
    }
    fprintf(stderr, "\033[K");
}

static void end_progress(const progress *p) {
    if (p->shown) fprintf(stderr, "\r\033[K");
}

// --- Answers

static bool take_json(void *user, row *r, const bertc_result *result, const char **why) {
    (void)user;
    (void)why;
    size_t n = bertc_result_json(result, &r->text, NULL, 0);
    r->json = malloc(n + 1);
    if (r->json) bertc_result_json(result, &r->text, r->json, n + 1);
    return r->json != NULL;
}

static bool take_embedding(void *user, row *r, const bertc_result *result, const char **why) {
    (void)user;
    (void)why;
    size_t n = (size_t)result->embedding_size * sizeof(float);
    r->embedding = malloc(n);
    if (r->embedding) memcpy(r->embedding, result->embedding, n);
    return r->embedding != NULL;
}

static bool put_chunk(const chunk *c, const line_source *in, sink *out, diag *d) {
    for (int i = 0; i < c->count; i++) {
        const row *r = &c->rows[i];
        char spot[512];
        if (!sink_put(out, r, d)) return false;
        if (!r->error || out->failed > REPORTED_MAX) continue;
        snprintf(spot, sizeof spot, "%s:%" PRId64, in->name, r->line);
        diag_error(d, spot, "%s", r->error);
    }
    return sink_flush(out, d);
}

static bool answer_all(crew *workers, line_source *in, sink *out, chunk two[2], diag *d) {
    progress p = {.shown = isatty(2) != 0, .start = seconds_now()};
    int now = 0;
    int64_t bytes = in->bytes, done = 0;
    bool ok = true, more = chunk_read(&two[0], in, crew_rows(workers), d);
    if (more) crew_start(workers, &two[0]);
    while (more && ok) {
        done = in->bytes;
        more = chunk_read(&two[!now], in, crew_rows(workers), d);
        crew_wait(workers);
        if (more) crew_start(workers, &two[!now]);
        ok = put_chunk(&two[now], in, out, d);
        show_progress(&p, two[now].count, done - bytes, in->size < 0 ? -1 : in->size - bytes);
        now = !now;
    }
    crew_wait(workers);
    end_progress(&p);
    return ok && !ferror(in->file);
}

// --- The command

static bool open_lines(const run_options *o, line_source *in, const sink *out, diag *d) {
    if (!lines_open(in, o->input, o->pair, d)) return false;
    if (lines_skip(in, out->rows, d)) return true;
    return diag_error(d, o->output, "has %" PRId64 " rows, more than %s has lines", out->rows, in->name);
}

static bool check_output(const run_options *o, const bertc_model *model, const bertc_model_info *info,
                         int64_t *width, diag *d) {
    if (!sink_is_npy(o->output)) return true;
    if (info->task != BERTC_TASK_EMBEDDING)
        return diag_error(d, o->output, ".npy is for embeddings, and the model gives none: write .jsonl");
    for (int i = 0; i < info->output_count; i++)
        if (!strcmp(bertc_output_name(model, i), "embedding"))
            *width = (int64_t)(bertc_output_bytes(model, i, 1, 1) / sizeof(float));
    return true;
}

bool run_input(const run_options *o, bertc_model *model, diag *d) {
    bertc_model_info info;
    bertc_text_options options = run_text_options(o);
    line_source in = {0};
    sink out = {0};
    chunk two[2] = {{0}, {0}};
    crew *workers = NULL;
    int64_t width = 0;
    bertc_model_describe(model, &info);
    bool ok = check_output(o, model, &info, &width, d) && sink_open(&out, o->output, o->resume, width, d) &&
              open_lines(o, &in, &out, d);
    if (ok && !(chunk_open(&two[0]) && chunk_open(&two[1]))) ok = diag_error(d, NULL, "out of memory");
    if (ok) {
        int threads = o->threads ? (int)o->threads : bertc_cpu_count();
        workers = crew_open(model, threads, &options, out.npy ? take_embedding : take_json, NULL, d);
        ok = workers && answer_all(workers, &in, &out, two, d);
    }
    crew_close(workers);
    chunk_close(&two[0]);
    chunk_close(&two[1]);
    if (ok && out.failed)
        diag_error(d, o->input, "%" PRId64 " of %" PRId64 " lines have no answer", out.failed, out.rows);
    if (out.file) ok = sink_close(&out, ok, d) && ok;
    lines_close(&in);
    return ok;
}
