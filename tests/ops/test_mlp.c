// links: backend passes ir llvm
// Two products in one kernel: any slice of the hidden columns gives the bits of two kernels.
#include "kernels.h"

typedef struct shape {
    int64_t rows, k, hidden, n;
    bool norm;
    int chunks[3];
} shape;

static value gelu(graph *g, value x) {
    attr how = attr_word(ATTR_approximation, "none");
    return graph_append(g, OP_gelu, 1, &x, 1, &how);
}

static value box(site *s, int n, const value *operands, value (*body)(graph *b, const shape *p, int first),
                 const shape *p, int first) {
    graph *b = graph_new(s->a, "body");
    for (int i = 0; i < n; i++) graph_param(b, arena_printf(s->a, "p%d", i), *graph_type(s->g, operands[i]));
    graph_output_add(b, "y", body(b, p, first));
    return graph_region(s->g, OP_fuse, n, operands, b, 0);
}

// params: x w1 b1
static value up(graph *b, const shape *p, int first) {
    (void)p;
    return gelu(b, graph_op2(b, OP_add, graph_op2(b, OP_matmul, first, first + 1), first + 2));
}

static value finish(graph *b, const shape *p, value h, int w2, int residual) {
    value y = graph_op2(b, OP_add, graph_op2(b, OP_matmul, h, w2), w2 + 1);
    if (!p->norm) return y;
    attr eps = attr_float(ATTR_eps, 1e-12);
    value in[] = {graph_op2(b, OP_add, y, residual), w2 + 2, w2 + 3};
    return graph_append(b, OP_layer_norm, 3, in, 1, &eps);
}

// params: h w2 b2 [gamma beta x]
static value down(graph *b, const shape *p, int first) {
    return finish(b, p, first, first + 1, first + 5);
}
// params: x w1 b1 w2 b2 [gamma beta]
static value both(graph *b, const shape *p, int first) {
    return finish(b, p, up(b, p, first), first + 3, first);
}

static value build(site *s, const shape *p, bool fused) {
    value x = site_input(s, "x", dim_sym(SYM_T), p->k);
    value w1 = site_weight(s, "w1", p->k, p->hidden, 0, 0.3f), b1 = site_weight(s, "b1", 0, p->hidden, 0, 1);
    value w2 = site_weight(s, "w2", p->hidden, p->n, 0, 0.3f), b2 = site_weight(s, "b2", 0, p->n, 0, 1);
    value gamma = site_weight(s, "gamma", 0, p->n, 1, 0.2f), beta = site_weight(s, "beta", 0, p->n, 0, 0.5f);
    if (fused) return box(s, p->norm ? 7 : 5, (value[]){x, w1, b1, w2, b2, gamma, beta}, both, p, 0);
    value h = box(s, 3, (value[]){x, w1, b1}, up, p, 0);
    return box(s, p->norm ? 6 : 3, (value[]){h, w2, b2, gamma, beta, x}, down, p, 0);
}

static const shape shapes[] = {
    {21, 40, 96, 40, true, {16, 48, 96}},
    {140, 33, 130, 33, true, {32, 64, 144}},
    {5, 17, 31, 50, false, {16, 32, 0}},
};

START_TEST(slices) {
    const shape *p = &shapes[_i];
    site separate, one;
    site_open(&separate);
    site_open(&one);
    separate.tokens = one.tokens = p->rows;
    tensor expected = site_expect(&separate, build(&separate, p, false));
    site_expect(&one, build(&one, p, true));
    for (int c = 0; c < HOST_CPUS; c++) {
        if (!site_runs(host_cpus[c])) continue;
        way w = {.mcpu = host_cpus[c], .length = 160, .batch = 1};
        float *want = site_run(&separate, &w);
        double error = site_error(&expected, want);
        ck_assert_msg(error < 3e-6, "%s: %g", w.mcpu, error);
        for (int i = 0; i < 3; i++) {
            w.chunk = p->chunks[i];
            w.cut.block_rows = i * 24;
            w.backward = i & 1;
            float *got = site_run(&one, &w);
            size_t bytes = sizeof(float) * (size_t)tensor_count(&expected);
            ck_assert_msg(memcmp(want, got, bytes) == 0, "%s, chunk %d: other bits (%g)", w.mcpu, w.chunk,
                          site_error(&expected, got));
        }
    }
    site_close(&separate);
    site_close(&one);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("mlp");
    tcase_add_loop_test(t, slices, 0, sizeof(shapes) / sizeof(*shapes));
    return site_main("mlp", t);
}
