// links: backend passes ir llvm
// Products with what is fused to them, over shapes that are multiples of nothing, cut into tasks in every
// way.
#include "kernels.h"

#include "backend/matmul/products.h"

typedef enum activation { NONE, GELU, GELU_TANH, RELU, SILU } activation;
typedef struct shape {
    int64_t rows, k, n;
    activation act;
    bool bias, residual, norm, rms;
    double scale; // 0: none
} shape;

static value activate(graph *b, value x, activation act) {
    switch (act) {
    case NONE: return x;
    case GELU:
    case GELU_TANH: {
        attr how = attr_word(ATTR_approximation, act == GELU ? "none" : "tanh");
        return graph_append(b, OP_gelu, 1, &x, 1, &how);
    }
    case RELU: return graph_op2(b, OP_maximum, x, graph_scalar(b, 0));
    case SILU: return graph_op2(b, OP_mul, x, graph_op1(b, OP_sigmoid, x));
    }
    return x;
}

// The node of that shape; its operands are inputs and weights.
static value build(site *s, const shape *p, sym rows) {
    value operands[8] = {site_input(s, "x", dim_sym(rows), p->k), site_weight(s, "w", p->k, p->n, 0, 0.5f)};
    int n = 2, bias = n, residual, gamma;
    if (p->bias) operands[n++] = site_weight(s, "b", 0, p->n, 0.1f, 1);
    residual = n;
    if (p->residual) operands[n++] = site_input(s, "r", dim_sym(rows), p->n);
    gamma = n;
    if (p->norm || p->rms) operands[n++] = site_weight(s, "gamma", 0, p->n, 1, 0.5f);
    if (p->norm) operands[n++] = site_weight(s, "beta", 0, p->n, 0, 0.5f);
    graph *b = graph_new(s->a, "body");
    for (int i = 0; i < n; i++) graph_param(b, arena_printf(s->a, "p%d", i), *graph_type(s->g, operands[i]));
    value y = graph_op2(b, OP_matmul, 0, 1);
    if (p->scale != 0) y = graph_op2(b, OP_mul, y, graph_scalar(b, p->scale));
    if (p->bias) y = graph_op2(b, OP_add, y, bias);
    y = activate(b, y, p->act);
    if (p->residual) y = graph_op2(b, OP_add, y, residual);
    if (p->norm || p->rms) {
        attr eps = attr_float(ATTR_eps, 1e-12);
        value in[] = {y, gamma, gamma + 1};
        y = graph_append(b, p->rms ? OP_rms_norm : OP_layer_norm, p->rms ? 2 : 3, in, 1, &eps);
    }
    graph_output_add(b, "y", y);
    return graph_region(s->g, OP_fuse, n, operands, b, 0);
}

static const way ways[] = {
    {.length = 64, .batch = 1, .cut = {FORM_ROWS, 0, 0}},
    {.length = 64, .batch = 1, .nodes = true},
    {.length = 512, .batch = 2, .cut = {FORM_ROWS, 16, 0}, .backward = true},
    {.length = 64, .batch = 1, .cut = {FORM_COLUMNS, 0, 48}},
    {.length = 80, .batch = 1, .cut = {FORM_COLUMNS, 24, 16}, .backward = true},
    {.length = 64, .batch = 1, .cut = {FORM_COLUMNS, 0, 80}, .streams = 8},
};
enum { WAYS = sizeof(ways) / sizeof(*ways) };

// Every way to cut it gives the same bits, near the evaluator's.
static void check_node(site *s, value v) {
    tensor expected = site_expect(s, v);
    site_check(s, &expected, ways, WAYS, 3e-6);
}

static void check(const shape *p, sym rows) {
    site s;
    site_open(&s);
    s.tokens = s.sequences = s.rows = p->rows;
    check_node(&s, build(&s, p, rows));
    site_close(&s);
}

static const shape shapes[] = {
    {1, 48, 2, .bias = true},
    {7, 3, 16},
    {8, 64, 48, .bias = true, .residual = true, .norm = true},
    {13, 37, 65, GELU, .bias = true},
    {50, 128, 256, GELU_TANH, .bias = true},
    {33, 72, 112, .bias = true, .residual = true, .norm = true},
    {29, 5, 17, RELU, .bias = true, .scale = 0.25},
    {61, 96, 144, SILU, .residual = true},
    {19, 768, 100, .residual = true, .rms = true},
    {24, 130, 31, .norm = true},
};

START_TEST(fused) {
    check(&shapes[_i], _i % 3 == 0 ? SYM_T : _i % 3 == 1 ? SYM_S : SYM_R);
}
END_TEST

