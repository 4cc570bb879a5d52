// The least and the largest values that the integers of a body can have for a block of queries and keys:
// interval arithmetic at run time. From these follow the keys that a tile of queries sees, where a select
// hides the others, and the rows of a table that its pairs look up.
//
//   select |i - j| <= w, score, -3e38     queries 80..87, keys 0..15:  65 <= i - j <= 87, none within w
//
// Leaves are the numbers of queries and keys. The result of an op that is not known here may be any number.
#include "backend/attention/attention.h"

#include "backend/matmul/blocks.h"

#include <string.h>

// Scores up to this are hidden: softmax makes them 0 beside any score that is one.
#define HIDDEN (-1e30)

typedef struct interval {
    LLVMValueRef lo, hi; // i32 or f32; NULL: unknown
} interval;

// --- Intervals

LLVMValueRef attention_scan(emit *e) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->ptr};
    LLVMValueRef fn = build_helper(e, "attention.scan", NULL, 4, params);
    LLVMValueRef p = LLVMGetParam(fn, 0), out = LLVMGetParam(fn, 3), from = LLVMGetParam(fn, 1);
    LLVMValueRef first = build_load(e, e->i32, tile_at(e, p, tile_mul(e, from, 4)), 4);
    LLVMValueRef lo = view_stack(e, e->i32), hi = view_stack(e, e->i32);
    build_store(e, first, lo, 4);
    build_store(e, first, hi, 4);
    loop l = build_loop(e, from, LLVMGetParam(fn, 2), 1, "number");
    LLVMValueRef x = build_load(e, e->i32, tile_at(e, p, tile_mul(e, l.index, 4)), 4);
    LLVMValueRef least = build_load(e, e->i32, lo, 4), most = build_load(e, e->i32, hi, 4);
    LLVMValueRef below = LLVMBuildICmp(e->b, LLVMIntSLT, x, least, ""),
                 above = LLVMBuildICmp(e->b, LLVMIntSGT, x, most, "");
    build_store(e, LLVMBuildSelect(e->b, below, x, least, ""), lo, 4);
    build_store(e, LLVMBuildSelect(e->b, above, x, most, ""), hi, 4);
    build_loop_end(e, &l);
    build_store(e, build_load(e, e->i32, lo, 4), out, 4);
    LLVMValueRef highest = build_load(e, e->i32, hi, 4);
    build_store(e, highest, tile_at_constant(e, out, 4), 4);
    return build_helper_end(e, fn, NULL, caller);
}

static interval scan(const ranges *r, LLVMValueRef p, LLVMValueRef from, LLVMValueRef to) {
    emit *e = r->e;
    LLVMValueRef out = view_stack(e, LLVMArrayType2(e->i32, 2)), args[] = {p, from, to, out};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(r->scan), r->scan, args, 4, "");
    return (interval){build_load(e, e->i32, out, 4), build_load(e, e->i32, tile_at_constant(e, out, 4), 4)};
}

static LLVMValueRef clamp(emit *e, LLVMValueRef x, int64_t most) {
    LLVMValueRef zero = LLVMConstNull(e->i32), top = LLVMConstInt(e->i32, (unsigned long long)most, false);
    x = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, x, zero, ""), zero, x, "");
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, x, top, ""), top, x, "");
}

static interval interval_of(const ranges *r, value v, bool transposed);

// The numbers of a table in the rows that are looked up.
static interval interval_looked_up(const ranges *r, value v, bool transposed) {
    emit *e = r->e;
    const score_ops *x = &r->x->scores;
    int i = attention_table(x, v, transposed);
    const score_table *t = &x->tables[i];
    if (t->product || t->e != ELEM_I32 || !r->tables[i]) return (interval){0};
    interval at = interval_of(r, graph_node(x->body, v)->inputs[1], transposed);
    LLVMValueRef first = LLVMConstNull(e->i32),
                 last = LLVMConstInt(e->i32, (unsigned long long)t->n - 1, false);
    if (at.lo) first = clamp(e, at.lo, t->n - 1), last = clamp(e, at.hi, t->n - 1);
    LLVMValueRef to = LLVMBuildAdd(e->b, LLVMBuildZExt(e->b, last, e->i64, ""), build_const_i64(e, 1), "");
    return scan(r, r->tables[i], LLVMBuildZExt(e->b, first, e->i64, ""), to);
}

