// links: backend passes ir llvm
// Attention over ragged sequences: any head width and number of heads, queries of all tokens, of chosen rows
// or of one row, queries, keys and values apart or merged in one operand; any block of rows a task and any
// capacity give the same bits.
#include "kernels.h"

#define SEQUENCES 5
static const int lengths[SEQUENCES] = {1, 16, 37, 5, 64};
static const int asked[SEQUENCES] = {1, 0, 11, 2, 3};

typedef enum merged { APART, QKV, KV } merged;
typedef struct shape {
    int64_t heads, width;
    merged merged;
    sym rows; // T: all tokens ask; R: chosen rows; S: one row a sequence
    double scale;
    bool twice; // transposed in two steps
    bool half;  // products of bf16
    bool large; // with scores that are far apart
} shape;

static value to_bf16(graph *g, value x) {
    attr to = {.id = ATTR_to, .u.e = ELEM_BF16};
    return graph_append(g, OP_cast, 1, &x, 1, &to);
}

// Columns [part, part + 1) of `parts` of the operand, as [rows, heads, width].
static value part_of(graph *b, value x, dim rows, const shape *p, int part, int parts) {
    int64_t h = p->heads * p->width;
    if (parts > 1)
        x = graph_slice(b, x, 2, (dim[]){dim_num(0), dim_num(part * h)},
                        (dim[]){rows, dim_num((part + 1) * h)});
    return graph_reshape(b, x, 3, (dim[]){rows, dim_num(p->heads), dim_num(p->width)});
}

// The fused body over its params.
static value attend(graph *b, const shape *p, dim rows, int count) {
    dim l = dim_sym(SYM_L);
    int own = p->merged == QKV ? 3 : 1, kv = p->merged == QKV ? 3 : p->merged == KV ? 2 : 1;
    int k = count == 1 ? 0 : 1, v = count == 3 ? 2 : k;
    static const int64_t rows_inside[] = {1, 0, 2}, turned[] = {1, 2, 0}, last_two[] = {0, 2, 1};
    value qh = graph_transpose(b, part_of(b, 0, rows, p, 0, own), 3, rows_inside);
    value kh = part_of(b, k, l, p, kv - 2 < 0 ? 0 : kv - 2, kv);
    value kt = p->twice ? graph_transpose(b, graph_transpose(b, kh, 3, rows_inside), 3, last_two)
                        : graph_transpose(b, kh, 3, turned);
    value vh = graph_transpose(b, part_of(b, v, l, p, kv - 1, kv), 3, rows_inside);
    value s = graph_op2(b, OP_matmul, qh, kt);
    if (p->scale != 0) s = graph_op2(b, OP_mul, s, graph_scalar(b, p->scale));
    value x = graph_op1(b, OP_softmax, s);
    value o = graph_op2(b, OP_matmul, p->half ? to_bf16(b, x) : x, vh);
    return graph_reshape(b, graph_transpose(b, o, 3, rows_inside), 2,
                         (dim[]){rows, dim_num(p->heads * p->width)});
}

static value build(site *s, const shape *p) {
    int64_t h = p->heads * p->width;
    value operands[5] = {site_bounds(s, "bounds", lengths)};
    int bounds = 1;
    if (p->rows == SYM_R) operands[bounds++] = site_bounds(s, "row_bounds", asked);
    int n = bounds;
    operands[n++] = site_input(s, "q", dim_sym(p->rows), p->merged == QKV ? 3 * h : h);
    if (p->merged != QKV) operands[n++] = site_input(s, "k", dim_sym(SYM_T), p->merged == KV ? 2 * h : h);
    if (p->merged == APART) operands[n++] = site_input(s, "v", dim_sym(SYM_T), h);
    for (int i = bounds; p->large && i < n; i++)
        operands[i] = graph_op2(s->g, OP_mul, operands[i], graph_scalar(s->g, 12));
    for (int i = bounds; p->half && i < n; i++) operands[i] = to_bf16(s->g, operands[i]);
    dim rows = p->rows == SYM_T ? dim_sym(SYM_L) : p->rows == SYM_R ? dim_sym(SYM_Q) : dim_num(1);
    graph *body = graph_new(s->a, "body"), *inside = graph_new(s->a, "inside");
    value params[3];
    for (int i = 0; i < n - bounds; i++) {
        const type *t = graph_type(s->g, operands[bounds + i]);
        type cut = type_make(t->e, 2, (dim[]){i == 0 ? rows : dim_sym(SYM_L), t->d[1]});
        params[i] = graph_param(body, arena_printf(s->a, "p%d", i), cut);
        graph_param(inside, arena_printf(s->a, "p%d", i), cut);
    }
    graph_output_add(inside, "y", attend(inside, p, rows, n - bounds));
    graph_output_add(body, "y", graph_region(body, OP_fuse, n - bounds, params, inside, 0));
    return graph_region(s->g, OP_per_sequence, n, operands, body, bounds);
}

