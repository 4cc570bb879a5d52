// links: ir
// The evaluator: each op against numbers worked out by hand, or by a naive loop here, at shapes that are
// multiples of nothing.
#include "eval_case.h"

START_TEST(arithmetic) {
    value x = in1("x", ELEM_F32, 3, FLOATS(1, -2, 0.5f)), y = in1("y", ELEM_F32, 3, FLOATS(4, 0.25f, -8));
    EXPECT_F(graph_op2(g, OP_add, x, y), 5, -1.75, -7.5);
    EXPECT_F(graph_op2(g, OP_sub, x, y), -3, -2.25, 8.5);
    EXPECT_F(graph_op2(g, OP_mul, x, y), 4, -0.5, -4);
    EXPECT_F(graph_op2(g, OP_div, x, y), 0.25, -8, -0.0625);
    EXPECT_F(graph_op2(g, OP_maximum, x, y), 4, 0.25, 0.5);
    EXPECT_F(graph_op1(g, OP_neg, x), -1, 2, -0.5);
}
END_TEST

START_TEST(integers_wrap) {
    value x = in1("x", ELEM_I32, 3, INTS(INT32_MAX, -5, INT32_MIN)), y = in1("y", ELEM_I32, 3, INTS(2, 3, 1));
    EXPECT_I(graph_op2(g, OP_add, x, y), INT32_MIN + 1, -2, INT32_MIN + 1);
    EXPECT_I(graph_op2(g, OP_sub, x, y), INT32_MAX - 2, -8, INT32_MAX);
    EXPECT_I(graph_op2(g, OP_mul, x, y), -2, -15, INT32_MIN);
    EXPECT_I(graph_op2(g, OP_maximum, x, y), INT32_MAX, 3, 1);
    EXPECT_I(graph_op1(g, OP_neg, x), -INT32_MAX, 5, INT32_MIN);
}
END_TEST

START_TEST(functions) {
    value x = in1("x", ELEM_F32, 4, FLOATS(0, 1, -1, 3));
    EXPECT_F(graph_op1(g, OP_exp, x), 1, 2.718281828459045, 0.36787944117144233, 20.085536923187668);
    EXPECT_F(graph_op1(g, OP_log, x), -INFINITY, 0, NAN, 1.0986122886681098);
    EXPECT_F(graph_op1(g, OP_tanh, x), 0, 0.7615941559557649, -0.7615941559557649, 0.9950547536867305);
    EXPECT_F(graph_op1(g, OP_cos, x), 1, 0.5403023058681398, 0.5403023058681398, -0.9899924966004454);
    EXPECT_F(graph_op1(g, OP_sin, x), 0, 0.8414709848078965, -0.8414709848078965, 0.1411200080598672);
    EXPECT_F(graph_op1(g, OP_erf, x), 0, 0.8427007929497149, -0.8427007929497149, 0.9999779095030014);
    EXPECT_F(graph_op1(g, OP_rsqrt, x), INFINITY, 1, NAN, 0.5773502691896258);
    EXPECT_F(graph_op1(g, OP_sigmoid, x), 0.5, 0.7310585786300049, 0.2689414213699951, 0.9525741268224334);
    attr exact = attr_word(ATTR_approximation, "none"), by_tanh = attr_word(ATTR_approximation, "tanh");
    EXPECT_F(graph_append(g, OP_gelu, 1, &x, 1, &exact), 0, 0.8413447460685429, -0.15865525393145707,
             2.99595030590511);
    EXPECT_F(graph_append(g, OP_gelu, 1, &x, 1, &by_tanh), 0, 0.8411919906082768, -0.15880800939172324,
             2.996362607918227);
}
END_TEST

START_TEST(nan_wins_maximum) {
    value x = in1("x", ELEM_F32, 2, FLOATS(NAN, 1)), y = in1("y", ELEM_F32, 2, FLOATS(1, NAN));
    EXPECT_F(graph_op2(g, OP_maximum, x, y), NAN, NAN);
}
END_TEST

