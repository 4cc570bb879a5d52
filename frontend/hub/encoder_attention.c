// Attention: bodies over one sequence's rows.
#include <math.h>

#include "encoder.h"

static value param(const hub_builder *b, graph *body, const char *name) {
    dim d[] = {dim_sym(SYM_L), dim_num(b->config->sizes[SIZE_HIDDEN])};
    return graph_param(body, name, type_make(ELEM_F32, 2, d));
}

// [L,H] -> the heads' rows, its axes in the order of `perm` over (L, head, d).
static value heads_of(const hub_builder *b, graph *body, value x, const int64_t *perm) {
    int64_t n = b->config->heads, width = b->config->sizes[SIZE_HIDDEN];
    dim split_shape[] = {dim_sym(SYM_L), dim_num(n), dim_num(width / n)};
    return graph_transpose(body, graph_reshape(body, x, 3, split_shape), 3, perm);
}

static value probabilities(const hub_builder *b, graph *body, value q, value k) {
    value qh = heads_of(b, body, q, (int64_t[]){1, 0, 2});
    value kt = heads_of(b, body, k, (int64_t[]){1, 2, 0});
    double d = (double)(b->config->sizes[SIZE_HIDDEN] / b->config->heads);
    value products = graph_op2(body, OP_matmul, qh, kt);
    value scores = graph_op2(body, OP_mul, products, graph_scalar(body, 1 / sqrt(d)));
    graph_name(body, scores, "scores");
    value p = graph_op1(body, OP_softmax, scores);
    graph_name(body, p, "probabilities");
    return p;
}

value hub_build_context(hub_builder *b, value q, value k, value v) {
    graph *body = graph_new(b->g->arena, NULL);
    value pq = param(b, body, "q"), pk = param(b, body, "k"), pv = param(b, body, "v");
    value p = probabilities(b, body, pq, pk);
    value o = graph_op2(body, OP_matmul, p, heads_of(b, body, pv, (int64_t[]){1, 0, 2}));
    dim shape[] = {dim_sym(SYM_L), dim_num(b->config->sizes[SIZE_HIDDEN])};
    o = graph_reshape(body, graph_transpose(body, o, 3, (int64_t[]){1, 0, 2}), 2, shape);
    graph_output_add(body, NULL, o);
    return graph_region(b->g, OP_per_sequence, 4, (value[]){b->bounds, q, k, v}, body, 1);
}

value hub_build_attentions(hub_builder *b, int i) {
    graph *body = graph_new(b->g->arena, NULL);
    value q = param(b, body, "q"), k = param(b, body, "k");
    value p = graph_transpose(body, probabilities(b, body, q, k), 3, (int64_t[]){1, 0, 2});
    dim shape[] = {dim_sym(SYM_L), dim_num(b->config->heads), dim_sym(SYM_M)};
    attr padded = {.id = ATTR_shape, .n = 3, .u.dims = shape};
    graph_output_add(body, NULL, graph_append(body, OP_pad, 1, &p, 1, &padded));
    value v =
        graph_region(b->g, OP_per_sequence, 3, (value[]){b->bounds, b->queries[i], b->keys[i]}, body, 1);
    return hub_build_layer_named(b, v, i, "attention.probabilities");
}
