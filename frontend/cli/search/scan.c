#include "frontend/cli/search/scan.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frontend/cli/search/dense.h"
#include "ir/memory.h"

// A worker's part of the rows, and the best of them.
typedef struct worker {
    const scan *s;
    int64_t first, last;
    scan_hit *best;  // [queries, top]
    int64_t *counts; // [queries]
    float *vectors;  // of several: a row's vectors where they don't lie aligned in the file
    size_t room;
    int64_t wrong; // -1, or the place of a column that is none
    bool exhausted;
} worker;

// --- The best

// Hits are in order, the best first; a row that comes later is behind its equals.
static void add_hit(worker *w, int q, int64_t index, float score) {
    scan_hit *best = w->best + (size_t)q * (size_t)w->s->top;
    int64_t *count = &w->counts[q], top = w->s->top;
    if (isnan(score) || (*count == top && !(score > best[top - 1].score))) return;
    int64_t at = *count < top ? (*count)++ : top - 1;
    for (; at > 0 && best[at - 1].score < score; at--) best[at] = best[at - 1];
    best[at] = (scan_hit){index, score};
}

static bool better(const scan_hit *a, const scan_hit *b) {
    return a->score > b->score || (a->score == b->score && a->index < b->index);
}

static void merge(const scan *s, const worker *workers, int count) {
    for (int q = 0; q < s->query_count; q++) {
        scan_query *to = &s->queries[q];
        int64_t at[64] = {0};
        for (to->count = 0; to->count < s->top; to->count++) {
            const scan_hit *next = NULL;
            int from = 0;
            for (int w = 0; w < count; w++) {
                const scan_hit *hit = workers[w].best + (size_t)q * (size_t)s->top + at[w];
                if (at[w] < workers[w].counts[q] && (!next || better(hit, next))) next = hit, from = w;
            }
            if (!next) break;
            to->best[to->count] = *next;
            at[from]++;
        }
    }
}

// --- The rows

// Rows of a block fill half of a first cache.
static int block_rows(const stored *s) {
    int64_t rows = s->width ? 24576 / (s->width * 4) : DENSE_ROWS;
    return rows < 1 ? 1 : rows > DENSE_ROWS ? DENSE_ROWS : (int)rows;
}

static void scan_dense(worker *w) {
    const scan *s = w->s;
    float squares[DENSE_ROWS], scores[DENSE_ROWS];
    int block = block_rows(s->from);
    for (int64_t row = w->first; row < w->last; row += block) {
        int n = w->last - row < block ? (int)(w->last - row) : block;
        for (int q = 0; q < s->query_count; q++) {
            dense_scores(s->from, s->how, q == 0, s->queries[q].numbers, squares, row, n, scores);
            for (int r = 0; r < n; r++) add_hit(w, q, row + r, scores[r]);
        }
    }
}

static int64_t column_at(const npy_array *a, int64_t i) {
    int64_t wide;
    int32_t narrow;
    if (a->element == 8) return memcpy(&wide, a->data + i * 8, sizeof wide), wide;
    return memcpy(&narrow, a->data + i * 4, sizeof narrow), narrow;
}

// The distance: that of the columns which the row has, and of all others the query's own numbers.
static bool sparse_distance(worker *w, const scan_query *q, int64_t begin, int64_t end, float *score) {
    const stored *from = w->s->from;
    bool euclidean = w->s->how == BERTC_SIMILARITY_EUCLIDEAN;
    double sum = q->whole;
    float x;
    for (int64_t i = begin; i < end; i++) {
        int64_t column = column_at(&from->columns, i);
        if (column < 0 || column >= from->width) return w->wrong = i, false;
        memcpy(&x, from->values.data + i * 4, sizeof x);
        double asked = (double)q->numbers[column], apart = (double)x - asked;
        sum += euclidean ? apart * apart - asked * asked : fabs(apart) - fabs(asked);
    }
    *score = (float)-(euclidean ? sqrt(fmax(sum, 0)) : fmax(sum, 0));
    return true;
}

