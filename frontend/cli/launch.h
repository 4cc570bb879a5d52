// Processes that are started together: what their launcher says of it in the environment.
#ifndef BERTC_CLI_LAUNCH_H
#define BERTC_CLI_LAUNCH_H

#include <stdint.h>

typedef struct launch {
    int64_t rank, count; // this process, from 0, of so many; count 0: the launcher says nothing
    const char *by;      // the variable that says how many: "OMPI_COMM_WORLD_SIZE"
} launch;

// By mpirun (Open MPI, MPICH and its kin), or by Slurm's srun with PMIx.
launch launch_mpi(void);
// By Slurm's srun, whatever it does for MPI.
launch launch_srun(void);
// A whole number of a variable; -1: it is not set, or no such number.
int64_t launch_number(const char *variable);

#endif