static LLVMValueRef bound(const ranges *r, const node *n, LLVMValueRef a, LLVMValueRef b) {
    LLVMValueRef x[] = {a, b};
    return pointwise_op(r->e, r->x->body, n, x);
}

static interval interval_of(const ranges *r, value v, bool transposed) {
    const graph *g = r->x->body;
    const node *n = graph_node(g, v);
    double number;
    if (value_is_scalar(g, v, &number)) {
        LLVMValueRef x = pointwise_literal(r->e, n, 1);
        return (interval){x, x};
    }
    if (n->type.e != ELEM_I32 && n->type.e != ELEM_F32) return (interval){0};
    if (n->op == OP_reshape) {
        int i = attention_leaf(r->x, n, transposed);
        return (interval){r->lo[i], r->hi[i]};
    }
    if (n->op == OP_iota) {
        bool key = (node_attr(n, ATTR_axis)->u.i == n->type.rank - 1) != transposed;
        return key ? (interval){r->key_lo, r->key_hi} : (interval){r->row_lo, r->row_hi};
    }
    if (n->op == OP_transpose) return interval_of(r, n->inputs[0], !transposed);
    if (n->op == OP_broadcast) return interval_of(r, n->inputs[0], transposed);
    if (n->op == OP_gather_along) return interval_looked_up(r, v, transposed);
    bool known = n->op == OP_add || n->op == OP_sub || n->op == OP_neg || n->op == OP_maximum ||
                 (n->op == OP_cast && graph_type(g, n->inputs[0])->e == ELEM_I32);
    if (!known) return (interval){0};
    interval a = interval_of(r, n->inputs[0], transposed), b = a;
    if (n->input_count > 1) b = interval_of(r, n->inputs[1], transposed);
    if (!a.lo || !b.lo) return (interval){0};
    bool falls = n->op == OP_neg; // in its first operand
    LLVMValueRef b_lo = n->op == OP_sub ? b.hi : b.lo, b_hi = n->op == OP_sub ? b.lo : b.hi;
    return (interval){bound(r, n, falls ? a.hi : a.lo, b_lo), bound(r, n, falls ? a.lo : a.hi, b_hi)};
}

// --- Conditions. NULL: always true.

static LLVMValueRef at_most(emit *e, LLVMValueRef a, LLVMValueRef b, bool equal) {
    if (LLVMGetTypeKind(LLVMTypeOf(a)) == LLVMIntegerTypeKind)
        return LLVMBuildICmp(e->b, equal ? LLVMIntSLE : LLVMIntSLT, a, b, "");
    return LLVMBuildFCmp(e->b, equal ? LLVMRealOLE : LLVMRealOLT, a, b, "");
}

// May the comparison come out as `wanted`?
static LLVMValueRef may_be(const ranges *r, value v, bool transposed, bool wanted) {
    emit *e = r->e;
    const node *n = graph_node(r->x->body, v);
    if (n->op == OP_transpose) return may_be(r, n->inputs[0], !transposed, wanted);
    if (n->op == OP_broadcast) return may_be(r, n->inputs[0], transposed, wanted);
    if (n->op != OP_compare) return NULL;
    interval a = interval_of(r, n->inputs[0], transposed), b = interval_of(r, n->inputs[1], transposed);
    if (!a.lo || !b.lo) return NULL;
    const char *word = node_attr(n, ATTR_predicate)->u.name;
    bool equality = !strcmp(word, "eq") || !strcmp(word, "ne"), meets = !strcmp(word, "eq") == wanted;
    if (equality && meets) {
        LLVMValueRef below = at_most(e, a.lo, b.hi, true);
        return LLVMBuildAnd(e->b, below, at_most(e, b.lo, a.hi, true), "");
    }
    if (equality) { // unless both are one and the same number
        LLVMValueRef below = at_most(e, a.hi, b.lo, true);
        LLVMValueRef one = LLVMBuildAnd(e->b, below, at_most(e, b.hi, a.lo, true), "");
        return LLVMBuildNot(e->b, one, "");
    }
    bool less = word[0] == 'l', equal = word[1] == 'e';
    if (!wanted) less = !less, equal = !equal;
    return less ? at_most(e, a.lo, b.hi, equal) : at_most(e, b.lo, a.hi, equal);
}

