// The mlp family: two products in one kernel, so that the hidden rows between them never leave the cache.
//
//   y[X,N] = norm(after(f(x[X,K] w1[K,H]) w2[H,N]))        f, after: pointwise, as in the matmul family
//
//   for each SLICE_ROWS rows of the task:
//     for each slice of schedule.chunk hidden columns:   h = f(x w1[:, slice])      in scratch
//                                                        y += h w2[slice, :]        in the result's own rows
//     the last slice's tiles finish with `after`; then the norm
//
// The second product takes its k in the same order as a matmul kernel would, y holding the sums between
// slices, so the bits are those of two kernels.
#include "backend/matmul/blocks.h"

// Rows that share a slice of the hidden columns: SLICE_ROWS x 768 floats fit in L2.
#define SLICE_ROWS 128

typedef struct mlp {
    sym dim;
    int x, w1, w2; // operands
    int64_t k, hidden, n;
    epilogue between;
    product_end end;
} mlp;

static bool packed(const kernel_site *s, int operand, int64_t *k, int64_t *n) {
    const type *t = graph_type(s->graph, graph_node(s->graph, s->node)->inputs[operand]);
    if (t->e != ELEM_F32 || t->rank != 2 || t->layout != LAYOUT_PACKED) return false;
    *k = t->d[0].n;
    *n = t->d[1].n;
    return t->d[0].s == SYM_NONE && t->d[1].s == SYM_NONE && *k > 0 && *n > 0;
}

static bool find_products(const graph *body, value *anchors) {
    int n = 0;
    for (value v = 0; v < body->count; v++) {
        if (graph_node(body, v)->op != OP_matmul) continue;
        if (n == 2) return false;
        anchors[n++] = v;
    }
    return n == 2;
}

// Marks what depends on value `from` of the body.
static bool *mark_below(arena *a, const graph *body, value from) {
    bool *below = ARENA_ARRAY(a, bool, body->count);
    for (value v = from; v < body->count; v++) {
        const node *n = graph_node(body, v);
        below[v] = v == from;
        for (int i = 0; i < n->input_count; i++) below[v] |= below[n->inputs[i]];
    }
    return below;
}

// Results that don't follow from the second product are hidden rows: the first one's tiles store them.
static bool collect_results(arena *a, const kernel_site *s, const value *anchors, mlp *m) {
    const node *n = graph_node(s->graph, s->node);
    const graph *body = n->body;
    const bool *below = mark_below(a, body, anchors[1]);
    int count, stored = 0;
    const kernel_result *r = kernel_results(a, s, &count);
    bool *last = ARENA_ARRAY(a, bool, count);
    epilogue_store *stores = ARENA_ARRAY(a, epilogue_store, count);
    for (int i = 0; i < count; i++) {
        last[i] = below[r[i].yield];
        if (!last[i]) stores[stored++] = (epilogue_store){r[i].yield, r[i].arg, r[i].ld};
    }
    value hidden = graph_node(body, anchors[1])->inputs[0];
    product_sums sums;
    return epilogue_collect(s, body, n->inputs, anchors[0], hidden, stored, stores, &m->between) &&
           sums_collect(body, anchors[1], &sums) && product_end_collect(a, s, &sums, last, &m->end);
}

static bool recognise(arena *a, const kernel_site *s, mlp *m) {
    const node *n = graph_node(s->graph, s->node);
    *m = (mlp){0};
    value anchors[2];
    if (n->op != OP_fuse || !find_products(n->body, anchors)) return false;
    const graph *body = n->body;
    const node *up = graph_node(body, anchors[0]), *down = graph_node(body, anchors[1]);
    const node *x = graph_node(body, up->inputs[0]);
    if (x->op != OP_param || graph_node(body, up->inputs[1])->op != OP_param ||
        graph_node(body, down->inputs[1])->op != OP_param)
        return false;
    m->x = up->inputs[0];
    m->w1 = up->inputs[1];
    m->w2 = down->inputs[1];
    int64_t hidden;
    if (!packed(s, m->w1, &m->k, &m->hidden) || !packed(s, m->w2, &hidden, &m->n)) return false;
    m->dim = x->type.d[0].s;
    if (x->type.e != ELEM_F32 || x->type.rank != 2 || x->type.layout != LAYOUT_ROW || x->type.d[0].n != 0)
        return false;
    if (m->dim != SYM_T && m->dim != SYM_S && m->dim != SYM_R) return false;
    if (node_is_constant(graph_node(s->graph, n->inputs[m->x])) || hidden != m->hidden) return false;
    return collect_results(a, s, anchors, m);
}