static const shape long_shapes[] = {
    {1, 1280, 48},
    {29, 1536, 100, GELU, .bias = true, .residual = true, .norm = true},
    {61, 2052, 35, .bias = true, .rms = true}, // three stretches of 171 turns
};

// Where the second cache is large, a long k is cut into stretches. The bits are those of a product that is not cut.
START_TEST(long_k) {
    static const char *const cpus[] = {"x86-64-v4", "sapphirerapids"};
    if (!host_runs_precision(cpus[1], PRECISION_F32)) SKIP("avx512", "%s", cpus[1]);
    const shape *p = &long_shapes[_i];
    site s;
    site_open(&s);
    s.tokens = s.sequences = s.rows = p->rows;
    tensor expected = site_expect(&s, build(&s, p, SYM_T));
    float *first = NULL;
    for (int i = 0; i < 2 * WAYS; i++) {
        way w = ways[i / 2];
        w.mcpu = cpus[i % 2];
        w.family = "matmul";
        float *got = site_run(&s, &w);
        double error = site_error(&expected, got);
        ck_assert_msg(error < 3e-6, "%s, way %d: %g", w.mcpu, i / 2, error);
        if (!first) first = got;
        ck_assert_msg(memcmp(first, got, sizeof(float) * (size_t)tensor_count(&expected)) == 0,
                      "%s, way %d: other bits", w.mcpu, i / 2);
    }
    site_close(&s);
}
END_TEST

// A product alone is a kernel too.
START_TEST(plain) {
    site s;
    site_open(&s);
    s.tokens = s.sequences = s.rows = 21;
    value x = site_input(&s, "x", dim_sym(SYM_T), 40), w = site_weight(&s, "w", 40, 90, 0, 1);
    check_node(&s, graph_op2(s.g, OP_matmul, x, w));
    ck_assert_int_gt(phases_that_stream, 0); // each task's beginning: kernels.h
    site_close(&s);
}
END_TEST

// --- The rows of kernels.def

// A graph that the product computes, and how far it may be off. A product that has no case here does not
// compile.
typedef struct product_test {
    value (*build)(site *s);
    double tolerance;
    const char *cpu; // NULL: the one of host_cpus with the product's ISA
    precision precision;
} product_test;

static value build_f32(site *s) {
    static const shape p = {29, 203, 131, GELU, .bias = true};
    return build(s, &p, SYM_T);
}

// The parts of a group that are there: 203 = 2 * 101 + 1 = 4 * 50 + 3.
static value build_bf16(site *s) {
    value x = site_input_of(s, "x", ELEM_BF16, dim_sym(SYM_T), 203, 0, 1);
    return graph_op2(s->g, OP_matmul, x, site_weight_of(s, "w", ELEM_BF16, 203, 131, 0, 0.5f));
}

// Numbers that all levels take: up to 127.
static value build_i8(site *s) {
    value x = site_input_of(s, "x", ELEM_U8, dim_sym(SYM_T), 203, 64, 63.9f);
    return graph_op2(s->g, OP_matmul, x, site_weight_of(s, "w", ELEM_I8, 203, 131, 0, 127.9f));
}

// Up to 255.
static value build_whole_u8(site *s) {
    value x = site_input_of(s, "x", ELEM_U8, dim_sym(SYM_T), 203, 128, 127.9f);
    return graph_op2(s->g, OP_matmul, x, site_weight_of(s, "w", ELEM_I8, 203, 131, 0, 127.9f));
}

static value build_widened(site *s, elem e, float spread) {
    value operands[] = {site_input(s, "x", dim_sym(SYM_T), 203),
                        site_weight_of(s, "w", e, 203, 131, 0, spread), site_weight(s, "b", 0, 131, 0.1f, 1)};
    graph *b = graph_new(s->a, "body");
    for (int i = 0; i < 3; i++) graph_param(b, arena_printf(s->a, "p%d", i), *graph_type(s->g, operands[i]));
    attr to = attr_elem(ATTR_to, ELEM_F32);
    value w = graph_append(b, OP_cast, 1, (value[]){1}, 1, &to);
    graph_output_add(b, "y", graph_op2(b, OP_add, graph_op2(b, OP_matmul, 0, w), 2));
    return graph_region(s->g, OP_fuse, 3, operands, b, 0);
}
static value build_widened_bf16(site *s) {
    return build_widened(s, ELEM_BF16, 0.5f);
}
static value build_widened_i8(site *s) {
    return build_widened(s, ELEM_I8, 127.9f);
}

