// The token_mix family: sums of products of a sequence's tokens with each other, without a softmax between.
//
//   y[r,c] = sum_t +- sum_j a_t[r,j] x_t[j,c]        r, j: the sequence's tokens; a_t[T,M], x_t[T,N]
//
// It computes FNet's Fourier transform over tokens. A node may have several such results. A task is (sequence, block of columns). It packs its
// columns of x_t into scratch, in the panels that the register tile reads, with their signs, and goes over
// the rows block by block, so that a block of a_t is read once into L2. k ascends through the terms in their
// order, so no bit depends on blocks or capacity.
#include "backend/matmul/blocks.h"

#define MOST_TERMS 4
#define ROW_BLOCK  4 // tiles

typedef struct term {
    int a, x;   // operands
    int result; // the argument that it is added to
    bool first; // of its result
    bool negated;
    int64_t lda, ldx, column; // of x, where its part starts
    elem e;                   // of x in memory
    LLVMValueRef pack;        // its columns into panels
} term;

typedef struct token_mix {
    int count;
    term terms[MOST_TERMS];
    int64_t n, ldc; // columns of a result, and floats from row to row
} token_mix;

// [L,M] of which the first L columns are read.
static bool square_of(const graph *body, value v, int *param) {
    const node *n = graph_node(body, v);
    if (n->op != OP_slice || graph_node(body, n->inputs[0])->op != OP_param) return false;
    const type *from = graph_type(body, n->inputs[0]);
    const attr *begin = node_attr(n, ATTR_begin);
    *param = n->inputs[0];
    return from->e == ELEM_F32 && from->rank == 2 && dim_eq(from->d[0], dim_sym(SYM_L)) &&
           dim_eq(from->d[1], dim_sym(SYM_M)) && dim_is(begin->u.dims[0], 0) && dim_is(begin->u.dims[1], 0) &&
           dim_eq(n->type.d[0], dim_sym(SYM_L)) && dim_eq(n->type.d[1], dim_sym(SYM_L));
}

// v, or what it is cast to f32 from.
static value before_cast(const graph *body, value v) {
    const node *n = graph_node(body, v);
    return n->op == OP_cast && n->type.e == ELEM_F32 ? n->inputs[0] : v;
}

// [L,N] of an operand, or N of its columns; of another type than f32, cast.
static bool columns_of(const graph *body, value x, term *t) {
    value v = before_cast(body, x);
    const node *n = graph_node(body, v);
    bool cast = v != x;
    t->column = 0;
    if (n->op == OP_slice) {
        const attr *begin = node_attr(n, ATTR_begin);
        if (n->type.rank != 2 || !dim_is(begin->u.dims[0], 0)) return false;
        t->column = begin->u.dims[1].n;
        v = cast ? n->inputs[0] : before_cast(body, n->inputs[0]);
    }
    const type *from = graph_type(body, v);
    t->x = v;
    t->e = from->e;
    return graph_node(body, v)->op == OP_param && view_loads(from->e) && from->layout == LAYOUT_ROW &&
           from->rank == 2 && dim_eq(from->d[0], dim_sym(SYM_L)) && dim_eq(n->type.d[0], from->d[0]);
}

static bool find_ld(const kernel_site *s, int operand, int64_t *ld) {
    value v = graph_node(s->graph, s->node)->inputs[operand];
    if (node_is_constant(graph_node(s->graph, v))) return false;
    *ld = s->variant->places[v].ld;
    return true;
}

static bool collect_terms(const kernel_site *s, const graph *body, value v, bool negated, token_mix *m) {
    const node *n = graph_node(body, v);
    if (n->op == OP_add || n->op == OP_sub)
        return collect_terms(s, body, n->inputs[0], negated, m) &&
               collect_terms(s, body, n->inputs[1], negated != (n->op == OP_sub), m);
    if (n->op != OP_matmul || m->count == MOST_TERMS) return false;
    term *t = &m->terms[m->count++];
    t->negated = negated;
    if (!square_of(body, n->inputs[0], &t->a) || !columns_of(body, n->inputs[1], t)) return false;
    t->a++, t->x++; // operands come after the bounds
    // whole panels are read
    return find_ld(s, t->a, &t->lda) && find_ld(s, t->x, &t->ldx) &&
           t->column + round_up(m->n, PANEL_COLUMNS) <= t->ldx;
}

