// links: ir
// Recipes that quantise: scales, elements and sums of matrices, by columns and by rows.
#include "recipe_store.h"

#include <math.h>

static int quantised(float x, float scale) {
    return (int)rint((double)x * (double)(1 / scale));
}

// Scales, elements and sums of a matrix and of its transpose, by columns and by rows: each from the definition.
START_TEST(quantized) {
    int64_t rows = shapes[_i][0], cols = shapes[_i][1];
    float *x, *row_scales = malloc((size_t)rows * sizeof(float)),
              *column_scales = malloc((size_t)cols * sizeof(float));
    recipe *m = matrix("x", rows, cols, &x);
    for (int64_t i = 0; i < rows; i++) row_scales[i] = 0;
    for (int64_t j = 0; j < cols; j++) column_scales[j] = 0;
    EACH(i, j, rows, cols) {
        row_scales[i] = fmaxf(row_scales[i], fabsf(x[i * cols + j]));
        column_scales[j] = fmaxf(column_scales[j], fabsf(x[i * cols + j]));
    }
    for (int64_t i = 0; i < rows; i++) row_scales[i] = row_scales[i] > 0 ? row_scales[i] / 127 : 1;
    for (int64_t j = 0; j < cols; j++) column_scales[j] = column_scales[j] > 0 ? column_scales[j] / 127 : 1;
    for (int turned = 0; turned < 2; turned++) {
        recipe *r = turned ? recipe_transpose(a, recipe_transpose(a, m)) : m, *t = recipe_transpose(a, m);
        recipe *copied = recipe_scale(a, t, 1); // in an order of its own
        float *s = run(recipe_quantized(a, RECIPE_COLUMN_SCALES, r, 127));
        float *s2 = run(recipe_quantized(a, RECIPE_ROW_SCALES, turned ? copied : t, 127));
        float *s3 = run(recipe_quantized(a, RECIPE_ROW_SCALES, r, 127));
        int8_t *q = run(recipe_quantized(a, RECIPE_QUANTIZE_COLUMNS, r, 127));
        int8_t *q2 = run(recipe_quantized(a, RECIPE_QUANTIZE_ROWS, turned ? copied : t, 127));
        int8_t *q3 = run(recipe_quantized(a, RECIPE_QUANTIZE_ROWS, r, 127));
        ck_assert_mem_eq(s, column_scales, sizeof(float) * (size_t)cols);
        ck_assert_mem_eq(s2, column_scales, sizeof(float) * (size_t)cols);
        ck_assert_mem_eq(s3, row_scales, sizeof(float) * (size_t)rows);
        EACH(i, j, rows, cols) {
            ck_assert_int_eq(q[i * cols + j], quantised(x[i * cols + j], column_scales[j]));
            ck_assert_int_eq(q2[j * rows + i], q[i * cols + j]);
            ck_assert_int_eq(q3[i * cols + j], quantised(x[i * cols + j], row_scales[i]));
        }
        free(s), free(s2), free(s3), free(q), free(q2), free(q3);
    }
    free(row_scales), free(column_scales);
}
END_TEST

START_TEST(column_sums) {
    float *x;
    recipe *m = matrix("x", 12, 19, &x), *t = recipe_transpose(a, matrix("y", 19, 12, &x));
    recipe *parts[] = {recipe_quantized(a, RECIPE_QUANTIZE_COLUMNS, m, 127),
                       recipe_quantized(a, RECIPE_QUANTIZE_COLUMNS, t, 63)};
    for (int p = 0; p < 2; p++) {
        int8_t *q = run(parts[p]);
        int32_t *whole = run(recipe_column_sums(a, parts[p], 12, -128)),
                *groups = run(recipe_column_sums(a, parts[p], 4, 3));
        for (int j = 0; j < 19; j++) {
            int32_t sums[3] = {0};
            for (int k = 0; k < 12; k++) sums[k / 4] += q[k * 19 + j];
            ck_assert_int_eq(whole[j], -128 * (sums[0] + sums[1] + sums[2]));
            for (int i = 0; i < 3; i++) ck_assert_int_eq(groups[i * 19 + j], 3 * sums[i]);
        }
        free(q), free(whole), free(groups);
    }
}
END_TEST

// A column of zeros, one whose scale has no reciprocal, and what is no number.
START_TEST(quantized_extremes) {
    float x[] = {0, 1e-37f, 3, 0, -1e-39f, -4};
    recipe *m = tensor_of("x", ELEM_F32, 2, (int64_t[]){2, 3}, x);
    float *s = run(recipe_quantized(a, RECIPE_COLUMN_SCALES, m, 127));
    int8_t *q = run(recipe_quantized(a, RECIPE_QUANTIZE_COLUMNS, m, 127));
    ck_assert(s[0] == 1 && s[1] == 1 && s[2] == 4.0f / 127);
    ck_assert_mem_eq(q, ((int8_t[]){0, 0, 95, 0, 0, -127}), 6);
    free(s), free(q);
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 4; i++) {
        tensors.count = 0;
        x[4] = bad[i];
        float *fine;
        recipe *parts[] = {recipe_transpose(a, matrix("fine", 3, 2, &fine)),
                           tensor_of("bad", ELEM_F32, 2, (int64_t[]){2, 3}, x)};
        recipe *both = recipe_concat(a, 1, 2, parts);
        char out[64];
        for (recipe_kind k = RECIPE_COLUMN_SCALES; k <= RECIPE_QUANTIZE_ROWS; k++) {
            int before = d.count;
            ck_assert(!recipe_run(recipe_quantized(a, k, both, 127), &source, out, &d));
            ck_assert_int_eq(d.count, before + 1);
            ck_assert_ptr_nonnull(strstr(d.items[before].text, "tensor \"bad\": holds NaN or infinity"));
        }
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("recipe_quantize");
    TCase *c = tcase_create("recipe_quantize");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, quantized, 0, SHAPES);
    tcase_add_test(c, column_sums);
    tcase_add_test(c, quantized_extremes);
    suite_add_tcase(s, c);
    return suite_status(s);
}
