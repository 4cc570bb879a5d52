// The ops between the first product of attention and its softmax: scale, bias by distance, windows, tables
// that are looked up by a pair's numbers. Arithmetic with scalars is the product's epilogue. Other ops are
// a pass over the tile of scores, which lies in L1:
//
//   score[i,j] = f(sum[i,j], numbers of query i, numbers of key j, rows looked up)
//
// The body's axes are (head, query, key). A transposition exchanges the last two, so a value whose rows are
// keys is computed `transposed`.
#include "backend/attention/attention.h"

#include "backend/matmul/blocks.h"

#include <assert.h>

// --- Collection

typedef struct collector {
    const kernel_site *s;
    attention *x;
    bool *seen[2]; // transposed or not
} collector;

static bool swaps_last_axes(const node *n) {
    const attr *perm = node_attr(n, ATTR_perm);
    int r = n->type.rank;
    if (n->op != OP_transpose || r < 2) return false;
    for (int i = 0; i < r - 2; i++)
        if (perm->u.ints[i] != i) return false;
    return perm->u.ints[r - 2] == r - 1;
}

static bool is_pointwise(const node *n) {
    const type *t = &n->type;
    return (op_flag_bits(n->op) & POINTWISE) && (t->e == ELEM_F32 || t->e == ELEM_I32 || t->e == ELEM_I1);
}

// A param of one axis as a column or a row: whose numbers they are. Those of chosen rows, or of one, can only
// be the queries'.
static side side_of(const graph *g, const node *n, bool transposed) {
    if (!dim_eq(graph_type(g, n->inputs[0])->d[0], dim_sym(SYM_L))) return SIDE_QUERY;
    bool last = !dim_is(n->type.d[n->type.rank - 1], 1);
    return last != transposed ? SIDE_KEY : SIDE_QUERY;
}

int attention_leaf(const attention *x, const node *n, bool transposed) {
    side of = side_of(x->body, n, transposed);
    for (int i = 0; i < x->scores.leaf_count; i++) {
        const score_leaf *l = &x->scores.leaves[i];
        if (l->operand == x->operands[n->inputs[0]] && l->side == of) return i;
    }
    return -1;
}

static bool add_leaf(const collector *c, const node *n, bool transposed) {
    score_ops *x = &c->x->scores;
    const type *from = graph_type(x->body, n->inputs[0]);
    int r = n->type.rank, wide = 0;
    if (graph_node(x->body, n->inputs[0])->op != OP_param || from->rank != 1 || r < 2) return false;
    if (from->e != ELEM_I32 && from->e != ELEM_F32) return false;
    for (int i = 0; i < r; i++) wide += !dim_is(n->type.d[i], 1) ? (i < r - 2 ? 2 : 1) : 0;
    if (wide > 1) return false;
    if (attention_leaf(c->x, n, transposed) >= 0) return true;
    if (x->leaf_count == SCORE_MOST) return false;
    x->leaves[x->leaf_count++] = (score_leaf){.operand = c->x->operands[n->inputs[0]],
                                              .side = side_of(x->body, n, transposed),
                                              .e = from->e,
                                              .rows = from->d[0]};
    return true;
}

// A table [..,n] that is the same for all queries and keys: one for each head, or one for all heads.
static bool lone_table(const collector *c, const node *n, score_table *out) {
    const node *table = graph_node(c->x->body, n->inputs[0]);
    const type *t = &table->type;
    if (table->op != OP_param || t->layout != LAYOUT_ROW || t->rank < 1 || t->rank > 3) return false;
    if (t->e != ELEM_F32 && t->e != ELEM_I32) return false;
    for (int i = 0; i < t->rank; i++)
        if (t->d[i].s != SYM_NONE || t->d[i].n < 1) return false;
    if (t->rank > 1 && !dim_is(t->d[t->rank - 2], 1)) return false;
    out->e = t->e;
    out->n = t->d[t->rank - 1].n;
    out->operand = c->x->operands[n->inputs[0]];
    out->stride = t->rank == 3 && t->d[0].n > 1 ? attention_ld(c->s, out->operand) : 0;
    return true;
}

