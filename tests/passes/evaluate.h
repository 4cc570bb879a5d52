// What tests of passes share: a machine, and graphs evaluated and held against each other.
#ifndef TEST_EVALUATE_H
#define TEST_EVALUATE_H

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "ir/ir.h"

#define TARGET_AVX512                                                                                        \
    {.isa = "avx512",                                                                                        \
     .vector_floats = 16,                                                                                    \
     .vector_registers = 32,                                                                                 \
     .fma = true,                                                                                            \
     .l1_bytes = 32768,                                                                                      \
     .l2_bytes = 1 << 20,                                                                                    \
     .l3_bytes = 32 << 20,                                                                                   \
     .prefetch_streams = 4,                                                                                  \
     .product_count = 1,                                                                                     \
     .products = {{ELEM_F32, ELEM_F32, ELEM_F32, 8, 48, STEP_FMA, 1, 114}},                                  \
     .memory_gbs = 20}

// The outputs, in their order; the test fails where the graph does not evaluate.
static inline tensor *evaluate_all(const graph *g, const eval_options *o, arena *a) {
    tensor *results = ARENA_ARRAY(a, tensor, g->output_count);
    diag d;
    diag_init(&d);
    bool ok = graph_eval(g, o, a, results, &d);
    diag_print(&d, stderr);
    diag_free(&d);
    ck_assert_msg(ok, "@%s does not evaluate", g->name);
    return results;
}

static inline double number_of(const tensor *t, int64_t i) {
    float x;
    elem_convert(t->e, (const char *)t->data + (size_t)i * elem_size(t->e), ELEM_F32, &x, 1);
    return (double)x;
}

// The largest difference of two tensors of one type and size, relative where values are above 1; infinite where a
// number became none, or a whole number another.
static inline double largest_difference(const tensor *x, const tensor *y) {
    double worst = 0;
    ck_assert_int_eq(x->e, y->e);
    ck_assert_int_eq(tensor_count(x), tensor_count(y));
    for (int64_t k = 0; k < tensor_count(x); k++) {
        double p = number_of(x, k), d = fabs(p - number_of(y, k)) / fmax(1, fabs(p));
        if (!elem_is_float(x->e) && d != 0) return INFINITY;
        worst = isnan(d) ? INFINITY : fmax(worst, d);
    }
    return worst;
}

#endif
