// The attention family: softmax(pointwise(q k^T)) v for each head of each sequence.
//
//   out[r, head * dv + c] = sum_j softmax_j(f(sum_d q[r,head,d] k[j,head,d])) v[j,head,c]
//   r: the sequence's tokens (L), the rows that a head reads of it (Q), or one row (1); j: its tokens
//
// A task is (sequence, head, block of query rows). It packs the head's keys and values into scratch, in the
// panels that the register tile reads, turned by their positions where the body does that; then, a tile of
// queries at a time, scores, the ops on them, softmax and the product with the values, all of it in L1 and
// L2. Scores are computed whole, a row of them in the order of the keys, so nothing depends on blocks or
// capacity.
#include "attention.h"

#include "matmul_blocks.h"

// Where things lie in a task's scratch, in bytes, and the strides of its tiles, in floats.
typedef struct layout_of {
    int tile;
    int64_t score_ld, query_ld, out_ld, value_panel, made_ld;
    int64_t keys, values, queries, scores, outs, sums, made, bytes;
} layout_of;

typedef struct parts {
    layout_of at;
    panels score, value;
    LLVMValueRef pack_keys, pack_values, take, give, softmax;
    LLVMValueRef make_queries, make_keys, make_values; // NULL: they lie in an operand
    LLVMValueRef numbers, pass;                        // NULL: the scores are plain
} parts;

// Numbers of keys, in scratch from `at` on; where they end.
static int64_t plan_numbers(score_ops *x, int64_t length, int64_t at) {
    for (int i = 0; i < x->leaf_count; i++) {
        if (x->leaves[i].side != SIDE_KEY) continue;
        x->leaves[i].at = at;
        at += length * 4;
    }
    return at;
}

static layout_of plan(const kernel_site *s, attention *x) {
    int64_t length = block_round_up(s->variant->length, PANEL_COLUMNS);
    layout_of l = {.tile = block_tile_rows(s)};
    // Odd multiples of a line: rows of a power of two would share few sets of the cache.
    l.score_ld = (length / PANEL_COLUMNS | 1) * PANEL_COLUMNS;
    l.query_ld = block_round_up(x->q.width, PANEL_COLUMNS);
    l.out_ld = block_round_up(x->v.width, PANEL_COLUMNS);
    l.value_panel = (length | 1) * PANEL_COLUMNS * 4;
    l.made_ld = block_round_up(x->k.width > x->v.width ? x->k.width : x->v.width, PANEL_COLUMNS);
    int64_t at = plan_numbers(&x->scores, length, FRAME_BYTES);
    l.keys = at, at += length * block_round_up(x->k.width, PANEL_COLUMNS) * 4;
    l.values = at, at += l.out_ld / PANEL_COLUMNS * l.value_panel;
    l.queries = at, at += l.tile * l.query_ld * 4;
    l.scores = at, at += l.tile * l.score_ld * 4;
    l.outs = at, at += l.tile * l.out_ld * 4;
    l.sums = at, at += block_round_up(l.tile, PANEL_COLUMNS) * 4;
    bool made = x->k.made != VALUE_NONE || x->v.made != VALUE_NONE;
    l.made = at, at += made ? PANEL_COLUMNS * l.made_ld * 4 : 0;
    l.bytes = at;
    return l;
}

// Keys or values of a panel, made first: as they lie there.
static heads made_rows(const heads *x, const layout_of *l) {
    return (heads){.ld = l->made_ld, .width = x->width, .count = 1, .group = 1, .made = VALUE_NONE};
}

