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
//
// Element types are those of rows of kernels.def, as in the matmul family. Of 8 bits, a slice is a group of hidden columns,
// and is quantised once the first product has made it, each row with a scale of its own:
//
//   scratch   | hidden rows | quantised rows, scales | C, where no result holds it | the tail's |
#include "backend/emit/view.h"
#include "backend/matmul/blocks.h"
#include "backend/matmul/group_rows.h"

// Rows that share a slice of the hidden columns: SLICE_ROWS x 768 floats fit in L2.
#define SLICE_ROWS 128

typedef struct mlp {
    sym dim;
    int x, w1, w2; // operands
    const target_product *up, *down;
    int64_t k, hidden, n;
    value quantized; // the hidden rows that the second product reads, of 8 bits; else VALUE_NONE
    product_sums sums[2];
    epilogue between;
    product_end end;
} mlp;

static bool is_param(const graph *body, value v) {
    return graph_node(body, v)->op == OP_param;
}

// The packed weight that v is, perhaps cast to f32; its product with `left`.
static const target_product *packed(const emit *e, const kernel_site *s, value v, elem left, int *operand,
                                    int64_t *k, int64_t *n) {
    const node *fuse = graph_node(s->graph, s->node), *w = graph_node(fuse->body, v);
    bool widens = w->op == OP_cast && w->type.e == ELEM_F32;
    *operand = widens ? w->inputs[0] : v;
    if (!is_param(fuse->body, *operand)) return NULL;
    const type *t = graph_type(s->graph, fuse->inputs[*operand]);
    if (t->rank != 2 || t->layout != LAYOUT_PACKED || t->d[0].s || t->d[1].s) return NULL;
    *k = t->d[0].n;
    *n = t->d[1].n;
    const target_product *product = target_product_find(e->target, left, t->e);
    bool fits = product && widens == (product->step == STEP_WIDEN) && *k > 0 && *n > 0;
    return fits ? product : NULL;
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
    value hidden = m->quantized == VALUE_NONE ? graph_node(body, anchors[1])->inputs[0]
                                              : graph_node(body, m->quantized)->inputs[0];
    return epilogue_collect_sums(s, body, n->inputs, &m->sums[0], hidden, stored, stores, &m->between) &&
           product_end_collect(a, s, &m->sums[1], last, &m->end);
}

// The sums of both products, and what quantises the hidden rows, in the groups of the second one, with its scales.
static bool find_sums(const graph *body, const value *anchors, mlp *m) {
    for (int i = 0; i < 2; i++)
        if (!sums_collect(body, anchors[i], &m->sums[i])) return false;
    m->sums[1].in_parts = true;
    const product_sums *first = &m->sums[0], *second = &m->sums[1];
    if (first->groups > 1 || (first->scales != VALUE_NONE && !is_param(body, first->scales))) return false;
    value left = graph_node(body, anchors[1])->inputs[0];
    const node *q = graph_node(body, left);
    m->quantized = VALUE_NONE;
    if (second->scales == VALUE_NONE) return true;
    const node *s = graph_node(body, second->scales);
    if (q->op != OP_quantize || s->op != OP_scales || q->inputs[1] != second->scales ||
        s->inputs[0] != q->inputs[0])
        return false;
    m->quantized = left;
    return node_attr(s, ATTR_group)->u.i == second->group && node_attr(q, ATTR_group)->u.i == second->group &&
           (second->groups == 1 ||
            (second->group % PANEL_COLUMNS == 0 && second->group % tile_stretch(m->down) == 0));
}

