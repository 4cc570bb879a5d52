// The kernel of attention's gradient.
//
// A task is a head of a text: key block after key block, it takes all queries, block by block, adds each block's share to
// the sums of its keys and of its queries, and gives the keys' rows as soon as all queries are done. Where that is too few
// tasks, there are two phases instead: one whose tasks are blocks of queries, which take all keys, and one whose tasks are
// blocks of keys, which take all queries. They compute the pairs twice.
//
//              keys ->                       whole: 1 a head     queries: 4 a head    keys: 2 a head
//    queries   +-------+-------+             +-------+-------+   +-------+-------+    +-------+-------+
//       |      |   0   |   4   |             | 0     | 0     |   | 0     | 0     |    | 0     | 1     |
//       v      |   1   |   5   |             | 0     | 0     |   | 1     | 1     |    | 0     | 1     |
//              |   2   |   6   |             | 0     | 0     |   | 2     | 2     |    | 0     | 1     |
//              +-------+-------+             +-------+-------+   +-------+-------+    +-------+-------+
//
// A sum over keys runs through them in their order, one over queries likewise, whichever tasks there are: so it has the same
// bits. Blocks begin at multiples of their size.
#include "backend/attention/gradient.h"

#include "backend/matmul/blocks.h"

typedef enum task_kind { TASK_WHOLE, TASK_QUERIES, TASK_KEYS } task_kind;

typedef struct task {
    emit *e;
    const gradient *g;
    task_kind kind;
    task_frame f;
    LLVMValueRef scratch, queries[2], keys[2]; // from, to
} task;

// --- What a task covers

static void open_task(task *t, LLVMValueRef function, int64_t rows, int64_t blocks) {
    emit *e = t->e;
    LLVMValueRef c = LLVMGetParam(function, 1), number = LLVMGetParam(function, 2),
                 zero = build_const_i64(e, 0);
    LLVMValueRef inner = build_const_i64(e, t->g->x.q.count * blocks), per = build_const_i64(e, blocks);
    LLVMValueRef rest = LLVMBuildURem(e->b, number, inner, ""), part = LLVMBuildURem(e->b, rest, per, "");
    task_frame *f = &t->f;
    *f = (task_frame){.args = LLVMGetParam(function, 0),
                      .sequence = LLVMBuildUDiv(e->b, number, inner, ""),
                      .head = LLVMBuildUDiv(e->b, rest, per, ""),
                      .queries = build_const_i64(e, 1)};
    f->query = f->sequence;
    block_sequence(e, c, false, f->sequence, &f->key, &f->keys);
    if (t->g->x.dim == SYM_T) f->query = f->key, f->queries = f->keys;
    if (t->g->x.dim == SYM_R) block_sequence(e, c, true, f->sequence, &f->query, &f->queries);
    t->queries[0] = t->keys[0] = zero;
    t->queries[1] = f->queries;
    t->keys[1] = f->keys;
    LLVMValueRef *cut = t->kind == TASK_QUERIES ? t->queries : t->keys;
    if (t->kind == TASK_WHOLE) return;
    cut[0] = attention_smaller(e, tile_mul(e, part, rows), cut[1]);
    cut[1] = attention_smaller(e, LLVMBuildAdd(e->b, cut[0], build_const_i64(e, rows), ""), cut[1]);
}

// --- Sums

static void zeros(emit *e, LLVMValueRef at, LLVMValueRef floats) {
    loop l = build_loop(e, build_const_i64(e, 0), floats, e->width, "zero");
    build_store(e, LLVMConstNull(e->vf), tile_at(e, at, tile_mul(e, l.index, 4)), (unsigned)e->width * 4);
    build_loop_end(e, &l);
}

static LLVMValueRef sums_at(const task *t, const gradient_sum *x, LLVMValueRef row) {
    LLVMValueRef at = tile_at_constant(t->e, t->scratch, x->at);
    return row ? tile_at(t->e, at, tile_mul(t->e, row, x->ld * 4)) : at;
}

// Zeros for the sums of `count` rows: of queries from `row` on, or of a block of keys.
static void clear(const task *t, bool keys, LLVMValueRef row, LLVMValueRef count) {
    emit *e = t->e;
    for (int i = 0; i < t->g->sum_count; i++) {
        const gradient_sum *x = &t->g->sums[i];
        LLVMValueRef n = tile_mul(e, gradient_whole_tiles(e, t->g, count), x->ld);
        if (x->keys == keys) zeros(e, sums_at(t, x, keys ? NULL : row), n);
    }
}

