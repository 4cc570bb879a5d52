// The attention family: softmax(pointwise(q k^T)) v for each head of each sequence.
//
//   out[r, head * dv + c] = sum_j softmax_j(f(sum_d q[r,head,d] k[j,head,d])) v[j,head,c]
//   r: the sequence's tokens (L), the rows that a head reads of it (Q), or one row (1); j: its tokens
//
// A task is (sequence, head, block of query rows). It packs the head's keys and values into scratch, in the
// panels that the register tile reads; then, a tile of queries at a time, scores, softmax and the product
// with the values, all of it in L1 and L2. Scores are computed whole, a row of them in the order of the keys,
// so nothing depends on blocks or capacity.
#include "attention.h"

#include "matmul_blocks.h"

// Where things lie in a task's scratch, in bytes, and the strides of its tiles, in floats.
typedef struct layout_of {
    int tile;
    int64_t score_ld, query_ld, out_ld, value_panel;
    int64_t keys, values, queries, scores, outs, sums, bytes;
} layout_of;

typedef struct parts {
    layout_of at;
    panels score, value;
    LLVMValueRef pack_keys, pack_values, take, give, softmax;
} parts;

static layout_of plan(const kernel_site *s, const attention *x) {
    int64_t length = block_round_up(s->variant->length, PANEL_COLUMNS);
    layout_of l = {.tile = block_tile_rows(s)};
    // Odd multiples of a line: rows of a power of two would share few sets of the cache.
    l.score_ld = (length / PANEL_COLUMNS | 1) * PANEL_COLUMNS;
    l.query_ld = block_round_up(x->q.width, PANEL_COLUMNS);
    l.out_ld = block_round_up(x->v.width, PANEL_COLUMNS);
    l.value_panel = (length | 1) * PANEL_COLUMNS * 4;
    int64_t at = 0;
    l.keys = at, at += length * block_round_up(x->k.width, PANEL_COLUMNS) * 4;
    l.values = at, at += l.out_ld / PANEL_COLUMNS * l.value_panel;
    l.queries = at, at += l.tile * l.query_ld * 4;
    l.scores = at, at += l.tile * l.score_ld * 4;
    l.outs = at, at += l.tile * l.out_ld * 4;
    l.sums = at, at += block_round_up(l.tile, PANEL_COLUMNS) * 4;
    l.bytes = at;
    return l;
}

// The sums of P V over the row's sum.
static void divide(emit *e, const tile *t, LLVMValueRef *acc) {
    for (int r = 0; r < t->rows; r++) {
        LLVMValueRef share = build_load(e, e->f32, tile_at_constant(e, t->extra[0], r * 4), 4);
        share = build_splat(e, share, e->width);
        for (int v = 0; v < t->vectors; v++) {
            LLVMValueRef *sum = &acc[r * t->vectors + v];
            *sum = LLVMBuildFMul(e->b, *sum, share, "");
        }
    }
    tile_store(e, t, acc);
}

static void emit_parts(emit *e, const kernel_site *s, const attention *x, parts *p) {
    p->at = plan(s, x);
    const layout_of *l = &p->at;
    p->score = (panels){.name = "attention.score",
                        .rows = l->tile,
                        .k = x->q.width,
                        .lda = l->query_ld,
                        .ldc = l->score_ld,
                        .panel = x->k.width * PANEL_COLUMNS * 4,
                        .finish = x->scores.op_count ? epilogue_finish : NULL,
                        .context = (void *)&x->scores};
    p->value = (panels){.name = "attention.value",
                        .rows = l->tile,
                        .lda = l->score_ld,
                        .ldc = l->out_ld,
                        .panel = l->value_panel,
                        .finish = divide,
                        .extra_count = 1,
                        .extras = {{EXTRA_FIXED, 0}}};
    panels_emit(e, &p->score);
    panels_emit(e, &p->value);
    p->pack_keys = attention_pack_keys(e, &x->k);
    p->pack_values = attention_pack_values(e, &x->v, l->value_panel);
    p->take = attention_take_rows(e, &x->q, l->tile, l->query_ld);
    p->give = attention_give_rows(e, x->v.width, l->out_ld, s->variant->places[s->node].ld);
    p->softmax = attention_softmax(e, l->tile, l->score_ld);
}