static product_test test_of(product_id id) {
    switch (id) {
    case PRODUCT_f32_generic:
    case PRODUCT_f32_avx2:
    case PRODUCT_f32_avx512:
    case PRODUCT_f32_neon: return (product_test){build_f32, 3e-6, NULL, PRECISION_F32};
    case PRODUCT_bf16_avx512bf16: return (product_test){build_bf16, 3e-6, "avx512bf16", PRECISION_BF16};
    case PRODUCT_bf16_amx: return (product_test){build_bf16, 3e-6, "amx", PRECISION_BF16};
    case PRODUCT_i8_amx: return (product_test){build_whole_u8, 1e-9, "amx", PRECISION_INT8};
    case PRODUCT_i8_avx2: return (product_test){build_i8, 1e-9, "avx2", PRECISION_INT8};
    case PRODUCT_i8_avx512: return (product_test){build_i8, 1e-9, "avx512", PRECISION_INT8};
    case PRODUCT_i8_avxvnni: return (product_test){build_whole_u8, 1e-9, "avxvnni", PRECISION_INT8};
    case PRODUCT_i8_avx512vnni: return (product_test){build_whole_u8, 1e-9, "avx512vnni", PRECISION_INT8};
    case PRODUCT_f32_bf16_avx2: return (product_test){build_widened_bf16, 3e-6, "avx2", PRECISION_BF16};
    case PRODUCT_f32_bf16_avx512: return (product_test){build_widened_bf16, 3e-6, "avx512", PRECISION_BF16};
    case PRODUCT_f32_i8_avx2: return (product_test){build_widened_i8, 3e-6, "avx2", PRECISION_INT8W};
    case PRODUCT_f32_i8_avx512: return (product_test){build_widened_i8, 3e-6, "avx512", PRECISION_INT8W};
    case PRODUCT_COUNT: break;
    }
    return (product_test){0};
}

// Of this architecture, the CPU whose ISA is the product's; NULL: it is another architecture's.
static const char *cpu_of(product_id id) {
    target t;
    diag d;
    product_test test = test_of(id);
    diag_init(&d);
    bool here = test.cpu && target_init(&t, NULL, test.cpu, test.precision, &d);
    diag_free(&d);
    if (here) return test.cpu;
    for (int i = 0; i < HOST_CPUS; i++)
        if (!strcmp(host_isa(host_cpus[i]), product_row_of(id)->isa)) return host_cpus[i];
    return NULL;
}

static void check_rows(product_id id, int64_t rows) {
    const product_row *row = product_row_of(id);
    product_test test = test_of(id);
    way w = {.mcpu = cpu_of(id),
             .precision = test.precision,
             .family = "matmul",
             .length = 64,
             .batch = 1,
             .nodes = true};
    if (!host_runs_precision(w.mcpu, w.precision)) SKIP(row->isa, "%s", row->name);
    site s;
    site_open(&s);
    s.tokens = s.sequences = s.rows = rows;
    tensor expected = site_expect(&s, test.build(&s));
    double error = site_error(&expected, site_run(&s, &w));
    ck_assert_msg(error < test.tolerance, "%s, %d rows: %g", row->name, (int)rows, error);
    site_close(&s);
}

START_TEST(every_product) {
    check_rows((product_id)_i, 29);
}
END_TEST

// Every number of rows that one register tile takes, and one more, of two tiles.
START_TEST(every_height) {
    for (int64_t rows = 1; rows <= product_row_of((product_id)_i)->product.rows + 1; rows++)
        check_rows((product_id)_i, rows);
}
END_TEST

// Four groups of k, each row with a scale for each, and a norm behind them.
static value build_groups(site *s) {
    enum { K = 256, G = 4, N = 131 };
    value operands[] = {site_input_of(s, "x", ELEM_U8, dim_sym(SYM_T), K, 64, 63.9f),
                        site_weight_of(s, "w", ELEM_I8, K, N, 0, 127.9f),
                        site_weight_of(s, "c", ELEM_I32, G, N, 0, 20000),
                        site_input_of(s, "s", ELEM_F32, dim_sym(SYM_T), G, 0.02f, 0.01f),
                        site_weight(s, "gamma", 0, N, 1, 0.5f)};
    graph *b = graph_new(s->a, "body");
    for (int i = 0; i < 5; i++) graph_param(b, arena_printf(s->a, "p%d", i), *graph_type(s->g, operands[i]));
    attr group = attr_int(ATTR_group, K / G), to = attr_elem(ATTR_to, ELEM_F32),
         eps = attr_float(ATTR_eps, 1e-5);
    attr column = attr_dims(s->a, ATTR_shape, 3, (dim[]){dim_sym(SYM_T), dim_num(G), dim_num(1)}),
         rows = attr_dims(s->a, ATTR_shape, 2, (dim[]){dim_sym(SYM_T), dim_num(N)}),
         axes = attr_ints(s->a, ATTR_axes, 1, (int64_t[]){1});
    value sums = graph_op2(b, OP_add, graph_append(b, OP_matmul, 2, (value[]){0, 1}, 1, &group), 2);
    value y = graph_op2(b, OP_mul, graph_append(b, OP_cast, 1, &sums, 1, &to),
                        graph_append(b, OP_reshape, 1, (value[]){3}, 1, &column));
    y = graph_append(b, OP_reduce_sum, 1, &y, 1, &axes);
    y = graph_append(b, OP_reshape, 1, &y, 1, &rows);
    graph_output_add(b, "y", graph_append(b, OP_rms_norm, 2, (value[]){y, 4}, 1, &eps));
    return graph_region(s->g, OP_fuse, 5, operands, b, 0);
}

