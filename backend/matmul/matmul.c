// The matmul family: a product with a packed weight, pointwise ops on its sums, and a norm over its
// rows.
//
//   y[X,N] = norm(pointwise(x[X,K] w[K,N], vectors [N], rows [X,N], scalars))      X: T, S or R
//   y[X,N] = select(compare(numbers [X], a number), pointwise(...), 0)             skips other rows
//
//   FORM_ROWS      tasks own whole rows; a task norms its rows after its last panel, while hot
//   FORM_COLUMNS   tasks are row block x column block; the norm is a phase of its own
//
// The order of each sum is the same in both, and so are the bits.
#include "backend/matmul/blocks.h"

// The parts of a node of this family.
typedef struct matmul {
    sym dim;
    int x, w; // operands
    const target_product *product;
    int64_t k, n;
    int64_t parts, blocks; // w is `parts` matrices side by side, each with `blocks` blocks down its diagonal
    epilogue after;
    row_norm norm;
    row_choice choice;
} matmul;

static bool operands_fit(const emit *e, const kernel_site *s, matmul *m) {
    const node *n = graph_node(s->graph, s->node);
    const node *x = graph_node(s->graph, n->inputs[m->x]);
    const type *w = graph_type(s->graph, n->inputs[m->w]);
    const type *t = &x->type;
    m->product = target_product_find(e->target, t->e, w->e);
    if (!m->product) return false;
    if (t->rank != 2 || t->layout != LAYOUT_ROW || node_is_constant(x)) return false;
    if (w->rank != 2 || w->layout != LAYOUT_PACKED || w->d[0].s != SYM_NONE) return false;
    m->dim = t->d[0].s;
    m->k = w->d[0].n;
    m->n = w->d[1].n;
    return t->d[0].n == 0 && (m->dim == SYM_T || m->dim == SYM_S || m->dim == SYM_R) && m->k > 0 && m->n > 0;
}

static void find_blocks(const node *product, matmul *m) {
    const attr *a = node_attr(product, ATTR_blocks);
    m->parts = a ? a->u.ints[0] : 1;
    m->blocks = a ? a->u.ints[1] : 1;
}

static bool recognise(const emit *e, const kernel_site *s, matmul *m) {
    const node *n = graph_node(s->graph, s->node);
    *m = (matmul){.norm = {.op = OP_COUNT, .beta = -1}};
    if (!kernel_has_one_result(s)) return false;
    if (n->op == OP_matmul) {
        m->w = 1;
        if (!operands_fit(e, s, m)) return false;
        find_blocks(n, m);
        return true;
    }
    if (n->op != OP_fuse) return false;
    const graph *body = n->body;
    value anchor = VALUE_NONE;
    for (value v = 0; v < body->count; v++) {
        if (graph_node(body, v)->op != OP_matmul) continue;
        if (anchor != VALUE_NONE) return false;
        anchor = v;
    }
    if (anchor == VALUE_NONE) return false;
    const node *a = graph_node(body, anchor);
    if (graph_node(body, a->inputs[0])->op != OP_param || graph_node(body, a->inputs[1])->op != OP_param)
        return false;
    m->x = a->inputs[0];
    m->w = a->inputs[1];
    value result = row_choice_collect(body, body->outputs[0].value, &m->choice);
    if (!m->choice.body) result = row_norm_collect(body, result, &m->norm);
    if (!operands_fit(e, s, m)) return false;
    find_blocks(a, m);
    return epilogue_collect(s, body, n->inputs, anchor, result, &m->after);
}

bool matmul_accepts(const emit *e, const kernel_site *s) {
    matmul m;
    return recognise(e, s, &m);
}

// The blocks of w are multiplied one by one if each tile of columns, and each four steps of k, lie in one
// block; else w is multiplied whole.
static void keep_blocks(const emit *e, const kernel_site *s, matmul *m) {
    int64_t planned = s->variant->schedules[s->node].tile_columns, columns = m->n / m->parts / m->blocks;
    int64_t widest = (int64_t)tile_vectors(e, m->product, block_tile_rows(s), planned) * e->width;
    if (widest < PANEL_COLUMNS) widest = PANEL_COLUMNS;
    if (planned < 1 || columns % planned || columns % widest || m->k / m->blocks % 4)
        m->parts = m->blocks = 1;
}

