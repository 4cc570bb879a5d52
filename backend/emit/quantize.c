// quantize and dequantize, lane by lane (docs/ir.md, Ops).
#include "backend/emit/view.h"

// Adding and taking away 1.5 * 2^23 rounds what is below 2^22 to an integer, ties to even.
#define ROUNDER       12582912.0
#define UNSIGNED_ZERO 128 // what stands for 0 in u8

static int lanes_of(LLVMValueRef x) {
    LLVMTypeRef t = LLVMTypeOf(x);
    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? (int)LLVMGetVectorSize(t) : 1;
}

static LLVMValueRef number(emit *e, int width, double k) {
    LLVMValueRef x = build_const_f32(e, k);
    return width == 1 ? x : build_splat(e, x, width);
}

static LLVMValueRef shift(emit *e, elem of, LLVMValueRef x, bool up) {
    LLVMValueRef zero = LLVMConstInt(e->i32, UNSIGNED_ZERO, false);
    int width = lanes_of(x);
    if (of != ELEM_U8) return x;
    if (width > 1) zero = build_splat(e, zero, width);
    return up ? LLVMBuildAdd(e->b, x, zero, "") : LLVMBuildSub(e->b, x, zero, "");
}

// x / scale to the nearest within +-limit, NaN as 0. The limits are integers, so to keep within them before
// rounding gives what it gives after.
static LLVMValueRef quantized(emit *e, LLVMValueRef x, LLVMValueRef scale, double limit, elem to) {
    int width = lanes_of(x);
    LLVMValueRef q = LLVMBuildFDiv(e->b, x, scale, ""), high = number(e, width, limit),
                 low = number(e, width, -limit), rounder = number(e, width, ROUNDER);
    q = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealUNO, q, q, ""), number(e, width, 0), q, "");
    q = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, q, high, ""), high, q, "");
    q = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOLT, q, low, ""), low, q, "");
    q = LLVMBuildFSub(e->b, LLVMBuildFAdd(e->b, q, rounder, ""), rounder, "");
    LLVMValueRef i = LLVMBuildFPToSI(e->b, q, view_elem(e, ELEM_I32, width), "");
    return LLVMBuildTrunc(e->b, shift(e, to, i, true), view_elem(e, to, width), "");
}

static LLVMValueRef dequantized(emit *e, LLVMValueRef q, LLVMValueRef scale, elem from) {
    LLVMValueRef i = shift(e, from, cast_op(e, from, ELEM_I32, q), false);
    return LLVMBuildFMul(e->b, cast_op(e, ELEM_I32, ELEM_F32, i), scale, "");
}

LLVMValueRef quantize_op(emit *e, const graph *g, const node *n, LLVMValueRef x, LLVMValueRef scale) {
    if (n->op == OP_dequantize) return dequantized(e, x, scale, graph_type(g, n->inputs[0])->e);
    return quantized(e, x, scale, (double)node_attr(n, ATTR_limit)->u.i, n->type.e);
}