static bool recognise(const emit *e, arena *a, const kernel_site *s, mlp *m) {
    const node *n = graph_node(s->graph, s->node);
    *m = (mlp){0};
    value anchors[2];
    if (n->op != OP_fuse || !find_products(n->body, anchors)) return false;
    const graph *body = n->body;
    const node *up = graph_node(body, anchors[0]), *down = graph_node(body, anchors[1]);
    const node *x = graph_node(body, up->inputs[0]);
    if (x->op != OP_param) return false;
    m->x = up->inputs[0];
    elem between = graph_type(body, down->inputs[0])->e;
    int64_t hidden;
    m->up = packed(e, s, up->inputs[1], x->type.e, &m->w1, &m->k, &m->hidden);
    m->down = packed(e, s, down->inputs[1], between, &m->w2, &hidden, &m->n);
    if (!m->up || !m->down || !find_sums(body, anchors, m)) return false;
    if (!sums_hold(m->up, s->graph, n->inputs[m->x]) || !sums_hold(m->down, body, down->inputs[0]))
        return false;
    m->dim = x->type.d[0].s;
    if (x->type.rank != 2 || x->type.layout != LAYOUT_ROW || x->type.d[0].n != 0) return false;
    if (m->dim != SYM_T && m->dim != SYM_S && m->dim != SYM_R) return false;
    if (node_is_constant(graph_node(s->graph, n->inputs[m->x])) || hidden != m->hidden) return false;
    if (!collect_results(a, s, anchors, m)) return false;
    return m->quantized == VALUE_NONE || epilogue_find_magnitudes(&m->between);
}

bool mlp_accepts(const emit *e, const kernel_site *s) {
    mlp m;
    return recognise(e, e->arena, s, &m);
}

// The products of a node.
typedef struct mlp_code {
    int64_t chunk, slices, last; // hidden columns of a slice, slices, columns of the last
    int64_t rows;                // SLICE_ROWS in whole row tiles
    panels up;
    panels first, middle, end; // of the slices of the second product; `end` alone where there is one slice
    epilogue parts[2];         // of the first and the middle
    group_rows quantize;       // of a slice
    LLVMValueRef tail;
    // Bytes of a hidden row, and of a quantised one. Where those, the scales, the magnitudes, C and the tail's begin in
    // scratch, and all of it.
    int64_t hidden_row, quantized_row, quantized, scales, magnitudes, c, tail_scratch, scratch_bytes;
} mlp_code;

// Where things lie in scratch.
static void lay_out(const kernel_site *s, const mlp *m, mlp_code *p, int64_t tail_bytes) {
    bool quantizes = m->quantized != VALUE_NONE;
    p->quantized = p->rows * p->hidden_row;
    p->scales = p->quantized + (quantizes ? p->rows * p->quantized_row : 0);
    p->magnitudes = p->scales + (quantizes ? round_up(p->rows * 4, PLACE_ALIGNMENT) : 0);
    p->c = p->magnitudes + (quantizes ? p->rows * MAGNITUDE_BYTES : 0);
    p->tail_scratch = p->c + product_end_scratch(&m->end, round_up(SCRATCH_ROWS, s->variant->row_tile));
    p->scratch_bytes = p->tail_scratch + tail_bytes;
}

// The second product's slices: sums of 8 bits are scaled in each, others go on from what C holds.
static void emit_down(emit *e, mlp *m, mlp_code *p, const panels *down) {
    bool scaled = m->end.after.scales;
    panels *parts[] = {&p->first, &p->middle};
    m->end.after.resumes = scaled && p->slices > 1;
    p->end = *down;
    p->end.accumulate = !scaled && p->slices > 1;
    p->end.k = p->last;
    epilogue_attach(&p->end, &m->end.after);
    panels_emit(e, &p->end);
    for (int i = 0; i < 2 && p->slices > 1 + i; i++) {
        *parts[i] = *down;
        parts[i]->accumulate = !scaled && i > 0;
        p->parts[i] = m->end.after;
        p->parts[i].resumes = i > 0;
        p->parts[i].pauses = true;
        if (scaled) epilogue_attach(parts[i], &p->parts[i]);
        panels_emit(e, parts[i]);
    }
}

// Bytes from row to row, of rows of `bytes` bytes that the second product reads. AMX loads 16 of them at once, which go to
// few sets of the cache unless they are an odd number of lines apart.
static int64_t read_row(const target_product *product, int64_t bytes) {
    int64_t lines = ceil_div(bytes, PLACE_ALIGNMENT);
    return product->step == STEP_TILES ? (lines | 1) * PLACE_ALIGNMENT : bytes;
}

