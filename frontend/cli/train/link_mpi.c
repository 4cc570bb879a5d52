#include "frontend/cli/train/link_mpi.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ir/memory.h"

// MPI counts in int.
#define PIECE ((size_t)1 << 30)
// Looks that are made before a wait begins to sleep; then it sleeps longer and longer.
#define LOOKS     2000
#define SLEEP     50000L // nanoseconds
#define SLEEP_MAX 2000000L

int link_wait(MPI_Request *requests, int count, const _Atomic bool *busy) {
    long sleep = SLEEP;
    for (int looks = 0;; looks++) {
        int done, code = MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE);
        if (code != MPI_SUCCESS || done) return code;
        bool works = busy && *busy;
        if (!works && looks < LOOKS) {
            sched_yield();
            continue;
        }
        nanosleep(&(struct timespec){.tv_nsec = sleep}, NULL);
        if (!works && sleep < SLEEP_MAX) sleep += sleep / 4;
    }
}

bool link_failed(int code, diag *d) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int n;
    MPI_Error_string(code, text, &n);
    return diag_error(d, "MPI", "%s", text);
}

static bool start_mpi(diag *d) {
    int level, code = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level);
    if (code != MPI_SUCCESS) return link_failed(code, d);
    return level >= MPI_THREAD_SERIALIZED || diag_error(d, "MPI", "lets one thread alone send");
}

bool link_open(process_link *l, const launch *how, diag *d) {
    *l = (process_link){.count = 1};
    if (how->count <= 1) return true;
    if (!start_mpi(d)) return false;
    l->state = memory_must(memory_zero(1, sizeof *l->state));
    MPI_Comm_dup(MPI_COMM_WORLD, &l->state->all);
    MPI_Comm_set_errhandler(l->state->all, MPI_ERRORS_RETURN);
    MPI_Comm_rank(l->state->all, &l->rank);
    MPI_Comm_size(l->state->all, &l->count);
    if (l->count == how->count) return true;
    l->rank = (int)how->rank;
    return diag_error(
        d, how->by,
        "says that this is one of %lld processes, and the MPI that bertc is built with that it is one of "
        "%d: start them with that MPI's mpirun",
        (long long)how->count, l->count);
}

void link_close(process_link *l) {
    if (!l->state) return;
    if (l->state->sums) l->state->close_sums(l->state->sums);
    MPI_Comm_free(&l->state->all);
    MPI_Finalize();
    free(l->state);
    l->state = NULL;
}

bool link_gather(const process_link *l, const void *mine, void *all, size_t bytes, diag *d) {
    MPI_Request r;
    if (!l->state) {
        memcpy(all, mine, bytes);
        return true;
    }
    int code = MPI_Iallgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, l->state->all, &r);
    if (code == MPI_SUCCESS) code = link_wait(&r, 1, NULL);
    return code == MPI_SUCCESS || link_failed(code, d);
}

bool link_share(const process_link *l, void *data, size_t bytes, diag *d) {
    for (size_t at = 0; l->state && at < bytes; at += PIECE) {
        MPI_Request r;
        int n = (int)(bytes - at < PIECE ? bytes - at : PIECE);
        int code = MPI_Ibcast((char *)data + at, n, MPI_BYTE, 0, l->state->all, &r);
        if (code == MPI_SUCCESS) code = link_wait(&r, 1, NULL);
        if (code != MPI_SUCCESS) return link_failed(code, d);
    }
    return true;
}
