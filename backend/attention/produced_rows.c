// Rows of queries, keys or values that the body computes from rows of operands: norms of heads, rotary positions.
// They are computed one row of one head at a time, in vectors of columns; each element by itself, so their
// order does not matter.
//
//   [heads,rows,d] of   view of an operand        x, cosines
//                       view of a norm            its row lies on the stack, once it is computed
//                       pointwise ops             x cos - y sin
//                       concat along columns      (left half, right half)
//                       a reshape of columns      d as [d/2,2]
#include "backend/attention/attention.h"

#include <assert.h>

// --- Recognition

static bool is_norm(const graph *g, value v) {
    op o = graph_node(g, v)->op;
    return o == OP_rms_norm || o == OP_layer_norm;
}

// Does v norm the rows of an operand's heads, with vectors that are operands? in: those rows.
static bool norms_heads(const graph *g, value v, head_view *in) {
    const node *n = graph_node(g, v);
    if (!is_norm(g, v) || n->type.rank != 3 || !attention_view_of(g, n->inputs[0], in) || in->rank != 3)
        return false;
    for (int i = 1; i < n->input_count; i++) {
        const node *vector = graph_node(g, n->inputs[i]);
        if (vector->op != OP_param || vector->type.e != ELEM_F32 || vector->type.rank != 1) return false;
    }
    return !in->axes[0].row && in->axes[1].row && !in->axes[2].row && in->axes[2].stride == 1;
}

// v as a view of a norm: x->param is that, and its rows lie one head at a time.
static bool view_of_norm(const graph *g, value v, head_view *x) {
    value norm = v;
    head_view in;
    while (op_flag_bits(graph_node(g, norm)->op) & VIEW) norm = graph_node(g, norm)->inputs[0];
    if (!norms_heads(g, norm, &in)) return false;
    in.param = norm;
    in.e = ELEM_F32;
    in.column = in.axes[0].stride = 0;
    return attention_view_over(g, v, norm, &in, x);
}

// v as a view of `base`, a product [heads,rows,d] or, turned round, [heads,d,rows]; its rows lie one head at a time.
static bool view_of_base(const graph *g, value v, value base, head_view *x) {
    if (base == VALUE_NONE) return false;
    const type *t = graph_type(g, base);
    int row = t->d[2].s == SYM_NONE ? 1 : 2;
    head_view of = {.param = base, .e = ELEM_F32, .rank = 3};
    of.axes[0] = (head_axis){false, t->d[0], 0};
    of.axes[row] = (head_axis){true, t->d[row], 0};
    of.axes[3 - row] = (head_axis){false, t->d[3 - row], 1};
    return attention_view_over(g, v, base, &of, x) && x->param == base;
}

// A view with the axes of a value of `rank` axes: heads, rows, columns.
static bool leaf_view(const graph *g, value v, int rank, value base, head_view *x) {
    if (!attention_view_of(g, v, x) && !view_of_norm(g, v, x) && !view_of_base(g, v, base, x)) return false;
    int missing = rank - x->rank;
    if (missing < 0 || missing > 1) return false;
    for (int i = 0; i < x->rank; i++)
        if (x->axes[i].row != (i + missing == 1)) return false;
    return true;
}

// Axes 0 and 1 of both are heads and rows: only columns change their shape.
static bool reshapes_columns(const graph *g, const node *n) {
    const type *from = graph_type(g, n->inputs[0]), *to = &n->type;
    return n->op == OP_reshape && from->rank >= 3 && to->rank >= 3 && from->rank <= 4 && to->rank <= 4 &&
           dim_eq(from->d[0], to->d[0]) && dim_eq(from->d[1], to->d[1]);
}

