// links: backend passes ir llvm
// Whole encoders as the passes leave them: every product is taken by the family that is made for it, and
// gives what the evaluator gives, in every capacity, thread class and order of tasks.
#include <check.h>

#include "backend/backend.h"
#include "backend/emit/emit.h"
#include "harness.h"
#include "main.h"
#include "passes/bert.h"
#include "passes/passes.h"

static const bert encoders[] = {
    {.hidden = 48,
     .heads = 4,
     .inner = 80,
     .vocab = 30,
     .positions = 40,
     .layers = 2,
     .labels = 3,
     .head = HEAD_CLS},
    {.hidden = 34,
     .heads = 2,
     .inner = 50,
     .vocab = 23,
     .positions = 40,
     .layers = 2,
     .head = HEAD_BOTH,
     .labels = 2},
    {.hidden = 64,
     .heads = 1,
     .inner = 112,
     .vocab = 20,
     .positions = 40,
     .layers = 1,
     .labels = 2,
     .head = HEAD_TOKENS,
     .activation = ACT_SILU,
     .no_bias = true},
    {.hidden = 36,
     .heads = 3,
     .inner = 30,
     .vocab = 20,
     .positions = 40,
     .layers = 2,
     .head = HEAD_LM,
     .activation = ACT_GELU_TANH},
    {.hidden = 32,
     .heads = 2,
     .inner = 64,
     .vocab = 20,
     .positions = 40,
     .layers = 1,
     .head = HEAD_MEAN,
     .activation = ACT_RELU,
     .windowed = true},
};

static bool has_matmul(const node *n) {
    if (n->op == OP_matmul) return true;
    for (value v = 0; n->body && v < n->body->count; v++) {
        if (has_matmul(graph_node(n->body, v))) return true;
    }
    return false;
}

// Everything with a product has its own family.
START_TEST(families) {
    arena *a = arena_new();
    checkpoint c = {.a = a};
    graph *g = bert_graph(a, &c, &encoders[_i]);
    diag d;
    diag_init(&d);
    target t;
    tensor_source source = {&c, checkpoint_find};
    ck_assert(target_init(&t, "x86_64-linux-gnu", "x86-64-v3", PRECISION_F32, &d));
    pass_context pc = {.target = &t, .source = &source, .diag = &d};
    ck_assert(passes_run(g, NULL, &pc));
    int variant_index = passes_add_variant(g, 16, 2, &pc), products = 0;
    ck_assert_int_eq(variant_index, 0);
    emit e = {.target = &t, .width = t.vector_floats, .arena = a, .diag = &d};
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (!has_matmul(n)) continue;
        kernel_site s = {g, &g->variants[0], v};
        bool sequence = n->op == OP_per_sequence;
        bool taken = sequence ? attention_accepts(&e, &s) : matmul_accepts(&e, &s);
        ck_assert_msg(taken, "%%%d %s", v, n->name ? n->name : "");
        products++;
    }
    ck_assert_int_gt(products, 4);
    diag_free(&d);
    arena_free(a);
}
END_TEST

static void check_encoder(const bert *b, const char *passes) {
    arena *a = arena_new();
    checkpoint c = {.a = a};
    graph *g = bert_graph(a, &c, b);
    harness_weights w = {.a = a};
    for (int i = 0; i < c.count; i++) {
        ck_assert_int_lt(w.count, HARNESS_TENSORS);
        w.tensors[w.count].name = c.tensors[i].name;
        w.tensors[w.count++].view = c.tensors[i].view;
    }
    harness h = {.passes = passes,
                 .texts = 4,
                 .lengths = {19, 1, 33, 8},
                 .rows = {2, 0, 9, 1},
                 .tolerance = 2e-5,
                 .weights = &w};
    harness_check(g, &h);
    arena_free(a);
}

START_TEST(whole) {
    check_encoder(&encoders[_i], "+canonicalize");
}
END_TEST

START_TEST(sliced) {
    check_encoder(&encoders[0], "+fuse_mlp");
}
END_TEST

int main(void) {
    Suite *s = suite_create("encoder");
    TCase *t = tcase_create("encoder");
    int n = sizeof(encoders) / sizeof(*encoders);
    tcase_add_loop_test(t, families, 0, n);
    tcase_add_loop_test(t, whole, 0, n);
    tcase_add_test(t, sliced);
    suite_add_tcase(s, t);
    return suite_status(s);
}
