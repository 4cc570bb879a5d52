// links: backend passes ir
// What the loop nest refuses.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "main.h"
#include "passes/passes.h"

// 2^40 squared is 2^80 elements between two ops, whose product is 0 in 64 bits.
static const char huge[] =
    "graph @huge(%ids: i32[T], %bounds: i32[S+1], %x: f32[T,4]) {\n"
    "  %3 = per_sequence (%bounds; %k = %x) -> f32[T,4] {\n"
    "    %1 = reduce_sum %k -> f32[1,1] {axes = [0,1]}\n"
    "    %2 = exp %1 -> f32[1,1]\n"
    "    %3 = broadcast %2 -> f32[1099511627776,1099511627776] {shape = [1099511627776,1099511627776]}\n"
    "    %4 = exp %3 -> f32[1099511627776,1099511627776]\n"
    "    %5 = reduce_max %4 -> f32[1,1] {axes = [0,1]}\n"
    "    yield add %k, %5\n"
    "  }\n"
    "  output y = %3\n"
    "}\n";

START_TEST(too_large_a_buffer) {
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    target t;
    graph *g = graph_parse(a, "huge.ir", huge, strlen(huge), &d);
    ck_assert_msg(g != NULL, "%s", d.count ? d.items[0].text : "");
    ck_assert(target_init(&t, NULL, "native", PRECISION_F32, &d));
    pass_context c = {.target = &t, .diag = &d, .verify = true};
    ck_assert(passes_run(g, "assign_layouts,pack_weights", &c));
    ck_assert_int_eq(passes_add_variant(g, 8, 1, &c), 0);
    artefact made = {.module = module_alone(g->arena, g), .targets = &t, .target_count = 1};
    jit *j = backend_jit(&made, 0, NULL, &d);
    ck_assert_ptr_null(j);
    ck_assert_int_ge(d.count, 1);
    ck_assert_msg(strstr(d.items[0].text, "f32[1099511627776,1099511627776]") &&
                      strstr(d.items[0].text, "too large a buffer"),
                  "%s", d.items[0].text);
    diag_free(&d);
    arena_free(a);
}
END_TEST

int main(void) {
    Suite *s = suite_create("loop nest");
    TCase *t = tcase_create("loop nest");
    tcase_add_test(t, too_large_a_buffer);
    suite_add_tcase(s, t);
    return suite_status(s);
}
