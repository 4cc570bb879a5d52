// links: ir
// The rewriter: uses, replacement, order, boxing into a fuse.
#include "text.h"

static arena *a;
static void setup(void) {
    a = arena_new();
}
static void teardown(void) {
    arena_free(a);
}

static const char *const layer = "graph @g(%x: f32[T,4], %res: f32[T,4]) {\n"
                                 "  %w = constant -> f32[4,4] {recipe = tensor(\"w\", f32[4,4])}\n"
                                 "  %b = constant -> f32[4] {recipe = tensor(\"b\", f32[4])}\n"
                                 "  %4 = constant 0.5\n"
                                 "  %5 = matmul %x, %w -> f32[T,4]\n"
                                 "  %layer.dense = add %5, %b -> f32[T,4]\n"
                                 "  %7 = mul %layer.dense, %4 -> f32[T,4]\n"
                                 "  %8 = add %7, %res -> f32[T,4]\n"
                                 "  output y = %8\n"
                                 "}\n";

START_TEST(counts) {
    graph *g = graph_of(a, "graph @g(%x: f32[T,4]) {\n"
                           "  %y = add %x, %x -> f32[T,4]\n"
                           "  %dead = neg %y -> f32[T,4]\n"
                           "  %z = exp %y -> f32[T,4]\n"
                           "  output y = %y\n  output z = %z\n  output again = %z\n}\n");
    rewriter *r = rewriter_begin(g);
    value users[4];
    ck_assert_int_eq(use_count(r, named(g, "x")), 2);
    ck_assert_int_eq(users_of(r, named(g, "x"), users, 4), 1); // one user, twice
    ck_assert_int_eq(users[0], named(g, "y"));
    ck_assert_int_eq(use_count(r, named(g, "y")), 2); // exp and an output; a dead user is none
    ck_assert_int_eq(use_count(r, named(g, "z")), 2);
    ck_assert(!has_one_use(r, named(g, "z")));
    value more = graph_op1(g, OP_tanh, named(g, "dead")); // brings it back
    ck_assert_int_eq(use_count(r, named(g, "dead")), 1);
    ck_assert_int_eq(use_count(r, named(g, "y")), 3);
    ck_assert_int_eq(use_count(r, more), 0);
    ck_assert_int_eq(rewriter_end(r), 0);
    ck_assert_int_eq(g->count, 3);
}
END_TEST

START_TEST(replaces) {
    graph *g = graph_of(a, "graph @g(%x: f32[T,4]) {\n"
                           "  %1 = neg %x -> f32[T,4]\n"
                           "  %two = neg %1 -> f32[T,4]\n"
                           "  %3 = exp %two -> f32[T,4]\n"
                           "  output y = %3\n  output z = %two\n}\n");
    rewriter *r = rewriter_begin(g);
    value fresh = graph_op1(g, OP_tanh, named(g, "x"));
    replace_all_uses(r, named(g, "two"), fresh);
    ck_assert_int_eq(use_count(r, 1), 0); // killed with its only user
    ck_assert_int_eq(use_count(r, named(g, "x")), 1);
    ck_assert_int_eq(use_count(r, fresh), 2);
    ck_assert_int_eq(rewriter_end(r), 1);
    expect_text(g, "graph @g(%x: f32[T,4]) {\n"
                   "  %two = tanh %x -> f32[T,4]\n"
                   "  %2 = exp %two -> f32[T,4]\n"
                   "  output y = %2\n  output z = %two\n}\n");
}
END_TEST

START_TEST(variants_are_dropped) {
    graph *g = graph_of(
        a, "graph @g(%x: f32[T,4]) {\n  %y = neg %x -> f32[T,4]\n  output y = %y\n}\n"
           "variant a {isa = i, length = 1, sequences = 1, tokens = 1, row_tile = 1, arena_bytes = 128} {\n"
           "  %x at arena+0 ld 4\n  %y at arena+64 ld 4\n}\n");
    rewriter_end(rewriter_begin(g));
    ck_assert_int_eq(g->variant_count, 1); // nothing moved
    rewriter *r = rewriter_begin(g);
    replace_all_uses(r, named(g, "y"), graph_op1(g, OP_exp, named(g, "x")));
    rewriter_end(r);
    ck_assert_int_eq(g->variant_count, 0);
}
END_TEST