static void emit_parts(emit *e, const kernel_site *s, attention *x, parts *p) {
    *p = (parts){.at = plan(s, x)};
    const layout_of *l = &p->at;
    p->score = (panels){.name = "attention.score",
                        .rows = l->tile,
                        .k = x->q.width,
                        .lda = l->query_ld,
                        .ldc = l->score_ld,
                        .panel = x->k.width * PANEL_COLUMNS * 4,
                        .finish = x->scores.plain.op_count ? epilogue_finish : NULL,
                        .context = (void *)&x->scores.plain};
    p->value = (panels){.name = "attention.value",
                        .rows = l->tile,
                        .lda = l->score_ld,
                        .ldc = l->out_ld,
                        .panel = l->value_panel};
    panels_emit(e, &p->score);
    panels_emit(e, &p->value);
    heads keys = x->k.made == VALUE_NONE ? x->k : made_rows(&x->k, l),
          values = x->v.made == VALUE_NONE ? x->v : made_rows(&x->v, l);
    p->pack_keys = attention_pack_keys(e, &keys);
    p->pack_values = attention_pack_values(e, &values, l->value_panel);
    if (x->q.made == VALUE_NONE)
        p->take = attention_take_rows(e, &x->q, l->tile, l->query_ld);
    else
        p->make_queries = attention_make_rows(e, s, x, &x->q, l->query_ld);
    if (x->k.made != VALUE_NONE) p->make_keys = attention_make_rows(e, s, x, &x->k, l->made_ld);
    if (x->v.made != VALUE_NONE) p->make_values = attention_make_rows(e, s, x, &x->v, l->made_ld);
    p->give = attention_give_rows(e, x->v.width, l->out_ld, s->variant->places[s->node].ld);
    p->softmax = attention_softmax(e, l->tile, l->score_ld);
    if (!x->scores.apart) return;
    p->numbers = attention_key_numbers(e, s, x);
    p->pass = attention_score_pass(e, s, x, l->tile, l->score_ld);
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

static LLVMValueRef up_to(emit *e, LLVMValueRef x, int64_t n) {
    LLVMValueRef up = LLVMBuildAdd(e->b, x, build_const_i64(e, n - 1), "");
    return LLVMBuildAnd(e->b, up, build_const_i64(e, -n), "");
}

static void call_n(emit *e, LLVMValueRef f, int n, LLVMValueRef *args) {
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(f), f, args, (unsigned)n, "");
}

// Keys or values into their panels, 16 at a time where they are made; `step` bytes from one 16 to the next.
static void pack(emit *e, const kernel_site *s, const parts *p, const frame *f, LLVMValueRef scratch,
                 const heads *x, LLVMValueRef make, LLVMValueRef pack, LLVMValueRef to, int64_t step) {
    if (!make) {
        call(e, pack, attention_head_at(e, s, f, x), f->keys, to);
        return;
    }
    LLVMValueRef made = tile_at_constant(e, scratch, p->at.made), n = build_const_i64(e, PANEL_COLUMNS);
    loop l = build_loop(e, build_const_i64(e, 0), f->keys, PANEL_COLUMNS, "made");
    call_n(e, make, 4, (LLVMValueRef[]){scratch, l.index, n, made});
    call(e, pack, made, n, tile_at(e, to, tile_mul(e, l.index, step / PANEL_COLUMNS)));
    build_loop_end(e, &l);
}

// Panels from 0 to `to` of a product over a tile of rows.
static void product(emit *e, const panels *p, LLVMValueRef scratch, LLVMValueRef a, LLVMValueRef b,
                    LLVMValueRef c, LLVMValueRef to, LLVMValueRef k) {
    LLVMValueRef none = build_const_i64(e, 0);
    panels_args x = {.a = a,
                     .b = b,
                     .c = c,
                     .tiles = build_const_i64(e, 1),
                     .from = none,
                     .to = to,
                     .after = scratch,
                     .k = k};
    panels_call(e, p, &x);
}

// A tile of queries, from row `row` of the task's on: `q` and `out` are its rows, `count` how many of them
// there are.
static void query_tile(emit *e, const parts *p, const frame *f, LLVMValueRef scratch, LLVMValueRef row,
                       LLVMValueRef q, LLVMValueRef out, LLVMValueRef count) {
    const layout_of *l = &p->at;
    LLVMValueRef queries = tile_at_constant(e, scratch, l->queries),
                 scores = tile_at_constant(e, scratch, l->scores);
    LLVMValueRef outs = tile_at_constant(e, scratch, l->outs), sums = tile_at_constant(e, scratch, l->sums);
    LLVMValueRef rows = build_const_i64(e, l->tile), columns = up_to(e, f->keys, PANEL_COLUMNS);
    if (p->make_queries)
        call_n(e, p->make_queries, 4, (LLVMValueRef[]){scratch, row, rows, queries});
    else
        call(e, p->take, q, count, queries);
    product(e, &p->score, scratch, queries, tile_at_constant(e, scratch, l->keys), scores,
            LLVMBuildUDiv(e->b, columns, build_const_i64(e, PANEL_COLUMNS), ""), NULL);
    if (p->pass)
        call_n(e, p->pass, 5, (LLVMValueRef[]){scratch, row, build_const_i64(e, 0), columns, scores});
    call(e, p->softmax, scores, f->keys, sums);
    product(e, &p->value, scratch, scores, tile_at_constant(e, scratch, l->values), outs,
            build_const_i64(e, l->out_ld / PANEL_COLUMNS), up_to(e, f->keys, 4));
    call_n(e, p->give, 4, (LLVMValueRef[]){outs, count, out, sums});
}

