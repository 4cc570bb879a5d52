// The functions of a kernel of attention's gradient, and the layout of its scratch.
#include "backend/attention/gradient.h"

#include "backend/matmul/blocks.h"
#include "backend/matmul/panel_pack.h"

// --- Scratch. Rows are odd multiples of a line apart, where they might share few sets of the cache.

static int64_t odd_lines(int64_t floats) {
    return (ceil_div(floats, PANEL_COLUMNS) | 1) * PANEL_COLUMNS;
}

static int64_t plan_rows(gradient_rows *r, int64_t room, int64_t at) {
    r->ld = round_up(r->of.width, PANEL_COLUMNS);
    bool there = !r->keys || r->of.producer != VALUE_NONE;
    r->at = at, at += there ? room * r->ld * 4 : 0;
    r->columns_at = at, at += r->columns ? ceil_div(room, PANEL_COLUMNS) * attention_panel_bytes(&r->of) : 0;
    r->panel = (room | 1) * GROUP_BYTES;
    r->values_at = at, at += r->values ? r->ld / PANEL_COLUMNS * r->panel : 0;
    return at;
}

static void plan(const kernel_site *s, gradient *g) {
    int64_t length = round_up(s->variant->length, PANEL_COLUMNS), at = FRAME_BYTES;
    int64_t queries = round_up(dim_is(g->queries, 1) ? 1 : s->variant->length, ATTENTION_QUERIES);
    at = attention_plan_numbers(&g->x.scores, length, false, at);
    for (int i = 0; i < g->x.scores.row_count; i++)
        g->x.scores.rows[i].at = at, at += round_up(queries, PANEL_COLUMNS) * 4;
    for (int i = 0; i < g->row_count; i++)
        at = plan_rows(&g->rows[i], g->rows[i].keys ? ATTENTION_KEYS : queries, at);
    for (int i = 0; i < g->sum_count; i++) {
        gradient_sum *x = &g->sums[i];
        x->ld = round_up(x->width, PANEL_COLUMNS);
        x->at = at, at += (x->keys ? ATTENTION_KEYS : queries) * x->ld * 4;
    }
    g->score_ld = odd_lines(ATTENTION_KEYS);
    g->turned_ld = odd_lines(ATTENTION_QUERIES);
    for (int i = 0; i < 2; i++) g->tiles[i] = at, at += ATTENTION_QUERIES * g->score_ld * 4;
    g->turned = at, at += ATTENTION_KEYS * g->turned_ld * 4;
    for (int i = 0; i < g->table_count; i++) {
        int64_t bytes = round_up(g->pair_sums[i].n, PANEL_COLUMNS) * 4;
        g->pair_sums[i].at = at, at += bytes;
        g->tables[i].at = at, at += bytes;
    }
    g->bytes = at;
}

// --- Products

static void emit_products(emit *e, gradient *g) {
    const target_product *product = target_product_in_registers(e->target, ELEM_F32, ELEM_F32);
    const panels common = {.product = product, .rows = g->tile_rows, .whole = true};
    for (int i = 0; i < g->x.scores.anchor_count; i++) {
        const gradient_rows *a = &g->rows[g->left[i]], *b = &g->rows[g->right[i]];
        panels *p = &g->anchors[i];
        *p = common;
        p->name = "attention.pairs_product";
        p->k = a->of.width, p->lda = a->ld * 4, p->ldc = g->score_ld * 4;
        p->panel = attention_panel_bytes(&b->of);
        const panels *like = &g->anchors[0];
        if (i == 1 && like->k == p->k && like->lda == p->lda && like->panel == p->panel)
            *p = *like;
        else
            panels_emit(e, p);
    }
    for (int i = 0; i < g->sum_count; i++) {
        gradient_sum *x = &g->sums[i];
        panels *p = &g->products[i];
        *p = common;
        p->name = "attention.sum_product";
        p->accumulate = true;
        p->lda = (x->keys ? g->turned_ld : g->score_ld) * 4;
        p->ldc = x->ld * 4;
        p->panel = g->rows[x->rows].panel;
        x->code = p;
        for (int k = 0; k < i; k++) {
            const panels *like = &g->products[k];
            if (like->lda == p->lda && like->ldc == p->ldc && like->panel == p->panel) x->code = like;
        }
        panels_expect(p, x->ld / PANEL_COLUMNS);
        if (x->code == p) panels_emit(e, p);
    }
}

