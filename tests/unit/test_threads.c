// links: runtime
// The thread pool alone: each task once, phases in order, no thread number twice at the same time, any number
// of threads.
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "main.h"
#include "runtime/session/futex.h"
#include "runtime/session/order.h"
#include "runtime/session/placement.h"
#include "runtime/session/pool.h"

enum { PHASES = 40, MOST = 97, THREADS = 33 };

typedef struct record {
    int64_t counts[PHASES];
    _Atomic int done[PHASES][MOST];
    _Atomic int in_phase;      // phase of the last task that began
    _Atomic int busy[THREADS]; // tasks running as that thread
    int plain[PHASES *
              MOST]; // written without atomics: a barrier that leaks is a race, seen by a race detector
    _Atomic bool wrong;
    _Atomic int lasts[PHASES][THREADS];
    int sleep, threads;
} record;

static int64_t count_of(void *context, int phase) {
    return ((record *)context)->counts[phase];
}

static void task_of(void *context, int phase, int64_t task, int thread, pool_ahead *ahead) {
    record *r = context;
    if (thread < 0 || thread >= THREADS || atomic_fetch_add(&r->busy[thread], 1) != 0) r->wrong = true;
    if (atomic_exchange(&r->in_phase, phase) > phase) r->wrong = true;
    int sum = 0;
    if (phase > 0)
        for (int64_t i = 0; i < r->counts[phase - 1]; i++) sum += r->plain[(phase - 1) * MOST + i];
    if (phase > 0 && sum != r->counts[phase - 1]) r->wrong = true; // all of the phase before is done
    r->plain[phase * MOST + task] = 1;
    atomic_fetch_add(&r->done[phase][task], 1);
    // The last of its own: once a thread and phase, and never another's.
    if (ahead) {
        int64_t n = r->counts[phase];
        if (atomic_fetch_add(&r->lasts[phase][thread], 1) != 0) r->wrong = true;
        if (task < pool_first(n, r->threads, thread) || task >= pool_first(n, r->threads, thread + 1))
            r->wrong = true;
        *ahead = (pool_ahead){(const char *)64, task % 2 << 20}; // it is never read: it need not be there
    }
    if (r->sleep && task == 0) nanosleep(&(struct timespec){.tv_nsec = r->sleep}, NULL);
    atomic_fetch_sub(&r->busy[thread], 1);
}

static void run_once(pool *p, record *r, int first, int end) {
    const pool_work work = {r, count_of, task_of};
    memset(r->done, 0, sizeof r->done);
    memset(r->plain, 0, sizeof r->plain);
    memset(r->lasts, 0, sizeof r->lasts);
    r->in_phase = 0;
    pool_run(p, &work, first, end);
    ck_assert(!r->wrong);
    for (int i = first; i < end; i++)
        for (int k = 0; k < MOST; k++) ck_assert_int_eq(r->done[i][k], k < r->counts[i]);
}

// Binds the calling thread to the CPU that it is on.
static void stay_here(void) {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET((size_t)sched_getcpu(), &here);
    ck_assert_int_eq(sched_setaffinity(0, sizeof here, &here), 0);
}

static record *new_record(int threads) {
    record *r = calloc(1, sizeof *r);
    r->threads = threads;
    for (int i = 0; i < PHASES; i++) r->counts[i] = i % 7 == 3 ? 0 : i * 31 % MOST + 1;
    return r;
}

START_TEST(each_task_once) {
    const int threads[] = {1, 2, 3, 8, 16, 33};
    record *r = new_record(threads[_i]);
    int lasts = 0;
    pool *p = pool_open(threads[_i], NULL, NULL, NULL);
    for (int round = 0; round < 60; round++) {
        run_once(p, r, 0, PHASES);
        for (int i = 0; i < PHASES; i++)
            for (int k = 0; k < THREADS; k++) lasts += r->lasts[i][k];
    }
    ck_assert(threads[_i] == 1 ? lasts == 0 : lasts > 0);
    for (int i = 0; i < PHASES; i++) r->counts[i] = 1;
    for (int round = 0; round < 60; round++) run_once(p, r, 0, PHASES);
    pool_close(p);
    free(r);
}
END_TEST

START_TEST(nothing_to_do) {
    record *r = calloc(1, sizeof *r);
    r->threads = 3;
    pool *p = pool_open(3, NULL, NULL, NULL);
    run_once(p, r, 0, PHASES);
    run_once(p, r, 5, 5);
    pool_close(p);
    free(r);
}
END_TEST