// A number of a row, and its column; `wide`: of the columns' numbers, which the compiler knows.
static inline __attribute__((always_inline)) float number_at(const stored *from, bool wide, int64_t i,
                                                             int64_t *column) {
    int32_t narrow;
    float x;
    if (wide)
        memcpy(column, from->columns.data + i * 8, sizeof *column);
    else
        memcpy(&narrow, from->columns.data + i * 4, sizeof narrow), *column = narrow;
    memcpy(&x, from->values.data + i * 4, sizeof x);
    return x;
}

// Adds up CHAINS sums side by side, so that none waits for the one before. False: a column is none.
enum { CHAINS = 4 };
static inline __attribute__((always_inline)) bool
sum_row(worker *w, bool wide, const float *asked, int64_t begin, int64_t end, float *sum, float *square) {
    const stored *from = w->s->from;
    float sums[CHAINS] = {0}, squares[CHAINS] = {0};
    int64_t column, i = begin;
    for (; i + CHAINS <= end; i += CHAINS)
        for (int c = 0; c < CHAINS; c++) {
            float x = number_at(from, wide, i + c, &column);
            if ((uint64_t)column >= (uint64_t)from->width) return w->wrong = i + c, false;
            sums[c] += asked[column] * x;
            squares[c] += x * x;
        }
    for (int c = 0; i < end; i++, c++) {
        float x = number_at(from, wide, i, &column);
        if ((uint64_t)column >= (uint64_t)from->width) return w->wrong = i, false;
        sums[c] += asked[column] * x;
        squares[c] += x * x;
    }
    *sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    *square = (squares[0] + squares[1]) + (squares[2] + squares[3]);
    return true;
}

static bool sparse_row(worker *w, const scan_query *q, int64_t begin, int64_t end, float *score) {
    const stored *from = w->s->from;
    float sum, square;
    if (w->s->how != BERTC_SIMILARITY_DOT && w->s->how != BERTC_SIMILARITY_COSINE)
        return sparse_distance(w, q, begin, end, score);
    if (!(from->columns.element == 8 ? sum_row(w, true, q->numbers, begin, end, &sum, &square)
                                     : sum_row(w, false, q->numbers, begin, end, &sum, &square)))
        return false;
    bool cosine = w->s->how == BERTC_SIMILARITY_COSINE;
    *score = !cosine ? sum : square > 0 ? sum / sqrtf(square) : 0;
    return true;
}

static void scan_sparse(worker *w) {
    const scan *s = w->s;
    int64_t begin = stored_bound(s->from, w->first);
    for (int64_t row = w->first; row < w->last; row++) {
        int64_t end = stored_bound(s->from, row + 1);
        for (int q = 0; end > begin && q < s->query_count;
             q++) { // a row of zeros alone is never among the best
            float score;
            if (!sparse_row(w, &s->queries[q], begin, end, &score)) return;
            add_hit(w, q, row, score);
        }
        begin = end;
    }
}

// A row's vectors, aligned; NULL: no memory.
static const float *vectors_of(worker *w, int64_t begin, int64_t end) {
    const stored *from = w->s->from;
    const unsigned char *at = from->values.data + (size_t)begin * (size_t)from->width * 4;
    size_t bytes = (size_t)(end - begin) * (size_t)from->width * 4;
    if ((uintptr_t)at % _Alignof(float) == 0) return (const float *)(const void *)at;
    if (bytes > w->room) {
        float *grown = memory_grow(w->vectors, bytes, 1);
        if (!grown) return w->exhausted = true, NULL;
        w->vectors = grown;
        w->room = bytes;
    }
    return memcpy(w->vectors, at, bytes);
}

// Rows of a block stay in a second cache while all queries pass.
enum { SEVERAL_ROWS = 64, SEVERAL_BYTES = 256 << 10 };