// --- Rows

// As they lie in scratch.
static heads in_scratch(const gradient_rows *r) {
    heads x = r->of;
    x.e = ELEM_F32;
    x.as = x.read = ELEM_F32;
    x.ld = r->ld;
    x.producer = VALUE_NONE;
    return x;
}

static void emit_rows(emit *e, const kernel_site *s, const gradient *g, gradient_rows *r) {
    bool made = r->of.producer != VALUE_NONE;
    heads from = made || !r->keys ? in_scratch(r) : r->of;
    if (made)
        r->make = attention_make_rows(e, s, &g->x, &r->of, r->ld);
    else if (!r->keys)
        r->take = attention_take_rows(e, &r->of, ATTENTION_QUERIES, r->ld);
    if (r->columns) r->pack_columns = attention_pack_keys(e, &from);
    if (r->values) r->pack_values = attention_pack_values(e, &from, r->panel);
}

// Where rows of a head from `row` on lie in their operand.
static LLVMValueRef operand_rows(emit *e, const kernel_site *s, const task_frame *f, const heads *x,
                                 LLVMValueRef row) {
    return tile_at_step(e, attention_head_at(e, s, f, x), row, elem_bytes(x->e, x->ld));
}

// Rows [row, row + count), in scratch.
static void take_queries(emit *e, const kernel_site *s, const task_frame *f, const gradient_rows *r,
                         LLVMValueRef scratch, LLVMValueRef row, LLVMValueRef count) {
    LLVMValueRef to = tile_at_step(e, tile_at_constant(e, scratch, r->at), row, r->ld * 4);
    if (r->make)
        attention_call(e, r->make, 4,
                       (LLVMValueRef[]){scratch, row, build_const_i64(e, ATTENTION_QUERIES), to});
    else
        attention_call(e, r->take, 3, (LLVMValueRef[]){operand_rows(e, s, f, &r->of, row), count, to});
    if (!r->values) return;
    LLVMValueRef values = tile_at_step(e, tile_at_constant(e, scratch, r->values_at), row, GROUP_BYTES);
    attention_call(e, r->pack_values, 3, (LLVMValueRef[]){to, count, values});
}

static void take_keys(emit *e, const kernel_site *s, const task_frame *f, const gradient_rows *r,
                      LLVMValueRef scratch, LLVMValueRef row, LLVMValueRef count) {
    LLVMValueRef from = tile_at_constant(e, scratch, r->at);
    if (r->make)
        attention_call(e, r->make, 4, (LLVMValueRef[]){scratch, row, count, from});
    else
        from = operand_rows(e, s, f, &r->of, row);
    LLVMValueRef columns[] = {from, count, tile_at_constant(e, scratch, r->columns_at)},
                 values[] = {from, count, tile_at_constant(e, scratch, r->values_at)};
    if (r->columns) attention_call(e, r->pack_columns, 3, columns);
    if (r->values) attention_call(e, r->pack_values, 3, values);
}

// The sum of the products of n floats at a and b, lane by lane, then in a tree.
static LLVMValueRef dot(emit *e, LLVMValueRef a, LLVMValueRef b, int64_t n) {
    LLVMValueRef lanes = LLVMConstNull(e->vf), sum = NULL;
    int64_t at = 0;
    for (; at + e->width <= n; at += e->width) {
        LLVMValueRef x = build_load(e, e->vf, tile_at_constant(e, a, at * 4), 4),
                     y = build_load(e, e->vf, tile_at_constant(e, b, at * 4), 4);
        lanes = math_fma(e, x, y, lanes);
    }
    sum = build_reduce_add(e, lanes);
    for (; at < n; at++) {
        LLVMValueRef x = build_load(e, e->f32, tile_at_constant(e, a, at * 4), 4),
                     y = build_load(e, e->f32, tile_at_constant(e, b, at * 4), 4);
        sum = math_fma(e, x, y, sum);
    }
    return sum;
}