// A k that AMX's tiles take in stretches of 12 steps, and a norm behind it.
static value build_long(site *s) {
    enum { K = 1536, N = 131 };
    value operands[] = {site_input_of(s, "x", ELEM_BF16, dim_sym(SYM_T), K, 0, 1),
                        site_weight_of(s, "w", ELEM_BF16, K, N, 0, 0.1f), site_weight(s, "b", 0, N, 0.1f, 1),
                        site_input(s, "r", dim_sym(SYM_T), N), site_weight(s, "gamma", 0, N, 1, 0.5f)};
    graph *b = graph_new(s->a, "body");
    for (int i = 0; i < 5; i++) graph_param(b, arena_printf(s->a, "p%d", i), *graph_type(s->g, operands[i]));
    attr eps = attr_float(ATTR_eps, 1e-5);
    value y = graph_op2(b, OP_add, graph_op2(b, OP_add, graph_op2(b, OP_matmul, 0, 1), 2), 3);
    graph_output_add(b, "y", graph_append(b, OP_rms_norm, 2, (value[]){y, 4}, 1, &eps));
    return graph_region(s->g, OP_fuse, 5, operands, b, 0);
}

// Eight steps a stretch; nothing is fused.
static value build_longer(site *s) {
    value x = site_input_of(s, "x", ELEM_BF16, dim_sym(SYM_T), 2048, 0, 1);
    return graph_op2(s->g, OP_matmul, x, site_weight_of(s, "w", ELEM_BF16, 2048, 80, 0, 0.1f));
}

// Every way to cut a product gives the same bits, near the evaluator's.
static void check_cuts(product_id id, int64_t rows, value (*build_node)(site *s)) {
    const product_row *row = product_row_of(id);
    product_test test = test_of(id);
    const char *cpu = cpu_of(id);
    if (!host_runs_precision(cpu, test.precision)) SKIP(row->isa, "%s", row->name);
    site s;
    site_open(&s);
    s.tokens = s.sequences = s.rows = rows;
    tensor expected = site_expect(&s, build_node(&s));
    float *first = NULL;
    for (int i = 0; i < WAYS; i++) {
        way w = ways[i];
        w.mcpu = cpu;
        w.precision = test.precision;
        w.family = "matmul";
        float *got = site_run(&s, &w);
        double error = site_error(&expected, got);
        ck_assert_msg(error < 3e-6, "%s, way %d: %g", row->name, i, error);
        if (!first) first = got;
        ck_assert_msg(memcmp(first, got, sizeof(float) * (size_t)tensor_count(&expected)) == 0,
                      "%s, way %d: other bits", row->name, i);
    }
    site_close(&s);
}

START_TEST(every_cut) {
    const target_product *of = &product_row_of((product_id)_i)->product;
    check_cuts((product_id)_i, 29, of->left == ELEM_U8 ? build_groups : test_of((product_id)_i).build);
    if (of->left != ELEM_BF16 || of->step != STEP_TILES) return;
    for (int64_t rows = 1; rows <= 61; rows += 30) // tiles of both heights, alone and after others
        check_cuts((product_id)_i, rows, build_long);
    check_cuts((product_id)_i, 46, build_longer);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("matmul");
    tcase_add_loop_test(t, fused, 0, sizeof(shapes) / sizeof(*shapes));
    tcase_add_loop_test(t, long_k, 0, sizeof(long_shapes) / sizeof(*long_shapes));
    tcase_add_test(t, plain);
    for (int i = 0; i < PRODUCT_COUNT; i++)
        if (cpu_of((product_id)i)) {
            tcase_add_loop_test(t, every_product, i, i + 1);
            tcase_add_loop_test(t, every_height, i, i + 1);
            if (product_row_of((product_id)i)->product.right != ELEM_F32)
                tcase_add_loop_test(t, every_cut, i, i + 1);
        }
    return site_main("matmul", t);
}
