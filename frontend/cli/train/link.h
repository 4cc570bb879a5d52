// The processes of one run, and what they send each other. One file does it by MPI (link_mpi.c, sums_mpi.c), where the build finds it;
// without, link_none.c says so to whoever is started as one of several.
//
// All processes make the same calls in the same order. What is computed from what all have sent is the same in all of them.
#ifndef BERTC_CLI_TRAIN_LINK_H
#define BERTC_CLI_TRAIN_LINK_H

#include <stddef.h>

#include "frontend/cli/launch.h"
#include "ir/diag.h"

typedef struct link_state link_state;
typedef struct process_link {
    int rank, count;   // this process, of so many; alone: 0 of 1
    link_state *state; // NULL: alone
} process_link;

// Joins the others, as the launcher says. link_close in both cases.
bool link_open(process_link *l, const launch *how, diag *d);
void link_close(process_link *l);
// `bytes` of each process to all of them: process i's at all + i * bytes.
bool link_gather(const process_link *l, const void *mine, void *all, size_t bytes, diag *d);
// Process 0's bytes to the others.
bool link_share(const process_link *l, void *data, size_t bytes, diag *d);

// --- Gradients, which are added up over processes in the order of these, while the calling thread computes others

typedef struct link_range {
    int64_t first, count; // numbers
} link_range;
// Once for a run: `memory` is where they lie, the ranges are in the order in which they become whole, the same in all processes. Not
// where the process is alone. False: there is no memory, or no thread.
bool link_sums_open(process_link *l, float *memory, const link_range *ranges, int count, diag *d);
// Ranges 0 to whole - 1 are whole: they are sent, and become the sums over all processes. The link is `user`.
void link_sums_add(void *user, int whole);
// Returns when all ranges are sums, and the next step's may begin. *seconds (may be NULL) grows by what it waited.
bool link_sums_wait(process_link *l, double *seconds, diag *d);

#endif
