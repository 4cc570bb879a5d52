// A file of any size through the workers: while they answer one chunk, this thread writes the one before and
// reads the one after. Of a pipe or a terminal, what has been answered is written before more is waited for.
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "frontend/cli/run/crew.h"

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

// --- The loop

bool crew_stream(crew *workers, line_source *in, chunk_put put, void *user, diag *d) {
    chunk two[2] = {{0}, {0}};
    progress p = {.shown = is_terminal(2), .start = seconds_now()};
    int now = 0;
    int64_t before = in->reader.bytes;
    bool ok = (chunk_open(&two[0]) && chunk_open(&two[1])) || diag_error(d, NULL, "out of memory");
    bool more = ok && chunk_read(&two[0], in, crew_rows(workers), d);
    if (more) crew_start(workers, &two[0]);
    while (more && ok) {
        int64_t done = in->reader.bytes;
        bool goes_on = lines_ready(in); // else nobody waits for an answer until more is written
        if (goes_on) more = chunk_read(&two[!now], in, crew_rows(workers), d);
        crew_wait(workers);
        if (goes_on && more) crew_start(workers, &two[!now]);
        ok = put(user, in, &two[now], d);
        show_progress(&p, two[now].count, done - before, in->reader.size < 0 ? -1 : in->reader.size - before);
        if (!goes_on && ok) more = chunk_read(&two[!now], in, crew_rows(workers), d);
        if (!goes_on && ok && more) crew_start(workers, &two[!now]);
        now = !now;
    }
    crew_wait(workers);
    end_progress(&p);
    chunk_close(&two[0]);
    chunk_close(&two[1]);
    return ok && !in->reader.failed;
}
