// links: passes ir
// Random graphs of regions with several yields, norms whose numbers something reads and attention with its
// log-sum-exp, and narrow elements: every pass alone, every pass left out, and all of them in shuffled orders. The evaluator's answers
// stay the same, the verifier agrees after each step, and a variant can be planned.
#include "answers.h"
#include "main.h"
#include "passes/passes.h"

#define GRAPHS    200
#define TOLERANCE 1e-5
#define WIDTH     8

static const target machine = TARGET_AVX512;

typedef struct maker {
    arena *a;
    graph *g;
    uint32_t state;
    int weights;
} maker;

static int draw(maker *m, int n) {
    m->state = m->state * 1664525u + 1013904223u;
    return (int)((m->state >> 16) % (uint32_t)n);
}

static attr axis(maker *m, int64_t i) {
    return attr_ints(m->a, ATTR_axes, 1, &i);
}

static bool is_rows(const graph *g, value v) {
    const type *t = graph_type(g, v);
    return t->e == ELEM_F32 && t->rank == 2 && t->d[0].s != SYM_NONE && dim_is(t->d[1], WIDTH);
}

// Rows [X,8] of `g`, X a symbol: of those that are there, the newer ones more often.
static value pick(maker *m, const graph *g) {
    value found = VALUE_NONE;
    for (value v = 0; v < g->count; v++)
        if (is_rows(g, v) && (found == VALUE_NONE || draw(m, 3))) found = v;
    return found;
}

static value weight(maker *m, int rank) {
    const char *name = arena_printf(m->a, "w%d", m->weights++);
    return graph_constant_recipe(m->g, name,
                                 recipe_tensor(m->a, name, ELEM_F32, rank, (int64_t[]){WIDTH, WIDTH}));
}

static value pointwise(maker *m, graph *g) {
    static const op unary[] = {OP_neg, OP_tanh, OP_sigmoid, OP_erf},
                    binary[] = {OP_add, OP_sub, OP_mul, OP_maximum};
    value x = pick(m, g), y = pick(m, g);
    if (draw(m, 2) || !type_eq(graph_type(g, x), graph_type(g, y))) return graph_op1(g, unary[draw(m, 4)], x);
    return graph_op2(g, OP_mul, graph_op2(g, binary[draw(m, 4)], x, y), graph_scalar(g, 0.5));
}

static value product(maker *m, graph *g) {
    value y = graph_op2(g, OP_matmul, pick(m, g), weight(m, 2));
    return draw(m, 2) ? graph_op2(g, OP_add, y, weight(m, 1)) : y;
}

// --- Norms and their numbers

static void output(maker *m, value v) {
    graph_output_add(m->g, arena_printf(m->a, "o%d", m->g->output_count), v);
}

static value mean_of_squares(maker *m, graph *g, value x) {
    value square = graph_op2(g, OP_mul, x, x);
    attr last = axis(m, 1);
    return graph_append(g, OP_reduce_mean, 1, &square, 1, &last);
}

// A norm of rows; some of mean, variance and 1 / standard deviation are outputs or are read.
static value norm(maker *m) {
    graph *g = m->g;
    value x = pick(m, g), inputs[] = {x, weight(m, 1), weight(m, 1)};
    attr eps = attr_float(ATTR_eps, 1e-3), last = axis(m, 1);
    bool root = draw(m, 3) == 0;
    value y = graph_append(g, root ? OP_rms_norm : OP_layer_norm, root ? 2 : 3, inputs, 1, &eps);
    value mean = graph_append(g, OP_reduce_mean, 1, &x, 1, &last);
    value centred = root ? x : graph_op2(g, OP_sub, x, mean);
    value variance = mean_of_squares(m, g, centred);
    value rstd = graph_op1(g, OP_rsqrt, graph_op2(g, OP_add, variance, graph_scalar(g, 1e-3)));
    if (draw(m, 2)) output(m, mean);
    if (draw(m, 4) == 0) output(m, variance);
    if (draw(m, 4) == 0) output(m, centred);
    if (draw(m, 3)) output(m, rstd);
    return draw(m, 2) ? graph_op2(g, OP_add, y, rstd) : y;
}

