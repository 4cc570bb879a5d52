// Which CPU a sleeping worker wakes on. Linux looks for an idle CPU when it wakes a thread. In a virtual
// machine a halted CPU may not count as idle; the thread then wakes on the CPU where it fell asleep, even
// if the waker or another worker now runs there. The two share that CPU until the load is balanced, for
// milliseconds: as long as a call takes. So the caller moves such workers to other CPUs before it wakes
// them.
//
// No thread stays bound: a worker takes its own mask back as soon as it runs. `state` says whose turn it is.
// The caller binds only a worker that it has taken from ASLEEP to MOVING, and a worker that wakes meanwhile
// waits until the caller is done with it.
#ifndef BERTC_PLACEMENT_H
#define BERTC_PLACEMENT_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

typedef enum placement_state {
    PLACEMENT_AWAKE,
    PLACEMENT_ASLEEP,
    PLACEMENT_MOVING, // the caller reads `before` and binds the worker
    PLACEMENT_MOVED   // it is bound, and takes `before` back
} placement_state;

typedef struct placement { // of one worker
    pid_t id;
    _Atomic int state; // placement_state
    _Atomic int cpu;   // the CPU that it sleeps on; -1: not known
    cpu_set_t before;
    bool in_the_way; // while placement_spread runs
} placement;

// By the worker: at its start, and around each sleep.
void placement_begin(placement *p);
void placement_sleep(placement *p);
void placement_wake(placement *p);

// Called by the caller while workers sleep. Afterwards no two sleeping workers are on one CPU, and none is
// on the caller's, as far as their masks allow it. Makes system calls only where two share one. A move that
// the system refuses is left out.
void placement_spread(placement *workers, int count);

#endif