static LLVMValueRef both(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return !a ? b : !b ? a : LLVMBuildAnd(e->b, a, b, "");
}

static LLVMValueRef either(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return a && b ? LLVMBuildOr(e->b, a, b, "") : NULL;
}

static bool is_hidden(const graph *g, value v) {
    double x;
    while (graph_node(g, v)->op == OP_broadcast) v = graph_node(g, v)->inputs[0];
    return value_is_scalar(g, v, &x) && x <= HIDDEN;
}

static bool may_hide(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (n->op != OP_select) return is_hidden(g, v);
    return may_hide(g, n->inputs[1]) || may_hide(g, n->inputs[2]);
}

bool attention_hides(const attention *x) {
    return x->scores.separate_pass && may_hide(x->body, x->scores.result);
}

// May a score of these pairs be seen?
static LLVMValueRef seen(const ranges *r, value v) {
    emit *e = r->e;
    const graph *g = r->x->body;
    const node *n = graph_node(g, v);
    if (is_hidden(g, v)) return LLVMConstInt(e->i1, 0, false);
    if (n->op != OP_select) return NULL;
    LLVMValueRef chosen = may_be(r, n->inputs[0], false, true);
    LLVMValueRef first = both(e, chosen, seen(r, n->inputs[1]));
    LLVMValueRef refused = may_be(r, n->inputs[0], false, false);
    return either(e, first, both(e, refused, seen(r, n->inputs[2])));
}

LLVMValueRef attention_ranges_seen(const ranges *r) {
    return seen(r, r->x->scores.result);
}

// --- Blocks of a task

void attention_ranges_open(ranges *r, const kernel_site *s, const task_frame *f) {
    emit *e = r->e;
    const score_ops *x = &r->x->scores;
    for (int i = 0; i < x->table_count; i++) {
        const score_table *t = &x->tables[i];
        if (!t->product)
            r->tables[i] = tile_at_step(e, attention_operand(e, s, f, t->operand), f->head, t->stride * 4);
    }
}

static LLVMValueRef as_i32(emit *e, LLVMValueRef x) {
    return LLVMBuildTrunc(e->b, x, e->i32, "");
}

void attention_ranges_rows(ranges *r, const kernel_site *s, const task_frame *f, LLVMValueRef from,
                           LLVMValueRef to) {
    emit *e = r->e;
    const score_ops *x = &r->x->scores;
    r->row_lo = as_i32(e, from);
    r->row_hi = as_i32(e, LLVMBuildSub(e->b, to, build_const_i64(e, 1), ""));
    for (int i = 0; i < x->leaf_count; i++) {
        if (x->leaves[i].side != SIDE_QUERY || x->leaves[i].e != ELEM_I32) continue;
        interval all = scan(r, attention_operand(e, s, f, x->leaves[i].operand), from, to);
        r->lo[i] = all.lo, r->hi[i] = all.hi;
    }
}

void attention_ranges_keys(ranges *r, LLVMValueRef scratch, LLVMValueRef from, LLVMValueRef to) {
    emit *e = r->e;
    const score_ops *x = &r->x->scores;
    r->key_lo = as_i32(e, from);
    r->key_hi = as_i32(e, LLVMBuildSub(e->b, to, build_const_i64(e, 1), ""));
    for (int i = 0; i < x->leaf_count; i++) {
        if (x->leaves[i].side != SIDE_KEY || x->leaves[i].e != ELEM_I32) continue;
        interval all = scan(r, tile_at_constant(e, scratch, x->leaves[i].at), from, to);
        r->lo[i] = all.lo, r->hi[i] = all.hi;
    }
}

