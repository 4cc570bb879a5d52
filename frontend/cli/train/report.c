#include "frontend/cli/train/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "frontend/cli/cli.h"

// Seconds between two drawings.
#define BETWEEN 0.1

// Metrics of an epoch's line; the log has them all.
#define SHOWN 5

void report_open(train_report *r, int64_t step) {
    *r = (train_report){.terminal = isatty(STDERR_FILENO), .started = seconds_now(), .first = step};
}

const char *time_text(double seconds, char *buf) {
    int64_t s = seconds > 0 && seconds < 1e9 ? (int64_t)seconds : 0;
    if (s >= 3600)
        snprintf(buf, 24, "%" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
    else
        snprintf(buf, 24, "%d:%02d", (int)(s / 60), (int)(s % 60));
    return buf;
}

void report_step(train_report *r, int64_t step, int64_t steps, double loss, double rate, int64_t tokens) {
    r->tokens += tokens;
    r->losses += loss;
    r->steps++;
    double now = seconds_now(), passed = now - r->started;
    if (!r->terminal || (now - r->shown < BETWEEN && step < steps)) return;
    char left[24];
    double each = passed / (double)(step - r->first);
    fprintf(stderr, "\r\033[Kstep %" PRId64 "/%" PRId64 "  loss %.4f  rate %.3g  %.0f tokens/s  %s left",
            step, steps, loss, rate, (double)r->tokens / passed,
            time_text(each * (double)(steps - step), left));
    r->shown = now;
    r->drawn = true;
}

void report_epoch(train_report *r, int64_t epoch, int64_t step, const log_metric *metrics, int count) {
    report_clear(r);
    printf("epoch %" PRId64 "  step %" PRId64 "  loss %.4f", epoch, step,
           r->steps ? r->losses / (double)r->steps : 0);
    for (int i = 0; i < count && i < SHOWN; i++)
        printf("  %s%s %.4f", i ? "" : "dev ", metrics[i].name, metrics[i].value);
    printf("\n");
    fflush(stdout);
    r->losses = 0;
    r->steps = 0;
}

void report_processes(const train_report *r, int processes, int64_t numbers, double waited) {
    char size[32];
    double passed = seconds_now() - r->started;
    int64_t bytes = numbers * (int64_t)sizeof(float) / processes * 2 * (processes - 1);
    printf("%d processes: in each step each sends %s of gradients; %.0f %% of the time it waited for those "
           "of the others\n",
           processes, size_text(bytes, size, sizeof size), passed > 0 ? 100 * waited / passed : 0);
}

void report_clear(train_report *r) {
    if (r->drawn) fputs("\r\033[K", stderr);
    r->drawn = false;
}
