// The outer family: products that sum over the rows of a call, as the gradient of a weight does.
//
//   y[K,N] = sum over t of x[t,K] dy[t,N]             fuse { yield matmul (transpose x), dy }; t: T, S or R
//
// Both are f32, or both bf16. The sum runs in chunks of a fixed number of rows from the call's first one on. In a chunk t
// ascends with one accumulator an element, and chunks are added to y in their order; AMX's tiles go on with the sums of the
// chunks before. So y depends on neither capacity, tiles, tasks nor threads.
//
//   task: a block of y         for each chunk:
//     +-----------+              x[chunk, rows of the block]      -> turned round:  left operand of the register tile
//     |           |              dy[chunk, columns of the block]  -> in panels:     right operand
//     +-----------+              sums += left right
//                              then the block of y is written once
//
// Both operands of a chunk and the block's sums lie in the task's scratch and stay in L2; a panel of the chunk stays in L1.
#include "backend/matmul/blocks.h"
#include "backend/matmul/panel_pack.h"

// Rows of a chunk: 512 bytes of each turned row, or 1024 where tiles read and write their sums once a chunk.
#define CHUNK_GROUPS     128
#define CHUNK_GROUPS_AMX 256

typedef struct outer {
    sym dim;
    int x, dy, y; // arguments
    elem e;
    int64_t size; // of an element
    int64_t k, n, ldx, ldy, ldc;
    const target_product *product;
    bool tiles;
    int64_t chunk; // rows
    // Bytes from a turned row, and from a panel, to the next: an odd number of lines lies in all sets of a cache.
    int64_t row_bytes, panel_bytes;
    int64_t steps; // what a chunk has is multiplied in whole steps of so many groups
} outer;

static bool rows_of(const kernel_site *s, int operand, elem e, int64_t *ld) {
    value v = graph_node(s->graph, s->node)->inputs[operand];
    const type *t = graph_type(s->graph, v);
    if (node_is_constant(graph_node(s->graph, v)) || t->e != e || t->rank != 2) return false;
    *ld = s->variant->places[v].ld;
    return t->d[1].s == SYM_NONE && *ld % PANEL_COLUMNS == 0 && t->d[0].n == 0 &&
           (t->d[0].s == SYM_T || t->d[0].s == SYM_S || t->d[0].s == SYM_R);
}

static void choose_chunk(outer *m) {
    m->tiles = m->product->step == STEP_TILES;
    int64_t groups = m->tiles ? CHUNK_GROUPS_AMX : CHUNK_GROUPS;
    m->size = (int64_t)elem_size(m->e);
    m->chunk = groups * m->product->group;
    m->row_bytes = groups * 4 + GROUP_BYTES;
    m->panel_bytes = (groups + 1) * GROUP_BYTES;
    m->steps = m->tiles ? AMX_ROWS : 4;
}

static bool recognise(const emit *e, const kernel_site *s, outer *m) {
    const node *n = graph_node(s->graph, s->node);
    *m = (outer){0};
    if (n->op != OP_fuse || !kernel_has_one_result(s)) return false;
    const graph *body = n->body;
    const node *y = graph_node(body, body->outputs[0].value);
    if (y->op != OP_matmul || graph_node(body, y->inputs[1])->op != OP_param) return false;
    const node *left = graph_node(body, y->inputs[0]);
    if (left->op != OP_transpose || graph_node(body, left->inputs[0])->op != OP_param) return false;
    if (left->type.rank != 2 || node_attr(left, ATTR_perm)->u.ints[0] != 1) return false;
    m->x = left->inputs[0];
    m->dy = y->inputs[1];
    m->y = n->input_count;
    m->dim = left->type.d[1].s;
    m->k = y->type.d[0].n;
    m->n = y->type.d[1].n;
    m->ldc = s->variant->places[s->node].ld;
    m->e = left->type.e;
    if (m->e != ELEM_F32 && m->e != ELEM_BF16) return false;
    m->product = target_product_find(e->target, m->e, m->e);
    if (!m->product) return false;
    choose_chunk(m);
    return rows_of(s, m->x, m->e, &m->ldx) && rows_of(s, m->dy, m->e, &m->ldy) &&
           m->ldc % PANEL_COLUMNS == 0 && m->ldc >= m->n;
}

