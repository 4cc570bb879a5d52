// links: passes ir
// Every pass alone, every pass left out, and the whole pipeline, over random encoders of odd shapes: the
// evaluator's answers stay the same to 1e-5, and the verifier agrees after each step.
#include "compare.h"
#include "fixture.h"
#include "main.h"
#include "passes/passes.h"

#define TOLERANCE 1e-5
// Where channels are 40 times as large as others, so is what rounding leaves.
#define TOLERANCE_OUTLIERS 4e-5

// Heads, windows, biases and what else is an output are walked through, so that each meets each; sizes are
// random.
#define COMBINATIONS 96
static bert random_bert(int i, uint32_t *state) {
    static const int64_t heads[] = {1, 2, 3, 5};
    bert b = {.heads = heads[test_random(state) % 4],
              .vocab = 23,
              .positions = 11,
              .labels = 1 + test_random(state) % 5};
    b.hidden = b.heads * (1 + test_random(state) % 9);
    b.inner = test_random(state) % 4 ? 1 + test_random(state) % 50 : b.hidden;
    b.head = (bert_head)(i % 6);
    b.windowed = i / 6 % 2;
    b.no_bias = i / 12 % 2;
    b.attentions = i / 24 % 2;
    b.activation = (bert_activation)(test_random(state) % 4);
    b.layers = i % 13 ? 1 + (int)(test_random(state) % 2) : 0;
    b.hidden_states = i / 48 && test_random(state) % 2;
    b.last_hidden_state = i / 48 && test_random(state) % 2;
    return b;
}

static const target small = {.isa = "avx2",
                             .vector_floats = 8,
                             .vector_registers = 16,
                             .l1_bytes = 32768,
                             .l2_bytes = 1 << 18,
                             .l3_bytes = 4 << 20,
                             .product_count = 1,
                             .products = {{ELEM_F32, ELEM_F32, ELEM_F32, 6, 16, STEP_FMA, 1, 50}},
                             .memory_gbs = 10};

// Runs `list` on a copy of g and holds it against what g gave.
static void hold(const graph *g, const char *list, texts *t, const tensor *expected) {
    arena *a = arena_new();
    tensor_source source = {&weights, checkpoint_find};
    graph *h = graph_clone(a, g);
    pass_context c = {.diag = &errors, .verify = true, .source = &source};
    bool ok = passes_run(h, list, &c);
    if (!ok) diag_print(&errors, stderr);
    ck_assert_msg(ok, "passes %s failed", list ? list : "(default)");
    double worst = difference(g, expected, h, evaluated(h, t, &source, a));
    double tolerance = weights.outliers ? TOLERANCE_OUTLIERS : TOLERANCE;
    if (worst > tolerance) graph_print(h, NULL, stderr);
    ck_assert_msg(worst <= tolerance, "passes %s: off by %g", list ? list : "(default)", worst);
    if (!list || strchr("+-", *list)) {
        c.target = &small;
        bool unplaced = list && !strcmp(list, "-pack_weights");
        ck_assert_int_eq(passes_add_variant(h, 7, 5, &c), unplaced ? -1 : 0);
    }
    arena_free(a);
}

static void each_alone(const graph *g, texts *t, const tensor *expected) {
    for (int i = 0; i < passes_count(); i++)
        if (!passes_info(i)->per_variant && !passes_info(i)->for_training)
            hold(g, passes_info(i)->name, t, expected);
}

static void each_left_out(const graph *g, texts *t, const tensor *expected) {
    for (int i = 0; i < passes_count(); i++) {
        char list[64];
        if (passes_info(i)->per_variant || passes_info(i)->for_training) continue;
        snprintf(list, sizeof(list), "%c%s", passes_info(i)->on_by_default ? '-' : '+', passes_info(i)->name);
        hold(g, list, t, expected);
    }
}

// The pipeline's passes in an order of their own, as far as that is allowed: the weights' passes stay last.
static void shuffled(const graph *g, uint32_t *state, texts *t, const tensor *expected) {
    const char *names[32];
    char list[1024] = "";
    int n = 0;
    for (int i = 0; i < passes_count(); i++) {
        const pass_info *p = passes_info(i);
        if (!p->per_variant && !p->for_training && strcmp(p->name, "assign_layouts") &&
            strcmp(p->name, "pack_weights"))
            names[n++] = p->name;
    }
    for (int i = n; i > 0; i--) {
        int k = (int)(test_random(state) % (uint32_t)i);
        strcat(strcat(list, names[k]), ",");
        names[k] = names[i - 1];
    }
    hold(g, strcat(list, "assign_layouts,pack_weights"), t, expected);
}