bool mlp_accepts(const emit *e, const kernel_site *s) {
    mlp m;
    return recognise(e->arena, s, &m);
}

// The products of a node.
typedef struct mlp_code {
    int64_t chunk, slices, last; // hidden columns of a slice, slices, columns of the last
    int64_t rows;                // SLICE_ROWS in whole row tiles
    panels up;
    panels first, middle, end; // of the slices of the second product; `end` alone where there is one slice
    LLVMValueRef tail;
    int64_t hidden_bytes, tail_scratch,
        scratch_bytes; // where C and the tail's begin in scratch, and all of it
} mlp_code;

static void emit_products(emit *e, const kernel_site *s, const mlp *m, mlp_code *p) {
    const schedule *plan = &s->variant->schedules[s->node];
    const place *places = s->variant->places;
    int64_t tail_bytes = 0;
    *p = (mlp_code){.chunk = round_up(plan->chunk > 0 ? plan->chunk : m->hidden, PANEL_COLUMNS)};
    p->slices = (m->hidden + p->chunk - 1) / p->chunk;
    p->last = m->hidden - (p->slices - 1) * p->chunk;
    p->rows = round_up(SLICE_ROWS, s->variant->row_tile);
    int tile_rows = block_tile_rows(s);
    p->up = (panels){.name = "mlp.up",
                     .product = target_product_find(e->target, ELEM_F32, ELEM_F32),
                     .rows = tile_rows,
                     .columns = plan->tile_columns,
                     .k = m->k,
                     .lda = places[graph_node(s->graph, s->node)->inputs[m->x]].ld * 4,
                     .ldc = p->chunk * 4,
                     .panel = m->k * PANEL_COLUMNS * 4,
                     .streams = plan->prefetch};
    epilogue_attach(&p->up, &m->between);
    panels down = {.name = "mlp.down",
                   .product = target_product_find(e->target, ELEM_F32, ELEM_F32),
                   .rows = tile_rows,
                   .columns = plan->tile_columns,
                   .k = p->chunk,
                   .lda = p->chunk * 4,
                   .ldc = m->end.ldc * 4,
                   .panel = m->hidden * PANEL_COLUMNS * 4,
                   .streams = plan->prefetch};
    panels_expect(&down, ceil_div(m->n, PANEL_COLUMNS));
    p->first = p->middle = p->end = down;
    p->middle.accumulate = true;
    p->end.accumulate = p->slices > 1;
    p->end.k = p->last;
    epilogue_attach(&p->end, &m->end.after);
    panels_expect(&p->up, p->chunk / PANEL_COLUMNS);
    panels_expect(&p->up, ceil_div(p->last, PANEL_COLUMNS));
    panels_emit(e, &p->up);
    panels_emit(e, &p->end);
    if (p->slices > 1) panels_emit(e, &p->first);
    if (p->slices > 2) panels_emit(e, &p->middle);
    if (m->end.count) p->tail = tail_emit(e, &m->end, "norm.rows", &tail_bytes);
    p->hidden_bytes = p->rows * p->chunk * 4;
    p->tail_scratch = p->hidden_bytes + product_end_scratch(&m->end, s->variant->row_tile);
    p->scratch_bytes = p->tail_scratch + tail_bytes;
}

// The rows that the kernel is working on: `rows` of them from row `row` of X on.
typedef struct row_block {
    LLVMValueRef args, scratch, row, rows;
} row_block;

static LLVMValueRef rows_at(emit *e, const row_block *a, int operand, int64_t ld) {
    return tile_at(e, build_arg(e, a->args, operand), tile_mul(e, a->row, ld));
}

// Of the second product: a result's, or behind the hidden rows in scratch.
static LLVMValueRef result_rows(emit *e, const mlp *m, const mlp_code *p, const row_block *a) {
    return product_end_c(e, &m->end, a->args, a->row, tile_at_constant(e, a->scratch, p->hidden_bytes));
}