START_TEST(boxes) {
    graph *g = graph_of(a, layer);
    rewriter *r = rewriter_begin(g);
    fuse_ops(r, 2, (value[]){6, 5}, 1, (value[]){6});
    rewriter_end(r);
    expect_text(g, "graph @g(%x: f32[T,4], %res: f32[T,4]) {\n"
                   "  %w = constant -> f32[4,4] {recipe = tensor(\"w\", f32[4,4])}\n"
                   "  %b = constant -> f32[4] {recipe = tensor(\"b\", f32[4])}\n"
                   "  %4 = constant 0.5\n"
                   "  %layer.dense = fuse (%x, %w, %b) -> f32[T,4] {\n"
                   "    %3 = matmul %x, %w\n"
                   "    yield add %3, %b\n"
                   "  }\n"
                   "  %6 = mul %layer.dense, %4 -> f32[T,4]\n"
                   "  %7 = add %6, %res -> f32[T,4]\n"
                   "  output y = %7\n"
                   "}\n");
}
END_TEST

// A fuse among the ops is opened; scalars move in; the result is called after the last named op in it.
START_TEST(boxes_again) {
    graph *g = graph_of(a, layer);
    rewriter *r = rewriter_begin(g);
    value dense = fuse_ops(r, 2, (value[]){5, 6}, 1, (value[]){6});
    fuse_ops(r, 3, (value[]){dense, 7, 8}, 1, (value[]){8});
    rewriter_end(r);
    expect_text(g, "graph @g(%x: f32[T,4], %res: f32[T,4]) {\n"
                   "  %w = constant -> f32[4,4] {recipe = tensor(\"w\", f32[4,4])}\n"
                   "  %b = constant -> f32[4] {recipe = tensor(\"b\", f32[4])}\n"
                   "  %layer.dense.add = fuse (%x, %w, %b, %x2 = %res) -> f32[T,4] {\n"
                   "    %4 = constant 0.5\n"
                   "    %5 = matmul %x, %w\n"
                   "    %6 = add %5, %b\n"
                   "    %7 = mul %6, %4\n"
                   "    yield add %7, %x2\n"
                   "  }\n"
                   "  output y = %layer.dense.add\n"
                   "}\n");
}
END_TEST

static const char *const two_yields = "graph @g(%x: f32[T,4]) {\n"
                                      "  %y = fuse (%x) -> f32[T,4] {\n"
                                      "    %mean = reduce_mean %x {axes = [1]}\n"
                                      "    %2 = sub %x, %mean\n"
                                      "    yield %2, %mean\n"
                                      "  }\n"
                                      "  %mean = result %y -> f32[T,1] {index = 1}\n"
                                      "  %3 = exp %y -> f32[T,4]\n"
                                      "  %4 = add %3, %mean -> f32[T,4]\n"
                                      "  %5 = tanh %mean -> f32[T,1]\n"
                                      "  output y = %4\n  output z = %5\n}\n";

// The results of a region are no uses of its value: they stay with it until they are replaced too.
START_TEST(results_stay) {
    graph *g = graph_of(a, two_yields);
    rewriter *r = rewriter_begin(g);
    ck_assert_int_eq(use_count(r, 1), 2); // exp, and the result
    replace_all_uses(r, 1, graph_op1(g, OP_neg, 0));
    ck_assert_int_eq(use_count(r, 1), 1);
    replace_all_uses(
        r, 2, graph_slice(g, 0, 2, (dim[]){dim_num(0), dim_num(0)}, (dim[]){dim_sym(SYM_T), dim_num(1)}));
    ck_assert_int_eq(use_count(r, 1), 0);
    rewriter_end(r);
    expect_text(g, "graph @g(%x: f32[T,4]) {\n"
                   "  %y = neg %x -> f32[T,4]\n"
                   "  %2 = exp %y -> f32[T,4]\n"
                   "  %mean = slice %x -> f32[T,1] {begin = [0,0], end = [T,1]}\n"
                   "  %4 = add %2, %mean -> f32[T,4]\n"
                   "  %5 = tanh %mean -> f32[T,1]\n"
                   "  output y = %4\n  output z = %5\n}\n");
}
END_TEST

