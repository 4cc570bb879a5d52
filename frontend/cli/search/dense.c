// Sums are of 64 partial ones, in this order: column i adds to sum i % 64, the sums are added by halves, and the columns
// that are left come last.
#include "frontend/cli/search/dense.h"

#include <math.h>
#include <string.h>

// Code for the CPU at hand, where the compiler and the C library can choose at loading. They choose before a sanitizer's
// own code can run.
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(BERTC_SANITIZED)
#define BY_CPU __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#else
#define BY_CPU
#endif

enum { LANES = 16, UNROLL = 4 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t bits __attribute__((vector_size(LANES * sizeof(int32_t))));

typedef enum term { TERM_PRODUCT, TERM_SQUARE, TERM_MAGNITUDE } term; // of a b; of (a - b)^2; of |a - b|

static inline __attribute__((always_inline)) void add_term(lanes *sum, const lanes *a, const lanes *b,
                                                           term t) {
    if (t == TERM_PRODUCT) {
        *sum += *a * *b;
        return;
    }
    lanes apart = *a - *b;
    if (t == TERM_SQUARE) {
        *sum += apart * apart;
        return;
    }
    bits whole = (bits)apart & INT32_MAX;
    *sum += (lanes)whole;
}

static inline __attribute__((always_inline)) float sum_lanes(const lanes *sums) {
    float parts[LANES];
    lanes all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    memcpy(parts, &all, sizeof parts);
    for (int half = LANES / 2; half; half /= 2)
        for (int k = 0; k < half; k++) parts[k] += parts[k + half];
    return parts[0];
}

// One row: its sum of terms with the query, and, where `own`, of its own squares.
static inline __attribute__((always_inline)) float sum_row(const float *query, const unsigned char *row,
                                                           int64_t n, term t, float *own) {
    lanes sums[UNROLL] = {{0}}, squares[UNROLL] = {{0}}, a, b;
    int64_t i = 0;
    for (; i + UNROLL * LANES <= n; i += UNROLL * LANES)
        for (int k = 0; k < UNROLL; k++) {
            memcpy(&a, query + i + k * LANES, sizeof a);
            memcpy(&b, row + (i + k * LANES) * 4, sizeof b);
            add_term(&sums[k], &a, &b, t);
            if (own) squares[k] += b * b;
        }
    float rest = 0, own_rest = 0;
    for (; i < n; i++) {
        float x = query[i], y;
        memcpy(&y, row + i * 4, sizeof y);
        rest += t == TERM_PRODUCT ? x * y : t == TERM_SQUARE ? (x - y) * (x - y) : fabsf(x - y);
        own_rest += y * y;
    }
    if (own) *own = sum_lanes(squares) + own_rest;
    return sum_lanes(sums) + rest;
}

#define SUMS(name, t, own)                                                                                   \
    BY_CPU static void name(const float *query, const unsigned char *rows, int64_t n, int count, float *out, \
                            float *owns) {                                                                   \
        (void)owns;                                                                                          \
        for (int r = 0; r < count; r++)                                                                      \
            out[r] = sum_row(query, rows + (size_t)r * (size_t)n * 4, n, t, own);                            \
    }
SUMS(products, TERM_PRODUCT, NULL)
SUMS(products_and_own, TERM_PRODUCT, &owns[r])
SUMS(squares, TERM_SQUARE, NULL)
SUMS(magnitudes, TERM_MAGNITUDE, NULL)

void dense_scores(const stored *s, bertc_similarity how, bool first, const float *query, float *squares_of,
                  int64_t row, int count, float *scores) {
    const unsigned char *rows = s->values.data + (size_t)row * (size_t)s->width * 4;
    bool cosine = how == BERTC_SIMILARITY_COSINE;
    if (how == BERTC_SIMILARITY_EUCLIDEAN) {
        squares(query, rows, s->width, count, scores, NULL);
        for (int r = 0; r < count; r++) scores[r] = -sqrtf(scores[r]);
    } else if (how == BERTC_SIMILARITY_MANHATTAN) {
        magnitudes(query, rows, s->width, count, scores, NULL);
        for (int r = 0; r < count; r++) scores[r] = -scores[r];
    } else if (cosine && first) {
        products_and_own(query, rows, s->width, count, scores, squares_of);
    } else {
        products(query, rows, s->width, count, scores, NULL);
    }
    for (int r = 0; cosine && r < count; r++)
        scores[r] = squares_of[r] == 0 ? 0 : scores[r] / sqrtf(squares_of[r]);
}