// Threads fall asleep in a long task and between calls, and wake.
START_TEST(sleeps_and_wakes) {
    record *r = new_record(2);
    r->sleep = _i ? 2000000 : 150000; // so long that threads sleep within a call, or only after it
    pool *p = pool_open(2, NULL, NULL, NULL);
    for (int round = _i; round < 3; round++) {
        run_once(p, r, 0, PHASES);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    pool_close(p);
    free(r);
}
END_TEST

// A pool at rest uses no time.
START_TEST(idle_threads_sleep) {
    record *r = new_record(2);
    pool *p = pool_open(2, NULL, NULL, NULL);
    run_once(p, r, 0, PHASES);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    double used = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) * 1e-9;
    ck_assert_double_lt(used, 0.02);
    pool_close(p);
    free(r);
}
END_TEST

// More tasks than a share's counters hold: they are taken in lots.
typedef struct many {
    int64_t count;
    unsigned char *done;
    _Atomic int64_t sum;
} many;

static int64_t many_tasks(void *context, int phase) {
    (void)phase;
    return ((many *)context)->count;
}

static void one_of_many(void *context, int phase, int64_t task, int thread, pool_ahead *ahead) {
    (void)phase, (void)thread, (void)ahead;
    many *m = context;
    m->done[task]++;
    if (task % 1024 == 0) atomic_fetch_add(&m->sum, 1);
}

START_TEST(very_many_tasks) {
    const int64_t counts[] = {2 * 65535, 2 * 65535 + 1, 1000003};
    many m = {.count = counts[_i], .done = calloc((size_t)counts[_i], 1)};
    const pool_work work = {&m, many_tasks, one_of_many};
    pool *p = pool_open(2, NULL, NULL, NULL);
    pool_run(p, &work, 0, 1);
    pool_close(p);
    for (int64_t i = 0; i < m.count; i++) ck_assert_int_eq(m.done[i], 1);
    ck_assert_int_eq(m.sum, (m.count + 1023) / 1024);
    free(m.done);
}
END_TEST

// Each number once, and blocks that are together take the same columns one after the other.
START_TEST(tasks_that_share_weights_are_neighbours) {
    bool seen[2000];
    for (int64_t unit = 1; unit <= 3 * ORDER_ROWS; unit = unit * 2 + (unit == 4))
        for (int64_t blocks = 1; blocks <= 40; blocks += 3)
            for (int64_t inner = 1; inner <= 48; inner += 5) {
                memset(seen, 0, sizeof seen);
                int64_t changes = 0, columns = -1;
                for (int64_t at = 0; at < blocks * inner; at++) {
                    int64_t task = order_task(at, blocks, inner, unit);
                    ck_assert(task >= 0 && task < blocks * inner && !seen[task]);
                    seen[task] = true;
                    changes += task % inner != columns;
                    columns = task % inner;
                }
                int64_t together = unit < ORDER_ROWS ? ORDER_ROWS / unit : 1;
                if (inner > 1) ck_assert_int_eq(changes, (blocks + together - 1) / together * inner);
            }
}
END_TEST

START_TEST(opens_and_closes) {
    for (int i = 0; i < 50; i++) pool_close(pool_open(1 + i % 9, NULL, NULL, NULL));
}
END_TEST

typedef struct masks {
    _Atomic int begun;
    sigset_t blocked[2]; // by thread
} masks;

static int64_t two_tasks(void *context, int phase) {
    (void)context, (void)phase;
    return 2;
}

static void look_at_mask(void *context, int phase, int64_t task, int thread, pool_ahead *ahead) {
    (void)phase, (void)task, (void)ahead;
    masks *m = context;
    pthread_sigmask(SIG_BLOCK, NULL, &m->blocked[thread]);
    for (atomic_fetch_add(&m->begun, 1); m->begun < 2;) sched_yield(); // a task on each of the threads
}

// Signals of the application come to its own threads; those of faults and profilers to whom they are about.
START_TEST(signals_stay_out) {
    static const int out[] = {SIGUSR1, SIGUSR2, SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGCHLD, SIGPIPE};
    static const int in[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF};
    masks m = {.begun = 0};
    const pool_work work = {&m, two_tasks, look_at_mask};
    pool *p = pool_open(2, NULL, NULL, NULL);
    pool_run(p, &work, 0, 1);
    pool_close(p);
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        ck_assert(!sigismember(&m.blocked[0], out[i]) && sigismember(&m.blocked[1], out[i]));
    for (size_t i = 0; i < sizeof in / sizeof *in; i++) ck_assert(!sigismember(&m.blocked[1], in[i]));
}
END_TEST