START_TEST(broadcasting) {
    value x = in2("x", ELEM_F32, 2, 3, FLOATS(1, 2, 3, 4, 5, 6)),
          v = in1("v", ELEM_F32, 3, FLOATS(10, 20, 30));
    value c = in2("c", ELEM_F32, 2, 1, FLOATS(100, 200));
    EXPECT_F(graph_op2(g, OP_add, x, v), 11, 22, 33, 14, 25, 36);
    EXPECT_F(graph_op2(g, OP_sub, v, x), 9, 18, 27, 6, 15, 24);
    EXPECT_F(graph_op2(g, OP_add, c, v), 110, 120, 130, 210, 220, 230);
    EXPECT_F(graph_op2(g, OP_mul, x, graph_scalar(g, 0.5)), 0.5, 1, 1.5, 2, 2.5, 3);
    attr shape = attr_dims(a, ATTR_shape, 3, DIMS(N(2), N(2), N(3)));
    EXPECT_F(graph_append(g, OP_broadcast, 1, &c, 1, (attr[]){attr_dims(a, ATTR_shape, 2, DIMS(N(2), N(3)))}),
             100, 100, 100, 200, 200, 200);
    EXPECT_F(graph_append(g, OP_broadcast, 1, &x, 1, &shape), 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6);
}
END_TEST

START_TEST(choosing) {
    value x = in1("x", ELEM_F32, 3, FLOATS(1, 2, 3)), y = in1("y", ELEM_F32, 3, FLOATS(3, 2, 1));
    static const char *const words[] = {"eq", "ne", "lt", "le", "gt", "ge"};
    static const double want[][3] = {{0, 1, 0}, {1, 0, 1}, {1, 0, 0}, {1, 1, 0}, {0, 0, 1}, {0, 1, 1}};
    for (int i = 0; i < 6; i++) {
        attr p = attr_word(ATTR_predicate, words[i]);
        value test = graph_append(g, OP_compare, 2, (value[]){x, y}, 1, &p);
        expect_f(graph_op3(g, OP_select, test, graph_scalar(g, 1), graph_scalar(g, 0)), 3, want[i]);
    }
    value i = in1("i", ELEM_I32, 3, INTS(-1, 7, 7)), k = in1("k", ELEM_I32, 3, INTS(1, 7, 6));
    attr lt = attr_word(ATTR_predicate, "lt");
    EXPECT_I(graph_op3(g, OP_select, graph_append(g, OP_compare, 2, (value[]){i, k}, 1, &lt), i, k), -1, 7,
             6);
}
END_TEST

START_TEST(casts) {
    value x = in1("x", ELEM_F32, 5, FLOATS(1.5f, -2.9f, 1e30f, NAN, 65520));
    attr to_i32 = {.id = ATTR_to, .u.e = ELEM_I32}, to_f32 = {.id = ATTR_to, .u.e = ELEM_F32};
    attr to_f16 = {.id = ATTR_to, .u.e = ELEM_F16}, to_bf16 = {.id = ATTR_to, .u.e = ELEM_BF16};
    attr to_i1 = {.id = ATTR_to, .u.e = ELEM_I1};
    EXPECT_I(graph_append(g, OP_cast, 1, &x, 1, &to_i32), 1, -2, INT32_MAX, 0, 65520);
    value half = graph_append(g, OP_cast, 1, &x, 1, &to_f16);
    EXPECT_F(graph_append(g, OP_cast, 1, &half, 1, &to_f32), 1.5, -2.900390625, INFINITY, NAN, INFINITY);
    half = graph_append(g, OP_cast, 1, &x, 1, &to_bf16);
    EXPECT_F(graph_append(g, OP_cast, 1, &half, 1, &to_f32), 1.5, -2.90625, 1.578125 * 0x1p99, NAN, 65536);
    value bits = graph_append(g, OP_cast, 1, &x, 1, &to_i1);
    EXPECT_I(graph_append(g, OP_cast, 1, &bits, 1, &to_i32), 1, 1, 1, 1, 1);
}
END_TEST

