// The inner steps of register tiles, one for each kind of product in kernels.def.
#include "backend/matmul/tile.h"

// Vector `vector` of the tile in group `at` of B, relative to the tile's first panel.
static int64_t column_bytes(const emit *e, const tile *t, int vector, int at) {
    int64_t column = (int64_t)vector * e->width;
    return column / PANEL_COLUMNS * t->panel + column % PANEL_COLUMNS * 4 + (int64_t)at * GROUP_BYTES;
}

// f32 by f32: an element of A in all lanes times a vector of B, as the target adds it.
static void multiply_f32(emit *e, const tile *t, LLVMValueRef a, LLVMValueRef b, int at, LLVMValueRef *acc) {
    LLVMValueRef column[32];
    for (int v = 0; v < t->vectors; v++)
        column[v] =
            build_load(e, e->vf, tile_at_constant(e, b, column_bytes(e, t, v, at)), (unsigned)e->width * 4);
    for (int r = 0; r < t->rows; r++) {
        LLVMValueRef p = tile_at_constant(e, a, r * t->lda + (int64_t)at * 4);
        LLVMValueRef x = build_splat(e, build_load(e, e->f32, p, 4), e->width);
        for (int v = 0; v < t->vectors; v++) {
            LLVMValueRef *sum = &acc[r * t->vectors + v];
            *sum = math_fma(e, x, column[v], *sum);
        }
    }
}

void step_emit(emit *e, const tile *t, LLVMValueRef a, LLVMValueRef b, int at, int count, LLVMValueRef *acc) {
    (void)count;
    switch (t->product->step) {
    case STEP_FMA:
    case STEP_MUL_ADD: multiply_f32(e, t, a, b, at, acc); return;
    }
}