static panels product(const kernel_site *s, const matmul *m) {
    const node *n = graph_node(s->graph, s->node);
    const schedule *plan = &s->variant->schedules[s->node];
    panels p = {.name = "matmul",
                .product = m->product,
                .rows = block_tile_rows(s),
                .columns = plan->tile_columns,
                .k = m->k / m->blocks,
                .lda = s->variant->places[n->inputs[m->x]].ld,
                .ldc = s->variant->places[s->node].ld,
                .panel = m->k * PANEL_COLUMNS * 4,
                .streams = plan->prefetch,
                .next = plan->prefetch > 0 && m->k / m->blocks >= 16, // at least one line of each panel
                .finish = m->after.count || m->after.op_count ? epilogue_finish : NULL,
                .context = (void *)&m->after,
                .extra_count = m->after.count,
                .block_columns = m->blocks > 1 ? m->n / m->parts / m->blocks : 0,
                .part_columns = m->n / m->parts,
                .choice = m->choice};
    for (int i = 0; i < p.extra_count; i++) p.extras[i] = m->after.extras[i];
    return p;
}

// Zeros in the task's rows that are not chosen.
static void clear_rows(emit *e, LLVMValueRef clear, const panels_args *v, LLVMValueRef rows) {
    LLVMValueRef columns = tile_mul(e, LLVMBuildSub(e->b, v->to, v->from, ""), PANEL_COLUMNS);
    LLVMValueRef args[] = {v->numbers, rows, tile_at(e, v->c, tile_mul(e, v->from, PANEL_COLUMNS * 4)),
                           columns};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(clear), clear, args, 4, "");
}

// One task: row block task / inner, column block task % inner (of `width` panels).
static LLVMValueRef emit_kernel(emit *e, const kernel_site *s, const matmul *m, const panels *p, int64_t unit,
                                int64_t width, int64_t inner, LLVMValueRef last) {
    const node *n = graph_node(s->graph, s->node);
    int64_t count = ceil_div(m->n, PANEL_COLUMNS);
    LLVMValueRef f = build_function(e, "matmul", e->kernel_type);
    LLVMValueRef args = LLVMGetParam(f, 0), task = LLVMGetParam(f, 2), per = build_const_i64(e, inner);
    block x = block_rows(e, s, LLVMGetParam(f, 1), m->dim, unit, LLVMBuildUDiv(e->b, task, per, ""));
    LLVMValueRef from = tile_mul(e, LLVMBuildURem(e->b, task, per, ""), width),
                 panel_count = build_const_i64(e, count);
    LLVMValueRef to = LLVMBuildAdd(e->b, from, build_const_i64(e, width), "");
    LLVMValueRef ends = LLVMBuildICmp(e->b, LLVMIntSGE, to, panel_count, "");
    to = LLVMBuildSelect(e->b, ends, panel_count, to, "");
    LLVMValueRef b = build_arg(e, args, m->w);
    // The next task's panels: the following ones, or the first ones where another block of rows follows.
    // After the matrix come weights that a later phase reads.
    LLVMValueRef again = LLVMBuildAnd(e->b, ends, LLVMBuildNot(e->b, x.last, ""), "");
    LLVMValueRef behind = tile_at(e, b, tile_mul(e, to, p->panel));
    panels_args v = {.a = tile_at(e, build_arg(e, args, m->x), tile_mul(e, x.first, p->lda * 4)),
                     .b = b,
                     .c = tile_at(e, build_arg(e, args, n->input_count), tile_mul(e, x.first, p->ldc * 4)),
                     .tiles = LLVMBuildUDiv(e->b, x.count, build_const_i64(e, p->rows), ""),
                     .from = from,
                     .to = to,
                     .after = LLVMBuildSelect(e->b, again, b, behind, ""),
                     .next = LLVMGetParam(f, 4),
                     .next_bytes = LLVMGetParam(f, 5)};
    for (int i = 0; i < p->extra_count; i++) {
        v.extra[i] = build_arg(e, args, m->after.params[i]);
        if (p->extras[i].kind == EXTRA_ROWS)
            v.extra[i] = tile_at(e, v.extra[i], tile_mul(e, x.first, p->extras[i].ld * 4));
    }
    if (m->choice.body) v.numbers = tile_at(e, build_arg(e, args, m->choice.param), tile_mul(e, x.first, 4));
    panels_call(e, p, &v);
    if (m->choice.body)
        clear_rows(e, last, &v, x.count);
    else if (last)
        row_norm_call(e, &m->norm, last, v.c, x.count, args);
    LLVMBuildRetVoid(e->b);
    return f;
}

