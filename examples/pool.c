// An application's own threads under a session, and what they cost:  pool MODEL.so THREADS TEXT
// A session calls bertc_parallel_for once for each phase, some hundred times a call, so a pool must hand out its bodies within
// microseconds. This one spins between phases, and sleeps when nothing came for a while. Prints the median of a call with the
// session's own threads, with this pool, and with one that sleeps at once.
// cc -pthread pool.c $(pkg-config --cflags --libs bertc) -o pool
#include <bertc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_THREADS = 64, SPINS = 20000, CALLS = 200 };

typedef struct pool {
    int spins; // how often a thread looks for work before it sleeps
    int count; // threads beside the caller
    pthread_t threads[MOST_THREADS];
    // What is to be done. The caller writes it, then raises `turn`.
    void (*body)(void *context, int64_t i);
    void *context;
    int64_t n;
    _Atomic int64_t next; // body to take
    _Atomic int working;  // threads that are not done with this turn
    _Atomic unsigned turn;
    atomic_bool ended;
    pthread_mutex_t lock;
    pthread_cond_t wake;
} pool;

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

static void take_bodies(pool *p) {
    for (int64_t i; (i = atomic_fetch_add(&p->next, 1)) < p->n;) p->body(p->context, i);
}

// The next turn after `seen`.
static unsigned wait_turn(pool *p, unsigned seen) {
    for (int i = 0; i < p->spins; i++) {
        if (atomic_load_explicit(&p->turn, memory_order_acquire) != seen) return seen + 1;
        pause_briefly();
    }
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->turn) == seen) pthread_cond_wait(&p->wake, &p->lock);
    pthread_mutex_unlock(&p->lock);
    return seen + 1;
}

static void *work(void *argument) {
    pool *p = argument;
    for (unsigned seen = 0;;) {
        seen = wait_turn(p, seen);
        if (atomic_load(&p->ended)) return NULL;
        take_bodies(p);
        atomic_fetch_sub(&p->working, 1);
    }
}

static void next_turn(pool *p) {
    pthread_mutex_lock(&p->lock); // so that a thread that is about to sleep sees it
    atomic_fetch_add(&p->turn, 1);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

// The bertc_parallel_for. The caller takes bodies too, then waits for the others.
static void parallel_for(void *user, int64_t n, void (*body)(void *context, int64_t i), void *context) {
    pool *p = user;
    p->body = body;
    p->context = context;
    p->n = n;
    atomic_store(&p->next, 0);
    atomic_store(&p->working, p->count);
    next_turn(p);
    take_bodies(p);
    while (atomic_load_explicit(&p->working, memory_order_acquire)) pause_briefly();
}

static bool pool_start(pool *p, int threads, int spins) {
    *p = (pool){.spins = spins, .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    for (; p->count < threads - 1; p->count++)
        if (pthread_create(&p->threads[p->count], NULL, work, p)) return false;
    return true;
}

static void pool_stop(pool *p) {
    atomic_store(&p->ended, true);
    next_turn(p);
    for (int i = 0; i < p->count; i++) pthread_join(p->threads[i], NULL);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

// Median of the calls, in microseconds. < 0: an error.
static double time_calls(bertc_model *model, int threads, pool *p, const char *line, bertc_error *error) {
    const bertc_session_options options = {BERTC_SIZED(bertc_session_options), .threads = threads,
                                           .parallel = p ? parallel_for : NULL, .parallel_user = p};
    const bertc_text text = {.text = line, .size = strlen(line)};
    bertc_session *session = bertc_open(model, &options, error);
    double times[CALLS];
    bool ok = session;
    for (int i = 0; i < CALLS && ok; i++) {
        bertc_result r = BERTC_RESULT_INIT;
        double start = now();
        ok = bertc_answer_texts(session, &text, 1, NULL, &r, error);
        times[i] = (now() - start) * 1e6;
    }
    bertc_close(session);
    qsort(times, CALLS, sizeof *times, ascending);
    return ok ? times[CALLS / 2] : -1;
}

int main(int argc, char **argv) {
    int threads = argc == 4 ? atoi(argv[2]) : 0;
    if (threads < 1 || threads > MOST_THREADS)
        return fprintf(stderr, "usage: %s MODEL.so THREADS TEXT (up to %d threads)\n", argv[0], MOST_THREADS),
               2;
    static const char *const names[] = {"the session's threads", "a pool that spins", "a pool that sleeps"};
    bertc_error error = {""};
    bertc_model *model = bertc_load(argv[1], &error);
    bool ok = model;
    for (int i = 0; i < 3 && ok; i++) {
        static pool p;
        if (i && !pool_start(&p, threads, i == 1 ? SPINS : 0)) return fprintf(stderr, "no thread\n"), 1;
        double median = time_calls(model, threads, i ? &p : NULL, argv[3], &error);
        if (i) pool_stop(&p);
        ok = median >= 0;
        if (ok) printf("%-22s %8.0f microseconds\n", names[i], median);
    }
    if (!ok) fprintf(stderr, "%s\n", error.message);
    bertc_unload(model);
    return ok ? 0 : 1;
}
