// Which CPU a sleeping worker wakes on. Linux looks for an idle CPU when it wakes a thread; in a virtual
// machine a halted CPU may not count as idle, and then the thread comes back to the CPU where it slept, even
// where the waker, or another worker, runs there by now. The two share that CPU for milliseconds, as long as
// a call takes, until the load is balanced. So the caller moves such workers elsewhere before it wakes them.
// No thread stays bound: a worker takes its own mask back as soon as it runs.
#ifndef BERTC_PLACEMENT_H
#define BERTC_PLACEMENT_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct placement { // of one worker
    pid_t id;
    _Atomic int cpu;    // that it sleeps on; -1: it is awake
    _Atomic bool moved; // and `before` is the mask that it takes back
    cpu_set_t before;
    bool in_the_way; // while placement_spread runs
} placement;

// By the worker: at its start, and around each sleep.
void placement_begin(placement *p);
void placement_sleep(placement *p);
void placement_wake(placement *p);

// By the one caller, with workers asleep: no two of them, and none and the caller, on one CPU, as far as
// their masks allow it. Costs system calls only where some are. What the system refuses stays as it is.
void placement_spread(placement *workers, int count);

#endif
