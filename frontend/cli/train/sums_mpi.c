// Sums of gradients over processes. A thread sends what is whole, piece after piece, while others compute: of each piece process i owns
// the i-th part. It gets that part of all processes, adds them up in the order of these, and sends the sum to all. So each number goes
// over the line twice, whatever the number of processes, and all have the same sums.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/cli/train/link_mpi.h"
#include "ir/memory.h"

enum { TAG_PARTS = 1, TAG_SUMS };
// Numbers that are sent together.
#define PIECE_MAX ((int64_t)1 << 22)

typedef struct piece {
    int64_t first, count;
    int needs; // ranges that must be whole
} piece;

struct link_sums {
    MPI_Comm all;
    int rank, count;
    float *memory, *parts; // parts: one of each process, [count, room]
    int64_t room;
    piece *pieces;
    int piece_count;
    MPI_Request *requests; // [2 * count]
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int whole, ranges, done; // of the step: ranges that are whole, of so many, and pieces that are sums
    int code;                // MPI's, of what failed
    bool ends;
    _Atomic bool busy; // the calling thread computes
};

// --- A piece

static int64_t part_first(const piece *p, int rank, int count) {
    return p->first + p->count / count * rank + p->count % count * rank / count;
}

static int part_size(const piece *p, int rank, int count) {
    return (int)(part_first(p, rank + 1, count) - part_first(p, rank, count));
}

// Each process's part of the others' to it.
static int send_parts(link_sums *s, const piece *p) {
    int n = 0, own = part_size(p, s->rank, s->count), code = MPI_SUCCESS;
    for (int i = 0; i < s->count && code == MPI_SUCCESS; i++) {
        if (i == s->rank) continue;
        code = MPI_Irecv(s->parts + i * s->room, own, MPI_FLOAT, i, TAG_PARTS, s->all, &s->requests[n++]);
        if (code == MPI_SUCCESS)
            code = MPI_Isend(s->memory + part_first(p, i, s->count), part_size(p, i, s->count), MPI_FLOAT, i,
                             TAG_PARTS, s->all, &s->requests[n++]);
    }
    return code == MPI_SUCCESS ? link_wait(s->requests, n, &s->busy) : code;
}

static void add_parts(link_sums *s, const piece *p) {
    float *own = s->memory + part_first(p, s->rank, s->count), *sum = s->parts;
    int n = part_size(p, s->rank, s->count);
    memcpy(s->parts + s->rank * s->room, own, (size_t)n * sizeof *own);
    for (int i = 1; i < s->count; i++) {
        const float *part = s->parts + i * s->room;
        for (int k = 0; k < n; k++) sum[k] += part[k];
    }
    memcpy(own, sum, (size_t)n * sizeof *own);
}

static int send_sums(link_sums *s, const piece *p) {
    int n = 0, own = part_size(p, s->rank, s->count), code = MPI_SUCCESS;
    for (int i = 0; i < s->count && code == MPI_SUCCESS; i++) {
        if (i == s->rank) continue;
        code = MPI_Irecv(s->memory + part_first(p, i, s->count), part_size(p, i, s->count), MPI_FLOAT, i,
                         TAG_SUMS, s->all, &s->requests[n++]);
        if (code == MPI_SUCCESS)
            code = MPI_Isend(s->memory + part_first(p, s->rank, s->count), own, MPI_FLOAT, i, TAG_SUMS,
                             s->all, &s->requests[n++]);
    }
    return code == MPI_SUCCESS ? link_wait(s->requests, n, &s->busy) : code;
}

static int sum_piece(link_sums *s, const piece *p) {
    int code = send_parts(s, p);
    if (code != MPI_SUCCESS) return code;
    add_parts(s, p);
    return send_sums(s, p);
}

// --- The thread

static void *work(void *user) {
    link_sums *s = user;
    pthread_mutex_lock(&s->lock);
    while (!s->ends) {
        bool ready =
            s->done < s->piece_count && s->pieces[s->done].needs <= s->whole && s->code == MPI_SUCCESS;
        if (!ready) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        const piece *p = &s->pieces[s->done];
        pthread_mutex_unlock(&s->lock);
        int code = sum_piece(s, p);
        pthread_mutex_lock(&s->lock);
        s->code = code;
        s->done++;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

// Neighbouring ranges together, and none longer than PIECE_MAX.
static void cut_pieces(link_sums *s, const link_range *ranges, int count) {
    int64_t pieces = 1;
    for (int i = 0; i < count; i++) pieces += ranges[i].count / PIECE_MAX + 1;
    s->pieces = memory_must(memory_zero((size_t)pieces, sizeof *s->pieces));
    for (int i = 0; i < count; i++) {
        piece *last = s->piece_count ? &s->pieces[s->piece_count - 1] : NULL;
        bool joins = last && last->first + last->count == ranges[i].first &&
                     last->count + ranges[i].count <= PIECE_MAX / 16;
        if (joins) {
            last->count += ranges[i].count;
            last->needs = i + 1;
            continue;
        }
        for (int64_t at = 0; at < ranges[i].count; at += PIECE_MAX) {
            int64_t left = ranges[i].count - at;
            s->pieces[s->piece_count++] =
                (piece){ranges[i].first + at, left < PIECE_MAX ? left : PIECE_MAX, i + 1};
        }
    }
}

static void close_sums(link_sums *s) {
    pthread_mutex_lock(&s->lock);
    s->ends = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s->pieces);
    free(s->parts);
    free(s->requests);
    free(s);
}

bool link_sums_open(process_link *l, float *memory, const link_range *ranges, int count, diag *d) {
    link_sums *s = memory_must(memory_zero(1, sizeof *s));
    *s = (link_sums){
        .all = l->state->all, .rank = l->rank, .count = l->count, .memory = memory, .ranges = count};
    cut_pieces(s, ranges, count);
    for (int i = 0; i < s->piece_count; i++)
        if (s->pieces[i].count / l->count + 1 > s->room) s->room = s->pieces[i].count / l->count + 1;
    s->parts = memory_must(memory_alloc((size_t)s->room * (size_t)l->count, sizeof *s->parts));
    s->requests = memory_must(memory_zero(2 * (size_t)l->count, sizeof *s->requests));
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    if (!pthread_create(&s->thread, NULL, work, s)) {
        l->state->sums = s;
        l->state->close_sums = close_sums;
        return true;
    }
    s->ends = true;
    free(s->pieces);
    free(s->parts);
    free(s->requests);
    free(s);
    return diag_error(d, NULL, "there is no thread to send gradients");
}

void link_sums_add(void *user, int whole) {
    process_link *l = user;
    link_sums *s = l->state->sums;
    pthread_mutex_lock(&s->lock);
    s->busy = whole < s->ranges;
    s->whole = whole;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

bool link_sums_wait(process_link *l, double *seconds, diag *d) {
    link_sums *s = l->state->sums;
    double start = now();
    pthread_mutex_lock(&s->lock);
    while (s->done < s->piece_count && s->code == MPI_SUCCESS) pthread_cond_wait(&s->changed, &s->lock);
    int code = s->code;
    s->whole = s->done = 0;
    pthread_mutex_unlock(&s->lock);
    if (seconds) *seconds += now() - start;
    return code == MPI_SUCCESS || link_failed(code, d);
}
