// The functions of an attention kernel, the layout of its scratch, and what a task does before its first
// tile.
#include "backend/attention/attention.h"

#include "backend/matmul/blocks.h"

int64_t attention_plan_numbers(score_ops *x, int64_t length, bool hides, int64_t at) {
    for (int i = 0; i < x->leaf_count; i++) {
        if (x->leaves[i].side != SIDE_KEY) continue;
        x->leaves[i].at = at;
        at += length * 4;
        x->leaves[i].panel_limits = at;
        at += hides ? round_up(length / PANEL_COLUMNS * 8, 64) : 0;
    }
    return at;
}

static int64_t plan_tables(score_ops *x, int64_t length, int tile_rows, int64_t at) {
    for (int i = 0; i < x->table_count; i++) {
        score_table *t = &x->tables[i];
        if (!t->product) continue;
        int64_t rows = t->transposed ? round_up(length, tile_rows) : tile_rows;
        if (t->transposed && rows < length + tile_rows) rows = length + tile_rows;
        t->packed = at, at += ceil_div(t->n, PANEL_COLUMNS) * attention_panel_bytes(&t->of);
        t->at = at, at += rows * t->ld * 4;
    }
    return at;
}

// Queries of a tile: the schedule's rows, or, where a product is made of AMX's tiles, two of those.
static int tile_rows(const kernel_site *s, const attention *x) {
    bool tiles = x->q.whole >= AMX_ROWS || x->v.whole >= AMX_ROWS, one = x->dim == SYM_S;
    if (!tiles) return block_tile_rows(s);
    return one || s->variant->length <= AMX_ROWS ? AMX_ROWS : 2 * AMX_ROWS;
}

static scratch_layout plan(const kernel_site *s, attention *x) {
    int64_t keys = attention_whole_keys(&x->v);
    int64_t length = round_up(s->variant->length, keys > PANEL_COLUMNS ? keys : PANEL_COLUMNS);
    scratch_layout l = {.tile = tile_rows(s, x)};
    // Odd multiples of a line: rows of a power of two would share few sets of the cache.
    l.score_ld = (round_up(length, 2 * PANEL_COLUMNS) / PANEL_COLUMNS | 1) * PANEL_COLUMNS;
    l.query_ld = round_up(attention_filled(&x->q), GROUP_BYTES / (int64_t)elem_size(x->q.read));
    l.out_ld = round_up(x->v.width, PANEL_COLUMNS);
    l.value_panel = (length / attention_group(&x->v) | 1) * GROUP_BYTES;
    l.produced_ld = round_up(x->k.width > x->v.width ? x->k.width : x->v.width, PANEL_COLUMNS);
    bool has_producer = x->k.producer != VALUE_NONE || x->v.producer != VALUE_NONE,
         hides = attention_hides(x);
    int64_t at = attention_plan_numbers(&x->scores, length, hides, FRAME_BYTES);
    l.keys = at, at += length / PANEL_COLUMNS * attention_panel_bytes(&x->k);
    l.values = at, at += l.out_ld / PANEL_COLUMNS * l.value_panel;
    l.queries = at, at += l.tile * elem_bytes(x->q.read, l.query_ld);
    l.scores = at, at += l.tile * l.score_ld * 4;
    l.outs = at, at += l.tile * l.out_ld * 4;
    l.sums = at, at += round_up(l.tile, PANEL_COLUMNS) * 4;
    l.log_sums = at, at += x->log_sum_count ? round_up(l.tile, PANEL_COLUMNS) * 4 : 0;
    l.produced = at, at += has_producer ? PANEL_COLUMNS * l.produced_ld * 4 : 0;
    l.visible_runs = at, at += hides ? round_up((length / PANEL_COLUMNS + 2) * 8, 64) : 0;
    l.state = at, at += attention_fuses(x) ? FUSED_STATE_BYTES : 0;
    l.bytes = plan_tables(&x->scores, length, l.tile, at);
    return l;
}

