// The cost model of computing values again: products at the arithmetic rate of their kernels, everything else by its
// ops and by the bytes that it moves. Only sums and ratios matter.
#include "passes/recompute/recompute.h"

// The share of the peak that products reach, and ops that are no product, of which those with a polynomial count
// as many.
#define PRODUCT_SHARE    0.9
#define SIMPLE_SHARE     0.25
#define POLYNOMIAL_FLOPS 24
#define NORM_FLOPS       8
#define RANDOM_FLOPS     60 // ten rounds of Philox for four numbers

remake_rates rates_of(const target *t, const variant *x) {
    const target_product *f32 = target_product_find(t, ELEM_F32, ELEM_F32);
    double peak = f32 ? f32->peak_gflops * 1e9 : 1e9;
    remake_rates r = {
        .flops = PRODUCT_SHARE * peak, .simple_flops = SIMPLE_SHARE * peak, .bytes = t->memory_gbs * 1e9};
    int64_t texts = ceil_div(x->tokens, x->length);
    r.most.v[SYM_T] = x->tokens;
    r.most.v[SYM_S] = r.most.v[SYM_R] = texts;
    r.most.v[SYM_L] = r.most.v[SYM_M] = x->length;
    r.most.v[SYM_Q] = 1;
    return r;
}

static double elements(const remake_rates *r, const type *t) {
    int64_t n = type_count_bound(t, &r->most);
    return n < 0 ? 0 : (double)n;
}

double value_bytes(const remake_rates *r, const type *t) {
    if (t->layout == LAYOUT_PACKED) return (double)type_bytes(t);
    return elements(r, t) * elem_bits(t->e) / 8;
}

// Of an element of the result, where it is not 1.
static double flops_of(op o) {
    static const unsigned char polynomials[OP_COUNT] = {
        [OP_exp] = 1, [OP_log] = 1,  [OP_tanh] = 1,    [OP_cos] = 1,    [OP_sin] = 1,
        [OP_erf] = 1, [OP_gelu] = 1, [OP_sigmoid] = 1, [OP_softmax] = 1};
    if (polynomials[o]) return POLYNOMIAL_FLOPS;
    if (o == OP_random) return RANDOM_FLOPS;
    if (o == OP_layer_norm || o == OP_rms_norm) return NORM_FLOPS;
    return op_flag_bits(o) & (VIEW | LEAF) ? 0 : 1;
}

// Arithmetic alone, of one node or a body's.
static double op_seconds(const remake_rates *r, const graph *g, value v) {
    const node *n = graph_node(g, v);
    double sum = 0;
    if (n->op == OP_matmul) {
        const type *left = graph_type(g, n->inputs[0]);
        return 2 * elements(r, &n->type) * (double)dim_value(left->d[left->rank - 1], &r->most) / r->flops;
    }
    if (!n->body) return elements(r, &n->type) * flops_of(n->op) / r->simple_flops;
    for (value u = 0; u < n->body->count; u++) sum += op_seconds(r, n->body, u);
    return n->op == OP_per_sequence ? sum * (double)r->most.v[SYM_S] : sum;
}

double node_seconds(const remake_rates *r, const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (n->op == OP_input || n->op == OP_constant || n->op == OP_result) return 0;
    double bytes = 0;
    for (int i = 0; i < n->input_count; i++) bytes += value_bytes(r, graph_type(g, n->inputs[i]));
    for (int i = 0; i < node_yield_count(n); i++) {
        value result = graph_result_find(g, v, i);
        if (result != VALUE_NONE) bytes += value_bytes(r, graph_type(g, result));
    }
    return op_seconds(r, g, v) + bytes / r->bytes;
}

double graph_seconds(const remake_rates *r, const graph *g) {
    double sum = 0;
    for (value v = 0; v < g->count; v++) sum += node_seconds(r, g, v);
    return sum;
}