static bool collect_result(const kernel_site *s, const kernel_result *r, token_mix *m) {
    const type *t = graph_type(s->graph, r->node);
    const graph *body = graph_node(s->graph, s->node)->body;
    int first = m->count;
    if (t->rank != 2 || !dim_eq(t->d[0], dim_sym(SYM_T)) || t->d[1].s != SYM_NONE) return false;
    if (first && (t->d[1].n != m->n || r->ld != m->ldc)) return false;
    m->n = t->d[1].n;
    m->ldc = r->ld;
    if (!collect_terms(s, body, r->yield, false, m)) return false;
    for (int i = first; i < m->count; i++) m->terms[i].result = r->arg;
    m->terms[first].first = true;
    return true;
}

static bool recognise(arena *a, const kernel_site *s, token_mix *m) {
    const node *n = graph_node(s->graph, s->node);
    *m = (token_mix){0};
    if (n->op != OP_per_sequence || node_attr(n, ATTR_bounds)->u.i != 1) return false;
    int count;
    const kernel_result *r = kernel_results(a, s, &count);
    for (int i = 0; i < count; i++)
        if (!collect_result(s, &r[i], m)) return false;
    for (int i = 1; i < m->count; i++)
        if (m->terms[i].lda != m->terms[0].lda) return false;
    return true;
}

bool token_mix_accepts(const emit *e, const kernel_site *s) {
    token_mix m;
    return recognise(e->arena, s, &m);
}

// --- Emission

typedef struct mix_code {
    const kernel_site *s;
    const token_mix *m;
    panels tile[2];      // a result's first term, and those that are added to it
    int64_t panel, term; // bytes from one panel, and from one term, to the next in scratch
    int64_t width;       // panels of a task
} mix_code;

static LLVMValueRef load_columns(emit *e, elem x, LLVMValueRef row, int i) {
    LLVMValueRef at = tile_at_constant(e, row, elem_bytes(x, i));
    return cast_op(e, x, ELEM_F32, build_load(e, view_elem(e, x, e->width), at, (unsigned)elem_size(x)));
}

// void (ptr rows, i64 count, ptr out, i64 panels, i64 stride): columns of `count` rows, `stride` bytes apart,
// into panels, then zeros up to a multiple of 4 rows.
static LLVMValueRef emit_pack(emit *e, elem x, bool negated, int64_t panel) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->ptr, e->i64, e->i64};
    LLVMValueRef f = build_helper(e, negated ? "token_mix.negated" : "token_mix.pack", NULL, 5, params);
    LLVMValueRef count = LLVMGetParam(f, 1), zero = build_const_i64(e, 0);
    LLVMValueRef whole = LLVMBuildAdd(e->b, count, build_const_i64(e, 3), "");
    whole = LLVMBuildAnd(e->b, whole, build_const_i64(e, -4), "");
    loop p = build_loop(e, zero, LLVMGetParam(f, 3), 1, "panel");
    LLVMValueRef from = tile_at(e, LLVMGetParam(f, 0), tile_mul(e, p.index, elem_bytes(x, PANEL_COLUMNS)));
    LLVMValueRef to = tile_at(e, LLVMGetParam(f, 2), tile_mul(e, p.index, panel));
    for (int rest = 0; rest < 2; rest++) {
        loop r = build_loop(e, rest ? count : zero, rest ? whole : count, 1, rest ? "rest" : "row");
        LLVMValueRef row = tile_at(e, from, LLVMBuildMul(e->b, r.index, LLVMGetParam(f, 4), ""));
        LLVMValueRef at = tile_at(e, to, tile_mul(e, r.index, PANEL_COLUMNS * 4));
        for (int i = 0; i < PANEL_COLUMNS; i += e->width) {
            LLVMValueRef v = LLVMConstNull(e->vf);
            if (!rest) v = load_columns(e, x, row, i);
            if (!rest && negated) v = LLVMBuildFNeg(e->b, v, "");
            build_store(e, v, tile_at_constant(e, at, i * 4), (unsigned)e->width * 4);
        }
        build_loop_end(e, &r);
    }
    build_loop_end(e, &p);
    return build_helper_end(e, f, NULL, caller);
}