static const shape shapes[] = {
    {2, 64, QKV, SYM_T},
    {3, 32, APART, SYM_T, .scale = 0.3},
    {2, 12, QKV, SYM_T, .twice = true},
    {3, 17, APART, SYM_T},
    {1, 8, KV, SYM_T},
    {2, 48, KV, SYM_R},
    {2, 17, KV, SYM_S},
    {4, 16, APART, SYM_R, .twice = true},
    {2, 5, APART, SYM_S},
    {2, 64, QKV, SYM_T, .half = true},
    {3, 32, APART, SYM_T, .scale = 0.3, .half = true},
    {2, 50, QKV, SYM_T, .twice = true, .half = true},
    {1, 8, KV, SYM_T, .half = true},
    {3, 17, KV, SYM_R, .half = true},
    {2, 24, APART, SYM_S, .half = true},
    {2, 64, QKV, SYM_T, .half = true, .large = true},
    {3, 40, APART, SYM_R, .half = true, .large = true},
};

// Whose graphs multiply bf16 in attention, with an instruction for that or without.
static const struct {
    const char *cpu;
    precision precision;
} levels[] = {{"amx", PRECISION_BF16},
              {"avx512bf16", PRECISION_BF16},
              {"avx512vnni", PRECISION_INT8},
              {"avxvnni", PRECISION_INT8}};
#define LEVELS (int)(sizeof(levels) / sizeof(*levels))

static void set_sizes(site *s) {
    s->sequences = SEQUENCES;
    for (int i = 0; i < SEQUENCES; i++) s->tokens += lengths[i], s->rows += asked[i];
}

START_TEST(bits_and_values) {
    site s;
    site_open(&s);
    set_sizes(&s);
    tensor expected = site_expect(&s, build(&s, &shapes[_i]));
    static const way ways[] = {
        {.length = 64, .batch = 2, .cut = {FORM_ROWS, 0, 0}},
        {.length = 64, .batch = 4, .nodes = true},
        {.length = 300, .batch = 1, .cut = {FORM_ROWS, 24, 0}, .backward = true},
        {.length = 100, .batch = 2, .cut = {FORM_ROWS, 1, 0}, .backward = true},
    };
    // Probabilities are rounded to bf16 before the division by their sum here, behind it there: 2^-9 each, of values up to 1.
    double tolerance = shapes[_i].half ? 0x1p-8 : 4e-6;
    size_t count = sizeof(ways) / sizeof(*ways);
    site_check(&s, &expected, ways, count, tolerance);
    for (int i = 0; shapes[_i].half && i < LEVELS; i++) {
        if (host_runs_precision(levels[i].cpu, levels[i].precision))
            site_check_on(&s, levels[i].cpu, levels[i].precision, &expected, ways, count, tolerance);
        else
            skip_part(levels[i].cpu, "attention");
    }
    site_close(&s);
}
END_TEST

// A sequence's rows do not depend on its neighbours.
START_TEST(alone) {
    site s;
    site_open(&s);
    set_sizes(&s);
    const shape p = {2, 20, QKV, SYM_T, .half = _i};
    site_expect(&s, build(&s, &p));
    way w = {.mcpu = host_cpus[HOST_CPUS - 1], .length = 64, .batch = 2};
    float *all = site_run(&s, &w);
    int first = lengths[0] + lengths[1], columns = 40;
    tensor *x = NULL, *b = NULL;
    for (int i = 0; i < s.input_count; i++) {
        if (s.inputs[i].value.rank == 1)
            b = &s.inputs[i].value;
        else
            x = &s.inputs[i].value;
    }
    x->data = (float *)x->data + first * 3 * columns;
    x->shape[0] = s.tokens = lengths[2];
    b->shape[0] = 2;
    ((int32_t *)b->data)[1] = lengths[2];
    s.sequences = 1;
    w.batch = 1;
    float *one = site_run(&s, &w);
    ck_assert_mem_eq(one, all + first * columns, sizeof(float) * (size_t)(lengths[2] * columns));
    site_close(&s);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("attention");
    tcase_add_loop_test(t, bits_and_values, 0, sizeof(shapes) / sizeof(*shapes));
    tcase_add_loop_test(t, alone, 0, 2);
    return site_main("attention", t);
}
