#include "frontend/cli/serve/engine.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/cli/serve/answer.h"
#include "ir/memory.h"

struct engine {
    engine_options options;
    metrics *counts;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    job *first, **last; // of the queue
    int64_t inside;     // texts that wait or are being answered
    double free_since;  // the last call ended; of the engine's thread
    bool closing;
};

void work_free(work *w) {
    for (int i = 0; i < w->count; i++) {
        job *j = &w->jobs[i];
        free(j->ids);
        free(j->types);
        free(j->json);
        free(j->numbers);
        free(j->places);
        free(j->scores);
        free(j->error);
    }
    free(w->jobs);
    free(w->key);
    w->jobs = NULL;
    w->key = NULL;
    w->count = 0;
}

// --- Batches

// Texts that wait for one another's call: all that a batch needs to be cut.
typedef struct batch {
    job **jobs; // [room]
    size_t count, room;
    int64_t tokens;
} batch;

static bool alike(const work *a, const work *b) {
    return a == b ? a->key != NULL : a->model == b->model && a->key && b->key && !strcmp(a->key, b->key);
}

static bool batch_add(batch *b, job *j) {
    if (b->count == b->room) {
        size_t room = b->room ? 2 * b->room : 64;
        job **grown = memory_grow(b->jobs, room, sizeof(job *));
        if (!grown) return false;
        b->jobs = grown;
        b->room = room;
    }
    b->jobs[b->count++] = j;
    b->tokens += j->tokens;
    return true;
}

// The oldest text and, in their order, others that ask for the same, as far as they fit. Returns whether more would not fit.
static bool gather(const engine *e, batch *b) {
    b->count = 0;
    b->tokens = 0;
    for (job *j = e->first; j; j = j->next) {
        if (b->count && !alike(e->first->of, j->of)) continue;
        if (b->count && b->tokens + j->tokens > e->options.max_batch_tokens) return true;
        if (!batch_add(b, j)) return true;
        if ((int64_t)b->count == e->options.max_batch_requests || !e->first->of->key) return true;
    }
    return b->tokens >= e->options.max_batch_tokens;
}

// Takes the batch's texts, which stand in the queue in their order, out of it.
static void take_out(engine *e, const batch *b) {
    job **at = &e->first;
    for (size_t i = 0; i < b->count;) {
        if (*at == b->jobs[i]) {
            *at = b->jobs[i++]->next;
            atomic_fetch_sub(&e->counts->queued, 1);
        } else {
            at = &(*at)->next;
        }
    }
    e->last = &e->first;
    while (*e->last) e->last = &(*e->last)->next;
}

// When the call of these texts begins, though it is not full.
static double begins(const engine *e, const batch *b) {
    const job *oldest = b->jobs[0];
    if (e->options.max_wait_us >= 0) return oldest->arrived + (double)e->options.max_wait_us * 1e-6;
    if ((int64_t)b->count < atomic_load(&e->counts->queued)) return oldest->arrived; // others would wait too
    return oldest->arrived + pace_wait(&oldest->of->model->pace, seconds_now(), b->tokens);
}

// Under the lock, which is released meanwhile. False: nothing is left, and the engine is to close.
static bool next_batch(engine *e, batch *b) {
    for (;;) {
        while (!e->first && !e->closing) pthread_cond_wait(&e->more, &e->lock);
        if (!e->first) return false;
        bool full = gather(e, b);
        double until = full || e->closing ? 0 : begins(e, b);
        if (seconds_now() >= until) return take_out(e, b), true;
        struct timespec t = {.tv_sec = (time_t)until,
                             .tv_nsec = (long)((until - (double)(time_t)until) * 1e9)};
        pthread_cond_timedwait(&e->more, &e->lock, &t);
    }
}

// --- The thread

static void note_batch(engine *e, const batch *b) {
    metrics_observe(e->counts, HISTOGRAM_BATCH_SIZE, (double)b->count);
    metrics_observe(e->counts, HISTOGRAM_BATCH_TOKENS, (double)b->tokens);
}

static void note_pace(engine *e, const batch *b) {
    for (size_t i = 0; i < b->count; i++) {
        const job *j = b->jobs[i];
        pace_note(&j->of->model->pace, j->ended, fmax(0, e->free_since - j->arrived), j->ended - j->started,
                  b->tokens, j->tokens);
    }
    e->free_since = seconds_now();
}

// Texts that have waited too long are not answered any more: who asked has most likely gone.
static void drop_late(const engine *e, batch *b, double now) {
    size_t kept = 0;
    for (size_t i = 0; i < b->count; i++) {
        job *j = b->jobs[i];
        j->late = now - j->arrived > e->options.timeout;
        j->started = j->ended = now;
        if (!j->late) b->jobs[kept++] = j;
    }
    b->count = kept;
}

static void finish_jobs(engine *e, job **jobs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        work *w = jobs[i]->of;
        pthread_mutex_lock(&e->lock);
        e->inside--;
        bool last = --w->left == 0;
        pthread_mutex_unlock(&e->lock);
        if (last) w->done(w->user); // the work may be gone behind this
    }
}

static void *answer_batches(void *argument) {
    engine *e = argument;
    batch b = {0};
    for (;;) {
        pthread_mutex_lock(&e->lock);
        bool more = next_batch(e, &b);
        pthread_mutex_unlock(&e->lock);
        if (!more) break;
        size_t all = b.count;
        job **jobs = memory_must(memory_alloc(all, sizeof *jobs));
        memcpy(jobs, b.jobs, all * sizeof *jobs);
        drop_late(e, &b, seconds_now());
        if (b.count) {
            note_batch(e, &b);
            answer_jobs(b.jobs, b.count);
            note_pace(e, &b);
        }
        finish_jobs(e, jobs, all);
        free(jobs);
    }
    free(b.jobs);
    return NULL;
}

engine *engine_open(const engine_options *o, metrics *counts, diag *d) {
    engine *e = memory_zero(1, sizeof *e);
    if (!e) return diag_error(d, NULL, "out of memory"), NULL;
    pthread_condattr_t clock;
    e->options = *o;
    e->counts = counts;
    e->last = &e->first;
    pthread_mutex_init(&e->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&e->more, &clock);
    pthread_condattr_destroy(&clock);
    if (!pthread_create(&e->thread, NULL, answer_batches, e)) return e;
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->more);
    free(e);
    diag_error(d, NULL, "no thread can be started");
    return NULL;
}

void engine_stop(engine *e) {
    pthread_mutex_lock(&e->lock);
    e->closing = true;
    pthread_cond_signal(&e->more);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
}

void engine_free(engine *e) {
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->more);
    free(e);
}

bool engine_submit(engine *e, work *w) {
    double now = seconds_now();
    pthread_mutex_lock(&e->lock);
    bool room = e->inside < e->options.max_concurrent_requests && !e->closing;
    if (room) {
        e->inside += w->count;
        w->left = w->count;
        for (int i = 0; i < w->count; i++) {
            job *j = &w->jobs[i];
            j->arrived = now;
            j->next = NULL;
            *e->last = j;
            e->last = &j->next;
        }
        atomic_fetch_add(&e->counts->queued, w->count);
        pthread_cond_signal(&e->more);
    }
    pthread_mutex_unlock(&e->lock);
    return room;
}
