// For narrow_rows: on which rows of its operands a row of an op's result depends.
//
//   matmul %q, %k      [L,M] = [L,d] x [d,M]      row i of the result: row i of %q, all of %k
//   transpose %x       [d,L] = [L,d] transposed   column i of the result: row i of %x
//   softmax %s         [h,L,M]                    [:,i,:] of the result: [:,i,:] of %s
#include "passes/narrow/narrow.h"

bool narrow_has_rows(const type *t, int axis, sym rows) {
    return axis >= 0 && axis < t->rank && dim_eq(t->d[axis], dim_sym(rows));
}

// The axis of `x` that aligns with `axis` of a result of `rank` axes, broadcast as numpy does; -1 where x has
// one row for all.
static int aligned(const type *x, int rank, int axis) {
    int a = axis - (rank - x->rank);
    return a >= 0 && !dim_is(x->d[a], 1) ? a : -1;
}

// reshape: the axis of x with the same symbols and the same number of elements before it.
static int through_reshape(const type *x, const type *result, int axis, sym rows) {
    int64_t before = 1;
    int symbols = 0;
    for (int i = 0; i < axis; i++) {
        before *= result->d[i].s == SYM_NONE ? result->d[i].n : 1;
        symbols += result->d[i].s != SYM_NONE;
    }
    int64_t at = 1;
    for (int i = 0, seen = 0; i < x->rank; i++) {
        if (at == before && seen == symbols && narrow_has_rows(x, i, rows)) return i;
        at *= x->d[i].s == SYM_NONE ? x->d[i].n : 1;
        seen += x->d[i].s != SYM_NONE;
    }
    return -1;
}

static int matmul_axis(const node *n, const type *x, int i, int axis) {
    int rank = n->type.rank;
    if (node_attr(n, ATTR_group))
        return axis == 2 ? (i == 0 ? NARROW_WHOLE : 1) : i == 0 && axis == 0 ? 0 : NARROW_WHOLE;
    if (axis == rank - 1) return i == 0 ? NARROW_WHOLE : x->rank - 1;
    if (axis == rank - 2) return i == 0 ? axis : NARROW_WHOLE;
    return i == 0 || x->rank == rank ? axis : NARROW_WHOLE;
}

int narrow_operand_axis(const graph *g, const node *n, int i, int axis, sym rows) {
    const type *x = graph_type(g, n->inputs[i]);
    int rank = n->type.rank;
    if (op_flag_bits(n->op) & POINTWISE) return aligned(x, rank, axis);
    switch ((int)n->op) {
    case OP_broadcast: return aligned(x, rank, axis);
    case OP_matmul: return matmul_axis(n, x, i, axis);
    case OP_transpose: return (int)node_attr(n, ATTR_perm)->u.ints[axis];
    case OP_reshape: {
        int a = through_reshape(x, &n->type, axis, rows);
        return a >= 0 ? a : NARROW_STUCK;
    }
    case OP_slice: {
        const attr *begin = node_attr(n, ATTR_begin), *end = node_attr(n, ATTR_end);
        bool all = dim_is(begin->u.dims[axis], 0) && dim_eq(end->u.dims[axis], x->d[axis]);
        return all ? axis : NARROW_STUCK;
    }
    case OP_pad: return narrow_has_rows(x, axis, rows) ? axis : NARROW_STUCK;
    case OP_concat: return node_attr(n, ATTR_axis)->u.i == axis ? NARROW_STUCK : axis;
    case OP_gather: return i == 0 ? (axis == 0 ? NARROW_WHOLE : axis) : (axis == 0 ? 0 : NARROW_WHOLE);
    case OP_random: return axis > 0 ? NARROW_STUCK : i == 1 ? 0 : NARROW_WHOLE;
    case OP_gather_along:
        if (axis < rank - 1) return aligned(x, rank, axis);
        return i == 0 ? NARROW_WHOLE : x->rank - 1;
    case OP_scales: // the last axis of operands and result holds no rows
    case OP_quantize:
    case OP_dequantize:
    case OP_softmax: return axis == rank - 1 ? NARROW_STUCK : axis;
    case OP_layer_norm:
    case OP_rms_norm: return axis == rank - 1 ? NARROW_STUCK : i == 0 ? axis : NARROW_WHOLE;
    case OP_reduce_sum:
    case OP_reduce_max:
    case OP_reduce_mean: return axis; // a reduced axis has length 1 and holds no rows
    default: return NARROW_STUCK;
    }
}

// Shapes and ends of slices name an axis by its size.
attr *narrow_attrs(arena *a, const node *n, int axis, dim rows) {
    attr *attrs = ARENA_ARRAY(a, attr, n->attr_count);
    for (int i = 0; i < n->attr_count; i++) {
        attrs[i] = n->attrs[i];
        if (attrs[i].id != ATTR_shape && attrs[i].id != ATTR_end) continue;
        dim *d = arena_dup(a, attrs[i].u.dims, sizeof(dim) * (size_t)attrs[i].n);
        d[axis] = rows;
        attrs[i].u.dims = d;
    }
    return attrs;
}
