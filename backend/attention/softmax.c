// Softmax over the scores of a tile of queries, which lie in L1: first the maximum of each row, for all
// rows at once, then the exponentials and their sum, one row at a time. The product with the values does
// the division, since its rows are shorter.
#include "backend/attention/attention.h"

#include <assert.h>
#include <math.h>

// Rows at a time: more than these would not keep their maxima in registers.
#define MOST_ROWS 8

typedef struct softmax {
    const heads *values; // whose product reads the exponentials
    int rows;
    int vectors; // of columns in a turn
    int64_t ld, log_sums;
    LLVMValueRef scores, count, out;
    LLVMValueRef shifts; // NULL: rows are shifted by their maxima
    LLVMValueRef end;    // columns, up to what that product takes at once
} softmax;

static LLVMValueRef larger(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, a, b, ""), a, b, "");
}

typedef struct sums {
    loop l;
    LLVMBasicBlockRef before;
    LLVMValueRef phi[MOST_ROWS];
    int n;
} sums;

// A loop over columns, `vectors` of them in a turn, that carries `n` vectors, each `first` at the start.
static sums carry_begin(emit *e, LLVMValueRef to, int vectors, int n, LLVMValueRef first) {
    sums s = {.before = LLVMGetInsertBlock(e->b), .n = n};
    s.l = build_loop(e, build_const_i64(e, 0), to, vectors * e->width, "column");
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

// Columns from `count` up to a multiple of `whole` become -inf in each row.
static void hide_rest(emit *e, const softmax *s, int64_t whole) {
    unsigned align = (unsigned)e->width * 4;
    LLVMValueRef last = LLVMBuildSub(e->b, s->count, build_const_i64(e, 1), "");
    LLVMValueRef start = LLVMBuildAnd(e->b, last, build_const_i64(e, -whole), "");
    LLVMValueRef left = LLVMBuildTrunc(e->b, LLVMBuildSub(e->b, last, start, ""), e->i32, "");
    LLVMValueRef hidden = build_splat(e, LLVMConstReal(e->f32, -INFINITY), e->width);
    for (int64_t v = 0; v < whole; v += e->width) {
        LLVMValueRef lane[64];
        assert(e->width <= 64);
        for (int i = 0; i < e->width; i++) lane[i] = LLVMConstInt(e->i32, (unsigned)(v + i), false);
        LLVMValueRef lanes = LLVMConstVector(lane, (unsigned)e->width);
        LLVMValueRef shown = LLVMBuildICmp(e->b, LLVMIntULE, lanes, build_splat(e, left, e->width), "");
        for (int r = 0; r < s->rows; r++) {
            LLVMValueRef p =
                tile_at_constant(e, tile_at(e, s->scores, tile_mul(e, start, 4)), r * s->ld * 4 + v * 4);
            build_store(e, LLVMBuildSelect(e->b, shown, build_load(e, e->vf, p, align), hidden, ""), p,
                        align);
        }
    }
}

// top: the row's maximum in all lanes.
static void store_log_sum(emit *e, LLVMValueRef total, LLVMValueRef top, LLVMValueRef at) {
    LLVMValueRef most = LLVMBuildExtractElement(e->b, top, LLVMConstInt(e->i32, 0, false), "");
    build_store(e, LLVMBuildFAdd(e->b, most, math_log(e, total), ""), at, 4);
}

// The maxima of all rows, each in all lanes; gives the least of them.
static LLVMValueRef find_maxima(emit *e, const softmax *s, LLVMValueRef *top) {
    LLVMValueRef next[MOST_ROWS], least = NULL;
    sums most =
        carry_begin(e, s->end, 1, s->rows, build_splat(e, LLVMConstReal(e->f32, -INFINITY), e->width));
    LLVMValueRef at = tile_at(e, s->scores, tile_mul(e, most.l.index, 4));
    for (int r = 0; r < s->rows; r++) {
        LLVMValueRef x = build_load(e, e->vf, tile_at_constant(e, at, r * s->ld * 4), (unsigned)e->width * 4);
        next[r] = larger(e, most.phi[r], x);
    }
    carry_end(e, &most, next);
    for (int r = 0; r < s->rows; r++) {
        LLVMValueRef x = build_reduce_max(e, most.phi[r]);
        LLVMValueRef below = least ? LLVMBuildFCmp(e->b, LLVMRealOLT, x, least, "") : NULL;
        least = least ? LLVMBuildSelect(e->b, below, x, least, "") : x;
        top[r] = build_splat(e, x, e->width);
    }
    return least;
}

LLVMValueRef attention_side_by_side(emit *e, LLVMValueRef a, LLVMValueRef b) {
    LLVMValueRef pick[128];
    assert(e->width <= 64);
    for (int i = 0; i < 2 * e->width; i++) pick[i] = LLVMConstInt(e->i32, (unsigned)i, false);
    return LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(pick, (unsigned)e->width * 2), "");
}