void attention_ranges_looked_up(const ranges *r, const score_table *t, LLVMValueRef *from, LLVMValueRef *to) {
    emit *e = r->e;
    interval at = interval_of(r, graph_node(r->x->body, t->gather)->inputs[1], t->transposed);
    *from = build_const_i64(e, 0);
    *to = build_const_i64(e, ceil_div(t->n, PANEL_COLUMNS));
    if (!at.lo) return;
    LLVMValueRef panel = build_const_i64(e, PANEL_COLUMNS);
    *from = LLVMBuildUDiv(e->b, LLVMBuildZExt(e->b, clamp(e, at.lo, t->n - 1), e->i64, ""), panel, "");
    *to = LLVMBuildUDiv(e->b, LLVMBuildZExt(e->b, clamp(e, at.hi, t->n - 1), e->i64, ""), panel, "");
    *to = LLVMBuildAdd(e->b, *to, build_const_i64(e, 1), "");
}

// --- Runs of panels that are seen

LLVMValueRef attention_panel_limits(emit *e, const attention *x, LLVMValueRef scanner) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMValueRef fn = build_helper(e, "attention.panel_limits", NULL, 1, &e->ptr);
    LLVMValueRef scratch = LLVMGetParam(fn, 0), panel = build_const_i64(e, PANEL_COLUMNS);
    task_frame f = task_frame_load(e, scratch);
    for (int i = 0; i < x->scores.leaf_count; i++) {
        const score_leaf *l = &x->scores.leaves[i];
        if (l->side != SIDE_KEY || l->e != ELEM_I32) continue;
        loop k = build_loop(e, build_const_i64(e, 0), f.keys, PANEL_COLUMNS, "panel");
        LLVMValueRef to = tile_at_constant(e, scratch, l->panel_limits);
        to = tile_at(e, to, LLVMBuildLShr(e->b, k.index, build_const_i64(e, 1), ""));
        LLVMValueRef args[] = {tile_at_constant(e, scratch, l->at), k.index,
                               LLVMBuildAdd(e->b, k.index, panel, ""), to};
        LLVMBuildCall2(e->b, LLVMGlobalGetValueType(scanner), scanner, args, 4, "");
        build_loop_end(e, &k);
    }
    return build_helper_end(e, fn, NULL, caller);
}

static LLVMValueRef panel_seen(ranges *r, LLVMValueRef scratch, LLVMValueRef panel) {
    emit *e = r->e;
    const score_ops *x = &r->x->scores;
    r->key_lo = as_i32(e, tile_mul(e, panel, PANEL_COLUMNS));
    r->key_hi = LLVMBuildAdd(e->b, r->key_lo, LLVMConstInt(e->i32, PANEL_COLUMNS - 1, false), "");
    for (int i = 0; i < x->leaf_count; i++) {
        if (x->leaves[i].side != SIDE_KEY || x->leaves[i].e != ELEM_I32) continue;
        LLVMValueRef at = tile_at_step(e, tile_at_constant(e, scratch, x->leaves[i].panel_limits), panel, 8);
        r->lo[i] = build_load(e, e->i32, at, 4);
        r->hi[i] = build_load(e, e->i32, tile_at_constant(e, at, 4), 4);
    }
    LLVMValueRef yes = seen(r, x->result);
    return yes ? yes : LLVMConstInt(e->i1, 1, false);
}

int64_t attention_panels_at_once(const attention *x) {
    int64_t keys = attention_whole_keys(&x->v);
    return keys > PANEL_COLUMNS ? keys / PANEL_COLUMNS : 1;
}

// The same of the panel behind that, where there is one.
static LLVMValueRef next_panel_seen(ranges *r, LLVMValueRef scratch, LLVMValueRef keys, LLVMValueRef panel) {
    emit *e = r->e;
    LLVMValueRef last = LLVMBuildSub(e->b, keys, build_const_i64(e, 1), "");
    last = LLVMBuildUDiv(e->b, last, build_const_i64(e, PANEL_COLUMNS), "");
    LLVMValueRef next = LLVMBuildAdd(e->b, panel, build_const_i64(e, 1), "");
    return panel_seen(r, scratch, attention_smaller(e, next, last));
}