static void emit_products(emit *e, const kernel_site *s, mlp *m, mlp_code *p) {
    const schedule *plan = &s->variant->schedules[s->node];
    const place *places = s->variant->places;
    int64_t tail_bytes = 0, chunk = plan->chunk > 0 ? plan->chunk : m->hidden;
    bool quantizes = m->quantized != VALUE_NONE;
    if (quantizes) chunk = m->sums[1].group;
    int64_t stretch = quantizes ? 1 : tile_stretch(m->down);
    *p = (mlp_code){.chunk = round_up(chunk, stretch > PANEL_COLUMNS ? stretch : PANEL_COLUMNS)};
    p->hidden_row = read_row(m->down, p->chunk * epilogue_c_size(&m->between));
    p->quantized_row = read_row(m->down, round_up(p->chunk, PLACE_ALIGNMENT));
    p->slices = (m->hidden + p->chunk - 1) / p->chunk;
    p->last = m->hidden - (p->slices - 1) * p->chunk;
    p->rows = round_up(SLICE_ROWS, s->variant->row_tile);
    int tile_rows = block_tile_rows(s);
    p->up = (panels){.name = "mlp.up",
                     .product = m->up,
                     .rows = tile_rows,
                     .columns = plan->tile_columns,
                     .k = m->k,
                     .lda = elem_bytes(m->up->left, places[graph_node(s->graph, s->node)->inputs[m->x]].ld),
                     .ldc = p->hidden_row,
                     .panel = packed_groups(m->up->right, m->k) * GROUP_BYTES,
                     .streams = plan->prefetch};
    epilogue_attach(&p->up, &m->between);
    panels down = {.name = "mlp.down",
                   .product = m->down,
                   .rows = tile_rows,
                   .columns = plan->tile_columns,
                   .k = p->chunk,
                   .lda = quantizes ? p->quantized_row : p->hidden_row,
                   .ldc = product_end_row(&m->end),
                   .panel = packed_groups(m->down->right, m->hidden) * GROUP_BYTES,
                   .streams = plan->prefetch};
    panels_expect(&down, ceil_div(m->n, PANEL_COLUMNS));
    panels_expect(&p->up, p->chunk / PANEL_COLUMNS);
    panels_expect(&p->up, ceil_div(p->last, PANEL_COLUMNS));
    panels_emit(e, &p->up);
    emit_down(e, m, p, &down);
    if (quantizes) {
        p->quantize = (group_rows){.body = graph_node(s->graph, s->node)->body,
                                   .quantize = m->quantized,
                                   .columns = p->chunk,
                                   .row = p->hidden_row,
                                   .quantized_row = p->quantized_row,
                                   .scale_row = 4};
        group_rows_emit(e, &p->quantize);
    }
    if (m->end.count) p->tail = tail_emit(e, &m->end, "norm.rows", &tail_bytes);
    lay_out(s, m, p, tail_bytes);
}

// The rows that the kernel is working on: `rows` of them from row `row` of X on.
typedef struct row_block {
    LLVMValueRef args, scratch, row, rows;
} row_block;

static LLVMValueRef rows_at(emit *e, const row_block *a, int operand, int64_t ld) {
    return tile_at_step(e, build_arg(e, a->args, operand), a->row, ld);
}

// Of the second product: a result's, or behind the hidden rows in scratch.
static LLVMValueRef result_rows(emit *e, const mlp *m, const mlp_code *p, const row_block *a) {
    return product_end_c(e, &m->end, a->args, a->row, tile_at_constant(e, a->scratch, p->c));
}

