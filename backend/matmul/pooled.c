// The pooled family: of the rows that a product with a packed weight makes, each text's maximum or sum. The rows stay in
// registers.
//
//   y[S,N] = ops(reduce over a text's tokens (pointwise(x[T,K] w[K,N], vectors [N], numbers [T,1])), vectors [N])
//
// A task owns columns of all texts. It begins each text's row with the reduction's neutral element and goes over the
// call's rows block by block; its columns of the weight stay in L2 meanwhile. A register tile takes rows as they come, of
// one text or several: its finish adds each to its text's row. So a row costs the same in a long text and in a short one,
// and the order of each sum is that of the tokens, whatever the tiles. What follows the reduction is done on a task's
// columns at the end.
//
// In scratch stands for each row of a block which text it is of.
#include "backend/matmul/blocks.h"

#include <math.h>

// Rows of a block, at most.
#define BLOCK_ROWS 256

typedef struct pooled {
    int x, w; // params
    bool widens;
    product_sums sums;
    const target_product *product;
    int64_t k, n;
    value reduced; // the reduction in the body
    epilogue rows; // what it reads
    epilogue text; // what reads it: its operands are columns and numbers
} pooled;

static const node *body_node(const kernel_site *s, value v) {
    return graph_node(graph_node(s->graph, s->node)->body, v);
}

static bool operands_fit(const emit *e, const kernel_site *s, pooled *m) {
    const node *n = graph_node(s->graph, s->node);
    const node *x = graph_node(s->graph, n->inputs[m->x + 1]), *w = graph_node(s->graph, n->inputs[m->w + 1]);
    m->product = target_product_find(e->target, x->type.e, w->type.e);
    if (!m->product || m->widens != (m->product->step == STEP_WIDEN)) return false;
    if (!sums_hold(m->product, s->graph, n->inputs[m->x + 1])) return false;
    if (x->type.rank != 2 || !dim_eq(x->type.d[0], dim_sym(SYM_T)) || x->type.layout != LAYOUT_ROW ||
        node_is_constant(x))
        return false;
    m->k = w->type.rank == 2 ? w->type.d[0].n : 0;
    m->n = n->type.rank == 2 ? n->type.d[1].n : 0;
    return w->type.layout == LAYOUT_PACKED && m->k > 0 && m->n > 0 && n->type.e == ELEM_F32 &&
           s->variant->places[s->node].ld % PANEL_COLUMNS == 0;
}

// The one reduction over the tokens.
static bool find_reduction(const kernel_site *s, pooled *m) {
    const graph *body = graph_node(s->graph, s->node)->body;
    m->reduced = VALUE_NONE;
    for (value v = 0; v < body->count; v++) {
        const node *n = graph_node(body, v);
        if (n->op != OP_reduce_max && n->op != OP_reduce_sum) continue;
        const attr *axes = node_attr(n, ATTR_axes);
        if (m->reduced != VALUE_NONE || n->type.rank != 2 || axes->n != 1 || axes->u.ints[0] != 0)
            return false;
        m->reduced = v;
    }
    return m->reduced != VALUE_NONE;
}

// Operands of the body stand behind the bounds.
static void shift_arguments(epilogue *x) {
    for (int i = 0; i < x->count; i++) x->args[i] += x->args[i] >= 0;
}

static bool collect_ops(const kernel_site *s, pooled *m) {
    const node *n = graph_node(s->graph, s->node);
    const graph *body = n->body;
    const value *operands = n->inputs + 1, yield = body->outputs[0].value;
    value from = body_node(s, m->reduced)->inputs[0];
    if (!epilogue_collect_sums(s, body, operands, &m->sums, from, 0, NULL, &m->rows) ||
        !epilogue_collect(s, body, operands, m->reduced, yield, 0, NULL, &m->text))
        return false;
    for (int i = 0; i < m->text.count; i++)
        if (m->text.extras[i].kind != EXTRA_COLUMNS && m->text.extras[i].kind != EXTRA_FIXED) return false;
    shift_arguments(&m->rows);
    shift_arguments(&m->text);
    bool max = body_node(s, m->reduced)->op == OP_reduce_max;
    return graph_type(body, from)->e == ELEM_F32 &&
           epilogue_set_pool(&m->rows, max ? POOL_MAX : POOL_SUM, s->variant->places[s->node].ld);
}

