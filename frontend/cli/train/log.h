// What a run writes down: log.jsonl, a line per step and per epoch, and loss.svg. There are no times in it, so a run that was
// stopped and went on writes the same bytes as one that was not.
#ifndef BERTC_CLI_TRAIN_LOG_H
#define BERTC_CLI_TRAIN_LOG_H

#include "frontend/cli/train/plot.h"
#include "ir/diag.h"

typedef struct train_log {
    int fd;           // -1: not open
    char *path, *svg; // of the two files
    int64_t bytes;    // written so far
    plot plot;
} train_log;

typedef struct log_metric {
    const char *name; // "accuracy": the log calls it eval_accuracy
    double value;
} log_metric;

// In `folder`, which is there. While it is open, no other run may write it. train_log_close in both cases.
bool train_log_open(train_log *l, const char *folder, diag *d);
// The file's first `keep` bytes stay, which a checkpoint says (0: the run begins); what stands behind them is of steps that are taken
// again.
bool train_log_keep(train_log *l, int64_t keep, diag *d);
bool train_log_step(train_log *l, int64_t step, double loss, double norm, double rate, diag *d);
// Of metrics the one named "loss" is drawn.
bool train_log_epoch(train_log *l, int64_t epoch, int64_t step, const log_metric *metrics, int count,
                     diag *d);
// What is written is on the disk, and the drawing is made anew.
bool train_log_sync(train_log *l, diag *d);
void train_log_close(train_log *l);

#endif