// Gives these rows of the results.
static void give(const task *t, bool keys, LLVMValueRef row, LLVMValueRef count) {
    emit *e = t->e;
    const gradient *g = t->g;
    for (int i = 0; i < g->part_count; i++) {
        const gradient_part *p = &g->parts[i];
        const gradient_sum *x = &g->sums[p->sum];
        if (x->keys != keys) continue;
        LLVMValueRef out = build_arg(e, t->f.args, p->result->arg);
        LLVMValueRef at = LLVMBuildAdd(e->b, keys ? t->f.key : t->f.query, row, "");
        out = tile_at(e, out, tile_mul(e, at, p->result->ld * 4));
        out = tile_at_constant(e, tile_at(e, out, tile_mul(e, t->f.head, p->width * 4)), p->column * 4);
        LLVMValueRef args[] = {t->scratch, row, count, out, sums_at(t, x, keys ? NULL : row)};
        attention_call(e, p->give, 5, args);
    }
}

static void clear_tables(const task *t) {
    for (int i = 0; i < t->g->table_count; i++) {
        LLVMValueRef n = build_const_i64(t->e, t->g->pair_sums[i].n);
        zeros(t->e, tile_at_constant(t->e, t->scratch, t->g->pair_sums[i].at), n);
        zeros(t->e, tile_at_constant(t->e, t->scratch, t->g->tables[i].at), n);
    }
}

static void give_tables(const task *t) {
    emit *e = t->e;
    for (int i = 0; i < t->g->table_count; i++) {
        const gradient_table *x = &t->g->tables[i];
        LLVMValueRef out = build_arg(e, t->f.args, x->result->arg);
        out = tile_at(e, out, tile_mul(e, t->f.sequence, x->ld * 4));
        out = tile_at(e, out, tile_mul(e, t->f.head, x->stride * 4));
        loop l = build_loop(e, build_const_i64(e, 0), build_const_i64(e, t->g->pair_sums[i].n), 1, "element");
        LLVMValueRef offset = tile_mul(e, l.index, 4);
        LLVMValueRef from = tile_at(e, tile_at_constant(e, t->scratch, x->at), offset);
        LLVMValueRef number = build_load(e, e->f32, from, 4);
        build_store(e, number, tile_at(e, out, offset), 4);
        build_loop_end(e, &l);
    }
}

// --- The task

static LLVMValueRef left_of(emit *e, LLVMValueRef at, LLVMValueRef end, int64_t most) {
    return attention_smaller(e, LLVMBuildSub(e->b, end, at, ""), build_const_i64(e, most));
}

// All blocks of queries with the block of `keys` keys from j on.
static void all_queries(const task *t, LLVMValueRef j, LLVMValueRef keys) {
    emit *e = t->e;
    const gradient *g = t->g;
    loop l = build_loop(e, t->queries[0], t->queries[1], ATTENTION_QUERIES, "queries");
    LLVMValueRef rows = left_of(e, l.index, t->queries[1], ATTENTION_QUERIES);
    LLVMBasicBlockRef behind = NULL;
    if (g->seen) {
        LLVMValueRef args[] = {t->scratch, l.index, rows, j, keys};
        behind = build_if(e, LLVMBuildCall2(e->b, LLVMGlobalGetValueType(g->seen), g->seen, args, 5, ""));
    }
    gradient_block(e, g, t->scratch, l.index, rows, j, keys, t->kind != TASK_KEYS, t->kind != TASK_QUERIES);
    if (behind) build_if_end(e, behind);
    build_loop_end(e, &l);
}

