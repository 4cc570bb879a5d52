#include "frontend/cli/launch.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

int64_t launch_number(const char *variable) {
    const char *text = getenv(variable);
    char *end;
    if (!text || *text < '0' || *text > '9') return -1;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    return errno || *end ? -1 : n;
}

static launch read_pair(const char *rank, const char *count) {
    int64_t r = launch_number(rank), n = launch_number(count);
    return r >= 0 && n > r ? (launch){r, n, count} : (launch){0};
}

launch launch_mpi(void) {
    static const char *const pairs[][2] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                           {"PMI_RANK", "PMI_SIZE"},
                                           {"MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"},
                                           {"PMIX_RANK", "SLURM_STEP_NUM_TASKS"}};
    launch l = {0};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs && !l.count; i++)
        l = read_pair(pairs[i][0], pairs[i][1]);
    return l;
}

launch launch_srun(void) {
    return read_pair("SLURM_PROCID", "SLURM_STEP_NUM_TASKS");
}