// Terms of one type and sign share it.
static void emit_packs(emit *e, token_mix *m, int64_t panel) {
    for (int i = 0; i < m->count; i++) {
        term *t = &m->terms[i];
        for (int k = 0; k < i; k++)
            if (m->terms[k].e == t->e && m->terms[k].negated == t->negated) t->pack = m->terms[k].pack;
        if (!t->pack) t->pack = emit_pack(e, t->e, t->negated, panel);
    }
}

// Panels of a task: one thread or two take as many as leave half of L2 to rows; more threads share them.
static int64_t task_panels(const emit *e, const mix_code *k, int class) {
    int64_t count = ceil_div(k->m->n, PANEL_COLUMNS);
    int64_t most = e->target->l2_bytes / 2 / (k->panel * k->m->count) / 3 * 3;
    if (most < 3 || class > 1) most = 3;
    return most < count ? most : count;
}

static void emit_functions(emit *e, const kernel_site *s, token_mix *m, mix_code *k) {
    *k = (mix_code){.s = s, .m = m};
    k->panel = (round_up(s->variant->length, 4) | 1) * PANEL_COLUMNS * 4; // shares few sets of the cache
    emit_packs(e, m, k->panel);
    for (int i = 0; i < 2; i++) {
        k->tile[i] = (panels){.name = "token_mix.tile",
                              .product = target_product_find(e->target, ELEM_F32, ELEM_F32),
                              .rows = block_tile_rows(s),
                              .lda = m->terms[0].lda * 4,
                              .ldc = m->ldc * 4,
                              .panel = k->panel,
                              .accumulate = i > 0};
        for (int class = 0; class < THREAD_CLASSES; class ++) {
            int64_t count = ceil_div(m->n, PANEL_COLUMNS), width = task_panels(e, k, class);
            panels_expect(&k->tile[i], width);
            panels_expect(&k->tile[i], count - (count - 1) / width * width);
        }
        panels_emit(e, &k->tile[i]);
    }
}

static int results_of(const token_mix *m) {
    int n = 0;
    for (int i = 0; i < m->count; i++) n += m->terms[i].first;
    return n;
}

// A task's panels of the terms, to scratch.
static void pack_terms(emit *e, const mix_code *k, LLVMValueRef args, LLVMValueRef scratch,
                       LLVMValueRef first, LLVMValueRef count, LLVMValueRef from, LLVMValueRef to) {
    for (int t = 0; t < k->m->count; t++) {
        const term *x = &k->m->terms[t];
        int64_t size = (int64_t)elem_size(x->e);
        LLVMValueRef rows = tile_at_constant(e, build_arg(e, args, x->x), x->column * size);
        rows = tile_at_step(e, tile_at_step(e, rows, first, x->ldx * size), from, PANEL_COLUMNS * size);
        LLVMValueRef f = x->pack,
                     pack_args[] = {rows, count, tile_at_constant(e, scratch, t * k->term),
                                    LLVMBuildSub(e->b, to, from, ""), build_const_i64(e, x->ldx * size)};
        LLVMBuildCall2(e->b, LLVMGlobalGetValueType(f), f, pack_args, 5, "");
    }
}

// All terms for `rows` of the call's rows from `row` on.
static void multiply(emit *e, const mix_code *k, const panels_args *of, LLVMValueRef args, LLVMValueRef row,
                     LLVMValueRef rows) {
    for (int t = 0; t < k->m->count; t++) {
        const term *x = &k->m->terms[t];
        const panels *p = &k->tile[!x->first];
        panels_args v = *of;
        v.a = tile_at_step(e, build_arg(e, args, x->a), row, x->lda * 4);
        v.b = tile_at_constant(e, of->b, t * k->term);
        v.c = tile_at_step(e, build_arg(e, args, x->result), row, p->ldc);
        v.rows = rows;
        panels_call(e, p, &v);
    }
}

