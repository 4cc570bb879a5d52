// links: ir
// Recipes, run over tensors in memory: each kind alone, in chains, and every half float.
#include "recipe_store.h"

#include <math.h>

START_TEST(transposes) {
    int64_t rows = shapes[_i][0], cols = shapes[_i][1];
    float *x, *y = run(recipe_transpose(a, matrix("x", rows, cols, &x)));
    EACH(i, j, rows, cols) ck_assert(y[j * rows + i] == x[i * cols + j]);
    free(y);
}
END_TEST

// Elements of one byte: each row and column has its own, and nothing behind the result is touched.
START_TEST(transposes_bytes) {
    int64_t rows = shapes[_i][0], cols = shapes[_i][1];
    unsigned char x[40 * 65], y[40 * 65 + 64];
    for (int64_t i = 0; i < rows * cols; i++) x[i] = (unsigned char)(i * 7 + i / 251);
    memset(y, 0xa5, sizeof(y));
    recipe *t = recipe_transpose(a, tensor_of("x", ELEM_I1, 2, (int64_t[]){rows, cols}, x));
    ck_assert(recipe_run(t, &source, y, &d));
    EACH(i, j, rows, cols) ck_assert_uint_eq(y[j * rows + i], x[i * cols + j]);
    for (int k = 0; k < 64; k++) ck_assert_uint_eq(y[rows * cols + k], 0xa5);
}
END_TEST

START_TEST(packs) {
    int64_t rows = shapes[_i][0], cols = shapes[_i][1], panels = (cols + 15) / 16;
    float *x;
    recipe *r = recipe_pack(a, matrix("x", rows, cols, &x));
    ck_assert_uint_eq(recipe_bytes(r), (size_t)(panels * 16 * rows) * 4);
    float *y = run(r);
    EACH(k, j, rows, panels * 16)
    ck_assert(y[(j / 16 * rows + k) * 16 + j % 16] == (j < cols ? x[k * cols + j] : 0));
    free(y);
    float *z = run(recipe_pack(a, recipe_transpose(a, recipe_tensor(a, "x", ELEM_F32, 2, shapes[_i]))));
    EACH(k, j, cols, (rows + 15) / 16 * 16)
    ck_assert(z[(j / 16 * cols + k) * 16 + j % 16] == (j < rows ? x[j * cols + k] : 0));
    free(z);
}
END_TEST

START_TEST(concats) {
    float *x, *y, *z;
    recipe *p[] = {matrix("x", 5, 3, &x), recipe_transpose(a, matrix("y", 2, 5, &y)), matrix("z", 5, 1, &z)};
    float *out = run(recipe_concat(a, 1, 3, p));
    EACH(i, j, 5, 6)
    ck_assert(out[i * 6 + j] == (j < 3 ? x[i * 3 + j] : j < 5 ? y[(j - 3) * 5 + i] : z[i]));
    free(out);
    recipe *q[] = {recipe_transpose(a, p[0]), recipe_transpose(a, p[1])};
    out = run(recipe_concat(a, 0, 2, q));
    EACH(i, j, 5, 5) ck_assert(out[i * 5 + j] == (i < 3 ? x[j * 3 + i] : y[(i - 3) * 5 + j]));
    free(out);
}
END_TEST

START_TEST(concats_of_other_ranks) {
    float *x = floats(24, 1), *y = floats(8, 2), *v = floats(3, 3);
    recipe *p[] = {tensor_of("x", ELEM_F32, 3, (int64_t[]){2, 3, 4}, x),
                   tensor_of("y", ELEM_F32, 3, (int64_t[]){2, 1, 4}, y)};
    float *out = run(recipe_concat(a, 1, 2, p));
    EACH(i, j, 2, 16) ck_assert(out[i * 16 + j] == (j < 12 ? x[i * 12 + j] : y[i * 4 + j - 12]));
    free(out);
    recipe *t = tensor_of("v", ELEM_F32, 1, (int64_t[]){3}, v);
    out = run(recipe_concat(a, 0, 2, (recipe *[]){t, t}));
    for (int i = 0; i < 6; i++) ck_assert(out[i] == v[i % 3]);
    free(out);
}
END_TEST