bool outer_accepts(const emit *e, const kernel_site *s) {
    outer m;
    return recognise(e, s, &m);
}

// --- Emission

typedef struct outer_code {
    const outer *m;
    panels tile;
    int64_t sum_bytes; // from a row of the block's sums to the next
    LLVMValueRef turn, pack, clear, copy;
} outer_code;

// Rows of y and panels of a task.
typedef struct outer_block {
    int64_t rows, panels, down, across;
} outer_block;

static outer_block block_of(const outer *m, const task_split *cut) {
    int64_t all = ceil_div(m->n, PANEL_COLUMNS);
    outer_block b = {.rows = cut->block_rows, .panels = ceil_div(cut->block_columns, PANEL_COLUMNS)};
    if (b.rows <= 0 || b.rows > m->k) b.rows = m->k;
    if (b.panels <= 0 || b.panels > all) b.panels = all;
    b.down = ceil_div(m->k, b.rows);
    b.across = ceil_div(all, b.panels);
    return b;
}

// Adds the sums of a chunk to those of the chunks before.
static void add_chunk(emit *e, const tile *t, const tile_sums *sums) {
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++) {
            LLVMValueRef c = tile_c(e, t, r, v);
            LLVMValueRef had = build_load(e, e->vf, c, (unsigned)e->width * 4);
            build_store(e, LLVMBuildFAdd(e->b, had, tile_sum(e, t, sums, r, v), ""), c,
                        (unsigned)e->width * 4);
        }
}

// void (ptr out, i64 rows, i64 stride, i64 bytes, ptr from, i64 from_stride): the first bytes of rows, whole vectors, become
// those of the rows at `from`; or, where there is no `from`, zeros.
static LLVMValueRef emit_fill(emit *e, bool copies) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->i64, e->ptr, e->i64};
    LLVMValueRef f = build_helper(e, copies ? "outer.copy" : "outer.clear", NULL, copies ? 6 : 4, params);
    LLVMValueRef zero = build_const_i64(e, 0), from = NULL, v = LLVMConstNull(e->vf);
    loop rows = build_loop(e, zero, LLVMGetParam(f, 1), 1, "row");
    LLVMValueRef to = tile_at(e, LLVMGetParam(f, 0), LLVMBuildMul(e->b, rows.index, LLVMGetParam(f, 2), ""));
    if (copies) from = tile_at(e, LLVMGetParam(f, 4), LLVMBuildMul(e->b, rows.index, LLVMGetParam(f, 5), ""));
    loop l = build_loop(e, zero, LLVMGetParam(f, 3), e->width * 4, "vector");
    if (copies) v = build_load(e, e->vf, tile_at(e, from, l.index), (unsigned)e->width * 4);
    build_store(e, v, tile_at(e, to, l.index), (unsigned)e->width * 4);
    build_loop_end(e, &l);
    build_loop_end(e, &rows);
    return build_helper_end(e, f, NULL, caller);
}

static void clear(emit *e, const outer_code *c, LLVMValueRef out, LLVMValueRef rows, int64_t stride,
                  LLVMValueRef bytes) {
    LLVMValueRef args[] = {out, rows, build_const_i64(e, stride), bytes};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(c->clear), c->clear, args, 4, "");
}

static LLVMValueRef smaller(emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, a, b, ""), a, b, "");
}

