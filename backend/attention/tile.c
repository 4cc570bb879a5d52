// One tile of queries: scores, the ops on them, softmax, and the product with the values.
//
// Where scores are hidden, only the panels of keys that the tile may see are worked on. They lie in
// `visible_runs`, and their scores side by side:
//
//   panels of keys     0 [1 2 3] 4 5 [6] 7        a window, and a token that all see
//   the tile's scores    1 2 3 6
//
// A panel that is left out would add zeros to sums that run in the order of the keys, in each lane by
// itself: the bits are the same without it. A row that sees no key at all sees all keys alike; its tile is
// then computed again over all keys.
#include "backend/attention/attention.h"

// A row with a maximum above this sees a key: a hidden score is below, and its exponential is 0 beside that
// maximum.
#define SEEN (-1e29)

static LLVMValueRef panels_of(emit *e, LLVMValueRef keys, int64_t at_once) {
    LLVMValueRef up = attention_up_to(e, keys, PANEL_COLUMNS * at_once);
    return LLVMBuildUDiv(e->b, up, build_const_i64(e, PANEL_COLUMNS), "");
}

// --- Runs of visible panels

typedef struct run {
    loop l;
    LLVMValueRef from, to; // panels
    LLVMValueRef at, slot; // the run's first column among the scores
} run;

static run run_begin(emit *e, const attention_code *p, LLVMValueRef scratch, LLVMValueRef n) {
    run r = {.slot = view_stack(e, e->i64)};
    build_store(e, build_const_i64(e, 0), r.slot, 8);
    r.l = build_loop(e, build_const_i64(e, 0), n, 2, "run");
    LLVMValueRef at = tile_at_step(e, tile_at_constant(e, scratch, p->layout.visible_runs), r.l.index, 8);
    r.from = build_load(e, e->i64, at, 8);
    r.to = build_load(e, e->i64, tile_at_constant(e, at, 8), 8);
    r.at = build_load(e, e->i64, r.slot, 8);
    return r;
}

static LLVMValueRef run_columns(emit *e, const run *r) {
    return tile_mul(e, LLVMBuildSub(e->b, r->to, r->from, ""), PANEL_COLUMNS);
}

static void run_end(emit *e, run *r) {
    build_store(e, LLVMBuildAdd(e->b, r->at, run_columns(e, r), ""), r->slot, 8);
    build_loop_end(e, &r->l);
}

// Scores of the panels [from, to), from column `at` of the tile on.
static void score(emit *e, const attention_code *p, LLVMValueRef scratch, LLVMValueRef row, LLVMValueRef from,
                  LLVMValueRef to, LLVMValueRef at) {
    LLVMValueRef scores = tile_at_step(e, tile_at_constant(e, scratch, p->layout.scores), at, 4);
    // The product writes a panel to the column of its number.
    LLVMValueRef zero = tile_at(e, scores, tile_mul(e, from, -PANEL_COLUMNS * 4));
    panels_args x = {.a = tile_at_constant(e, scratch, p->layout.queries),
                     .b = tile_at_constant(e, scratch, p->layout.keys),
                     .c = zero,
                     .rows = build_const_i64(e, p->layout.tile),
                     .from = from,
                     .to = to,
                     .after = scratch};
    panels_call(e, &p->score, &x);
    if (!p->pass) return;
    LLVMValueRef key = tile_mul(e, from, PANEL_COLUMNS);
    LLVMValueRef columns = tile_mul(e, LLVMBuildSub(e->b, to, from, ""), PANEL_COLUMNS);
    LLVMValueRef rows = build_const_i64(e, p->layout.tile);
    attention_call(e, p->pass, 6, (LLVMValueRef[]){scratch, row, key, columns, rows, scores});
}

// Drops some of the probabilities from column `at` on, which belong to the `count` keys from `key` on. They are not divided
// by their sum yet.
static void drop(emit *e, const attention_code *p, const task_frame *f, LLVMValueRef scratch,
                 LLVMValueRef row, LLVMValueRef at, LLVMValueRef key, LLVMValueRef count) {
    if (!p->drop) return;
    LLVMValueRef rows =
        attention_smaller(e, LLVMBuildSub(e->b, f->queries, row, ""), build_const_i64(e, p->layout.tile));
    LLVMValueRef scores = tile_at_step(e, tile_at_constant(e, scratch, p->layout.scores), at, 4);
    attention_call(e, p->drop, 6, (LLVMValueRef[]){scratch, row, key, count, rows, scores});
}

