// The threads of a session: they run a list of phases, each cut into tasks, with a barrier after each phase.
//
// Each thread gets a run of neighbouring tasks of a phase, so that it meets the same rows again in the next
// phase. A thread that has finished its run takes tasks from the far ends of the others'. A phase ends when
// its tasks are done, not when all threads have arrived: a thread that sleeps through a phase delays
// nobody. A waiting thread first fetches what it will read in the next phase, spins, then sleeps: between two
// calls after some microseconds, within a call only where a phase takes long. Nothing is allocated after
// pool_open.
#ifndef BERTC_POOL_H
#define BERTC_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/bertc.h"

typedef struct pool pool;

// The first of `count` tasks in a thread's run; the run ends where the next thread's begins.
static inline int64_t pool_first(int64_t count, int threads, int thread) {
    int64_t more = count % threads;
    return count / threads * thread + (thread < more ? thread : more);
}

// Memory that a thread will read when the next phase begins. It is prefetched, not read.
typedef struct pool_ahead {
    const char *at;
    int64_t bytes;
} pool_ahead;

// count: the number of tasks of phase i. task: does one of them; `thread` is in [0, threads), and no two tasks
// run at the same time with the same one. `ahead`: not NULL where it is the last task left of this thread's run
// (never with one thread, or with `parallel`); the task may say there what its thread fetches while it waits.
typedef struct pool_work {
    void *context;
    // at most 2^30; asked once in each phase, before its first task
    int64_t (*count)(void *context, int phase);
    void (*task)(void *context, int phase, int64_t task, int thread, pool_ahead *ahead);
    // Of each thread that gets a task: before its first and after its last one, of a pool_run; with `parallel`, of a
    // body. A worker may leave after pool_run has returned, but before it enters again or ends. NULL: nothing.
    void (*enter)(void);
    void (*leave)(void);
} pool_work;

// `threads` >= 1 in all, the caller's among them. With `parallel`, no thread is started and `threads` bodies
// are asked for.
pool *pool_open(int threads, bertc_parallel_for parallel, void *parallel_user, bertc_error *error);
// Ends its threads; in a child of a fork, which has none of them, gives back the memory alone.
void pool_close(pool *p);
// Whether this process opened it, and is no child of a fork.
bool pool_is_own(const pool *p);
// Runs phases [first, end) in order. One call at a time. In a child of a fork on the caller alone.
void pool_run(pool *p, const pool_work *work, int first, int end);

#endif