START_TEST(moves) {
    value x = in2("x", ELEM_F32, 2, 3, FLOATS(1, 2, 3, 4, 5, 6));
    EXPECT_F(graph_transpose(g, x, 2, (int64_t[]){1, 0}), 1, 4, 2, 5, 3, 6);
    EXPECT_F(graph_reshape(g, x, 3, DIMS(N(3), N(1), N(2))), 1, 2, 3, 4, 5, 6);
    EXPECT_F(graph_slice(g, x, 2, DIMS(N(0), N(1)), DIMS(N(2), N(3))), 2, 3, 5, 6);
    attr axis0 = attr_int(ATTR_axis, 0), axis1 = attr_int(ATTR_axis, 1);
    value y = in2("y", ELEM_F32, 1, 3, FLOATS(7, 8, 9)), z = in2("z", ELEM_F32, 2, 1, FLOATS(0, -1));
    EXPECT_F(graph_append(g, OP_concat, 3, (value[]){y, x, y}, 1, &axis0), 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8,
             9);
    EXPECT_F(graph_append(g, OP_concat, 2, (value[]){z, x}, 1, &axis1), 0, 1, 2, 3, -1, 4, 5, 6);
    attr shape = attr_dims(a, ATTR_shape, 2, DIMS(N(3), N(4)));
    EXPECT_F(graph_append(g, OP_pad, 1, &x, 1, &shape), 1, 2, 3, 0, 4, 5, 6, 0, 0, 0, 0, 0);
    attr iota[] = {attr_dims(a, ATTR_shape, 2, DIMS(N(2), N(3))), axis1};
    EXPECT_I(graph_append(g, OP_iota, 0, NULL, 2, iota), 0, 1, 2, 0, 1, 2);
    iota[1] = axis0;
    EXPECT_I(graph_append(g, OP_iota, 0, NULL, 2, iota), 0, 0, 0, 1, 1, 1);
}
END_TEST

START_TEST(transposes_of_three_axes) {
    float data[2 * 3 * 5];
    for (int i = 0; i < 30; i++) data[i] = (float)i;
    int64_t shape[] = {2, 3, 5}, perm[] = {2, 0, 1};
    value x = input("x", ty(ELEM_F32, 3, shape), 3, shape, data);
    tensor t = get(graph_transpose(g, x, 3, perm));
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 2; j++)
            for (int k = 0; k < 3; k++)
                ck_assert(((float *)t.data)[(i * 2 + j) * 3 + k] == data[(j * 3 + k) * 5 + i]);
}
END_TEST

START_TEST(gathers) {
    value table = in2("table", ELEM_F32, 3, 2, FLOATS(1, 2, 3, 4, 5, 6)),
          ids = in1("ids", ELEM_I32, 4, INTS(2, 0, 0, 1));
    EXPECT_F(graph_op2(g, OP_gather, table, ids), 5, 6, 1, 2, 1, 2, 3, 4);
}
END_TEST

START_TEST(gather_outside) {
    static int32_t ids[2] = {0, 3};
    value table = in2("table", ELEM_F32, 3, 2, FLOATS(1, 2, 3, 4, 5, 6));
    value y = graph_op2(g, OP_gather, table, in1("ids", ELEM_I32, 2, ids));
    expect_error(y, "id 3 at position 1 is not in the table of 3 rows");
    ids[0] = -1;
    expect_error(y, "id -1 at position 0");
}
END_TEST

