// links: passes ir
// The pass `optimize` by the evaluator: three steps as PyTorch 1.13 makes them (clip_grad_norm_, then AdamW with decay 0.1 on
// the weight alone), and what it refuses.
#include <check.h>
#include <math.h>

#include "passes/passes.h"
#include "text.h"

static arena *a;
static diag d;

static void setup(void) {
    a = arena_new();
    diag_init(&d);
}
static void teardown(void) {
    diag_free(&d);
    arena_free(a);
}

static const float weight[] = {0.5f, -1.0f, 2.0f, 0.25f, 0.0f, -0.75f}, bias[] = {0.1f, -0.2f};

static bool find(void *context, const char *name, tensor_view *out) {
    (void)context;
    if (!strcmp(name, "dense.weight"))
        *out = (tensor_view){ELEM_F32, 2, {2, 3}, weight};
    else if (!strcmp(name, "dense.bias"))
        *out = (tensor_view){ELEM_F32, 1, {2}, bias};
    else
        return false;
    return true;
}
static const tensor_source source = {NULL, find};

#define HEAD                                                                                                 \
    "graph @g(%x: f32[3,2], %y: f32[2]) {\n"                                                                 \
    "  %w = constant -> f32[3,2] {recipe = transpose(tensor(\"dense.weight\", f32[2,3])), trainable}\n"      \
    "  %b = constant -> f32[2] {recipe = tensor(\"dense.bias\", f32[2]), trainable}\n"
static const char *const plain = HEAD "  %z = add %w, %x\n"
                                      "  output z = %z\n"
                                      "  output gradient.w = %x\n"
                                      "  output gradient.b = %y\n"
                                      "}\n";

static graph *optimized(const char *text, const optimizer_options *o) {
    graph *g = graph_of(a, text);
    pass_context c = {.source = &source, .diag = &d, .verify = true, .optimizer = o};
    return passes_run(g, "optimize,canonicalize,fold_constants,eliminate_dead,order_parts", &c) ? g : NULL;
}

static value state(const graph *g, const char *name) {
    value v = named(g, name);
    ck_assert(node_is_state(graph_node(g, v)));
    return v;
}

// One step each: rate, gradients as PyTorch has them [2,3] and [2].
static const struct step {
    float rate, w[6], b[2];
    double norm, next_w[6], next_b[2];
} steps[] = {
    {0.01f,
     {0.1f, -0.2f, 0.3f, 0, 0.05f, -0.6f},
     {0.7f, -0.1f},
     1.0012491941452026,
     {0.4895000159740448, -0.9890000224113464, 1.9880000352859497, 0.24975000321865082, -0.009999997913837433,
      -0.7392500042915344},
     {0.09000000357627869, -0.1899999976158142}},
    {0.02f,
     {3, -2, 1, 0.5f, 0, -0.25f},
     {4, 1.5f},
     5.706356048583984,
     {0.47139960527420044, -0.967457115650177, 1.964941143989563, 0.23436778783798218, -0.023381158709526062,
      -0.7233203649520874},
     {0.06999864429235458, -0.1991555541753769}},
    {0.005f,
     {-0.01f, 0.02f, 0, 0, 0, 0.004f},
     {0.03f, -0.02f},
     0.04261454939842224,
     {0.46791544556617737, -0.963355302810669, 1.960270881652832, 0.23137450218200684, -0.025959251448512077,
      -0.7201873064041138},
     {0.06603832542896271, -0.20069368183612823}},
};
static const double mean_w[] = {0.054405540227890015, -0.04572354257106781, 0.040041543543338776,
                                0.007885941304266453, 0.004044943489134312, -0.05208228901028633},
                    square_w[] = {0.000286170223262161,  0.0001629382313694805,  0.00012027539924019948,
                                  7.669863407500088e-06, 2.4887760901037836e-06, 0.00036031726631335914};

static void near(const float *got, const double *want, int n) {
    for (int i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - want[i]) <= 2e-7 * (1 + fabs(want[i])),
                      "number %d: %.9g, not %.9g", i, (double)got[i], want[i]);
}

// [3,2] as the tensor's [2,3].
static const float *turned(const float *x) {
    float *t = ARENA_ARRAY(a, float, 6);
    for (int i = 0; i < 6; i++) t[i] = x[i % 3 * 2 + i / 3];
    return t;
}

