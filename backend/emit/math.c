// Vector functions on float or <n x float>, as polynomials: no libm, no library call, no fast-math flag, so
// that a lane's bits depend on its own value and the target alone. Minimax coefficients by Remez exchange in
// 113 bits, constrained where said.
//
// | function | largest error     | and                                                            |
// | -------- | ----------------- | -------------------------------------------------------------- |
// | exp      | 2 ulp             | above 88.7228 inf; below -86.99 (results under 1.7e-38) 0      |
// | exp_bf16 | 1e-4 of the result | for results that become bf16; as exp where AVX-512 is missing      |
// | log      | 2 ulp             | denormals included; log(0) = -inf, of a negative number NaN    |
// | sigmoid  | 2 ulp             | below -86.99: 0                                                |
// | tanh     | 2 ulp             |                                                                |
// | cos, sin | 2 ulp, or 1e-7   | up to 2^28 in size, NaN beyond                                 |
// | erf      | 2 ulp, or 1e-7    | exactly +-1 from 4 on                                          |
// | rsqrt    | 2 ulp             | a square root and a division; rsqrt(0) = inf, of a negative NaN |
// | gelu     | 2e-7 max(1, |x|), | exactly x far above 0, exactly 0 far below; gelu(-inf) = NaN   |
// |          | 2.5e-7 if no FMA  |                                                                |
// | gelu_rounded | 5e-5 max(1, |x|) | for results that become bf16 or 8 bits                      |
//
// Measured: exp 0.9 ulp (1.2 without FMA), log 0.9, sigmoid, tanh and rsqrt 1.6, gelu 1.8e-7 (2.1e-7), by
// tanh 1.3e-7. NaN gives NaN everywhere. tests/unit/test_math.c holds every function against these figures.
#include "backend/emit/math_parts.h"
#include "runtime/abi.h"

LLVMValueRef math_const(emit *e, LLVMValueRef like, double c) {
    LLVMTypeRef t = LLVMTypeOf(like);
    LLVMValueRef x = build_const_f32(e, c);
    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? build_splat(e, x, (int)LLVMGetVectorSize(t)) : x;
}

LLVMTypeRef math_int_type(emit *e, LLVMValueRef like) {
    LLVMTypeRef t = LLVMTypeOf(like);
    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? LLVMVectorType(e->i32, LLVMGetVectorSize(t)) : e->i32;
}

LLVMValueRef math_int_const(emit *e, LLVMValueRef like, int64_t c) {
    LLVMTypeRef t = LLVMTypeOf(like);
    LLVMValueRef x = LLVMConstInt(e->i32, (unsigned long long)c & 0xffffffffu, false);
    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? build_splat(e, x, (int)LLVMGetVectorSize(t)) : x;
}

// The operand order makes these one maxps or minps each, which give their second operand where one is NaN.
LLVMValueRef math_at_least(emit *e, LLVMValueRef x, double c) {
    LLVMValueRef k = math_const(e, x, c);
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, k, x, ""), k, x, "");
}
LLVMValueRef math_at_most(emit *e, LLVMValueRef x, double c) {
    LLVMValueRef k = math_const(e, x, c);
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOLT, k, x, ""), k, x, "");
}

LLVMValueRef math_fma(emit *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c) {
    if (!e->target->fma) return LLVMBuildFAdd(e->b, LLVMBuildFMul(e->b, a, b, ""), c, "");
    LLVMTypeRef t = LLVMTypeOf(a);
    LLVMValueRef args[] = {a, b, c};
    return build_intrinsic(e, "llvm.fma", 1, &t, 3, args);
}

LLVMValueRef math_poly(emit *e, LLVMValueRef x, const double *c, int n) {
    LLVMValueRef p = math_const(e, x, c[n - 1]);
    for (int i = n - 2; i >= 0; i--) p = math_fma(e, p, x, math_const(e, x, c[i]));
    return p;
}

LLVMValueRef math_poly_pairs(emit *e, LLVMValueRef x, const double *c, int n) {
    LLVMValueRef part[16], power = x;
    for (int i = 0; i < n; i++) part[i] = math_const(e, x, c[i]);
    for (; n > 1; n = (n + 1) / 2) {
        for (int i = 0; i < n; i += 2)
            part[i / 2] = i + 1 < n ? math_fma(e, part[i + 1], power, part[i]) : part[i];
        if (n > 2) power = LLVMBuildFMul(e->b, power, power, "");
    }
    return part[0];
}

LLVMValueRef math_unary(emit *e, const char *intrinsic, LLVMValueRef x) {
    LLVMTypeRef t = LLVMTypeOf(x);
    return build_intrinsic(e, intrinsic, 1, &t, 1, &x);
}

