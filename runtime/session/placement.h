// Which CPU a sleeping worker wakes on. Linux looks for an idle CPU when it wakes a thread. In a virtual
// machine a halted CPU may not count as idle; the thread then wakes on its waker's CPU, or on the one where it
// fell asleep, even if somebody runs there. The two share that CPU until the load is balanced, for
// milliseconds: as long as a call takes. So a worker leaves the caller's CPU out of its mask before it sleeps.
// Where the caller has moved since then, or two workers sleep on one CPU, the caller binds workers before it
// wakes them.
//
// No thread stays bound: a worker takes its own mask back as soon as it runs, unless somebody else has changed
// the mask meanwhile. `state` says whose turn it is. The caller binds only a worker that it has taken from
// ASLEEP to MOVING, and a worker that wakes meanwhile waits until the caller is done with it.
#ifndef BERTC_PLACEMENT_H
#define BERTC_PLACEMENT_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

typedef enum placement_state {
    PLACEMENT_AWAKE,
    PLACEMENT_ASLEEP,
    PLACEMENT_MOVING // the caller binds the worker
} placement_state;

typedef struct placement { // of one worker
    pid_t id;
    _Atomic int state; // placement_state
    _Atomic int cpu;   // the CPU that it sleeps on; -1: not known
    // Written by the worker before it is ASLEEP, and by who has taken it from there:
    int away;         // the CPU that its mask leaves out; -1: none
    bool known;       // `before` is its own mask
    bool bound;       // its mask is `now`, and it takes `before` back
    cpu_set_t before; // its own mask
    cpu_set_t now;
    bool in_the_way, shares; // while placement_spread runs: it has to be bound; elsewhere than it sleeps
} placement;

// By the worker: at its start, and around each sleep. `caller`: the CPU that the caller ran on last, or -1: the
// mask stays.
void placement_begin(placement *p);
void placement_sleep(placement *p, int caller);
void placement_wake(placement *p);

// Called by the caller while workers sleep. Afterwards no two sleeping workers are on one CPU, and none is on
// the caller's or may wake there, as far as their masks allow it. Makes system calls only for workers of which
// that is not so yet. A move that the system refuses is left out.
void placement_spread(placement *workers, int count);

#endif