// The task's sequence, head and block of `rows` query rows; the builder goes on where there are some, and at
// `done` where there are none.
static frame open_task(emit *e, LLVMValueRef function, const attention *x, int64_t rows, int64_t blocks,
                       LLVMValueRef *from, LLVMValueRef *to) {
    LLVMValueRef c = LLVMGetParam(function, 1), task = LLVMGetParam(function, 2);
    LLVMValueRef inner = build_const_i64(e, x->q.count * blocks), per = build_const_i64(e, blocks);
    LLVMValueRef rest = LLVMBuildURem(e->b, task, inner, ""), number = LLVMBuildURem(e->b, rest, per, "");
    frame f = {.args = LLVMGetParam(function, 0),
               .sequence = LLVMBuildUDiv(e->b, task, inner, ""),
               .head = LLVMBuildUDiv(e->b, rest, per, ""),
               .queries = build_const_i64(e, 1)};
    f.query = f.sequence;
    rows_of(e, c, false, f.sequence, &f.key, &f.keys);
    if (x->dim == SYM_T) f.query = f.key, f.queries = f.keys;
    if (x->dim == SYM_R) rows_of(e, c, true, f.sequence, &f.query, &f.queries);
    *from = tile_mul(e, number, rows);
    *to = attention_smaller(e, LLVMBuildAdd(e->b, *from, build_const_i64(e, rows), ""), f.queries);
    LLVMValueRef some = LLVMBuildICmp(e->b, LLVMIntSLT, *from, *to, "");
    some = LLVMBuildAnd(e->b, some, LLVMBuildICmp(e->b, LLVMIntSGT, f.keys, build_const_i64(e, 0), ""), "");
    LLVMBasicBlockRef work = LLVMAppendBasicBlockInContext(e->context, function, "work");
    LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(e->context, function, "done");
    LLVMBuildCondBr(e->b, some, work, done);
    LLVMPositionBuilderAtEnd(e->b, done);
    LLVMBuildRetVoid(e->b);
    LLVMPositionBuilderAtEnd(e->b, work);
    return f;
}

// Tasks of a sequence: `blocks` blocks of `rows` query rows a head.
static LLVMValueRef emit_kernel(emit *e, const kernel_site *s, const attention *x, const parts *p,
                                int64_t rows, int64_t blocks) {
    LLVMValueRef function = build_function(e, "attention", e->kernel_type),
                 scratch = LLVMGetParam(function, 3);
    LLVMValueRef from, to;
    frame f = open_task(e, function, x, rows, blocks, &from, &to);
    attention_frame_store(e, &f, scratch);
    if (p->numbers) call_n(e, p->numbers, 1, &scratch);
    pack(e, s, p, &f, scratch, &x->k, p->make_keys, p->pack_keys, tile_at_constant(e, scratch, p->at.keys),
         x->k.width * PANEL_COLUMNS * 4);
    pack(e, s, p, &f, scratch, &x->v, p->make_values, p->pack_values,
         tile_at_constant(e, scratch, p->at.values), PANEL_COLUMNS * PANEL_COLUMNS * 4);
    int64_t ld = s->variant->places[s->node].ld;
    LLVMValueRef result = build_arg(e, f.args, graph_node(s->graph, s->node)->input_count);
    LLVMValueRef q = p->make_queries ? scratch : attention_head_at(e, s, &f, &x->q);
    result = tile_at(e, result, tile_mul(e, f.head, x->v.width * 4));
    loop l = build_loop(e, from, to, p->at.tile, "tile");
    LLVMValueRef row = LLVMBuildAdd(e->b, f.query, l.index, ""), left = LLVMBuildSub(e->b, to, l.index, "");
    query_tile(e, p, &f, scratch, l.index, tile_at(e, q, tile_mul(e, l.index, x->q.ld * 4)),
               tile_at(e, result, tile_mul(e, row, ld * 4)),
               attention_smaller(e, left, build_const_i64(e, p->at.tile)));
    build_loop_end(e, &l);
    LLVMBuildRetVoid(e->b);
    return function;
}

bool attention_accepts(const emit *e, const kernel_site *s) {
    attention x;
    return attention_recognise(e->arena, s, &x);
}

bool attention_emit(emit *e, const kernel_site *s, kernel *out) {
    attention x;
    if (!attention_recognise(e->arena, s, &x)) return false;
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
