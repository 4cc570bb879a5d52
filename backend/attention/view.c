// Views of the body's values as rows and columns of its operands, for any mixture of slices, reshapes and
// transposes that cuts the heads out.
#include "backend/attention/attention.h"

static bool view_slice_of(const node *n, const type *from, head_view *x) {
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

static void view_transpose_of(const node *n, head_view *x) {
    head_view from = *x;
    const attr *perm = node_attr(n, ATTR_perm);
    for (int i = 0; i < x->rank; i++) x->axes[i] = from.axes[perm->u.ints[i]];
}

// Axes may be split, not merged.
static bool view_reshape_of(const type *to, head_view *x) {
    head_view from = *x;
    int at = 0;
    for (int i = 0; i < from.rank; i++) {
        const head_axis *a = &from.axes[i];
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
            x->axes[k] = (head_axis){false, to->d[k], stride};
            stride *= to->d[k].n;
        }
    }
    for (; at < to->rank && dim_is(to->d[at], 1); at++) x->axes[at] = (head_axis){false, dim_num(1), 1};
    x->rank = at;
    return at == to->rank;
}

// Can a view of an operand's elements `memory` take a cast? Elements are rounded once at most, by the last of its casts.
static bool view_casts(elem from, elem to, elem memory) {
    return to == ELEM_F32 ? from == memory : to == ELEM_BF16 && from == ELEM_F32;
}

bool attention_view_over(const graph *g, value v, value base, const head_view *of, head_view *x) {
    const node *n = graph_node(g, v);
    if (v == base) return *x = *of, true;
    if (n->op == OP_param) {
        if (n->type.rank != 2 || !view_loads(n->type.e) || n->type.layout != LAYOUT_ROW ||
            n->type.d[1].s != SYM_NONE)
            return false;
        *x = (head_view){.param = v,
                         .e = n->type.e,
                         .rank = 2,
                         .axes = {{true, n->type.d[0], 0}, {false, n->type.d[1], 1}}};
        return true;
    }
    if (n->op != OP_slice && n->op != OP_transpose && n->op != OP_reshape && n->op != OP_cast) return false;
    if (!attention_view_over(g, n->inputs[0], base, of, x)) return false;
    if (n->op == OP_cast) return view_casts(graph_type(g, n->inputs[0])->e, n->type.e, x->e);
    if (n->op == OP_slice) return view_slice_of(n, graph_type(g, n->inputs[0]), x);
    if (n->op == OP_reshape) return view_reshape_of(&n->type, x);
    view_transpose_of(n, x);
    return true;
}

bool attention_view_of(const graph *g, value v, head_view *x) {
    return attention_view_over(g, v, VALUE_NONE, NULL, x);
}

bool attention_as_heads(const graph *g, value v, int row, int column, heads *out) {
    head_view x;
    elem as = graph_type(g, v)->e;
    if ((as != ELEM_F32 && as != ELEM_BF16) || !attention_view_of(g, v, &x) || x.rank != 3) return false;
    const head_axis *h = &x.axes[0], *r = &x.axes[row], *c = &x.axes[column];
    if (h->row || !r->row || c->row || c->stride != 1) return false;
    *out = (heads){.operand = x.param,
                   .e = x.e,
                   .as = as,
                   .rows = r->size,
                   .column = x.column,
                   .stride = h->stride,
                   .count = h->size.n,
                   .width = c->size.n,
                   .group = 1,
                   .producer = VALUE_NONE};
    return true;
}