// --- Regions

// Yields a few of the body's values: rows, one number a row, whole numbers, one of them twice. In a
// per_sequence, also one row for all.
static void yield_some(maker *m, graph *body, bool sequence) {
    int n = 1 + draw(m, 3);
    for (int i = 0; i < n; i++) {
        value x = pick(m, body), y = x;
        attr last = axis(m, 1), first = axis(m, 0), to = {.id = ATTR_to, .u.e = ELEM_I32};
        switch (draw(m, 6)) {
        case 0: y = graph_append(body, OP_reduce_max, 1, &x, 1, &last); break;
        case 1: y = graph_append(body, OP_cast, 1, &x, 1, &to); break;
        case 2:
            if (sequence) y = graph_append(body, OP_reduce_mean, 1, &x, 1, &first);
            break;
        default: break;
        }
        graph_output_add(body, NULL, y);
    }
}

// The yields that are read: rows stay to be picked, others become outputs. Yield 0 too may be read by nobody.
static value read_some(maker *m, value region) {
    value rows = VALUE_NONE;
    int n = node_yield_count(graph_node(m->g, region));
    for (int i = 0; i < n; i++) {
        if (draw(m, 4) == 0) continue;
        value y = graph_result(m->g, region, i);
        if (is_rows(m->g, y) && draw(m, 3))
            rows = y;
        else
            output(m, y);
    }
    return rows == VALUE_NONE ? graph_op1(m->g, OP_tanh, pick(m, m->g)) : rows;
}

static value fuse(maker *m) {
    value x = pick(m, m->g), y = pick(m, m->g), w = weight(m, 2), inputs[] = {x, y, w};
    graph *body = graph_new(m->a, NULL);
    graph_param(body, "x", *graph_type(m->g, x));
    graph_param(body, "y", *graph_type(m->g, y));
    graph_param(body, "w", *graph_type(m->g, w));
    if (draw(m, 2)) graph_op2(body, OP_matmul, draw(m, 2), 2);
    for (int i = draw(m, 4); i >= 0; i--) pointwise(m, body);
    yield_some(m, body, false);
    return read_some(m, graph_region(m->g, OP_fuse, 3, inputs, body, 0));
}

static type cut(type t) {
    t.d[0] = dim_sym(SYM_L);
    return t;
}

// A value over T: of `tokens` of them.
static value pick_tokens(maker *m) {
    for (int i = 0; i < 50; i++) {
        value v = pick(m, m->g);
        if (graph_type(m->g, v)->d[0].s == SYM_T) return v;
    }
    return 0; // %x
}

// max + log (sum (exp (s - max)))
static value log_sum_exp(maker *m, graph *g, value s) {
    attr last = axis(m, 1);
    value most = graph_append(g, OP_reduce_max, 1, &s, 1, &last);
    value e = graph_op1(g, OP_exp, graph_op2(g, OP_sub, s, most));
    return graph_op2(g, OP_add, most, graph_op1(g, OP_log, graph_append(g, OP_reduce_sum, 1, &e, 1, &last)));
}

static value attention(maker *m) {
    value x = pick_tokens(m), q = graph_op2(m->g, OP_matmul, x, weight(m, 2));
    value k = graph_op2(m->g, OP_matmul, x, weight(m, 2)), bounds = 1;
    graph *body = graph_new(m->a, NULL);
    value pq = graph_param(body, "q", cut(*graph_type(m->g, q))),
          pk = graph_param(body, "k", cut(*graph_type(m->g, k)));
    value s = graph_op2(body, OP_matmul, pq, graph_transpose(body, pk, 2, (int64_t[]){1, 0}));
    s = graph_op2(body, OP_mul, s, graph_scalar(body, 0.25));
    graph_output_add(body, NULL, graph_op2(body, OP_matmul, graph_op1(body, OP_softmax, s), pk));
    if (draw(m, 4)) graph_output_add(body, NULL, log_sum_exp(m, body, s));
    if (draw(m, 4) == 0) yield_some(m, body, true);
    return read_some(m, graph_region(m->g, OP_per_sequence, 3, (value[]){bounds, q, k}, body, 1));
}