static void call(emit *e, LLVMValueRef f, LLVMValueRef a, LLVMValueRef count, LLVMValueRef b) {
    LLVMValueRef args[] = {a, count, b};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(f), f, args, 3, "");
}

// The first row of sequence i in T (or R), and how many it has.
static void rows_of(emit *e, LLVMValueRef c, bool chosen, LLVMValueRef i, LLVMValueRef *first,
                    LLVMValueRef *count) {
    LLVMValueRef p = tile_at(e, build_call_bounds(e, c, chosen), tile_mul(e, i, 4));
    *first = LLVMBuildSExt(e->b, build_load(e, e->i32, p, 4), e->i64, "");
    LLVMValueRef end = build_load(e, e->i32, tile_at_constant(e, p, 4), 4);
    *count = LLVMBuildSub(e->b, LLVMBuildSExt(e->b, end, e->i64, ""), *first, "");
}

static LLVMValueRef head_at(emit *e, const heads *x, LLVMValueRef args, LLVMValueRef row, LLVMValueRef head) {
    LLVMValueRef p = tile_at(e, build_arg(e, args, x->operand), tile_mul(e, row, x->ld * 4));
    return tile_at_constant(e, tile_at(e, p, tile_mul(e, head, x->stride * 4)), x->column * 4);
}

static LLVMValueRef smaller(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, a, b, ""), a, b, "");
}

static LLVMValueRef up_to(emit *e, LLVMValueRef x, int64_t n) {
    LLVMValueRef up = LLVMBuildAdd(e->b, x, build_const_i64(e, n - 1), "");
    return LLVMBuildAnd(e->b, up, build_const_i64(e, -n), "");
}

// A tile of queries: `q` and `out` are its rows, `count` how many of them there are, `keys` the keys.
static void query_tile(emit *e, const parts *p, LLVMValueRef scratch, LLVMValueRef q, LLVMValueRef out,
                       LLVMValueRef count, LLVMValueRef keys) {
    const layout_of *l = &p->at;
    LLVMValueRef queries = tile_at_constant(e, scratch, l->queries),
                 scores = tile_at_constant(e, scratch, l->scores);
    LLVMValueRef outs = tile_at_constant(e, scratch, l->outs), sums = tile_at_constant(e, scratch, l->sums);
    LLVMValueRef one = build_const_i64(e, 1), none = build_const_i64(e, 0);
    call(e, p->take, q, count, queries);
    panels_args x = {
        .a = queries,
        .b = tile_at_constant(e, scratch, l->keys),
        .c = scores,
        .tiles = one,
        .from = none,
        .to = LLVMBuildUDiv(e->b, up_to(e, keys, PANEL_COLUMNS), build_const_i64(e, PANEL_COLUMNS), ""),
        .after = scratch};
    panels_call(e, &p->score, &x);
    call(e, p->softmax, scores, keys, sums);
    x = (panels_args){.a = scores,
                      .b = tile_at_constant(e, scratch, l->values),
                      .c = outs,
                      .tiles = one,
                      .from = none,
                      .to = build_const_i64(e, l->out_ld / PANEL_COLUMNS),
                      .after = scratch,
                      .k = up_to(e, keys, 4),
                      .extra = {sums}};
    panels_call(e, &p->value, &x);
    call(e, p->give, outs, count, out);
}