// The first `k` probabilities from column `at` on times the values from key `key` on. k: a multiple of what the
// product takes at once.
static void value_product(emit *e, const attention_code *p, LLVMValueRef scratch, LLVMValueRef at,
                          LLVMValueRef key, LLVMValueRef k) {
    int64_t size = (int64_t)elem_size(p->x->v.read), group = attention_group(&p->x->v);
    LLVMValueRef values = tile_at_constant(e, scratch, p->layout.values);
    panels_args x = {.a = tile_at_step(e, tile_at_constant(e, scratch, p->layout.scores), at, size),
                     .b = tile_at(e, values, tile_mul(e, key, GROUP_BYTES / group)),
                     .c = tile_at_constant(e, scratch, p->layout.outs),
                     .rows = build_const_i64(e, p->layout.tile),
                     .from = build_const_i64(e, 0),
                     .to = build_const_i64(e, p->layout.out_ld / PANEL_COLUMNS),
                     .after = scratch,
                     .k = LLVMBuildUDiv(e->b, k, build_const_i64(e, group), "")};
    panels_call(e, &p->value, &x);
}

// The keys, up to what the product with the values takes at once.
static LLVMValueRef value_keys(emit *e, const attention_code *p, const task_frame *f) {
    return attention_up_to(e, f->keys, attention_whole_keys(&p->x->v));
}

// Of the tile of queries from `row` on.
static LLVMValueRef softmax(emit *e, const attention_code *p, const task_frame *f, LLVMValueRef scratch,
                            LLVMValueRef row, LLVMValueRef count) {
    LLVMValueRef left = LLVMBuildSub(e->b, f->queries, row, "");
    LLVMValueRef args[] = {tile_at_constant(e, scratch, p->layout.scores), count,
                           tile_at_constant(e, scratch, p->layout.sums),
                           attention_smaller(e, left, build_const_i64(e, p->layout.tile))};
    return LLVMBuildCall2(e->b, LLVMGlobalGetValueType(p->softmax), p->softmax, args, 4, "");
}

LLVMValueRef attention_visible_softmax(emit *e, const attention_code *p) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64};
    LLVMValueRef fn = build_helper(e, "attention.visible_softmax", e->f32, 3, params);
    LLVMValueRef scratch = LLVMGetParam(fn, 0);
    task_frame f = task_frame_load(e, scratch);
    LLVMValueRef hidden = view_stack(e, e->i64); // columns past the last key
    build_store(e, build_const_i64(e, 0), hidden, 8);
    run r = run_begin(e, p, scratch, LLVMGetParam(fn, 2));
    score(e, p, scratch, LLVMGetParam(fn, 1), r.from, r.to, r.at);
    LLVMValueRef past = LLVMBuildSub(e->b, tile_mul(e, r.to, PANEL_COLUMNS), f.keys, ""),
                 none = build_const_i64(e, 0);
    past = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, past, none, ""), past, none, "");
    build_store(e, past, hidden, 8);
    run_end(e, &r);
    LLVMValueRef count = build_load(e, e->i64, r.slot, 8);
    count = LLVMBuildSub(e->b, count, build_load(e, e->i64, hidden, 8), "");
    LLVMValueRef least = softmax(e, p, &f, scratch, LLVMGetParam(fn, 1), count);
    return build_helper_end(e, fn, least, caller);
}