LLVMValueRef attention_visible_runs(emit *e, const kernel_site *s, const attention *x, LLVMValueRef scanner,
                                    int tile_rows, int64_t visible_runs) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64};
    LLVMValueRef fn = build_helper(e, "attention.visible_runs", e->i64, 2, params);
    LLVMValueRef scratch = LLVMGetParam(fn, 0), row = LLVMGetParam(fn, 1), one = build_const_i64(e, 1);
    task_frame f = task_frame_load(e, scratch);
    ranges r = {.e = e, .x = x, .scan = scanner};
    attention_ranges_open(&r, s, &f);
    LLVMValueRef end = LLVMBuildAdd(e->b, row, build_const_i64(e, tile_rows), "");
    attention_ranges_rows(&r, s, &f, row, attention_smaller(e, end, f.queries));
    LLVMValueRef out = tile_at_constant(e, scratch, visible_runs), count = view_stack(e, e->i64);
    build_store(e, build_const_i64(e, 0), count, 8);
    int64_t at_once = attention_panels_at_once(x);
    LLVMValueRef all = attention_up_to(e, f.keys, PANEL_COLUMNS * at_once);
    all = LLVMBuildUDiv(e->b, all, build_const_i64(e, PANEL_COLUMNS), "");
    // The number of a panel is stored wherever a run of visible panels begins or ends; while count is odd,
    // a run is open.
    loop l = build_loop(e, build_const_i64(e, 0), all, at_once, "panel");
    LLVMValueRef had = build_load(e, e->i64, count, 8);
    build_store(e, l.index, tile_at(e, out, tile_mul(e, had, 8)), 8);
    LLVMValueRef now = panel_seen(&r, scratch, l.index);
    if (at_once > 1) now = LLVMBuildOr(e->b, now, next_panel_seen(&r, scratch, f.keys, l.index), "");
    now = LLVMBuildZExt(e->b, now, e->i64, "");
    LLVMValueRef changes = LLVMBuildXor(e->b, now, LLVMBuildAnd(e->b, had, one, ""), "");
    build_store(e, LLVMBuildAdd(e->b, had, changes, ""), count, 8);
    build_loop_end(e, &l);
    LLVMValueRef n = build_load(e, e->i64, count, 8);
    build_store(e, all, tile_at(e, out, tile_mul(e, n, 8)), 8);
    return build_helper_end(e, fn, LLVMBuildAdd(e->b, n, LLVMBuildAnd(e->b, n, one, ""), ""), caller);
}

// --- How far a query sees

// Is a key seen that comes `distance` after a query? The same conditions, on constants. What only
// keys have is 0 (no global token), or not known.
static bool sees(emit *e, const attention *x, int64_t distance, bool known) {
    ranges r = {.e = e, .x = x};
    const score_ops *o = &x->scores;
    LLVMValueRef zero = LLVMConstNull(e->i32),
                 there = LLVMConstInt(e->i32, (unsigned long long)distance, true);
    r.row_lo = r.row_hi = zero;
    r.key_lo = r.key_hi = there;
    for (int i = 0; i < o->leaf_count; i++) {
        bool position = false; // a number that queries and keys have
        for (int k = 0; k < o->leaf_count; k++)
            position |=
                o->leaves[k].operand == o->leaves[i].operand && o->leaves[k].side != o->leaves[i].side;
        bool key = o->leaves[i].side == SIDE_KEY;
        r.lo[i] = r.hi[i] = !key ? zero : position ? there : known ? zero : NULL;
    }
    LLVMValueRef yes = seen(&r, o->result);
    return !yes || !LLVMIsConstant(yes) || LLVMConstIntGetZExtValue(yes) != 0;
}

// The farthest of `length` keys behind a query (of a negative `step`: before it) that it sees.
static int64_t farthest(emit *e, const attention *x, int64_t length, int64_t step, bool known) {
    int64_t lo = 0, hi = length; // sees lo, not hi
    if (sees(e, x, step * length, known)) return length - 1;
    while (hi - lo > 1) {
        int64_t middle = (lo + hi) / 2;
        *(sees(e, x, step * middle, known) ? &lo : &hi) = middle;
    }
    return lo;
}

double attention_reach(emit *e, const attention *x, int64_t length) {
    bool known = sees(e, x, 0, true); // otherwise 0 says that a key is hidden (a mask)
    double keys = 1;
    if (!attention_hides(x)) return (double)length;
    for (int64_t step = -1; step <= 1; step += 2) {
        double most = (double)farthest(e, x, length, step, known);
        keys += most - most * (most + 1) / (2 * (double)length); // those at the ends of the text see fewer
    }
    return keys;
}
