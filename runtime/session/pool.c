// The thread pool. How it stays right:
//
// A turn is a state of the pool: one a phase, and one (odd) for each rest between two calls. `state` is its
// number and how many lots of tasks it has, which says what each thread's share of them is. What is left of a
// share is one 64-bit word, (turn, end, begin), and a lot is taken by compare-and-swap on it: by its thread
// from the beginning, by others from the end, so that what a thread has just fetched for its next task stays
// its own. A word of an earlier turn stands for a share of which nothing is taken yet: so the share's first
// taker sets it up, and the thread that begins a turn touches no other's cache lines. A lot can be taken only
// in the turn that the taker believes in, and while it runs, that turn cannot end: `left` counts the lots that
// are not done, and only the thread that brings it to 0 begins the next turn. (An earlier turn's word where
// lots are to be taken says that this turn has not ended.) A late thread finds words of a later turn and looks
// again. The caller goes on only when it sees the rest's turn, which is the last thing that the finisher
// writes.
//
// Turns wrap round. Every 2^30 the finisher writes all words anew, so none is so old that it looks late.
//
// A child of a fork has the pool's memory and none of its threads: there it runs on the caller alone. The
// numbers in `places` are the parent's threads, and `state` and `sleepers` whatever they were.
#include "runtime/session/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/error.h"
#include "runtime/load/cpu.h"
#include "runtime/memory.h"
#include "runtime/session/floats.h"
#include "runtime/session/futex.h"
#include "runtime/session/placement.h"
#include "runtime/session/process.h"

enum {
    CACHE_LINE = 128,
    REST_NANOSECONDS = 60000,   // how long a thread spins after a call,
    PHASE_NANOSECONDS = 250000, // and in one, where waking costs more than a phase's last tasks take
    MOST_LOTS = UINT16_MAX,
    FETCH_LINES = 8 // fetched between two looks at the turn
};

#define RENEW_TURNS ((UINT32_C(1) << 30) - 1)
// An odd number from which the turns soon wrap round: what happens then happens in every session.
#define FIRST_TURN (UINT32_MAX - 200)

typedef struct share {
    _Alignas(CACHE_LINE) _Atomic uint64_t word; // turn << 32 | end << 16 | begin, counted from its first lot
} share;

typedef struct pool_worker {
    pool *pool;
    pthread_t thread;
    int index;
    // Of the call whose `enter` it has called and whose `leave` it owes. It may be late with that: then p->work is
    // another call's already.
    bool entered;
    uint32_t call;
    void (*leave)(void);
    pool_ahead ahead; // what it fetches while it waits
} pool_worker;

struct pool {
    // lots << 32 | turn, whose half is the futex that all wait on
    _Alignas(CACHE_LINE) _Atomic uint64_t state; // alone, for all look at it while the next turn is made
    _Alignas(CACHE_LINE) int phase, end;         // this turn's phase; written between turns
    int64_t tasks, lot;                          // its tasks, and how many neighbours are taken at a time
    uint32_t call;                               // number of this call; written between calls
    pool_work work;                              // likewise
    _Alignas(CACHE_LINE) _Atomic int64_t left;   // lots of this turn that are not done
    _Alignas(CACHE_LINE) _Atomic uint32_t sleepers;
    _Atomic bool closing;
    _Atomic uint32_t ready; // workers that have begun
    int threads;
    bool spin; // there is a CPU for each thread
    bertc_parallel_for parallel;
    void *parallel_user;
    _Atomic int64_t next; // task of the phase, where the caller's parallel_for runs it
    int64_t count;
    share *shares;
    pool_worker *workers;
    placement *places; // of worker i, at i - 1
    _Atomic int
        caller; // the CPU that the caller was on at the beginning or end of its last call; -1: none is kept free
    int started;
    process process; // whose threads they are
};

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint32_t turn_of(uint64_t state) {
    return (uint32_t)state;
}

static bool is_rest(uint64_t state) {
    return state & 1;
}