START_TEST(results_replaced) {
    graph *g = graph_of(a, two_yields);
    rewriter *r = rewriter_begin(g);
    value x = graph_op1(g, OP_neg, 0);
    replace_results(r, 1, graph_region(g, OP_fuse, 1, &x, graph_clone(a, graph_node(g, 1)->body), 0));
    rewriter_end(r);
    expect_text(g, "graph @g(%x: f32[T,4]) {\n"
                   "  %1 = neg %x -> f32[T,4]\n"
                   "  %y = fuse (%x = %1) -> f32[T,4] {\n"
                   "    %mean = reduce_mean %x {axes = [1]}\n"
                   "    %2 = sub %x, %mean\n"
                   "    yield %2, %mean\n"
                   "  }\n"
                   "  %3 = exp %y -> f32[T,4]\n"
                   "  %mean = result %y -> f32[T,1] {index = 1}\n"
                   "  %5 = add %3, %mean -> f32[T,4]\n"
                   "  %6 = tanh %mean -> f32[T,1]\n"
                   "  output y = %5\n  output z = %6\n}\n");
}
END_TEST

// Two values of the box are used outside; that one is an inner value of the other makes no odds.
START_TEST(boxes_several) {
    graph *g = graph_of(a, layer);
    graph_output_add(g, "z", 6);
    rewriter *r = rewriter_begin(g);
    fuse_ops(r, 3, (value[]){5, 6, 7}, 2, (value[]){7, 6});
    rewriter_end(r);
    expect_text(g, "graph @g(%x: f32[T,4], %res: f32[T,4]) {\n"
                   "  %w = constant -> f32[4,4] {recipe = tensor(\"w\", f32[4,4])}\n"
                   "  %b = constant -> f32[4] {recipe = tensor(\"b\", f32[4])}\n"
                   "  %layer.dense.mul = fuse (%x, %w, %b) -> f32[T,4] {\n"
                   "    %3 = constant 0.5\n"
                   "    %4 = matmul %x, %w\n"
                   "    %5 = add %4, %b\n"
                   "    %6 = mul %5, %3\n"
                   "    yield %6, %5\n"
                   "  }\n"
                   "  %5 = add %layer.dense.mul, %res -> f32[T,4]\n"
                   "  %layer.dense = result %layer.dense.mul -> f32[T,4] {index = 1}\n"
                   "  output y = %5\n"
                   "  output z = %layer.dense\n"
                   "}\n");
}
END_TEST

// The result of a fuse that is opened moves in with it, and out again where something else reads it.
START_TEST(boxes_of_results) {
    graph *g = graph_of(a, two_yields);
    rewriter *r = rewriter_begin(g);
    ck_assert(ops_convex(r, 4, (value[]){1, 2, 3, 4}));
    ck_assert(!ops_convex(r, 3, (value[]){1, 2, 4})); // a path leads out through %3
    ck_assert(ops_convex(r, 3, (value[]){1, 3, 4}));  // %2 comes along with its fuse
    fuse_ops(r, 3, (value[]){1, 3, 4}, 1, (value[]){4});
    rewriter_end(r);
    expect_text(g, "graph @g(%x: f32[T,4]) {\n"
                   "  %mean.add = fuse (%x) -> f32[T,4] {\n"
                   "    %1 = reduce_mean %x {axes = [1]}\n"
                   "    %2 = sub %x, %1\n"
                   "    %3 = exp %2\n"
                   "    %4 = add %3, %1\n"
                   "    yield %4, %1\n"
                   "  }\n"
                   "  %mean = result %mean.add -> f32[T,1] {index = 1}\n"
                   "  %3 = tanh %mean -> f32[T,1]\n"
                   "  output y = %mean.add\n  output z = %3\n}\n");
}
END_TEST

