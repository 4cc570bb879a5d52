// The loop nest's quantize and dequantize: a row in groups of columns, each swept by vectors with its scale.
#include "backend/loop_nest/loop_nest.h"

// Adding and taking away 1.5 * 2^23 rounds what is below 2^22 to an integer, ties to even.
#define ROUNDER       12582912.0
#define UNSIGNED_ZERO 128 // what stands for 0 in u8

static LLVMValueRef number(const sweep *s, double k) {
    LLVMValueRef x = build_const_f32(s->e, k);
    return s->width == 1 ? x : build_splat(s->e, x, s->width);
}

static LLVMValueRef shift(const sweep *s, elem e, LLVMValueRef x, bool up) {
    LLVMValueRef zero = LLVMConstInt(s->e->i32, UNSIGNED_ZERO, false);
    if (e != ELEM_U8) return x;
    if (s->width > 1) zero = build_splat(s->e, zero, s->width);
    return up ? LLVMBuildAdd(s->e->b, x, zero, "") : LLVMBuildSub(s->e->b, x, zero, "");
}

// x / scale to the nearest within +-limit, NaN as 0. The limits are integers, so to keep within them before rounding
// gives what it gives after.
static LLVMValueRef quantized(const sweep *s, LLVMValueRef x, LLVMValueRef scale, double limit, elem to) {
    emit *e = s->e;
    LLVMValueRef q = LLVMBuildFDiv(e->b, x, scale, ""), high = number(s, limit), low = number(s, -limit);
    q = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUNO, q, q, ""), number(s, 0), q, "");
    q = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, q, high, ""), high, q, "");
    q = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOLT, q, low, ""), low, q, "");
    q = LLVMBuildFSub(e->b, LLVMBuildFAdd(e->b, q, number(s, ROUNDER), ""), number(s, ROUNDER), "");
    LLVMValueRef i = LLVMBuildFPToSI(e->b, q, view_elem(e, ELEM_I32, s->width), "");
    return LLVMBuildTrunc(e->b, shift(s, to, i, true), view_elem(e, to, s->width), "");
}

static LLVMValueRef dequantized(const sweep *s, LLVMValueRef q, LLVMValueRef scale, elem from) {
    emit *e = s->e;
    LLVMTypeRef wide = view_elem(e, ELEM_I32, s->width);
    LLVMValueRef i = from == ELEM_U8 ? LLVMBuildZExt(e->b, q, wide, "") : LLVMBuildSExt(e->b, q, wide, "");
    LLVMValueRef x = LLVMBuildSIToFP(e->b, shift(s, from, i, false), view_elem(e, ELEM_F32, s->width), "");
    return LLVMBuildFMul(e->b, x, scale, "");
}

// Columns [begin, begin + columns) of a row.
static view columns_of(emit *e, const view *row, LLVMValueRef begin, int64_t columns) {
    dim d = dim_num(columns);
    type t = type_make(row->type.e, 1, &d);
    LLVMValueRef size = build_const_i64(e, columns);
    return view_slice(e, row, &t, &begin, &size);
}

void loop_nest_quantize(loop_nest *n, const node *producer, const view *out) {
    emit *e = n->e;
    view x = loop_nest_swept(n, &n->views[producer->inputs[0]]), *scales = &n->views[producer->inputs[1]];
    int last = out->type.rank - 1;
    int64_t group = node_attr(producer, ATTR_group)->u.i;
    const attr *limit = node_attr(producer, ATTR_limit); // of quantize
    walk w = walk_begin(e, last, out->size);
    view from = walk_view(e, &w, &x), to = walk_view(e, &w, out), scale = walk_view(e, &w, scales);
    loop g =
        build_loop(e, build_const_i64(e, 0), build_const_i64(e, out->type.d[last].n / group), 1, "group");
    LLVMValueRef begin = LLVMBuildNSWMul(e->b, g.index, build_const_i64(e, group), "");
    view in = columns_of(e, &from, begin, group), put = columns_of(e, &to, begin, group);
    view k = view_at(e, &scale, g.index);
    for (sweep s = sweep_of(e, &put, 2, (const view *[]){&in, &put}); sweep_next(&s);) {
        LLVMValueRef v = sweep_load(&s, &in), by = sweep_load(&s, &k);
        sweep_store(&s, &put,
                    limit ? quantized(&s, v, by, (double)limit->u.i, out->type.e)
                          : dequantized(&s, v, by, x.type.e));
    }
    build_loop_end(e, &g);
    walk_end(e, &w);
}