START_TEST(reductions) {
    value x = in2("x", ELEM_F32, 2, 3, FLOATS(1, 2, 3, 4, 5, -6));
    attr rows = attr_ints(a, ATTR_axes, 1, (int64_t[]){1}), cols = attr_ints(a, ATTR_axes, 1, (int64_t[]){0});
    attr both = attr_ints(a, ATTR_axes, 2, (int64_t[]){1, 0});
    EXPECT_F(graph_append(g, OP_reduce_sum, 1, &x, 1, &rows), 6, 3);
    EXPECT_F(graph_append(g, OP_reduce_sum, 1, &x, 1, &cols), 5, 7, -3);
    EXPECT_F(graph_append(g, OP_reduce_sum, 1, &x, 1, &both), 9);
    EXPECT_F(graph_append(g, OP_reduce_max, 1, &x, 1, &rows), 3, 5);
    EXPECT_F(graph_append(g, OP_reduce_max, 1, &x, 1, &cols), 4, 5, 3);
    EXPECT_F(graph_append(g, OP_reduce_mean, 1, &x, 1, &rows), 2, 1);
    EXPECT_F(graph_append(g, OP_reduce_mean, 1, &x, 1, &both), 1.5);
}
END_TEST

START_TEST(sums_are_double) {
    value x = in2("x", ELEM_F32, 1, 3, FLOATS(1e8f, 1, -1e8f));
    attr rows = attr_ints(a, ATTR_axes, 1, (int64_t[]){1});
    EXPECT_F(graph_append(g, OP_reduce_sum, 1, &x, 1, &rows), 1);
    EXPECT_F(graph_op2(g, OP_matmul, x, in2("w", ELEM_F32, 3, 1, FLOATS(1, 1, 1))), 1);
}
END_TEST

START_TEST(softmax_rows) {
    value x = in2("x", ELEM_F32, 2, 3, FLOATS(1000, 1001, 1002, 0, -INFINITY, 0));
    EXPECT_F(graph_op1(g, OP_softmax, x), 0.09003057317038046, 0.24472847105479764, 0.6652409557748219, 0.5,
             0, 0.5);
}
END_TEST

START_TEST(norms) {
    value x = in2("x", ELEM_F32, 1, 4, FLOATS(1, 2, 3, 4)),
          gamma = in1("gamma", ELEM_F32, 4, FLOATS(1, 2, 1, 2));
    value beta = in1("beta", ELEM_F32, 4, FLOATS(0, 0, 10, 10));
    attr eps = attr_float(ATTR_eps, 0.75); // variance 1.25 + 0.75 = 2
    EXPECT_F(graph_append(g, OP_layer_norm, 3, (value[]){x, gamma, beta}, 1, &eps), -1.0606601717798212,
             -0.7071067811865475, 10.353553390593273, 12.121320343559642);
    eps = attr_float(ATTR_eps, 1.5); // mean square 7.5 + 1.5 = 9
    EXPECT_F(graph_append(g, OP_rms_norm, 2, (value[]){x, gamma}, 1, &eps), 1 / 3.0, 4 / 3.0, 1, 8 / 3.0);
}
END_TEST

static float noise(int i) {
    return (float)((i * 7919 + 13) % 1000) / 500 - 1;
}

static void matmul_case(int64_t count, int64_t m, int64_t k, int64_t n, bool shared) {
    float *x = malloc(sizeof(float) * (size_t)(count * m * k));
    float *w = malloc(sizeof(float) * (size_t)(count * k * n));
    for (int i = 0; i < count * m * k; i++) x[i] = noise(i);
    for (int i = 0; i < count * k * n; i++) w[i] = noise(3 * i + 1);
    int64_t xs[] = {count, m, k}, ws[] = {count, k, n};
    value xv = input("x", ty(ELEM_F32, 3, xs), 3, xs, x);
    value wv = input("w", ty(ELEM_F32, shared ? 2 : 3, ws + shared), shared ? 2 : 3, ws + shared, w);
    tensor t = get(graph_op2(g, OP_matmul, xv, wv));
    for (int64_t c = 0; c < count; c++)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t e = 0; e < k; e++)
                    sum += (double)x[(c * m + i) * k + e] * (double)w[((shared ? 0 : c) * k + e) * n + j];
                ck_assert(((float *)t.data)[(c * m + i) * n + j] == (float)sum);
            }
    free(x);
    free(w);
}
START_TEST(matmuls) {
    static const int64_t shapes[][4] = {
        {1, 1, 1, 1}, {1, 17, 5, 129}, {2, 3, 33, 7}, {3, 16, 1, 128}, {1, 35, 19, 300}};
    for (int i = 0; i < COUNT(shapes); i++) {
        for (int shared = 0; shared < 2; shared++) {
            matmul_case(shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3], shared);
            teardown();
            setup();
        }
    }
}
END_TEST