LLVMValueRef math_copysign(emit *e, LLVMValueRef size, LLVMValueRef sign) {
    LLVMTypeRef t = LLVMTypeOf(size);
    LLVMValueRef args[] = {size, sign};
    return build_intrinsic(e, "llvm.copysign", 1, &t, 2, args);
}

// x = n ln2 + r, |r| <= ln2 / 2; 2 e^r as a polynomial, times 2^(n-1). That split keeps 2^(n-1) a float up to
// the largest result. Adding `magic` rounds to an integer and leaves n + 126, the exponent of 2^(n-1), in the
// low bits.
LLVMValueRef math_exp(emit *e, LLVMValueRef x) {
    // 2 (e^r - 1 - r) / r^2, relative error of the whole 3.2e-9.
    static const double q[] = {0x1.fffffcp-1, 0x1.555494p-2, 0x1.5558e2p-4, 0x1.1238aap-6, 0x1.6a292ap-9};
    const double magic = 12582912.0 + 126.0;
    x = math_at_most(e, math_at_least(e, x, -87.4), 88.8);
    LLVMValueRef t = math_fma(e, x, math_const(e, x, 1.4426950408889634), math_const(e, x, magic));
    LLVMValueRef n = LLVMBuildFSub(e->b, t, math_const(e, x, magic), "");
    // ln2 in two parts, the first with so few bits that n times it is exact with and without FMA.
    LLVMValueRef r = math_fma(e, n, math_const(e, x, -0.693359375), x);
    r = math_fma(e, n, math_const(e, x, 2.12194440e-4), r);
    LLVMValueRef p = math_poly(e, r, q, 5);
    p = math_fma(e, p, r, math_const(e, x, 2.0));
    p = math_fma(e, p, r, math_const(e, x, 2.0));
    LLVMValueRef bits = LLVMBuildBitCast(e->b, t, math_int_type(e, x), "");
    bits = LLVMBuildShl(e->b, bits, math_int_const(e, x, 23), "");
    return LLVMBuildFMul(e->b, p, LLVMBuildBitCast(e->b, bits, LLVMTypeOf(x), ""), "");
}

// x / ln2 = n + r, 0 <= r < 1; 2^r as a polynomial of relative error 8.6e-5, exactly 1 at 0, times 2^n. The
// instructions split off r (of -inf: 0) and put 2^n in.
LLVMValueRef math_exp_bf16(emit *e, LLVMValueRef x) {
    static const double q[] = {1, 0x1.63e658p-1, 0x1.d2378ap-3, 0x1.3baaa6p-4};
    LLVMTypeRef t = LLVMTypeOf(x);
    bool has_instructions = e->target->feature_bits & BERTC_FEATURE_AVX512DQ;
    if (!has_instructions || LLVMGetTypeKind(t) != LLVMVectorTypeKind || LLVMGetVectorSize(t) != 16)
        return math_exp(e, x);
    LLVMValueRef all = LLVMConstAllOnes(e->i16), down = LLVMConstInt(e->i32, 1, false),
                 as_set = LLVMConstInt(e->i32, 4, false);
    LLVMValueRef y = LLVMBuildFMul(e->b, x, math_const(e, x, 1.4426950408889634), "");
    LLVMValueRef reduce[] = {y, down, y, all, as_set};
    LLVMValueRef r = build_intrinsic(e, "llvm.x86.avx512.mask.reduce.ps.512", 0, NULL, 5, reduce);
    LLVMValueRef scale[] = {math_poly(e, r, q, 4), y, y, all, as_set};
    return build_intrinsic(e, "llvm.x86.avx512.mask.scalef.ps.512", 0, NULL, 5, scale);
}

