// links: runtime
// bertc_maxsim against the same in double, one number after the other.
#include <check.h>
#include <math.h>

#include "main.h"
#include "runtime/bertc.h"

static uint32_t state = 7;
static float random_float(void) {
    state = state * 1664525 + 1013904223;
    return (float)(int32_t)state / 2147483648.0f;
}

static double slow(const float *q, size_t m, const float *d, size_t n, size_t width) {
    double sum = 0;
    for (size_t i = 0; i < m; i++) {
        double most = -INFINITY;
        for (size_t j = 0; j < n; j++) {
            double dot = 0;
            for (size_t k = 0; k < width; k++) dot += (double)q[i * width + k] * (double)d[j * width + k];
            most = fmax(most, dot);
        }
        sum += most;
    }
    return sum;
}

START_TEST(shapes) {
    static const size_t widths[] = {1, 2, 15, 16, 17, 33, 96, 128, 131}, rows[] = {1, 2, 3, 4, 5, 8, 31, 32};
    static float q[32 * 131], d[32 * 131];
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t m = 0; m < sizeof rows / sizeof *rows; m++)
            for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
                size_t width = widths[w];
                for (size_t i = 0; i < rows[m] * width; i++) q[i] = random_float();
                for (size_t i = 0; i < rows[n] * width; i++) d[i] = random_float() - 0.9f; // below 0, too
                double want = slow(q, rows[m], d, rows[n], width);
                float has = bertc_maxsim(q, rows[m], d, rows[n], width);
                ck_assert_msg(fabs((double)has - want) <= 2e-6 * (double)(rows[m] * width),
                              "%zu and %zu rows of %zu: %g, not %g", rows[m], rows[n], width, (double)has,
                              want);
            }
}
END_TEST

// Of several documents, each has the bits that it has alone.
START_TEST(together) {
    enum { WIDTH = 131, DOCUMENTS = 9 };
    static const size_t queries[] = {1, 7, 16, 17, 32, 33, 70};
    static const int64_t bounds[DOCUMENTS + 1] = {0, 5, 5, 6, 39, 40, 72, 137, 137, 145};
    static float q[70 * WIDTH], d[145 * WIDTH];
    for (size_t i = 0; i < sizeof q / sizeof *q; i++) q[i] = random_float();
    for (size_t i = 0; i < sizeof d / sizeof *d; i++) d[i] = random_float();
    for (size_t k = 0; k < sizeof queries / sizeof *queries; k++) {
        float scores[DOCUMENTS];
        bertc_maxsim_all(q, queries[k], d, bounds, DOCUMENTS, WIDTH, scores);
        for (int i = 0; i < DOCUMENTS; i++) {
            const float *rows = d + bounds[i] * WIDTH;
            size_t n = (size_t)(bounds[i + 1] - bounds[i]);
            ck_assert_float_eq(scores[i], bertc_maxsim(q, queries[k], rows, n, WIDTH));
            double want = n ? slow(q, queries[k], rows, n, WIDTH) : -1e9;
            ck_assert_double_le(fabs((double)scores[i] - want),
                                2e-6 * (double)(queries[k] * WIDTH) + (n ? 0 : 100));
        }
    }
}
END_TEST

START_TEST(nothing) {
    const float x[4] = {-1, -2, 3, 4};
    ck_assert_float_eq(bertc_maxsim(x, 0, x, 2, 2), 0);
    ck_assert_float_eq(bertc_maxsim(x, 2, x, 0, 2), -1e9f);
    ck_assert_float_eq(bertc_maxsim(x, 2, x, 2, 0), 0);
    ck_assert_float_eq(bertc_maxsim(NULL, 0, NULL, 0, 2), 0);
    ck_assert_float_eq(bertc_maxsim(x, 1, x + 2, 1, 2), -11); // the largest may be below 0
}
END_TEST

int main(void) {
    Suite *suite = suite_create("maxsim");
    TCase *t = tcase_create("maxsim");
    tcase_add_test(t, shapes);
    tcase_add_test(t, together);
    tcase_add_test(t, nothing);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