static bool makes(const graph *g, value v, int rank, dim rows, int64_t count, value base) {
    const node *n = graph_node(g, v);
    head_view x;
    if (n->type.e != ELEM_F32) return false;
    if (value_is_scalar(g, v, NULL)) return true;
    if (leaf_view(g, v, rank, base, &x)) {
        const head_axis *h = x.rank == rank ? &x.axes[0] : NULL;
        return dim_eq(x.axes[h ? 1 : 0].size, rows) && (!h || dim_is(h->size, count) || dim_is(h->size, 1));
    }
    if (n->type.rank != rank || !dim_is(n->type.d[0], count) || !dim_eq(n->type.d[1], rows)) return false;
    for (int i = 2; i < rank; i++)
        if (n->type.d[i].s != SYM_NONE) return false;
    if (reshapes_columns(g, n))
        return makes(g, n->inputs[0], graph_type(g, n->inputs[0])->rank, rows, count, base);
    if (n->op == OP_concat ? node_attr(n, ATTR_axis)->u.i < 2 : !(op_flag_bits(n->op) & POINTWISE))
        return false;
    for (int i = 0; i < n->input_count; i++) {
        const type *t = graph_type(g, n->inputs[i]);
        if (n->op == OP_concat && t->rank != rank) return false;
        if (!makes(g, n->inputs[i], rank, rows, count, base)) return false;
    }
    return true;
}

// What pointwise ops read is a view or made by pointwise ops: a concat or a reshape has no place in a vector.
static bool pointwise_reads_views(const graph *g, value v, int rank, bool inside, value base) {
    const node *n = graph_node(g, v);
    head_view x;
    if (value_is_scalar(g, v, NULL) || leaf_view(g, v, rank, base, &x)) return true;
    bool computes = op_flag_bits(n->op) & POINTWISE;
    if (inside && !computes) return false;
    for (int i = 0; i < n->input_count; i++) {
        int below = n->op == OP_reshape ? graph_type(g, n->inputs[i])->rank : rank;
        if (!pointwise_reads_views(g, n->inputs[i], below, computes, base)) return false;
    }
    return true;
}

bool attention_makes_rows(const graph *g, value v, dim rows, int64_t count, value base) {
    return graph_type(g, v)->rank == 3 && makes(g, v, 3, rows, count, base) &&
           pointwise_reads_views(g, v, 3, false, base);
}

// --- Emission

// One row of one head: its columns are one axis, or two.
typedef struct making {
    emit *e;
    const kernel_site *s;
    const attention *x;
    const heads *rows;
    const task_frame *f;
    value base;             // VALUE_NONE, or a product that they are made of
    LLVMValueRef row, head; // i64; head: of heads that are made
    LLVMValueRef
        *bases; // by param: its first row in this task; by norm: the row that is made; of base: its row
} making;

typedef struct columns {
    int rank; // 1 or 2
    elem e;
    int64_t size[2], stride[2];
    LLVMValueRef base;
} columns;

// The part of a leaf that belongs to this row, with the axes of `to`; axes of length 1 are repeated.
static columns leaf_columns(const making *m, const head_view *x, int rank) {
    emit *e = m->e;
    bool has_heads = x->rank == rank, lone = is_norm(m->x->body, x->param) || x->param == m->base;
    int64_t ld = lone ? 0 : attention_ld(m->s, m->x->operands[x->param]);
    int64_t size = (int64_t)elem_size(x->e);
    LLVMValueRef p =
        lone ? m->bases[x->param] : tile_at(e, m->bases[x->param], tile_mul(e, m->row, ld * size));
    if (has_heads && !lone && !dim_is(x->axes[0].size, 1))
        p = tile_at(e, p, tile_mul(e, m->head, x->axes[0].stride * size));
    columns c = {.rank = rank - 2, .e = x->e, .base = tile_at_constant(e, p, x->column * size)};
    for (int i = 0; i < c.rank; i++) {
        const head_axis *a = &x->axes[i + x->rank - c.rank];
        c.size[i] = a->size.n;
        c.stride[i] = a->size.n == 1 ? 0 : a->stride;
    }
    return c;
}

