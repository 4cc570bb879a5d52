#include "frontend/cli/serve/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

bool log_kind_of(const char *word, log_kind *kind) {
    *kind = !word || !strcmp(word, "text") ? LOG_TEXT : !strcmp(word, "json") ? LOG_JSON : LOG_NONE;
    return *kind != LOG_NONE || !strcmp(word, "none");
}

static void now_text(char *to, size_t size) {
    struct timespec t;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &parts);
    size_t n = strftime(to, size, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(to + n, size - n, ".%03ldZ", t.tv_nsec / 1000000);
}

// One write, so that lines of threads do not mix.
static void put(out *o) {
    out_text(o, "\n");
    if (!o->bad) fwrite(o->text, 1, o->size, stderr);
    out_free(o);
}

void log_event(log_kind kind, const char *level, const char *format, ...) {
    char message[700], when[40];
    out o = {0};
    va_list a;
    if (kind == LOG_NONE) return;
    va_start(a, format);
    vsnprintf(message, sizeof message, format, a);
    va_end(a);
    now_text(when, sizeof when);
    if (kind == LOG_JSON) {
        out_format(&o, "{\"time\": \"%s\", \"level\": \"%s\", \"message\": ", when, level);
        out_quoted(&o, message);
        out_text(&o, "}");
    } else {
        out_format(&o, "%s %s %s", when, level, message);
    }
    put(&o);
}

typedef struct spans {
    double queue, run; // milliseconds, of the texts' mean
} spans;

static spans spans_of(const work *w) {
    spans s = {0};
    for (int i = 0; i < w->count; i++) {
        s.queue += (w->jobs[i].started - w->jobs[i].arrived) * 1e3 / w->count;
        s.run += (w->jobs[i].ended - w->jobs[i].started) * 1e3 / w->count;
    }
    return s;
}

void log_request(log_kind kind, const call *c, const char *method, const char *from) {
    char when[40];
    out o = {0};
    if (kind == LOG_NONE) return;
    spans s = spans_of(&c->work);
    double total = c->replied > c->began ? (c->replied - c->began) * 1e3 : 0;
    const char *model = c->model ? c->model->name : "-";
    now_text(when, sizeof when);
    if (kind == LOG_JSON) {
        out_format(&o,
                   "{\"time\": \"%s\", \"level\": \"info\", \"message\": \"request\", \"from\": \"%s\", "
                   "\"method\": ",
                   when, from);
        out_quoted(&o, method);
        out_text(&o, ", \"path\": ");
        out_quoted(&o, c->path);
        out_text(&o, ", \"model\": ");
        out_quoted(&o, c->model ? c->model->name : NULL);
        out_format(&o,
                   ", \"status\": %d, \"texts\": %d, \"tokens\": %lld, \"queue_ms\": %.3f, \"run_ms\": %.3f, "
                   "\"total_ms\": %.3f, \"request_bytes\": %zu, \"reply_bytes\": %zu}",
                   c->status, c->work.count, (long long)c->tokens, s.queue, s.run, total, c->size,
                   c->reply.size);
    } else {
        out_format(&o, "%s info %s ", when, from);
        out_quoted(&o, method);
        out_text(&o, " ");
        out_quoted(&o, c->path);
        out_format(&o, " %s %d, %d texts, %lld tokens, %.3f ms in the queue, %.3f ms run, %.3f ms in all",
                   model, c->status, c->work.count, (long long)c->tokens, s.queue, s.run, total);
    }
    put(&o);
}
