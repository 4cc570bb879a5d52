// erf and gelu. Both forms of gelu are hot (3072 columns in each row of BERT-base), so they are as short as
// their accuracy allows: the exact form is a polynomial without exp and division, 22 instructions; the form
// by tanh has one division and 16 other instructions.
#include "backend/emit/math_parts.h"

// Up to 1 an odd polynomial, beyond it one in |x| - 2.5.
LLVMValueRef math_erf(emit *e, LLVMValueRef x) {
    // (erf(x) - x) / x in x^2, relative error of erf 1.2e-9.
    static const double near_[] = {0x1.06eba8p-3, -0x1.81273ep-2, 0x1.ce2cf8p-4, -0x1.b7f90ep-6,
                                   0x1.5405b2p-8, -0x1.a3f7p-11,  0x1.496a32p-14};
    // erf up to 4, absolute error 9.5e-9.
    static const double far_[] = {0x1.ffcaa8p-1,   0x1.1d7fe2p-9,   -0x1.64e342p-8, 0x1.11ab5p-7,
                                  -0x1.1a8c76p-7,  0x1.9060bap-8,   -0x1.6ea5dcp-9, 0x1.25a794p-11,
                                  0x1.0ef76ap-12,  -0x1.1b90b4p-12, 0x1.550436p-14, 0x1.28da12p-16,
                                  -0x1.08d3d6p-16, 0x1.107c1cp-21,  0x1.e25cb4p-21};
    LLVMValueRef s = LLVMBuildFMul(e->b, x, x, "");
    LLVMValueRef near = math_fma(e, x, math_poly(e, s, near_, 7), x);
    LLVMValueRef size = math_at_most(e, math_unary(e, "llvm.fabs", x), 4.0);
    LLVMValueRef far = math_poly(e, LLVMBuildFSub(e->b, size, math_const(e, x, 2.5), ""), far_, 15);
    far = math_copysign(e, math_at_most(e, far, 1.0), x);
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOLT, s, math_const(e, x, 1.0), ""), near, far,
                           "");
}

// x Phi(x), Phi(x) = 1/2 + x P(x^2). The polynomial is in u = x^2 - 13.5, from -13.5 to 13.5, where its
// terms fall off and float32 evaluates it to the last digits. Beyond, x P goes on along a straight line, and
// the clamp makes the tails exact.
static LLVMValueRef gelu_erf(emit *e, LLVMValueRef x) {
    // (Phi(x) - 1/2) / x, absolute error of Phi 5.7e-8 up to 5.196, where 1 - Phi is 1e-7.
    static const double c[] = {0x1.16a18cp-3,  -0x1.491858p-8,  0x1.1ffc4ap-12, -0x1.105dp-16,
                               0x1.0274dap-20, -0x1.d92058p-25, 0x1.975a4ep-29, -0x1.50188p-33,
                               0x1.0e87a2p-37, -0x1.64c4bp-42,  0x1.48f684p-47, -0x1.0b8c3cp-51,
                               0x1.37ba8p-55,  -0x1.110c2p-60};
    LLVMValueRef u = math_fma(e, x, x, math_const(e, x, -13.5));
    u = math_at_most(e, u, 13.5);
    // The largest terms are added last, one by one: in pairs their roundings would be worth 2.0e-7.
    LLVMValueRef p = math_poly_pairs(e, u, c + 2, 12);
    for (int i = 1; i >= 0; i--) p = math_fma(e, p, u, math_const(e, x, c[i]));
    LLVMValueRef phi = math_fma(e, x, p, math_const(e, x, 0.5));
    phi = math_at_most(e, math_at_least(e, phi, 0.0), 1.0);
    return LLVMBuildFMul(e->b, x, phi, "");
}

// x / 2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) = x / (1 + 2^w). The factor log2(e) is in w's coefficients,
// so that the fraction of w needs no second constant; w's own rounding is worth 1.3e-8 of the result at most.
// w = 128 gives inf, and 0.
static LLVMValueRef gelu_tanh(emit *e, LLVMValueRef x) {
    // 2^f on [-1/2, 1/2], relative error 7.5e-8.
    static const double c[] = {0x1.000002p+0, 0x1.62e428p-1, 0x1.ebf918p-3,
                               0x1.c6b6e4p-5, 0x1.3d0c52p-7, 0x1.5c08e6p-10};
    const double a = -2.302208198144325, magic = 12582912.0 + 127.0; // a = -2 sqrt(2/pi) log2(e)
    LLVMValueRef s = LLVMBuildFMul(e->b, x, x, "");
    LLVMValueRef w = math_fma(e, s, math_const(e, x, a * 0.044715), math_const(e, x, a));
    w = math_at_most(e, math_at_least(e, LLVMBuildFMul(e->b, x, w, ""), -126.0), 128.0);
    LLVMValueRef t = LLVMBuildFAdd(e->b, w, math_const(e, x, magic), "");
    LLVMValueRef f = LLVMBuildFSub(e->b, w, LLVMBuildFSub(e->b, t, math_const(e, x, magic), ""), "");
    LLVMTypeRef ints = math_int_type(e, x);
    LLVMValueRef bits = LLVMBuildShl(e->b, LLVMBuildBitCast(e->b, t, ints, ""), math_int_const(e, x, 23), "");
    LLVMValueRef scale = LLVMBuildBitCast(e->b, bits, LLVMTypeOf(x), "");
    LLVMValueRef below = math_fma(e, scale, math_poly(e, f, c, 6), math_const(e, x, 1.0));
    return LLVMBuildFDiv(e->b, x, below, "");
}

// x (1/2 + y P(y^2)), y within +-4: there y P(y^2) is 1/2, exactly where multiplications and additions are fused, and beyond
// the result is x or 0. The polynomial is in y^2 - 8. 14 instructions in either form.
LLVMValueRef math_gelu_rounded(emit *e, LLVMValueRef x, bool tanh_approximation) {
    // Error of the result up to max(1, |x|) 4.0e-5, by tanh 4.7e-5.
    static const double exact[] = {0x1.685760p-3,  -0x1.5989f4p-7,  0x1.cb2304p-11, -0x1.2ab6e2p-14,
                                   0x1.627506p-18, -0x1.b56f30p-22, 0x1.0cc672p-25, -0x1.5c60c4p-30};
    static const double by_tanh[] = {0x1.68752ep-3,  -0x1.59ee4ep-7,  0x1.caecbcp-11, -0x1.27db60p-14,
                                     0x1.585d1ep-18, -0x1.b07ab8p-22, 0x1.1f280ap-25, -0x1.8e35cep-30};
    LLVMValueRef y = math_at_most(e, math_at_least(e, x, -4.0), 4.0);
    LLVMValueRef u = math_fma(e, y, y, math_const(e, x, -8.0));
    LLVMValueRef p = math_poly_pairs(e, u, tanh_approximation ? by_tanh : exact, 8);
    return LLVMBuildFMul(e->b, x, math_fma(e, y, p, math_const(e, x, 0.5)), "");
}

LLVMValueRef math_gelu(emit *e, LLVMValueRef x, bool tanh_approximation) {
    return tanh_approximation ? gelu_tanh(e, x) : gelu_erf(e, x);
}
