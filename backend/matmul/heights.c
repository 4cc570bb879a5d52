#include "backend/matmul/heights.h"

bool heights_has(const target_product *product, int most, int height) {
    switch (product->step) {
    case STEP_FMA:
    case STEP_MUL_ADD:
    case STEP_WIDEN:
    case STEP_DOT_BF16:
    case STEP_DOT_I8:
    case STEP_PAIRS_I8: return height >= 1 && height <= most;
    }
    return false;
}

row_cut heights_cut(emit *e, const target_product *product, int most, LLVMValueRef rows) {
    (void)product;
    LLVMValueRef one = build_const_i64(e, 1), full = build_const_i64(e, most);
    LLVMValueRef up = LLVMBuildAdd(e->b, rows, build_const_i64(e, most - 1), "");
    row_cut x = {.tiles = LLVMBuildUDiv(e->b, up, full, "")};
    // No rows are no tiles, but not a division by 0.
    LLVMValueRef some = LLVMBuildICmp(e->b, LLVMIntNE, x.tiles, build_const_i64(e, 0), "");
    LLVMValueRef by = LLVMBuildSelect(e->b, some, x.tiles, one, "");
    x.low = LLVMBuildUDiv(e->b, rows, by, "");
    x.high = LLVMBuildURem(e->b, rows, by, "");
    return x;
}

LLVMValueRef heights_first(emit *e, const row_cut *x, LLVMValueRef i) {
    LLVMValueRef before = LLVMBuildICmp(e->b, LLVMIntULT, i, x->high, "");
    LLVMValueRef more = LLVMBuildSelect(e->b, before, i, x->high, "");
    return LLVMBuildAdd(e->b, LLVMBuildMul(e->b, i, x->low, ""), more, "");
}

LLVMValueRef heights_of(emit *e, const row_cut *x, LLVMValueRef i) {
    LLVMValueRef before = LLVMBuildICmp(e->b, LLVMIntULT, i, x->high, "");
    return LLVMBuildAdd(e->b, x->low, LLVMBuildZExt(e->b, before, e->i64, ""), "");
}