// The slice of `columns` hidden columns from column `from` (i64) on.
static void slice(emit *e, const mlp *m, const mlp_code *p, const row_block *a, LLVMValueRef from,
                  int64_t columns, const panels *down) {
    LLVMValueRef w1 = build_arg(e, a->args, m->w1);
    LLVMValueRef w2 = tile_at(e, build_arg(e, a->args, m->w2), tile_mul(e, from, PANEL_COLUMNS * 4));
    LLVMValueRef first = LLVMBuildUDiv(e->b, from, build_const_i64(e, PANEL_COLUMNS), "");
    int64_t count = ceil_div(columns, PANEL_COLUMNS);
    LLVMValueRef next = LLVMBuildAdd(e->b, first, build_const_i64(e, count), "");
    panels_args v = {.a = rows_at(e, a, m->x, p->up.lda),
                     .b = w1,
                     // column `from` of C is the slice's first
                     .c = tile_at(e, a->scratch, tile_mul(e, from, -4)),
                     .rows = a->rows,
                     .from = first,
                     .to = next,
                     .after = w2};
    epilogue_extras(e, &m->between, a->args, a->row, &v);
    panels_call(e, &p->up, &v);
    v = (panels_args){.a = a->scratch,
                      .b = w2,
                      .c = result_rows(e, m, p, a),
                      .rows = a->rows,
                      .from = build_const_i64(e, 0),
                      .to = build_const_i64(e, ceil_div(m->n, PANEL_COLUMNS)),
                      .after = tile_at(e, w1, tile_mul(e, next, p->up.panel))};
    if (down == &p->end) epilogue_extras(e, &m->end.after, a->args, a->row, &v);
    panels_call(e, down, &v);
}

static void slices(emit *e, const mlp *m, const mlp_code *p, const row_block *a) {
    LLVMValueRef last = build_const_i64(e, (p->slices - 1) * p->chunk);
    if (p->slices > 1) slice(e, m, p, a, build_const_i64(e, 0), p->chunk, &p->first);
    if (p->slices > 2) {
        loop l = build_loop(e, build_const_i64(e, p->chunk), last, p->chunk, "slice");
        slice(e, m, p, a, l.index, p->chunk, &p->middle);
        build_loop_end(e, &l);
    }
    slice(e, m, p, a, last, p->last, &p->end);
}

static LLVMValueRef emit_kernel(emit *e, const mlp *m, const mlp_code *p, int64_t unit) {
    LLVMValueRef f = build_function(e, "mlp", e->kernel_type);
    row_block a = {.args = LLVMGetParam(f, 0), .scratch = LLVMGetParam(f, 3)};
    block x = block_rows(e, LLVMGetParam(f, 1), m->dim, unit, LLVMGetParam(f, 2));
    LLVMValueRef end = LLVMBuildAdd(e->b, x.first, x.count, "");
    loop l = build_loop(e, x.first, end, p->rows, "rows");
    a.row = l.index;
    LLVMValueRef left = LLVMBuildSub(e->b, end, l.index, ""), most = build_const_i64(e, p->rows);
    a.rows = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, left, most, ""), left, most, "");
    slices(e, m, p, &a);
    if (p->tail) {
        LLVMValueRef c = result_rows(e, m, p, &a);
        LLVMValueRef scratch = tile_at_constant(e, a.scratch, p->tail_scratch);
        tail_call(e, &m->end, p->tail, &(tail_rows){a.args, c, a.row, a.rows, scratch});
    }
    build_loop_end(e, &l);
    LLVMBuildRetVoid(e->b);
    return f;
}

bool mlp_emit(emit *e, const kernel_site *s, kernel *out) {
    mlp m;
    if (!recognise(e->arena, s, &m)) return false;
    mlp_code p;
    emit_products(e, s, &m, &p);
    *out = (kernel){.scratch_bytes = p.scratch_bytes};
    double flops = 2.0 * (double)m.hidden * (double)(m.k + m.n) +
                   (double)m.between.op_count * (double)m.hidden +
                   (double)m.end.after.op_count * (double)m.n + m.end.flops;
    int64_t bytes = (m.k + m.between.store_count * m.hidden) * 4 + product_end_bytes(&m.end);
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        // Both products want the whole of a row: tasks are rows, whatever the form.
        int64_t unit = block_unit(s, s->variant->schedules[s->node].splits[class].block_rows);
        kernel_phase *phase = &out->phases[class][0];
        for (int like = 0; like < class; like++) {
            if (out->phases[like][0].unit == unit) *phase = out->phases[like][0];
        }
        out->phase_count[class] = 1;
        if (phase->function) continue;
        *phase = (kernel_phase){.function = emit_kernel(e, &m, &p, unit),
                                .dim = m.dim,
                                .unit = unit,
                                .inner = 1,
                                .flops_row = flops,
                                .row_bytes = bytes,
                                .suffix = ""};
    }
    return true;
}