static value sequence(maker *m) {
    value x = pick_tokens(m), y = pick_tokens(m);
    graph *body = graph_new(m->a, NULL);
    graph_param(body, "x", cut(*graph_type(m->g, x)));
    graph_param(body, "y", cut(*graph_type(m->g, y)));
    for (int i = draw(m, 4); i >= 0; i--) pointwise(m, body);
    yield_some(m, body, true);
    return read_some(m, graph_region(m->g, OP_per_sequence, 3, (value[]){1, x, y}, body, 1));
}

// The rows that a head reads, of some value.
static value choose(maker *m) {
    return graph_op2(m->g, OP_gather, pick_tokens(m), 2);
}

// --- Narrow elements: of the input alone, so that no rounding on the way can become a step of a type.

static value cast_to(graph *g, value x, elem e) {
    attr to = attr_elem(ATTR_to, e);
    return graph_append(g, OP_cast, 1, &x, 1, &to);
}

// By a weight of its own, which assign_layouts packs; softened.
static value narrow_product(maker *m, value x) {
    static const elem left[] = {ELEM_BF16, ELEM_I8, ELEM_U8};
    elem e = left[draw(m, 3)], of = e == ELEM_BF16 ? e : ELEM_I8;
    const char *name = arena_printf(m->a, "w%d", m->weights++);
    recipe *w = recipe_tensor(m->a, name, ELEM_F32, 2, (int64_t[]){WIDTH, WIDTH});
    value k = graph_constant_recipe(m->g, name, recipe_cast(m->a, recipe_scale(m->a, w, 100), of));
    value y =
        graph_op2(m->g, OP_matmul, cast_to(m->g, graph_op2(m->g, OP_mul, x, graph_scalar(m->g, 64)), e), k);
    return graph_op1(m->g, OP_tanh,
                     graph_op2(m->g, OP_mul, cast_to(m->g, y, ELEM_F32), graph_scalar(m->g, 0x1p-12)));
}

// In one group a row, or in two; the numbers themselves are an output, some of them.
static value quantized(maker *m, value x) {
    static const elem to[] = {ELEM_I8, ELEM_U8, ELEM_I4};
    int64_t groups = 1 + draw(m, 2);
    elem e = to[draw(m, 3)];
    attr how[] = {attr_elem(ATTR_to, e), attr_int(ATTR_group, WIDTH / groups), attr_int(ATTR_limit, 7)};
    value scale = graph_append(m->g, OP_scales, 1, &x, 2, &how[1]);
    value q = graph_append(m->g, OP_quantize, 2, (value[]){x, scale}, 3, how);
    if (draw(m, 2)) output(m, q);
    return graph_append(m->g, OP_dequantize, 2, (value[]){q, scale}, 2, &how[1]);
}

// Rows of a narrow table, which is a literal once casts are folded.
static value narrow_rows(maker *m) {
    static const float numbers[2 * WIDTH] = {0.5f, 2, -3, 7, 9, -20, 0, 1};
    static const elem of[] = {ELEM_F16, ELEM_BF16, ELEM_I8, ELEM_U8, ELEM_I4};
    type t = type_make(ELEM_F32, 2, (dim[]){dim_num(2), dim_num(WIDTH)});
    value table = graph_constant_f32(m->g, NULL, t, numbers), narrow = cast_to(m->g, table, of[draw(m, 5)]);
    value rows = graph_op2(m->g, OP_gather, narrow, draw(m, 2) ? 4 : 5);
    return graph_op1(m->g, OP_tanh, cast_to(m->g, rows, ELEM_F32));
}

static value narrow(maker *m) {
    value x = draw(m, 2) ? 0 : graph_op2(m->g, OP_gather, 0, 2);
    switch (draw(m, 3)) {
    case 0: return narrow_product(m, x);
    case 1: return quantized(m, x);
    default: return narrow_rows(m);
    }
}

