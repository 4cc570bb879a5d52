// The matmul family: a product with a packed weight, pointwise ops on its sums, and a tail over its
// rows: a norm, its numbers, and their like (tail.h).
//
//   y[X,N], .. = tail(pointwise(x[X,K] w[K,N], vectors [N], rows [X,N], [X,1], scalars))   X: T, S or R
//   y[X,N] = select(compare(numbers [X], a number), pointwise(...), 0)              skips other rows
//
// Its results are any of the pointwise ops' values and of the tail's.
//
//   FORM_ROWS      tasks own whole rows; the tail runs over a task's rows after its last panel,
//                  while they are hot
//   FORM_COLUMNS   tasks are row block x column block; the tail is a phase of its own
//
// A product whose own rows nothing reads lies in the task's scratch; then tasks own whole rows, or, where the tail
// quantises groups of columns, such groups.
//
// The order of each sum is the same in both, and so are the bits.
//
// Element types are those of a row of kernels.def; `cast` may stand between w and the product where it widens w. Sums of
// 8-bit products become f32 as sums.h says; where groups of k are scaled apart, the groups are multiplied one after the
// other, and C holds the sums of those before.
#include "backend/matmul/blocks.h"
#include "backend/matmul/group_rows.h"

// Rows of a task of a tail's phase for many threads: a short text has few rows.
#define TAIL_ROWS 2

// The parts of a node of this family.
typedef struct matmul {
    sym dim;
    int x, w;    // operands
    bool widens; // w becomes f32 on its way
    product_sums sums;
    const target_product *product;
    int64_t k, n;
    int64_t parts, blocks; // w is `parts` matrices side by side, each with `blocks` blocks down its diagonal
    // k is multiplied in so many stretches of that many elements: the groups that are scaled apart, or what cut_k says.
    int64_t stretches, stretch;
    product_end end;
    group_rows quantized; // in place of the tail
    row_choice choice;
} matmul;