// The slice of `columns` hidden columns from column `from` (i64) on.
static void slice(emit *e, const mlp *m, const mlp_code *p, const row_block *a, LLVMValueRef from,
                  int64_t columns, const panels *down) {
    LLVMValueRef w1 = build_arg(e, a->args, m->w1), hidden = a->scratch;
    LLVMValueRef w2 = tile_at_step(e, build_arg(e, a->args, m->w2), from, GROUP_BYTES / m->down->group);
    LLVMValueRef first = LLVMBuildUDiv(e->b, from, build_const_i64(e, PANEL_COLUMNS), "");
    int64_t count = ceil_div(columns, PANEL_COLUMNS);
    LLVMValueRef next = LLVMBuildAdd(e->b, first, build_const_i64(e, count), "");
    panels_args v = {.a = rows_at(e, a, m->x, p->up.lda),
                     .b = w1,
                     // column `from` of C is the slice's first
                     .c = tile_at(e, a->scratch, tile_mul(e, from, -epilogue_c_size(&m->between))),
                     .rows = a->rows,
                     .from = first,
                     .to = next,
                     .after = w2};
    epilogue_extras(e, &m->between, a->args, a->row, &v);
    LLVMValueRef scales = tile_at_constant(e, a->scratch, p->scales),
                 magnitudes = tile_at_constant(e, a->scratch, p->magnitudes);
    bool quantizes = m->quantized != VALUE_NONE;
    if (quantizes) {
        v.extra[m->between.magnitudes] = magnitudes;
        group_rows_clear(e, magnitudes, a->rows);
    }
    panels_call(e, &p->up, &v);
    if (quantizes) {
        hidden = tile_at_constant(e, a->scratch, p->quantized);
        group_rows_quantize(e, &p->quantize, a->scratch, hidden, scales, magnitudes, a->rows);
    }
    v = (panels_args){.a = hidden,
                      .b = w2,
                      .c = result_rows(e, m, p, a),
                      .rows = a->rows,
                      .from = build_const_i64(e, 0),
                      .to = build_const_i64(e, ceil_div(m->n, PANEL_COLUMNS)),
                      .after = tile_at(e, w1, tile_mul(e, next, p->up.panel))};
    if (down == &p->end || quantizes) epilogue_extras(e, &m->end.after, a->args, a->row, &v);
    if (quantizes) {
        v.extra[1] = scales;
        epilogue_extras_group(e, &m->end.after, LLVMBuildUDiv(e->b, from, build_const_i64(e, p->chunk), ""),
                              &v);
    }
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

// AMX's last step reads whole lines of hidden rows, and not all that lies in scratch is a number in bf16. What a slice leaves
// beside the next one's columns is.
static void clear_hidden(emit *e, const mlp *m, const mlp_code *p, LLVMValueRef scratch) {
    bool lines = m->down->step == STEP_TILES && m->quantized == VALUE_NONE;
    if (!lines || m->hidden % tile_stretch(m->down) == 0) return;
    LLVMValueRef size = build_const_i64(e, p->rows * p->hidden_row);
    loop l = build_loop(e, build_const_i64(e, 0), size, e->width * 4, "clear");
    build_store(e, LLVMConstNull(e->vf), tile_at(e, scratch, l.index), (unsigned)e->width * 4);
    build_loop_end(e, &l);
}

static LLVMValueRef emit_kernel(emit *e, const kernel_site *s, const mlp *m, const mlp_code *p,
                                int64_t unit) {
    LLVMValueRef f = build_function(e, "mlp", e->kernel_type);
    row_block a = {.args = LLVMGetParam(f, 0), .scratch = LLVMGetParam(f, 3)};
    int64_t up = block_step(s, p->up.product), down = block_step(s, p->end.product);
    block x = block_rows(e, LLVMGetParam(f, 1), m->dim, unit, up > down ? up : down, LLVMGetParam(f, 2));
    LLVMValueRef end = LLVMBuildAdd(e->b, x.first, x.count, "");
    clear_hidden(e, m, p, a.scratch);
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
    if (!recognise(e, e->arena, s, &m)) return false;
    mlp_code p;
    emit_products(e, s, &m, &p);
    *out = (kernel){.scratch_bytes = p.scratch_bytes};
    double flops = 2.0 * (double)m.hidden * (double)(m.k + m.n) +
                   (double)m.between.op_count * (double)m.hidden +
                   (double)m.end.after.op_count * (double)m.n + m.end.flops;
    int64_t bytes = elem_bytes(m.up->left, m.k) + product_end_bytes(&m.end);
    for (int i = 0; i < m.between.store_count; i++)
        bytes += elem_bytes(m.between.extras[m.between.count + i].e, m.hidden);
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        // Both products want the whole of a row: tasks are rows, whatever the form.
        int64_t unit = block_unit(s, s->variant->schedules[s->node].splits[class].block_rows);
        kernel_phase *phase = &out->phases[class][0];
        for (int like = 0; like < class; like++) {
            if (out->phases[like][0].unit == unit) *phase = out->phases[like][0];
        }
        out->phase_count[class] = 1;
        if (phase->function) continue;
        *phase = (kernel_phase){.function = emit_kernel(e, s, &m, &p, unit),
                                .dim = m.dim,
                                .unit = unit,
                                .inner = 1,
                                .flops_row = flops,
                                .row_bytes = bytes,
                                .suffix = ""};
    }
    return true;
}
