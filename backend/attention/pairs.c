// The ops on pairs of a query and a key (scores.c), a vector of keys at a time: those on scores, dropout's on probabilities,
// and those of a gradient.
#include "backend/attention/attention.h"

#include "ir/philox.h"

#include <assert.h>

// The pairs of one query and a vector of keys.
typedef struct pairs {
    emit *e;
    const kernel_site *s;
    const task_frame *f;
    const attention *x;
    LLVMValueRef sums[2];    // of the anchors
    LLVMValueRef numbers[2]; // of the row, where it has some of its own
    LLVMValueRef drawn;      // by random
    philox_place place;
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
    LLVMValueRef first = splat_i64(e, p->key);
    return LLVMBuildAdd(e->b, first, lane_numbers(e), "");
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
    LLVMValueRef first = lane(e, ids, 0);
    first = smaller_i32(e, first, lane(e, ids, e->width - 1));
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
        LLVMValueRef ld = build_splat(e, LLVMConstInt(e->i32, (unsigned)t->ld, false), e->width);
        LLVMValueRef rows =
            LLVMBuildMul(e->b, lane_numbers(e), ld, ""); // a constant: the product below is a scalar's
        rows = LLVMBuildAdd(e->b, splat_i64(e, tile_mul(e, p->key, t->ld)), rows, "");
        ids = LLVMBuildAdd(e->b, ids, rows, "");
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

// Of a seed's words and numbers.
static LLVMValueRef number(const pairs *p, value v) {
    emit *e = p->e;
    const graph *g = p->x->body;
    const node *n = graph_node(g, v);
    if (value_is_scalar(g, v, NULL)) return pointwise_literal(e, n, 1);
    if (n->op == OP_reshape || n->op == OP_broadcast) return number(p, n->inputs[0]);
    if (n->op == OP_slice) {
        LLVMValueRef at = attention_operand(e, p->s, p->f, p->x->operands[n->inputs[0]]);
        at = tile_at_constant(e, at, node_attr(n, ATTR_begin)->u.dims[0].n * 4);
        return build_load(e, n->type.e == ELEM_F32 ? e->f32 : e->i32, at, 4);
    }
    LLVMValueRef operands[3];
    for (int i = 0; i < n->input_count; i++) operands[i] = number(p, n->inputs[i]);
    return pointwise_op(e, g, n, operands);
}

static LLVMValueRef compute(pairs *p, value v, bool transposed) {
    emit *e = p->e;
    const score_ops *x = &p->x->scores;
    const graph *g = x->body;
    const node *n = graph_node(g, v);
    for (int i = 0; i < x->anchor_count; i++)
        if (v == x->anchors[i]) return p->sums[i];
    if (value_is_scalar(g, v, NULL)) return pointwise_literal(e, n, e->width);
    for (int i = 0; i < x->row_count; i++)
        if (v == x->rows[i].v) return build_splat(e, p->numbers[i], e->width);
    if (x->drawn_count && v == x->drawn[0].v) return p->drawn;
    if (attention_is_number(g, v)) return build_splat(e, number(p, v), e->width);
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

static void forget(pairs *p) {
    for (int i = 0; i < 2; i++) p->memo[i] = ARENA_ARRAY(p->e->arena, LLVMValueRef, p->x->body->count);
}

// What does not depend on the row: where keys' numbers and tables lie, and the seed.
static void open_pairs(pairs *p, LLVMValueRef scratch) {
    emit *e = p->e;
    const kernel_site *s = p->s;
    const task_frame *f = p->f;
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
    if (x->drawn_count) {
        LLVMValueRef seed = attention_operand(e, s, f, x->drawn[0].seed);
        for (int i = 0; i < 2; i++)
            p->place.seed[i] = build_load(e, e->i32, tile_at_constant(e, seed, 4 * i), 4);
        p->place.middle = LLVMBuildTrunc(e->b, f->head, e->i32, "");
        p->place.stream = LLVMConstInt(e->i32, (unsigned long long)x->drawn[0].stream, false);
    }
    forget(p);
}

// `in_tile`: the row's number in the tile.
static void open_row(pairs *p, LLVMValueRef scratch, LLVMValueRef in_tile) {
    emit *e = p->e;
    const kernel_site *s = p->s;
    const task_frame *f = p->f;
    const score_ops *x = &p->x->scores;
    for (int i = 0; i < x->row_count; i++)
        p->numbers[i] =
            build_load(e, e->f32, tile_at_step(e, tile_at_constant(e, scratch, x->rows[i].at), p->row, 4), 4);
    if (x->drawn_count) {
        LLVMValueRef rows = attention_operand(e, s, f, x->drawn[0].rows);
        p->place.row = build_load(e, e->i32, tile_at(e, rows, tile_mul(e, p->row, 4)), 4);
    }
    for (int i = 0; i < x->leaf_count; i++) {
        const score_leaf *l = &x->leaves[i];
        if (l->side == SIDE_KEY) continue;
        LLVMValueRef at = tile_at_step(e, attention_operand(e, s, f, l->operand), p->row, 4);
        p->leaves[i] = build_load(e, l->e == ELEM_F32 ? e->f32 : e->i32, at, 4);
    }
    for (int i = 0; i < x->table_count; i++) {
        const score_table *t = &x->tables[i];
        if (t->product && !t->transposed)
            p->tables[i] = tile_at_step(e, tile_at_constant(e, scratch, t->at), in_tile, t->ld * 4);
    }
}

// --- Passes

// One vector of pairs.
typedef struct pair_vector {
    LLVMValueRef column; // i64, in the tiles
    LLVMValueRef shown;  // lanes below the number of columns; NULL: all
} pair_vector;

static LLVMValueRef masked(emit *e, const pair_vector *v, LLVMValueRef x) {
    return v->shown ? LLVMBuildSelect(e->b, v->shown, x, LLVMConstNull(e->vf), "") : x;
}

static LLVMValueRef all_lanes(emit *e, LLVMValueRef condition) {
    LLVMTypeRef bits = LLVMIntTypeInContext(e->context, (unsigned)e->width);
    LLVMValueRef found = LLVMBuildBitCast(e->b, condition, bits, "");
    return LLVMBuildICmp(e->b, LLVMIntEQ, found, LLVMConstAllOnes(bits), "");
}

// Lane by lane: ids outside of the n elements add nothing.
static void add_each(emit *e, LLVMValueRef table, int64_t n, LLVMValueRef ids, LLVMValueRef x) {
    unsigned align = (unsigned)e->width * 4;
    LLVMValueRef lanes = view_stack(e, e->vi), numbers = view_stack(e, e->vf);
    build_store(e, ids, lanes, align);
    build_store(e, x, numbers, align);
    loop l = build_loop(e, build_const_i64(e, 0), build_const_i64(e, e->width), 1, "lane");
    LLVMValueRef offset = tile_mul(e, l.index, 4);
    LLVMValueRef id = LLVMBuildSExt(e->b, build_load(e, e->i32, tile_at(e, lanes, offset), 4), e->i64, "");
    LLVMBasicBlockRef behind = build_if(e, LLVMBuildICmp(e->b, LLVMIntULT, id, build_const_i64(e, n), ""));
    LLVMValueRef at = tile_at(e, table, tile_mul(e, id, 4)), had = build_load(e, e->f32, at, 4);
    build_store(e, LLVMBuildFAdd(e->b, had, build_load(e, e->f32, tile_at(e, numbers, offset), 4), ""), at,
                4);
    build_if_end(e, behind);
    build_loop_end(e, &l);
}

// table[ids] += x. Neighbours belong to neighbours, or, far away, all to one element: a vector of them is added at once.
static void add_pairs(emit *e, LLVMValueRef table, int64_t n, LLVMValueRef ids, LLVMValueRef x) {
    LLVMValueRef first = lane(e, ids, 0), all = build_splat(e, first, e->width);
    LLVMValueRef row = LLVMBuildAdd(e->b, all, lane_numbers(e), ""), most = build_const_i64(e, n - e->width);
    LLVMValueRef from = LLVMBuildSExt(e->b, first, e->i64, ""), none = build_const_i64(e, 0);
    LLVMValueRef in_row = all_lanes(e, LLVMBuildICmp(e->b, LLVMIntEQ, ids, row, ""));
    in_row = LLVMBuildAnd(e->b, in_row, LLVMBuildICmp(e->b, LLVMIntSGE, from, none, ""), "");
    in_row = LLVMBuildAnd(e->b, in_row, LLVMBuildICmp(e->b, LLVMIntSLE, from, most, ""), "");
    LLVMValueRef one = all_lanes(e, LLVMBuildICmp(e->b, LLVMIntEQ, ids, all, ""));
    one = LLVMBuildAnd(e->b, one, LLVMBuildICmp(e->b, LLVMIntULT, from, build_const_i64(e, n), ""), "");
    LLVMValueRef at = tile_at(e, table, tile_mul(e, from, 4));
    LLVMBasicBlockRef behind = build_if(e, in_row);
    build_store(e, LLVMBuildFAdd(e->b, build_load(e, e->vf, at, 4), x, ""), at, 4);
    build_if_end(e, behind);
    behind = build_if(e, one);
    LLVMValueRef sum = build_load(e, e->f32, at, 4);
    build_store(e, LLVMBuildFAdd(e->b, sum, build_reduce_add(e, x), ""), at, 4);
    build_if_end(e, behind);
    behind = build_if(e, LLVMBuildNot(e->b, LLVMBuildOr(e->b, in_row, one, ""), ""));
    add_each(e, table, n, ids, x);
    build_if_end(e, behind);
}

typedef struct pass_code {
    const pair_pass *pass;
    pairs p;
    LLVMValueRef scratch, key, count; // i64: the first key, and how many
    LLVMValueRef rows[2];             // the row of each tile
} pass_code;

// The vector's anchors are loaded, its values stored; p.drawn is there.
static void one_vector(pass_code *c, const pair_vector *v) {
    const pair_pass *pass = c->pass;
    pairs *p = &c->p;
    emit *e = p->e;
    unsigned align = (unsigned)e->width * 4;
    LLVMValueRef at[2], x[2];
    p->key = LLVMBuildAdd(e->b, c->key, v->column, "");
    for (int i = 0; i < pass->tile_count; i++) {
        at[i] = tile_at(e, c->rows[i], tile_mul(e, v->column, 4));
        p->sums[i] = build_load(e, e->vf, at[i], align);
    }
    for (int i = 0; i < pass->tile_count; i++)
        if (pass->values[i] != VALUE_NONE) x[i] = pair_value(p, pass->values[i], false);
    for (int i = 0; i < pass->tile_count; i++)
        if (pass->values[i] != VALUE_NONE) build_store(e, masked(e, v, x[i]), at[i], align);
    for (int i = 0; i < pass->sum_count; i++) {
        const pair_sum *sum = &pass->sums[i];
        LLVMValueRef to = tile_at_constant(e, c->scratch, sum->at), ids = pair_value(p, sum->ids, false);
        add_pairs(e, to, sum->n, ids, masked(e, v, pair_value(p, sum->v, false)));
    }
    forget(p);
}

// PHILOX_BLOCK columns from `column` on, of keys from a multiple of that on: each word that is drawn belongs to one of them.
static void one_block(pass_code *c, LLVMValueRef column) {
    pairs *p = &c->p;
    emit *e = p->e;
    int groups = PHILOX_LANES / e->width;
    LLVMValueRef words[PHILOX_LANES][4];
    LLVMValueRef key = LLVMBuildTrunc(e->b, LLVMBuildAdd(e->b, c->key, column, ""), e->i32, "");
    LLVMValueRef first = LLVMBuildUDiv(e->b, key, LLVMConstInt(e->i32, 4, false), "");
    for (int g = 0; g < groups; g++) {
        LLVMValueRef counter =
            LLVMBuildAdd(e->b, first, LLVMConstInt(e->i32, (unsigned)(g * e->width), false), "");
        philox_words(e, e->width, counter, &p->place, words[g]);
    }
    for (int i = 0; i < PHILOX_BLOCK / e->width; i++) {
        pair_vector v = {.column = LLVMBuildAdd(e->b, column, build_const_i64(e, i * e->width), "")};
        p->drawn = philox_uniform(e, e->width, words[i % groups][i / groups]);
        one_vector(c, &v);
    }
}

// The columns from `from` on, vector by vector.
static void vectors_from(pass_code *c, LLVMValueRef from) {
    pairs *p = &c->p;
    emit *e = p->e;
    LLVMValueRef end = c->pass->masks ? attention_up_to(e, c->count, PANEL_COLUMNS) : c->count;
    loop l = build_loop(e, from, end, e->width, "column");
    pair_vector v = {.column = l.index};
    if (c->pass->masks) {
        LLVMValueRef left = splat_i64(e, LLVMBuildSub(e->b, c->count, l.index, ""));
        v.shown = LLVMBuildICmp(e->b, LLVMIntSLT, lane_numbers(e), left, "");
    }
    if (p->x->scores.drawn_count) {
        LLVMValueRef key = LLVMBuildTrunc(e->b, LLVMBuildAdd(e->b, c->key, l.index, ""), e->i32, "");
        p->drawn = philox_columns(e, e->width, key, &p->place);
    }
    one_vector(c, &v);
    build_loop_end(e, &l);
}

LLVMValueRef attention_pair_pass(emit *e, const kernel_site *s, const pair_pass *pass) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->i64, e->i64, e->ptr, e->ptr};
    LLVMValueRef fn = build_helper(e, pass->name, NULL, 5 + pass->tile_count, params);
    LLVMValueRef scratch = LLVMGetParam(fn, 0), from = build_const_i64(e, 0);
    task_frame f = task_frame_load(e, scratch);
    pass_code c = {.pass = pass,
                   .p = {.e = e, .s = s, .f = &f, .x = pass->x},
                   .scratch = scratch,
                   .key = LLVMGetParam(fn, 2),
                   .count = LLVMGetParam(fn, 3)};
    open_pairs(&c.p, scratch);
    loop r = build_loop(e, from, LLVMGetParam(fn, 4), 1, "row");
    LLVMValueRef row = LLVMBuildAdd(e->b, LLVMGetParam(fn, 1), r.index, "");
    c.p.row = attention_smaller(e, row, LLVMBuildSub(e->b, f.queries, build_const_i64(e, 1), ""));
    open_row(&c.p, scratch, r.index);
    for (int i = 0; i < pass->tile_count; i++)
        c.rows[i] = tile_at_step(e, LLVMGetParam(fn, (unsigned)(5 + i)), r.index, pass->ld * 4);
    if (pass->blocks && pass->x->scores.drawn_count) {
        LLVMValueRef whole = LLVMBuildAnd(e->b, c.count, build_const_i64(e, -PHILOX_BLOCK), "");
        loop l = build_loop(e, from, whole, PHILOX_BLOCK, "block");
        one_block(&c, l.index);
        build_loop_end(e, &l);
        from = whole;
    }
    vectors_from(&c, from);
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
        LLVMValueRef number = build_load(e, e->i32, tile_at(e, from, at), 4);
        build_store(e, number, tile_at_step(e, tile_at_constant(e, scratch, l->at), k.index, 4), 4);
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
    pairs p = {.e = e, .s = s, .f = &f, .x = x, .row = LLVMGetParam(fn, 1), .key = build_const_i64(e, 0)};
    open_pairs(&p, scratch);
    open_row(&p, scratch, build_const_i64(e, 0));
    LLVMValueRef holds = pair_value(&p, x->scores.result, false);
    return build_helper_end(e, fn, LLVMBuildExtractElement(e->b, holds, LLVMConstInt(e->i32, 0, false), ""),
                            caller);
}