static bool operands_fit(const emit *e, const kernel_site *s, matmul *m) {
    const node *n = graph_node(s->graph, s->node);
    const node *x = graph_node(s->graph, n->inputs[m->x]);
    const type *w = graph_type(s->graph, n->inputs[m->w]);
    const type *t = &x->type;
    m->product = target_product_find(e->target, t->e, w->e);
    if (m->product && m->widens != (m->product->step == STEP_WIDEN)) return false;
    if (!m->product || !sums_hold(m->product, s->graph, n->inputs[m->x])) return false;
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

// A product in chosen rows has one result.
static bool collect_chosen(const kernel_site *s, matmul *m) {
    const node *n = graph_node(s->graph, s->node);
    const graph *body = n->body;
    value result = row_choice_collect(body, body->outputs[0].value, &m->choice);
    product_end_plain(s, &m->end);
    return m->choice.body && m->sums.groups == 1 && kernel_has_one_result(s) && n->type.e == ELEM_F32 &&
           epilogue_collect_sums(s, body, n->inputs, &m->sums, result, 0, NULL, &m->end.after);
}

static bool recognise(const emit *e, const kernel_site *s, matmul *m) {
    const node *n = graph_node(s->graph, s->node);
    *m = (matmul){.quantized = {.quantize = VALUE_NONE}};
    if (n->op == OP_matmul) {
        m->w = 1;
        m->sums.groups = 1;
        if (n->type.rank != 2 || !operands_fit(e, s, m)) return false;
        find_blocks(n, m);
        product_end_plain(s, &m->end);
        return true;
    }
    value anchor = n->op == OP_fuse ? product_anchor(n->body) : VALUE_NONE;
    if (anchor == VALUE_NONE) return false;
    if (!product_operands(n->body, anchor, &m->x, &m->w, &m->widens) || !operands_fit(e, s, m)) return false;
    find_blocks(graph_node(n->body, anchor), m);
    if (!sums_collect(n->body, anchor, &m->sums)) return false;
    if (m->sums.scales != VALUE_NONE && graph_node(n->body, m->sums.scales)->op != OP_param) return false;
    if (m->sums.groups > 1 && (m->blocks > 1 || m->sums.group % tile_stretch(m->product))) return false;
    if (collect_chosen(s, m)) return true;
    m->choice = (row_choice){0};
    if (!product_end_collect(e->arena, s, &m->sums, NULL, &m->end)) return false;
    product_end_by_groups(e->arena, &m->end);
    m->quantized = group_rows_find(&m->end);
    if (m->quantized.quantize != VALUE_NONE && !epilogue_find_magnitudes(&m->end.after))
        m->quantized.quantize = VALUE_NONE;
    return true;
}

bool matmul_accepts(const emit *e, const kernel_site *s) {
    matmul m;
    return recognise(e, s, &m);
}

// The blocks of w are multiplied one by one if each tile of columns, and each four groups of k, lie in one
// block; else w is multiplied whole.
static void keep_blocks(const emit *e, const kernel_site *s, matmul *m) {
    int64_t planned = s->variant->schedules[s->node].tile_columns, columns = m->n / m->parts / m->blocks;
    int64_t widest = (int64_t)tile_vectors(e, m->product, block_tile_rows(s), planned) * e->width;
    if (widest < PANEL_COLUMNS) widest = PANEL_COLUMNS;
    if (planned < 1 || columns % planned || columns % widest || m->k / m->blocks % (4 * m->product->group))
        m->parts = m->blocks = 1;
}

static bool leaves_quantized(const matmul *m) {
    return m->quantized.quantize != VALUE_NONE;
}

// Of 16-bit operands, by AMX's tiles: steps for which two panels take a third to a half of the first cache; and the shortest k
// that is cut.
enum { LEAST_STEPS = 8, MOST_STEPS = 12, STEPS_TO_CUT = 48 };

static int64_t stretch_of_tiles(const matmul *m) {
    int64_t step = tile_stretch(m->product), count = m->k / step;
    if (m->k % step || count < STEPS_TO_CUT) return m->k;
    int steps = MOST_STEPS;
    while (steps > LEAST_STEPS && count % steps) steps--;
    return count % steps ? m->k : steps * step;
}

// Of f32: elements. BERT-base's second feed-forward product takes 15 to 20 % less time so where the second cache has 2 MB; where
// it has 1 MB and the third is near, as on Zen 4, it takes 1 to 4 % more.
#define LEAST_STRETCH 512
#define MOST_STRETCH  1024
#define CACHE_TO_CUT  (2 << 20)

static int64_t stretch_of_f32(const emit *e, const matmul *m) {
    int64_t count = ceil_div(m->k, MOST_STRETCH);
    if (e->target->l2_bytes < CACHE_TO_CUT || epilogue_c_size(&m->end.after) != 4) return m->k;
    while (m->k % (count * 4) && m->k / count >= LEAST_STRETCH) count++; // whole turns of the loop over k
    return m->k % (count * 4) || m->k / count < LEAST_STRETCH ? m->k : m->k / count;
}

// A long k is cut. Row tiles then find more of what they read near, and each stretch goes on from the sums so far. The order of
// additions stays, and so do the bits.
static void cut_k(const emit *e, matmul *m) {
    m->stretches = m->sums.groups;
    m->stretch = m->sums.groups > 1 ? m->sums.group : m->k / m->blocks;
    if (m->product->sum != ELEM_F32 || m->choice.body || m->blocks > 1 || leaves_quantized(m)) return;
    if (m->product->step == STEP_TILES) m->stretch = stretch_of_tiles(m);
    if (m->product->step == STEP_FMA) m->stretch = stretch_of_f32(e, m);
    m->stretches = m->k / m->stretch;
}

// Is k cut into stretches that are not scaled apart? With AMX's tiles all of them come before the next tile of columns, and
// the sums so far are in scratch. Else all columns come before the next stretch, and the sums so far are in C.
static bool goes_on(const matmul *m) {
    return m->stretches > m->sums.groups;
}
static bool sums_in_scratch(const matmul *m) {
    return goes_on(m) && m->product->step == STEP_TILES;
}

// Bytes of a row of them there: a tile of columns.
static int64_t sums_row(const matmul *m) {
    return m->product->columns * 4;
}

// The tasks of a split: rows of a block (0: all), and panels.
typedef struct matmul_tasks {
    int64_t rows, width, inner;
} matmul_tasks;

static matmul_tasks tasks_of(const kernel_site *s, const matmul *m, const task_split *cut) {
    int64_t count = ceil_div(m->n, PANEL_COLUMNS);
    bool apart = m->end.c < 0; // its tasks own whole rows, or groups of columns
    bool columns = cut->form == FORM_COLUMNS && cut->block_columns > 0 && !apart;
    matmul_tasks t = {.rows = cut->block_rows, .width = count};
    bool few = m->product->step == STEP_TILES && s->variant->tokens <= 2 * SCRATCH_ROWS;
    if (apart && cut->block_rows <= 0) t.rows = few ? s->variant->tokens : SCRATCH_ROWS;
    if (columns && ceil_div(cut->block_columns, PANEL_COLUMNS) < count)
        t.width = ceil_div(cut->block_columns, PANEL_COLUMNS);
    if (m->end.group) t.width = m->end.group / PANEL_COLUMNS;
    t.inner = ceil_div(count, t.width);
    return t;
}

// The most rows of a task.
static int64_t most_rows(const kernel_site *s, const matmul *m) {
    int64_t most = 0;
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        int64_t rows = tasks_of(s, m, &s->variant->schedules[s->node].splits[class]).rows;
        if (rows <= 0) rows = s->variant->tokens;
        if (rows > most) most = rows;
    }
    return round_up(most, s->variant->row_tile);
}