static view line_of(const making *m, const columns *c, int axis, LLVMValueRef other) {
    emit *e = m->e;
    dim n = dim_num(c->size[axis]);
    view v = {.type = type_make(c->e, 1, &n),
              .size = {build_const_i64(e, n.n)},
              .stride = {c->stride[axis]},
              .base = c->base,
              .buffer = -1};
    if (c->rank == 2)
        v.base = tile_at(e, v.base, tile_mul(e, other, c->stride[!axis] * (int64_t)elem_size(c->e)));
    return v;
}

#define MOST_LEAVES 16
typedef struct line {
    const making *m;
    int rank, axis, count;
    value leaves[MOST_LEAVES];
    view views[MOST_LEAVES];
    sweep *s;
} line;

static bool gather_leaves(line *l, value v, LLVMValueRef other) {
    const graph *g = l->m->x->body;
    head_view x;
    if (value_is_scalar(g, v, NULL)) return true;
    if (leaf_view(g, v, l->rank, l->m->base, &x)) {
        for (int i = 0; i < l->count; i++)
            if (l->leaves[i] == v) return true;
        if (l->count == MOST_LEAVES) return false;
        columns c = leaf_columns(l->m, &x, l->rank);
        l->views[l->count] = line_of(l->m, &c, l->axis, other);
        l->leaves[l->count++] = v;
        return true;
    }
    const node *n = graph_node(g, v);
    for (int i = 0; i < n->input_count; i++)
        if (!gather_leaves(l, n->inputs[i], other)) return false;
    return true;
}

static LLVMValueRef line_value(const line *l, value v) {
    emit *e = l->m->e;
    const graph *g = l->m->x->body;
    const node *n = graph_node(g, v);
    if (value_is_scalar(g, v, NULL)) return pointwise_literal(e, n, l->s->width);
    for (int i = 0; i < l->count; i++)
        if (l->leaves[i] == v)
            return cast_op(e, l->views[i].type.e, n->type.e, sweep_load(l->s, &l->views[i]));
    LLVMValueRef operands[3];
    for (int i = 0; i < n->input_count; i++) operands[i] = line_value(l, n->inputs[i]);
    return pointwise_op(e, g, n, operands);
}

// Pointwise ops and views: swept along the longer axis of columns, the other one walked.
static void make_pointwise(const making *m, value v, int rank, const columns *to) {
    emit *e = m->e;
    int axis = to->rank == 2 && to->size[1] > to->size[0];
    walk w = walk_begin(e, to->rank - 1, (LLVMValueRef[]){build_const_i64(e, to->size[!axis])});
    line l = {.m = m, .rank = rank, .axis = axis};
    bool room = gather_leaves(&l, v, w.index[0]);
    assert(room);
    (void)room;
    view out = line_of(m, to, axis, w.index[0]);
    const view *all[MOST_LEAVES + 1] = {&out};
    for (int i = 0; i < l.count; i++) all[i + 1] = &l.views[i];
    for (sweep s = sweep_of(e, &out, l.count + 1, all); sweep_next(&s);) {
        l.s = &s;
        sweep_store(&s, &out, attention_numbers(e, m->rows, ELEM_F32, line_value(&l, v)));
    }
    walk_end(e, &w);
}