// The numbers of rows [from, to).
static void take_numbers(emit *e, const kernel_site *s, const task_frame *f, const row_number *r,
                         LLVMValueRef scratch, LLVMValueRef from, LLVMValueRef to) {
    loop l = build_loop(e, from, to, 1, "number");
    LLVMValueRef a = operand_rows(e, s, f, &r->of[0], l.index), x;
    if (r->summed)
        x = dot(e, a, operand_rows(e, s, f, &r->of[1], l.index), r->of[0].width);
    else
        x = build_load(e, e->f32, a, 4);
    build_store(e, x, tile_at_step(e, tile_at_constant(e, scratch, r->at), l.index, 4), 4);
    build_loop_end(e, &l);
}

// void (ptr scratch, i64 from, i64 to): all that is read of these queries.
static LLVMValueRef emit_open_queries(emit *e, const kernel_site *s, const gradient *g) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64};
    LLVMValueRef fn = build_helper(e, "attention.open_queries", NULL, 3, params);
    LLVMValueRef scratch = LLVMGetParam(fn, 0), from = LLVMGetParam(fn, 1), to = LLVMGetParam(fn, 2);
    task_frame f = task_frame_load(e, scratch);
    loop l = build_loop(e, from, to, ATTENTION_QUERIES, "rows");
    LLVMValueRef count =
        attention_smaller(e, LLVMBuildSub(e->b, to, l.index, ""), build_const_i64(e, ATTENTION_QUERIES));
    for (int i = 0; i < g->row_count; i++)
        if (!g->rows[i].keys) take_queries(e, s, &f, &g->rows[i], scratch, l.index, count);
    build_loop_end(e, &l);
    for (int i = 0; i < g->x.scores.row_count; i++)
        take_numbers(e, s, &f, &g->x.scores.rows[i], scratch, from, to);
    return build_helper_end(e, fn, NULL, caller);
}

// void (ptr scratch, i64 first, i64 count): of a block of keys.
static LLVMValueRef emit_open_keys(emit *e, const kernel_site *s, const gradient *g) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64};
    LLVMValueRef fn = build_helper(e, "attention.open_keys", NULL, 3, params);
    task_frame f = task_frame_load(e, LLVMGetParam(fn, 0));
    for (int i = 0; i < g->row_count; i++)
        if (g->rows[i].keys)
            take_keys(e, s, &f, &g->rows[i], LLVMGetParam(fn, 0), LLVMGetParam(fn, 1), LLVMGetParam(fn, 2));
    return build_helper_end(e, fn, NULL, caller);
}

// i1 (ptr scratch, i64 i, i64 rows, i64 j, i64 keys): may a score of the block be seen?
static LLVMValueRef emit_seen(emit *e, const kernel_site *s, const gradient *g) {
    LLVMValueRef scan = attention_scan(e);
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->i64, e->i64};
    LLVMValueRef fn = build_helper(e, "attention.seen", e->i1, 5, params), scratch = LLVMGetParam(fn, 0);
    task_frame f = task_frame_load(e, scratch);
    ranges r = {.e = e, .x = &g->x, .scan = scan};
    LLVMValueRef i = LLVMGetParam(fn, 1), j = LLVMGetParam(fn, 3);
    attention_ranges_open(&r, s, &f);
    attention_ranges_rows(&r, s, &f, i, LLVMBuildAdd(e->b, i, LLVMGetParam(fn, 2), ""));
    attention_ranges_keys(&r, scratch, j, LLVMBuildAdd(e->b, j, LLVMGetParam(fn, 4), ""));
    LLVMValueRef yes = attention_ranges_seen(&r);
    return build_helper_end(e, fn, yes ? yes : LLVMConstInt(e->i1, 1, false), caller);
}

// --- Results