// A product of queries or keys [heads,L,d] with the rows of an operand: [heads,d,n], or [d,n] for all heads.
static bool product_table(const collector *c, const node *n, score_table *out) {
    const graph *g = c->x->body;
    const node *product = graph_node(g, n->inputs[0]);
    if (product->op != OP_matmul || product->type.rank != 3) return false;
    head_view all;
    if (attention_as_heads(g, product->inputs[1], 2, 1, &out->of)) {
        out->of.operand = c->x->operands[out->of.operand];
    } else if (attention_view_of(g, product->inputs[1], &all) && all.rank == 2 && !all.axes[0].row &&
               all.axes[0].stride == 1) {
        out->of = (heads){.operand = c->x->operands[all.param],
                          .e = all.e,
                          .as = graph_type(g, product->inputs[1])->e,
                          .rows = all.axes[1].size,
                          .column = all.column,
                          .count = product->type.d[0].n,
                          .width = all.axes[0].size.n,
                          .group = 1,
                          .producer = VALUE_NONE};
    } else {
        return false;
    }
    const type *t =
        &graph_node(c->s->graph, graph_node(c->s->graph, c->s->node)->inputs[out->of.operand])->type;
    if (out->of.rows.s != SYM_NONE || t->layout != LAYOUT_ROW) return false;
    out->product = true;
    out->left = product->inputs[0];
    out->e = ELEM_F32;
    out->n = out->of.rows.n;
    out->of.ld = attention_ld(c->s, out->of.operand);
    out->ld = (ceil_div(out->n, PANEL_COLUMNS) | 1) * PANEL_COLUMNS;
    return out->ld * c->s->variant->length < INT32_MAX / 8; // lanes address it by i32
}

// One number for each head, f32[heads,1,1]: a table of one element.
static bool add_head_number(const collector *c, value v, bool transposed) {
    score_ops *x = &c->x->scores;
    const node *n = graph_node(x->body, v);
    const type *t = &n->type;
    if (x->table_count == SCORE_MOST || t->e != ELEM_F32 || t->rank != 3 || t->layout != LAYOUT_ROW ||
        t->d[0].s != SYM_NONE || !dim_is(t->d[1], 1) || !dim_is(t->d[2], 1))
        return false;
    x->tables[x->table_count++] =
        (score_table){.gather = v,
                      .transposed = transposed,
                      .e = ELEM_F32,
                      .n = 1,
                      .operand = c->x->operands[v],
                      .stride = t->d[0].n > 1 ? attention_ld(c->s, c->x->operands[v]) : 0};
    return true;
}

static bool add_table(const collector *c, value v, bool transposed) {
    score_ops *x = &c->x->scores;
    const node *n = graph_node(x->body, v);
    score_table t = {.gather = v, .transposed = transposed};
    if (x->table_count == SCORE_MOST || (!lone_table(c, n, &t) && !product_table(c, n, &t))) return false;
    x->tables[x->table_count++] = t;
    return true;
}

int attention_table(const score_ops *x, value v, bool transposed) {
    int i = 0;
    while (x->tables[i].gather != v || x->tables[i].transposed != transposed) i++;
    return i;
}

static bool collect_score_ops(const collector *c, value v, bool transposed) {
    score_ops *x = &c->x->scores;
    const graph *g = x->body;
    const node *n = graph_node(g, v);
    if (c->seen[transposed][v] || value_is_scalar(g, v, NULL)) return true;
    c->seen[transposed][v] = true;
    if (n->op == OP_matmul) {
        if (transposed || n->type.rank != 3 || (x->anchor != VALUE_NONE && x->anchor != v)) return false;
        x->anchor = v;
        return true;
    }
    if (n->op == OP_param) return add_head_number(c, v, transposed);
    if (n->op == OP_reshape) return add_leaf(c, n, transposed);
    if (n->op == OP_iota) return n->type.e == ELEM_I32 && node_attr(n, ATTR_axis)->u.i >= n->type.rank - 2;
    if (n->op == OP_transpose) return swaps_last_axes(n) && collect_score_ops(c, n->inputs[0], !transposed);
    if (n->op == OP_broadcast) return collect_score_ops(c, n->inputs[0], transposed);
    if (n->op == OP_gather_along)
        return collect_score_ops(c, n->inputs[1], transposed) && add_table(c, v, transposed);
    if (!is_pointwise(n)) return false;
    for (int i = 0; i < n->input_count; i++)
        if (!collect_score_ops(c, n->inputs[i], transposed)) return false;
    return true;
}