// Keys or values of a panel, made first in f32: as they lie there.
static heads produced_rows(const heads *x, const scratch_layout *l) {
    return (heads){.e = ELEM_F32,
                   .as = x->as,
                   .read = x->read,
                   .whole = x->whole,
                   .ld = l->produced_ld,
                   .width = x->width,
                   .count = 1,
                   .group = 1,
                   .producer = VALUE_NONE};
}

static LLVMValueRef make_rows(emit *e, const attention_code *p, const heads *x) {
    heads rows = *x;
    rows.as = rows.read = ELEM_F32;
    rows.whole = 1;
    return x->producer == VALUE_NONE ? NULL
                                     : attention_make_rows(e, p->s, p->x, &rows, p->layout.produced_ld);
}

static void emit_products(emit *e, attention_code *p) {
    const attention *x = p->x;
    const scratch_layout *l = &p->layout;
    p->score = (panels){.name = "attention.score",
                        .product = target_product_find(e->target, x->q.read, x->k.read),
                        .rows = l->tile,
                        .whole = true,
                        .k = x->q.width,
                        .lda = elem_bytes(x->q.read, l->query_ld),
                        .ldc = l->score_ld * 4,
                        .panel = attention_panel_bytes(&x->k),
                        .finish = x->scores.plain.op_count ? epilogue_finish : NULL,
                        .context = (void *)&x->scores.plain};
    p->value = (panels){.name = "attention.value",
                        .product = target_product_find(e->target, x->v.read, x->v.read),
                        .rows = l->tile,
                        .whole = true,
                        .lda = l->score_ld * 4,
                        .ldc = l->out_ld * 4,
                        .panel = l->value_panel,
                        .accumulate = attention_hides(x)};
    panels_expect(&p->value, l->out_ld / PANEL_COLUMNS);
    panels_emit(e, &p->score);
    panels_emit(e, &p->value);
}

// What the ops on the scores need.
static void emit_scores(emit *e, attention_code *p) {
    const kernel_site *s = p->s;
    const attention *x = p->x;
    const scratch_layout *l = &p->layout;
    LLVMValueRef scan = attention_scan(e);
    bool transposed = false;
    for (int i = 0; i < x->scores.table_count; i++)
        transposed |= x->scores.tables[i].product && x->scores.tables[i].transposed;
    row_source keys = {0};
    if (transposed) keys = attention_source(e, s, x, &x->k, l->tile, l->query_ld, l->queries);
    p->numbers = attention_key_numbers(e, s, x);
    const pair_pass pass = {
        .name = "attention.pairs", .x = x, .tile_count = 1, .ld = l->score_ld, .values = {x->scores.result}};
    p->pass = attention_pair_pass(e, s, &pass);
    for (int i = 0; i < x->scores.table_count; i++) {
        const score_table *t = &x->scores.tables[i];
        if (t->product) p->tables[i] = attention_table_code(e, s, x, t, scan, &keys, &p->queries);
    }
    if (!attention_hides(x)) return;
    p->panel_limits = attention_panel_limits(e, x, scan);
    p->visible_runs = attention_visible_runs(e, s, x, scan, l->tile, l->visible_runs);
    p->visible_softmax = attention_visible_softmax(e, p);
}

// bf16 is multiplied as f32 where the target has no product of bf16.
static void choose_product(const target *t, heads *x, elem as) {
    const target_product *p = as == ELEM_BF16 ? target_product_find(t, ELEM_BF16, ELEM_BF16) : NULL;
    x->read = p ? ELEM_BF16 : ELEM_F32;
    x->whole = !p ? 1 : p->step == STEP_TILES ? AMX_ROWS * p->group : p->group;
}

static void choose_products(const target *t, attention *x) {
    heads *const all[] = {&x->q, &x->k, &x->v};
    for (int i = 0; i < 3; i++) choose_product(t, all[i], all[i]->as);
    for (int i = 0; i < x->scores.table_count; i++) choose_product(t, &x->scores.tables[i].of, x->q.as);
}

