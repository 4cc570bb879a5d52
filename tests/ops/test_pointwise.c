// links: backend passes ir llvm
// Pointwise ops alone.
#include "harness.h"

static value rows_input(graph *g, const char *name, int64_t n) {
    type t = type_make(ELEM_F32, 2, (dim[]){dim_sym(SYM_T), dim_num(n)});
    return graph_input(g, name, t);
}

START_TEST(add) {
    arena *a = arena_new();
    graph *g = graph_new(a, "g");
    value x = rows_input(g, "x", 37), y = rows_input(g, "y", 37);
    graph_output_add(g, "z", graph_op2(g, OP_add, x, y));
    harness_check(g, NULL);
    arena_free(a);
}
END_TEST

int main(void) {
    Suite *s = suite_create("pointwise");
    TCase *t = tcase_create("pointwise");
    tcase_add_test(t, add);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