// The affinity mask counts, in what is said and in how long a thread spins.
START_TEST(one_cpu) {
    stay_here();
    ck_assert_int_eq(bertc_cpu_count(), 1);
    record *r = new_record(4);
    pool *p = pool_open(4, NULL, NULL, NULL);
    for (int round = 0; round < 20; round++) run_once(p, r, 0, PHASES);
    pool_close(p);
    free(r);
}
END_TEST

typedef struct sleeper {
    placement place;
    int caller;
    _Atomic uint32_t slept, woken;
    cpu_set_t after;
} sleeper;

static void *sleep_once(void *context) {
    sleeper *s = context;
    placement_begin(&s->place);
    placement_sleep(&s->place, s->caller);
    atomic_store(&s->slept, 1);
    futex_wake_all(&s->slept);
    while (!atomic_load(&s->woken)) futex_wait(&s->woken, 0);
    placement_wake(&s->place);
    sched_getaffinity(0, sizeof s->after, &s->after);
    return NULL;
}

static void start_sleeper(pthread_t *thread, sleeper *s, int caller) {
    s->caller = caller;
    ck_assert_int_eq(pthread_create(thread, NULL, sleep_once, s), 0);
    while (!atomic_load(&s->slept)) futex_wait(&s->slept, 0);
}

static void wake_sleeper(pthread_t thread, sleeper *s) {
    atomic_store(&s->woken, 1);
    futex_wake_all(&s->woken);
    pthread_join(thread, NULL);
    ck_assert_int_eq(s->place.state, PLACEMENT_AWAKE);
}

static cpu_set_t mask_of(pid_t id) {
    cpu_set_t mask;
    ck_assert_int_eq(sched_getaffinity(id, sizeof mask, &mask), 0);
    return mask;
}

// Two workers that sleep on the caller's CPU, or on one CPU, wake on others, and have their own masks again.
START_TEST(sleepers_make_way) {
    cpu_set_t all = mask_of(0);
    if (CPU_COUNT(&all) < 2) SKIP("cpus", "sleepers_make_way needs two");
    sleeper s[2] = {0};
    pthread_t threads[2];
    placement places[2];
    for (int i = 0; i < 2; i++) {
        start_sleeper(&threads[i], &s[i], -1);
        places[i] = s[i].place;
    }
    cpu_set_t now[2];
    stay_here();
    for (int i = 0; i < 2; i++) atomic_store(&places[i].cpu, sched_getcpu()); // as if it had slept here
    placement_spread(places, 2);
    for (int i = 0; i < 2; i++) {
        now[i] = mask_of(places[i].id);
        bool room = CPU_COUNT(&all) > i + 1; // for the caller, and one after the other
        ck_assert(places[i].state == PLACEMENT_ASLEEP && places[i].bound == room);
        ck_assert_int_eq(CPU_COUNT(&now[i]), room ? 1 : CPU_COUNT(&all));
        ck_assert(!room || !CPU_ISSET((size_t)sched_getcpu(), &now[i]));
        s[i].place = places[i];
    }
    ck_assert(CPU_COUNT(&all) < 3 || !CPU_EQUAL(&now[0], &now[1]));
    for (int i = 0; i < 2; i++) {
        wake_sleeper(threads[i], &s[i]);
        ck_assert(CPU_EQUAL(&s[i].after, &all));
    }
}
END_TEST

// A worker sleeps with a mask without the caller's CPU. Where the caller then runs on another one of its mask, it is
// bound to the CPU where it sleeps, or to another one if the caller runs there.
START_TEST(sleepers_leave_the_callers_cpu) {
    cpu_set_t all = mask_of(0);
    if (CPU_COUNT(&all) < 2) SKIP("cpus", "sleepers_leave_the_callers_cpu needs two");
    for (int caller = 0, first = -1; caller < CPU_SETSIZE; caller++) {
        if (!CPU_ISSET((size_t)caller, &all)) continue;
        if (first < 0) first = caller;
        sleeper s = {0};
        pthread_t thread;
        start_sleeper(&thread, &s, caller);
        cpu_set_t want = all, now = mask_of(s.place.id);
        CPU_CLR((size_t)caller, &want);
        ck_assert(CPU_EQUAL(&now, &want) && s.place.away == caller && s.place.cpu != caller);
        int slept = s.place.cpu;
        cpu_set_t here;
        CPU_ZERO(&here);
        CPU_SET((size_t)first, &here);
        ck_assert_int_eq(sched_setaffinity(0, sizeof here, &here), 0);
        placement_spread(&s.place, 1);
        now = mask_of(s.place.id);
        ck_assert(!CPU_ISSET((size_t)first, &now));
        ck_assert_int_eq(CPU_EQUAL(&now, &want) != 0, caller == first);
        ck_assert(caller == first || slept == first || CPU_ISSET((size_t)slept, &now));
        ck_assert_int_eq(sched_setaffinity(0, sizeof all, &all), 0);
        wake_sleeper(thread, &s);
        ck_assert(CPU_EQUAL(&s.after, &all));
    }
}
END_TEST

