// A graph under test with the values of its inputs, and what is expected of its evaluation.
#ifndef BERTC_TESTS_EVAL_CASE_H
#define BERTC_TESTS_EVAL_CASE_H
#include <math.h>

#include "text.h"

static arena *a;
static graph *g;
static diag d;
static eval_input inputs[8];
static int input_count;

static inline void setup(void) {
    a = arena_new();
    g = graph_new(a, "g");
    diag_init(&d);
    input_count = 0;
}
static inline void teardown(void) {
    diag_free(&d);
    arena_free(a);
}

#define FLOATS(...) ((float[]){__VA_ARGS__})
#define INTS(...)   ((int32_t[]){__VA_ARGS__})
#define DIMS(...)   ((dim[]){__VA_ARGS__})
#define N(n)        dim_num(n)
#define COUNT(x)    (int)(sizeof(x) / sizeof(*(x)))

static inline type ty(elem e, int rank, const int64_t *shape) {
    type t = {.e = e, .rank = rank};
    for (int i = 0; i < rank; i++) t.d[i] = dim_num(shape[i]);
    return t;
}

// An input of the graph with its value.
static inline value input(const char *name, type t, int rank, const int64_t *shape, const void *data) {
    eval_input *in = &inputs[input_count++];
    *in = (eval_input){name, {.e = t.e, .rank = rank}};
    for (int i = 0; i < rank; i++) in->value.shape[i] = shape[i];
    in->value.data = (void *)(uintptr_t)data;
    return graph_input(g, name, t);
}
static inline value in1(const char *name, elem e, int64_t n, const void *data) {
    return input(name, ty(e, 1, &n), 1, &n, data);
}
static inline value in2(const char *name, elem e, int64_t rows, int64_t cols, const void *data) {
    int64_t shape[] = {rows, cols};
    return input(name, ty(e, 2, shape), 2, shape, data);
}

static inline bool evaluate(value v, tensor *out) {
    g->output_count = 0;
    graph_output_add(g, "y", v);
    ck_assert_msg(graph_verify(g, "test", &d), "%s", d.count ? d.items[0].text : "");
    eval_options o = {.inputs = inputs, .input_count = input_count};
    return graph_eval(g, &o, a, out, &d);
}
static inline tensor get(value v) {
    tensor t;
    ck_assert_msg(evaluate(v, &t), "%s", d.count ? d.items[0].text : "");
    return t;
}

static inline void expect_f(value v, int n, const double *want) {
    tensor t = get(v);
    ck_assert_int_eq(t.e, ELEM_F32);
    ck_assert_int_eq(tensor_count(&t), n);
    for (int i = 0; i < n; i++) {
        double has = (double)((float *)t.data)[i];
        if (isnan(want[i]))
            ck_assert(isnan(has));
        else if (isinf(want[i]))
            ck_assert(has == want[i]);
        else
            ck_assert_msg(fabs(has - want[i]) <= 1e-6 * fmax(1, fabs(want[i])), "%d: %.9g, not %.9g", i, has,
                          want[i]);
    }
}
static inline void expect_i(value v, int n, const int32_t *want) {
    tensor t = get(v);
    ck_assert_int_eq(t.e, ELEM_I32);
    ck_assert_int_eq(tensor_count(&t), n);
    for (int i = 0; i < n; i++) ck_assert_int_eq(((int32_t *)t.data)[i], want[i]);
}
#define EXPECT_F(v, ...) expect_f(v, COUNT(((double[]){__VA_ARGS__})), (double[]){__VA_ARGS__})
#define EXPECT_I(v, ...) expect_i(v, COUNT(((int32_t[]){__VA_ARGS__})), (int32_t[]){__VA_ARGS__})

static inline void expect_error(value v, const char *part) {
    tensor t;
    ck_assert(!evaluate(v, &t));
    ck_assert_int_eq(d.errors, 1);
    ck_assert_msg(strstr(d.items[0].text, part) != NULL, "%s", d.items[0].text);
    diag_free(&d);
}

#endif
