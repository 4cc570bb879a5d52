// Casts between element types, lane by lane. LLVM turns its own conversions of f16 and bf16 into library
// calls on targets without the instruction, so there they are sequences of integer and float32 operations
// (ir/half.h has the same in C).
#include "backend/emit/view.h"
#include "runtime/abi.h"

#include <assert.h>

// i32 constants and types in the shape of `like`.
static LLVMTypeRef like_type(LLVMTypeRef scalar, LLVMValueRef like) {
    LLVMTypeRef t = LLVMTypeOf(like);
    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? LLVMVectorType(scalar, LLVMGetVectorSize(t)) : scalar;
}

static LLVMValueRef like_const(emit *e, LLVMValueRef scalar, LLVMValueRef like) {
    LLVMTypeRef t = LLVMTypeOf(like);
    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? build_splat(e, scalar, (int)LLVMGetVectorSize(t))
                                                    : scalar;
}

static LLVMValueRef bits(emit *e, uint32_t k, LLVMValueRef like) {
    return like_const(e, LLVMConstInt(e->i32, k, false), like);
}

static LLVMValueRef splat_number(emit *e, double k, LLVMValueRef like) {
    return like_const(e, build_const_f32(e, k), like);
}

static LLVMValueRef as_float(emit *e, LLVMValueRef x) {
    return LLVMBuildBitCast(e->b, x, like_type(e->f32, x), "");
}
static LLVMValueRef as_int(emit *e, LLVMValueRef x) {
    return LLVMBuildBitCast(e->b, x, like_type(e->i32, x), "");
}

static LLVMValueRef shift_left(emit *e, LLVMValueRef x, uint32_t n) {
    return LLVMBuildShl(e->b, x, bits(e, n, x), "");
}
static LLVMValueRef shift_right(emit *e, LLVMValueRef x, uint32_t n) {
    return LLVMBuildLShr(e->b, x, bits(e, n, x), "");
}

// Has the target instructions from f16 to f32 and back? AArch64 always does.
static bool converts_f16(const emit *e) {
    return e->target->feature_bits & (BERTC_FEATURE_F16C | BERTC_FEATURE_NEON);
}

static LLVMValueRef from_f16(emit *e, LLVMValueRef h) {
    if (converts_f16(e)) {
        LLVMValueRef half = LLVMBuildBitCast(e->b, h, like_type(LLVMHalfTypeInContext(e->context), h), "");
        return LLVMBuildFPExt(e->b, half, like_type(e->f32, h), "");
    }
    LLVMValueRef x = LLVMBuildZExt(e->b, h, like_type(e->i32, h), "");
    LLVMValueRef size = LLVMBuildAnd(e->b, x, bits(e, 0x7fff, x), "");
    LLVMValueRef sign = shift_left(e, LLVMBuildAnd(e->b, x, bits(e, 0x8000, x), ""), 16);
    // The exponents' biases differ by 112; subnormals come out right too.
    LLVMValueRef f = as_float(e, shift_left(e, size, 13));
    LLVMValueRef y = as_int(e, LLVMBuildFMul(e->b, f, splat_number(e, 0x1p112, f), ""));
    LLVMValueRef above = LLVMBuildICmp(e->b, LLVMIntUGE, size, bits(e, 0x7c00, x), "");
    y = LLVMBuildOr(e->b, y, LLVMBuildSelect(e->b, above, bits(e, 0x7f800000, x), bits(e, 0, x), ""), "");
    return as_float(e, LLVMBuildOr(e->b, y, sign, ""));
}

static LLVMValueRef from_bf16(emit *e, LLVMValueRef h) {
    return as_float(e, shift_left(e, LLVMBuildZExt(e->b, h, like_type(e->i32, h), ""), 16));
}

// To the nearest, ties to even: half a unit less one, plus the bit that would make it odd.
static LLVMValueRef round_off(emit *e, LLVMValueRef x, uint32_t drop) {
    LLVMValueRef odd = LLVMBuildAnd(e->b, shift_right(e, x, drop), bits(e, 1, x), "");
    LLVMValueRef up = LLVMBuildAdd(e->b, odd, bits(e, (1u << (drop - 1)) - 1, x), "");
    return shift_right(e, LLVMBuildAdd(e->b, x, up, ""), drop);
}