// A mask that somebody else gives it while it sleeps is its own.
START_TEST(others_masks_stay) {
    cpu_set_t all = mask_of(0);
    if (CPU_COUNT(&all) < 2) SKIP("cpus", "others_masks_stay needs two");
    int caller = sched_getcpu();
    sleeper s = {0};
    pthread_t thread;
    start_sleeper(&thread, &s, caller);
    cpu_set_t other;
    CPU_ZERO(&other);
    CPU_SET((size_t)caller, &other);
    ck_assert_int_eq(sched_setaffinity(s.place.id, sizeof other, &other), 0);
    wake_sleeper(thread, &s);
    ck_assert(CPU_EQUAL(&s.after, &other));
}
END_TEST

// Who sleeps elsewhere and can't wake here, or is awake, stays as it is.
START_TEST(others_stay) {
    stay_here();
    int here = sched_getcpu();
    placement places[2] = {
        {.id = -1, .cpu = here + 1, .away = here, .known = true, .state = PLACEMENT_ASLEEP},
        {.id = -1, .cpu = here, .known = true, .state = PLACEMENT_AWAKE}};
    placement_spread(places, 2);
    ck_assert(places[0].state == PLACEMENT_ASLEEP && places[1].state == PLACEMENT_AWAKE);
    ck_assert(!places[0].in_the_way && !places[1].in_the_way && !places[0].bound && !places[1].bound);
}
END_TEST

typedef struct restless {
    placement place;
    cpu_set_t all;
    _Atomic bool begun, stop;
    _Atomic int moved; // how often it was bound meanwhile
    int bound;         // and how often it ran so
} restless;

// Wakes by itself, at any moment of the caller's.
static void *wake_again(void *context) {
    restless *r = context;
    uint32_t seed = 1;
    placement_begin(&r->place);
    for (atomic_store(&r->begun, true); !atomic_load(&r->stop);) {
        placement_sleep(&r->place, -1);
        atomic_store(&r->place.cpu, 0); // the caller is there
        seed = seed * 1664525 + 1013904223;
        for (uint32_t i = seed >> 18; i && atomic_load(&r->place.state) != PLACEMENT_MOVING; i--) continue;
        r->moved += atomic_load(&r->place.state) == PLACEMENT_MOVING;
        placement_wake(&r->place);
        cpu_set_t now;
        sched_getaffinity(0, sizeof now, &now);
        r->bound += !CPU_EQUAL(&now, &r->all);
    }
    return NULL;
}

// However late the caller binds a worker that wakes by itself, it has its own mask as soon as it runs.
START_TEST(nobody_stays_bound) {
    restless r = {.bound = 0};
    ck_assert_int_eq(sched_getaffinity(0, sizeof r.all, &r.all), 0);
    if (CPU_COUNT(&r.all) < 2 || !CPU_ISSET(0, &r.all)) return;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, wake_again, &r), 0);
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(0, &here);
    ck_assert_int_eq(sched_setaffinity(0, sizeof here, &here), 0);
    while (!atomic_load(&r.begun)) sched_yield();
    for (int i = 0; i < 300000 && atomic_load(&r.moved) < 2000; i++) placement_spread(&r.place, 1);
    atomic_store(&r.stop, true);
    pthread_join(thread, NULL);
    ck_assert_int_gt(r.moved, 0);
    ck_assert_int_eq(r.bound, 0);
}
END_TEST

int main(void) {
    Suite *s = suite_create("threads");
    TCase *t = tcase_create("pool");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, each_task_once, 0, 6);
    tcase_add_test(t, nothing_to_do);
    tcase_add_loop_test(t, sleeps_and_wakes, 0, 2);
    tcase_add_test(t, idle_threads_sleep);
    tcase_add_loop_test(t, very_many_tasks, 0, 3);
    tcase_add_test(t, tasks_that_share_weights_are_neighbours);
    tcase_add_test(t, opens_and_closes);
    tcase_add_test(t, signals_stay_out);
    tcase_add_test(t, one_cpu);
    tcase_add_test(t, sleepers_make_way);
    tcase_add_test(t, sleepers_leave_the_callers_cpu);
    tcase_add_test(t, others_masks_stay);
    tcase_add_test(t, others_stay);
    tcase_add_test(t, nobody_stays_bound);
    suite_add_tcase(s, t);
    return suite_status(s);
}