// --- Constants

typedef struct store {
    const char *name;
    tensor_view view;
} store;
static bool find(void *context, const char *name, tensor_view *out) {
    const store *s = context;
    if (strcmp(s->name, name)) return false;
    *out = s->view;
    return true;
}

START_TEST(recipes_packed) {
    enum { K = 5, OUT = 19 };
    float w[OUT * K], x[3 * K];
    for (int i = 0; i < OUT * K; i++) w[i] = noise(i);
    for (int i = 0; i < 3 * K; i++) x[i] = noise(i + 100);
    store s = {"w", {.e = ELEM_F32, .rank = 2, .shape = {OUT, K}, .data = w}};
    recipe *r =
        recipe_transpose(a, recipe_cast(a, recipe_tensor(a, "w", ELEM_F32, 2, s.view.shape), ELEM_F32));
    value xv = in2("x", ELEM_F32, 3, K, x);
    graph_output_add(g, "plain", graph_op2(g, OP_matmul, xv, graph_constant_recipe(g, "w", r)));
    graph_output_add(g, "packed",
                     graph_op2(g, OP_matmul, xv, graph_constant_recipe(g, "wp", recipe_pack(a, r))));
    graph_output_add(g, "itself",
                     graph_constant_recipe(g, "raw", recipe_tensor(a, "w", ELEM_F32, 2, s.view.shape)));
    ck_assert(graph_verify(g, "test", &d));
    tensor_source source = {&s, find};
    eval_options o = {.inputs = inputs, .input_count = input_count, .source = &source};
    tensor y[3];
    ck_assert(graph_eval(g, &o, a, y, &d));
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < OUT; j++) {
            double sum = 0;
            for (int k = 0; k < K; k++) sum += (double)x[i * K + k] * (double)w[j * K + k];
            ck_assert(((float *)y[0].data)[i * OUT + j] == (float)sum);
            ck_assert(((float *)y[1].data)[i * OUT + j] == (float)sum);
        }
    ck_assert_mem_eq(y[2].data, w, sizeof(w));
    o.source = NULL;
    ck_assert(!graph_eval(g, &o, a, y, &d));
    ck_assert_str_eq(d.items[0].text, "tensor \"w\": is not in the checkpoint");
}
END_TEST

// --- Regions

// fuse(x, v) { (x + v) * 2 }
START_TEST(fused) {
    value x = in2("x", ELEM_F32, 2, 2, FLOATS(1, 2, 3, 4)), v = in1("v", ELEM_F32, 2, FLOATS(10, 20));
    graph *body = graph_new(a, NULL);
    value px = graph_param(body, "x", *graph_type(g, x)), pv = graph_param(body, "v", *graph_type(g, v));
    value two = graph_scalar(body, 2);
    graph_output_add(body, NULL, graph_op2(body, OP_mul, graph_op2(body, OP_add, px, pv), two));
    EXPECT_F(graph_region(g, OP_fuse, 2, (value[]){x, v}, body, 0), 22, 44, 26, 48);
}
END_TEST