void attention_emit_code(emit *e, const kernel_site *s, attention *x, attention_code *p) {
    choose_products(e->target, x);
    *p = (attention_code){.s = s, .x = x, .layout = plan(s, x)};
    const scratch_layout *l = &p->layout;
    emit_products(e, p);
    heads keys = x->k.producer == VALUE_NONE ? x->k : produced_rows(&x->k, l),
          values = x->v.producer == VALUE_NONE ? x->v : produced_rows(&x->v, l);
    p->pack_keys = attention_pack_keys(e, &keys);
    p->pack_values = attention_pack_values(e, &values, l->value_panel);
    p->queries = attention_source(e, s, x, &x->q, l->tile, l->query_ld, l->queries);
    p->make_keys = make_rows(e, p, &x->k);
    p->make_values = make_rows(e, p, &x->v);
    p->give = attention_give_rows(e, x->v.width, l->out_ld, x->gives, x->result->ld);
    p->softmax = attention_softmax(e, &x->v, l->tile, l->score_ld,
                                   x->log_sum_count ? l->log_sums - l->sums : 0, false);
    if (x->scores.separate_pass) emit_scores(e, p);
    if (x->drop) {
        const pair_pass drop = {.name = "attention.drop",
                                .x = x->drop,
                                .tile_count = 1,
                                .ld = l->score_ld,
                                .values = {x->drop->scores.result},
                                .blocks = !attention_hides(x)};
        p->drop = attention_pair_pass(e, s, &drop);
    }
    if (attention_fuses(x)) attention_emit_fused(e, p);
}

// Keys or values into their panels, 16 at a time where they are made; `step` bytes from one 16 to the next.
static void pack_panels(emit *e, const attention_code *p, const task_frame *f, LLVMValueRef scratch,
                        const heads *x, LLVMValueRef make, LLVMValueRef packer, LLVMValueRef to,
                        int64_t step) {
    if (!make) {
        attention_call(e, packer, 3, (LLVMValueRef[]){attention_head_at(e, p->s, f, x), f->keys, to});
        return;
    }
    LLVMValueRef produced = tile_at_constant(e, scratch, p->layout.produced),
                 n = build_const_i64(e, PANEL_COLUMNS);
    loop l = build_loop(e, build_const_i64(e, 0), f->keys, PANEL_COLUMNS, "produced");
    attention_call(e, make, 4, (LLVMValueRef[]){scratch, l.index, n, produced});
    LLVMValueRef there = tile_at(e, to, tile_mul(e, l.index, step / PANEL_COLUMNS));
    attention_call(e, packer, 3, (LLVMValueRef[]){produced, n, there});
    build_loop_end(e, &l);
}

void attention_prepare(emit *e, const attention_code *p, const task_frame *f, LLVMValueRef scratch,
                       LLVMValueRef from, LLVMValueRef to) {
    const attention *x = p->x;
    LLVMValueRef keys = tile_at_constant(e, scratch, p->layout.keys),
                 values = tile_at_constant(e, scratch, p->layout.values);
    if (p->numbers) attention_call(e, p->numbers, 1, &scratch);
    if (p->panel_limits) attention_call(e, p->panel_limits, 1, &scratch);
    pack_panels(e, p, f, scratch, &x->k, p->make_keys, p->pack_keys, keys, attention_panel_bytes(&x->k));
    pack_panels(e, p, f, scratch, &x->v, p->make_values, p->pack_values, values,
                PANEL_COLUMNS / attention_group(&x->v) * GROUP_BYTES);
    for (int i = 0; i < x->scores.table_count; i++) {
        LLVMValueRef args[] = {scratch, from, to};
        if (!x->scores.tables[i].product) continue;
        attention_call(e, p->tables[i].prepare, 3, args);
        if (x->scores.tables[i].transposed) attention_call(e, p->tables[i].multiply, 3, args);
    }
}