// 32 lanes, by one instruction.
static LLVMValueRef to_bf16_pair(emit *e, LLVMValueRef f) {
    LLVMValueRef part[2];
    for (int i = 0; i < 2; i++) {
        LLVMValueRef pick[16];
        for (int k = 0; k < 16; k++) pick[k] = LLVMConstInt(e->i32, (unsigned)(i * 16 + k), false);
        part[i] = LLVMBuildShuffleVector(e->b, f, f, LLVMConstVector(pick, 16), "");
    }
    LLVMValueRef args[] = {part[1], part[0]};
    LLVMValueRef x = build_intrinsic(e, "llvm.x86.avx512bf16.cvtne2ps2bf16.512", 0, NULL, 2, args);
    return LLVMBuildBitCast(e->b, x, like_type(e->i16, f), "");
}

static bool has_lanes(LLVMValueRef x, unsigned n) {
    return LLVMGetTypeKind(LLVMTypeOf(x)) == LLVMVectorTypeKind && LLVMGetVectorSize(LLVMTypeOf(x)) == n;
}

static LLVMValueRef to_bf16(emit *e, LLVMValueRef f) {
    if ((e->target->feature_bits & BERTC_FEATURE_AVX512BF16) && has_lanes(f, 32)) return to_bf16_pair(e, f);
    if (e->target->feature_bits & BERTC_FEATURE_AVX512BF16) {
        LLVMValueRef x = LLVMBuildFPTrunc(e->b, f, like_type(LLVMBFloatTypeInContext(e->context), f), "");
        return LLVMBuildBitCast(e->b, x, like_type(e->i16, f), "");
    }
    LLVMValueRef x = as_int(e, f);
    LLVMValueRef nan = LLVMBuildFCmp(e->b, LLVMRealUNO, f, f, "");
    LLVMValueRef quiet = LLVMBuildOr(e->b, shift_right(e, x, 16), bits(e, 0x40, x), "");
    return LLVMBuildTrunc(e->b, LLVMBuildSelect(e->b, nan, quiet, round_off(e, x, 16), ""),
                          like_type(e->i16, x), "");
}

static LLVMValueRef to_f16(emit *e, LLVMValueRef f) {
    if (converts_f16(e)) {
        LLVMValueRef half = LLVMBuildFPTrunc(e->b, f, like_type(LLVMHalfTypeInContext(e->context), f), "");
        return LLVMBuildBitCast(e->b, half, like_type(e->i16, f), "");
    }
    LLVMValueRef x = as_int(e, f), sign = LLVMBuildAnd(e->b, shift_right(e, x, 16), bits(e, 0x8000, x), "");
    LLVMValueRef size = LLVMBuildAnd(e->b, x, bits(e, 0x7fffffff, x), "");
    LLVMValueRef normal = round_off(e, LLVMBuildSub(e->b, size, bits(e, 0x38000000, x), ""), 13);
    // Subnormal: one unit is 2^-24, and the addition of 1/2 rounds to it.
    LLVMValueRef moved = LLVMBuildFAdd(e->b, as_float(e, size), splat_number(e, 0.5, f), "");
    LLVMValueRef tiny = LLVMBuildSub(e->b, as_int(e, moved), bits(e, 0x3f000000, x), "");
    LLVMValueRef y = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntULT, size, bits(e, 0x38800000, x), ""),
                                     tiny, normal, "");
    LLVMValueRef large = LLVMBuildICmp(e->b, LLVMIntUGE, size, bits(e, 0x477ff000, x), "");
    y = LLVMBuildSelect(e->b, large, bits(e, 0x7c00, x), y, "");
    LLVMValueRef nan = LLVMBuildICmp(e->b, LLVMIntUGT, size, bits(e, 0x7f800000, x), "");
    y = LLVMBuildSelect(e->b, nan, bits(e, 0x7e00, x), y, "");
    return LLVMBuildTrunc(e->b, LLVMBuildOr(e->b, y, sign, ""), like_type(e->i16, x), "");
}