START_TEST(scales_and_reshapes) {
    float *x;
    recipe *r = recipe_transpose(a, matrix("x", 3, 5, &x)); // computed before it is scaled
    float *out = run(recipe_reshape(a, recipe_scale(a, r, 0.1), 3, (int64_t[]){1, 5, 3}));
    EACH(i, j, 3, 5) ck_assert(out[j * 3 + i] == x[i * 5 + j] * 0.1f);
    free(out);
    out = run(recipe_shift(a, r, 1));
    EACH(i, j, 3, 5) ck_assert(out[j * 3 + i] == x[i * 5 + j] + 1);
    free(out);
    out = run(recipe_transpose(a, recipe_reshape(a, r, 2, (int64_t[]){3, 5})));
    EACH(i, j, 3, 5) {
        int64_t at = i * 5 + j; // in the transposed matrix [5,3]
        ck_assert(out[j * 3 + i] == x[at % 3 * 5 + at / 3]);
    }
    free(out);
}
END_TEST

START_TEST(slices) {
    float *x;
    recipe *m = matrix("x", 6, 5, &x);
    float *out = run(recipe_slice(a, m, 0, 2, 5));
    EACH(i, j, 3, 5) ck_assert(out[i * 5 + j] == x[(i + 2) * 5 + j]);
    free(out);
    out = run(recipe_slice(a, m, 1, 1, 4));
    EACH(i, j, 6, 3) ck_assert(out[i * 3 + j] == x[i * 5 + j + 1]);
    free(out);
    out = run(recipe_slice(a, recipe_transpose(a, m), 0, 1, 3)); // of what is not dense
    EACH(i, j, 2, 6) ck_assert(out[i * 6 + j] == x[j * 5 + i + 1]);
    free(out);
    out = run(recipe_transpose(a, recipe_slice(a, recipe_reshape(a, m, 2, (int64_t[]){10, 3}), 0, 9, 10)));
    for (int i = 0; i < 3; i++) ck_assert(out[i] == x[27 + i]);
    free(out);
    recipe *cube = recipe_reshape(a, m, 3, (int64_t[]){2, 3, 5});
    out = run(recipe_slice(a, cube, 1, 1, 2));
    EACH(i, j, 2, 5) ck_assert(out[i * 5 + j] == x[(i * 3 + 1) * 5 + j]);
    free(out);
}
END_TEST

START_TEST(diagonals) {
    float *x;
    float *out = run(recipe_diagonal(a, matrix("x", 6, 2, &x), 3));
    EACH(i, j, 6, 6) ck_assert(out[i * 6 + j] == (j / 2 == i / 2 ? x[i * 2 + j % 2] : 0));
    free(out);
}
END_TEST

// Odd sizes, and a transposed part.
START_TEST(products) {
    float *x, *w, *b;
    recipe *m = matrix("x", 5, 13, &x), *t = recipe_transpose(a, matrix("w", 19, 13, &w)),
           *v = vector("b", 19, &b);
    recipe *product = recipe_product(a, m, t);
    float *out = run(recipe_sum(a, recipe_sum(a, product, v), product));
    EACH(i, j, 5, 19) {
        double sum = 0;
        for (int k = 0; k < 13; k++) sum += (double)x[i * 13 + k] * (double)w[j * 13 + k];
        ck_assert_double_le(fabs((double)out[i * 19 + j] - (2 * sum + (double)b[j])), 1e-4);
    }
    free(out);
    ck_assert(!recipe_fits(RECIPE_PRODUCT, 2, (recipe *[]){m, m}));
    ck_assert(!recipe_fits(RECIPE_SUM, 2, (recipe *[]){m, v}));
}
END_TEST

