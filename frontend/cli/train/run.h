// One training run: what train.c opens, loop.c steps through, and save.c writes.
#ifndef BERTC_CLI_TRAIN_RUN_H
#define BERTC_CLI_TRAIN_RUN_H

#include "frontend/cli/train/base.h"
#include "frontend/cli/train/feed.h"
#include "frontend/cli/train/log.h"
#include "frontend/cli/train/parallel.h"
#include "frontend/cli/train/plan.h"
#include "frontend/cli/train/report.h"
#include "frontend/cli/train/state.h"
#include "frontend/cli/train/teacher.h"

typedef struct train_run {
    const train_options *o;
    train_base base;
    teacher teacher; // whose session is NULL where there is none
    train_set train, dev;
    order_rule order;
    batch_rule batches;
    const float *weights; // of classes, in the base's arena; NULL: each counts 1
    train_plan plan;
    rate_rule rate;
    opened opened;
    bertc_trainer *trainer;
    train_log log;
    train_state state;
    train_report report;
    int64_t room; // tokens that a call of the trainer takes
    parallel parallel;
    int threads; // of this process, where no option says
} train_run;

// Does this process evaluate and write?
static inline bool run_writes(const train_run *r) {
    return !r->parallel.link.rank;
}

// --- dev.c

// The dev file's loss and metrics with the parameters as they are; at most `most` of them into `out`. False with a diagnostic.
bool dev_measure(train_run *r, log_metric *out, int most, int *count, diag *d);
// The metric that the best epoch is chosen by, as asked for.
const char *best_metric(const train_options *o);
// Has the task that metric? An error lists those that it has.
bool dev_check_metric(train_run *r, diag *d);
// Is the larger value of that metric the better one? ("loss": no.)
bool metric_grows(const char *name);

// --- make_batch.c

// A batch of the epoch, or a process's share of it, with what the teacher says of it.
bool run_batch(train_run *r, train_set *s, const order_part *part, int64_t epoch, train_batch *out, arena *a,
               diag *d);

// --- save.c

// A checkpoint of the run as it is.
bool save_checkpoint(train_run *r, diag *d);
// Puts the parameters and the optimiser's states of the checkpoint of that step into the trainer.
bool load_checkpoint(train_run *r, int64_t step, diag *d);
// The result: the output folder's own model.
bool save_result(train_run *r, diag *d);

// --- loop.c

// All steps from the state on, to the end or an early stop. False, with a diagnostic, where it ends for another reason.
bool loop_run(train_run *r, diag *d);

#endif