// The products of a node. `parts`: of the first of several stretches of k and of those between.
typedef struct matmul_code {
    panels whole; // or of the last stretch
    panels parts[2];
    epilogue between[2];
} matmul_code;

static panels product(const kernel_site *s, const matmul *m) {
    const node *n = graph_node(s->graph, s->node);
    const schedule *plan = &s->variant->schedules[s->node];
    panels p = {.name = "matmul",
                .product = m->product,
                .rows = block_tile_rows(s),
                .columns = plan->tile_columns,
                .k = m->stretch,
                .lda = elem_bytes(m->product->left, s->variant->places[n->inputs[m->x]].ld),
                .ldc = product_end_row(&m->end),
                .panel = packed_groups(m->product->right, m->k) * GROUP_BYTES,
                .streams = plan->prefetch,
                // at least one line of each panel
                .next = plan->prefetch > 0 && m->stretch >= 16 * m->product->group,
                .block_columns = m->blocks > 1 ? m->n / m->parts / m->blocks : 0,
                .part_columns = m->n / m->parts,
                .choice = m->choice};
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        matmul_tasks t = tasks_of(s, m, &plan->splits[class]);
        panels_expect(&p, t.width);
        panels_expect(&p, ceil_div(m->n, PANEL_COLUMNS) - (t.inner - 1) * t.width);
    }
    return p;
}

static void emit_products(emit *e, const kernel_site *s, matmul *m, matmul_code *p) {
    *p = (matmul_code){.whole = product(s, m)};
    m->end.after.resumes = m->sums.groups > 1;
    epilogue_attach(&p->whole, &m->end.after);
    p->whole.accumulate = goes_on(m) && !sums_in_scratch(m);
    if (sums_in_scratch(m)) p->whole.start_row = sums_row(m);
    panels_emit(e, &p->whole);
    for (int i = 0; i < 2 && m->stretches > 1 + i; i++) {
        p->parts[i] = product(s, m);
        p->parts[i].name = "matmul.part";
        p->parts[i].next = false;
        p->between[i] = m->end.after;
        p->between[i].resumes = i > 0;
        p->between[i].pauses = true;
        if (goes_on(m)) {
            p->parts[i].accumulate = i > 0;
            if (sums_in_scratch(m)) p->parts[i].ldc = sums_row(m);
        } else {
            epilogue_attach(&p->parts[i], &p->between[i]);
        }
        panels_emit(e, &p->parts[i]);
    }
}

// Stretch number `which` (i64) of k; behind it comes the next, or, after the last, what v->after says.
static void multiply_stretch(emit *e, const matmul *m, const panels *p, const panels_args *v,
                             LLVMValueRef which, bool last) {
    panels_args x = *v;
    int64_t left = elem_bytes(m->product->left, m->stretch),
            right = tile_groups(m->product, m->stretch) * GROUP_BYTES;
    x.a = tile_at(e, v->a, tile_mul(e, which, left));
    x.b = tile_at(e, v->b, tile_mul(e, which, right));
    if (!last) x.after = tile_at_constant(e, tile_at(e, x.b, tile_mul(e, v->from, p->panel)), right);
    if (!last && sums_in_scratch(m)) x.c = x.start;
    if (!goes_on(m)) epilogue_extras_group(e, &m->end.after, which, &x);
    panels_call(e, p, &x);
}

static void multiply_stretches(emit *e, const matmul *m, const matmul_code *p, const panels_args *v) {
    int64_t count = m->stretches;
    multiply_stretch(e, m, &p->parts[0], v, build_const_i64(e, 0), false);
    if (count > 2) {
        loop l = build_loop(e, build_const_i64(e, 1), build_const_i64(e, count - 1), 1, "stretch");
        multiply_stretch(e, m, &p->parts[1], v, l.index, false);
        build_loop_end(e, &l);
    }
    multiply_stretch(e, m, &p->whole, v, build_const_i64(e, count - 1), true);
}