static bool recognise(const emit *e, const kernel_site *s, pooled *m) {
    const node *n = graph_node(s->graph, s->node);
    *m = (pooled){0};
    if (n->op != OP_per_sequence || node_attr(n, ATTR_bounds)->u.i != 1 || !kernel_has_one_result(s))
        return false;
    value anchor = product_anchor(n->body);
    if (anchor == VALUE_NONE || graph_node(n->body, anchor)->type.rank != 2) return false;
    if (node_attr(graph_node(n->body, anchor), ATTR_blocks)) return false;
    return product_operands(n->body, anchor, &m->x, &m->w, &m->widens) && operands_fit(e, s, m) &&
           sums_collect(n->body, anchor, &m->sums) && m->sums.groups == 1 &&
           (m->sums.scales == VALUE_NONE || body_node(s, m->sums.scales)->op == OP_param) &&
           find_reduction(s, m) && collect_ops(s, m);
}

bool pooled_accepts(const emit *e, const kernel_site *s) {
    pooled m;
    return recognise(e, s, &m);
}

// --- Emission

// What is done once a task.
typedef struct pooled_code {
    const kernel_site *s;
    const pooled *m;
    panels tile;
    LLVMValueRef begin, texts, end; // functions
    int64_t block;                  // rows
    int64_t width, inner;           // panels of a task, and tasks
} pooled_code;

// void (ptr c, i64 texts, i64 columns): the neutral element in each text's columns.
static LLVMValueRef emit_begin(emit *e, const pooled *m) {
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64};
    LLVMValueRef f = build_helper(e, "pooled.begin", NULL, 3, params), zero = build_const_i64(e, 0);
    LLVMValueRef neutral =
        build_splat(e, build_const_f32(e, m->rows.pool == POOL_MAX ? -(double)INFINITY : 0), e->width);
    loop t = build_loop(e, zero, LLVMGetParam(f, 1), 1, "text");
    LLVMValueRef row = tile_at(e, LLVMGetParam(f, 0), tile_mul(e, t.index, m->rows.pool_ld * 4));
    loop c = build_loop(e, zero, LLVMGetParam(f, 2), e->width, "column");
    build_store(e, neutral, tile_at(e, row, tile_mul(e, c.index, 4)), (unsigned)e->width * 4);
    build_loop_end(e, &c);
    build_loop_end(e, &t);
    return build_helper_end(e, f, NULL, NULL);
}

static LLVMValueRef smaller(emit *e, LLVMValueRef a, LLVMValueRef b, bool larger) {
    LLVMIntPredicate p = larger ? LLVMIntSGT : LLVMIntSLT;
    return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, p, a, b, ""), a, b, "");
}

static void fill_texts(emit *e, LLVMValueRef out, LLVMValueRef from, LLVMValueRef to, LLVMValueRef text) {
    loop r = build_loop(e, from, to, 1, "row");
    build_store(e, text, tile_at(e, out, tile_mul(e, r.index, 4)), 4);
    build_loop_end(e, &r);
}

// void (ptr call, i64 first, i64 count, ptr out): of rows first to first + count - 1 which text they are of, then -1 for as
// many rows as a tile may have.
static LLVMValueRef emit_texts(emit *e, const pooled *m) {
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->ptr};
    LLVMValueRef f = build_helper(e, "pooled.texts", NULL, 4, params), call = LLVMGetParam(f, 0);
    LLVMValueRef first = LLVMGetParam(f, 1), count = LLVMGetParam(f, 2), out = LLVMGetParam(f, 3);
    LLVMValueRef zero = build_const_i64(e, 0);
    loop t = build_loop(e, zero, build_call_size(e, call, SYM_S), 1, "text");
    LLVMValueRef begin, length;
    block_sequence(e, call, false, t.index, &begin, &length);
    LLVMValueRef from = LLVMBuildSub(e->b, begin, first, ""), to = LLVMBuildAdd(e->b, from, length, "");
    from = smaller(e, from, zero, true);
    to = smaller(e, to, count, false);
    fill_texts(e, out, from, to, LLVMBuildTrunc(e->b, t.index, e->i32, ""));
    build_loop_end(e, &t);
    if (m->product->step == STEP_TILES)
        fill_texts(e, out, count, LLVMBuildAdd(e->b, count, build_const_i64(e, m->product->rows), ""),
                   LLVMConstAllOnes(e->i32));
    return build_helper_end(e, f, NULL, NULL);
}

// A vector of a text's row behind the reduction.
typedef struct location {
    emit *e;
    const epilogue *x;
    LLVMValueRef *operands, column; // i64
} location;

