// links: backend passes ir llvm
// The numbers of a row are the same bits whatever rows are beside it, before it and behind it: products of bf16 and of
// 8-bit numbers, at each level that this machine runs, of 1 to 33 rows and more.
#include "kernels.h"

enum { ROWS = 70, MOST = 33 };

static const char *const levels[] = {"amx", "avx512bf16", "avx512vnni", "avx512", "avxvnni", "avx2"};
enum { LEVELS = sizeof(levels) / sizeof(levels[0]) };

typedef struct shape {
    int64_t k, n;
    bool gelu;
} shape;
static const shape shapes[] = {{768, 96, true}, {203, 131, false}, {48, 16, false}, {64, 40, true}};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static value cast(graph *g, value x, elem to) {
    attr a = attr_elem(ATTR_to, to);
    return graph_append(g, OP_cast, 1, &x, 1, &a);
}

static graph *body_of(site *s, const value *operands, int n) {
    graph *b = graph_new(s->a, "body");
    for (int i = 0; i < n; i++) graph_param(b, arena_printf(s->a, "p%d", i), *graph_type(s->g, operands[i]));
    return b;
}

// f(bf16(x) w + b) in f32
static value build_bf16(site *s, const shape *p) {
    value x = cast(s->g, site_input(s, "x", dim_sym(SYM_T), p->k), ELEM_BF16);
    int64_t size[] = {p->k, p->n};
    site_weight(s, "w", p->k, p->n, 0, 0.5f);
    recipe *r = recipe_cast(s->a, recipe_tensor(s->a, "w", ELEM_F32, 2, size), ELEM_BF16);
    value operands[] = {x, graph_constant_recipe(s->g, "wb", r), site_weight(s, "b", 0, p->n, 0.1f, 1)};
    graph *b = body_of(s, operands, 3);
    value y = graph_op2(b, OP_add, graph_op2(b, OP_matmul, 0, 1), 2);
    attr how = attr_word(ATTR_approximation, "none");
    graph_output_add(b, "y", p->gelu ? graph_append(b, OP_gelu, 1, &y, 1, &how) : y);
    return graph_region(s->g, OP_fuse, 3, operands, b, 0);
}

// x and w hold whole numbers. `x` stays below 128: products of class avx2 take no larger ones.
static value build_u8(site *s, const shape *p) {
    value x = site_input(s, "x", dim_sym(SYM_T), p->k);
    tensor *in = &s->inputs[s->input_count - 1].value;
    for (int64_t i = 0; i < tensor_count(in); i++) ((float *)in->data)[i] = (float)(site_bits(s) & 127);
    int8_t *data = ARENA_ARRAY(s->a, int8_t, p->k * p->n);
    for (int64_t i = 0; i < p->k * p->n; i++) data[i] = (int8_t)(site_bits(s) % 255 - 127);
    s->weights[s->weight_count++] =
        (named){"w", {.e = ELEM_I8, .rank = 2, .shape = {p->k, p->n}, .data = data}};
    value w = graph_constant_recipe(s->g, "w", recipe_tensor(s->a, "w", ELEM_I8, 2, (int64_t[]){p->k, p->n}));
    return cast(s->g, graph_op2(s->g, OP_matmul, cast(s->g, x, ELEM_U8), w), ELEM_F32);
}

static const struct {
    precision precision;
    value (*build)(site *s, const shape *p);
    double tolerance;
} kinds[] = {{PRECISION_BF16, build_bf16, 2e-5}, {PRECISION_INT8, build_u8, 1e-6}};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

// `count` rows of the input from row `first` on.
static float *run_rows(site_code *c, const float *x, int64_t k, int64_t first, int64_t count) {
    site *s = c->r.s;
    tensor *in = &s->inputs[0].value;
    s->tokens = in->shape[0] = count;
    in->data = (float *)(uintptr_t)(x + first * k);
    return site_call(c);
}

static bool level_runs(const char *level, precision p) {
    target t;
    diag d;
    diag_init(&d);
    bool ok = target_init(&t, NULL, level, p, &d) && runs_here(&t);
    diag_free(&d);
    return ok;
}

static void check_cut(site *s, const tensor *expected, const way *w, double tolerance, float **first) {
    int64_t k = s->inputs[0].value.shape[1], n = expected->shape[1];
    const float *x = s->inputs[0].value.data;
    site_code c;
    site_compile(s, w, &c);
    float *all = run_rows(&c, x, k, 0, ROWS);
    double error = site_error(expected, all);
    ck_assert_msg(error < tolerance, "%s: %g", w->mcpu, error);
    if (!*first) *first = all;
    ck_assert_msg(!memcmp(*first, all, (size_t)(ROWS * n) * 4), "%s: cut otherwise, other bits", w->mcpu);
    for (int64_t count = 1; count <= MOST; count++)
        for (int64_t from = 0; from <= ROWS - MOST; from += ROWS - MOST) {
            float *some = run_rows(&c, x, k, from, count);
            ck_assert_msg(!memcmp(all + from * n, some, (size_t)(count * n) * 4),
                          "%s: %d rows from row %d on: other bits than among %d", w->mcpu, (int)count,
                          (int)from, ROWS);
        }
    run_rows(&c, x, k, 0, ROWS);
    site_code_close(&c);
}

START_TEST(any_rows) {
    int kind = _i % KINDS, level = _i / KINDS / SHAPES;
    const shape *p = &shapes[_i / KINDS % SHAPES];
    if (!level_runs(levels[level], kinds[kind].precision))
        SKIP(levels[level], "%s", precision_name(kinds[kind].precision));
    static const task_split cuts[] = {{FORM_ROWS, 0, 0}, {FORM_ROWS, 16, 0}, {FORM_COLUMNS, 32, 48}};
    site s;
    site_open(&s);
    s.tokens = s.sequences = s.rows = ROWS;
    tensor expected = site_expect(&s, kinds[kind].build(&s, p));
    float *first = NULL;
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        way w = {.mcpu = levels[level],
                 .precision = kinds[kind].precision,
                 .length = i ? ROWS : 2 * ROWS,
                 .batch = 1,
                 .cut = cuts[i],
                 .streams = i == 2 ? 8 : 0,
                 .backward = i == 1};
        check_cut(&s, &expected, &w, kinds[kind].tolerance, &first);
    }
    site_close(&s);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("rows");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, any_rows, 0, KINDS * SHAPES * LEVELS);
    return site_main("rows", t);
}