// All stretches of one tile of columns, then of the next: the sums of a column stay in the first cache from stretch to stretch.
static void multiply_by_columns(emit *e, const matmul *m, const matmul_code *p, const panels_args *v) {
    int64_t width = p->whole.widths[0];
    loop l = build_loop(e, v->from, v->to, width, "columns");
    LLVMValueRef to = LLVMBuildAdd(e->b, l.index, build_const_i64(e, width), "");
    LLVMValueRef last = LLVMBuildICmp(e->b, LLVMIntSGE, to, v->to, "");
    LLVMValueRef behind = tile_at(e, v->b, tile_mul(e, to, p->whole.panel));
    panels_args x = *v;
    x.from = l.index;
    x.to = LLVMBuildSelect(e->b, last, v->to, to, "");
    x.after = LLVMBuildSelect(e->b, last, v->after, behind, "");
    x.next_bytes = LLVMBuildSelect(e->b, last, v->next_bytes, build_const_i64(e, 0), "");
    if (sums_in_scratch(m)) x.start = tile_at(e, v->start, tile_mul(e, l.index, -PANEL_COLUMNS * 4));
    multiply_stretches(e, m, p, &x);
    build_loop_end(e, &l);
}

static void multiply(emit *e, const matmul *m, const matmul_code *p, const panels_args *v) {
    if (m->stretches == 1)
        panels_call(e, &p->whole, v);
    else if (m->product->step == STEP_TILES)
        multiply_by_columns(e, m, p, v);
    else
        multiply_stretches(e, m, p, v);
}

// In scratch, behind C: the magnitudes, or the sums between stretches and then what the tail needs.
static LLVMValueRef behind_c(emit *e, const kernel_site *s, const matmul *m, LLVMValueRef scratch) {
    return tile_at_constant(e, scratch, product_end_scratch(&m->end, most_rows(s, m)));
}

// The task's group of columns, from panel `from` (i64) on, of `x`'s rows.
static void quantize_group(emit *e, const kernel_site *s, const matmul *m, LLVMValueRef args,
                           LLVMValueRef scratch, const block *x, LLVMValueRef from) {
    const group_rows *g = &m->quantized;
    const tail_port *numbers = &m->end.ports[g->numbers], *scales = &m->end.ports[g->scales];
    LLVMValueRef group = LLVMBuildUDiv(e->b, from, build_const_i64(e, g->columns / PANEL_COLUMNS), "");
    LLVMValueRef to = tile_at_step(e, build_arg(e, args, numbers->arg), x->first, g->quantized_row);
    LLVMValueRef scale = tile_at_step(e, build_arg(e, args, scales->arg), x->first, g->scale_row);
    to = tile_at_step(e, to, from, PANEL_COLUMNS);
    scale = tile_at_step(e, scale, group, 4);
    group_rows_quantize(e, g, scratch, to, scale, behind_c(e, s, m, scratch), x->count);
}

// Zeros in the task's rows that are not chosen.
static void clear_rows(emit *e, LLVMValueRef clear, const panels_args *v, LLVMValueRef rows) {
    LLVMValueRef columns = tile_mul(e, LLVMBuildSub(e->b, v->to, v->from, ""), PANEL_COLUMNS);
    LLVMValueRef args[] = {v->numbers, rows, tile_at(e, v->c, tile_mul(e, v->from, PANEL_COLUMNS * 4)),
                           columns};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(clear), clear, args, 4, "");
}