// Towards zero; what does not fit becomes the nearest that does, NaN 0.
static LLVMValueRef to_i32(emit *e, LLVMValueRef f) {
    LLVMTypeRef ints = like_type(e->i32, f);
    LLVMValueRef low = LLVMBuildFCmp(e->b, LLVMRealOLT, f, splat_number(e, -0x1p31, f), "");
    LLVMValueRef high = LLVMBuildFCmp(e->b, LLVMRealOGE, f, splat_number(e, 0x1p31, f), "");
    LLVMValueRef nan = LLVMBuildFCmp(e->b, LLVMRealUNO, f, f, "");
    LLVMValueRef outside = LLVMBuildOr(e->b, LLVMBuildOr(e->b, low, high, ""), nan, "");
    LLVMValueRef x =
        LLVMBuildFPToSI(e->b, LLVMBuildSelect(e->b, outside, splat_number(e, 0, f), f, ""), ints, "");
    x = LLVMBuildSelect(e->b, low, bits(e, 0x80000000, x), x, "");
    return LLVMBuildSelect(e->b, high, bits(e, 0x7fffffff, x), x, "");
}

// i32 into [low, high] of a byte.
static LLVMValueRef to_byte(emit *e, LLVMValueRef x, int low, int high) {
    LLVMValueRef least = bits(e, (uint32_t)low, x), most = bits(e, (uint32_t)high, x);
    x = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, x, least, ""), least, x, "");
    x = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, x, most, ""), most, x, "");
    return LLVMBuildTrunc(e->b, x, like_type(e->i8, x), "");
}

// A whole number of any type; what is narrower than i32 exactly.
static LLVMValueRef from_whole(emit *e, elem from, LLVMValueRef x) {
    if (from == ELEM_I32) return x;
    bool is_signed = from == ELEM_I8 || from == ELEM_I4;
    LLVMTypeRef t = like_type(e->i32, x);
    return is_signed ? LLVMBuildSExt(e->b, x, t, "") : LLVMBuildZExt(e->b, x, t, "");
}

static LLVMValueRef to_float(emit *e, elem from, LLVMValueRef x) {
    switch (from) {
    case ELEM_F32: return x;
    case ELEM_F16: return from_f16(e, x);
    case ELEM_BF16: return from_bf16(e, x);
    case ELEM_I32:
    case ELEM_I8:
    case ELEM_I4: return LLVMBuildSIToFP(e->b, x, like_type(e->f32, x), "");
    case ELEM_U8:
    case ELEM_I1: return LLVMBuildUIToFP(e->b, x, like_type(e->f32, x), "");
    case ELEM_F64:
    case ELEM_F8_E4M3:
    case ELEM_F8_E5M2:
    case ELEM_COUNT: break;
    }
    assert(0 && "an element type");
    return NULL;
}

static LLVMValueRef to_whole(emit *e, elem to, LLVMValueRef x) {
    switch (to) {
    case ELEM_I32: return x;
    case ELEM_I8: return to_byte(e, x, INT8_MIN, INT8_MAX);
    case ELEM_U8: return to_byte(e, x, 0, UINT8_MAX);
    case ELEM_I4: return to_byte(e, x, -8, 7);
    case ELEM_I1: return LLVMBuildICmp(e->b, LLVMIntNE, x, bits(e, 0, x), "");
    case ELEM_F32:
    case ELEM_F16:
    case ELEM_BF16:
    case ELEM_F64:
    case ELEM_F8_E4M3:
    case ELEM_F8_E5M2:
    case ELEM_COUNT: break;
    }
    assert(0 && "a type of whole numbers");
    return NULL;
}

LLVMValueRef cast_op(emit *e, elem from, elem to, LLVMValueRef x) {
    if (from == to) return x;
    if (!elem_is_float(from) && !elem_is_float(to)) return to_whole(e, to, from_whole(e, from, x));
    LLVMValueRef f = to_float(e, from, x);
    if (to == ELEM_F32) return f;
    if (to == ELEM_F16) return to_f16(e, f);
    if (to == ELEM_BF16) return to_bf16(e, f);
    if (to == ELEM_I1) return LLVMBuildFCmp(e->b, LLVMRealUNE, f, splat_number(e, 0, f), "");
    return to_whole(e, to, to_i32(e, f));
}