static uint64_t state_now(pool *p) {
    return atomic_load_explicit(&p->state, memory_order_acquire);
}

static _Atomic uint32_t *turn_word(pool *p) {
    const bool high_first = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    return (_Atomic uint32_t *)(void *)&p->state + high_first;
}

// Some lines of it.
static void fetch(pool_ahead *ahead) {
    for (int i = 0; i < FETCH_LINES && ahead->bytes > 0; i++) {
        __builtin_prefetch(ahead->at, 0, 2);
        ahead->at += 64;
        ahead->bytes -= 64;
    }
}

// Spins until the turn is no longer that of `state`; false: it took too long.
static bool spin_turn(pool *p, uint64_t state, pool_ahead *ahead) {
    int64_t start = 0;
    for (int i = 1; state_now(p) == state; i++) {
        if (ahead->bytes > 0)
            fetch(ahead);
        else
            cpu_relax();
        if (i % 64) continue;
        int64_t t = now();
        if (start == 0) start = t;
        if (t - start > (is_rest(state) ? REST_NANOSECONDS : PHASE_NANOSECONDS)) return false;
    }
    return true;
}

// Returns once the turn is no longer that of `state`.
static void wait_turn(pool_worker *w, uint64_t state) {
    pool *p = w->pool;
    placement *place = w->index ? &p->places[w->index - 1] : NULL;
    if (p->spin && spin_turn(p, state, &w->ahead)) return;
    if (place) placement_sleep(place, atomic_load_explicit(&p->caller, memory_order_relaxed));
    atomic_fetch_add(&p->sleepers, 1);
    while (atomic_load(&p->state) == state) futex_wait(turn_word(p), turn_of(state));
    atomic_fetch_sub(&p->sleepers, 1);
    if (place) placement_wake(place);
}

// Both sides are sequentially consistent: either the sleeper sees the new turn, or this sees the sleeper.
static void publish(pool *p, uint32_t turn, uint32_t lots) {
    atomic_store(&p->state, (uint64_t)lots << 32 | turn);
    if (atomic_load(&p->sleepers) > 0) futex_wake_all(turn_word(p));
}

// Begins the next turn: the first phase from p->phase on that has tasks, or the rest. Called by one thread,
// when no task runs.
static void next_turn(pool *p) {
    uint32_t turn = (turn_of(atomic_load_explicit(&p->state, memory_order_relaxed)) | 1) + 1;
    int64_t count = 0;
    while (p->phase < p->end && (count = p->work.count(p->work.context, p->phase)) <= 0) p->phase++;
    if ((turn & RENEW_TURNS) == 0)
        for (int i = 0; i < p->threads; i++)
            atomic_store_explicit(&p->shares[i].word, (uint64_t)(turn - 1) << 32, memory_order_relaxed);
    if (p->phase == p->end) {
        publish(p, turn | 1, 0);
        return;
    }
    p->tasks = count;
    p->lot = (count - 1) / ((int64_t)MOST_LOTS * p->threads) + 1; // 1, but where there are very many
    int64_t lots = (count - 1) / p->lot + 1;
    atomic_store_explicit(&p->left, lots, memory_order_relaxed);
    publish(p, turn, (uint32_t)lots);
}

// A lot of a thread's share in that turn, or -1: the first one for the thread itself, which learns whether it
// is the `last` that is left, else the last one.
static int64_t take(pool *p, uint64_t state, int thread, bool own, bool *last) {
    int64_t lots = (int64_t)(state >> 32), first = pool_first(lots, p->threads, thread);
    uint32_t turn = turn_of(state), all = (uint32_t)(pool_first(lots, p->threads, thread + 1) - first);
    _Atomic uint64_t *word = &p->shares[thread].word;
    uint64_t seen = atomic_load_explicit(word, memory_order_acquire);
    for (;;) {
        uint32_t of = (uint32_t)(seen >> 32), begin = seen & MOST_LOTS, end = seen >> 16 & MOST_LOTS;
        if ((int32_t)(of - turn) > 0) return -1;
        if (of != turn) begin = 0, end = all;
        if (begin == end) return -1;
        *last = own && begin + 1 == end;
        uint64_t rest = own ? end << 16 | (begin + 1) : (end - 1) << 16 | begin;
        if (atomic_compare_exchange_weak_explicit(word, &seen, (uint64_t)turn << 32 | rest,
                                                  memory_order_acquire, memory_order_acquire))
            return first + (own ? begin : end - 1);
    }
}