// Text can make a chain of dead nodes as long as it likes; no walk may recurse along it.
START_TEST(long_chains) {
    enum { LENGTH = 300000 };
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs("graph @g(%x: f32[T,4]) {\n  %1 = neg %x\n", out);
    for (int i = 2; i <= LENGTH; i++) fprintf(out, "  %%%d = neg %%%d\n", i, i - 1);
    fprintf(out, "  output y = %%%d\n}\n", LENGTH);
    fclose(out);
    graph *g = graph_of(a, text);
    free(text);
    rewriter *r = rewriter_begin(g);
    value fresh = graph_op1(g, OP_exp, 0);
    replace_all_uses(r, LENGTH, fresh);
    ck_assert_int_eq(use_count(r, 0), 1);
    value again = graph_op1(g, OP_tanh, LENGTH - 1);
    ck_assert_int_eq(use_count(r, 0), 2);
    ck_assert_int_eq(use_count(r, again), 0);
    rewriter_end(r);
    ck_assert_int_eq(g->count, 2);
}
END_TEST

// --- Patterns

static bool matches(graph *g, value root, const char *pattern, match_result *m) {
    rewriter *r = rewriter_begin(g);
    bool found = match(r, root, pattern, m);
    rewriter_end(r);
    return found;
}

START_TEST(matches_terms) {
    graph *g = graph_of(a, layer);
    match_result m;
    ck_assert(matches(g, 8, "(add (mul (add (matmul ?x !w) !b)@dense 0.5) ?res)", &m));
    ck_assert_int_eq(match_get(&m, "x"), 0);
    ck_assert_int_eq(match_get(&m, "w"), 2);
    ck_assert_int_eq(match_get(&m, "dense"), 6);
    ck_assert_int_eq(match_get(&m, "res"), 1);
    ck_assert_int_eq(m.op_count, 4);
    ck_assert_int_eq(m.ops[0], 8);
    ck_assert(!matches(g, 8, "(add (mul (add (matmul ?x !w) !b) 0.25) ?res)", &m)); // another number
    ck_assert(!matches(g, 8, "(sub ?a ?b)", &m));
    ck_assert(!matches(g, 5, "(matmul !x ?w)", &m)); // x is no constant
}
END_TEST

START_TEST(matches_either_way) {
    graph *g = graph_of(a, layer);
    match_result m;
    ck_assert(matches(g, 8, "(add ?res (mul 0.5 (add ?b (matmul ?x ?w))))", &m));
    ck_assert_int_eq(match_get(&m, "res"), 1);
    ck_assert_int_eq(match_get(&m, "b"), 3);
    ck_assert(!matches(g, 5, "(matmul ?w (add ?a ?b))", &m)); // matmul does not commute
}
END_TEST

START_TEST(matches_one_use) {
    graph *g = graph_of(a, "graph @g(%x: f32[T,4]) {\n  %1 = exp %x\n  %2 = add %1, %1\n  %3 = neg %1\n"
                           "  output a = %2\n  output b = %3\n}\n");
    match_result m;
    ck_assert(!matches(g, 3, "(neg (exp ?x))", &m));
    ck_assert(matches(g, 3, "(neg (exp* ?x))", &m));
    ck_assert(matches(g, 2, "(add ?y ?y)", &m));
    ck_assert(!matches(g, 2, "(add ?y (exp ?y))", &m));
    ck_assert(matches(g, 2, "(add _ _)", &m));
    ck_assert_int_eq(m.count, 0);
}
END_TEST

int main(void) {
    return RUN_TESTS("rewrite", setup, teardown, counts, replaces, variants_are_dropped, boxes, boxes_again,
                     boxes_several, boxes_of_results, results_stay, results_replaced, long_chains,
                     matches_terms, matches_either_way, matches_one_use);
}
