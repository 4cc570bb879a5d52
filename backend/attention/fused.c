// Scores and their exponentials in one pass, where AMX multiplies: a block of 32 keys' scores becomes probabilities while it
// lies in L1, and no row of scores is stored.
//
//   shifts     the largest of each row's first 32 scores
//   panels     a block of scores -> exp(score - shift), in bf16, added to the row's sum
//   totals     1 / sum; a row whose sum is out of range has no right shift
//
// A sum is at least about 1, for the shift is one of its scores. One that is too large tells of a later score far above the
// shift: then the tile is computed again, with these rows' maxima for their shifts. The other rows get the same bits
// again.
#include "backend/attention/attention.h"

#include <assert.h>
#include <math.h>

#define BLOCK (2 * AMX_COLUMNS) // keys

// The state of a tile, in scratch.
enum { SHIFTS = 0, SUMS = 128, KEYS = SUMS + 2 * AMX_ROWS * 64, ROWS = KEYS + 8 };
static_assert(ROWS + 8 <= FUSED_STATE_BYTES, "the state has room");

bool attention_fuses(const attention *x) {
    bool tiles = x->q.whole >= AMX_ROWS && x->v.whole >= AMX_ROWS;
    return tiles && !x->scores.separate_pass && x->scores.plain.op_count == 0 && x->log_sum_count == 0;
}

static LLVMValueRef load_vector(emit *e, LLVMValueRef p) {
    return build_load(e, e->vf, p, (unsigned)e->width * 4);
}

// Lanes of vector `v` of those that begin at a block's column, below `count` (i64).
static LLVMValueRef lanes_below(emit *e, int v, LLVMValueRef count) {
    LLVMValueRef lane[64];
    for (int i = 0; i < e->width; i++) lane[i] = LLVMConstInt(e->i32, (unsigned)(v * e->width + i), false);
    LLVMValueRef most = build_splat(e, LLVMBuildTrunc(e->b, count, e->i32, ""), e->width);
    return LLVMBuildICmp(e->b, LLVMIntSLT, LLVMConstVector(lane, (unsigned)e->width), most, "");
}

// tile_finish of a block of scores: extra 0 is the state, extra 1 row 0 of the probabilities, which lie two bytes
// a column where the product's C has four.
static void finish(emit *e, const tile *t, const tile_sums *sums) {
    const exp_block *x = t->context;
    LLVMValueRef state = t->extra[0], base = t->extra[1];
    LLVMValueRef to = LLVMBuildPtrToInt(e->b, t->c, e->i64, "");
    LLVMValueRef bytes = LLVMBuildSub(e->b, to, LLVMBuildPtrToInt(e->b, base, e->i64, ""), "");
    LLVMValueRef column = LLVMBuildUDiv(e->b, bytes, build_const_i64(e, 4), "");
    LLVMValueRef left =
        LLVMBuildSub(e->b, build_load(e, e->i64, tile_at_constant(e, state, KEYS), 8), column, "");
    LLVMValueRef out = tile_at(e, base, tile_mul(e, column, 2));
    loop l = build_loop(e, build_const_i64(e, 0), build_load(e, e->i64, tile_at_constant(e, state, ROWS), 8),
                        1, "row");
    LLVMValueRef shift =
        build_load(e, e->f32, tile_at_step(e, tile_at_constant(e, state, SHIFTS), l.index, 4), 4);
    LLVMValueRef at = tile_at_step(e, tile_at_constant(e, state, SUMS), l.index, 64);
    LLVMValueRef total = load_vector(e, at), p[2];
    for (int v = 0; v < t->vectors; v++) {
        LLVMValueRef from = tile_at(e, sums->memory, tile_mul(e, l.index, sums->row_bytes));
        LLVMValueRef s = load_vector(e, tile_at_constant(e, from, v * e->width * 4));
        p[v] = math_exp_bf16(e, LLVMBuildFSub(e->b, s, build_splat(e, shift, e->width), ""));
        if (x->last) p[v] = LLVMBuildSelect(e->b, lanes_below(e, v, left), p[v], LLVMConstNull(e->vf), "");
        total = LLVMBuildFAdd(e->b, total, p[v], "");
    }
    build_store(e, total, at, 64);
    LLVMValueRef all = t->vectors == 2 ? attention_side_by_side(e, p[0], p[1]) : p[0];
    LLVMValueRef rounded = cast_op(e, ELEM_F32, ELEM_BF16, all);
    build_store(e, rounded, tile_at_step(e, out, l.index, t->ldc), 32);
    build_loop_end(e, &l);
}

