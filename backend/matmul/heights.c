#include "backend/matmul/heights.h"

#include "backend/matmul/tile.h"

bool heights_has(const target_product *product, int most, int height) {
    switch (product->step) {
    case STEP_FMA:
    case STEP_MUL_ADD:
    case STEP_WIDEN:
    case STEP_DOT_BF16:
    case STEP_DOT_I8:
    case STEP_PAIRS_I8: return height >= 1 && height <= most;
    case STEP_TILES: return height <= most && height % AMX_ROWS == 0;
    }
    return false;
}

// As many of the highest tiles as there are rows for, and a lower one for the rest, which is computed whole.
static row_cut cut_tiles(emit *e, int most, LLVMValueRef rows) {
    LLVMValueRef whole = build_const_i64(e, AMX_ROWS), up = build_const_i64(e, AMX_ROWS - 1);
    LLVMValueRef parts = LLVMBuildUDiv(e->b, LLVMBuildAdd(e->b, rows, up, ""), whole, "");
    if (most == AMX_ROWS) return (row_cut){parts, whole, build_const_i64(e, 0), 0};
    LLVMValueRef two = build_const_i64(e, 2), high = LLVMBuildUDiv(e->b, parts, two, "");
    LLVMValueRef tiles = LLVMBuildAdd(e->b, high, LLVMBuildURem(e->b, parts, two, ""), "");
    return (row_cut){tiles, whole, high, AMX_ROWS};
}

row_cut heights_cut(emit *e, const target_product *product, int most, LLVMValueRef rows) {
    if (product->step == STEP_TILES) return cut_tiles(e, most, rows);
    LLVMValueRef one = build_const_i64(e, 1), full = build_const_i64(e, most);
    LLVMValueRef up = LLVMBuildAdd(e->b, rows, build_const_i64(e, most - 1), "");
    row_cut x = {.tiles = LLVMBuildUDiv(e->b, up, full, ""), .more = 1};
    // No rows are no tiles, but not a division by 0.
    LLVMValueRef some = LLVMBuildICmp(e->b, LLVMIntNE, x.tiles, build_const_i64(e, 0), "");
    LLVMValueRef by = LLVMBuildSelect(e->b, some, x.tiles, one, "");
    x.low = LLVMBuildUDiv(e->b, rows, by, "");
    x.high = LLVMBuildURem(e->b, rows, by, "");
    return x;
}

LLVMValueRef heights_first(emit *e, const row_cut *x, LLVMValueRef i) {
    LLVMValueRef before = LLVMBuildICmp(e->b, LLVMIntULT, i, x->high, "");
    LLVMValueRef higher = LLVMBuildSelect(e->b, before, i, x->high, "");
    LLVMValueRef low = LLVMBuildMul(e->b, i, x->low, "");
    return LLVMBuildAdd(e->b, low, tile_mul(e, higher, x->more), "");
}

LLVMValueRef heights_of(emit *e, const row_cut *x, LLVMValueRef i) {
    LLVMValueRef before = LLVMBuildICmp(e->b, LLVMIntULT, i, x->high, "");
    LLVMValueRef more = tile_mul(e, LLVMBuildZExt(e->b, before, e->i64, ""), x->more);
    return LLVMBuildAdd(e->b, x->low, more, "");
}