START_TEST(as_pytorch) {
    optimizer_options o = OPTIMIZER_USUAL;
    o.weight_decay = 0.1;
    graph *g = optimized(plain, &o);
    ck_assert_msg(g != NULL, "%s", d.count ? d.items[0].text : "");
    tensor *states = ARENA_ARRAY(a, tensor, g->count), results[2];
    for (int i = 0; i < 3; i++) {
        const struct step *s = &steps[i];
        float w[6], keep = 0, clip = 1;
        int32_t step = i + 1;
        for (int k = 0; k < 6; k++) w[k % 3 * 2 + k / 3] = s->w[k];
        const eval_input in[] = {{"x", {ELEM_F32, 2, {3, 2}, w}},
                                 {"y", {ELEM_F32, 1, {2}, (void *)(uintptr_t)s->b}},
                                 {"keep", {ELEM_F32, 0, {0}, &keep}},
                                 {"clip", {ELEM_F32, 0, {0}, &clip}},
                                 {"rate", {ELEM_F32, 0, {0}, (void *)(uintptr_t)&s->rate}},
                                 {"step", {ELEM_I32, 0, {0}, &step}}};
        eval_options e = {.source = &source, .input_count = 6, .inputs = in, .states = states};
        ck_assert_msg(graph_eval(g, &e, a, results, &d), "%s", d.count ? d.items[0].text : "");
        near(results[1].data, &s->norm, 1);
        near(turned(states[state(g, "w")].data), s->next_w, 6);
        near(states[state(g, "b")].data, s->next_b, 2);
    }
    near(turned(states[state(g, "exp_avg.w")].data), mean_w, 6);
    near(turned(states[state(g, "exp_avg_sq.w")].data), square_w, 6);
}
END_TEST

// Gradients of several calls add up where keep says so; without a clip nothing is scaled; a gradient of 0 moves nothing.
START_TEST(adds_up) {
    graph *g = optimized(plain, NULL);
    ck_assert_ptr_nonnull(g);
    tensor *states = ARENA_ARRAY(a, tensor, g->count), results[2];
    for (int i = 0; i < 4; i++) {
        float w[6] = {3, 4}, zeros[6] = {NAN}, none[2] = {0}, rate = 0, keep = (float)(i % 2), clip = 0;
        int32_t step = 1;
        const eval_input in[] = {{"x", {ELEM_F32, 2, {3, 2}, i < 2 ? zeros : w}},
                                 {"y", {ELEM_F32, 1, {2}, none}},
                                 {"keep", {ELEM_F32, 0, {0}, &keep}},
                                 {"clip", {ELEM_F32, 0, {0}, &clip}},
                                 {"rate", {ELEM_F32, 0, {0}, &rate}},
                                 {"step", {ELEM_I32, 0, {0}, &step}}};
        eval_options e = {.source = &source, .input_count = 6, .inputs = in, .states = states};
        ck_assert_msg(graph_eval(g, &e, a, results, &d), "%s", d.count ? d.items[0].text : "");
        float norm = *(float *)results[1].data;
        ck_assert_msg(i < 2 ? isnan(norm) : fabsf(norm - (i == 2 ? 5.0f : 10.0f)) < 1e-5f, "call %d: %g", i,
                      (double)norm);
    }
    ck_assert_float_eq(((float *)states[state(g, "sum.w")].data)[1], 8);
}
END_TEST

static double rate_of(void *context, const char *name) {
    (void)context;
    return strstr(name, "bias") ? 0 : 0.5;
}

// A frozen parameter has no states, and a factor of the rate is in its kernel.
START_TEST(rates) {
    optimizer_options o = OPTIMIZER_USUAL;
    o.rate = rate_of;
    graph *g = optimized(plain, &o);
    ck_assert_ptr_nonnull(g);
    int states = 0;
    for (value v = 0; v < g->count; v++) states += node_is_state(graph_node(g, v));
    ck_assert_int_eq(states, 4); // w, its sum and two means
    ck_assert_int_eq(graph_writer_of(g, state(g, "w")), named(g, "w.next"));
}
END_TEST

static double no_rate(void *context, const char *name) {
    (void)context;
    (void)name;
    return 0;
}

START_TEST(refuses) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {HEAD "  %z = add %w, %x\n  output z = %z\n}\n", "the graph has no output gradient.NAME"},
        {HEAD "  output gradient.u = %x\n}\n", "there is no trainable constant u"},
        {HEAD "  output gradient.w = %y\n}\n", "output gradient.w is f32[2]; the gradient of w is f32[3,2]"},
        {HEAD "  output gradient.w = %x\n  output grad_norm = %y\n}\n", "an output grad_norm already"},
        {HEAD "  %n = assign %w, %x\n  output gradient.w = %x\n}\n", "something writes w already"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        diag_free(&d);
        diag_init(&d);
        ck_assert_ptr_null(optimized(cases[i].text, NULL));
        ck_assert_msg(d.count && strstr(d.items[0].text, cases[i].says), "%s",
                      d.count ? d.items[0].text : "");
    }
    optimizer_options o = OPTIMIZER_USUAL;
    o.rate = no_rate;
    diag_free(&d);
    diag_init(&d);
    ck_assert_ptr_null(optimized(plain, &o));
    ck_assert(strstr(d.items[0].text, "every parameter is frozen by --freeze"));
}
END_TEST

int main(void) {
    Suite *s = suite_create("optimize");
    TCase *t = tcase_create("optimize");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, as_pytorch);
    tcase_add_test(t, adds_up);
    tcase_add_test(t, rates);
    tcase_add_test(t, refuses);
    suite_add_tcase(s, t);
    return suite_status(s);
}