// The scores as the product's epilogue: from the product through ops with scalars.
static bool collect_plain(const kernel_site *s, score_ops *x) {
    const graph *g = x->body;
    value v = x->result;
    while (graph_node(g, v)->op != OP_matmul) {
        const node *n = graph_node(g, v);
        if (!(op_flag_bits(n->op) & POINTWISE)) return false;
        v = n->inputs[value_is_scalar(g, n->inputs[0], NULL) && n->input_count > 1];
    }
    x->anchor = v;
    return epilogue_collect(s, g, NULL, v, x->result, 0, NULL, &x->plain);
}

bool attention_collect_scores(arena *a, const kernel_site *s, attention *x) {
    score_ops *y = &x->scores;
    if (collect_plain(s, y)) return true;
    y->plain = (epilogue){0};
    y->anchor = VALUE_NONE;
    y->separate_pass = true;
    collector c = {.s = s, .x = x};
    for (int i = 0; i < 2; i++) c.seen[i] = ARENA_ARRAY(a, bool, y->body->count);
    return collect_score_ops(&c, y->result, false) && y->anchor != VALUE_NONE;
}

bool attention_collect_condition(arena *a, const kernel_site *s, attention *x) {
    collector c = {.s = s, .x = x};
    for (int i = 0; i < 2; i++) c.seen[i] = ARENA_ARRAY(a, bool, x->body->count);
    if (graph_type(x->body, x->scores.result)->e != ELEM_I1 ||
        !collect_score_ops(&c, x->scores.result, false))
        return false;
    for (int i = 0; i < x->scores.leaf_count; i++)
        if (x->scores.leaves[i].side == SIDE_KEY) return false;
    return x->scores.anchor == VALUE_NONE && x->scores.table_count == 0 &&
           dim_is(graph_type(x->body, x->scores.result)->d[graph_type(x->body, x->scores.result)->rank - 1],
                  1);
}

// --- Emission

// The pairs of one query and a vector of keys.
typedef struct pairs {
    emit *e;
    const attention *x;
    LLVMValueRef sum;                // of the product
    LLVMValueRef row, key;           // i64: the query's number and the first key's
    LLVMValueRef leaves[SCORE_MOST]; // the query's number; of keys: address of key 0's
    LLVMValueRef tables[SCORE_MOST]; // address of the head's row
    LLVMValueRef *memo[2];
} pairs;

static LLVMValueRef lane_numbers(emit *e) {
    LLVMValueRef lane[64];
    assert(e->width <= 64);
    for (int i = 0; i < e->width; i++) lane[i] = LLVMConstInt(e->i32, (unsigned)i, false);
    return LLVMConstVector(lane, (unsigned)e->width);
}

static LLVMValueRef splat_i64(emit *e, LLVMValueRef x) {
    return build_splat(e, LLVMBuildTrunc(e->b, x, e->i32, ""), e->width);
}

static LLVMValueRef leaf_value(const pairs *p, int i) {
    emit *e = p->e;
    const score_leaf *l = &p->x->scores.leaves[i];
    if (l->side == SIDE_QUERY) return build_splat(e, p->leaves[i], e->width);
    LLVMTypeRef t = l->e == ELEM_F32 ? e->vf : e->vi;
    return build_load(e, t, tile_at(e, p->leaves[i], tile_mul(e, p->key, 4)), (unsigned)e->width * 4);
}

