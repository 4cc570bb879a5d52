// Products of rows with weights, and with other matrices of known size.
#include <inttypes.h>

#include "passes/lower/lower.h"

// The product of rows x, made inside of the box or not, with the f32 weight w: weights alone are narrow.
static value widened(lower *l, open_box *b, value x, value w) {
    attr to = attr_elem(ATTR_to, ELEM_F32);
    value narrow = right_narrow(l, w), wide = box_add(l, b, OP_cast, 1, &narrow, 1, &to);
    value sums = box_add(l, b, OP_matmul, 2, (value[]){x, wide}, 0, NULL);
    if (l->weight == ELEM_BF16) return sums;
    return box_add(l, b, OP_mul, 2, (value[]){sums, weight_scales(l, w)}, 0, NULL);
}

static value in_bf16(lower *l, open_box *b, value x, bool inside, value w) {
    attr to = attr_elem(ATTR_to, ELEM_BF16);
    value rows = inside ? box_add(l, b, OP_cast, 1, &x, 1, &to) : rows_cast(l, x);
    return box_add(l, b, OP_matmul, 2, (value[]){rows, right_narrow(l, w)}, 0, NULL);
}

// Hidden rows that stay in the box.
static lower_rows quantize_inside(lower *l, open_box *b, value x, bool whole) {
    const type *t = graph_type(rewriter_graph(l->r), x);
    int64_t group = whole ? t->d[1].n : rows_group(l, t, true);
    attr attrs[] = {attr_elem(ATTR_to, ELEM_U8), attr_int(ATTR_group, group), attr_int(ATTR_limit, l->limit)};
    value scale = box_add(l, b, OP_scales, 1, &x, 2, attrs + 1);
    value narrow = box_add(l, b, OP_quantize, 2, (value[]){x, scale}, 3, attrs);
    return (lower_rows){.x = x, .narrow = narrow, .scale = scale, .group = group};
}

// Sums of groups [X,G,N] times the scales of the rows' groups [X,G], added up.
static value add_groups(lower *l, open_box *b, value sums, value scale) {
    graph *g = rewriter_graph(l->r);
    type t = *graph_type(g, sums);
    attr groups = attr_dims(g->arena, ATTR_shape, 3, (dim[]){t.d[0], t.d[1], dim_num(1)}),
         rows = attr_dims(g->arena, ATTR_shape, 2, (dim[]){t.d[0], t.d[2]}),
         axes = attr_ints(g->arena, ATTR_axes, 1, (int64_t[]){1});
    value factors = box_add(l, b, OP_reshape, 1, &scale, 1, &groups);
    value scaled = box_add(l, b, OP_mul, 2, (value[]){sums, factors}, 0, NULL);
    value sum = box_add(l, b, OP_reduce_sum, 1, &scaled, 1, &axes);
    return box_add(l, b, OP_reshape, 1, &sum, 1, &rows);
}

static value in_int8(lower *l, open_box *b, const lower_rows *rows, value w) {
    int64_t k = graph_type(rewriter_graph(l->r), w)->d[0].n;
    bool groups = rows->group < k;
    attr group = attr_int(ATTR_group, rows->group), to = attr_elem(ATTR_to, ELEM_F32);
    value sums = box_add(l, b, OP_matmul, 2, (value[]){rows->narrow, weight_narrow(l, w)}, groups, &group);
    sums = box_add(l, b, OP_add, 2, (value[]){sums, weight_sums(l, w, rows->group)}, 0, NULL);
    sums = box_add(l, b, OP_cast, 1, &sums, 1, &to);
    sums = groups ? add_groups(l, b, sums, rows->scale)
                  : box_add(l, b, OP_mul, 2, (value[]){sums, rows->scale}, 0, NULL);
    return box_add(l, b, OP_mul, 2, (value[]){sums, weight_scales(l, w)}, 0, NULL);
}

// Products in slices (fuse_mlp): the first one's rows are read whole, for its sums stay in registers.
static bool has_two_products(const open_box *b) {
    int products = 0;
    for (value u = 0; b->body && u < b->body->count; u++) products += op_is(b->body, u, OP_matmul);
    return products > 1;
}