static int64_t row_bytes(const matmul *m) {
    int64_t floats = m->k + m->n;
    for (int i = 0; i < m->after.count; i++) floats += m->after.extras[i].kind == EXTRA_ROWS ? m->n : 0;
    return floats * 4;
}

// Rows that are chosen are few: they don't count.
static double row_flops(const matmul *m) {
    return m->choice.body ? 0 : (2.0 * (double)(m->k / m->blocks) + (double)m->after.op_count) * (double)m->n;
}

// Panels of `width` that a task reads before it has fetched any: none where it reads parts of panels, or, as
// a rule, no row.
static int64_t streamed_first(const matmul *m, const panels *p, int64_t width) {
    if (!p->next || m->blocks > 1 || m->choice.body) return 0;
    return width < p->widths[0] ? width : p->widths[0];
}

static void emit_split(emit *e, const kernel_site *s, const matmul *m, const panels *p, const task_split *cut,
                       LLVMValueRef last, kernel *out, int class) {
    int64_t count = ceil_div(m->n, PANEL_COLUMNS);
    bool columns = cut->form == FORM_COLUMNS && cut->block_columns > 0;
    int64_t width = columns ? ceil_div(cut->block_columns, PANEL_COLUMNS) : count;
    if (width > count) width = count;
    int64_t inner = (count + width - 1) / width;
    bool norm_phase = m->norm.op != OP_COUNT && inner > 1;
    kernel_phase *phase = &out->phases[class][0];
    *phase = (kernel_phase){.dim = m->dim,
                            .unit = block_unit(s, cut->block_rows),
                            .inner = inner,
                            .flops_row = row_flops(m),
                            .row_bytes = row_bytes(m),
                            .stream = m->w,
                            .stream_step = width * p->panel,
                            .stream_bytes = streamed_first(m, p, width) * p->panel,
                            .suffix = ""};
    phase->function = emit_kernel(e, s, m, p, phase->unit, width, inner, norm_phase ? NULL : last);
    if (!norm_phase) phase->flops_row += row_norm_flops(&m->norm);
    out->phase_count[class] = 1;
    if (!norm_phase) return;
    int64_t unit = s->variant->row_tile;
    out->phases[class][1] = (kernel_phase){.function = block_norm_kernel(e, s, m->dim, unit, &m->norm, last),
                                           .dim = m->dim,
                                           .unit = unit,
                                           .inner = 1,
                                           .flops_row = row_norm_flops(&m->norm),
                                           .row_bytes = m->n * 8,
                                           .suffix = ".norm"};
    out->phase_count[class] = 2;
}

static bool same_split(const task_split *a, const task_split *b) {
    return a->form == b->form && a->block_rows == b->block_rows && a->block_columns == b->block_columns;
}

bool matmul_emit(emit *e, const kernel_site *s, kernel *out) {
    matmul m;
    if (!recognise(e, s, &m)) return false;
    keep_blocks(e, s, &m);
    panels p = product(s, &m);
    panels_emit(e, &p);
    // What is done with a task's rows when their products are there.
    LLVMValueRef last = m.choice.body           ? row_choice_clear(e, &m.choice, p.ldc)
                        : m.norm.op == OP_COUNT ? NULL
                                                : row_norm_emit(e, &m.norm, p.ldc, "norm.rows");
    *out = (kernel){0};
    const task_split *splits = s->variant->schedules[s->node].splits;
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        int like = 0;
        while (like < class && !same_split(&splits[like], &splits[class])) like++;
        if (like == class) {
            emit_split(e, s, &m, &p, &splits[class], last, out, class);
            continue;
        }
        out->phase_count[class] = out->phase_count[like];
        for (int i = 0; i < out->phase_count[like]; i++) out->phases[class][i] = out->phases[like][i];
    }
    return true;
}