START_TEST(random_encoders_keep_their_answers) {
    uint32_t state = 7919u * (uint32_t)(_i + 1);
    tensor_source source = {&weights, checkpoint_find};
    bert b = random_bert(_i, &state);
    const graph *g = bert_graph(memory, &weights, &b);
    ck_assert(graph_verify(g, "built", &errors));
    texts t = random_texts(&state, &b);
    const tensor *expected = evaluated(g, &t, &source, memory);
    hold(g, NULL, &t, expected);
    each_alone(g, &t, expected);
    each_left_out(g, &t, expected);
    shuffled(g, &state, &t, expected);
}
END_TEST

// --- Outliers

static int kernels_of(const graph *g) {
    int n = 0;
    for (value v = 0; v < g->count; v++)
        n += graph_node(g, v)->op != OP_input && graph_node(g, v)->op != OP_constant;
    return n;
}

static int norms_without_gamma(const graph *g) {
    int n = 0;
    for (value v = 0; v < g->count; v++) {
        const char *name = graph_node(g, v)->name;
        n += name && strstr(name, "gamma.spread");
    }
    return n;
}

static graph *through(const graph *g, const char *list) {
    tensor_source source = {&weights, checkpoint_find};
    graph *h = graph_clone(memory, g);
    pass_context c = {.diag = &errors, .verify = true, .source = &source};
    ck_assert(passes_run(h, list, &c));
    return h;
}

// spread_outliers moves gammas that are uneven, and no kernel more comes of it: what reads gamma x multiplies in its
// own kernel. (Outputs that no kernel but the norm's computes get one.)
START_TEST(uneven_gammas_move) {
    uint32_t state = 104729u * (uint32_t)(_i + 1);
    tensor_source source = {&weights, checkpoint_find};
    weights.outliers = true;
    bert b = random_bert(_i, &state);
    b.hidden = b.heads * (8 + test_random(&state) % 5);
    const graph *g = bert_graph(memory, &weights, &b);
    texts t = random_texts(&state, &b);
    const tensor *expected = evaluated(g, &t, &source, memory);
    hold(g, "spread_outliers", &t, expected);
    hold(g, "canonicalize,spread_outliers,spread_outliers,fuse_norm,fuse_epilogue", &t, expected);
    hold(g, "+spread_outliers", &t, expected);
    hold(g, "+spread_outliers,+fuse_mlp,-merge_qkv", &t, expected);
    const graph *with = through(g, "+spread_outliers");
    if (b.layers) ck_assert_int_gt(norms_without_gamma(with), 0);
    if (!b.hidden_states && !b.last_hidden_state)
        ck_assert_int_eq(kernels_of(with), kernels_of(through(g, NULL)));
}
END_TEST

// How far int8 is from `expected`: the root of the mean square, as a share of it, over all outputs.
static double cost_of_int8(const graph *g, const char *list, texts *t, const tensor *expected) {
    arena *a = arena_new();
    tensor_source source = {&weights, checkpoint_find};
    graph *h = graph_clone(a, g);
    h->class = "vnni";
    pass_context c = {.diag = &errors, .verify = true, .source = &source, .precision = PRECISION_INT8};
    ck_assert(passes_run(h, list, &c));
    const tensor *got = evaluated(h, t, &source, a);
    double off = 0, all = 0;
    for (int i = 0; i < g->output_count; i++) {
        for (int64_t k = 0; k < tensor_count(&expected[i]); k++) {
            off += pow(number_of(&got[i], k) - number_of(&expected[i], k), 2);
            all += pow(number_of(&expected[i], k), 2);
        }
    }
    arena_free(a);
    return sqrt(off / all);
}

// What it is for: in int8 such encoders lose less than half of what they lose with gamma in the norms.
START_TEST(uneven_gammas_cost_int8_less) {
    tensor_source source = {&weights, checkpoint_find};
    double with = 0, without = 0;
    weights.outliers = true;
    for (uint32_t i = 0; i < 12; i++) {
        uint32_t state = 15485863u * (i + 1);
        bert b = {
            .heads = 4, .hidden = 64, .inner = 96, .vocab = 23, .positions = 11, .labels = 3, .layers = 2};
        b.last_hidden_state = true;
        const graph *g = bert_graph(memory, &weights, &b);
        texts t = random_texts(&state, &b);
        const tensor *expected = evaluated(g, &t, &source, memory);
        with += cost_of_int8(g, NULL, &t, expected) / 12;
        without += cost_of_int8(g, "-spread_outliers", &t, expected) / 12;
    }
    ck_assert_double_lt(with, 0.5 * without);
}
END_TEST

int main(void) {
    Suite *s = suite_create("differential");
    TCase *t = tcase_create("differential");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, random_encoders_keep_their_answers, 0, COMBINATIONS);
    tcase_add_loop_test(t, uneven_gammas_move, 0, COMBINATIONS);
    tcase_add_test(t, uneven_gammas_cost_int8_less);
    suite_add_tcase(s, t);
    return suite_status(s);
}
