// cos and sin, see the table in math.c. The argument is reduced in double: x = n pi/2 + r, |r| <= pi/4, with
// pi/2 in two parts, the first with so few bits that n times it is exact for n below 2^28; then a float
// polynomial in r, the one or the other by the quarter turn that n is. No fused operation is needed for that.
#include "backend/emit/math_parts.h"

#define LARGEST 0x1p28 // NaN beyond: neighbouring floats are turns apart

typedef struct reduced {
    LLVMValueRef r, quarter; // in the type of x; i32, of which the two low bits count
} reduced;

static LLVMTypeRef like(LLVMTypeRef shape, LLVMTypeRef element) {
    return LLVMGetTypeKind(shape) == LLVMVectorTypeKind ? LLVMVectorType(element, LLVMGetVectorSize(shape))
                                                        : element;
}

static LLVMValueRef wide_const(emit *e, LLVMValueRef x, double c) {
    LLVMTypeRef t = LLVMTypeOf(x), f64 = LLVMDoubleTypeInContext(e->context);
    LLVMValueRef k = LLVMConstReal(f64, c);
    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? build_splat(e, k, (int)LLVMGetVectorSize(t)) : k;
}

static reduced reduce_argument(emit *e, LLVMValueRef x) {
    LLVMTypeRef shape = LLVMTypeOf(x), wide = like(shape, LLVMDoubleTypeInContext(e->context));
    const double magic = 0x1.8p52; // adding it rounds to an integer and leaves that in the low bits
    LLVMValueRef d = LLVMBuildFPExt(e->b, x, wide, ""), m = wide_const(e, x, magic);
    LLVMValueRef t = LLVMBuildFMul(e->b, d, wide_const(e, x, 0x1.45f306dc9c883p-1), "");
    t = LLVMBuildFAdd(e->b, t, m, "");
    LLVMValueRef n = LLVMBuildFSub(e->b, t, m, "");
    LLVMValueRef high = LLVMBuildFMul(e->b, n, wide_const(e, x, 0x1.921fb5p0), "");
    LLVMValueRef low = LLVMBuildFMul(e->b, n, wide_const(e, x, 0x1.110b4611a6263p-26), "");
    d = LLVMBuildFSub(e->b, LLVMBuildFSub(e->b, d, high, ""), low, "");
    LLVMValueRef bits = LLVMBuildBitCast(e->b, t, like(shape, e->i64), "");
    return (reduced){LLVMBuildFPTrunc(e->b, d, shape, ""),
                     LLVMBuildTrunc(e->b, bits, math_int_type(e, x), "")};
}

static LLVMValueRef bit(emit *e, LLVMValueRef n, LLVMValueRef x, int64_t mask) {
    LLVMValueRef b = LLVMBuildAnd(e->b, n, math_int_const(e, x, mask), "");
    return LLVMBuildICmp(e->b, LLVMIntNE, b, math_int_const(e, x, 0), "");
}

// The cosine of r plus `quarters` quarter turns.
static LLVMValueRef turn(emit *e, LLVMValueRef x, int64_t quarters) {
    // (sin r - r) / r^3 and (cos r - 1 + r^2 / 2) / r^4 in r^2 up to (pi/4)^2, relative errors of the
    // whole 3.7e-9 and 1.8e-10.
    static const double sines[] = {-0x1.555556p-3, 0x1.111108p-7, -0x1.a00f7ep-13, 0x1.6cd1d2p-19},
                        cosines[] = {0x1.55554ap-5, -0x1.6c0c34p-10, 0x1.99eb74p-16};
    reduced a = reduce_argument(e, x);
    LLVMValueRef n = LLVMBuildAdd(e->b, a.quarter, math_int_const(e, x, quarters), "");
    LLVMValueRef s = LLVMBuildFMul(e->b, a.r, a.r, "");
    LLVMValueRef cube = LLVMBuildFMul(e->b, a.r, s, "");
    LLVMValueRef sine = math_fma(e, cube, math_poly(e, s, sines, 4), a.r);
    LLVMValueRef cosine = math_fma(e, s, math_poly(e, s, cosines, 3), math_const(e, x, -0.5));
    cosine = math_fma(e, s, cosine, math_const(e, x, 1.0));
    LLVMValueRef y = LLVMBuildSelect(e->b, bit(e, n, x, 1), sine, cosine, "");
    // cos(r + pi/2) = -sin r, cos(r + pi) = -cos r, cos(r + 3 pi/2) = sin r: the second bit of n + 1
    LLVMValueRef next = LLVMBuildAdd(e->b, n, math_int_const(e, x, 1), "");
    LLVMValueRef minus = LLVMBuildFNeg(e->b, y, "");
    y = LLVMBuildSelect(e->b, bit(e, next, x, 2), minus, y, "");
    LLVMValueRef size = math_unary(e, "llvm.fabs", x);
    LLVMValueRef far = LLVMBuildFCmp(e->b, LLVMRealUGT, size, math_const(e, x, LARGEST), "");
    return LLVMBuildSelect(e->b, far, math_const(e, x, __builtin_nan("")), y, "");
}

LLVMValueRef math_cos(emit *e, LLVMValueRef x) {
    return turn(e, x, 0);
}

LLVMValueRef math_sin(emit *e, LLVMValueRef x) {
    return turn(e, x, 3);
}