// Scores and softmax over the runs that the tile may see. Returns how many numbers the runs are.
static LLVMValueRef probabilities(emit *e, const attention_code *p, const task_frame *f, LLVMValueRef scratch,
                                  LLVMValueRef row) {
    LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->b)), find[] = {scratch, row};
    LLVMValueRef n =
        LLVMBuildCall2(e->b, LLVMGlobalGetValueType(p->visible_runs), p->visible_runs, find, 2, "");
    LLVMValueRef args[] = {scratch, row, n}, two = build_const_i64(e, 2);
    LLVMValueRef least =
        LLVMBuildCall2(e->b, LLVMGlobalGetValueType(p->visible_softmax), p->visible_softmax, args, 3, "");
    LLVMValueRef saw = LLVMBuildFCmp(e->b, LLVMRealOGT, least, build_const_f32(e, SEEN), "");
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMBasicBlockRef again = LLVMAppendBasicBlockInContext(e->context, function, "again");
    LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(e->context, function, "seen");
    LLVMBuildCondBr(e->b, saw, done, again);
    LLVMPositionBuilderAtEnd(e->b, again);
    LLVMValueRef runs = tile_at_constant(e, scratch, p->layout.visible_runs);
    build_store(e, build_const_i64(e, 0), runs, 8);
    LLVMValueRef all = panels_of(e, f->keys, attention_panels_at_once(p->x));
    build_store(e, all, tile_at_constant(e, runs, 8), 8);
    args[2] = two;
    attention_call(e, p->visible_softmax, 3, args);
    LLVMBuildBr(e->b, done);
    LLVMPositionBuilderAtEnd(e->b, done);
    LLVMValueRef count = LLVMBuildPhi(e->b, e->i64, "");
    LLVMAddIncoming(count, (LLVMValueRef[]){n, two}, (LLVMBasicBlockRef[]){here, again}, 2);
    return count;
}

static void visible_values(emit *e, const attention_code *p, const task_frame *f, LLVMValueRef scratch,
                           LLVMValueRef row, LLVMValueRef n) {
    LLVMValueRef outs = tile_at_constant(e, scratch, p->layout.outs);
    loop l = build_loop(e, build_const_i64(e, 0), build_const_i64(e, p->layout.tile * p->layout.out_ld),
                        e->width, "zero");
    build_store(e, LLVMConstNull(e->vf), tile_at(e, outs, tile_mul(e, l.index, 4)), (unsigned)e->width * 4);
    build_loop_end(e, &l);
    run r = run_begin(e, p, scratch, n);
    LLVMValueRef key = tile_mul(e, r.from, PANEL_COLUMNS);
    LLVMValueRef end = tile_mul(e, r.to, PANEL_COLUMNS);
    end = attention_smaller(e, end, value_keys(e, p, f));
    drop(e, p, f, scratch, row, r.at, key, LLVMBuildSub(e->b, end, key, ""));
    value_product(e, p, scratch, r.at, key, LLVMBuildSub(e->b, end, key, ""));
    run_end(e, &r);
}

// Probabilities without a pass over the scores; with one where that fails.
static void fused(emit *e, const attention_code *p, const task_frame *f, LLVMValueRef scratch,
                  LLVMValueRef row) {
    LLVMValueRef zero = build_const_i64(e, 0), first = build_const_i64(e, attention_panels_at_once(p->x));
    LLVMValueRef rows =
        attention_smaller(e, LLVMBuildSub(e->b, f->queries, row, ""), build_const_i64(e, p->layout.tile));
    score(e, p, scratch, row, zero, first, zero);
    LLVMBasicBlockRef behind = build_if(e, attention_fused_probabilities(e, p, f, scratch, rows));
    score(e, p, scratch, row, zero, panels_of(e, f->keys, 1), zero);
    LLVMValueRef args[] = {tile_at_constant(e, scratch, p->layout.scores), f->keys,
                           tile_at_constant(e, scratch, p->layout.sums), rows,
                           tile_at_constant(e, scratch, p->layout.state)};
    attention_call(e, p->fused.again, 5, args);
    build_if_end(e, behind);
}

void attention_tile(emit *e, const attention_code *p, const task_frame *f, LLVMValueRef scratch,
                    LLVMValueRef row, LLVMValueRef until) {
    LLVMValueRef zero = build_const_i64(e, 0);
    attention_take(e, p->s, f, &p->queries, scratch, row, until);
    for (int i = 0; i < p->x->scores.table_count; i++) {
        const score_table *t = &p->x->scores.tables[i];
        LLVMValueRef args[] = {scratch, row, tile_at_constant(e, scratch, p->layout.queries)};
        if (t->product && !t->transposed) attention_call(e, p->tables[i].multiply, 3, args);
    }
    if (p->visible_runs) {
        visible_values(e, p, f, scratch, row, probabilities(e, p, f, scratch, row));
        return;
    }
    if (p->fused.shifts)
        fused(e, p, f, scratch, row);
    else {
        score(e, p, scratch, row, zero, panels_of(e, f->keys, 1), zero);
        softmax(e, p, f, scratch, row, f->keys);
        drop(e, p, f, scratch, row, zero, zero, f->keys);
    }
    value_product(e, p, scratch, zero, zero, value_keys(e, p, f));
}
