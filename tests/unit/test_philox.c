// links: ir
// Philox against the known answers of its authors (Random123, kat_vectors), and what the op `random` makes of it.
#include <check.h>
#include <stdlib.h>

#include "ir/ir.h"
#include "ir/philox.h"
#include "main.h"

static void hold(const uint32_t counter[4], uint32_t k0, uint32_t k1, const uint32_t want[4]) {
    uint32_t got[4];
    philox(counter, k0, k1, got);
    for (int i = 0; i < 4; i++) ck_assert_uint_eq(got[i], want[i]);
}

START_TEST(known_answers) {
    hold((uint32_t[]){0, 0, 0, 0}, 0, 0, (uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    hold((uint32_t[]){0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffff, 0xffffffff,
         (uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    hold((uint32_t[]){0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0,
         (uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}
END_TEST

static const float *evaluated(arena *a, const char *text, int32_t seed[2]) {
    diag d;
    diag_init(&d);
    const graph *g = graph_parse(a, "random.ir", text, strlen(text), &d);
    ck_assert_msg(g != NULL, "%s", d.count ? d.items[0].text : "");
    eval_input in = {"seed", {.e = ELEM_I32, .rank = 1, .shape = {2}, .data = seed}};
    eval_options o = {.input_count = 1, .inputs = &in};
    tensor out;
    ck_assert(graph_eval(g, &o, a, &out, &d));
    diag_free(&d);
    return out.data;
}

#define GRAPH(shape, stream)                                                                                 \
    "graph @g(%seed: i32[2]) { %rows = constant -> i32[3] {value = [9, 0, -4]} "                             \
    "%y = random %seed, %rows {shape = " shape ", stream = " stream "} output y = %y }"

// The mean and the variance of uniform numbers, no two neighbours alike.
START_TEST(uniform) {
    arena *a = arena_new();
    const int n = 3 * 4000;
    const float *x = evaluated(a, GRAPH("[3,4000]", "7"), (int32_t[]){1, 2});
    double sum = 0, squares = 0, products = 0;
    for (int i = 0; i < n; i++) {
        ck_assert(x[i] >= 0 && x[i] < 1);
        sum += x[i], squares += (double)x[i] * x[i];
        if (i) products += (x[i] - 0.5) * (x[i - 1] - 0.5);
    }
    ck_assert_double_eq_tol(sum / n, 0.5, 0.01);
    ck_assert_double_eq_tol(squares / n, 1 / 3.0, 0.01);
    ck_assert_double_eq_tol(products / n, 0, 0.003);
    arena_free(a);
}
END_TEST

// A row's numbers depend on seed, stream and the row's own number, and on nothing else.
START_TEST(places) {
    arena *a = arena_new();
    const float *x = evaluated(a, GRAPH("[3,70]", "7"), (int32_t[]){1, 2}),
                *wider = evaluated(a, GRAPH("[3,90]", "7"), (int32_t[]){1, 2}),
                *stream = evaluated(a, GRAPH("[3,70]", "8"), (int32_t[]){1, 2}),
                *seed = evaluated(a, GRAPH("[3,70]", "7"), (int32_t[]){1, 3});
    int equal = 0;
    for (int j = 0; j < 70; j++) {
        ck_assert_float_eq(x[70 + j], wider[90 + j]);
        equal += (x[j] == stream[j]) + (x[j] == seed[j]) + (x[j] == x[70 + j]);
    }
    ck_assert_int_le(equal, 2);
    arena_free(a);
}
END_TEST

int main(void) {
    Suite *s = suite_create("philox");
    TCase *t = tcase_create("philox");
    tcase_add_test(t, known_answers);
    tcase_add_test(t, uniform);
    tcase_add_test(t, places);
    suite_add_tcase(s, t);
    return suite_status(s);
}
