// Recipes that do arithmetic on whole matrices and vectors. They compute values that depend only on positions, not on
// a text, or move a factor from one constant to another. Sums are computed in double, in ascending order, and rounded
// once.
#include "ir/recipe_parts.h"

#include <math.h>

// Columns and rows of a product that are summed at once: as many sums as stay in registers.
#define COLUMNS 8
#define ROWS    2

// y[rows,n] of x[rows,k] and w[k,n], `rows` and `n` at most ROWS and COLUMNS; ld: from row to row of w and y.
static void product_block(const float *x, const float *w, float *y, int64_t rows, int64_t k, int64_t n,
                          int64_t ld) {
    double sums[ROWS][COLUMNS] = {{0}};
    if (rows == ROWS && n == COLUMNS) {
        for (int64_t i = 0; i < k; i++) {
            for (int r = 0; r < ROWS; r++)
                for (int c = 0; c < COLUMNS; c++) sums[r][c] += (double)x[r * k + i] * (double)w[i * ld + c];
        }
    } else {
        for (int64_t i = 0; i < k; i++) {
            for (int64_t r = 0; r < rows; r++)
                for (int64_t c = 0; c < n; c++) sums[r][c] += (double)x[r * k + i] * (double)w[i * ld + c];
        }
    }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < n; c++) y[r * ld + c] = (float)sums[r][c];
}

static void product(const recipe *r, float *const *parts, float *out) {
    int64_t rows = r->type.d[0].n, n = r->type.d[1].n, k = r->parts[1]->type.d[0].n;
    for (int64_t i = 0; i < rows; i += ROWS) {
        int64_t height = rows - i < ROWS ? rows - i : ROWS;
        for (int64_t j = 0; j < n; j += COLUMNS) {
            int64_t width = n - j < COLUMNS ? n - j : COLUMNS;
            product_block(parts[0] + i * k, parts[1] + j, out + i * n + j, height, k, width, n);
        }
    }
}

static void sum(const recipe *r, float *const *parts, float *out) {
    int64_t rows = r->type.d[0].n, n = r->type.d[1].n;
    bool vector = r->parts[1]->type.rank == 1;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < n; j++)
            out[i * n + j] = parts[0][i * n + j] + parts[1][vector ? j : i * n + j];
}

static void norm(const recipe *r, float *const *parts, float *out) {
    int64_t rows = r->type.d[0].n, n = r->type.d[1].n;
    for (int64_t i = 0; i < rows; i++) {
        const float *x = parts[0] + i * n;
        double mean = 0, variance = 0;
        for (int64_t j = 0; j < n; j++) mean += (double)x[j];
        mean /= (double)n;
        for (int64_t j = 0; j < n; j++) variance += ((double)x[j] - mean) * ((double)x[j] - mean);
        double scale = 1 / sqrt(variance / (double)n + r->scale);
        for (int64_t j = 0; j < n; j++)
            out[i * n + j] =
                (float)(((double)x[j] - mean) * scale * (double)parts[1][j] + (double)parts[2][j]);
    }
}

static void large(const recipe *r, const float *x, float *out) {
    int64_t n = r->type.d[0].n;
    float most = 0;
    for (int64_t i = 0; i < n; i++) most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    for (int64_t i = 0; i < n; i++) {
        bool stays = (double)fabsf(x[i]) >= r->scale * (double)most && x[i] != 0;
        out[i] = stays ? x[i] : 1;
    }
}

static void scale_rows(const recipe *r, float *const *parts, float *out) {
    int64_t rows = r->type.d[0].n, n = r->type.d[1].n;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < n; j++) out[i * n + j] = parts[0][i * n + j] * parts[1][i];
}

void recipe_compute(const recipe *r, float *const *parts, float *out) {
    if (r->kind == RECIPE_PRODUCT) product(r, parts, out);
    if (r->kind == RECIPE_SUM) sum(r, parts, out);
    if (r->kind == RECIPE_NORM) norm(r, parts, out);
    if (r->kind == RECIPE_LARGE) large(r, parts[0], out);
    if (r->kind == RECIPE_SCALE_ROWS) scale_rows(r, parts, out);
    for (int64_t i = 0; r->kind == RECIPE_QUOTIENT && i < r->type.d[0].n; i++)
        out[i] = parts[0][i] / parts[1][i];
}
