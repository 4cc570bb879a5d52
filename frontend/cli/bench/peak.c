#include "frontend/cli/bench/peak_loops.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ir/memory.h"

typedef struct peak_thread {
    const peak_loop *loop;
    const uint64_t *words; // where not NULL: this many are read instead
    size_t count;
    int cpu; // to stay on, -1: any
    double seconds;
    double loops_per_second;
} peak_thread;

// Eight sums, so that no add waits for another; the empty asm keeps them alive.
static void read_words(const uint64_t *words, size_t count) {
    uint64_t sum[8] = {0};
    for (size_t i = 0; i + 8 <= count; i += 8)
        for (int j = 0; j < 8; j++) sum[j] += words[i + (size_t)j];
    for (int j = 0; j < 8; j++) __asm__ volatile("" ::"r"(sum[j]));
}

static double clock_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void stay_on(int cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    sched_setaffinity(0, sizeof(one), &one);
}

static void *work(void *argument) {
    peak_thread *w = argument;
    if (w->cpu >= 0) stay_on(w->cpu);
    if (w->loop && w->loop->enter) w->loop->enter();
    double start = clock_seconds(), now = start;
    long n = 0;
    for (; now - start < w->seconds; now = clock_seconds()) {
        if (w->words)
            read_words(w->words, w->count);
        else
            w->loop->run();
        n++;
    }
    w->loops_per_second = (double)n / (now - start);
    if (w->loop && w->loop->leave) w->loop->leave();
    return NULL;
}

// A CPU of its own for each of n workers, where this process may use so many: a burst is too short for the
// scheduler to part threads that began on the same one.
static void spread(peak_thread *workers, int n, const cpu_set_t *allowed) {
    if (CPU_COUNT(allowed) < n) return;
    for (int cpu = 0, i = 0; cpu < CPU_SETSIZE && i < n; cpu++) {
        if (CPU_ISSET((size_t)cpu, allowed)) workers[i++].cpu = cpu;
    }
}

// Runs the workers at once; the sum of their loops a second.
static double run_all(peak_thread *workers, int n) {
    pthread_t ids[PEAK_THREADS_MAX];
    int started = 1;
    cpu_set_t allowed;
    bool known = n > 1 && sched_getaffinity(0, sizeof(allowed), &allowed) == 0;
    if (known) spread(workers, n, &allowed);
    for (; started < n; started++) {
        if (pthread_create(&ids[started], NULL, work, &workers[started])) break;
    }
    work(&workers[0]);
    double sum = workers[0].loops_per_second;
    for (int k = 1; k < started; k++) {
        pthread_join(ids[k], NULL);
        sum += workers[k].loops_per_second;
    }
    if (known) sched_setaffinity(0, sizeof(allowed), &allowed);
    return sum;
}

double peak_gops(peak_type type, const char *isa, int threads, double seconds) {
    const peak_loop *loop = peak_loop_find(type, isa);
    peak_thread workers[PEAK_THREADS_MAX];
    int n = threads < PEAK_THREADS_MAX ? threads : PEAK_THREADS_MAX;
    for (int k = 0; k < n; k++) workers[k] = (peak_thread){.loop = loop, .cpu = -1, .seconds = seconds};
    return run_all(workers, n) * loop->operations * 1e-9;
}

double peak_gflops(const char *isa, int threads, double seconds) {
    return peak_gops(PEAK_F32, isa, threads, seconds);
}

double peak_read_gbs(int64_t bytes, int threads, double seconds) {
    peak_thread workers[PEAK_THREADS_MAX];
    int n = threads < PEAK_THREADS_MAX ? threads : PEAK_THREADS_MAX;
    size_t each = (size_t)bytes / sizeof(uint64_t) / (size_t)n / 8 * 8 + 8;
    uint64_t *words = memory_alloc(each * (size_t)n, sizeof(*words));
    if (!words) return 0;
    memset(words, 1,
           each * (size_t)n * sizeof(*words)); // pages that nothing has written are all the same one
    for (int k = 0; k < n; k++)
        workers[k] =
            (peak_thread){.words = words + each * (size_t)k, .count = each, .cpu = -1, .seconds = seconds};
    double loops_per_second = run_all(workers, n);
    free(words);
    return loops_per_second * (double)each * sizeof(uint64_t) * 1e-9;
}