static const graph *random_graph(maker *m) {
    graph *g = m->g = graph_new(m->a, "results");
    graph_input(g, "x", type_make(ELEM_F32, 2, (dim[]){dim_sym(SYM_T), dim_num(WIDTH)}));
    graph_input(g, "bounds", type_make(ELEM_I32, 1, (dim[]){{SYM_S, 1}}));
    graph_input(g, "rows", type_make(ELEM_I32, 1, (dim[]){dim_sym(SYM_R)}));
    graph_input(g, "row_bounds", type_make(ELEM_I32, 1, (dim[]){{SYM_S, 1}}));
    graph_input(g, "ids", type_make(ELEM_I32, 1, (dim[]){dim_sym(SYM_T)}));
    graph_input(g, "chosen", type_make(ELEM_I32, 1, (dim[]){dim_sym(SYM_R)}));
    value last = 0;
    for (int i = 3 + draw(m, 8); i >= 0; i--) {
        switch (draw(m, 10)) {
        case 0: last = pointwise(m, g); break;
        case 1: last = product(m, g); break;
        case 2:
        case 3: last = norm(m); break;
        case 4: last = fuse(m); break;
        case 5: last = attention(m); break;
        case 6: last = sequence(m); break;
        case 7:
        case 8: last = narrow(m); break;
        default: last = choose(m); break;
        }
    }
    output(m, last);
    return g;
}

// --- Checking

static void hold(const graph *g, const char *list, const tensor *expected) {
    arena *a = arena_new();
    diag d;
    diag_init(&d);
    graph *h = graph_clone(a, g);
    pass_context c = {.diag = &d, .verify = true, .target = &machine};
    bool ok = passes_run(h, list, &c);
    diag_print(&d, stderr);
    ck_assert_msg(ok, "passes %s failed", list ? list : "(default)");
    double worst = answers_apart(g->output_count, expected, answers(h, a));
    if (worst > TOLERANCE) graph_print(g, NULL, stderr), graph_print(h, NULL, stderr);
    ck_assert_msg(worst <= TOLERANCE, "passes %s: off by %g", list ? list : "(default)", worst);
    if (!list) ck_assert_int_eq(passes_add_variant(h, 4, 2, &c), 0);
    diag_free(&d);
    arena_free(a);
}

// The passes before the weights' own, in an order of their own.
static void shuffled(maker *m, const tensor *expected) {
    const char *names[32];
    char list[1024] = "";
    int n = 0;
    for (int i = 0; i < passes_count(); i++)
        if (passes_info(i)->stage == STAGE_FUSED && !passes_info(i)->for_training)
            names[n++] = passes_info(i)->name;
    for (int i = n; i > 0; i--) {
        int k = draw(m, i);
        strcat(strcat(list, names[k]), ",");
        names[k] = names[i - 1];
    }
    hold(m->g, strcat(list, "assign_layouts,pack_weights"), expected);
}

START_TEST(random_results_keep_their_answers) {
    maker m = {.a = arena_new(), .state = 40503u * (uint32_t)(_i + 1)};
    const graph *g = random_graph(&m);
    diag d;
    diag_init(&d);
    ck_assert(graph_verify(g, "built", &d));
    const tensor *expected = answers(g, m.a);
    hold(g, NULL, expected);
    for (int i = 0; i < passes_count(); i++) {
        const pass_info *p = passes_info(i);
        char list[64];
        if (p->per_variant || p->for_training) continue;
        hold(g, p->name, expected);
        snprintf(list, sizeof(list), "%c%s", p->on_by_default ? '-' : '+', p->name);
        hold(g, list, expected);
    }
    for (int i = 0; i < 4; i++) shuffled(&m, expected);
    arena_free(m.a);
}
END_TEST

int main(int argc, char **argv) {
    int graphs = argc > 1 ? atoi(argv[1]) : GRAPHS;
    Suite *s = suite_create("results");
    TCase *t = tcase_create("results");
    tcase_add_loop_test(t, random_results_keep_their_answers, 0, graphs);
    suite_add_tcase(s, t);
    return suite_status(s);
}