static value symbolic(const char *name, elem e, dim rows, int64_t has, int64_t cols, const void *data) {
    type t = {.e = e, .rank = cols ? 2 : 1, .d = {rows, dim_num(cols)}};
    int64_t shape[] = {has, cols};
    return input(name, t, t.rank, shape, data);
}

// Three texts of 2, 1 and 3 tokens. Yields rows less their text's mean: [L,2] -> [T,2].
static value centred(value bounds, value x) {
    graph *body = graph_new(a, NULL);
    type t = *graph_type(g, x);
    t.d[0] = dim_sym(SYM_L);
    value p = graph_param(body, "x", t);
    attr axes = attr_ints(a, ATTR_axes, 1, (int64_t[]){0});
    graph_output_add(body, NULL,
                     graph_op2(body, OP_sub, p, graph_append(body, OP_reduce_mean, 1, &p, 1, &axes)));
    return graph_region(g, OP_per_sequence, 2, (value[]){bounds, x}, body, 1);
}

START_TEST(per_sequence_concatenates) {
    value x = symbolic("x", ELEM_F32, dim_sym(SYM_T), 6, 2, FLOATS(1, 2, 3, 6, 9, 9, 1, 0, 2, 0, 3, 0));
    value bounds = symbolic("bounds", ELEM_I32, (dim){SYM_S, 1}, 4, 0, INTS(0, 2, 3, 6));
    EXPECT_F(centred(bounds, x), -1, -2, 1, 2, 0, 0, -1, 0, 0, 0, 1, 0);
}
END_TEST

START_TEST(per_sequence_stacks) {
    value x = symbolic("x", ELEM_F32, dim_sym(SYM_T), 6, 2, FLOATS(1, 2, 3, 6, 9, 9, 1, 0, 2, 0, 3, 0));
    value bounds = symbolic("bounds", ELEM_I32, (dim){SYM_S, 1}, 4, 0, INTS(0, 2, 3, 6));
    value s = symbolic("s", ELEM_F32, dim_sym(SYM_S), 3, 2, FLOATS(100, 100, 200, 200, 300, 300));
    graph *body = graph_new(a, NULL);
    value p = graph_param(body, "x", type_make(ELEM_F32, 2, DIMS(dim_sym(SYM_L), N(2))));
    value q = graph_param(body, "s", type_make(ELEM_F32, 2, DIMS(N(1), N(2))));
    value first = graph_slice(body, p, 2, DIMS(N(0), N(0)), DIMS(N(1), N(2)));
    graph_output_add(body, NULL, graph_op2(body, OP_add, first, q));
    EXPECT_F(graph_region(g, OP_per_sequence, 3, (value[]){bounds, x, s}, body, 1), 101, 102, 209, 209, 301,
             300);
}
END_TEST

// Four yields, each by its own first axis; one that nobody reads, one value twice, a constant.
START_TEST(per_sequence_of_several) {
    value x = symbolic("x", ELEM_F32, dim_sym(SYM_T), 3, 2, FLOATS(1, 2, 3, 6, 9, 9));
    value bounds = symbolic("bounds", ELEM_I32, (dim){SYM_S, 1}, 3, 0, INTS(0, 2, 3));
    graph *body = graph_new(a, NULL);
    value p = graph_param(body, "x", type_make(ELEM_F32, 2, DIMS(dim_sym(SYM_L), N(2))));
    attr axes = attr_ints(a, ATTR_axes, 1, (int64_t[]){0}), to = {.id = ATTR_to, .u.e = ELEM_I32};
    value most = graph_append(body, OP_reduce_max, 1, &p, 1, &axes);
    graph_output_add(body, NULL, graph_op1(body, OP_neg, p));
    graph_output_add(body, NULL, graph_op1(body, OP_exp, p));
    graph_output_add(body, NULL, graph_append(body, OP_cast, 1, &most, 1, &to));
    graph_output_add(body, NULL, most);
    graph_output_add(body, NULL, most);
    graph_output_add(body, NULL, graph_constant_f32(body, NULL, ty(ELEM_F32, 1, (int64_t[]){1}), FLOATS(7)));
    value y = graph_region(g, OP_per_sequence, 2, (value[]){bounds, x}, body, 1);
    value numbers = graph_result(g, y, 2), rows = graph_result(g, y, 3), again = graph_result(g, y, 4);
    ck_assert_int_eq(graph_result(g, y, 3), rows);
    ck_assert_int_eq(graph_result_find(g, y, 1), VALUE_NONE);
    EXPECT_F(y, -1, -2, -3, -6, -9, -9);
    EXPECT_I(numbers, 3, 6, 9, 9);
    EXPECT_F(graph_op2(g, OP_sub, rows, again), 0, 0, 0, 0);
    EXPECT_F(rows, 3, 6, 9, 9);
    EXPECT_F(graph_result(g, y, 5), 7, 7);
}
END_TEST

