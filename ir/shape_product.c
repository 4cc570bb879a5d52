// Shape rules of products and of quantised rows: matmul, scales, quantize, dequantize.
#include "ir/shape_rules.h"

// [parts, n]: of a matrix whose sizes are numbers.
static bool blocks_fit(const attr *a, const type *w) {
    if (a->n != 2 || w->rank != 2 || w->d[0].s != SYM_NONE || w->d[1].s != SYM_NONE) return false;
    int64_t parts = a->u.ints[0], n = a->u.ints[1];
    return parts > 0 && n > 0 && w->d[1].n % parts == 0 && w->d[1].n / parts % n == 0 && w->d[0].n % n == 0;
}

// Of the products of these elements; ELEM_COUNT where there are none.
static elem product_elem(elem x, elem w) {
    if ((x == ELEM_F32 && w == ELEM_F32) || (x == ELEM_BF16 && w == ELEM_BF16)) return ELEM_F32;
    return (x == ELEM_I8 || x == ELEM_U8) && w == ELEM_I8 ? ELEM_I32 : ELEM_COUNT;
}

// With `group`: [X,K] x [K,N] -> [X,K/group,N], the sums of each group of k apart. Operands are matrices that fit.
static bool grouped_product(const rule_context *c) {
    const type *x = operand(c, 0), *w = operand(c, 1);
    int64_t group = attribute(c, ATTR_group)->u.i;
    if (product_elem(x->e, w->e) != ELEM_I32 || x->rank != 2)
        return misfit(c, "group is of matrices of 8-bit numbers");
    if (attribute(c, ATTR_blocks)) return misfit(c, "takes blocks or group, one of them");
    if (x->d[1].s != SYM_NONE || group < 1 || x->d[1].n % group)
        return misfit(c, "group does not divide the inner axis");
    *c->out = *x;
    c->out->e = ELEM_I32;
    c->out->rank = 3;
    c->out->d[1] = dim_num(x->d[1].n / group);
    c->out->d[2] = w->d[1];
    return true;
}

bool rule_matmul(const rule_context *c) {
    const type *x = operand(c, 0), *w = operand(c, 1);
    elem sums = product_elem(x->e, w->e);
    if (sums == ELEM_COUNT) return misfit(c, "takes f32, bf16, or i8 or u8 by i8");
    if (x->layout != LAYOUT_ROW) return misfit(c, "the left operand must be row-major");
    if (x->rank < 2 || w->rank < 2) return misfit(c, "takes matrices");
    if (w->rank != 2 && w->rank != x->rank) return misfit(c, "the right operand is one matrix, or one each");
    for (int i = 0; w->rank > 2 && i < x->rank - 2; i++) {
        if (!dim_eq(x->d[i], w->d[i])) return misfit(c, "the leading axes differ");
    }
    if (!dim_eq(x->d[x->rank - 1], w->d[w->rank - 2])) return misfit(c, "the inner axes differ");
    if (attribute(c, ATTR_group)) return grouped_product(c);
    if (attribute(c, ATTR_blocks) && !blocks_fit(attribute(c, ATTR_blocks), w))
        return misfit(c, "blocks don't divide the right operand");
    *c->out = *x;
    c->out->e = sums;
    c->out->d[x->rank - 1] = w->d[w->rank - 1];
    return true;
}

// The largest magnitude that quantize gives in an element type; 0: none.
static int64_t most_limit(elem e) {
    if (e == ELEM_I4) return 7;
    return e == ELEM_I8 || e == ELEM_U8 ? 127 : 0;
}

// Of rows x [..,N]: the type f32[..,N/group].
static bool scales_of(const rule_context *c, type *out) {
    const type *x = operand(c, 0);
    int64_t group = attribute(c, ATTR_group)->u.i;
    if (x->rank < 1 || x->d[x->rank - 1].s != SYM_NONE) return misfit(c, "takes rows of a known length");
    if (group < 1 || x->d[x->rank - 1].n % group) return misfit(c, "group does not divide the row");
    *out = *x;
    out->e = ELEM_F32;
    out->d[out->rank - 1].n /= group;
    return true;
}

bool rule_scales(const rule_context *c) {
    int64_t limit = attribute(c, ATTR_limit)->u.i;
    if (operand(c, 0)->e != ELEM_F32) return misfit(c, "takes f32");
    if (limit < 1 || limit > 127) return misfit(c, "limit is 1 to 127");
    return scales_of(c, c->out);
}

// (x [..,N], scale f32[..,N/group])
static bool groups_fit(const rule_context *c) {
    const type *scale = operand(c, 1);
    type t;
    if (!scales_of(c, &t)) return false;
    if (scale->e != ELEM_F32 || !type_same_shape(scale, &t))
        return misfit(c, "the scales must be f32, one a group of each row");
    return true;
}

bool rule_quantize(const rule_context *c) {
    int64_t limit = attribute(c, ATTR_limit)->u.i, most = most_limit(attribute(c, ATTR_to)->u.e);
    if (operand(c, 0)->e != ELEM_F32) return misfit(c, "takes f32");
    if (!most) return misfit(c, "quantizes to i8, u8 or i4");
    if (limit < 1 || limit > most) return misfit(c, "limit is 1 to 127, of i4 1 to 7");
    if (!groups_fit(c)) return false;
    *c->out = *operand(c, 0);
    c->out->e = attribute(c, ATTR_to)->u.e;
    return true;
}

bool rule_dequantize(const rule_context *c) {
    const attr *limit = attribute(c, ATTR_limit);
    int64_t most = most_limit(operand(c, 0)->e);
    if (!most) return misfit(c, "takes i8, u8 or i4");
    if (limit && (limit->u.i < 1 || limit->u.i > most)) return misfit(c, "limit is 1 to 127, of i4 1 to 7");
    if (!groups_fit(c)) return false;
    *c->out = *operand(c, 0);
    c->out->e = ELEM_F32;
    return true;
}