static LLVMValueRef iota_value(const pairs *p, const node *n, bool transposed) {
    emit *e = p->e;
    bool last = node_attr(n, ATTR_axis)->u.i == n->type.rank - 1;
    if (last == transposed) return splat_i64(e, p->row);
    return LLVMBuildAdd(e->b, splat_i64(e, p->key), lane_numbers(e), "");
}

static LLVMValueRef smaller_i32(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, a, b, ""), a, b, "");
}

static LLVMValueRef lane(emit *e, LLVMValueRef v, int i) {
    return LLVMBuildExtractElement(e->b, v, LLVMConstInt(e->i32, (unsigned)i, false), "");
}

// The elements `ids` of a table of n at `base`. Neighbours look up neighbours, as a rule all within the
// vector that starts at the least of the first and the last: then that is loaded, and its lanes put in their
// places, which takes a third of a gather's time.
static LLVMValueRef near_or_far(emit *e, LLVMTypeRef of, LLVMTypeRef vector, LLVMValueRef base, int64_t n,
                                LLVMValueRef ids) {
    LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->b));
    LLVMValueRef first = smaller_i32(e, lane(e, ids, 0), lane(e, ids, e->width - 1));
    first = smaller_i32(e, first, LLVMConstInt(e->i32, (unsigned)(n - e->width), false));
    LLVMValueRef from = LLVMBuildSub(e->b, ids, build_splat(e, first, e->width), "");
    LLVMValueRef room = build_splat(e, LLVMConstInt(e->i32, (unsigned)e->width, false), e->width);
    LLVMTypeRef bits = LLVMIntTypeInContext(e->context, (unsigned)e->width);
    LLVMValueRef near = LLVMBuildBitCast(e->b, LLVMBuildICmp(e->b, LLVMIntULT, from, room, ""), bits, "");
    near = LLVMBuildICmp(e->b, LLVMIntEQ, near, LLVMConstAllOnes(bits), "");
    LLVMBasicBlockRef blocks[2], join = LLVMAppendBasicBlockInContext(e->context, function, "looked_up");
    LLVMValueRef found[2];
    for (int i = 0; i < 2; i++)
        blocks[i] = LLVMInsertBasicBlockInContext(e->context, join, i ? "far" : "near");
    LLVMBuildCondBr(e->b, near, blocks[0], blocks[1]);
    LLVMPositionBuilderAtEnd(e->b, blocks[0]);
    LLVMValueRef at = LLVMBuildGEP2(e->b, of, base, &first, 1, "");
    found[0] = build_permute(e, build_load(e, vector, at, 4), from);
    LLVMBuildBr(e->b, join);
    LLVMPositionBuilderAtEnd(e->b, blocks[1]);
    found[1] = build_gather(e, vector, LLVMBuildGEP2(e->b, of, base, &ids, 1, ""));
    LLVMBuildBr(e->b, join);
    LLVMPositionBuilderAtEnd(e->b, join);
    LLVMValueRef x = LLVMBuildPhi(e->b, vector, "");
    LLVMAddIncoming(x, found, blocks, 2);
    return x;
}

// table[ids]: ids outside the table belong to pairs that nobody reads, and get element 0.
static LLVMValueRef looked_up(const pairs *p, value v, bool transposed, LLVMValueRef ids) {
    emit *e = p->e;
    const score_ops *x = &p->x->scores;
    int i = attention_table(x, v, transposed);
    const score_table *t = &x->tables[i];
    LLVMValueRef n = build_splat(e, LLVMConstInt(e->i32, (unsigned)t->n, false), e->width);
    LLVMValueRef inside = LLVMBuildICmp(e->b, LLVMIntULT, ids, n, "");
    ids = LLVMBuildSelect(e->b, inside, ids, LLVMConstNull(e->vi), "");
    if (t->product && transposed) { // each lane has a row of its own
        LLVMValueRef rows = LLVMBuildAdd(e->b, splat_i64(e, p->key), lane_numbers(e), "");
        LLVMValueRef ld = build_splat(e, LLVMConstInt(e->i32, (unsigned)t->ld, false), e->width);
        ids = LLVMBuildAdd(e->b, ids, LLVMBuildMul(e->b, rows, ld, ""), "");
    }
    LLVMTypeRef of = t->e == ELEM_F32 ? e->f32 : e->i32, vector = t->e == ELEM_F32 ? e->vf : e->vi;
    if (!(t->product && transposed) && t->n >= e->width && build_permutes(e))
        return near_or_far(e, of, vector, p->tables[i], t->n, ids);
    LLVMValueRef at = LLVMBuildGEP2(e->b, of, p->tables[i], &ids, 1, "");
    return build_gather(e, vector, at);
}

