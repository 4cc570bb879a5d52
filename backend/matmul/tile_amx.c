// The register tile of AMX: up to 32 rows x 32 columns of C in four of the eight tiles, two tiles of A, two of B.
//
//              B0   B1          a step of k: 16 groups, 64 bytes of a row of A,
//         A0 | C0   C1                       1024 bytes of a panel of B
//         A1 | C2   C3
//
// All tiles are 16 rows x 64 bytes (backend/emit/thread_calls.c), and a last step is multiplied whole: rows of A are
// padded to 64 bytes with finite numbers, panels of B to 16 groups with zeros. So a row's sums do not depend on the rows
// beside it. The sums go to a small tile on the stack, where the epilogue takes them row by row.
//
// The intrinsics name tiles by number, so LLVM neither moves nor spills them, and keeps their order. A is loaded by
// tileloaddt1, for its rows are read once for each panel and B's next lines are to stay: by as much as 13 % faster.
#include "backend/matmul/tile_function.h"

enum { C_TILE = 0, A_TILE = 4, B_TILE = 6 };

static LLVMValueRef number(emit *e, int which) {
    return LLVMConstInt(e->i8, (unsigned)which, false);
}

static void load(emit *e, const char *intrinsic, int which, LLVMValueRef p, int64_t row_bytes) {
    build_intrinsic(e, intrinsic, 0, NULL, 3,
                    (LLVMValueRef[]){number(e, which), p, build_const_i64(e, row_bytes)});
}

static void store(emit *e, int which, LLVMValueRef p, int64_t row_bytes) {
    build_intrinsic(e, "llvm.x86.tilestored64", 0, NULL, 3,
                    (LLVMValueRef[]){number(e, which), p, build_const_i64(e, row_bytes)});
}

static int heights(const tile *t) {
    return t->rows / AMX_ROWS;
}

static int c_tile(const tile *t, int i, int j) {
    return C_TILE + i * t->vectors + j;
}

// Where tile (i, j) of rows `row_bytes` apart begins.
static LLVMValueRef c_at(emit *e, LLVMValueRef c, int64_t row_bytes, int i, int j) {
    return tile_at_constant(e, c, i * AMX_ROWS * row_bytes + (int64_t)j * AMX_ROW_BYTES);
}

static void begin_sums(emit *e, const tile *t) {
    for (int i = 0; i < heights(t); i++)
        for (int j = 0; j < t->vectors; j++) {
            LLVMValueRef n = number(e, c_tile(t, i, j));
            if (t->accumulate)
                load(e, "llvm.x86.tileloadd64", c_tile(t, i, j), c_at(e, t->c, t->ldc, i, j), t->ldc);
            else
                build_intrinsic(e, "llvm.x86.tilezero", 0, NULL, 1, &n);
        }
}

static const char *dot(const target_product *p) {
    return p->left == ELEM_BF16 ? "llvm.x86.tdpbf16ps" : "llvm.x86.tdpbusd";
}

// A step of k.
static void step(emit *e, const tile *t, LLVMValueRef a, LLVMValueRef b) {
    for (int j = 0; j < t->vectors; j++) {
        load(e, "llvm.x86.tileloadd64", B_TILE + j, tile_at_constant(e, b, j * t->panel), GROUP_BYTES);
        for (int i = 0; i < heights(t); i++) {
            if (j == 0)
                load(e, "llvm.x86.tileloaddt164", A_TILE + i, tile_at_constant(e, a, i * AMX_ROWS * t->lda),
                     t->lda);
            build_intrinsic(
                e, dot(t->product), 0, NULL, 3,
                (LLVMValueRef[]){number(e, c_tile(t, i, j)), number(e, A_TILE + i), number(e, B_TILE + j)});
        }
    }
}

// Prefetches of one step: those of as many groups of k as other products take in four turns.
static LLVMValueRef fetch(emit *e, const tile *t, LLVMValueRef ahead, LLVMValueRef next) {
    for (int turn = 0; turn < AMX_ROWS / TILE_UNROLL; turn++) {
        for (int i = 0; i < t->line_count; i++)
            tile_prefetch(e, tile_at_constant(e, ahead, t->lines[i]), false, 2);
        if (t->next) tile_prefetch(e, tile_at_constant(e, next, turn * TILE_NEXT_BYTES), false, 2);
        if (t->line_count) ahead = tile_at(e, ahead, tile_param(t, PARAM_STEP));
    }
    return ahead;
}

// `end`: of the first panel of B.
static void k_loop(emit *e, const tile *t, LLVMValueRef end) {
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->b);
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(e->context, t->function, "k");
    LLVMBasicBlockRef exit = LLVMAppendBasicBlockInContext(e->context, t->function, "done");
    LLVMBuildBr(e->b, body);
    LLVMPositionBuilderAtEnd(e->b, body);
    LLVMValueRef a = tile_phi(e, tile_param(t, PARAM_A), before),
                 b = tile_phi(e, tile_param(t, PARAM_B), before),
                 ahead = tile_phi(e, tile_param(t, PARAM_AHEAD), before),
                 next = t->next ? tile_phi(e, tile_param(t, PARAM_NEXT), before) : NULL;
    step(e, t, a, b);
    LLVMValueRef ahead_on = fetch(e, t, ahead, next), a_on = tile_at_constant(e, a, AMX_ROW_BYTES),
                 b_on = tile_at_constant(e, b, AMX_ROWS * GROUP_BYTES);
    LLVMAddIncoming(a, &a_on, &body, 1);
    LLVMAddIncoming(b, &b_on, &body, 1);
    LLVMAddIncoming(ahead, &ahead_on, &body, 1);
    if (t->next) {
        LLVMValueRef on = tile_at_constant(e, next, AMX_ROWS / TILE_UNROLL * TILE_NEXT_BYTES);
        LLVMAddIncoming(next, &on, &body, 1);
    }
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntNE, b_on, end, ""), body, exit);
    LLVMPositionBuilderAtEnd(e->b, exit);
}

static void store_sums(emit *e, const tile *t, LLVMValueRef to, int64_t row_bytes) {
    for (int i = 0; i < heights(t); i++)
        for (int j = 0; j < t->vectors; j++)
            store(e, c_tile(t, i, j), c_at(e, to, row_bytes, i, j), row_bytes);
}

tile_sums tile_amx_multiply(emit *e, const tile *t) {
    begin_sums(e, t);
    tile_touch_rows(e, t);
    LLVMValueRef groups = t->k ? build_const_i64(e, tile_groups(t->product, t->k)) : tile_param_k(t);
    LLVMValueRef up = LLVMBuildAdd(e->b, groups, build_const_i64(e, AMX_ROWS - 1), "");
    LLVMValueRef whole = LLVMBuildAnd(e->b, up, build_const_i64(e, -AMX_ROWS), "");
    k_loop(e, t, tile_at(e, tile_param(t, PARAM_B), tile_mul(e, whole, GROUP_BYTES)));
    tile_sums sums = {.memory = t->c, .row_bytes = t->ldc};
    if (t->finish) {
        sums.row_bytes = (int64_t)t->vectors * AMX_ROW_BYTES;
        sums.memory = tile_stack(e, t, t->rows * sums.row_bytes);
    }
    store_sums(e, t, sums.memory, sums.row_bytes);
    return sums;
}