static void emit_tile(emit *e, const kernel_site *s, outer_code *c) {
    const outer *m = c->m;
    const schedule *plan = &s->variant->schedules[s->node];
    int64_t widest = 0;
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        outer_block b = block_of(m, &plan->splits[class]);
        if (b.panels > widest) widest = b.panels;
    }
    c->sum_bytes = (widest | 1) * GROUP_BYTES;
    c->tile = (panels){.name = "outer.tile",
                       .product = m->product,
                       .rows = block_tile_rows(s),
                       .columns = plan->tile_columns,
                       .lda = m->row_bytes,
                       .ldc = c->sum_bytes,
                       .panel = m->panel_bytes,
                       .accumulate = m->tiles,
                       .finish = m->tiles ? NULL : add_chunk};
    bool whole = true;
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        outer_block b = block_of(m, &plan->splits[class]);
        panels_expect(&c->tile, b.panels);
        panels_expect(&c->tile, ceil_div(m->n, PANEL_COLUMNS) - (b.across - 1) * b.panels);
        whole = whole && b.rows % c->tile.rows == 0 && m->k % c->tile.rows == 0;
    }
    c->tile.whole = whole;
    panels_emit(e, &c->tile);
}

// What a task's block is, and where its parts lie.
typedef struct outer_task {
    LLVMValueRef first, rows, from, to; // rows of y; panels
    LLVMValueRef x, dy, left, right, sums;
} outer_task;

// Rows [row, row + count) of the call.
static void add_rows(emit *e, const outer_code *c, const outer_task *t, LLVMValueRef row,
                     LLVMValueRef count) {
    const outer *m = c->m;
    int64_t size = m->size, group = m->product->group;
    LLVMValueRef x = tile_at_step(e, tile_at_step(e, t->x, row, m->ldx * size), t->first, size);
    LLVMValueRef dy = tile_at(e, t->dy, tile_mul(e, row, m->ldy * size));
    LLVMValueRef args[] = {x, build_const_i64(e, m->ldx * size), count, t->left, t->rows};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(c->turn), c->turn, args, 5, "");
    LLVMValueRef there = LLVMBuildAdd(e->b, count, build_const_i64(e, group - 1), "");
    there = LLVMBuildUDiv(e->b, there, build_const_i64(e, group), "");
    LLVMValueRef groups = LLVMBuildAdd(e->b, there, build_const_i64(e, m->steps - 1), "");
    groups = LLVMBuildAnd(e->b, groups, build_const_i64(e, -m->steps), "");
    LLVMValueRef count_of_panels = LLVMBuildSub(e->b, t->to, t->from, "");
    LLVMValueRef pack[] = {tile_at(e, dy, tile_mul(e, t->from, PANEL_COLUMNS * size)),
                           build_const_i64(e, m->ldy * size), count, t->right, count_of_panels};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(c->pack), c->pack, pack, 5, "");
    loop l = build_loop(e, there, groups, 1, "rest");
    clear(e, c, tile_at(e, t->right, tile_mul(e, l.index, GROUP_BYTES)), count_of_panels, m->panel_bytes,
          build_const_i64(e, GROUP_BYTES));
    build_loop_end(e, &l);
    panels_args v = {.a = t->left,
                     .b = tile_at(e, t->right, tile_mul(e, t->from, -m->panel_bytes)),
                     .c = tile_at(e, t->sums, tile_mul(e, t->from, -GROUP_BYTES)),
                     .rows = t->rows,
                     .from = t->from,
                     .to = t->to,
                     .after = t->right,
                     .k = groups};
    panels_call(e, &c->tile, &v);
}

// The last vector of turned columns, and AMX's last tile, are computed whole.
static int64_t left_bytes(const outer *m, const outer_block *b) {
    return round_up(b->rows, PANEL_COLUMNS) * m->row_bytes;
}

static int64_t scratch_of(const outer_code *c, const outer_block *b) {
    const outer *m = c->m;
    return left_bytes(m, b) + b->panels * m->panel_bytes + round_up(b->rows, PANEL_COLUMNS) * c->sum_bytes;
}