// The rows of a sequence, in blocks.
static void all_rows(emit *e, const mix_code *k, const panels_args *of, LLVMValueRef args, LLVMValueRef first,
                     LLVMValueRef count) {
    int64_t rows = (int64_t)ROW_BLOCK * k->tile[0].rows;
    LLVMValueRef most = build_const_i64(e, rows);
    loop l = build_loop(e, build_const_i64(e, 0), count, rows, "block");
    LLVMValueRef left = LLVMBuildSub(e->b, count, l.index, "");
    LLVMValueRef n = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, left, most, ""), left, most, "");
    multiply(e, k, of, args, LLVMBuildAdd(e->b, first, l.index, ""), n);
    build_loop_end(e, &l);
}

static LLVMValueRef emit_kernel(emit *e, const mix_code *k, int64_t inner) {
    LLVMValueRef f = build_function(e, "token_mix", e->kernel_type), args = LLVMGetParam(f, 0);
    LLVMValueRef task = LLVMGetParam(f, 2), scratch = LLVMGetParam(f, 3), per = build_const_i64(e, inner);
    LLVMValueRef first, count, all = build_const_i64(e, ceil_div(k->m->n, PANEL_COLUMNS));
    block_sequence(e, LLVMGetParam(f, 1), false, LLVMBuildUDiv(e->b, task, per, ""), &first, &count);
    LLVMValueRef from = tile_mul(e, LLVMBuildURem(e->b, task, per, ""), k->width);
    LLVMValueRef to = LLVMBuildAdd(e->b, from, build_const_i64(e, k->width), "");
    to = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, to, all, ""), to, all, "");
    pack_terms(e, k, args, scratch, first, count, from, to);
    LLVMValueRef steps = LLVMBuildAdd(e->b, count, build_const_i64(e, 3), "");
    panels_args of = {.b = tile_at(e, scratch, tile_mul(e, from, -k->panel)), // of panel 0
                      .from = from,
                      .to = to,
                      .after = scratch,
                      .k = LLVMBuildAnd(e->b, steps, build_const_i64(e, -4), "")};
    all_rows(e, k, &of, args, first, count);
    LLVMBuildRetVoid(e->b);
    return f;
}

// Of a token: its row of each term, and of each result.
static int64_t row_bytes(const token_mix *m) {
    int64_t bytes = results_of(m) * m->n * 4;
    for (int t = 0; t < m->count; t++) bytes += elem_bytes(m->terms[t].e, m->n);
    return bytes;
}

bool token_mix_emit(emit *e, const kernel_site *s, kernel *out) {
    token_mix m;
    mix_code k;
    if (!recognise(e->arena, s, &m)) return false;
    emit_functions(e, s, &m, &k);
    *out = (kernel){0};
    for (int class = 0; class < THREAD_CLASSES; class ++) {
        int64_t count = ceil_div(m.n, PANEL_COLUMNS);
        k.width = task_panels(e, &k, class);
        k.term = k.width * k.panel;
        int64_t inner = (count + k.width - 1) / k.width;
        kernel_phase *phase = &out->phases[class][0];
        for (int like = 0; like < class; like++)
            if (out->phases[like][0].inner == inner) *phase = out->phases[like][0];
        out->phase_count[class] = 1;
        if (k.term * m.count > out->scratch_bytes) out->scratch_bytes = k.term * m.count;
        if (phase->function) continue;
        *phase = (kernel_phase){.function = emit_kernel(e, &k, inner),
                                .dim = SYM_S,
                                .unit = 1,
                                .inner = inner,
                                .flops_pair = 2.0 * m.count * (double)m.n,
                                .token_bytes = row_bytes(&m),
                                .pair_bytes = m.count * 4,
                                .suffix = ""};
    }
    return true;
}