// log of a finite positive x = m 2^k, m in [sqrt(1/2), sqrt 2), f = m - 1.
static LLVMValueRef log_positive(emit *e, LLVMValueRef x) {
    // (log(1+f) - f + f^2/2) / f^3, relative error of the whole 6.0e-9.
    static const double q[] = {0x1.555554p-2, -0x1.00021ep-2, 0x1.99a03ep-3, -0x1.54749cp-3,
                               0x1.22d814p-3, -0x1.0d6f5ap-3, 0x1.055d3p-3,  -0x1.39208cp-4};
    LLVMTypeRef ints = math_int_type(e, x), floats = LLVMTypeOf(x);
    LLVMValueRef tiny = LLVMBuildFCmp(e->b, LLVMRealOLT, x, math_const(e, x, 0x1p-126), "");
    LLVMValueRef scaled = LLVMBuildFMul(e->b, x, math_const(e, x, 0x1p+23), "");
    LLVMValueRef bits = LLVMBuildBitCast(e->b, LLVMBuildSelect(e->b, tiny, scaled, x, ""), ints, "");
    LLVMValueRef k = LLVMBuildSub(e->b, bits, math_int_const(e, x, 0x3f3504f3), "");
    k = LLVMBuildAShr(e->b, k, math_int_const(e, x, 23), "");
    LLVMValueRef m = LLVMBuildSub(e->b, bits, LLVMBuildShl(e->b, k, math_int_const(e, x, 23), ""), "");
    LLVMValueRef f = LLVMBuildFSub(e->b, LLVMBuildBitCast(e->b, m, floats, ""), math_const(e, x, 1.0), "");
    LLVMValueRef kf = LLVMBuildSIToFP(e->b, k, floats, "");
    LLVMValueRef down = LLVMBuildSelect(e->b, tiny, math_const(e, x, -23.0), math_const(e, x, 0.0), "");
    kf = LLVMBuildFAdd(e->b, kf, down, "");
    LLVMValueRef s = LLVMBuildFMul(e->b, f, f, "");
    LLVMValueRef cube = LLVMBuildFMul(e->b, f, s, "");
    LLVMValueRef y = LLVMBuildFMul(e->b, cube, math_poly(e, f, q, 8), "");
    y = math_fma(e, kf, math_const(e, x, -2.12194440e-4), y);
    y = math_fma(e, s, math_const(e, x, -0.5), y);
    y = LLVMBuildFAdd(e->b, f, y, "");
    return math_fma(e, kf, math_const(e, x, 0.693359375), y);
}

LLVMValueRef math_log(emit *e, LLVMValueRef x) {
    LLVMValueRef inf = math_const(e, x, __builtin_inf()), zero = math_const(e, x, 0.0);
    LLVMValueRef y = log_positive(e, x);
    y = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOEQ, x, inf, ""), inf, y, "");
    y = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOEQ, x, zero, ""),
                        math_const(e, x, -__builtin_inf()), y, "");
    LLVMValueRef outside = LLVMBuildFCmp(e->b, LLVMRealULT, x, zero, "");
    return LLVMBuildSelect(e->b, outside, math_const(e, x, __builtin_nan("")), y, "");
}

// t = e^-|x|; q = t / (1 + t) below 0, else 1 / (1 + t). Then one step on the residual, for the roundings of
// 1 + t and of the division alone would be worth two units.
LLVMValueRef math_sigmoid(emit *e, LLVMValueRef x) {
    LLVMValueRef one = math_const(e, x, 1.0);
    LLVMValueRef t = math_exp(e, LLVMBuildFNeg(e->b, math_unary(e, "llvm.fabs", x), ""));
    LLVMValueRef below = LLVMBuildFCmp(e->b, LLVMRealOLT, x, math_const(e, x, 0.0), "");
    LLVMValueRef above = LLVMBuildSelect(e->b, below, t, one, "");
    LLVMValueRef q = LLVMBuildFDiv(e->b, above, LLVMBuildFAdd(e->b, t, one, ""), "");
    LLVMValueRef minus = LLVMBuildFNeg(e->b, q, "");
    LLVMValueRef left = math_fma(e, minus, t, LLVMBuildFSub(e->b, above, q, ""));
    LLVMValueRef inverse =
        LLVMBuildSelect(e->b, below, LLVMBuildFSub(e->b, one, q, ""), q, ""); // 1 / (1 + t), nearly
    return math_fma(e, left, inverse, q);
}

// Near 0 an odd polynomial, for 1 - 2 / (e^2x + 1) loses the small digits there.
LLVMValueRef math_tanh(emit *e, LLVMValueRef x) {
    // (tanh x - x) / x^3 in x^2 up to 0.625, relative error 4.9e-9.
    static const double q[] = {-0x1.55553cp-2, 0x1.1108a2p-3, -0x1.b86686p-5, 0x1.531928p-6, -0x1.79b28ep-8};
    LLVMValueRef one = math_const(e, x, 1.0), s = LLVMBuildFMul(e->b, x, x, "");
    LLVMValueRef cube = LLVMBuildFMul(e->b, x, s, "");
    LLVMValueRef near = math_fma(e, cube, math_poly(e, s, q, 5), x);
    LLVMValueRef size = math_unary(e, "llvm.fabs", x);
    LLVMValueRef t = math_exp(e, LLVMBuildFAdd(e->b, size, size, ""));
    t = LLVMBuildFDiv(e->b, math_const(e, x, 2.0), LLVMBuildFAdd(e->b, t, one, ""), "");
    LLVMValueRef far = math_copysign(e, LLVMBuildFSub(e->b, one, t, ""), x);
    LLVMValueRef small = LLVMBuildFCmp(e->b, LLVMRealOLT, size, math_const(e, x, 0.625), "");
    return LLVMBuildSelect(e->b, small, near, far, "");
}

LLVMValueRef math_rsqrt(emit *e, LLVMValueRef x) {
    return LLVMBuildFDiv(e->b, math_const(e, x, 1.0), math_unary(e, "llvm.sqrt", x), "");
}
