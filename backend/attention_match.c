// Recognises attention in the body of a per_sequence, whatever mixture of slices, reshapes and transposes
// cuts the heads out.
#include "attention.h"

// A value of the body as a view of an operand's rows: each of its axes walks the rows, or a part of their
// columns.
typedef struct view_axis {
    bool row;
    dim size;
    int64_t stride; // floats; of columns
} view_axis;
typedef struct head_view {
    value param;
    int64_t column;
    int rank;
    view_axis axes[IR_MAX_RANK];
} head_view;

static bool view_slice(const node *n, const type *from, head_view *x) {
    const attr *begin = node_attr(n, ATTR_begin), *end = node_attr(n, ATTR_end);
    for (int i = 0; i < x->rank; i++) {
        dim b = begin->u.dims[i], to = end->u.dims[i];
        if (dim_is(b, 0) && dim_eq(to, from->d[i])) continue;
        if (x->axes[i].row || b.s != SYM_NONE || to.s != SYM_NONE) return false;
        x->column += b.n * x->axes[i].stride;
        x->axes[i].size = dim_num(to.n - b.n);
    }
    return true;
}

static void view_transpose(const node *n, head_view *x) {
    head_view from = *x;
    const attr *perm = node_attr(n, ATTR_perm);
    for (int i = 0; i < x->rank; i++) x->axes[i] = from.axes[perm->u.ints[i]];
}

// Axes may be split, not merged.
static bool view_reshape(const type *to, head_view *x) {
    head_view from = *x;
    int at = 0;
    for (int i = 0; i < from.rank; i++) {
        const view_axis *a = &from.axes[i];
        if (a->row) {
            if (at == to->rank || !dim_eq(to->d[at], a->size)) return false;
            x->axes[at++] = *a;
            continue;
        }
        int first = at;
        int64_t left = a->size.n;
        do {
            if (at == to->rank || to->d[at].s != SYM_NONE || to->d[at].n <= 0 || left % to->d[at].n != 0)
                return false;
            left /= to->d[at++].n;
        } while (left > 1);
        int64_t stride = a->stride;
        for (int k = at - 1; k >= first; k--) {
            x->axes[k] = (view_axis){false, to->d[k], stride};
            stride *= to->d[k].n;
        }
    }
    x->rank = at;
    return at == to->rank;
}

static bool view_of(const graph *g, value v, head_view *x) {
    const node *n = graph_node(g, v);
    if (n->op == OP_param) {
        if (n->type.rank != 2 || n->type.e != ELEM_F32 || n->type.layout != LAYOUT_ROW ||
            n->type.d[1].s != SYM_NONE)
            return false;
        *x = (head_view){.param = v, .rank = 2, .axes = {{true, n->type.d[0], 0}, {false, n->type.d[1], 1}}};
        return true;
    }
    if (n->op != OP_slice && n->op != OP_transpose && n->op != OP_reshape) return false;
    if (!view_of(g, n->inputs[0], x)) return false;
    if (n->op == OP_slice) return view_slice(n, graph_type(g, n->inputs[0]), x);
    if (n->op == OP_reshape) return view_reshape(&n->type, x);
    view_transpose(n, x);
    return true;
}

// The view as heads: axis 0 the heads, `row` the rows, `column` the floats of a head.
static bool as_heads(const graph *g, value v, int row, int column, heads *out) {
    head_view x;
    if (!view_of(g, v, &x) || x.rank != 3) return false;
    const view_axis *h = &x.axes[0], *r = &x.axes[row], *c = &x.axes[column];
    if (h->row || !r->row || c->row || c->stride != 1) return false;
    *out = (heads){.operand = x.param,
                   .rows = r->size,
                   .column = x.column,
                   .stride = h->stride,
                   .count = h->size.n,
                   .width = c->size.n};
    return true;
}

// out[row, head * width + c] of o[head, row, c].
static bool merges_heads(const graph *g, value v, value *o) {
    const node *reshape = graph_node(g, v);
    if (reshape->op != OP_reshape || reshape->type.rank != 2) return false;
    const node *transpose = graph_node(g, reshape->inputs[0]);
    if (transpose->op != OP_transpose || transpose->type.rank != 3) return false;
    const int64_t *perm = node_attr(transpose, ATTR_perm)->u.ints;
    *o = transpose->inputs[0];
    return perm[0] == 1 && perm[1] == 0 && perm[2] == 2 && dim_eq(reshape->type.d[0], transpose->type.d[0]);
}

static bool recognise_body(const kernel_site *s, const graph *g, attention *x) {
    value o;
    if (!merges_heads(g, g->outputs[0].value, &o)) return false;
    const node *product = graph_node(g, o);
    if (product->op != OP_matmul) return false;
    const node *softmax = graph_node(g, product->inputs[0]);
    if (softmax->op != OP_softmax) return false;
    // the scores: the matmul below pointwise ops with scalars
    value anchor = softmax->inputs[0];
    while (graph_node(g, anchor)->op != OP_matmul) {
        const node *n = graph_node(g, anchor);
        if (!(op_flag_bits(n->op) & POINTWISE)) return false;
        double scalar;
        anchor = n->inputs[value_is_scalar(g, n->inputs[0], &scalar) && n->input_count > 1];
    }
    if (!epilogue_collect(s, g, NULL, anchor, softmax->inputs[0], &x->scores)) return false;
    const node *scores = graph_node(g, anchor);
    return as_heads(g, scores->inputs[0], 1, 2, &x->q) && as_heads(g, scores->inputs[1], 2, 1, &x->k) &&
           as_heads(g, product->inputs[1], 1, 2, &x->v);
}

// From a param of the fuse to the operand of the per_sequence.
static bool find_operand(const kernel_site *s, const node *fuse, int bounds, heads *x) {
    const node *n = graph_node(s->graph, s->node);
    x->operand = fuse->inputs[x->operand] + bounds;
    value v = n->inputs[x->operand];
    if (node_is_constant(graph_node(s->graph, v))) return false;
    x->ld = s->variant->places[v].ld;
    return true;
}

bool attention_recognise(const kernel_site *s, attention *out) {
    const node *n = graph_node(s->graph, s->node);
    *out = (attention){0};
    if (n->op != OP_per_sequence || n->type.rank != 2) return false;
    value yield = n->body->outputs[0].value;
    const node *fuse = graph_node(n->body, yield);
    if (fuse->op != OP_fuse || !recognise_body(s, fuse->body, out)) return false;
    for (int i = 0; i < fuse->input_count; i++) {
        if (graph_node(n->body, fuse->inputs[i])->op != OP_param) return false;
    }
    int bounds = (int)node_attr(n, ATTR_bounds)->u.i;
    if (!find_operand(s, fuse, bounds, &out->q) || !find_operand(s, fuse, bounds, &out->k) ||
        !find_operand(s, fuse, bounds, &out->v))
        return false;
    out->dim = n->type.d[0].s;
    out->row_bounds = bounds == 2;
    dim length = dim_sym(SYM_L), rows = out->q.rows;
    bool one = dim_is(rows, 1) && out->dim == SYM_S, all = dim_eq(rows, length) && out->dim == SYM_T;
    bool some = dim_eq(rows, dim_sym(SYM_Q)) && out->dim == SYM_R && out->row_bounds;
    return (one || all || some) && n->type.d[0].n == 0 && dim_eq(out->k.rows, length) &&
           dim_eq(out->v.rows, length) && out->q.count == out->k.count && out->q.count == out->v.count &&
           out->q.width == out->k.width;
}
