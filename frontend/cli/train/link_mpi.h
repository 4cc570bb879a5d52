// What the two files share that send by MPI.
#ifndef BERTC_CLI_TRAIN_LINK_MPI_H
#define BERTC_CLI_TRAIN_LINK_MPI_H

#include <mpi.h>
#include <stdatomic.h>

#include "frontend/cli/train/link.h"

typedef struct link_sums link_sums;
struct link_state {
    MPI_Comm all;
    link_sums *sums; // NULL: not open; else close_sums ends it
    void (*close_sums)(link_sums *sums);
};

// Waits for the requests. While `busy` (may be NULL) is true it sleeps between looks, for its processor has other work; else it does so
// only when it takes long. MPI_SUCCESS, or MPI's code.
int link_wait(MPI_Request *requests, int count, const _Atomic bool *busy);
// Adds MPI's words for its code.
bool link_failed(int code, diag *d);

#endif
