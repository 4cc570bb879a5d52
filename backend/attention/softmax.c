// Softmax over the scores of a tile of queries, which lie in L1: first the maximum of each row, for all
// rows at once, then the exponentials and their sum, one row at a time. The product with the values does
// the division, since its rows are shorter.
#include "backend/attention/attention.h"

#include <assert.h>
#include <math.h>

#define MAX_TILE_ROWS 32

static LLVMValueRef larger(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, a, b, ""), a, b, "");
}

typedef struct sums {
    loop l;
    LLVMBasicBlockRef before;
    LLVMValueRef phi[MAX_TILE_ROWS];
    int n;
} sums;

// A loop over columns that carries `n` vectors, each `first` at the start.
static sums carry_begin(emit *e, LLVMValueRef to, int n, LLVMValueRef first) {
    sums s = {.before = LLVMGetInsertBlock(e->b), .n = n};
    s.l = build_loop(e, build_const_i64(e, 0), to, e->width, "column");
    LLVMBasicBlockRef body = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderBefore(e->b, LLVMGetNextInstruction(s.l.index));
    for (int i = 0; i < n; i++) {
        s.phi[i] = LLVMBuildPhi(e->b, e->vf, "");
        LLVMAddIncoming(s.phi[i], &first, &s.before, 1);
    }
    LLVMPositionBuilderAtEnd(e->b, body);
    return s;
}

static void carry_end(emit *e, sums *s, LLVMValueRef *next) {
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(e->b);
    for (int i = 0; i < s->n; i++) LLVMAddIncoming(s->phi[i], &next[i], &latch, 1);
    build_loop_end(e, &s->l);
}

// Columns from `count` up to a whole vector become -inf in each row.
static void hide_rest(emit *e, LLVMValueRef scores, LLVMValueRef count, int rows, int64_t ld) {
    unsigned align = (unsigned)e->width * 4;
    LLVMValueRef lane[64], last = LLVMBuildSub(e->b, count, build_const_i64(e, 1), "");
    assert(e->width <= 64);
    for (int i = 0; i < e->width; i++) lane[i] = LLVMConstInt(e->i32, (unsigned)i, false);
    LLVMValueRef start = LLVMBuildAnd(e->b, last, build_const_i64(e, -(int64_t)e->width), "");
    LLVMValueRef left = LLVMBuildTrunc(e->b, LLVMBuildSub(e->b, last, start, ""), e->i32, "");
    LLVMValueRef lanes = LLVMConstVector(lane, (unsigned)e->width);
    LLVMValueRef shown = LLVMBuildICmp(e->b, LLVMIntULE, lanes, build_splat(e, left, e->width), "");
    LLVMValueRef hidden = build_splat(e, LLVMConstReal(e->f32, -INFINITY), e->width);
    for (int r = 0; r < rows; r++) {
        LLVMValueRef p = tile_at_constant(e, tile_at(e, scores, tile_mul(e, start, 4)), r * ld * 4);
        build_store(e, LLVMBuildSelect(e->b, shown, build_load(e, e->vf, p, align), hidden, ""), p, align);
    }
}

// top: the row's maximum in all lanes.
static void store_log_sum(emit *e, LLVMValueRef total, LLVMValueRef top, LLVMValueRef at) {
    LLVMValueRef most = LLVMBuildExtractElement(e->b, top, LLVMConstInt(e->i32, 0, false), "");
    build_store(e, LLVMBuildFAdd(e->b, most, math_log(e, total), ""), at, 4);
}

LLVMValueRef attention_softmax(emit *e, const heads *values, int tile_rows, int64_t ld, int64_t log_sums) {
    assert(tile_rows <= MAX_TILE_ROWS);
    unsigned align = (unsigned)e->width * 4;
    int size = (int)elem_size(values->read);
    bool rough = values->as == ELEM_BF16 && !log_sums; // probabilities alone, and they are rounded
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->ptr};
    LLVMValueRef f = build_helper(e, "attention.softmax", e->f32, 3, params);
    LLVMValueRef scores = LLVMGetParam(f, 0), count = LLVMGetParam(f, 1), out = LLVMGetParam(f, 2);
    hide_rest(e, scores, count, tile_rows, ld);
    sums most = carry_begin(e, count, tile_rows, build_splat(e, LLVMConstReal(e->f32, -INFINITY), e->width));
    LLVMValueRef next[MAX_TILE_ROWS], at = tile_at(e, scores, tile_mul(e, most.l.index, 4));
    for (int r = 0; r < tile_rows; r++) {
        next[r] = larger(e, most.phi[r], build_load(e, e->vf, tile_at_constant(e, at, r * ld * 4), align));
    }
    carry_end(e, &most, next);
    LLVMValueRef top[MAX_TILE_ROWS], least = NULL;
    for (int r = 0; r < tile_rows; r++) {
        LLVMValueRef x = build_reduce_max(e, most.phi[r]);
        LLVMValueRef below = least ? LLVMBuildFCmp(e->b, LLVMRealOLT, x, least, "") : NULL;
        least = least ? LLVMBuildSelect(e->b, below, x, least, "") : x;
        top[r] = build_splat(e, x, e->width);
    }
    for (int r = 0; r < tile_rows; r++) {
        sums sum = carry_begin(e, count, 1, LLVMConstNull(e->vf));
        LLVMValueRef row = tile_at_constant(e, scores, r * ld * 4);
        LLVMValueRef p = tile_at(e, row, tile_mul(e, sum.l.index, 4));
        LLVMValueRef x = LLVMBuildFSub(e->b, build_load(e, e->vf, p, align), top[r], "");
        x = rough ? math_exp_bf16(e, x) : math_exp(e, x);
        LLVMValueRef to = tile_at(e, row, tile_mul(e, sum.l.index, size));
        build_store(e, attention_numbers(e, values, ELEM_F32, x), to, (unsigned)(e->width * size));
        LLVMValueRef total = LLVMBuildFAdd(e->b, sum.phi[0], x, "");
        carry_end(e, &sum, &total);
        total = build_reduce_add(e, sum.phi[0]);
        LLVMValueRef share = LLVMBuildFDiv(e->b, build_const_f32(e, 1), total, "");
        build_store(e, share, tile_at_constant(e, out, r * 4), 4);
        if (log_sums) store_log_sum(e, total, top[r], tile_at_constant(e, out, log_sums + r * 4));
    }
    return build_helper_end(e, f, least, caller);
}
