// What a run says while it goes on: a line on standard error that is drawn over, on a terminal only, and a line per epoch on
// standard output.
#ifndef BERTC_CLI_TRAIN_REPORT_H
#define BERTC_CLI_TRAIN_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/cli/train/log.h"

typedef struct train_report {
    bool terminal, drawn;
    double started, shown; // seconds
    int64_t first, tokens; // the step that this process began behind; tokens since
    double losses;         // of the epoch's steps
    int64_t steps;         // of the epoch
} train_report;

void report_open(train_report *r, int64_t step);
void report_step(train_report *r, int64_t step, int64_t steps, double loss, double rate, int64_t tokens);
void report_epoch(train_report *r, int64_t epoch, int64_t step, const log_metric *metrics, int count);
// At the end of a run of several processes: what a step sent, and the share of time that was spent waiting for it.
void report_processes(const train_report *r, int processes, int64_t numbers, double waited);
// Before anything else is printed, and at the end.
void report_clear(train_report *r);
// "1:02:03", "4:05"; into buf (24 bytes), which is returned.
const char *time_text(double seconds, char *buf);

#endif