// One task: row block task / inner, column block task % inner (of `width` panels).
static LLVMValueRef emit_kernel(emit *e, const kernel_site *s, const matmul *m, const matmul_code *code,
                                int64_t unit, int64_t width, int64_t inner, LLVMValueRef last) {
    const panels *p = &code->whole;
    int64_t count = ceil_div(m->n, PANEL_COLUMNS);
    LLVMValueRef f = build_function(e, "matmul", e->kernel_type);
    LLVMValueRef args = LLVMGetParam(f, 0), task = LLVMGetParam(f, 2), scratch = LLVMGetParam(f, 3);
    LLVMValueRef per = build_const_i64(e, inner);
    block x = block_rows(e, LLVMGetParam(f, 1), m->dim, unit, block_step(s, m->product),
                         LLVMBuildUDiv(e->b, task, per, ""));
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
    panels_args v = {.a = tile_at_step(e, build_arg(e, args, m->x), x.first, p->lda),
                     .b = b,
                     .c = product_end_c(e, &m->end, args, x.first, scratch),
                     .rows = x.count,
                     .from = from,
                     .to = to,
                     .after = LLVMBuildSelect(e->b, again, b, behind, ""),
                     .next = LLVMGetParam(f, 4),
                     .next_bytes = LLVMGetParam(f, 5),
                     .follow = LLVMBuildNot(e->b, x.last, "")};
    epilogue_extras(e, &m->end.after, args, x.first, &v);
    if (m->choice.body) v.numbers = tile_at_step(e, build_arg(e, args, m->choice.param), x.first, 4);
    // its group's columns are all that C holds
    if (m->end.group) v.c = tile_at(e, v.c, tile_mul(e, from, -PANEL_COLUMNS * 4));
    if (leaves_quantized(m)) {
        v.extra[m->end.after.magnitudes] = behind_c(e, s, m, scratch);
        group_rows_clear(e, behind_c(e, s, m, scratch), x.count);
    }
    if (sums_in_scratch(m)) v.start = behind_c(e, s, m, scratch);
    multiply(e, m, code, &v);
    if (m->choice.body)
        clear_rows(e, last, &v, x.count);
    else if (leaves_quantized(m))
        quantize_group(e, s, m, args, scratch, &x, from);
    else if (last)
        tail_call(e, &m->end, last,
                  &(tail_rows){args, v.c, x.first, x.count, behind_c(e, s, m, scratch),
                               tile_mul(e, from, PANEL_COLUMNS), tile_mul(e, to, PANEL_COLUMNS)});
    LLVMBuildRetVoid(e->b);
    return f;
}

// Rows that are chosen are few: they don't count.
static double row_flops(const matmul *m) {
    return m->choice.body ? 0
                          : (2.0 * (double)(m->k / m->blocks) + (double)m->end.after.op_count) * (double)m->n;
}

// Panels of `width` that a task reads before it has fetched any: none where it reads parts of panels, or, as
// a rule, no row.
static int64_t streamed_first(const kernel_site *s, const matmul *m, const panels *p, int64_t width) {
    value w = graph_node(s->graph, s->node)->inputs[m->w];
    if (!node_is_constant(graph_node(s->graph, w))) return 0; // it is being packed while a phase before runs
    if (!p->next || m->blocks > 1 || m->choice.body) return 0;
    return width < p->widths[0] ? width : p->widths[0];
}

static void emit_split(emit *e, const kernel_site *s, const matmul *m, const matmul_code *code,
                       const task_split *cut, LLVMValueRef last, kernel *out, int class) {
    const panels *p = &code->whole;
    matmul_tasks t = tasks_of(s, m, cut);
    int64_t width = t.width, inner = t.inner;
    bool tail_phase = m->end.count && inner > 1 && !m->end.group;
    kernel_phase *phase = &out->phases[class][0];
    *phase = (kernel_phase){.dim = m->dim,
                            .unit = block_unit(s, t.rows),
                            .inner = inner,
                            .flops_row = row_flops(m),
                            .row_bytes = elem_bytes(m->product->left, m->k) + product_end_bytes(&m->end),
                            .stream = m->w,
                            .stream_step = width * p->panel,
                            .stream_bytes = streamed_first(s, m, p, width) * p->panel,
                            .suffix = ""};
    phase->function = emit_kernel(e, s, m, code, phase->unit, width, inner, tail_phase ? NULL : last);
    if (!tail_phase) phase->flops_row += m->end.flops;
    out->phase_count[class] = 1;
    if (!tail_phase) return;
    int64_t unit = class < THREAD_CLASSES - 1 ? s->variant->row_tile : TAIL_ROWS;
    out->phases[class][1] = (kernel_phase){.function = block_tail_kernel(e, m->dim, unit, &m->end, last),
                                           .dim = m->dim,
                                           .unit = unit,
                                           .inner = 1,
                                           .flops_row = m->end.flops,
                                           .row_bytes = product_end_tail_bytes(&m->end),
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
    cut_k(e, &m);
    matmul_code p;
    emit_products(e, s, &m, &p);
    // What is done with a task's rows when their products are there.
    *out = (kernel){0};
    LLVMValueRef last = NULL;
    if (m.choice.body) last = row_choice_clear(e, &m.choice, m.end.ldc);
    if (leaves_quantized(&m)) {
        group_rows_emit(e, &m.quantized);
        out->scratch_bytes = most_rows(s, &m) * MAGNITUDE_BYTES;
    } else if (m.end.count) {
        last = tail_emit(e, &m.end, "norm.rows", &out->scratch_bytes);
    }
    int64_t sums = sums_in_scratch(&m) ? most_rows(s, &m) * sums_row(&m) : 0;
    if (out->scratch_bytes < sums) out->scratch_bytes = sums;
    out->scratch_bytes += product_end_scratch(&m.end, most_rows(s, &m));
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