// The exponentials of one row, in place, and their sum. Two vectors of bf16 are made by one instruction.
static LLVMValueRef exponentials(emit *e, const softmax *s, int r, LLVMValueRef top) {
    int size = (int)elem_size(s->values->read);
    bool rough = s->values->as == ELEM_BF16 && !s->log_sums; // probabilities alone, and they are rounded
    sums sum = carry_begin(e, s->end, s->vectors, 1, LLVMConstNull(e->vf));
    LLVMValueRef row = tile_at_constant(e, s->scores, r * s->ld * 4), total = sum.phi[0], x[2] = {0};
    for (int i = 0; i < s->vectors; i++) {
        LLVMValueRef p = tile_at(e, row, tile_mul(e, sum.l.index, 4));
        p = tile_at_constant(e, p, i * e->width * 4);
        x[i] = LLVMBuildFSub(e->b, build_load(e, e->vf, p, (unsigned)e->width * 4), top, "");
        x[i] = rough ? math_exp_bf16(e, x[i]) : math_exp(e, x[i]);
        total = LLVMBuildFAdd(e->b, total, x[i], "");
    }
    if (s->vectors == 2) x[0] = attention_side_by_side(e, x[0], x[1]);
    LLVMValueRef to = tile_at(e, row, tile_mul(e, sum.l.index, size));
    build_store(e, attention_numbers(e, s->values, ELEM_F32, x[0]), to,
                (unsigned)(s->vectors * e->width * size));
    carry_end(e, &sum, &total);
    return build_reduce_add(e, sum.phi[0]);
}

// 1 / sum, of a sum above 2^100.
#define LEAST_SHARE 0x1p-100

LLVMValueRef attention_unfit(emit *e, LLVMValueRef share) {
    return LLVMBuildFCmp(e->b, LLVMRealOLT, share, build_const_f32(e, LEAST_SHARE), "");
}

// The shift that a row had, if it was of use.
static LLVMValueRef shift_again(emit *e, const softmax *s, int r, LLVMValueRef top) {
    LLVMValueRef share = build_load(e, e->f32, tile_at_constant(e, s->out, r * 4), 4);
    LLVMValueRef had = build_load(e, e->f32, tile_at_constant(e, s->shifts, r * 4), 4);
    LLVMValueRef unfit = attention_unfit(e, share);
    return LLVMBuildSelect(e->b, unfit, top, build_splat(e, had, e->width), "");
}

// A block of rows; gives the least maximum.
static LLVMValueRef block_of_rows(emit *e, softmax *s) {
    int64_t whole = attention_whole_keys(s->values), turn = s->vectors * e->width;
    whole = whole > turn ? whole : turn;
    s->end = attention_up_to(e, s->count, whole);
    hide_rest(e, s, whole);
    LLVMValueRef top[MOST_ROWS], least = find_maxima(e, s, top);
    for (int r = 0; r < s->rows; r++) {
        if (s->shifts) top[r] = shift_again(e, s, r, top[r]);
        LLVMValueRef total = exponentials(e, s, r, top[r]);
        LLVMValueRef share = LLVMBuildFDiv(e->b, build_const_f32(e, 1), total, "");
        build_store(e, share, tile_at_constant(e, s->out, r * 4), 4);
        if (s->log_sums) store_log_sum(e, total, top[r], tile_at_constant(e, s->out, s->log_sums + r * 4));
    }
    return least;
}

LLVMValueRef attention_softmax(emit *e, const heads *values, int tile_rows, int64_t ld, int64_t log_sums,
                               bool again) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->ptr, e->i64, e->ptr};
    LLVMValueRef f = build_helper(e, "attention.softmax", e->f32, again ? 5 : 4, params);
    softmax s = {.values = values,
                 .rows = tile_rows > MOST_ROWS ? MOST_ROWS : tile_rows,
                 .vectors = values->read == ELEM_BF16 ? 2 : 1,
                 .ld = ld,
                 .log_sums = log_sums,
                 .scores = LLVMGetParam(f, 0),
                 .count = LLVMGetParam(f, 1),
                 .out = LLVMGetParam(f, 2),
                 .shifts = again ? LLVMGetParam(f, 4) : NULL};
    if (tile_rows == s.rows) return build_helper_end(e, f, block_of_rows(e, &s), caller);
    assert(tile_rows % s.rows == 0);
    LLVMValueRef least = view_stack(e, e->f32);
    build_store(e, build_const_f32(e, INFINITY), least, 4);
    loop l = build_loop(e, build_const_i64(e, 0), LLVMGetParam(f, 3), s.rows, "rows");
    s.scores = tile_at(e, s.scores, tile_mul(e, l.index, ld * 4));
    s.out = tile_at(e, s.out, tile_mul(e, l.index, 4));
    if (again) s.shifts = tile_at(e, s.shifts, tile_mul(e, l.index, 4));
    LLVMValueRef x = block_of_rows(e, &s), so_far = build_load(e, e->f32, least, 4);
    LLVMValueRef below = LLVMBuildFCmp(e->b, LLVMRealOLT, x, so_far, "");
    build_store(e, LLVMBuildSelect(e->b, below, x, so_far, ""), least, 4);
    build_loop_end(e, &l);
    return build_helper_end(e, f, build_load(e, e->f32, least, 4), caller);
}