START_TEST(norms) {
    float *x, *g, *b;
    recipe *m = matrix("x", 7, 11, &x), *gamma = vector("g", 11, &g), *beta = vector("b", 11, &b);
    float *out = run(recipe_norm(a, m, gamma, beta, 1e-5));
    for (int i = 0; i < 7; i++) {
        double mean = 0, variance = 0;
        for (int j = 0; j < 11; j++) mean += (double)x[i * 11 + j] / 11;
        for (int j = 0; j < 11; j++) variance += pow((double)x[i * 11 + j] - mean, 2) / 11;
        for (int j = 0; j < 11; j++) {
            double y = ((double)x[i * 11 + j] - mean) / sqrt(variance + 1e-5) * (double)g[j] + (double)b[j];
            ck_assert_double_le(fabs((double)out[i * 11 + j] - y), 1e-5);
        }
    }
    free(out);
}
END_TEST

// What is far from the largest is 1 in its place, and so is 0.
START_TEST(vectors_and_rows) {
    static const float numbers[] = {-8, 0x1p-7f, 0x1.fp-8f, 0, 3};
    float *x, *y, *w;
    recipe *v = recipe_numbers(a, 5, numbers), *large = recipe_large(a, v, 0x1p-10);
    float *out = run(large);
    ck_assert_mem_eq(out, ((float[]){-8, 0x1p-7f, 1, 1, 3}), sizeof(numbers));
    free(out);
    out = run(
        recipe_quotient(a, vector("x", 5, &x), tensor_of("y", ELEM_F32, 1, (int64_t[]){5}, floats(5, 3))));
    y = floats(5, 3);
    for (int i = 0; i < 5; i++) ck_assert_float_eq(out[i], x[i] / y[i]);
    free(out);
    recipe *m = recipe_transpose(a, matrix("w", 3, 5, &w));
    out = run(recipe_scale_rows(a, m, v));
    EACH(i, j, 5, 3) ck_assert_float_eq(out[i * 3 + j], w[j * 5 + i] * numbers[i]);
    free(out);
    ck_assert(!recipe_fits(RECIPE_SCALE_ROWS, 2, (recipe *[]){recipe_transpose(a, m), v}));
    ck_assert(!recipe_fits(RECIPE_QUOTIENT, 2, (recipe *[]){v, m}));
    ck_assert(!recipe_fits(RECIPE_LARGE, 1, &m));
}
END_TEST

START_TEST(waves) {
    float *cosines = run(recipe_waves(a, RECIPE_COS, 40, 3, 10000));
    float *sines = run(recipe_waves(a, RECIPE_SIN, 40, 3, 10000));
    EACH(i, j, 40, 3) {
        double angle = (double)i * pow(10000, -(double)j / 3);
        ck_assert_double_le(fabs((double)cosines[i * 3 + j] - cos(angle)), 4e-6);
        ck_assert_double_le(fabs((double)sines[i * 3 + j] - sin(angle)), 4e-6);
    }
    free(cosines);
    free(sines);
}
END_TEST

START_TEST(fourier) {
    const int n = 37;
    float *cosines = run(recipe_dft(a, RECIPE_DFT_COS, n)), *sines = run(recipe_dft(a, RECIPE_DFT_SIN, n));
    EACH(i, j, n, n) {
        double angle = 6.283185307179586477 * (double)(i * j % n) / n;
        ck_assert_float_eq(cosines[i * n + j], (float)cos(angle));
        ck_assert_float_eq(sines[i * n + j], (float)sin(angle));
    }
    free(cosines);
    free(sines);
}
END_TEST

START_TEST(integers_move) {
    int32_t x[] = {1, 2, 3, 4, 5, 6};
    recipe *r = tensor_of("x", ELEM_I32, 2, (int64_t[]){2, 3}, x);
    int32_t *out = run(recipe_concat(a, 1, 2, (recipe *[]){recipe_transpose(a, r), recipe_transpose(a, r)}));
    ck_assert_mem_eq(out, ((int32_t[]){1, 4, 1, 4, 2, 5, 2, 5, 3, 6, 3, 6}), 48);
    free(out);
}
END_TEST

