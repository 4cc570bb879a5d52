// MaxSim: how well documents' vectors answer a query's. Each query vector takes its largest dot product with a vector of the
// document; these are summed. All in float32; a dot product adds its products in their order.
#include <math.h>
#include <string.h>

#include "runtime/bertc.h"

// Code for the CPU at hand, where the compiler and the C library can choose at loading. They choose before a sanitizer's
// own code can run.
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(BERTC_SANITIZED)
#define BY_CPU __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#else
#define BY_CPU
#endif
#define INLINE static inline __attribute__((always_inline))

// The query is packed once for all documents: a panel has the same column of LANES of its rows side by side. Up to BLOCK rows
// of it, and COLUMNS columns, are multiplied with GROUP rows of a document at a time.
enum { LANES = 16, PANELS = 2, BLOCK = LANES * PANELS, COLUMNS = 128, GROUP = 32 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

// Of a block of the query: its columns [from, from + n), of which `panels` hold rows.
typedef struct packed {
    lanes columns[PANELS][COLUMNS];
    size_t from, n;
    int panels;
} packed;

// Lanes beyond the last row repeat row 0; nobody reads their sums.
static void pack(packed *p, const float *q, size_t rows, size_t width, size_t from) {
    p->from = from;
    p->n = width - from < COLUMNS ? width - from : COLUMNS;
    p->panels = rows > LANES ? 2 : 1;
    for (int i = 0; i < p->panels; i++)
        for (size_t l = 0; l < LANES; l++) {
            size_t row = (size_t)i * LANES + l;
            const float *x = q + (row < rows ? row : 0) * width + from;
            for (size_t k = 0; k < p->n; k++) p->columns[i][k][l] = x[k];
        }
}

// Adds the products of the packed columns with `tile` rows of a document.
INLINE void multiply(lanes (*sums)[PANELS], int tile, int panels, const packed *p, const float *d,
                     size_t width) {
    lanes s[8][PANELS];
    for (int r = 0; r < tile; r++)
        for (int i = 0; i < panels; i++) s[r][i] = sums[r][i];
    for (size_t k = 0; k < p->n; k++)
        for (int r = 0; r < tile; r++)
            for (int i = 0; i < panels; i++) s[r][i] += d[(size_t)r * width + k] * p->columns[i][k];
    for (int r = 0; r < tile; r++)
        for (int i = 0; i < panels; i++) sums[r][i] = s[r][i];
}

// Rows are read several at a time, which a CPU's own prefetching does not follow: those that come AHEAD bytes on are asked for.
enum { LINE = 64, AHEAD = 8192 };
INLINE void ask_for(const float *d, size_t bytes) {
    for (size_t i = 0; i < bytes; i += LINE)
        __builtin_prefetch((const void *)((uintptr_t)d + AHEAD + i), 0, 2);
}

BY_CPU static void multiply_rows(lanes (*sums)[PANELS], const packed *p, const float *d, size_t rows,
                                 size_t width) {
    size_t r = 0, tile = p->panels == 1 ? 8 : 4;
    d += p->from;
    for (; r + tile <= rows; r += tile) {
        const float *x = d + r * width;
        ask_for(x, tile * p->n * sizeof *x);
        if (tile == 8)
            multiply(sums + r, 8, 1, p, x, width);
        else
            multiply(sums + r, 4, 2, p, x, width);
    }
    for (; r < rows; r++) {
        ask_for(d + r * width, p->n * sizeof *d);
        if (tile == 8)
            multiply(sums + r, 1, 1, p, d + r * width, width);
        else
            multiply(sums + r, 1, 2, p, d + r * width, width);
    }
}

BY_CPU static void keep_most(float *most, lanes (*sums)[PANELS], size_t rows, int panels) {
    for (size_t r = 0; r < rows; r++)
        for (int i = 0; i < panels; i++)
            for (int l = 0; l < LANES; l++) {
                float x = sums[r][i][l], *m = &most[i * LANES + l];
                *m = x > *m ? x : *m;
            }
}

// The sum over a block of `m` rows of the query, of which p has the first columns.
static float block_score(packed *p, const float *q, size_t m, const float *d, size_t rows, size_t width) {
    lanes sums[GROUP][PANELS];
    float most[BLOCK], total = 0;
    for (size_t i = 0; i < BLOCK; i++) most[i] = -INFINITY;
    for (size_t r = 0; r < rows; r += GROUP) {
        size_t n = rows - r < GROUP ? rows - r : GROUP;
        memset(sums, 0, n * sizeof *sums);
        for (size_t from = 0; from < width; from += COLUMNS) {
            if (p->from != from) pack(p, q, m, width, from);
            multiply_rows(sums, p, d + r * width, n, width);
        }
        keep_most(most, sums, n, p->panels);
    }
    for (size_t i = 0; i < m; i++) total += most[i];
    return total;
}

void bertc_maxsim_all(const float *query, size_t query_rows, const float *documents, const int64_t *bounds,
                      size_t count, size_t width, float *scores) {
    packed p;
    bool some = query && documents && width;
    for (size_t i = 0; i < count; i++) scores[i] = !query_rows || bounds[i + 1] > bounds[i] ? 0 : -1e9f;
    for (size_t i = 0; some && i < query_rows; i += BLOCK) {
        size_t m = query_rows - i < BLOCK ? query_rows - i : BLOCK;
        const float *q = query + i * width;
        pack(&p, q, m, width, 0);
        for (size_t k = 0; k < count; k++) {
            size_t rows = bounds[k + 1] > bounds[k] ? (size_t)(bounds[k + 1] - bounds[k]) : 0;
            if (rows) scores[k] += block_score(&p, q, m, documents + (size_t)bounds[k] * width, rows, width);
        }
    }
}

float bertc_maxsim(const float *query, size_t query_rows, const float *document, size_t document_rows,
                   size_t width) {
    const int64_t bounds[] = {0, document ? (int64_t)document_rows : 0};
    float score;
    if (!query || !width) return 0;
    bertc_maxsim_all(query, query_rows, document, bounds, 1, width, &score);
    return score;
}