static LLVMValueRef emit_kernel(emit *e, const gradient *g, task_kind kind, int64_t rows, int64_t blocks) {
    LLVMValueRef function = build_function(e, "attention_gradient", e->kernel_type);
    task t = {.e = e, .g = g, .kind = kind, .scratch = LLVMGetParam(function, 3)};
    open_task(&t, function, rows, blocks);
    task_frame_store(e, &t.f, t.scratch);
    LLVMValueRef some = LLVMBuildICmp(e->b, LLVMIntSGT, t.f.keys, build_const_i64(e, 0), "");
    if (kind != TASK_KEYS) clear_tables(&t);
    LLVMBasicBlockRef behind = build_if(e, some);
    if (g->numbers) attention_call(e, g->numbers, 1, &t.scratch);
    attention_call(e, g->open_queries, 3, (LLVMValueRef[]){t.scratch, t.queries[0], t.queries[1]});
    LLVMValueRef count = LLVMBuildSub(e->b, t.queries[1], t.queries[0], "");
    if (kind != TASK_KEYS) clear(&t, false, t.queries[0], count);
    loop l = build_loop(e, t.keys[0], t.keys[1], ATTENTION_KEYS, "keys");
    LLVMValueRef keys = left_of(e, l.index, t.keys[1], ATTENTION_KEYS);
    attention_call(e, g->open_keys, 3, (LLVMValueRef[]){t.scratch, l.index, keys});
    if (kind != TASK_QUERIES) clear(&t, true, NULL, keys);
    all_queries(&t, l.index, keys);
    if (kind != TASK_QUERIES) give(&t, true, l.index, keys);
    build_loop_end(e, &l);
    if (kind != TASK_KEYS) give(&t, false, t.queries[0], count);
    build_if_end(e, behind);
    if (kind != TASK_KEYS) give_tables(&t);
    LLVMBuildRetVoid(e->b);
    return function;
}

// --- The phases

bool gradient_accepts(const emit *e, const kernel_site *s) {
    gradient g;
    return gradient_recognise(e->arena, s, &g) && target_product_in_registers(e->target, ELEM_F32, ELEM_F32);
}

static kernel_phase phase_of(emit *e, const kernel_site *s, const gradient *g, task_kind kind, int64_t rows) {
    int64_t length = s->variant->length, blocks = kind == TASK_WHOLE ? 1 : ceil_div(length, rows), width = 0;
    for (int i = 0; i < g->x.scores.anchor_count; i++) width += g->rows[g->left[i]].of.width;
    for (int i = 0; i < g->sum_count; i++)
        if (kind == TASK_WHOLE || g->sums[i].keys == (kind == TASK_KEYS)) width += g->sums[i].width;
    double share = g->hides ? attention_reach(e, &g->x, length) / (double)length : 1;
    int64_t bytes = 0;
    for (int i = 0; i < g->row_count; i++)
        bytes += elem_bytes(g->rows[i].of.e, g->rows[i].of.width) * g->x.q.count;
    for (int i = 0; i < g->part_count; i++) bytes += g->parts[i].width * g->x.q.count * 4;
    return (kernel_phase){.function = emit_kernel(e, g, kind, rows, blocks),
                          .dim = SYM_S,
                          .unit = 1,
                          .inner = blocks * g->x.q.count,
                          .flops_pair = g->x.dim == SYM_T ? 2.0 * (double)(width * g->x.q.count) * share : 0,
                          .token_bytes = bytes,
                          .suffix = kind == TASK_WHOLE     ? ""
                                    : kind == TASK_QUERIES ? ".queries"
                                                           : ".keys"};
}

// Rows of a task of the class; 0: all of a text.
static int64_t task_rows(const kernel_site *s, const gradient *g, int class) {
    int64_t length = s->variant->length, rows = s->variant->schedules[s->node].splits[class].block_rows;
    if (rows <= 0 || g->table_count || g->x.dim == SYM_S) return 0;
    rows = round_up(rows, ATTENTION_KEYS);
    return rows < length ? rows : 0;
}

bool gradient_emit(emit *e, const kernel_site *s, kernel *out) {
    gradient g;
    if (!gradient_recognise(e->arena, s, &g)) return false;
    gradient_emit_code(e, s, &g);
    *out = (kernel){.scratch_bytes = g.bytes};
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        int64_t rows = task_rows(s, &g, class);
        int like = 0;
        while (task_rows(s, &g, like) != rows) like++;
        for (int i = 0; i < KERNEL_MAX_PHASES; i++) out->phases[class][i] = out->phases[like][i];
        out->phase_count[class] = rows ? 2 : 1;
        if (like < class) continue;
        kernel_phase *p = out->phases[class];
        p[0] = phase_of(e, s, &g, rows ? TASK_QUERIES : TASK_WHOLE, rows);
        if (rows) p[1] = phase_of(e, s, &g, TASK_KEYS, rows);
    }
    return true;
}