// --- Halves

static float half_value(uint16_t h) {
    int sign = h >> 15, exponent = h >> 10 & 31, fraction = h & 1023;
    double m = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    if (exponent == 31) m = fraction ? NAN : INFINITY;
    return (float)(sign ? -m : m);
}

START_TEST(every_half) {
    uint16_t *all = arena_alloc(a, 65536 * 2);
    for (int i = 0; i < 65536; i++) all[i] = (uint16_t)i;
    recipe *h = tensor_of("h", ELEM_F16, 1, (int64_t[]){65536}, all);
    recipe *b = tensor_of("b", ELEM_BF16, 1, (int64_t[]){65536}, all);
    float *wide = run(recipe_cast(a, h, ELEM_F32));
    uint16_t *back = run(recipe_cast(a, recipe_cast(a, h, ELEM_F32), ELEM_F16));
    uint16_t *brain = run(recipe_cast(a, recipe_cast(a, b, ELEM_F32), ELEM_BF16));
    for (int i = 0; i < 65536; i++) {
        float want = half_value(all[i]);
        if (isnan(want)) {
            ck_assert(isnan(wide[i]) && (back[i] & 0x7fff) > 0x7c00);
        } else {
            ck_assert(wide[i] == want && signbit(wide[i]) == signbit(want));
            ck_assert_uint_eq(back[i], all[i]);
        }
        if ((i & 0x7fff) > 0x7f80)
            ck_assert((brain[i] & 0x7fff) > 0x7f80);
        else
            ck_assert_uint_eq(brain[i], all[i]);
    }
    free(wide);
    free(back);
    free(brain);
}
END_TEST

// To the nearest, ties to even: each number between two halves, and the one in their middle.
START_TEST(rounds) {
    enum { N = 4 };
    for (int e = 0; e < 2; e++) {
        for (int h = 0; h < (e ? 0x7f7f : 0x7bff); h += 13) {
            float low = e ? ldexpf((float)(128 + (h & 127)), (h >> 7) - 134) : half_value((uint16_t)h);
            float high = e ? ldexpf((float)(128 + ((h + 1) & 127)), ((h + 1) >> 7) - 134)
                           : half_value((uint16_t)(h + 1));
            if (e && h < 128) continue;
            float middle = low + (high - low) / 2;
            float x[N] = {low, nextafterf(middle, 0), middle, nextafterf(middle, INFINITY)};
            unsigned want[N] = {(unsigned)h, (unsigned)h, (unsigned)(h + (h & 1)), (unsigned)(h + 1)};
            recipe *r = tensor_of("x", ELEM_F32, 1, (int64_t[]){N}, x);
            uint16_t *y = run(recipe_cast(a, r, e ? ELEM_BF16 : ELEM_F16));
            for (int i = 0; i < N; i++)
                ck_assert_msg(y[i] == want[i], "%a: %04x, not %04x", (double)x[i], y[i], want[i]);
            free(y);
            teardown();
            setup();
        }
    }
    float x[] = {65519.99f, 65520, -1e30f, 0x1p-25f, 0x1.000002p-25f, -0.0f};
    uint16_t *y = run(recipe_cast(a, tensor_of("x", ELEM_F32, 1, (int64_t[]){6}, x), ELEM_F16));
    ck_assert_mem_eq(y, ((uint16_t[]){0x7bff, 0x7c00, 0xfc00, 0, 1, 0x8000}), 12);
    free(y);
}
END_TEST

// --- What is asked of the source

