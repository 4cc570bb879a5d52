// Short functions that append nodes of gradients to the tape's graph.
#include "passes/differentiate/differentiate.h"

value build_scalar(tape *t, double x) {
    for (int i = 0; i < t->scalar_count; i++)
        if (t->scalars[i].x == x) return t->scalars[i].v;
    value v = graph_scalar(t->to, x);
    if (t->scalar_count < (int)(sizeof(t->scalars) / sizeof(t->scalars[0]))) {
        t->scalars[t->scalar_count].x = x;
        t->scalars[t->scalar_count++].v = v;
    }
    return v;
}

value build_add(tape *t, value a, value b) {
    return graph_op2(t->to, OP_add, a, b);
}
value build_sub(tape *t, value a, value b) {
    return graph_op2(t->to, OP_sub, a, b);
}
value build_mul(tape *t, value a, value b) {
    return graph_op2(t->to, OP_mul, a, b);
}
value build_div(tape *t, value a, value b) {
    return graph_op2(t->to, OP_div, a, b);
}
value build_scaled(tape *t, value a, double x) {
    return build_mul(t, a, build_scalar(t, x));
}
value build_op(tape *t, op o, value a) {
    return graph_op1(t->to, o, a);
}
value build_select(tape *t, value condition, value a, value b) {
    return graph_op3(t->to, OP_select, condition, a, b);
}

value build_compare(tape *t, const char *predicate, value a, value b) {
    attr x = attr_word(ATTR_predicate, predicate);
    return graph_append(t->to, OP_compare, 2, (value[]){a, b}, 1, &x);
}

value build_reduce(tape *t, op o, value a, int n, const int64_t *axes) {
    attr x = {.id = ATTR_axes, .n = n, .u.ints = axes};
    return graph_append(t->to, o, 1, &a, 1, &x);
}

value build_reduce_last(tape *t, op o, value a) {
    int64_t last = graph_type(t->to, a)->rank - 1;
    return build_reduce(t, o, a, 1, &last);
}

value build_shaped(tape *t, op o, int n, const value *inputs, const type *as) {
    attr shape = {.id = ATTR_shape, .n = as->rank, .u.dims = as->d};
    return graph_append(t->to, o, n, inputs, 1, &shape);
}

value build_concat(tape *t, int axis, int n, const value *parts) {
    attr x = attr_int(ATTR_axis, axis);
    return n == 1 ? parts[0] : graph_append(t->to, OP_concat, n, parts, 1, &x);
}

value build_broadcast(tape *t, value x, const type *as) {
    if (type_same_shape(graph_type(t->to, x), as)) return x;
    return build_shaped(t, OP_broadcast, 1, &x, as);
}

value build_reshape(tape *t, value x, const type *as) {
    if (type_same_shape(graph_type(t->to, x), as)) return x;
    return graph_reshape(t->to, x, as->rank, as->d);
}

value build_summed(tape *t, value x, const type *as) {
    const type *from = graph_type(t->to, x);
    int64_t axes[IR_MAX_RANK];
    int n = 0, more = from->rank - as->rank;
    for (int i = 0; i < from->rank; i++) {
        bool repeated = i < more || dim_is(as->d[i - more], 1);
        if (repeated && !dim_is(from->d[i], 1)) axes[n++] = i;
    }
    if (n) x = build_reduce(t, OP_reduce_sum, x, n, axes);
    return build_reshape(t, x, as);
}

value build_turned(tape *t, value x) {
    int rank = graph_type(t->to, x)->rank;
    int64_t perm[IR_MAX_RANK];
    for (int i = 0; i < rank; i++) perm[i] = i;
    perm[rank - 2] = rank - 1;
    perm[rank - 1] = rank - 2;
    return graph_transpose(t->to, x, rank, perm);
}

value build_f32(tape *t, value x) {
    attr to = attr_elem(ATTR_to, ELEM_F32);
    return graph_type(t->to, x)->e == ELEM_F32 ? x : graph_append(t->to, OP_cast, 1, &x, 1, &to);
}

// Numbers at once; of what only the call knows, a sum of ones.
value build_count(tape *t, const type *x, int n, const int64_t *axes) {
    type ones = *x;
    double known = 1;
    int64_t counted[IR_MAX_RANK];
    int symbols = 0;
    for (int i = 0; i < ones.rank; i++) ones.d[i] = dim_num(1);
    for (int i = 0; i < n; i++) {
        dim d = x->d[axes[i]];
        if (d.s == SYM_NONE) known *= (double)d.n;
        if (d.s == SYM_NONE) continue;
        ones.d[axes[i]] = d;
        counted[symbols++] = axes[i];
    }
    value v = build_scalar(t, known);
    return symbols ? build_reduce(t, OP_reduce_sum, build_broadcast(t, v, &ones), symbols, counted) : v;
}
