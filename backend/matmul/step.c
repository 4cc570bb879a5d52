// The inner steps of register tiles, one for each kind of product in kernels.def.
//
// Intrinsics take vectors of other lanes from one LLVM to the next: operands are cast to what is declared.
#include <string.h>

#include "backend/matmul/tile.h"

// Vector `vector` of the tile's columns in group `at` of B, as it lies there.
static LLVMValueRef right_vector(emit *e, const tile *t, LLVMValueRef b, int vector, int at, LLVMTypeRef as) {
    int64_t column = (int64_t)vector * e->width;
    int64_t bytes =
        column / PANEL_COLUMNS * t->panel + column % PANEL_COLUMNS * 4 + (int64_t)at * GROUP_BYTES;
    return build_load(e, as, tile_at_constant(e, b, bytes), (unsigned)e->width * 4);
}

// Number `i` of a row of A, an f32, in all lanes.
static LLVMValueRef left_number(emit *e, const tile *t, LLVMValueRef a, int row, int64_t i) {
    LLVMValueRef p = tile_at_constant(e, a, row * t->lda + i * 4);
    return build_splat(e, build_load(e, e->f32, p, 4), e->width);
}

// Group `at` of a row of A, 4 bytes, in all lanes. Where elements are missing, what lies behind the row's end
// meets zeros of B: any byte may, but not any bf16.
static LLVMValueRef left_group(emit *e, const tile *t, LLVMValueRef a, int row, int at, int count) {
    LLVMValueRef p = tile_at_constant(e, a, row * t->lda + (int64_t)at * 4), x;
    if (t->product->left == ELEM_BF16 && count == 1)
        x = LLVMBuildZExt(e->b, build_load(e, e->i16, p, 2), e->i32, "");
    else
        x = build_load(e, e->i32, p, (unsigned)elem_size(t->product->left));
    return build_splat(e, x, e->width);
}

// An instruction of the target, by its intrinsic.
static LLVMValueRef instruction(emit *e, const char *name, int n, LLVMValueRef *args) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMTypeRef params[4];
    LLVMGetParamTypes(LLVMIntrinsicGetType(e->context, id, NULL, 0), params);
    for (int i = 0; i < n; i++) args[i] = LLVMBuildBitCast(e->b, args[i], params[i], "");
    return build_intrinsic(e, name, 0, NULL, n, args);
}

// `sum` as it is; no load behind it is done before it. Where the registers are just enough LLVM would load early, and
// spill.
static LLVMValueRef settled(emit *e, LLVMValueRef sum) {
    static const char constraints[] = "=v,0,~{memory}";
    LLVMTypeRef of = LLVMTypeOf(sum), same = LLVMFunctionType(of, &of, 1, false);
    LLVMValueRef nothing = LLVMGetInlineAsm(same, "", 0, constraints, sizeof(constraints) - 1, true, false,
                                            LLVMInlineAsmDialectATT, false);
    return LLVMBuildCall2(e->b, same, nothing, &sum, 1, "");
}

// --- f32 by f32: an element of A in all lanes times a vector of B, as the target adds it

static void multiply_f32(emit *e, const tile *t, LLVMValueRef a, LLVMValueRef b, int at, LLVMValueRef *acc) {
    LLVMValueRef column[32];
    for (int v = 0; v < t->vectors; v++) column[v] = right_vector(e, t, b, v, at, e->vf);
    for (int r = 0; r < t->rows; r++) {
        LLVMValueRef x = left_number(e, t, a, r, at);
        for (int v = 0; v < t->vectors; v++) {
            LLVMValueRef *sum = &acc[r * t->vectors + v];
            *sum = math_fma(e, x, column[v], *sum);
        }
    }
}

// --- f32 by bf16 or i8, which become f32 in registers

// Element `i` of each lane's group.
static LLVMValueRef widened(emit *e, const tile *t, LLVMValueRef lanes, int i) {
    bool bf16 = t->product->right == ELEM_BF16;
    int bits = bf16 ? 16 : 8, above = 32 - bits * (i + 1);
    if (bf16 && above == 0) {
        LLVMValueRef high = build_splat(e, LLVMConstInt(e->i32, 0xffff0000u, false), e->width);
        return LLVMBuildBitCast(e->b, LLVMBuildAnd(e->b, lanes, high, ""), e->vf, "");
    }
    if (above)
        lanes = LLVMBuildShl(e->b, lanes,
                             build_splat(e, LLVMConstInt(e->i32, (unsigned)above, false), e->width), "");
    if (bf16) return LLVMBuildBitCast(e->b, lanes, e->vf, "");
    lanes = LLVMBuildAShr(e->b, lanes, build_splat(e, LLVMConstInt(e->i32, 32 - 8, false), e->width), "");
    return LLVMBuildSIToFP(e->b, lanes, e->vf, "");
}