START_TEST(missing_and_wrong) {
    float *x, out[15];
    matrix("x", 3, 5, &x);
    ck_assert(!recipe_run(recipe_tensor(a, "y", ELEM_F32, 1, (int64_t[]){4}), &source, out, &d));
    ck_assert_str_eq(d.items[0].text, "tensor \"y\": is not in the checkpoint");
    ck_assert(!recipe_run(recipe_transpose(a, recipe_tensor(a, "x", ELEM_F32, 2, (int64_t[]){5, 3})), &source,
                          out, &d));
    ck_assert_str_eq(d.items[1].text, "tensor \"x\": is f32[3,5] in the checkpoint, not f32[5,3]");
    ck_assert(!recipe_run(recipe_tensor(a, "x", ELEM_F32, 2, (int64_t[]){3, 5}), NULL, out, &d));
}
END_TEST

START_TEST(hashes) {
    float *x;
    recipe *r = matrix("x", 3, 5, &x), *t = recipe_transpose(a, r);
    uint64_t h[6];
    ck_assert(recipe_hash(r, &source, &h[0], &d) && recipe_hash(r, &source, &h[1], &d));
    ck_assert(recipe_hash(t, &source, &h[2], &d));
    ck_assert(recipe_hash(recipe_scale(a, t, 2), &source, &h[3], &d));
    ck_assert(recipe_hash(recipe_scale(a, t, 3), &source, &h[4], &d));
    ((unsigned char *)(uintptr_t)tensors.views[0].data)[59] ^= 1;
    ck_assert(recipe_hash(r, &source, &h[5], &d));
    uint64_t n[3];
    for (int i = 0; i < 3; i++)
        ck_assert(recipe_hash(recipe_numbers(a, 2, (float[]){1, (float)(i / 2)}), NULL, &n[i], &d));
    ck_assert(n[0] == n[1] && n[0] != n[2]);
    ck_assert(h[0] == h[1] && h[0] != h[2] && h[2] != h[3] && h[3] != h[4] && h[0] != h[5]);
    ck_assert(!recipe_hash(recipe_tensor(a, "y", ELEM_F32, 1, (int64_t[]){4}), &source, &h[0], &d));
}
END_TEST

START_TEST(equality) {
    float *x;
    recipe *r = matrix("x", 5, 5, &x), *again = recipe_tensor(a, "x", ELEM_F32, 2, (int64_t[]){5, 5});
    recipe *other = recipe_tensor(a, "y", ELEM_F32, 2, (int64_t[]){5, 5});
    ck_assert(recipe_eq(recipe_transpose(a, r), recipe_transpose(a, again)));
    ck_assert(!recipe_eq(recipe_transpose(a, r), recipe_transpose(a, other)));
    ck_assert(!recipe_eq(r, recipe_transpose(a, r)));
    ck_assert(recipe_eq(recipe_numbers(a, 2, (float[]){1, 2}), recipe_numbers(a, 2, (float[]){1, 2})));
    ck_assert(!recipe_eq(recipe_numbers(a, 2, (float[]){1, 2}), recipe_numbers(a, 2, (float[]){1, 3})));
    ck_assert(!recipe_eq(recipe_scale(a, r, 2), recipe_scale(a, r, 3)));
    ck_assert(!recipe_eq(recipe_scale(a, r, 2), recipe_shift(a, r, 2)));
    ck_assert(
        !recipe_eq(recipe_concat(a, 0, 2, (recipe *[]){r, r}), recipe_concat(a, 1, 2, (recipe *[]){r, r})));
}
END_TEST

int main(void) {
    Suite *s = suite_create("recipe");
    TCase *c = tcase_create("recipe");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, transposes, 0, SHAPES);
    tcase_add_loop_test(c, transposes_bytes, 0, SHAPES);
    tcase_add_loop_test(c, packs, 0, SHAPES);
    const TTest *tests[] = {concats,
                            concats_of_other_ranks,
                            scales_and_reshapes,
                            integers_move,
                            slices,
                            diagonals,
                            products,
                            norms,
                            vectors_and_rows,
                            waves,
                            fourier,
                            every_half,
                            rounds,
                            missing_and_wrong,
                            hashes,
                            equality};
    for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) tcase_add_test(c, tests[i]);
    suite_add_tcase(s, c);
    return suite_status(s);
}