static LLVMValueRef load_operand(void *context, value v) {
    const location *c = context;
    emit *e = c->e;
    int i = 0;
    while (c->x->values[i] != v) i++;
    elem of = c->x->extras[i].e;
    unsigned size = (unsigned)elem_size(of);
    if (c->x->extras[i].kind == EXTRA_FIXED)
        return build_splat(e, build_load(e, view_elem(e, of, 1), c->operands[i], size), e->width);
    LLVMValueRef at = tile_at_step(e, c->operands[i], c->column, size);
    return build_load(e, view_elem(e, of, e->width), at, size);
}

// void (ptr args, ptr c, i64 texts, i64 from, i64 to): the ops behind the reduction, on columns [from, to) of each text.
// NULL: there are none.
static LLVMValueRef emit_end(emit *e, const pooled *m) {
    const epilogue *x = &m->text;
    if (x->result == m->reduced) return NULL;
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->i64, e->i64, e->i64};
    LLVMValueRef f = build_helper(e, "pooled.end", NULL, 5, params), args = LLVMGetParam(f, 0);
    LLVMValueRef operands[TILE_MAX_EXTRAS];
    for (int i = 0; i < x->count; i++) operands[i] = build_arg(e, args, x->args[i]);
    loop t = build_loop(e, build_const_i64(e, 0), LLVMGetParam(f, 2), 1, "text");
    LLVMValueRef row = tile_at(e, LLVMGetParam(f, 1), tile_mul(e, t.index, m->rows.pool_ld * 4));
    loop c = build_loop(e, LLVMGetParam(f, 3), LLVMGetParam(f, 4), e->width, "column");
    LLVMValueRef at = tile_at(e, row, tile_mul(e, c.index, 4));
    location here = {e, x, operands, c.index};
    LLVMValueRef *memo = ARENA_ARRAY(e->arena, LLVMValueRef, x->body->count);
    memo[m->reduced] = build_load(e, e->vf, at, (unsigned)e->width * 4);
    pointwise p = {
        .e = e, .body = x->body, .load = load_operand, .context = &here, .width = e->width, .memo = memo};
    build_store(e, pointwise_value(&p, x->result), at, (unsigned)e->width * 4);
    build_loop_end(e, &c);
    build_loop_end(e, &t);
    return build_helper_end(e, f, NULL, NULL);
}

static void cut_columns(const pooled *m, const task_split *cut, pooled_code *c) {
    int64_t count = ceil_div(m->n, PANEL_COLUMNS);
    c->width = cut->block_columns > 0 ? ceil_div(cut->block_columns, PANEL_COLUMNS) : count;
    if (c->width > count) c->width = count;
    c->inner = ceil_div(count, c->width);
}

static void emit_product(emit *e, pooled_code *c) {
    const kernel_site *s = c->s;
    const pooled *m = c->m;
    const schedule *plan = &s->variant->schedules[s->node];
    value x = graph_node(s->graph, s->node)->inputs[m->x + 1];
    c->tile = (panels){.name = "pooled",
                       .product = m->product,
                       .rows = block_tile_rows(s),
                       .columns = plan->tile_columns,
                       .k = m->k,
                       .lda = elem_bytes(m->product->left, s->variant->places[x].ld),
                       .ldc = 0, // the finish knows the texts' rows
                       .panel = packed_groups(m->product->right, m->k) * GROUP_BYTES,
                       .streams = plan->prefetch};
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        cut_columns(m, &plan->splits[class], c);
        panels_expect(&c->tile, c->width);
        panels_expect(&c->tile, ceil_div(m->n, PANEL_COLUMNS) - (c->inner - 1) * c->width);
    }
    epilogue_attach(&c->tile, &m->rows);
    panels_emit(e, &c->tile);
}

// A block of rows: all of the task's columns.
static void emit_block(emit *e, const pooled_code *c, const panels_args *task, LLVMValueRef args,
                       LLVMValueRef call, LLVMValueRef first, LLVMValueRef scratch) {
    const pooled *m = c->m;
    LLVMValueRef rows = build_call_size(e, call, SYM_T), left = LLVMBuildSub(e->b, rows, first, "");
    LLVMValueRef count = smaller(e, left, build_const_i64(e, c->block), false);
    LLVMValueRef texts[] = {call, first, count, scratch};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(c->texts), c->texts, texts, 4, "");
    panels_args v = *task;
    v.a = tile_at(e, task->a, tile_mul(e, first, c->tile.lda));
    v.rows = count;
    // Behind the last block come the next task's panels, behind another the same ones again.
    LLVMValueRef last = LLVMBuildICmp(e->b, LLVMIntSLE, left, build_const_i64(e, c->block), "");
    LLVMValueRef again = tile_at(e, v.b, tile_mul(e, v.from, c->tile.panel));
    v.after = LLVMBuildSelect(e->b, last, tile_at(e, v.b, tile_mul(e, v.to, c->tile.panel)), again, "");
    epilogue_extras(e, &m->rows, args, first, &v);
    v.extra[m->rows.count - 1] = scratch;
    panels_call(e, &c->tile, &v);
}

