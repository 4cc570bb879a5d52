// links: cli hub ir runtime
// Search over stored vectors: the best rows of each form of file, against a plain loop; and files that are none of them.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/search/scan.h"
#include "main.h"

static char folder[64], path[96];

static void setup(void) {
    strcpy(folder, "/tmp/bertc-search-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/v.npz", folder);
}

static void teardown(void) {
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static uint32_t state = 7;
static float number(void) {
    state = state * 1664525 + 1013904223;
    return (float)(state >> 8) / (1 << 23) - 1;
}

static float *numbers(int64_t n) {
    float *x = malloc((size_t)(n ? n : 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = number();
    return x;
}

// --- Files

static void write_dense(const float *rows, int64_t n, int64_t width) {
    char header[NPY_HEADER];
    npy_header(header, "<f4", 2, (const int64_t[]){n, width});
    FILE *f = fopen(path, "wb");
    fwrite(header, 1, NPY_HEADER, f);
    fwrite(rows, sizeof *rows, (size_t)(n * width), f);
    fclose(f);
}

typedef struct array {
    const char *name, *descr;
    int rank;
    int64_t shape[2];
    const void *data;
    size_t bytes;
} array;

static void write_arrays(int n, const array *arrays) {
    npz_writer w;
    diag d;
    diag_init(&d);
    npz_begin(&w, path);
    for (int i = 0; i < n; i++) {
        npz_array *a = npz_add(&w, arrays[i].name, arrays[i].descr, &d);
        ck_assert(a && npz_append(&w, a, arrays[i].data, arrays[i].bytes, &d));
        a->rank = arrays[i].rank;
        memcpy(a->shape, arrays[i].shape, sizeof arrays[i].shape);
    }
    ck_assert(npz_end(&w, &d));
    diag_free(&d);
}

// --- The best by a plain loop

typedef double (*score_of)(const void *user, int64_t row, const scan_query *q);

static void check_best(const scan *s, score_of score, const void *user) {
    for (int i = 0; i < s->query_count; i++) {
        const scan_query *q = &s->queries[i];
        bool *taken = calloc((size_t)s->from->rows + 1, 1);
        int64_t expected = s->top < s->from->rows ? s->top : s->from->rows;
        ck_assert_int_eq(q->count, expected);
        for (int64_t k = 0; k < q->count; k++) {
            double most = -INFINITY, has = score(user, q->best[k].index, q);
            for (int64_t r = 0; r < s->from->rows; r++)
                if (!taken[r]) most = fmax(most, score(user, r, q));
            ck_assert_msg(fabs(has - (double)q->best[k].score) < 1e-4 + 1e-6 * fabs(has) &&
                              most - has < 1e-4 + 1e-6 * fabs(has) && !taken[q->best[k].index],
                          "query %d, hit %d: row %d has %g, not %g; the best has %g", i, (int)k,
                          (int)q->best[k].index, has, (double)q->best[k].score, most);
            taken[q->best[k].index] = true;
        }
        free(taken);
    }
}

static void open_file(stored *s) {
    diag d;
    diag_init(&d);
    ck_assert_msg(stored_open(s, path, &d), "%s", d.count ? d.items[0].text : "");
    diag_free(&d);
}

static void run_scan(const scan *s) {
    diag d;
    diag_init(&d);
    ck_assert_msg(scan_run(s, &d), "%s", d.count ? d.items[0].text : "");
    diag_free(&d);
}

typedef struct dense_case {
    const float *rows;
    int64_t width;
    bertc_similarity how;
} dense_case;

static double dense_score(const void *user, int64_t row, const scan_query *q) {
    const dense_case *c = user;
    const float *x = c->rows + row * c->width;
    double dot = 0, own = 0, apart = 0, city = 0;
    for (int64_t i = 0; i < c->width; i++) {
        double a = (double)q->numbers[i], b = (double)x[i];
        dot += a * b, own += b * b, apart += (a - b) * (a - b), city += fabs(a - b);
    }
    if (c->how == BERTC_SIMILARITY_COSINE) return own > 0 ? dot / sqrt(own) : 0;
    if (c->how == BERTC_SIMILARITY_EUCLIDEAN) return -sqrt(apart);
    return c->how == BERTC_SIMILARITY_MANHATTAN ? -city : dot;
}

START_TEST(dense) {
    static const struct {
        int64_t rows, width;
    } shapes[] = {{1, 1}, {2, 7}, {131, 33}, {1000, 64}, {517, 100}, {64, 6200}};
    static const bertc_similarity measures[] = {BERTC_SIMILARITY_COSINE, BERTC_SIMILARITY_DOT,
                                                BERTC_SIMILARITY_EUCLIDEAN, BERTC_SIMILARITY_MANHATTAN};
    int64_t rows = shapes[_i].rows, width = shapes[_i].width;
    float *x = numbers(rows * width), *q = numbers(3 * width);
    if (rows > 2) memset(x + width, 0, (size_t)width * sizeof *x); // a row of length 0
    write_dense(x, rows, width);
    stored from;
    open_file(&from);
    ck_assert(from.kind == STORED_DENSE && from.rows == rows && from.width == width);
    for (int m = 0; m < 4; m++)
        for (int threads = 1; threads <= 5; threads += 2) {
            scan_hit best[3][9];
            scan_query queries[3];
            for (int i = 0; i < 3; i++)
                queries[i] = (scan_query){.numbers = q + i * width, .rows = 1, .best = best[i]};
            scan s = {&from, measures[m], false, 9, threads, 3, queries};
            run_scan(&s);
            check_best(&s, dense_score, &(dense_case){x, width, measures[m]});
        }
    stored_close(&from);
    free(x);
    free(q);
}
END_TEST

// Equal rows come by their number; rows of NaN don't come.
START_TEST(order) {
    enum { ROWS = 50 };
    float x[ROWS * 2];
    for (int i = 0; i < ROWS; i++) x[2 * i] = i % 10 == 3 ? NAN : (float)(i % 5 == 0), x[2 * i + 1] = 0;
    write_dense(x, ROWS, 2);
    stored from;
    open_file(&from);
    for (int threads = 1; threads <= 4; threads++) {
        scan_hit best[ROWS];
        scan_query q = {.numbers = (const float[]){1, 0}, .rows = 1, .best = best};
        run_scan(&(scan){&from, BERTC_SIMILARITY_DOT, false, ROWS, threads, 1, &q});
        ck_assert_int_eq(q.count, ROWS - 5);
        for (int i = 0; i < 10; i++) ck_assert(best[i].score == 1 && best[i].index == 5 * i);
        for (int i = 11; i < q.count; i++) ck_assert(best[i].index > best[i - 1].index);
    }
    stored_close(&from);
}
END_TEST

// --- Sparse

typedef struct sparse_case {
    const float *values;
    const int64_t *bounds;
    const int32_t *columns;
} sparse_case;

static double sparse_score(const void *user, int64_t row, const scan_query *q) {
    const sparse_case *c = user;
    double sum = 0;
    if (c->bounds[row] == c->bounds[row + 1]) return -1e30; // never comes
    for (int64_t i = c->bounds[row]; i < c->bounds[row + 1]; i++)
        sum += (double)q->numbers[c->columns[i]] * (double)c->values[i];
    return sum;
}

START_TEST(sparse) {
    enum { ROWS = 200, WIDTH = 300 };
    int64_t bounds[ROWS + 1] = {0}, shape[] = {ROWS, WIDTH};
    int32_t columns[ROWS * 20];
    for (int r = 0; r < ROWS; r++) {
        int n = r % 17;
        for (int i = 0; i < n; i++) columns[bounds[r] + i] = (r * 7 + i * 13) % WIDTH;
        bounds[r + 1] = bounds[r] + n;
    }
    int64_t all = bounds[ROWS];
    float *values = numbers(all), *q = numbers(2 * WIDTH);
    const array arrays[] = {{"indices", "<i4", 1, {all}, columns, (size_t)all * 4},
                            {"indptr", "<i8", 1, {ROWS + 1}, bounds, sizeof bounds},
                            {"format", "|S3", 0, {0}, "csr", 3},
                            {"shape", "<i8", 1, {2}, shape, sizeof shape},
                            {"data", "<f4", 1, {all}, values, (size_t)all * 4}};
    write_arrays(5, arrays);
    stored from;
    open_file(&from);
    ck_assert(from.kind == STORED_SPARSE && from.rows == ROWS && from.width == WIDTH);
    for (int threads = 1; threads <= 3; threads++) {
        scan_hit best[2][12];
        scan_query queries[2];
        for (int i = 0; i < 2; i++)
            queries[i] = (scan_query){.numbers = q + i * WIDTH, .rows = 1, .best = best[i]};
        scan s = {&from, BERTC_SIMILARITY_DOT, false, 12, threads, 2, queries};
        run_scan(&s);
        check_best(&s, sparse_score, &(sparse_case){values, bounds, columns});
    }
    stored_close(&from);
    columns[all / 2] = WIDTH; // one beyond
    write_arrays(5, arrays);
    open_file(&from);
    scan_hit best[1];
    scan_query one = {.numbers = q, .rows = 1, .best = best};
    diag d;
    diag_init(&d);
    ck_assert(!scan_run(&(scan){&from, BERTC_SIMILARITY_DOT, false, 1, 2, 1, &one}, &d));
    ck_assert_msg(strstr(d.items[0].text, "is 300, and there are 300 columns"), "%s", d.items[0].text);
    diag_free(&d);
    stored_close(&from);
    free(values);
    free(q);
}
END_TEST

// --- Several vectors a row

typedef struct several_case {
    const float *vectors;
    const int64_t *bounds;
    int64_t width;
} several_case;

static double several_score(const void *user, int64_t row, const scan_query *q) {
    const several_case *c = user;
    double sum = 0;
    if (c->bounds[row] == c->bounds[row + 1]) return -1e30; // never comes
    for (int64_t i = 0; i < q->rows; i++) {
        double most = -INFINITY;
        for (int64_t k = c->bounds[row]; k < c->bounds[row + 1]; k++) {
            double dot = 0;
            for (int64_t j = 0; j < c->width; j++)
                dot += (double)q->numbers[i * c->width + j] * (double)c->vectors[k * c->width + j];
            most = fmax(most, dot);
        }
        sum += most;
    }
    return sum;
}

START_TEST(several) {
    enum { ROWS = 40, WIDTH = 19 };
    int64_t bounds[ROWS + 1] = {0};
    for (int r = 0; r < ROWS; r++) bounds[r + 1] = bounds[r] + r % 9;
    float *vectors = numbers(bounds[ROWS] * WIDTH), *q = numbers(5 * WIDTH);
    write_arrays(2,
                 (const array[]){
                     {"vectors", "<f4", 2, {bounds[ROWS], WIDTH}, vectors, (size_t)bounds[ROWS] * WIDTH * 4},
                     {"bounds", "<i8", 1, {ROWS + 1}, bounds, sizeof bounds}});
    stored from;
    open_file(&from);
    ck_assert(from.kind == STORED_SEVERAL && from.rows == ROWS && from.width == WIDTH);
    for (int threads = 1; threads <= 3; threads++) {
        scan_hit best[6];
        scan_query one = {.numbers = q, .rows = 5, .best = best};
        scan s = {&from, BERTC_SIMILARITY_DOT, false, 6, threads, 1, &one};
        run_scan(&s);
        check_best(&s, several_score, &(several_case){vectors, bounds, WIDTH});
    }
    stored_close(&from);
    free(vectors);
    free(q);
}
END_TEST

// --- What is none

static void refused(const char *message) {
    stored s;
    diag d;
    diag_init(&d);
    ck_assert(!stored_open(&s, path, &d));
    ck_assert_msg(strstr(d.items[0].text, message) && strstr(d.items[0].text, path), "\"%s\", not \"%s\"",
                  d.items[0].text, message);
    stored_close(&s);
    diag_free(&d);
}

START_TEST(refusals) {
    static const int64_t shape[] = {2, 9}, good[] = {0, 1, 2}, falls[] = {0, 2, 1}, late[] = {1, 1, 2},
                         more[] = {0, 1, 3};
    static const int32_t columns[] = {3, 4};
    static const double wide[] = {1, 2};
    static const float values[] = {1, 2};
    array a[] = {{"indices", "<i4", 1, {2}, columns, 8},
                 {"indptr", "<i8", 1, {3}, good, 24},
                 {"format", "|S3", 0, {0}, "csr", 3},
                 {"shape", "<i8", 1, {2}, shape, 16},
                 {"data", "<f4", 1, {2}, values, 8}};
    const struct {
        int which;
        array with;
        const char *message;
    } cases[] = {
        {1, {"indptr", "<i8", 1, {3}, falls, 24}, "indptr[2] is 1, which is no place between 2 and 2"},
        {1, {"indptr", "<i8", 1, {3}, late, 24}, "indptr begins with 1"},
        {1, {"indptr", "<i8", 1, {3}, more, 24}, "indptr[2] is 3, which is no place between 1 and 2"},
        {1, {"indptr", "<i8", 1, {2}, good, 16}, "indptr has 2 numbers for 2 rows"},
        {1, {"indptr", "<f4", 1, {2}, values, 8}, "indptr is float32 [2]"},
        {2, {"format", "|S3", 0, {0}, "coo", 3}, "another form than csr"},
        {3, {"shape", "<i8", 1, {1}, shape, 8}, "its shape is none of a matrix"},
        {4, {"data", "<f8", 1, {2}, wide, 16}, "data is float64 [2], where float32 with one axis"},
        {4, {"data", "<f4", 1, {1}, values, 4}, "indices has 2 numbers, and data 1"},
        {4, {"dates", "<f4", 1, {1}, values, 4}, "has no array \"data\""},
        {0, {"vectors", "<f4", 1, {2}, values, 8}, "has no array \"bounds\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        array kept = a[cases[i].which];
        a[cases[i].which] = cases[i].with;
        write_arrays(5, a);
        refused(cases[i].message);
        a[cases[i].which] = kept;
    }
    write_arrays(1, (const array[]){{"x", "<f4", 1, {2}, values, 8}});
    refused("holds neither embeddings nor a sparse matrix");
    write_dense(values, 1, 2);
    ck_assert_int_eq(truncate(path, NPY_HEADER + 7), 0);
    refused("is cut short");
    FILE *f = fopen(path, "wb");
    fputs("0.1 0.2\n", f);
    fclose(f);
    refused("where vectors as .npy or .npz are searched");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("search");
    TCase *c = tcase_create("search");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, dense, 0, 6);
    tcase_add_test(c, order);
    tcase_add_test(c, sparse);
    tcase_add_test(c, several);
    tcase_add_test(c, refusals);
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
