// The attention family: softmax(pointwise(q k^T)) v for each head of each sequence.
//
//   out[r, head * dv + c] = sum_j softmax_j(f(sum_d q[r,head,d] k[j,head,d])) v[j,head,c]
//   r: the sequence's tokens (L), the rows that a head reads of it (Q), or one row (1); j: its tokens
//
// A task is (sequence, head, block of query rows). First it packs the head's keys and values into scratch,
// in the panels that the register tile reads, and turns them by their positions where the body does that.
// Then, for one tile of queries after the other, it computes scores, the ops on them, softmax and the
// product with the values, all of it in L1 and L2. A row of scores is computed whole, in the order of the
// keys, so no bit depends on blocks or capacity.
#include "backend/attention/attention.h"

#include "backend/matmul/blocks.h"

// The task's sequence, head and block of `rows` query rows; the builder goes on where there are some, and at
// `done` where there are none.
static task_frame open_task(emit *e, LLVMValueRef function, const attention *x, int64_t rows, int64_t blocks,
                            LLVMValueRef *from, LLVMValueRef *to) {
    LLVMValueRef c = LLVMGetParam(function, 1), task = LLVMGetParam(function, 2);
    LLVMValueRef inner = build_const_i64(e, x->q.count * blocks), per = build_const_i64(e, blocks);
    LLVMValueRef rest = LLVMBuildURem(e->b, task, inner, ""), number = LLVMBuildURem(e->b, rest, per, "");
    task_frame f = {.args = LLVMGetParam(function, 0),
                    .sequence = LLVMBuildUDiv(e->b, task, inner, ""),
                    .head = LLVMBuildUDiv(e->b, rest, per, ""),
                    .queries = build_const_i64(e, 1)};
    f.query = f.sequence;
    block_sequence(e, c, false, f.sequence, &f.key, &f.keys);
    if (x->dim == SYM_T) f.query = f.key, f.queries = f.keys;
    if (x->dim == SYM_R) block_sequence(e, c, true, f.sequence, &f.query, &f.queries);
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

// Where row `row` of the task's queries goes.
static LLVMValueRef result_at(emit *e, const attention_code *p, const task_frame *f, LLVMValueRef row) {
    const kernel_result *r = p->x->result;
    LLVMValueRef result = build_arg(e, f->args, r->arg);
    elem gives = p->x->gives;
    result = tile_at(e, result, tile_mul(e, f->head, elem_bytes(gives, p->x->v.width)));
    return tile_at(e, result, tile_mul(e, LLVMBuildAdd(e->b, f->query, row, ""), elem_bytes(gives, r->ld)));
}

// The log-sums of the tile of `count` rows from `row` on.
static void give_log_sums(emit *e, const attention_code *p, const task_frame *f, LLVMValueRef scratch,
                          LLVMValueRef row, LLVMValueRef count) {
    for (int i = 0; i < p->x->log_sum_count; i++) {
        const log_sum *x = &p->x->log_sums[i];
        LLVMValueRef to = build_arg(e, f->args, x->arg);
        to = tile_at(e, to, tile_mul(e, f->head, x->stride * 4));
        to = tile_at(e, to, tile_mul(e, LLVMBuildAdd(e->b, f->query, row, ""), x->ld * 4));
        loop l = build_loop(e, build_const_i64(e, 0), count, 1, "log_sum");
        LLVMValueRef from = tile_at_step(e, tile_at_constant(e, scratch, p->layout.log_sums), l.index, 4);
        LLVMValueRef sum = build_load(e, e->f32, from, 4);
        build_store(e, sum, tile_at_step(e, to, l.index, x->ld * 4), 4);
        build_loop_end(e, &l);
    }
}

// All tiles of the rows [from, to).
static void all_tiles(emit *e, const attention_code *p, const task_frame *f, LLVMValueRef scratch,
                      LLVMValueRef from, LLVMValueRef to) {
    attention_prepare(e, p, f, scratch, from, to);
    loop l = build_loop(e, from, to, p->layout.tile, "tile");
    LLVMValueRef rows = build_const_i64(e, p->layout.tile);
    LLVMValueRef until = attention_smaller(e, LLVMBuildAdd(e->b, l.index, rows, ""), to);
    attention_tile(e, p, f, scratch, l.index, until);
    LLVMValueRef args[] = {tile_at_constant(e, scratch, p->layout.outs),
                           LLVMBuildSub(e->b, until, l.index, ""), result_at(e, p, f, l.index),
                           tile_at_constant(e, scratch, p->layout.sums)};
    attention_call(e, p->give, 4, args);
    give_log_sums(e, p, f, scratch, l.index, args[1]);
    build_loop_end(e, &l);
}

// --- Rows for which another attention stands (Longformer's global tokens): nothing is done where there is
// none.

// if (condition holds for a row of [from, to)): leaves the builder in the branch, returns the block after it.
static LLVMBasicBlockRef if_any(emit *e, LLVMValueRef condition, LLVMValueRef scratch, LLVMValueRef from,
                                LLVMValueRef to) {
    LLVMValueRef some = view_stack(e, e->i1);
    build_store(e, LLVMConstInt(e->i1, 0, false), some, 1);
    loop l = build_loop(e, from, to, 1, "row");
    LLVMValueRef args[] = {scratch, l.index};
    LLVMValueRef holds = LLVMBuildCall2(e->b, LLVMGlobalGetValueType(condition), condition, args, 2, "");
    build_store(e, LLVMBuildOr(e->b, build_load(e, e->i1, some, 1), holds, ""), some, 1);
    build_loop_end(e, &l);
    return build_if(e, build_load(e, e->i1, some, 1));
}

static void chosen_tiles(emit *e, const attention_code *p, LLVMValueRef condition, const task_frame *f,
                         LLVMValueRef scratch, LLVMValueRef from, LLVMValueRef to) {
    LLVMBasicBlockRef task = if_any(e, condition, scratch, from, to);
    attention_prepare(e, p, f, scratch, from, to);
    loop l = build_loop(e, from, to, p->layout.tile, "tile");
    LLVMValueRef until =
        attention_smaller(e, LLVMBuildAdd(e->b, l.index, build_const_i64(e, p->layout.tile), ""), to);
    LLVMBasicBlockRef some = if_any(e, condition, scratch, l.index, until);
    attention_tile(e, p, f, scratch, l.index, until);
    loop r = build_loop(e, l.index, until, 1, "row");
    LLVMBasicBlockRef row =
        if_any(e, condition, scratch, r.index, LLVMBuildAdd(e->b, r.index, build_const_i64(e, 1), ""));
    LLVMValueRef in_tile = LLVMBuildSub(e->b, r.index, l.index, "");
    LLVMValueRef args[] = {
        tile_at_step(e, tile_at_constant(e, scratch, p->layout.outs), in_tile, p->layout.out_ld * 4),
        build_const_i64(e, 1), result_at(e, p, f, r.index),
        tile_at_step(e, tile_at_constant(e, scratch, p->layout.sums), in_tile, 4)};
    attention_call(e, p->give, 4, args);
    build_if_end(e, row);
    build_loop_end(e, &r);
    build_if_end(e, some);
    build_loop_end(e, &l);
    build_if_end(e, task);
}

// Tasks of a sequence: `blocks` blocks of `rows` query rows a head.
static LLVMValueRef emit_kernel(emit *e, const attention_code *p, const attention_code *other,
                                LLVMValueRef condition, int64_t rows, int64_t blocks) {
    LLVMValueRef function = build_function(e, "attention", e->kernel_type),
                 scratch = LLVMGetParam(function, 3);
    LLVMValueRef from, to;
    task_frame f = open_task(e, function, p->x, rows, blocks, &from, &to);
    task_frame_store(e, &f, scratch);
    all_tiles(e, p, &f, scratch, from, to);
    if (other) chosen_tiles(e, other, condition, &f, scratch, from, to);
    LLVMBuildRetVoid(e->b);
    return function;
}

bool attention_accepts(const emit *e, const kernel_site *s) {
    attention x;
    return attention_recognise(e->arena, s, &x);
}

// Of a pair of tokens in a sequence of full length, where a query may see only some of the keys.
static double pair_flops(emit *e, const attention *x, int64_t length) {
    double width = (double)(x->q.width + x->v.width);
    for (int i = 0; i < x->scores.table_count; i++)
        width += x->scores.tables[i].product ? (double)x->q.width : 0;
    return 2.0 * (double)x->q.count * width * attention_reach(e, x, length) / (double)length;
}

bool attention_emit(emit *e, const kernel_site *s, kernel *out) {
    attention x;
    if (!attention_recognise(e->arena, s, &x)) return false;
    attention_code p, other;
    LLVMValueRef condition = NULL;
    attention_emit_code(e, s, &x, &p);
    *out = (kernel){.scratch_bytes = p.layout.bytes};
    if (x.other) {
        attention_emit_code(e, s, x.other, &other);
        condition = attention_condition(e, s, x.chooser);
        if (other.layout.bytes > out->scratch_bytes) out->scratch_bytes = other.layout.bytes;
    }
    int64_t most = x.dim == SYM_S ? 1 : s->variant->length;
    // Two products over the pairs of rows of a sequence; where few of its rows ask, they hardly count.
    int64_t asked = elem_bytes(x.q.e, x.q.width) + elem_bytes(x.gives, x.v.width) + 4 * x.log_sum_count,
            read = elem_bytes(x.k.e, x.k.width) + elem_bytes(x.v.e, x.v.width), count = x.q.count;
    double pair = pair_flops(e, &x, s->variant->length);
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        int64_t rows = s->variant->schedules[s->node].splits[class].block_rows;
        rows = rows > 0 && rows < most ? round_up(rows, p.layout.tile) : most;
        int64_t blocks = (most + rows - 1) / rows;
        kernel_phase *phase = &out->phases[class][0];
        for (int like = 0; like < class; like++) {
            if (out->phases[like][0].inner == blocks * x.q.count) *phase = out->phases[like][0];
        }
        out->phase_count[class] = 1;
        if (phase->function) continue;
        *phase =
            (kernel_phase){.function = emit_kernel(e, &p, x.other ? &other : NULL, condition, rows, blocks),
                           .dim = SYM_S,
                           .unit = 1,
                           .inner = blocks * x.q.count,
                           .flops_pair = x.dim == SYM_T ? pair : 0,
                           .row_bytes = x.dim == SYM_T ? 0 : asked * count,
                           .token_bytes = (x.dim == SYM_T ? asked + read : read) * count,
                           .suffix = ""};
    }
    return true;
}
