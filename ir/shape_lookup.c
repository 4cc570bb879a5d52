// Shape rules of lookups and of their gradients: gather, gather_along, scatter_add, scatter_add_along; and what they
// share with the other rules.
#include "ir/shape_rules.h"

bool shape_positive(int n, const dim *d) {
    for (int i = 0; i < n; i++) {
        if (d[i].s == SYM_NONE && d[i].n < 1) return false;
    }
    return true;
}

bool shape_broadcast(type *t, const type *with) {
    int rank = t->rank > with->rank ? t->rank : with->rank;
    type r = {.e = t->e, .rank = rank};
    for (int i = 1; i <= rank; i++) {
        dim a = i <= t->rank ? t->d[t->rank - i] : dim_num(1);
        dim b = i <= with->rank ? with->d[with->rank - i] : dim_num(1);
        if (!dim_eq(a, b) && !dim_is(a, 1) && !dim_is(b, 1)) return false;
        r.d[rank - i] = dim_is(a, 1) ? b : a;
    }
    *t = r;
    return true;
}

bool shape_axes_fit(const rule_context *c, const attr *a) {
    if (a->n < 0 || a->n > IR_MAX_RANK) return misfit(c, "shape has too many axes");
    return shape_positive(a->n, a->u.dims) || misfit(c, "shape has an axis below 1");
}

bool rule_gather(const rule_context *c) {
    const type *table = operand(c, 0), *ids = operand(c, 1);
    if (ids->e != ELEM_I32 || ids->rank != 1) return misfit(c, "the ids must be i32[X]");
    if (table->rank < 1) return misfit(c, "the table must have rows");
    *c->out = *table;
    c->out->d[0] = ids->d[0];
    return true;
}

bool rule_gather_along(const rule_context *c) {
    const type *x = operand(c, 0), *ids = operand(c, 1);
    if (ids->e != ELEM_I32 || ids->rank < 1) return misfit(c, "the ids must be i32[..,M]");
    if (x->rank < 1) return misfit(c, "there must be an axis to gather along");
    type t = *x, with = *ids;
    t.d[t.rank - 1] = with.d[with.rank - 1] = dim_num(1);
    if (!shape_broadcast(&t, &with)) return misfit(c, "the leading axes don't broadcast");
    t.d[t.rank - 1] = ids->d[ids->rank - 1];
    *c->out = t;
    return true;
}

// The type that `shape` says, f32.
static bool scattered(const rule_context *c, int from, int to) {
    const type *x = operand(c, 0);
    const attr *shape = attribute(c, ATTR_shape);
    if (x->e != ELEM_F32) return misfit(c, "adds up f32");
    if (!shape_axes_fit(c, shape)) return false;
    if (shape->n != x->rank) return misfit(c, "shape must name every axis");
    for (int i = from; i < to; i++)
        if (!dim_eq(shape->u.dims[i], x->d[i])) return misfit(c, "shape differs on another axis");
    *c->out = type_make(ELEM_F32, shape->n, shape->u.dims);
    return true;
}

bool rule_scatter_add(const rule_context *c) {
    const type *x = operand(c, 0), *ids = operand(c, 1);
    if (ids->e != ELEM_I32 || ids->rank != 1) return misfit(c, "the ids must be i32[X]");
    if (x->rank < 1 || !dim_eq(x->d[0], ids->d[0])) return misfit(c, "each row must have an id");
    return scattered(c, 1, x->rank);
}

bool rule_scatter_add_along(const rule_context *c) {
    const type *x = operand(c, 0), *ids = operand(c, 1);
    if (ids->e != ELEM_I32 || ids->rank < 1) return misfit(c, "the ids must be i32[..,M]");
    if (x->rank < 1 || !dim_eq(x->d[x->rank - 1], ids->d[ids->rank - 1]))
        return misfit(c, "each element of a row must have an id");
    type t = *x;
    if (!shape_broadcast(&t, ids) || !type_same_shape(&t, x))
        return misfit(c, "the ids don't broadcast to what is added up");
    return scattered(c, 0, x->rank - 1);
}

bool rule_random(const rule_context *c) {
    const type *seed = operand(c, 0), *rows = operand(c, 1);
    const attr *shape = attribute(c, ATTR_shape);
    int64_t stream = attribute(c, ATTR_stream)->u.i;
    if (seed->e != ELEM_I32 || seed->rank != 1 || !dim_is(seed->d[0], 2))
        return misfit(c, "the seed must be i32[2]");
    if (rows->e != ELEM_I32 || rows->rank != 1) return misfit(c, "the rows' numbers must be i32[X]");
    if (stream < 0 || stream > UINT32_MAX) return misfit(c, "stream is not of 32 bits");
    if (!shape_axes_fit(c, shape)) return false;
    if (shape->n < 1 || !dim_eq(shape->u.dims[0], rows->d[0]))
        return misfit(c, "each row must have a number");
    *c->out = type_make(ELEM_F32, shape->n, shape->u.dims);
    return true;
}
