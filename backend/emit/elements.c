// Elements as values: their LLVM types, and vectors of i4, which lie two a byte in memory, the low nibble first.
#include "backend/emit/view.h"

#include <assert.h>

LLVMTypeRef view_elem(const emit *e, elem x, int width) {
    LLVMTypeRef t = NULL;
    switch (x) {
    case ELEM_F32: t = e->f32; break;
    case ELEM_I32: t = e->i32; break;
    case ELEM_F16:
    case ELEM_BF16: t = e->i16; break;
    case ELEM_I8:
    case ELEM_U8:
    case ELEM_I4: t = e->i8; break;
    case ELEM_I1: t = e->i1; break;
    case ELEM_F64:
    case ELEM_F8_E4M3:
    case ELEM_F8_E5M2:
    case ELEM_COUNT: break;
    }
    assert(t);
    return width == 1 ? t : LLVMVectorType(t, (unsigned)width);
}

bool view_loads(elem e) {
    switch (e) {
    case ELEM_F32:
    case ELEM_F16:
    case ELEM_BF16:
    case ELEM_I32:
    case ELEM_I8:
    case ELEM_U8: return true;
    case ELEM_I4:
    case ELEM_I1:
    case ELEM_F64:
    case ELEM_F8_E4M3:
    case ELEM_F8_E5M2:
    case ELEM_COUNT: break;
    }
    return false;
}

// --- i4 as i8

static LLVMValueRef like(emit *e, unsigned k, LLVMValueRef x) {
    LLVMTypeRef t = LLVMTypeOf(x);
    LLVMValueRef c = LLVMConstInt(e->i8, k, false);
    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? build_splat(e, c, (int)LLVMGetVectorSize(t)) : c;
}

static LLVMValueRef picked(emit *e, LLVMValueRef a, LLVMValueRef b, const int *lanes, int n) {
    LLVMValueRef index[64];
    for (int i = 0; i < n; i++) index[i] = LLVMConstInt(e->i32, (unsigned)lanes[i], false);
    return LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(index, (unsigned)n), "");
}

LLVMValueRef nibbles_signed(emit *e, LLVMValueRef x) {
    x = LLVMBuildXor(e->b, LLVMBuildAnd(e->b, x, like(e, 15, x), ""), like(e, 8, x), "");
    return LLVMBuildSub(e->b, x, like(e, 8, x), "");
}

LLVMValueRef nibbles_load(emit *e, LLVMValueRef p, int n) {
    int lanes[64];
    assert(n % 2 == 0 && n <= 64);
    for (int i = 0; i < n; i++) lanes[i] = i / 2 + (i % 2 ? n / 2 : 0);
    LLVMValueRef bytes = build_load(e, LLVMVectorType(e->i8, (unsigned)n / 2), p, 1);
    LLVMValueRef high = LLVMBuildLShr(e->b, bytes, like(e, 4, bytes), "");
    return nibbles_signed(e, picked(e, bytes, high, lanes, n));
}

void nibbles_store(emit *e, LLVMValueRef x, LLVMValueRef p, int n) {
    int even[32], odd[32];
    assert(n % 2 == 0 && n <= 64);
    for (int i = 0; i < n / 2; i++) even[i] = 2 * i, odd[i] = 2 * i + 1;
    LLVMValueRef low = picked(e, x, x, even, n / 2), high = picked(e, x, x, odd, n / 2);
    low = LLVMBuildAnd(e->b, low, like(e, 15, low), "");
    high = LLVMBuildShl(e->b, high, like(e, 4, high), "");
    build_store(e, LLVMBuildOr(e->b, low, high, ""), p, 1);
}
