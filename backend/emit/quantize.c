// scales, quantize and dequantize, lane by lane (docs/ir.md, Ops).
//
// To quantise is one fused multiply-add, two limits and a truncation: added to x times the reciprocal, 1.5 * 2^23 and the
// zero point leave the whole number in the lowest bits of a float, rounded once.
#include "ir/quantize.h"
#include "backend/emit/view.h"
#include "runtime/abi.h"

#define ROUNDER        0x1.8p23
#define ROUNDER_DOUBLE 0x1.8p52

static int lanes_of(LLVMValueRef x) {
    LLVMTypeRef t = LLVMTypeOf(x);
    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? (int)LLVMGetVectorSize(t) : 1;
}

static LLVMTypeRef lanes(LLVMTypeRef one, int width) {
    return width == 1 ? one : LLVMVectorType(one, (unsigned)width);
}

static LLVMValueRef spread(LLVMValueRef x, emit *e, int width) {
    return width == 1 || lanes_of(x) > 1 ? x : build_splat(e, x, width);
}

// x within `rounder` + zero +- limit; NaN becomes the least. The result's low bits are the number.
static LLVMValueRef limited(emit *e, LLVMValueRef x, LLVMTypeRef t, double middle, double limit) {
    int width = lanes_of(x);
    LLVMValueRef low = spread(LLVMConstReal(t, middle - limit), e, width),
                 high = spread(LLVMConstReal(t, middle + limit), e, width);
    x = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, x, low, ""), x, low, "");
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOLT, x, high, ""), x, high, "");
}

static LLVMValueRef quantized(emit *e, const node *n, LLVMValueRef x, LLVMValueRef reciprocal) {
    double limit = (double)node_attr(n, ATTR_limit)->u.i, zero = zero_point(n, n->type.e), rounder = ROUNDER;
    int width = lanes_of(x);
    bool fused = e->target->fma;
    LLVMTypeRef t = e->f32, bits = e->i32;
    if (!fused) { // the product of two floats is exact in double
        t = LLVMDoubleTypeInContext(e->context);
        bits = e->i64;
        rounder = ROUNDER_DOUBLE;
        x = LLVMBuildFPExt(e->b, x, lanes(t, width), "");
        reciprocal = LLVMBuildFPExt(e->b, reciprocal, lanes(t, width), "");
    }
    LLVMValueRef middle = spread(LLVMConstReal(t, rounder + zero), e, width);
    LLVMValueRef q = fused ? math_fma(e, x, reciprocal, middle)
                           : LLVMBuildFAdd(e->b, LLVMBuildFMul(e->b, x, reciprocal, ""), middle, "");
    q = limited(e, q, t, rounder + zero, limit);
    return LLVMBuildTrunc(e->b, LLVMBuildBitCast(e->b, q, lanes(bits, width), ""),
                          view_elem(e, n->type.e, width), "");
}

static LLVMValueRef dequantized(emit *e, const node *n, elem from, LLVMValueRef q, LLVMValueRef scale) {
    LLVMValueRef i = cast_op(e, from, ELEM_I32, q);
    int zero = zero_point(n, from);
    LLVMValueRef by = spread(LLVMConstInt(e->i32, (unsigned long long)zero, false), e, lanes_of(q));
    if (zero) i = LLVMBuildSub(e->b, i, by, "");
    return LLVMBuildFMul(e->b, cast_op(e, ELEM_I32, ELEM_F32, i), scale, "");
}

LLVMValueRef quantize_factor(emit *e, const node *n, LLVMValueRef scale) {
    if (n->op == OP_dequantize) return scale;
    return LLVMBuildFDiv(e->b, spread(build_const_f32(e, 1), e, lanes_of(scale)), scale, "");
}

LLVMValueRef quantize_op(emit *e, const graph *g, const node *n, LLVMValueRef x, LLVMValueRef factor) {
    factor = spread(factor, e, lanes_of(x));
    if (n->op == OP_dequantize) return dequantized(e, n, graph_type(g, n->inputs[0])->e, x, factor);
    return quantized(e, n, x, factor);
}

LLVMValueRef larger_magnitude(emit *e, LLVMValueRef x, LLVMValueRef had) {
    LLVMTypeRef t = LLVMTypeOf(x);
    if ((e->target->feature_bits & BERTC_FEATURE_AVX512DQ) &&
        lanes_of(x) == 16) { // vrangeps: the larger size, no sign
        LLVMValueRef args[] = {x,
                               had,
                               LLVMConstInt(e->i32, 0xb, false),
                               had,
                               LLVMConstAllOnes(e->i16),
                               LLVMConstInt(e->i32, 4, false)};
        return build_intrinsic(e, "llvm.x86.avx512.mask.range.ps.512", 0, NULL, 6, args);
    }
    x = build_intrinsic(e, "llvm.fabs", 1, &t, 1, &x);
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, x, had, ""), x, had, "");
}

LLVMValueRef scale_of_magnitude(emit *e, LLVMValueRef most, double limit) {
    LLVMValueRef scale = LLVMBuildFDiv(e->b, most, build_const_f32(e, limit), "");
    LLVMValueRef fits = LLVMBuildFCmp(e->b, LLVMRealOGE, scale, build_const_f32(e, LEAST_SCALE), "");
    return LLVMBuildSelect(e->b, fits, scale, build_const_f32(e, 1), "");
}
