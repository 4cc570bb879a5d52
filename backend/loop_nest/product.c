// The loop nest's matmul: k ascending, one accumulator an output element. f32 and bf16, and what a cast in front
// of it widens, are multiplied and added in f32, i8 and u8 in i32, groups of k apart where the op says so.
#include "backend/loop_nest/block_product.h"

static LLVMValueRef multiplied(emit *e, elem sums, LLVMValueRef a, LLVMValueRef b, LLVMValueRef sum) {
    if (sums == ELEM_F32) return math_fma(e, a, b, sum);
    return LLVMBuildAdd(e->b, sum, LLVMBuildMul(e->b, a, b, ""), "");
}

// 4 bytes for each column [s->index, ...) from group `group` of a packed matrix, whose panels are `groups` long.
static LLVMValueRef packed_words(const sweep *s, const view *w, LLVMValueRef groups, LLVMValueRef group,
                                 elem as) {
    emit *e = s->e;
    LLVMValueRef columns = build_const_i64(e, PANEL_COLUMNS);
    LLVMValueRef panel = LLVMBuildUDiv(e->b, s->index, columns, ""),
                 in = LLVMBuildURem(e->b, s->index, columns, "");
    LLVMValueRef at = LLVMBuildAdd(e->b, LLVMBuildMul(e->b, panel, groups, ""), group, "");
    at = LLVMBuildAdd(e->b, LLVMBuildMul(e->b, at, columns, ""), in, "");
    LLVMTypeRef t = view_elem(e, as, s->width);
    return build_load(e, t, build_gep(e, w->base, LLVMBuildMul(e->b, at, build_const_i64(e, 4), "")), 4);
}

// Columns [s->index, ...) of row k of a packed matrix of `inner` rows, whose last panel is whole.
static LLVMValueRef packed_columns(const sweep *s, const view *w, LLVMValueRef inner, LLVMValueRef k) {
    emit *e = s->e;
    elem x = w->type.e;
    if (x == ELEM_F32) return packed_words(s, w, inner, k, x);
    LLVMValueRef g = build_const_i64(e, packed_group(x));
    LLVMValueRef groups = build_const_i64(e, packed_groups(x, w->type.d[0].n));
    LLVMValueRef words = packed_words(s, w, groups, LLVMBuildUDiv(e->b, k, g, ""), ELEM_I32);
    LLVMValueRef shift =
        LLVMBuildMul(e->b, LLVMBuildURem(e->b, k, g, ""), build_const_i64(e, elem_bits(x)), "");
    shift = LLVMBuildTrunc(e->b, shift, e->i32, "");
    if (s->width > 1) shift = build_splat(e, shift, s->width);
    return LLVMBuildTrunc(e->b, LLVMBuildLShr(e->b, words, shift, ""), view_elem(e, x, s->width), "");
}

static LLVMValueRef right_columns(const sweep *s, const view *w, LLVMValueRef inner, LLVMValueRef k) {
    if (w->type.layout == LAYOUT_PACKED) return packed_columns(s, w, inner, k);
    view row = view_at(s->e, w, k);
    return sweep_load(s, &row);
}

// Of k from `from` to `to`.
static void product_row(emit *e, const view *x, const view *w, LLVMValueRef from, LLVMValueRef to,
                        const view *out) {
    for (sweep s = sweep_begin(e, out->size[0], e->width, 1); sweep_next(&s);) {
        LLVMTypeRef sums = view_elem(e, out->type.e, s.width);
        LLVMValueRef sum = view_stack(e, sums);
        LLVMBuildStore(e->b, LLVMConstNull(sums), sum);
        loop k = build_loop(e, from, to, 1, "k");
        view element = view_at(e, x, k.index);
        LLVMValueRef a = cast_op(e, x->type.e, out->type.e, sweep_load(&s, &element));
        LLVMValueRef b = cast_op(e, w->type.e, out->type.e, right_columns(&s, w, x->size[0], k.index));
        LLVMValueRef had = LLVMBuildLoad2(e->b, sums, sum, "");
        LLVMBuildStore(e->b, multiplied(e, out->type.e, a, b, had), sum);
        build_loop_end(e, &k);
        sweep_store(&s, out, LLVMBuildLoad2(e->b, sums, sum, ""));
    }
}

// [X,K] x [K,N] -> [X,K/group,N]
static void grouped_product(emit *e, int64_t group, const view *x, const view *w, const view *out) {
    LLVMValueRef step = build_const_i64(e, group);
    walk at = walk_begin(e, 2, out->size);
    view row = view_at(e, x, at.index[0]), to = walk_view(e, &at, out);
    LLVMValueRef from = LLVMBuildNSWMul(e->b, at.index[1], step, "");
    product_row(e, &row, w, from, LLVMBuildNSWAdd(e->b, from, step, ""), &to);
    walk_end(e, &at);
}

void loop_nest_matmul(loop_nest *n, const node *producer, const view *out) {
    emit *e = n->e;
    const attr *group = node_attr(producer, ATTR_group);
    int rank = out->type.rank;
    view x = n->views[producer->inputs[0]], w = n->views[producer->inputs[1]];
    if (!group && loop_nest_block_product(n, &x, &w, out)) return;
    w = loop_nest_swept(n, &w);
    if (group) {
        grouped_product(e, group->u.i, &x, &w, out);
        return;
    }
    walk at = walk_begin(e, rank - 1, out->size);
    view row = walk_view(e, &at, &x), to = walk_view(e, &at, out);
    for (int i = 0; w.type.rank > 2; i++) w = view_at(e, &w, at.index[i]);
    product_row(e, &row, &w, build_const_i64(e, 0), row.size[0], &to);
    walk_end(e, &at);
}