// void (ptr scratch, i64 row, i64 count, ptr out, ptr sums): `count` rows of sums as they are.
static LLVMValueRef emit_copy(emit *e, const gradient_sum *x, int64_t out_ld) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->ptr, e->ptr};
    LLVMValueRef fn = build_helper(e, "attention.copy", NULL, 5, params);
    dim width = dim_num(x->width);
    view row = {.type = type_make(ELEM_F32, 1, &width),
                .size = {build_const_i64(e, x->width)},
                .stride = {1},
                .buffer = -1};
    loop l = build_loop(e, build_const_i64(e, 0), LLVMGetParam(fn, 2), 1, "row");
    view from = row, to = row;
    from.base = tile_at_step(e, LLVMGetParam(fn, 4), l.index, x->ld * 4);
    to.base = tile_at_step(e, LLVMGetParam(fn, 3), l.index, out_ld * 4);
    view_copy(e, &from, &to);
    build_loop_end(e, &l);
    return build_helper_end(e, fn, NULL, caller);
}

static void emit_part(emit *e, const kernel_site *s, const gradient *g, gradient_part *p) {
    const gradient_sum *x = &g->sums[p->sum];
    if (p->made == VALUE_NONE) {
        p->give = emit_copy(e, x, p->result->ld);
        return;
    }
    const type *t = graph_type(g->x.body, p->made);
    heads rows = {.e = ELEM_F32,
                  .as = ELEM_F32,
                  .read = ELEM_F32,
                  .whole = 1,
                  .rows = t->d[1],
                  .count = t->d[0].n,
                  .width = t->d[2].n,
                  .group = 1,
                  .producer = p->made};
    p->give = attention_make_rows_of(e, s, &g->x, &rows, p->result->ld, x->product, x->ld);
}

// --- A block of pairs

LLVMValueRef gradient_whole_tiles(emit *e, const gradient *g, LLVMValueRef rows) {
    LLVMValueRef height = build_const_i64(e, g->tile_rows);
    LLVMValueRef up = LLVMBuildAdd(e->b, rows, build_const_i64(e, g->tile_rows - 1), "");
    return LLVMBuildMul(e->b, LLVMBuildUDiv(e->b, up, height, ""), height, "");
}

static LLVMValueRef tile_of(emit *e, const gradient *g, LLVMValueRef scratch, int i) {
    return tile_at_constant(e, scratch, g->tiles[i]);
}

static void multiply_pairs(emit *e, const gradient *g, int n, LLVMValueRef scratch, LLVMValueRef i,
                           LLVMValueRef rows, LLVMValueRef keys) {
    const gradient_rows *a = &g->rows[g->left[n]], *b = &g->rows[g->right[n]];
    LLVMValueRef up = attention_up_to(e, keys, PANEL_COLUMNS);
    panels_args x = {.a = tile_at_step(e, tile_at_constant(e, scratch, a->at), i, a->ld * 4),
                     .b = tile_at_constant(e, scratch, b->columns_at),
                     .c = tile_of(e, g, scratch, n),
                     .rows = gradient_whole_tiles(e, g, rows),
                     .from = build_const_i64(e, 0),
                     .to = LLVMBuildUDiv(e->b, up, build_const_i64(e, PANEL_COLUMNS), ""),
                     .after = scratch};
    panels_call(e, &g->anchors[n], &x);
}

// left: rows of pairs, or of pairs turned round; c: of so many rows, from `from` on, k are multiplied.
static void add_product(emit *e, const gradient *g, const gradient_sum *x, LLVMValueRef scratch,
                        LLVMValueRef left, LLVMValueRef rows, LLVMValueRef sums, LLVMValueRef from,
                        LLVMValueRef k) {
    LLVMValueRef b = tile_at_constant(e, scratch, g->rows[x->rows].values_at);
    panels_args args = {.a = left,
                        .b = from ? tile_at(e, b, tile_mul(e, from, GROUP_BYTES)) : b,
                        .c = sums,
                        .rows = gradient_whole_tiles(e, g, rows),
                        .from = build_const_i64(e, 0),
                        .to = build_const_i64(e, x->ld / PANEL_COLUMNS),
                        .after = scratch,
                        .k = attention_up_to(e, k, 4)};
    panels_call(e, x->code, &args);
}