static LLVMValueRef head_number(const pairs *p, value v, bool transposed) {
    LLVMValueRef at = p->tables[attention_table(&p->x->scores, v, transposed)];
    return build_splat(p->e, build_load(p->e, p->e->f32, at, 4), p->e->width);
}

static LLVMValueRef pair_value(pairs *p, value v, bool transposed);

static LLVMValueRef compute(pairs *p, value v, bool transposed) {
    emit *e = p->e;
    const score_ops *x = &p->x->scores;
    const graph *g = x->body;
    const node *n = graph_node(g, v);
    if (v == x->anchor) return p->sum;
    if (value_is_scalar(g, v, NULL)) return pointwise_literal(e, n, e->width);
    if (n->op == OP_param) return head_number(p, v, transposed);
    if (n->op == OP_reshape) return leaf_value(p, attention_leaf(p->x, n, transposed));
    if (n->op == OP_iota) return iota_value(p, n, transposed);
    if (n->op == OP_transpose) return pair_value(p, n->inputs[0], !transposed);
    if (n->op == OP_broadcast) return pair_value(p, n->inputs[0], transposed);
    if (n->op == OP_gather_along) return looked_up(p, v, transposed, pair_value(p, n->inputs[1], transposed));
    LLVMValueRef operands[3];
    for (int i = 0; i < n->input_count; i++) operands[i] = pair_value(p, n->inputs[i], transposed);
    return pointwise_op(e, g, n, operands);
}

static LLVMValueRef pair_value(pairs *p, value v, bool transposed) {
    if (!p->memo[transposed][v]) p->memo[transposed][v] = compute(p, v, transposed);
    return p->memo[transposed][v];
}

// What does not depend on the row: where keys' numbers and tables lie.
static void open_pairs(pairs *p, const kernel_site *s, const task_frame *f, LLVMValueRef scratch) {
    emit *e = p->e;
    const score_ops *x = &p->x->scores;
    for (int i = 0; i < x->leaf_count; i++)
        if (x->leaves[i].side == SIDE_KEY) p->leaves[i] = tile_at_constant(e, scratch, x->leaves[i].at);
    for (int i = 0; i < x->table_count; i++) {
        const score_table *t = &x->tables[i];
        if (t->product) {
            p->tables[i] = tile_at_constant(e, scratch, t->at);
            continue;
        }
        LLVMValueRef table = attention_operand(e, s, f, t->operand);
        p->tables[i] = tile_at(e, table, tile_mul(e, f->head, t->stride * 4));
    }
    for (int i = 0; i < 2; i++) p->memo[i] = ARENA_ARRAY(e->arena, LLVMValueRef, x->body->count);
}

// `in_tile`: the row's number in the tile.
static void open_row(pairs *p, const kernel_site *s, const task_frame *f, LLVMValueRef scratch,
                     LLVMValueRef in_tile) {
    emit *e = p->e;
    const score_ops *x = &p->x->scores;
    for (int i = 0; i < x->leaf_count; i++) {
        const score_leaf *l = &x->leaves[i];
        if (l->side == SIDE_KEY) continue;
        LLVMValueRef at = tile_at(e, attention_operand(e, s, f, l->operand), tile_mul(e, p->row, 4));
        p->leaves[i] = build_load(e, l->e == ELEM_F32 ? e->f32 : e->i32, at, 4);
    }
    for (int i = 0; i < x->table_count; i++) {
        const score_table *t = &x->tables[i];
        if (t->product && !t->transposed)
            p->tables[i] = tile_at(e, tile_at_constant(e, scratch, t->at), tile_mul(e, in_tile, t->ld * 4));
    }
}

