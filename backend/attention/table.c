// Products that the ops on the scores look up: queries or keys with the rows of a table of positions
// (DeBERTa's disentangled terms, BERT's relative keys).
//
//   straight   q[i] . table[ids[i,j]]    a tile of queries, just before its scores
//   transposed k[j] . table[ids[j,i]]    all keys, once for each task
//
// Only the panels of columns that these pairs can look up are computed: neighbours look up neighbours.
#include "backend/attention/attention.h"

// Packs the rows of the table that queries [from, to) and all keys look up.
static LLVMValueRef emit_prepare(emit *e, const kernel_site *s, const attention *x, const score_table *t,
                                 LLVMValueRef scan) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    heads rows = t->of;
    LLVMValueRef pack = attention_pack_keys(e, &rows);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64};
    LLVMValueRef fn = build_helper(e, "attention.prepare", NULL, 3, params), scratch = LLVMGetParam(fn, 0);
    task_frame f = task_frame_load(e, scratch);
    ranges r = {.e = e, .x = x, .scan = scan};
    LLVMValueRef first, last;
    attention_ranges_open(&r, s, &f);
    attention_ranges_rows(&r, s, &f, LLVMGetParam(fn, 1), LLVMGetParam(fn, 2));
    attention_ranges_keys(&r, scratch, build_const_i64(e, 0), f.keys);
    attention_ranges_looked_up(&r, t, &first, &last);
    LLVMValueRef row = tile_mul(e, first, PANEL_COLUMNS);
    LLVMValueRef until = attention_smaller(e, tile_mul(e, last, PANEL_COLUMNS), build_const_i64(e, t->n));
    LLVMValueRef from =
        tile_at_step(e, attention_head_at(e, s, &f, &t->of), row, elem_bytes(t->of.e, t->of.ld));
    LLVMValueRef to =
        tile_at_step(e, tile_at_constant(e, scratch, t->packed), first, attention_panel_bytes(&t->of));
    LLVMValueRef args[] = {from, LLVMBuildSub(e->b, until, row, ""), to};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(pack), pack, args, 3, "");
    return build_helper_end(e, fn, NULL, caller);
}

// One tile of rows times the panels that `r` can look up.
static void multiply(emit *e, const panels *p, const ranges *r, const score_table *t, LLVMValueRef scratch,
                     LLVMValueRef a, LLVMValueRef c) {
    LLVMValueRef from, to;
    attention_ranges_looked_up(r, t, &from, &to);
    panels_args args = {.a = a,
                        .b = tile_at_constant(e, scratch, t->packed),
                        .c = c,
                        .rows = build_const_i64(e, p->rows),
                        .from = from,
                        .to = to,
                        .after = scratch};
    panels_call(e, p, &args);
}

static LLVMValueRef emit_straight(emit *e, const kernel_site *s, const attention *x, const score_table *t,
                                  LLVMValueRef scan, const panels *p) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->ptr};
    LLVMValueRef fn = build_helper(e, "attention.straight", NULL, 3, params), scratch = LLVMGetParam(fn, 0);
    LLVMValueRef row = LLVMGetParam(fn, 1);
    task_frame f = task_frame_load(e, scratch);
    ranges r = {.e = e, .x = x, .scan = scan};
    attention_ranges_open(&r, s, &f);
    LLVMValueRef until = LLVMBuildAdd(e->b, row, build_const_i64(e, p->rows), "");
    attention_ranges_rows(&r, s, &f, row, attention_smaller(e, until, f.queries));
    attention_ranges_keys(&r, scratch, build_const_i64(e, 0), f.keys);
    multiply(e, p, &r, t, scratch, LLVMGetParam(fn, 2), tile_at_constant(e, scratch, t->at));
    return build_helper_end(e, fn, NULL, caller);
}

static LLVMValueRef emit_transposed(emit *e, const kernel_site *s, const attention *x, const score_table *t,
                                    LLVMValueRef scan, const panels *p, const row_source *keys) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64};
    LLVMValueRef fn = build_helper(e, "attention.transposed", NULL, 3, params), scratch = LLVMGetParam(fn, 0);
    task_frame f = task_frame_load(e, scratch);
    ranges r = {.e = e, .x = x, .scan = scan};
    LLVMValueRef rows = build_const_i64(e, p->rows), at = tile_at_constant(e, scratch, keys->at);
    attention_ranges_open(&r, s, &f);
    attention_ranges_rows(&r, s, &f, LLVMGetParam(fn, 1), LLVMGetParam(fn, 2));
    loop l = build_loop(e, build_const_i64(e, 0), f.keys, p->rows, "keys");
    LLVMValueRef until = attention_smaller(e, LLVMBuildAdd(e->b, l.index, rows, ""), f.keys);
    attention_take(e, s, &f, keys, scratch, l.index, until);
    attention_ranges_keys(&r, scratch, l.index, until);
    LLVMValueRef c = tile_at_step(e, tile_at_constant(e, scratch, t->at), l.index, t->ld * 4);
    multiply(e, p, &r, t, scratch, at, c);
    build_loop_end(e, &l);
    return build_helper_end(e, fn, NULL, caller);
}

table_code attention_table_code(emit *e, const kernel_site *s, const attention *x, const score_table *t,
                                LLVMValueRef scan, const row_source *keys, const row_source *queries) {
    const row_source *rows = t->transposed ? keys : queries;
    panels p = {.name = "attention.table",
                .product = target_product_find(e->target, t->of.read, t->of.read),
                .rows = rows->tile,
                .whole = true,
                .k = t->of.width,
                .lda = elem_bytes(t->of.read, rows->ld),
                .ldc = t->ld * 4,
                .panel = attention_panel_bytes(&t->of)};
    panels_emit(e, &p);
    table_code c = {.prepare = emit_prepare(e, s, x, t, scan)};
    c.multiply =
        t->transposed ? emit_transposed(e, s, x, t, scan, &p, keys) : emit_straight(e, s, x, t, scan, &p);
    return c;
}