START_TEST(fuse_of_several) {
    value x = in2("x", ELEM_F32, 2, 2, FLOATS(1, 2, 3, 6));
    graph *body = graph_new(a, NULL);
    value p = graph_param(body, "x", *graph_type(g, x));
    attr axes = attr_ints(a, ATTR_axes, 1, (int64_t[]){1});
    value mean = graph_append(body, OP_reduce_mean, 1, &p, 1, &axes);
    graph_output_add(body, NULL, mean);
    graph_output_add(body, NULL, p);
    graph_output_add(body, NULL, graph_op2(body, OP_sub, p, mean));
    value y = graph_region(g, OP_fuse, 1, &x, body, 0);
    value rows = graph_result(g, y, 2);
    EXPECT_F(graph_op2(g, OP_add, rows, y), 1, 2, 3, 6);
    EXPECT_F(rows, -0.5, 0.5, -1.5, 1.5);
    EXPECT_F(graph_result(g, y, 1), 1, 2, 3, 6);
    EXPECT_F(y, 1.5, 4.5);
}
END_TEST

// One text reads rows 0 and 1 of its own, one none: scores of chosen rows against all, padded to M.
START_TEST(per_sequence_of_rows) {
    value k = symbolic("k", ELEM_F32, dim_sym(SYM_T), 3, 1, FLOATS(1, 2, 5));
    value bounds = symbolic("bounds", ELEM_I32, (dim){SYM_S, 1}, 3, 0, INTS(0, 2, 3));
    value row_bounds = symbolic("row_bounds", ELEM_I32, (dim){SYM_S, 1}, 3, 0, INTS(0, 2, 2));
    value q = symbolic("q", ELEM_F32, dim_sym(SYM_R), 2, 1, FLOATS(10, 20));
    graph *body = graph_new(a, NULL);
    value pq = graph_param(body, "q", type_make(ELEM_F32, 2, DIMS(dim_sym(SYM_Q), N(1))));
    value pk = graph_param(body, "k", type_make(ELEM_F32, 2, DIMS(dim_sym(SYM_L), N(1))));
    value s = graph_op2(body, OP_matmul, pq, graph_transpose(body, pk, 2, (int64_t[]){1, 0}));
    attr shape = attr_dims(a, ATTR_shape, 2, DIMS(dim_sym(SYM_Q), dim_sym(SYM_M)));
    graph_output_add(body, NULL, graph_append(body, OP_pad, 1, &s, 1, &shape));
    value y = graph_region(g, OP_per_sequence, 4, (value[]){bounds, row_bounds, q, k}, body, 2);
    EXPECT_F(y, 10, 20, 20, 40);
    eval_options o = {.inputs = inputs, .input_count = input_count, .length = 4};
    tensor t;
    ck_assert(graph_eval(g, &o, a, &t, &d));
    ck_assert_int_eq(t.shape[1], 4);
    ck_assert_mem_eq(t.data, FLOATS(10, 20, 0, 0, 20, 40, 0, 0), 32);
    o.length = 1;
    ck_assert(!graph_eval(g, &o, a, &t, &d));
    ck_assert_ptr_nonnull(strstr(d.items[0].text, "axis 1 has length 2"));
}
END_TEST

