#include "frontend/cli/run/crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ir/memory.h"

#define GROUP_ROWS   32
#define MOST_THREADS 4096 // as of a session; each has a session of its own

// --- Chunks

bool chunk_open(chunk *c) {
    *c = (chunk){.rows = memory_zero(CHUNK_ROWS, sizeof *c->rows),
                 .order = memory_zero(CHUNK_ROWS, sizeof *c->order)};
    return c->rows && c->order;
}

void chunk_clear(chunk *c) {
    for (int i = 0; i < c->count; i++) row_free(&c->rows[i]);
    c->count = c->good = 0;
}

void chunk_close(chunk *c) {
    if (c->rows) chunk_clear(c);
    free(c->rows);
    free(c->order);
    *c = (chunk){0};
}

static size_t row_bytes(const row *r) {
    return r->text.size + r->text.pair_size;
}

static int longer(const void *a, const void *b, void *rows) {
    const row *x = (const row *)rows + *(const int *)a, *y = (const row *)rows + *(const int *)b;
    size_t n = row_bytes(x), m = row_bytes(y);
    if (n != m) return n < m ? 1 : -1;
    return (x->line > y->line) - (x->line < y->line);
}

void chunk_order(chunk *c) {
    c->good = 0;
    for (int i = 0; i < c->count; i++)
        if (!c->rows[i].error) c->order[c->good++] = i;
    qsort_r(c->order, (size_t)c->good, sizeof *c->order, longer, c->rows);
}

bool chunk_read(chunk *c, line_source *s, int64_t rows, diag *d) {
    size_t bytes = 0;
    chunk_clear(c);
    while (c->count < rows && bytes < CHUNK_BYTES && (!c->count || lines_ready(s)) &&
           lines_next(s, &c->rows[c->count], d)) {
        row *r = &c->rows[c->count];
        bytes += row_bytes(r) + r->text.word_count * sizeof *r->words;
        c->count++;
    }
    chunk_order(c);
    return c->count > 0;
}

// --- Workers

typedef struct crew_worker {
    crew *crew;
    bertc_session *session;
    pthread_t thread;
} crew_worker;

struct crew {
    const bertc_text_options *options;
    crew_take take;
    void *user;
    crew_answer answer;
    const void *answer_user;
    crew_worker *workers;
    int count;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    chunk *chunk;
    int64_t round; // chunks handed out so far
    int group;     // rows handed out at a time
    int64_t rows;  // of the next chunk
    double started;
    int busy;
    bool closing;
    _Atomic int next; // group
};

static bool answer_plainly(const void *user, bertc_session *s, const bertc_text *texts, size_t count,
                           const bertc_text_options *options, bertc_result *results, bertc_error *error) {
    (void)user;
    return bertc_answer_texts(s, texts, count, options, results, error);
}

void crew_answer_by(crew *c, crew_answer answer, const void *user) {
    c->answer = answer;
    c->answer_user = user;
}

static void take_row(crew_worker *w, row *r, const bertc_result *result) {
    const char *why = "out of memory";
    if (!w->crew->take(w->crew->user, r, result, &why)) row_fail(r, why);
}

// An error is about one text, and none of its group is answered: each alone then.
static void answer_group(crew_worker *w, row *rows, const int *order, int n) {
    bertc_text texts[GROUP_ROWS] = {{0}};
    bertc_result results[GROUP_ROWS] = {BERTC_RESULT_INIT};
    bertc_error e;
    for (int i = 0; i < n; i++) texts[i] = rows[order[i]].text;
    const crew *c = w->crew;
    if (c->answer(c->answer_user, w->session, texts, (size_t)n, c->options, results, &e)) {
        for (int i = 0; i < n; i++) take_row(w, &rows[order[i]], &results[i]);
    } else if (n == 1) {
        row_fail(&rows[order[0]], e.message);
    } else {
        for (int i = 0; i < n; i++) answer_group(w, rows, order + i, 1);
    }
}

static void *work(void *argument) {
    crew_worker *w = argument;
    crew *c = w->crew;
    int64_t round = 0;
    for (;;) {
        pthread_mutex_lock(&c->lock);
        while (!c->closing && c->round == round) pthread_cond_wait(&c->work, &c->lock);
        bool closing = c->closing;
        chunk *now = c->chunk;
        round = c->round;
        pthread_mutex_unlock(&c->lock);
        if (closing) return NULL;
        for (int at; (at = c->group * atomic_fetch_add(&c->next, 1)) < now->good;)
            answer_group(w, now->rows, now->order + at,
                         now->good - at < c->group ? now->good - at : c->group);
        pthread_mutex_lock(&c->lock);
        if (--c->busy == 0) pthread_cond_signal(&c->done);
        pthread_mutex_unlock(&c->lock);
    }
}

static int64_t least_rows(const crew *c) {
    return 32 * (int64_t)c->count;
}

void crew_start(crew *c, chunk *now) {
    pthread_mutex_lock(&c->lock);
    c->chunk = now;
    c->busy = c->count;
    c->group = now->good / (4 * c->count);
    if (c->group < 1) c->group = 1;
    if (c->group > GROUP_ROWS) c->group = GROUP_ROWS;
    c->started = seconds_now();
    c->round++;
    atomic_store(&c->next, 0);
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
}

void crew_wait(crew *c) {
    pthread_mutex_lock(&c->lock);
    bool waited = c->busy > 0;
    while (c->busy) pthread_cond_wait(&c->done, &c->lock);
    pthread_mutex_unlock(&c->lock);
    double seconds = seconds_now() - c->started;
    if (waited && seconds > 4 && c->rows > least_rows(c)) c->rows /= 2;
    if (seconds < 1 && c->rows < CHUNK_ROWS) c->rows *= 2;
}

int64_t crew_rows(const crew *c) {
    return c->rows < CHUNK_ROWS ? c->rows : CHUNK_ROWS;
}

crew *crew_open(bertc_model *model, int threads, const bertc_text_options *options, crew_take take,
                void *user, diag *d) {
    if (threads > MOST_THREADS)
        return diag_error(d, "--threads", "%d: not between 1 and %d", threads, MOST_THREADS), NULL;
    crew *c = memory_zero(1, sizeof *c);
    if (c) c->workers = memory_zero((size_t)threads, sizeof *c->workers);
    if (!c || !c->workers) {
        free(c);
        diag_error(d, NULL, "out of memory");
        return NULL;
    }
    c->options = options;
    c->take = take;
    c->user = user;
    c->answer = answer_plainly;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->work, NULL);
    pthread_cond_init(&c->done, NULL);
    for (c->count = 0; c->count < threads; c->count++) {
        crew_worker *w = &c->workers[c->count];
        bertc_error e = {""};
        w->crew = c;
        w->session = bertc_open(model, NULL, &e);
        if (!w->session) {
            runtime_failed(d, &e);
            return crew_close(c), NULL;
        }
        bool started = pthread_create(&w->thread, NULL, work, w) == 0;
        if (!started) {
            bertc_close(w->session);
            if (c->count) break; // with those that there are
            diag_error(d, NULL, "no thread can be started");
            return crew_close(c), NULL;
        }
    }
    c->rows = least_rows(c);
    return c;
}

void crew_close(crew *c) {
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
    for (int i = 0; i < c->count; i++) {
        pthread_join(c->workers[i].thread, NULL);
        bertc_close(c->workers[i].session);
    }
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->work);
    pthread_cond_destroy(&c->done);
    free(c->workers);
    free(c);
}