static void leave_call(pool_worker *w) {
    if (w->entered && w->leave) w->leave();
    w->entered = false;
}

// Before a task, so the call can't end meanwhile.
static void enter_call(pool_worker *w) {
    pool *p = w->pool;
    if (w->entered && w->call == p->call) return;
    leave_call(w);
    w->entered = true;
    w->call = p->call;
    w->leave = p->work.leave;
    if (p->work.enter) p->work.enter();
}

static void run_lot(pool_worker *w, int64_t lot, bool last) {
    pool *p = w->pool;
    int64_t end = (lot + 1) * p->lot;
    if (end > p->tasks) end = p->tasks;
    for (int64_t i = lot * p->lot; i < end; i++)
        p->work.task(p->work.context, p->phase, i, w->index, last && i + 1 == end ? &w->ahead : NULL);
}

// Takes lots of that turn, its own first, until there are none.
static void work_turn(pool_worker *w, uint64_t state) {
    pool *p = w->pool;
    int64_t done = 0, lot;
    bool last;
    w->ahead = (pool_ahead){0};
    for (int i = 0; i < p->threads; i++) {
        int victim = w->index + i < p->threads ? w->index + i : w->index + i - p->threads;
        for (; (lot = take(p, state, victim, i == 0, &last)) >= 0; done++) {
            enter_call(w);
            run_lot(w, lot, last);
        }
    }
    if (done && atomic_fetch_sub_explicit(&p->left, done, memory_order_acq_rel) == done) {
        p->phase++;
        next_turn(p);
    }
}

static void *worker_main(void *argument) {
    pool_worker *w = argument;
    pool *p = w->pool;
    placement *place = &p->places[w->index - 1];
    floats_default(NULL);
    placement_begin(place);
    atomic_fetch_add(&p->ready, 1);
    futex_wake_all(&p->ready);
    for (;;) {
        uint64_t state = state_now(p);
        if (atomic_load_explicit(&p->closing, memory_order_acquire)) break;
        if (is_rest(state))
            leave_call(w);
        else
            work_turn(w, state);
        wait_turn(w, state);
    }
    leave_call(w);
    return NULL;
}

// --- The caller's parallel_for: one call of it a phase.

static void body(void *context, int64_t self) {
    pool *p = context;
    floats_state state;
    floats_default(&state);
    int64_t task, done = 0;
    for (; (task = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed)) < p->count; done++) {
        if (!done && p->work.enter) p->work.enter();
        p->work.task(p->work.context, p->phase, task, (int)self, NULL);
    }
    if (done && p->work.leave) p->work.leave();
    floats_restore(&state);
}

static void run_parallel(pool *p) {
    for (; p->phase < p->end; p->phase++) {
        p->count = p->work.count(p->work.context, p->phase);
        atomic_store_explicit(&p->next, 0, memory_order_relaxed);
        if (p->count <= 0) continue;
        int64_t bodies = p->count < p->threads ? p->count : p->threads;
        if (bodies == 1)
            body(p, 0);
        else
            p->parallel(p->parallel_user, bodies, body, p);
    }
}

static void run_alone(pool *p) {
    bool entered = false;
    for (; p->phase < p->end; p->phase++) {
        int64_t count = p->work.count(p->work.context, p->phase);
        if (count > 0 && !entered && p->work.enter) p->work.enter();
        entered |= count > 0;
        for (int64_t i = 0; i < count; i++) p->work.task(p->work.context, p->phase, i, 0, NULL);
    }
    if (entered && p->work.leave) p->work.leave();
}