static void make_columns(const making *m, value v, int rank, const columns *to) {
    const graph *g = m->x->body;
    const node *n = graph_node(g, v);
    head_view x;
    if (leaf_view(g, v, rank, m->base, &x) || (op_flag_bits(n->op) & POINTWISE)) {
        make_pointwise(m, v, rank, to);
        return;
    }
    if (n->op == OP_concat) {
        int axis = (int)node_attr(n, ATTR_axis)->u.i - 2;
        columns part = *to;
        for (int i = 0; i < n->input_count; i++) {
            part.size[axis] = graph_type(g, n->inputs[i])->d[axis + 2].n;
            make_columns(m, n->inputs[i], rank, &part);
            part.base =
                tile_at_constant(m->e, part.base, elem_bytes(part.e, part.size[axis] * part.stride[axis]));
        }
        return;
    }
    assert(n->op == OP_reshape);
    const type *t = graph_type(g, n->inputs[0]);
    columns from = {.rank = t->rank - 2, .e = to->e, .base = to->base};
    int64_t step = to->stride[to->rank - 1];
    for (int i = from.rank - 1; i >= 0; i--) {
        from.size[i] = t->d[i + 2].n;
        from.stride[i] = step;
        step *= from.size[i];
    }
    make_columns(m, n->inputs[0], t->rank, &from);
}

// --- Norms

// A vector of `n` floats, or a row of them.
static view vector_at(emit *e, LLVMValueRef base, int64_t n) {
    dim size = dim_num(n);
    return (view){.type = type_make(ELEM_F32, 1, &size),
                  .size = {build_const_i64(e, n)},
                  .stride = {1},
                  .base = base,
                  .buffer = -1};
}

static view norm_vector(const making *m, const node *norm, int i) {
    LLVMValueRef at = attention_operand(m->e, m->s, m->f, m->x->operands[norm->inputs[i]]);
    return vector_at(m->e, at, graph_type(m->x->body, norm->inputs[i])->d[0].n);
}

// A row of narrower elements as f32, in `out`.
static view widened(emit *e, const view *x, const view *out) {
    const view *both[] = {x, out};
    for (sweep s = sweep_of(e, out, 2, both); sweep_next(&s);)
        sweep_store(&s, out, cast_op(e, x->type.e, ELEM_F32, sweep_load(&s, x)));
    return *out;
}

// The row of this head, into the norm's place.
static void make_norm(const making *m, value v) {
    const graph *g = m->x->body;
    const node *n = graph_node(g, v);
    head_view in;
    bool found = norms_heads(g, v, &in);
    assert(found);
    (void)found;
    columns from = leaf_columns(m, &in, 3);
    view x = line_of(m, &from, 0, NULL), out = vector_at(m->e, m->bases[v], n->type.d[2].n);
    if (x.type.e != ELEM_F32) x = widened(m->e, &x, &out);
    view gamma = norm_vector(m, n, 1), beta;
    if (n->op == OP_layer_norm) beta = norm_vector(m, n, 2);
    view_norm(m->e, &x, &out, &gamma, n->op == OP_layer_norm ? &beta : NULL, node_attr(n, ATTR_eps)->u.f);
}

// Marks the norms that v is computed from.
static void mark_norms(const graph *g, value v, value base, bool *marked) {
    const node *n = graph_node(g, v);
    if (is_norm(g, v)) marked[v] = true;
    for (int i = 0; i < n->input_count && !is_norm(g, v) && v != base; i++)
        mark_norms(g, n->inputs[i], base, marked);
}

static bool *open_norms(making *m) {
    const graph *g = m->x->body;
    bool *marked = ARENA_ARRAY(m->e->arena, bool, g->count);
    mark_norms(g, m->rows->producer, m->base, marked);
    for (value v = 0; v < g->count; v++) {
        if (!marked[v]) continue;
        int64_t room = round_up(graph_type(g, v)->d[2].n, PANEL_COLUMNS);
        m->bases[v] = view_stack(m->e, LLVMArrayType2(m->e->f32, (uint64_t)room));
    }
    return marked;
}

static void open_params(making *m) {
    const graph *g = m->x->body;
    m->bases = ARENA_ARRAY(m->e->arena, LLVMValueRef, g->count);
    for (value v = 0; v < g->count; v++) {
        const node *p = graph_node(g, v);
        if (p->op != OP_param || p->type.rank != 2 || !view_loads(p->type.e)) continue;
        m->bases[v] = attention_operand(m->e, m->s, m->f, m->x->operands[v]);
    }
}