static LLVMValueRef emit_kernel(emit *e, const outer_code *c, const outer_block *b) {
    const outer *m = c->m;
    LLVMValueRef f = build_function(e, "outer", e->kernel_type), args = LLVMGetParam(f, 0);
    LLVMValueRef task = LLVMGetParam(f, 2), scratch = LLVMGetParam(f, 3),
                 across = build_const_i64(e, b->across);
    outer_task t = {.x = build_arg(e, args, m->x), .dy = build_arg(e, args, m->dy)};
    t.first = tile_mul(e, LLVMBuildUDiv(e->b, task, across, ""), b->rows);
    t.rows =
        smaller(e, LLVMBuildSub(e->b, build_const_i64(e, m->k), t.first, ""), build_const_i64(e, b->rows));
    t.from = tile_mul(e, LLVMBuildURem(e->b, task, across, ""), b->panels);
    t.to = smaller(e, LLVMBuildAdd(e->b, t.from, build_const_i64(e, b->panels), ""),
                   build_const_i64(e, ceil_div(m->n, PANEL_COLUMNS)));
    t.left = scratch;
    t.right = tile_at_constant(e, scratch, left_bytes(m, b));
    t.sums = tile_at_constant(e, t.right, b->panels * m->panel_bytes);
    LLVMValueRef bytes = tile_mul(e, LLVMBuildSub(e->b, t.to, t.from, ""), GROUP_BYTES);
    clear(e, c, t.sums, t.rows, c->sum_bytes, bytes);
    LLVMValueRef size = build_call_size(e, LLVMGetParam(f, 1), m->dim);
    loop chunks = build_loop(e, build_const_i64(e, 0), size, m->chunk, "chunk");
    LLVMValueRef count = smaller(e, LLVMBuildSub(e->b, size, chunks.index, ""), build_const_i64(e, m->chunk));
    add_rows(e, c, &t, chunks.index, count);
    build_loop_end(e, &chunks);
    LLVMValueRef y = tile_at_step(e, build_arg(e, args, m->y), t.first, m->ldc * 4);
    LLVMValueRef copy[] = {tile_at(e, y, tile_mul(e, t.from, GROUP_BYTES)),
                           t.rows,
                           build_const_i64(e, m->ldc * 4),
                           bytes,
                           t.sums,
                           build_const_i64(e, c->sum_bytes)};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(c->copy), c->copy, copy, 6, "");
    LLVMBuildRetVoid(e->b);
    return f;
}

// A head may read no row, and then a phase over rows has no task: the phase is one of the call.
static kernel_phase phase_of(const kernel_site *s, const outer *m, const outer_block *b) {
    bool rows = m->dim != SYM_R;
    return (kernel_phase){.dim = rows ? m->dim : SYM_NONE,
                          .unit = rows ? block_unit(s, 0) : 1,
                          .inner = b->down * b->across,
                          .flops_row = rows ? 2.0 * (double)m->k * (double)m->n : 0,
                          .row_bytes = rows ? (m->k * b->across + m->n * b->down) * m->size : 0,
                          .suffix = ""};
}

bool outer_emit(emit *e, const kernel_site *s, kernel *out) {
    outer m;
    if (!recognise(e, s, &m)) return false;
    outer_code c = {.m = &m};
    panel_form form = {m.e, m.e};
    c.turn = panel_turn_rows(e, form, m.row_bytes);
    c.pack = panel_pack_rows(e, form, m.panel_bytes, PANEL_COLUMNS);
    c.clear = emit_fill(e, false);
    c.copy = emit_fill(e, true);
    emit_tile(e, s, &c);
    *out = (kernel){0};
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        outer_block b = block_of(&m, &s->variant->schedules[s->node].splits[class]);
        kernel_phase *phase = &out->phases[class][0];
        *phase = phase_of(s, &m, &b);
        out->phase_count[class] = 1;
        if (scratch_of(&c, &b) > out->scratch_bytes) out->scratch_bytes = scratch_of(&c, &b);
        for (int like = 0; like < class && !phase->function; like++) {
            outer_block other = block_of(&m, &s->variant->schedules[s->node].splits[like]);
            if (other.rows == b.rows && other.panels == b.panels)
                phase->function = out->phases[like][0].function;
        }
        if (!phase->function) phase->function = emit_kernel(e, &c, &b);
    }
    return true;
}