START_TEST(no_rows) {
    value q = symbolic("q", ELEM_F32, dim_sym(SYM_R), 0, 3, FLOATS(0));
    value w = in2("w", ELEM_F32, 3, 2, FLOATS(1, 2, 3, 4, 5, 6));
    tensor t = get(graph_op1(g, OP_softmax, graph_op2(g, OP_matmul, q, w)));
    ck_assert_int_eq(t.shape[0], 0);
    ck_assert_int_eq(t.shape[1], 2);
}
END_TEST

START_TEST(bad_bounds) {
    static int32_t b[4];
    value x = symbolic("x", ELEM_F32, dim_sym(SYM_T), 3, 1, FLOATS(1, 2, 3));
    value y = centred(symbolic("bounds", ELEM_I32, (dim){SYM_S, 1}, 3, 0, b), x);
    memcpy(b, INTS(0, 2, 2), 12);
    expect_error(y, "text 1 has bounds 2 to 2");
    memcpy(b, INTS(0, 3, 2), 12);
    expect_error(y, "text 1 has bounds 3 to 2");
    memcpy(b, INTS(0, 1, 4), 12);
    expect_error(y, "there are 3 rows");
    memcpy(b, INTS(-1, 1, 3), 12);
    expect_error(y, "there are 3 rows");
    memcpy(b, INTS(INT32_MIN, INT32_MAX, 3), 12);
    expect_error(y, "text 1 has bounds");
}
END_TEST

START_TEST(bad_inputs) {
    value x = symbolic("x", ELEM_F32, dim_sym(SYM_T), 3, 1, FLOATS(1, 2, 3));
    value y = symbolic("y", ELEM_F32, dim_sym(SYM_T), 2, 1, FLOATS(1, 2));
    value sum = graph_op2(g, OP_add, x, y);
    expect_error(sum, "@g: %1 (y): the input's value is not f32[T,1], or disagrees with another input");
    inputs[1].value.e = ELEM_I32;
    expect_error(sum, "is not f32[T,1]");
    input_count = 1;
    expect_error(sum, "the input has no value");
}
END_TEST

// --- The observer

static bool see(void *context, const graph *of, value v, const tensor *t) {
    int *seen = context;
    ck_assert(!node_is_constant(graph_node(of, v)) && t->data);
    return ++*seen < 3;
}

START_TEST(observed) {
    value x = in1("x", ELEM_F32, 1, FLOATS(1)), y = graph_op2(g, OP_add, x, graph_scalar(g, 1));
    graph_output_add(g, "y", graph_op1(g, OP_exp, y));
    int seen = 1;
    eval_options o = {.inputs = inputs, .input_count = 1, .observe = see, .observe_context = &seen};
    tensor t;
    ck_assert(!graph_eval(g, &o, a, &t, &d)); // stopped at the second of three
    ck_assert_int_eq(seen, 3);
    ck_assert_int_eq(d.errors, 0);
    seen = -9;
    ck_assert(graph_eval(g, &o, a, &t, &d));
    ck_assert_int_eq(seen, -6);
}
END_TEST

int main(void) {
    return RUN_TESTS("eval", setup, teardown, arithmetic, integers_wrap, functions, nan_wins_maximum,
                     broadcasting, choosing, casts, moves, transposes_of_three_axes, gathers, gather_outside,
                     reductions, sums_are_double, softmax_rows, norms, matmuls, recipes_packed, fused,
                     per_sequence_concatenates, per_sequence_stacks, per_sequence_of_several, fuse_of_several,
                     per_sequence_of_rows, no_rows, bad_bounds, bad_inputs, observed);
}