// base, if it is a value: the function gets a pointer to its rows too, `base_ld` floats apart.
static LLVMValueRef emit_rows(emit *e, const kernel_site *s, const attention *x, const heads *rows,
                              int64_t ld, value base, int64_t base_ld) {
    LLVMBasicBlockRef caller = LLVMGetInsertBlock(e->b);
    LLVMTypeRef params[] = {e->ptr, e->i64, e->i64, e->ptr, e->ptr};
    LLVMValueRef fn = build_helper(e, "attention.rows", NULL, base == VALUE_NONE ? 4 : 5, params);
    task_frame f = task_frame_load(e, LLVMGetParam(fn, 0));
    making m = {.e = e, .s = s, .x = x, .rows = rows, .f = &f, .base = base};
    m.head = LLVMBuildUDiv(e->b, f.head, build_const_i64(e, rows->group), "");
    open_params(&m);
    const bool *norms = open_norms(&m);
    bool keys = dim_eq(rows->rows, dim_sym(SYM_L));
    LLVMValueRef last = LLVMBuildSub(e->b, keys ? f.keys : f.queries, build_const_i64(e, 1), "");
    loop l = build_loop(e, build_const_i64(e, 0), LLVMGetParam(fn, 2), 1, "row");
    m.row = attention_smaller(e, LLVMBuildAdd(e->b, LLVMGetParam(fn, 1), l.index, ""), last);
    if (base != VALUE_NONE) m.bases[base] = tile_at_step(e, LLVMGetParam(fn, 4), l.index, base_ld * 4);
    columns to = {.rank = 1,
                  .e = rows->read,
                  .size = {rows->width},
                  .stride = {1},
                  .base = tile_at_step(e, LLVMGetParam(fn, 3), l.index, elem_bytes(rows->read, ld))};
    for (value v = 0; v < x->body->count; v++)
        if (norms[v]) make_norm(&m, v);
    make_columns(&m, rows->producer, 3, &to);
    attention_fill(e, rows, to.base);
    build_loop_end(e, &l);
    return build_helper_end(e, fn, NULL, caller);
}

LLVMValueRef attention_make_rows(emit *e, const kernel_site *s, const attention *x, const heads *rows,
                                 int64_t ld) {
    return emit_rows(e, s, x, rows, ld, VALUE_NONE, 0);
}

LLVMValueRef attention_make_rows_of(emit *e, const kernel_site *s, const attention *x, const heads *rows,
                                    int64_t ld, value base, int64_t base_ld) {
    return emit_rows(e, s, x, rows, ld, base, base_ld);
}

// --- A tile of rows

row_source attention_source(emit *e, const kernel_site *s, const attention *x, const heads *rows,
                            int tile_rows, int64_t ld, int64_t at) {
    row_source r = {.rows = rows, .tile = tile_rows, .ld = ld, .at = at};
    if (rows->producer == VALUE_NONE)
        r.take = attention_take_rows(e, rows, tile_rows, ld);
    else
        r.make = attention_make_rows(e, s, x, rows, ld);
    return r;
}

void attention_take(emit *e, const kernel_site *s, const task_frame *f, const row_source *r,
                    LLVMValueRef scratch, LLVMValueRef from, LLVMValueRef until) {
    LLVMValueRef to = tile_at_constant(e, scratch, r->at);
    if (r->make) {
        LLVMValueRef args[] = {scratch, from, build_const_i64(e, r->tile), to};
        LLVMBuildCall2(e->b, LLVMGlobalGetValueType(r->make), r->make, args, 4, "");
        return;
    }
    LLVMValueRef rows =
        tile_at_step(e, attention_head_at(e, s, f, r->rows), from, elem_bytes(r->rows->e, r->rows->ld));
    LLVMValueRef args[] = {rows, LLVMBuildSub(e->b, until, from, ""), to};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(r->take), r->take, args, 3, "");
}
