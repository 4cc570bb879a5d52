// links: passes ir
// Random encoders lowered to each precision in each class: answers stay within a bound of float32's, and what
// fuse_precision, assign_layouts and pack_weights do changes no bit of them; every product with a weight of a panel or more is lowered,
// and rows are quantised once.
#include "compare.h"
#include "fixture.h"
#include "main.h"
#include "passes/passes.h"

#define ENCODERS 48

static const struct {
    precision p;
    const char *class;
    elem left, right; // of products with weights
    double bound;
} forms[] = {{PRECISION_BF16, "bf16", ELEM_BF16, ELEM_BF16, 0.025},
             {PRECISION_BF16, "f32", ELEM_F32, ELEM_BF16, 0.02},
             {PRECISION_INT8, "vnni", ELEM_U8, ELEM_I8, 0.06},
             {PRECISION_INT8, "avx2", ELEM_U8, ELEM_I8, 0.12},
             {PRECISION_INT8W, "f32", ELEM_F32, ELEM_I8, 0.035}};
#define FORMS (int)(sizeof(forms) / sizeof(forms[0]))

static bert random_bert(int i, uint32_t *state) {
    bert b = {.heads = 1 + test_random(state) % 3,
              .vocab = 23,
              .positions = 17,
              .labels = 1 + test_random(state) % 5,
              .head = (bert_head)(i % 6),
              .windowed = i / 6 % 2,
              .no_bias = i / 12 % 2,
              .attentions = i / 24 % 2,
              .activation = (bert_activation)(test_random(state) % 4),
              .layers = 1 + (int)(test_random(state) % 2),
              .hidden_states = test_random(state) % 3 == 0,
              .last_hidden_state = test_random(state) % 2};
    b.hidden = b.heads * (16 + test_random(state) % 9);
    b.inner = i % 8 == 7 ? 896 : 16 + test_random(state) % 50; // 896: two groups
    return b;
}

// A copy of g through these passes; then through `more`, of a class.
static graph *through(const graph *g, const char *list, int form, const char *more) {
    tensor_source source = {&weights, checkpoint_find};
    graph *h = graph_clone(memory, g);
    pass_context c = {.diag = &errors, .verify = true, .source = &source};
    bool ok = passes_run(h, list, &c);
    graph_set_class(h, forms[form].class);
    c.precision = forms[form].p;
    ok = ok && passes_run(h, more, &c);
    if (!ok) diag_print(&errors, stderr);
    ck_assert(ok);
    return h;
}

// The element type of v, through a cast of a weight.
static elem stored(const graph *g, value v) {
    const node *n = graph_node(g, v);
    return n->op == OP_cast ? graph_type(g, n->inputs[0])->e : n->type.e;
}

// Products of rank 2 with a param or a constant of a panel or more; how many.
static int count_products(const graph *g, int form) {
    int count = 0;
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->op == OP_fuse) count += count_products(n->body, form);
        if (n->op != OP_matmul) continue;
        const type *w = graph_type(g, n->inputs[1]);
        if (w->rank != 2 || w->d[0].n < 16 || w->d[1].n < 16) continue;
        ck_assert_int_eq(graph_type(g, n->inputs[0])->e, forms[form].left);
        ck_assert_int_eq(stored(g, n->inputs[1]), forms[form].right);
        count++;
    }
    return count;
}

// No value is quantised twice.
static void check_once(const graph *g) {
    for (value v = 0; v < g->count; v++)
        for (value u = 0; u < v; u++)
            ck_assert(graph_node(g, v)->op != OP_quantize || graph_node(g, u)->op != OP_quantize ||
                      graph_node(g, v)->inputs[0] != graph_node(g, u)->inputs[0]);
}

START_TEST(lowered_encoders) {
    static const char fused[] =
        "canonicalize,fold_constants,eliminate_dead,narrow_rows,merge_qkv,fuse_embedding,"
        "fuse_attention,fuse_epilogue,fuse_norm";
    uint32_t state = 104729u * (uint32_t)(_i + 1);
    tensor_source source = {&weights, checkpoint_find};
    bert b = random_bert(_i, &state);
    const graph *g = bert_graph(memory, &weights, &b);
    texts t = random_texts(&state, &b);
    const tensor *expected = evaluated(g, &t, &source, memory);
    for (int form = 0; form < FORMS; form++) {
        // Boxed or not, with two products in a box or one, lowering means the same.
        const char *lists[] = {fused, _i % 2 ? "canonicalize" : "canonicalize,merge_qkv,fuse_attention",
                               "canonicalize,fuse_embedding,fuse_attention,fuse_epilogue,fuse_norm,fuse_mlp"};
        for (int k = 0; k < 3; k++) {
            graph *lowered = through(g, lists[k], form, "lower_precision"),
                  *packed = through(g, lists[k], form,
                                    "lower_precision,fuse_precision,assign_layouts,pack_weights");
            const tensor *answers = evaluated(lowered, &t, &source, memory);
            double off = difference(g, expected, lowered, answers);
            ck_assert_msg(off <= forms[form].bound, "%s in class %s: off by %g",
                          precision_name(forms[form].p), forms[form].class, off);
            off = difference(lowered, answers, packed, evaluated(packed, &t, &source, memory));
            ck_assert_msg(off == 0, "%s in class %s: fused, it is off by %g", precision_name(forms[form].p),
                          forms[form].class, off);
            ck_assert_int_gt(count_products(packed, form), 0);
            check_once(lowered);
        }
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("lowering");
    TCase *c = tcase_create("lowering");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, lowered_encoders, 0, ENCODERS);
    suite_add_tcase(s, c);
    return suite_status(s);
}
