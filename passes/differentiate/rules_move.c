// Rules of ops that move elements: each gradient moves back to where its element came from.
#include "passes/differentiate/differentiate.h"

void gradient_gather(const rule_call *c) {
    rule_give(c, 0,
              build_shaped(c->t, OP_scatter_add, 2, (value[]){c->g, rule_operand(c, 1)}, rule_type(c, 0)));
}

// The result's leading axes, for the operand may be broadcast along them.
void gradient_gather_along(const rule_call *c) {
    type as = c->n.type;
    const type *x = rule_type(c, 0);
    as.d[as.rank - 1] = x->d[x->rank - 1];
    rule_give(c, 0, build_shaped(c->t, OP_scatter_add_along, 2, (value[]){c->g, rule_operand(c, 1)}, &as));
}

void gradient_scatter_add(const rule_call *c) {
    rule_give(c, 0, graph_op2(c->t->to, OP_gather, c->g, rule_operand(c, 1)));
}

void gradient_scatter_add_along(const rule_call *c) {
    rule_give(c, 0, graph_op2(c->t->to, OP_gather_along, c->g, rule_operand(c, 1)));
}

void gradient_transpose(const rule_call *c) {
    const attr *perm = node_attr(&c->n, ATTR_perm);
    int64_t back[IR_MAX_RANK];
    for (int i = 0; i < perm->n; i++) back[perm->u.ints[i]] = i;
    rule_give(c, 0, graph_transpose(c->t->to, c->g, perm->n, back));
}

void gradient_reshape(const rule_call *c) {
    rule_give(c, 0, build_reshape(c->t, c->g, rule_type(c, 0)));
}

// The only axis along which the slice is not whole; -1: there is none, or another one too.
static int only_axis(const type *x, const attr *begin, const attr *end) {
    int axis = -1;
    for (int i = 0; i < x->rank; i++) {
        if (dim_is(begin->u.dims[i], 0) && dim_eq(end->u.dims[i], x->d[i])) continue;
        if (axis >= 0) return -1;
        axis = i;
    }
    return axis;
}

// Slices that lie side by side are joined (tape_settle); else zeros stand round what was cut out.
void gradient_slice(const rule_call *c) {
    const attr *begin = node_attr(&c->n, ATTR_begin), *end = node_attr(&c->n, ATTR_end);
    const type *x = rule_type(c, 0);
    int only = only_axis(x, begin, end);
    value g = c->g;
    if (only >= 0 && tape_add_cut(c->t, c->n.inputs[0], only, begin->u.dims[only], end->u.dims[only], g))
        return;
    for (int i = 0; i < x->rank; i++) {
        if (dim_is(begin->u.dims[i], 0)) continue;
        type before = *graph_type(c->t->to, g);
        before.d[i] = begin->u.dims[i];
        value zeros = build_broadcast(c->t, build_scalar(c->t, 0), &before);
        g = build_concat(c->t, i, 2, (value[]){zeros, g});
    }
    if (!type_same_shape(graph_type(c->t->to, g), x)) g = build_shaped(c->t, OP_pad, 1, &g, x);
    rule_give(c, 0, g);
}

static dim dim_plus(dim a, dim b) {
    return (dim){a.s != SYM_NONE ? a.s : b.s, a.n + b.n};
}

void gradient_concat(const rule_call *c) {
    int axis = (int)node_attr(&c->n, ATTR_axis)->u.i, rank = c->n.type.rank;
    dim begin[IR_MAX_RANK] = {{0}}, end[IR_MAX_RANK];
    for (int i = 0; i < rank; i++) end[i] = c->n.type.d[i];
    for (int i = 0; i < c->n.input_count; i++) {
        end[axis] = dim_plus(begin[axis], rule_type(c, i)->d[axis]);
        if (rule_wants(c, i)) rule_give(c, i, graph_slice(c->t->to, c->g, rank, begin, end));
        begin[axis] = end[axis];
    }
}

void gradient_pad(const rule_call *c) {
    const dim begin[IR_MAX_RANK] = {{0}};
    const type *x = rule_type(c, 0);
    rule_give(c, 0, graph_slice(c->t->to, c->g, x->rank, begin, x->d));
}

void gradient_broadcast(const rule_call *c) {
    rule_give(c, 0, c->g);
}
