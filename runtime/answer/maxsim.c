// MaxSim: how well a document's vectors answer a query's. Each query vector takes its largest dot product with a
// vector of the document; these are summed. All in float32; a dot product adds its products in their order.
#include <math.h>
#include <string.h>

#include "runtime/bertc.h"

// Code for the CPU at hand, where the compiler and the C library can choose at loading.
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) &&                           \
    !defined(__SANITIZE_THREAD__)
#define BY_CPU __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#else
#define BY_CPU
#endif

// A panel holds columns of LANES rows of the document, a block so many rows of the query.
enum { LANES = 16, COLUMNS = 128, BLOCK = 32, TILE = 8 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

typedef struct panel {
    lanes columns[COLUMNS];
} panel;

// Columns [from, from + n) of `rows` rows; the lanes beyond are 0.
static void pack(panel *p, const float *d, size_t rows, size_t width, size_t from, size_t n) {
    float *to = (float *)(void *)p->columns;
    if (rows < LANES) memset(to, 0, n * sizeof(lanes));
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < n; k++) to[k * LANES + r] = d[r * width + from + k];
}

// Adds the products of n columns to the sums of TILE rows of the query.
static inline __attribute__((always_inline)) void multiply(lanes *sums, const float *q, size_t width,
                                                           const panel *p, size_t n) {
    lanes s[TILE];
    for (int i = 0; i < TILE; i++) s[i] = sums[i];
    for (size_t k = 0; k < n; k++)
        for (int i = 0; i < TILE; i++) s[i] += q[(size_t)i * width + k] * p->columns[k];
    for (int i = 0; i < TILE; i++) sums[i] = s[i];
}

// The same for one row.
static inline __attribute__((always_inline)) void multiply_row(lanes *sum, const float *q, const panel *p,
                                                               size_t n) {
    lanes s = *sum;
    for (size_t k = 0; k < n; k++) s += q[k] * p->columns[k];
    *sum = s;
}

// The sums of up to BLOCK rows of the query with up to LANES rows of the document.
BY_CPU static void sum_block(lanes *sums, const float *q, size_t m, const float *d, size_t rows,
                             size_t width) {
    panel p;
    memset(sums, 0, m * sizeof *sums);
    for (size_t from = 0; from < width; from += COLUMNS) {
        size_t n = width - from < COLUMNS ? width - from : COLUMNS, i = 0;
        pack(&p, d, rows, width, from, n);
        for (; i + TILE <= m; i += TILE) multiply(sums + i, q + i * width + from, width, &p, n);
        for (; i < m; i++) multiply_row(sums + i, q + i * width + from, &p, n);
    }
}

// The sum over up to BLOCK rows of the query.
static float maxsim_block(const float *q, size_t m, const float *d, size_t rows, size_t width) {
    lanes sums[BLOCK];
    float most[BLOCK], total = 0;
    for (size_t i = 0; i < m; i++) most[i] = -INFINITY;
    for (size_t r = 0; r < rows; r += LANES) {
        size_t n = rows - r < LANES ? rows - r : LANES;
        sum_block(sums, q, m, d + r * width, n, width);
        for (size_t i = 0; i < m; i++)
            for (size_t l = 0; l < n; l++) most[i] = sums[i][l] > most[i] ? sums[i][l] : most[i];
    }
    for (size_t i = 0; i < m; i++) total += most[i];
    return total;
}

float bertc_maxsim(const float *query, size_t query_rows, const float *document, size_t document_rows,
                   size_t width) {
    float sum = 0;
    if (!query || !query_rows || !width) return 0;
    if (!document || !document_rows) return -1e9f;
    for (size_t i = 0; i < query_rows; i += BLOCK) {
        size_t m = query_rows - i < BLOCK ? query_rows - i : BLOCK;
        sum += maxsim_block(query + i * width, m, document, document_rows, width);
    }
    return sum;
}