static value lowered(lower *l, open_box *b, value x, bool inside, value w) {
    if (!l->rows) return widened(l, b, x, w);
    if (l->weight == ELEM_BF16) return in_bf16(l, b, x, inside, w);
    if (!inside)
        return in_int8(l, b, rows_quantized(l, x, weight_has_blocks(l, w) || has_two_products(b)), w);
    lower_rows rows = quantize_inside(l, b, x, weight_has_blocks(l, w));
    return in_int8(l, b, &rows, w);
}

// --- Which

// Is param w of a body read as the right operand of matmuls alone?
static bool only_streamed(const graph *body, value w) {
    for (value u = 0; u < body->count; u++) {
        const node *n = graph_node(body, u);
        for (int i = 0; i < n->input_count; i++)
            if (n->inputs[i] == w && (n->op != OP_matmul || i != 1)) return false;
    }
    return true;
}

// NULL where product u of the kernel v (VALUE_NONE: v itself) is lowered, else why not; *w: its weight.
static const char *stays(const lower *l, value v, value u, value *w) {
    const graph *g = rewriter_graph(l->r);
    const node *n = graph_node(g, v), *m = u == VALUE_NONE ? n : graph_node(n->body, u);
    const graph *where = u == VALUE_NONE ? g : n->body;
    value right = m->inputs[1];
    const type *x = graph_type(where, m->inputs[0]);
    if (u != VALUE_NONE && !op_is(where, right, OP_param)) return "its right operand is no weight";
    *w = u == VALUE_NONE ? right : n->inputs[right];
    const char *why = right_stays(l, *w);
    if (why) return why;
    if (x->e != ELEM_F32 || x->rank != 2) return "its left operand is no rows of f32";
    if (u != VALUE_NONE && !only_streamed(where, right)) return "other ops of its kernel read its weight";
    return keep_holds(l, v, *w) ? "--keep names it" : NULL;
}

static void tell(const lower *l, value v, value w) {
    const graph *g = rewriter_graph(l->r);
    const type *t = graph_type(g, w);
    const char *what = l->rows ? "product" : "weight";
    pass_fired(l->p, g, v, "%s %" PRId64 " x %" PRId64 " in %s", what, t->d[0].n, t->d[1].n,
               elem_name(l->weight));
}

static void lower_alone(lower *l, value v) {
    const graph *g = rewriter_graph(l->r);
    open_box b = {0};
    value w;
    const char *why = stays(l, v, VALUE_NONE, &w);
    if (why) {
        pass_missed(l->p, g, v, "the product stays f32: %s", why);
        return;
    }
    tell(l, v, w);
    box_close_op(l, &b, v, lowered(l, &b, graph_node(g, v)->inputs[0], false, w));
}

// Does any product of the kernel change? Tells why one doesn't.
static bool any_lowers(const lower *l, value v) {
    const graph *g = rewriter_graph(l->r);
    const graph *body = graph_node(g, v)->body;
    bool any = false;
    for (value u = 0; u < body->count; u++) {
        value w;
        if (!op_is(body, u, OP_matmul)) continue;
        const char *why = stays(l, v, u, &w);
        if (why) pass_missed(l->p, g, v, "the product stays f32: %s", why);
        any = any || !why;
    }
    return any;
}

void lower_products(lower *l, value v) {
    graph *g = rewriter_graph(l->r);
    const node *n = graph_node(g, v);
    if (n->op == OP_matmul) lower_alone(l, v);
    if (n->op != OP_fuse || node_has_effect(n) || !any_lowers(l, v)) return;
    const graph *body = n->body;
    open_box b = box_open(l, v);
    for (value u = 0; u < body->count; u++) {
        value w;
        const node *m = graph_node(body, u);
        if (m->op == OP_param) continue;
        if (m->op != OP_matmul || stays(l, v, u, &w)) {
            b.map[u] = box_copy(l, &b, u);
            continue;
        }
        tell(l, v, w);
        b.map[u] = lowered(l, &b, b.map[m->inputs[0]], !op_is(body, m->inputs[0], OP_param), w);
    }
    box_close(l, &b, v);
}