static void multiply_widened(emit *e, const tile *t, LLVMValueRef a, LLVMValueRef b, int at, int count,
                             LLVMValueRef *acc) {
    for (int i = 0; i < count; i++) {
        LLVMValueRef column[32];
        for (int v = 0; v < t->vectors; v++)
            column[v] = widened(e, t, right_vector(e, t, b, v, at, e->vi), i);
        for (int r = 0; r < t->rows; r++) {
            LLVMValueRef x = left_number(e, t, a, r, (int64_t)at * t->product->group + i);
            for (int v = 0; v < t->vectors; v++) {
                LLVMValueRef *sum = &acc[r * t->vectors + v];
                *sum = math_fma(e, x, column[v], *sum);
            }
        }
        LLVMValueRef *last = &acc[t->rows * t->vectors - 1];
        *last = settled(e, *last);
    }
}

// --- bf16 by bf16, u8 by i8: a lane's group is multiplied and added by one instruction

static LLVMValueRef dot(emit *e, const tile *t, LLVMValueRef x, LLVMValueRef column, LLVMValueRef sum) {
    LLVMValueRef args[] = {sum, x, column};
    const char *name = t->product->step == STEP_DOT_BF16 ? "llvm.x86.avx512bf16.dpbf16ps.512"
                       : e->width == 16                  ? "llvm.x86.avx512.vpdpbusd.512"
                                                         : "llvm.x86.avx512.vpdpbusd.256";
    return instruction(e, name, 3, args);
}

static void multiply_dot(emit *e, const tile *t, LLVMValueRef a, LLVMValueRef b, int at, int count,
                         LLVMValueRef *acc) {
    LLVMValueRef column[32];
    for (int v = 0; v < t->vectors; v++) column[v] = right_vector(e, t, b, v, at, e->vi);
    for (int r = 0; r < t->rows; r++) {
        LLVMValueRef x = left_group(e, t, a, r, at, count);
        for (int v = 0; v < t->vectors; v++) {
            LLVMValueRef *sum = &acc[r * t->vectors + v];
            *sum = dot(e, t, x, column[v], *sum);
        }
    }
}

// --- u8 by i8 without such an instruction: pairs of products in 16 bits, which can't saturate while numbers of
// A are at most 127; pairs of those in 32 bits; the sum

static LLVMValueRef add_pairs(emit *e, LLVMValueRef x, LLVMValueRef column, LLVMValueRef sum) {
    bool wide = e->width == 16;
    LLVMValueRef one = build_splat(e, LLVMConstInt(e->i16, 1, false), 2 * e->width);
    LLVMValueRef pairs[] = {x, column};
    LLVMValueRef both[] = {
        instruction(e, wide ? "llvm.x86.avx512.pmaddubs.w.512" : "llvm.x86.avx2.pmadd.ub.sw", 2, pairs), one};
    LLVMValueRef four =
        instruction(e, wide ? "llvm.x86.avx512.pmaddw.d.512" : "llvm.x86.avx2.pmadd.wd", 2, both);
    return LLVMBuildAdd(e->b, sum, four, "");
}

// Column by column, with A read anew for each: beside the sums the registers hold one vector of B, one of A, the
// ones, and the products.
static void multiply_pairs(emit *e, const tile *t, LLVMValueRef a, LLVMValueRef b, int at, int count,
                           LLVMValueRef *acc) {
    for (int v = 0; v < t->vectors; v++) {
        LLVMValueRef column = right_vector(e, t, b, v, at, e->vi);
        for (int r = 0; r < t->rows; r++) {
            LLVMValueRef *sum = &acc[r * t->vectors + v];
            *sum = settled(e, add_pairs(e, left_group(e, t, a, r, at, count), column, *sum));
        }
    }
}

void step_emit(emit *e, const tile *t, LLVMValueRef a, LLVMValueRef b, int at, int count, LLVMValueRef *acc) {
    switch (t->product->step) {
    case STEP_FMA:
    case STEP_MUL_ADD: multiply_f32(e, t, a, b, at, acc); return;
    case STEP_WIDEN: multiply_widened(e, t, a, b, at, count, acc); return;
    case STEP_DOT_BF16:
    case STEP_DOT_I8: multiply_dot(e, t, a, b, at, count, acc); return;
    case STEP_PAIRS_I8: multiply_pairs(e, t, a, b, at, count, acc); return;
    case STEP_TILES: break; // tile_amx.c
    }
}