// Workers that fall asleep leave that CPU to the caller. Where there are fewer CPUs than threads, they share them
// anyway.
static void note_caller(pool *p) {
    if (p->spin) atomic_store_explicit(&p->caller, sched_getcpu(), memory_order_relaxed);
}

void pool_run(pool *p, const pool_work *work, int first, int end) {
    floats_state state;
    floats_default(&state);
    p->work = *work;
    p->call++;
    p->phase = first;
    p->end = end;
    if (p->threads == 1 || !process_is_own(&p->process))
        run_alone(p);
    else if (p->parallel)
        run_parallel(p);
    else {
        uint64_t turn;
        note_caller(p);
        if (p->spin && atomic_load(&p->sleepers) > 0) placement_spread(p->places, p->started);
        next_turn(p);
        while (!is_rest(turn = state_now(p))) {
            work_turn(&p->workers[0], turn);
            wait_turn(&p->workers[0], turn);
        }
        leave_call(&p->workers[0]);
        note_caller(p);
    }
    floats_restore(&state);
}

// --- Opening and closing

// What a worker blocks: the application's signals are for its own threads. Those of faults and of profilers
// stay open, which are about the very thread that gets them.
static sigset_t blocked_signals(void) {
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF};
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) sigdelset(&set, open[i]);
    return set;
}

static bool start_workers(pool *p, bertc_error *error) {
    sigset_t blocked = blocked_signals(), old;
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    int code = 0;
    p->workers[0].pool = p;
    for (int i = 1; i < p->threads && code == 0; i++) {
        p->workers[i] = (pool_worker){.pool = p, .index = i};
        code = pthread_create(&p->workers[i].thread, NULL, worker_main, &p->workers[i]);
        if (code == 0) p->started = i;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    // A thread's own start may allocate: it belongs to the opening.
    for (uint32_t n; (n = atomic_load(&p->ready)) != (uint32_t)p->started;) futex_wait(&p->ready, n);
    return code == 0 || error_set(error, "can't start thread %d: %s", p->started + 1, strerror(code));
}

pool *pool_open(int threads, bertc_parallel_for parallel, void *parallel_user, bertc_error *error) {
    pool *p = heap_aligned(CACHE_LINE, 1, sizeof *p);
    if (!p) {
        error_set(error, "out of memory");
        return NULL;
    }
    p->threads = threads;
    p->parallel = parallel;
    p->parallel_user = parallel_user;
    p->process = process_open();
    atomic_store(&p->state, FIRST_TURN);
    atomic_store(&p->caller, -1);
    if (parallel || threads == 1) return p;
    p->spin = threads <= cpu_allowed();
    p->shares = heap_aligned(CACHE_LINE, (size_t)threads, sizeof *p->shares);
    p->workers = heap_zero((size_t)threads, sizeof *p->workers);
    p->places = heap_zero((size_t)threads, sizeof *p->places);
    for (int i = 0; p->shares && i < threads; i++)
        atomic_init(&p->shares[i].word, (uint64_t)FIRST_TURN << 32);
    if (!p->shares || !p->workers || !p->places)
        error_set(error, "out of memory");
    else if (start_workers(p, error))
        return p;
    pool_close(p);
    return NULL;
}

bool pool_is_own(const pool *p) {
    return process_is_own(&p->process);
}

void pool_close(pool *p) {
    if (!p) return;
    if (p->started && process_is_own(&p->process)) {
        atomic_store_explicit(&p->closing, true, memory_order_release);
        publish(p, turn_of(atomic_load(&p->state)) + 2, 0);
        for (int i = 1; i <= p->started; i++) pthread_join(p->workers[i].thread, NULL);
    }
    process_close(&p->process);
    free(p->workers);
    free(p->places);
    free(p->shares);
    free(p);
}