// Tasks of a sequence: `blocks` blocks of `rows` query rows a head.
static LLVMValueRef emit_kernel(emit *e, const kernel_site *s, const attention *x, const parts *p,
                                int64_t rows, int64_t blocks) {
    LLVMValueRef f = build_function(e, "attention", e->kernel_type);
    LLVMValueRef args = LLVMGetParam(f, 0), c = LLVMGetParam(f, 1), task = LLVMGetParam(f, 2),
                 scratch = LLVMGetParam(f, 3);
    LLVMValueRef inner = build_const_i64(e, x->q.count * blocks), per = build_const_i64(e, blocks);
    LLVMValueRef sequence = LLVMBuildUDiv(e->b, task, inner, ""), rest = LLVMBuildURem(e->b, task, inner, "");
    LLVMValueRef head = LLVMBuildUDiv(e->b, rest, per, ""), number = LLVMBuildURem(e->b, rest, per, "");
    LLVMValueRef first, keys, query = sequence, queries = build_const_i64(e, 1);
    rows_of(e, c, false, sequence, &first, &keys);
    if (x->dim == SYM_T) query = first, queries = keys;
    if (x->dim == SYM_R) rows_of(e, c, true, sequence, &query, &queries);
    LLVMValueRef from = tile_mul(e, number, rows);
    LLVMValueRef to = smaller(e, LLVMBuildAdd(e->b, from, build_const_i64(e, rows), ""), queries);
    LLVMValueRef some = LLVMBuildICmp(e->b, LLVMIntSLT, from, to, "");
    some = LLVMBuildAnd(e->b, some, LLVMBuildICmp(e->b, LLVMIntSGT, keys, build_const_i64(e, 0), ""), "");
    LLVMBasicBlockRef work = LLVMAppendBasicBlockInContext(e->context, f, "work");
    LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(e->context, f, "done");
    LLVMBuildCondBr(e->b, some, work, done);
    LLVMPositionBuilderAtEnd(e->b, done);
    LLVMBuildRetVoid(e->b);
    LLVMPositionBuilderAtEnd(e->b, work);
    call(e, p->pack_keys, head_at(e, &x->k, args, first, head), keys,
         tile_at_constant(e, scratch, p->at.keys));
    call(e, p->pack_values, head_at(e, &x->v, args, first, head), keys,
         tile_at_constant(e, scratch, p->at.values));
    heads out = {.operand = graph_node(s->graph, s->node)->input_count,
                 .ld = s->variant->places[s->node].ld,
                 .stride = x->v.width};
    loop l = build_loop(e, from, to, p->at.tile, "tile");
    LLVMValueRef row = LLVMBuildAdd(e->b, query, l.index, ""), left = LLVMBuildSub(e->b, to, l.index, "");
    query_tile(e, p, scratch, head_at(e, &x->q, args, row, head), head_at(e, &out, args, row, head),
               smaller(e, left, build_const_i64(e, p->at.tile)), keys);
    build_loop_end(e, &l);
    LLVMBuildRetVoid(e->b);
    return f;
}

bool attention_accepts(const emit *e, const kernel_site *s) {
    (void)e;
    attention x;
    return attention_recognise(s, &x);
}

bool attention_emit(emit *e, const kernel_site *s, kernel *out) {
    attention x;
    if (!attention_recognise(s, &x)) return false;
    parts p;
    emit_parts(e, s, &x, &p);
    *out = (kernel){.scratch_bytes = p.at.bytes};
    int64_t most = x.dim == SYM_S ? 1 : s->variant->length;
    // Two products over the pairs of rows of a sequence; where few of its rows ask, they hardly count.
    int64_t row = (x.q.width + x.v.width) * x.q.count * 4;
    int64_t bytes = row * s->variant->length + row * most; // of a sequence of full length
    double pair = 2.0 * (double)x.q.count * (double)(x.q.width + x.v.width);
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        int64_t rows = s->variant->schedules[s->node].splits[class].block_rows;
        rows = rows > 0 && rows < most ? block_round_up(rows, p.at.tile) : most;
        int64_t blocks = (most + rows - 1) / rows;
        kernel_phase *phase = &out->phases[class][0];
        for (int like = 0; like < class; like++) {
            if (out->phases[like][0].inner == blocks * x.q.count) *phase = out->phases[like][0];
        }
        out->phase_count[class] = 1;
        if (phase->function) continue;
        *phase = (kernel_phase){.function = emit_kernel(e, s, &x, &p, rows, blocks),
                                .dim = SYM_S,
                                .unit = 1,
                                .inner = blocks * x.q.count,
                                .flops_pair = x.dim == SYM_T ? pair : 0,
                                .row_bytes = bytes,
                                .suffix = ""};
    }
    return true;
}
