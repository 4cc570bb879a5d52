// links: passes ir
// canonicalize of a graph with very many nodes: equal ones become one, in time that grows as their number.
#include <check.h>
#include <stdio.h>
#include <time.h>

#include "main.h"
#include "passes/passes.h"

#define MANY 30000

// y = x + 0.5 + 1.5 + ..., with each number twice.
static graph *sums(arena *a) {
    graph *g = graph_new(a, "g");
    value x = graph_input(g, "x", type_make(ELEM_F32, 1, (dim[]){dim_sym(SYM_T)}));
    for (int i = 0; i < MANY; i++) x = graph_op2(g, OP_add, x, graph_scalar(g, i / 2 + 0.5));
    graph_output_add(g, "y", x);
    return g;
}

static int count_of(const graph *g, op o) {
    int n = 0;
    for (value v = 0; v < g->count; v++) n += graph_node(g, v)->op == o;
    return n;
}

START_TEST(many_nodes) {
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    graph *g = sums(a);
    const pass_context c = {.diag = &d};
    clock_t start = clock();
    ck_assert(passes_run(g, "canonicalize", &c));
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    ck_assert_int_eq(count_of(g, OP_constant), MANY / 2);
    ck_assert_int_eq(count_of(g, OP_add), MANY);
    // Pair by pair it took 10 s.
    ck_assert_msg(seconds < 3, "%g s", seconds);
    diag_free(&d);
    arena_free(a);
}
END_TEST

int main(void) {
    Suite *s = suite_create("canonicalize");
    TCase *t = tcase_create("canonicalize");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, many_nodes);
    suite_add_tcase(s, t);
    return suite_status(s);
}