// Task number `task`: its columns of all texts.
static LLVMValueRef emit_kernel(emit *e, const pooled_code *c) {
    const pooled *m = c->m;
    LLVMValueRef f = build_function(e, "pooled", e->kernel_type), args = LLVMGetParam(f, 0);
    LLVMValueRef call = LLVMGetParam(f, 1), zero = build_const_i64(e, 0), scratch = LLVMGetParam(f, 3);
    LLVMValueRef from = tile_mul(e, LLVMGetParam(f, 2), c->width);
    LLVMValueRef all = build_const_i64(e, ceil_div(m->n, PANEL_COLUMNS)),
                 texts = build_call_size(e, call, SYM_S);
    LLVMValueRef to = smaller(e, LLVMBuildAdd(e->b, from, build_const_i64(e, c->width), ""), all, false);
    LLVMValueRef y = build_arg(e, args, graph_node(c->s->graph, c->s->node)->input_count);
    LLVMValueRef first = tile_mul(e, from, PANEL_COLUMNS), behind = tile_mul(e, to, PANEL_COLUMNS);
    LLVMValueRef begin[] = {tile_at(e, y, tile_mul(e, first, 4)), texts,
                            LLVMBuildSub(e->b, behind, first, "")};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(c->begin), c->begin, begin, 3, "");
    panels_args v = {
        .a = build_arg(e, args, m->x + 1), .b = build_arg(e, args, m->w + 1), .c = y, .from = from, .to = to};
    loop blocks = build_loop(e, zero, build_call_size(e, call, SYM_T), c->block, "block");
    emit_block(e, c, &v, args, call, blocks.index, scratch);
    build_loop_end(e, &blocks);
    LLVMValueRef end[] = {args, y, texts, first, behind};
    if (c->end) LLVMBuildCall2(e->b, LLVMGlobalGetValueType(c->end), c->end, end, 5, "");
    LLVMBuildRetVoid(e->b);
    return f;
}

static void emit_split(emit *e, pooled_code *c, const task_split *cut, kernel *out, int class) {
    const pooled *m = c->m;
    kernel_phase *phase = &out->phases[class][0];
    cut_columns(m, cut, c);
    out->phase_count[class] = 1;
    for (int like = 0; like < class; like++)
        if (out->phases[like][0].stream_step == c->width * c->tile.panel) *phase = out->phases[like][0];
    if (phase->function) return;
    int64_t wide = c->width < c->tile.widths[0] ? c->width : c->tile.widths[0];
    *phase = (kernel_phase){.function = emit_kernel(e, c),
                            .dim = SYM_T,
                            .unit = block_unit(c->s, 0),
                            .inner = c->inner,
                            .flops_row = (2.0 * (double)m->k + m->rows.op_count + 1) * (double)m->n,
                            .row_bytes = elem_bytes(m->product->left, m->k),
                            .stream = m->w + 1,
                            .stream_step = c->width * c->tile.panel,
                            .stream_bytes = c->tile.streams ? wide * c->tile.panel : 0,
                            .suffix = ""};
}

bool pooled_emit(emit *e, const kernel_site *s, kernel *out) {
    pooled m;
    if (!recognise(e, s, &m)) return false;
    const schedule *plan = &s->variant->schedules[s->node];
    pooled_code c = {.s = s, .m = &m, .block = plan->splits[0].block_rows};
    if (c.block <= 0 || c.block > BLOCK_ROWS) c.block = BLOCK_ROWS;
    c.block = round_up(c.block, m.product->rows);
    emit_product(e, &c);
    c.begin = emit_begin(e, &m);
    c.texts = emit_texts(e, &m);
    c.end = emit_end(e, &m);
    *out = (kernel){.scratch_bytes = round_up((c.block + m.product->rows) * 4, 64)};
    for (int class = 0; class < THREAD_CLASSES; class ++) emit_split(e, &c, &plan->splits[class], out, class);
    return true;
}
