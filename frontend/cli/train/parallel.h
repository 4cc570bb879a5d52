// One run of several processes: each takes its share of every batch, their gradients are added up, and all move their own copy of the
// parameters in the same way. Process 0 alone evaluates and writes.
//
// Where a process fails, all end: at certain points they tell each other whether all is well. The first of those that failed says why.
#ifndef BERTC_CLI_TRAIN_PARALLEL_H
#define BERTC_CLI_TRAIN_PARALLEL_H

#include "frontend/cli/train/feed.h"
#include "frontend/cli/train/link.h"
#include "frontend/cli/train/state.h"

typedef struct parallel {
    process_link link;
    int speaker;   // the process whose diagnostics are printed
    double waited; // seconds that gradients took beyond the computing
} parallel;

// Is all well with all? Else the speaker is chosen.
bool parallel_agree(parallel *p, bool ok, diag *d);
// Threads of this process: those of its CPUs, which processes of one machine share.
int parallel_threads(parallel *p, diag *d);
// What must be the same in all, or their results would not be one run's.
typedef struct parallel_print {
    uint64_t data, options, pieces, code;
} parallel_print;
// `ok`: of this process so far. An error names the process and what differs.
bool parallel_same(parallel *p, bool ok, const parallel_print *print, diag *d);
// The hash of bytes, from that of what is before them (0: nothing).
uint64_t parallel_hash(uint64_t before, const void *bytes, size_t n);

// Adds up what the step's shares hold. `ok`: of this process so far.
bool parallel_sum_step(parallel *p, bool ok, train_step *s, diag *d);
// Adds up the shares' losses, and waits for the gradients.
bool parallel_sum_loss(parallel *p, bool ok, double *loss, diag *d);
// The trainer's gradients are sent while they are computed. *print: of how they lie.
bool parallel_open_sums(parallel *p, bertc_trainer *t, uint64_t *print, diag *d);
// Before a step's last gradients (which may be none, of an empty share): they are sent.
bool parallel_hook(parallel *p, bertc_trainer *t, bool on, diag *d);
// A share of the step was empty: gradients are zeros.
void parallel_no_gradients(parallel *p, bertc_trainer *t, bool zero);

// Process 0's state, without its JSON, and, where it goes on (`tensors`), its parameters and optimiser's states, to all.
bool parallel_share_state(parallel *p, train_state *s, diag *d);
bool parallel_share_tensors(parallel *p, bertc_trainer *t, diag *d);

// --- supervise.c

// Of a run of several processes: makes a child that goes on, and waits for it. In the child -1; in its parent the child's exit status, or 1
// where a signal ended it, which is said.
int supervise(const launch *how);

#endif