// The bounds of a block that begins with `row`, from 0 on; returns how many rows it has.
static size_t several_block(const worker *w, int64_t row, int64_t *bounds) {
    const stored *from = w->s->from;
    int64_t begin = stored_bound(from, row);
    size_t n = 0;
    bounds[0] = 0;
    do bounds[n + 1] = stored_bound(from, row + (int64_t)n + 1) - begin;
    while (++n < SEVERAL_ROWS && row + (int64_t)n < w->last && bounds[n] * from->width * 4 < SEVERAL_BYTES);
    return n;
}

static void scan_several(worker *w) {
    const scan *s = w->s;
    int64_t bounds[SEVERAL_ROWS + 1];
    float scores[SEVERAL_ROWS];
    size_t n;
    for (int64_t row = w->first; row < w->last; row += (int64_t)n) {
        n = several_block(w, row, bounds);
        int64_t begin = stored_bound(s->from, row);
        const float *vectors = vectors_of(w, begin, begin + bounds[n]);
        if (!vectors) return;
        for (int q = 0; q < s->query_count; q++) {
            const scan_query *x = &s->queries[q];
            bertc_maxsim_all(x->numbers, (size_t)x->rows, vectors, bounds, n, (size_t)s->from->width, scores);
            for (size_t i = 0; i < n; i++) // a row without vectors has no answer
                if (bounds[i + 1] > bounds[i])
                    add_hit(w, q, row + (int64_t)i,
                            s->mean && x->rows ? scores[i] / (float)x->rows : scores[i]);
        }
    }
}

static void *work(void *user) {
    worker *w = user;
    switch (w->s->from->kind) {
    case STORED_DENSE: scan_dense(w); break;
    case STORED_SPARSE: scan_sparse(w); break;
    case STORED_SEVERAL: scan_several(w); break;
    }
    return NULL;
}

// --- Workers

enum { WORKERS_MOST = 64 };

// Rows are shared so that each worker reads as many bytes.
static int64_t share(const stored *s, int i, int count) {
    if (s->kind == STORED_DENSE || !s->rows) return s->rows / count * i + s->rows % count * i / count;
    int64_t all = stored_bound(s, s->rows), want = all / count * i, low = 0, high = s->rows;
    if (i == count) return s->rows;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (stored_bound(s, middle) < want)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool start(const scan *s, worker *w, int i, int count) {
    *w = (worker){
        .s = s, .first = share(s->from, i, count), .last = share(s->from, i + 1, count), .wrong = -1};
    w->best = memory_alloc((size_t)s->query_count * (size_t)s->top, sizeof *w->best);
    w->counts = memory_zero((size_t)s->query_count, sizeof *w->counts);
    return w->best && w->counts;
}

static bool check(const scan *s, const worker *w, diag *d) {
    if (w->exhausted) return diag_error(d, s->from->path, "out of memory for the search");
    return w->wrong < 0 ||
           diag_error(d, s->from->path,
                      "indices[%" PRId64 "] is %" PRId64 ", and there are %" PRId64 " columns", w->wrong,
                      column_at(&s->from->columns, w->wrong), s->from->width);
}

bool scan_run(const scan *s, diag *d) {
    worker workers[WORKERS_MOST] = {0};
    pthread_t threads[WORKERS_MOST];
    int count = s->threads < 1 ? 1 : s->threads > WORKERS_MOST ? WORKERS_MOST : s->threads, started = 1;
    if (s->from->rows < count) count = s->from->rows ? (int)s->from->rows : 1;
    bool ok = true;
    for (int i = 0; ok && i < count; i++) ok = start(s, &workers[i], i, count);
    if (!ok) diag_error(d, s->from->path, "out of memory for the search");
    while (ok && started < count && !pthread_create(&threads[started], NULL, work, &workers[started]))
        started++;
    for (int i = started; ok && i < count; i++) work(&workers[i]); // where there is no thread for it
    if (ok) work(&workers[0]);
    for (int i = 1; i < started; i++) pthread_join(threads[i], NULL);
    for (int i = 0; ok && i < count; i++) ok = check(s, &workers[i], d);
    if (ok) merge(s, workers, count);
    for (int i = 0; i < count; i++) {
        free(workers[i].best);
        free(workers[i].counts);
        free(workers[i].vectors);
    }
    return ok;
}
