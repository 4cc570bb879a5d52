// Without MPI a process is alone.
#include <string.h>

#include "frontend/cli/train/link.h"

bool link_open(process_link *l, const launch *how, diag *d) {
    *l = (process_link){.rank = (int)how->rank, .count = 1};
    return how->count <= 1 ||
           diag_error(
               d, how->by,
               "says that this is one of %lld processes, and this bertc is built without MPI: build it where "
               "Open MPI's library is installed (libopenmpi-dev), or start one process",
               (long long)how->count);
}

void link_close(process_link *l) {
    (void)l;
}

bool link_gather(const process_link *l, const void *mine, void *all, size_t bytes, diag *d) {
    (void)l, (void)d;
    memcpy(all, mine, bytes);
    return true;
}

bool link_share(const process_link *l, void *data, size_t bytes, diag *d) {
    (void)l, (void)data, (void)bytes, (void)d;
    return true;
}

bool link_sums_open(process_link *l, float *memory, const link_range *ranges, int count, diag *d) {
    (void)l, (void)memory, (void)ranges, (void)count, (void)d;
    return true;
}

void link_sums_add(void *user, int whole) {
    (void)user, (void)whole;
}

bool link_sums_wait(process_link *l, double *seconds, diag *d) {
    (void)l, (void)seconds, (void)d;
    return true;
}