static void turn(emit *e, const gradient *g, LLVMValueRef scratch, int n, LLVMValueRef rows,
                 LLVMValueRef keys) {
    LLVMValueRef args[] = {tile_of(e, g, scratch, n), build_const_i64(e, g->score_ld * 4), rows,
                           tile_at_constant(e, scratch, g->turned), keys};
    attention_call(e, g->turn, 5, args);
}

// A block's sums over pairs join the text's, and become 0: so many small numbers are not added to a large one, one by one.
static void join_tables(emit *e, const gradient *g, LLVMValueRef scratch) {
    unsigned align = (unsigned)e->width * 4;
    for (int i = 0; i < g->table_count; i++) {
        loop l = build_loop(e, build_const_i64(e, 0), build_const_i64(e, g->pair_sums[i].n), e->width, "sum");
        LLVMValueRef offset = tile_mul(e, l.index, 4);
        LLVMValueRef part = tile_at(e, tile_at_constant(e, scratch, g->pair_sums[i].at), offset),
                     all = tile_at(e, tile_at_constant(e, scratch, g->tables[i].at), offset);
        LLVMValueRef had = build_load(e, e->vf, all, align);
        build_store(e, LLVMBuildFAdd(e->b, had, build_load(e, e->vf, part, align), ""), all, align);
        build_store(e, LLVMConstNull(e->vf), part, align);
        build_loop_end(e, &l);
    }
}

void gradient_block(emit *e, const gradient *g, LLVMValueRef scratch, LLVMValueRef i, LLVMValueRef rows,
                    LLVMValueRef j, LLVMValueRef keys, bool to_queries, bool to_keys) {
    for (int n = 0; n < g->x.scores.anchor_count; n++) multiply_pairs(e, g, n, scratch, i, rows, keys);
    LLVMValueRef args[] = {scratch, i, j, keys, rows, tile_of(e, g, scratch, 0), tile_of(e, g, scratch, 1)};
    attention_call(e, g->pass, 5 + g->tile_count, args);
    join_tables(e, g, scratch);
    for (int n = 0; n < g->sum_count && to_queries; n++) {
        const gradient_sum *x = &g->sums[n];
        LLVMValueRef sums = tile_at_step(e, tile_at_constant(e, scratch, x->at), i, x->ld * 4);
        if (!x->keys) add_product(e, g, x, scratch, tile_of(e, g, scratch, x->tile), rows, sums, NULL, keys);
    }
    for (int v = 0; v < g->value_count && to_keys; v++) {
        bool turned = false;
        for (int n = 0; n < g->sum_count; n++) {
            const gradient_sum *x = &g->sums[n];
            if (!x->keys || x->tile != v) continue;
            if (!turned) turn(e, g, scratch, v, rows, keys);
            turned = true;
            LLVMValueRef pairs = tile_at_constant(e, scratch, g->turned);
            add_product(e, g, x, scratch, pairs, keys, tile_at_constant(e, scratch, x->at), i, rows);
        }
    }
}

// --- All functions

void gradient_emit_code(emit *e, const kernel_site *s, gradient *g) {
    g->tile_rows = block_tile_rows(s);
    plan(s, g);
    emit_products(e, g);
    for (int i = 0; i < g->row_count; i++) emit_rows(e, s, g, &g->rows[i]);
    pair_pass pass = {.name = "attention.gradient_pairs",
                      .x = &g->x,
                      .tile_count = g->tile_count,
                      .ld = g->score_ld,
                      .values = {VALUE_NONE, VALUE_NONE},
                      .blocks = true,
                      .masks = true,
                      .sum_count = g->table_count,
                      .sums = g->pair_sums};
    for (int i = 0; i < g->value_count; i++) pass.values[i] = g->values[i];
    g->pass = attention_pair_pass(e, s, &pass);
    g->turn = panel_turn_rows(e, (panel_form){ELEM_F32, ELEM_F32}, g->turned_ld * 4);
    if (g->x.scores.leaf_count) g->numbers = attention_key_numbers(e, s, &g->x);
    if (g->hides) g->seen = emit_seen(e, s, g);
    g->open_queries = emit_open_queries(e, s, g);
    g->open_keys = emit_open_keys(e, s, g);
    for (int i = 0; i < g->part_count; i++) emit_part(e, s, g, &g->parts[i]);
}