// void (ptr scratch, i64 keys, i64 rows): the state of a tile whose first scores are there.
static LLVMValueRef emit_shifts(emit *e, const scratch_layout *l) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64};
    LLVMValueRef fn = build_helper(e, "attention.shifts", NULL, 3, params), scratch = LLVMGetParam(fn, 0);
    LLVMValueRef state = tile_at_constant(e, scratch, l->state);
    LLVMValueRef none = build_splat(e, LLVMConstReal(e->f32, -INFINITY), e->width);
    build_store(e, LLVMGetParam(fn, 1), tile_at_constant(e, state, KEYS), 8);
    build_store(e, LLVMGetParam(fn, 2), tile_at_constant(e, state, ROWS), 8);
    loop row = build_loop(e, build_const_i64(e, 0), LLVMGetParam(fn, 2), 1, "row");
    LLVMValueRef from = tile_at_step(e, tile_at_constant(e, scratch, l->scores), row.index, l->score_ld * 4);
    LLVMValueRef most = none;
    for (int v = 0; v < 2; v++) {
        LLVMValueRef s = load_vector(e, tile_at_constant(e, from, v * e->width * 4));
        s = LLVMBuildSelect(e->b, lanes_below(e, v, LLVMGetParam(fn, 1)), s, none, "");
        most = LLVMBuildSelect(e->b, LLVMBuildFCmp(e->b, LLVMRealOGT, s, most, ""), s, most, "");
    }
    LLVMValueRef shift = build_reduce_max(e, most);
    build_store(e, shift, tile_at_step(e, tile_at_constant(e, state, SHIFTS), row.index, 4), 4);
    build_store(e, LLVMConstNull(e->vf), tile_at_step(e, tile_at_constant(e, state, SUMS), row.index, 64),
                64);
    build_loop_end(e, &row);
    return build_helper_end(e, fn, NULL, caller);
}

// i1 (ptr scratch): stores 1 / sum of each row; is one unfit?
static LLVMValueRef emit_totals(emit *e, const scratch_layout *l) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr};
    LLVMValueRef fn = build_helper(e, "attention.totals", e->i1, 1, params), scratch = LLVMGetParam(fn, 0);
    LLVMValueRef state = tile_at_constant(e, scratch, l->state), some = view_stack(e, e->i1);
    build_store(e, LLVMConstInt(e->i1, 0, false), some, 1);
    loop row = build_loop(e, build_const_i64(e, 0),
                          build_load(e, e->i64, tile_at_constant(e, state, ROWS), 8), 1, "row");
    LLVMValueRef sum = load_vector(e, tile_at_step(e, tile_at_constant(e, state, SUMS), row.index, 64));
    LLVMValueRef share = LLVMBuildFDiv(e->b, build_const_f32(e, 1), build_reduce_add(e, sum), "");
    build_store(e, share, tile_at_step(e, tile_at_constant(e, scratch, l->sums), row.index, 4), 4);
    LLVMValueRef before = build_load(e, e->i1, some, 1);
    LLVMValueRef unfit = LLVMBuildOr(e->b, before, attention_unfit(e, share), "");
    build_store(e, unfit, some, 1);
    build_loop_end(e, &row);
    return build_helper_end(e, fn, build_load(e, e->i1, some, 1), caller);
}

void attention_emit_fused(emit *e, attention_code *p) {
    fused_code *f = &p->fused;
    const scratch_layout *l = &p->layout;
    for (int i = 0; i < 2; i++) {
        f->blocks[i].last = i == 1;
        f->exp[i] = p->score;
        f->exp[i].name = i ? "attention.last_exp" : "attention.exp";
        f->exp[i].finish = finish;
        f->exp[i].context = &f->blocks[i];
        f->exp[i].extra_count = 2;
        for (int k = 0; k < 2; k++) f->exp[i].extras[k] = (panel_extra){.kind = EXTRA_FIXED, .e = ELEM_F32};
        panels_emit(e, &f->exp[i]);
    }
    f->shifts = emit_shifts(e, l);
    f->totals = emit_totals(e, l);
    f->again = attention_softmax(e, &p->x->v, l->tile, l->score_ld, 0, true);
}

// Blocks of 32 keys: panels [from, to).
static void exponentials(emit *e, const attention_code *p, const panels *which, LLVMValueRef scratch,
                         LLVMValueRef from, LLVMValueRef to) {
    LLVMValueRef scores = tile_at_constant(e, scratch, p->layout.scores);
    panels_args x = {.a = tile_at_constant(e, scratch, p->layout.queries),
                     .b = tile_at_constant(e, scratch, p->layout.keys),
                     .c = scores,
                     .rows = build_const_i64(e, p->layout.tile),
                     .from = from,
                     .to = to,
                     .after = scratch,
                     .extra = {tile_at_constant(e, scratch, p->layout.state), scores}};
    panels_call(e, which, &x);
}

LLVMValueRef attention_fused_probabilities(emit *e, const attention_code *p, const task_frame *f,
                                           LLVMValueRef scratch, LLVMValueRef rows) {
    LLVMValueRef block = build_const_i64(e, BLOCK), panel = build_const_i64(e, PANEL_COLUMNS);
    LLVMValueRef whole = tile_mul(e, LLVMBuildUDiv(e->b, f->keys, block, ""), BLOCK / PANEL_COLUMNS);
    LLVMValueRef all = LLVMBuildUDiv(e->b, attention_up_to(e, f->keys, BLOCK), panel, "");
    attention_call(e, p->fused.shifts, 3, (LLVMValueRef[]){scratch, f->keys, rows});
    exponentials(e, p, &p->fused.exp[0], scratch, build_const_i64(e, 0), whole);
    exponentials(e, p, &p->fused.exp[1], scratch, whole, all);
    return LLVMBuildCall2(e->b, LLVMGlobalGetValueType(p->fused.totals), p->fused.totals, &scratch, 1, "");
}