LLVMValueRef attention_score_pass(emit *e, const kernel_site *s, const attention *x, int tile_rows,
                                  int64_t ld) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->i64, e->ptr};
    LLVMValueRef fn = build_helper(e, "attention.pairs", NULL, 5, params);
    LLVMValueRef scratch = LLVMGetParam(fn, 0), key = LLVMGetParam(fn, 2);
    task_frame f = task_frame_load(e, scratch);
    pairs p = {.e = e, .x = x};
    open_pairs(&p, s, &f, scratch);
    loop r = build_loop(e, build_const_i64(e, 0), build_const_i64(e, tile_rows), 1, "row");
    p.row = attention_smaller(e, LLVMBuildAdd(e->b, LLVMGetParam(fn, 1), r.index, ""),
                              LLVMBuildSub(e->b, f.queries, build_const_i64(e, 1), ""));
    open_row(&p, s, &f, scratch, r.index);
    LLVMValueRef scores = tile_at(e, LLVMGetParam(fn, 4), tile_mul(e, r.index, ld * 4));
    loop c = build_loop(e, build_const_i64(e, 0), LLVMGetParam(fn, 3), e->width, "column");
    LLVMValueRef at = tile_at(e, scores, tile_mul(e, c.index, 4));
    p.key = LLVMBuildAdd(e->b, key, c.index, "");
    p.sum = build_load(e, e->vf, at, (unsigned)e->width * 4);
    build_store(e, pair_value(&p, x->scores.result, false), at, (unsigned)e->width * 4);
    build_loop_end(e, &c);
    build_loop_end(e, &r);
    return build_helper_end(e, fn, NULL, caller);
}

LLVMValueRef attention_key_numbers(emit *e, const kernel_site *s, const attention *x) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr};
    LLVMValueRef fn = build_helper(e, "attention.numbers", NULL, 1, params);
    LLVMValueRef scratch = LLVMGetParam(fn, 0);
    task_frame f = task_frame_load(e, scratch);
    LLVMValueRef last = LLVMBuildSub(e->b, f.keys, build_const_i64(e, 1), "");
    LLVMValueRef end = LLVMBuildAdd(e->b, last, build_const_i64(e, PANEL_COLUMNS), "");
    end = LLVMBuildAnd(e->b, end, build_const_i64(e, -PANEL_COLUMNS), "");
    for (int i = 0; i < x->scores.leaf_count; i++) {
        const score_leaf *l = &x->scores.leaves[i];
        if (l->side != SIDE_KEY) continue;
        LLVMValueRef from = attention_operand(e, s, &f, l->operand);
        loop k = build_loop(e, build_const_i64(e, 0), end, 1, "key");
        LLVMValueRef at = tile_mul(e, attention_smaller(e, k.index, last), 4);
        build_store(e, build_load(e, e->i32, tile_at(e, from, at), 4),
                    tile_at(e, tile_at_constant(e, scratch, l->at), tile_mul(e, k.index, 4)), 4);
        build_loop_end(e, &k);
    }
    return build_helper_end(e, fn, NULL, caller);
}

LLVMValueRef attention_condition(emit *e, const kernel_site *s, const attention *x) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64};
    LLVMValueRef fn = build_helper(e, "attention.chosen", e->i1, 2, params);
    LLVMValueRef scratch = LLVMGetParam(fn, 0);
    task_frame f = task_frame_load(e, scratch);
    pairs p = {.e = e, .x = x, .row = LLVMGetParam(fn, 1), .key = build_const_i64(e, 0)};
    open_pairs(&p, s, &f, scratch);
    open_row(&p, s, &f, scratch, build_const_i64(e, 0));
    LLVMValueRef holds = pair_value(&p, x->scores.result, false);
    return build_helper_end(e, fn, LLVMBuildExtractElement(e->b, holds, LLVMConstInt(e->i32, 0, false), ""),
                            caller);
}
