// The rowwise family: bodies over rows [X,N] in one pass over each row: embeddings (gathers, sums,
// a norm), lone norms and pointwise ops, softmax and reductions along the row, in any order.
//
//   gather, x, bias --> pointwise ops --> a row of scratch --> layer_norm --> result
//
// Ops that need the whole row (`row ops`) are stages: the operand of one is computed into a row of
// scratch, and the op runs on it in place. Between stages, pointwise ops are computed where they
// are read, again for each stage that reads them.
#include "backend/loop_nest/loop_nest.h"

#include <assert.h>

// What a value of the body is to one row.
typedef enum operand_shape { ROW, COLUMN, VECTOR, SCALAR, IDS, TABLE, FOREIGN } operand_shape;

static bool is_row_op(op o) {
    return o == OP_softmax || o == OP_layer_norm || o == OP_rms_norm || o == OP_reduce_sum ||
           o == OP_reduce_max || o == OP_reduce_mean;
}

static bool is_reduction(op o) {
    return is_row_op(o) && o != OP_softmax && o != OP_layer_norm && o != OP_rms_norm;
}

// --- Accepting

typedef struct row_shape {
    sym rows;
    int64_t width; // N, more than 1
} row_shape;

static operand_shape operand_shape_of(const graph *body, value v, const row_shape *s) {
    const node *n = graph_node(body, v);
    const type *t = &n->type;
    double x;
    if (value_is_scalar(body, v, &x)) return SCALAR;
    if (t->layout != LAYOUT_ROW || n->op == OP_constant) return FOREIGN;
    bool leads = t->rank > 0 && dim_eq(t->d[0], dim_sym(s->rows));
    if (t->e == ELEM_I32 && t->rank == 1 && leads) return n->op == OP_param ? IDS : FOREIGN;
    if (t->rank == 2 && leads) return dim_is(t->d[1], s->width) ? ROW : dim_is(t->d[1], 1) ? COLUMN : FOREIGN;
    if (n->op != OP_param) return FOREIGN;
    if (t->rank == 1) return dim_is(t->d[0], s->width) ? VECTOR : FOREIGN;
    return t->rank == 2 && t->d[0].s == SYM_NONE && dim_is(t->d[1], s->width) ? TABLE : FOREIGN;
}

static bool takes_operand(const graph *body, const node *n, int i, const row_shape *s) {
    operand_shape at = operand_shape_of(body, n->inputs[i], s);
    if (n->op == OP_gather) return at == (i == 0 ? TABLE : IDS);
    if (is_row_op(n->op)) return at == (i == 0 ? ROW : VECTOR);
    return at == ROW || at == COLUMN || at == VECTOR || at == SCALAR;
}

static bool takes_node(const graph *body, value v, const row_shape *s) {
    const node *n = graph_node(body, v);
    operand_shape at = operand_shape_of(body, v, s);
    if (n->op == OP_param) return true;
    if (n->op == OP_constant) return at == SCALAR;
    if (at != ROW && at != COLUMN) return false;
    if (n->op != OP_gather && !is_row_op(n->op) && !(op_flag_bits(n->op) & POINTWISE)) return false;
    if (is_reduction(n->op) && (node_attr(n, ATTR_axes)->n != 1 || node_attr(n, ATTR_axes)->u.ints[0] != 1))
        return false;
    for (int i = 0; i < n->input_count; i++)
        if (!takes_operand(body, n, i, s)) return false;
    return true;
}

// The widest row that a value of the body has, and what its rows are.
static row_shape find_shape(const graph *body) {
    const type *result = graph_type(body, body->outputs[0].value);
    row_shape s = {SYM_NONE, 0};
    if (result->rank != 2 || result->d[0].n != 0) return s;
    s.rows = result->d[0].s;
    for (value v = 0; v < body->count; v++) {
        const type *t = graph_type(body, v);
        if (t->rank == 2 && dim_eq(t->d[0], dim_sym(s.rows)) && t->d[1].s == SYM_NONE && t->d[1].n > s.width)
            s.width = t->d[1].n;
    }
    return s;
}

static bool is_padded(const place *p, const type *t) {
    return p->ld * (int64_t)elem_size(t->e) % PLACE_ALIGNMENT == 0;
}

// Rows lie in the arena, padded to whole vectors; vectors and tables are constants, with zeros after them.
static bool operands_fit(const kernel_site *k, const graph *body, const row_shape *s) {
    const node *n = graph_node(k->graph, k->node);
    const place *places = k->variant->places;
    for (int i = 0; i < n->input_count; i++) {
        operand_shape at = operand_shape_of(body, i, s);
        bool constant = node_is_constant(graph_node(k->graph, n->inputs[i]));
        if (at == FOREIGN) return false;
        if ((at == VECTOR || at == TABLE) && !constant) return false;
        if (at == ROW && (constant || !is_padded(&places[n->inputs[i]], graph_type(body, i)))) return false;
    }
    return operand_shape_of(body, body->outputs[0].value, s) == COLUMN ||
           is_padded(&places[k->node], &n->type);
}

bool rowwise_accepts(const emit *e, const kernel_site *k) {
    if (graph_node(k->graph, k->node)->op == OP_per_sequence) return false;
    const graph *body = loop_nest_flatten(e->arena, k->graph, k->node);
    const row_shape s = find_shape(body);
    if ((s.rows != SYM_T && s.rows != SYM_S && s.rows != SYM_R) || s.width < 2) return false;
    for (value v = 0; v < body->count; v++)
        if (!takes_node(body, v, &s)) return false;
    return graph_node(body, body->outputs[0].value)->op != OP_param && operands_fit(k, body, &s);
}

// --- Emitting

// One row in progress.
typedef struct rowwise {
    loop_nest *n;
    const graph *body;
    // By value: this row of each param, of each gather, and of each row op's result; type.rank 1, or 0 for
    // columns.
    view *rows;
    bool *there;
    LLVMValueRef *memo;
    sweep *s; // the sweep that loads now
} rowwise;

static LLVMValueRef load(void *context, value v) {
    rowwise *r = context;
    assert(r->there[v]);
    return sweep_load(r->s, &r->rows[v]);
}

static LLVMValueRef compute(rowwise *r, sweep *s, value v) {
    for (value u = 0; u < r->body->count; u++) r->memo[u] = NULL;
    r->s = s;
    pointwise p = {r->n->e, r->body, load, r, r->memo};
    return pointwise_value(&p, v);
}

// Value v, along the whole row, into `out`.
static void write_row(rowwise *r, value v, const view *out) {
    for (sweep s = sweep_begin(r->n->e, out->size[0], r->n->e->width, 1); sweep_next(&s);)
        sweep_store(&s, out, compute(r, &s, v));
}

// A row of scratch of the width of value v.
static view scratch_row(loop_nest *n, value v) {
    type t = type_make(ELEM_F32, 1, &graph_type(n->body, v)->d[1]);
    LLVMValueRef size = build_const_i64(n->e, t.d[0].n);
    view x = view_make(&t, build_gep(n->e, n->scratch, build_const_i64(n->e, n->scratch_bytes)), &size,
                       &t.d[0].n, 0);
    x.padded = true;
    n->scratch_bytes += round_up(t.d[0].n, PANEL_COLUMNS) * 4;
    return x;
}

// A column's one value, as a scalar that spreads.
static view scalar_view(LLVMValueRef x) {
    return (view){.type = type_make(ELEM_F32, 0, NULL), .immediate = x, .buffer = -1};
}

static LLVMValueRef reduction(emit *e, op o, const view *x) {
    if (o == OP_reduce_max) return view_max(e, x);
    LLVMValueRef sum = view_sum(e, x);
    if (o == OP_reduce_sum) return sum;
    return LLVMBuildFDiv(e->b, sum, LLVMBuildSIToFP(e->b, x->size[0], e->f32, ""), "");
}

// A stage: `home` is where its row may lie, scratch or the result's own row.
static void row_stage(rowwise *r, value v, const view *home) {
    emit *e = r->n->e;
    const node *producer = graph_node(r->body, v);
    value from = producer->inputs[0];
    view in = r->there[from] ? r->rows[from] : *home;
    if (!r->there[from]) write_row(r, from, home);
    if (is_reduction(producer->op)) {
        r->rows[v] = scalar_view(reduction(e, producer->op, &in));
    } else {
        if (producer->op == OP_softmax) {
            view_softmax(e, &in, home);
        } else {
            const view *beta = producer->op == OP_layer_norm ? &r->rows[producer->inputs[2]] : NULL;
            view_norm(e, &in, home, &r->rows[producer->inputs[1]], beta, node_attr(producer, ATTR_eps)->u.f);
        }
        r->rows[v] = *home;
    }
    r->there[v] = true;
}

// What is at hand at the start of a row: params, and the rows that gathers choose.
static void open_row(rowwise *r, const walk *w) {
    loop_nest *n = r->n;
    for (value v = 0; v < r->body->count; v++) {
        const node *producer = graph_node(r->body, v);
        r->there[v] = producer->op == OP_param || producer->op == OP_gather;
        if (producer->op == OP_gather) {
            r->rows[v] = loop_nest_gathered(n, &n->views[producer->inputs[0]], &n->views[producer->inputs[1]],
                                            w->index[0]);
        } else if (producer->op == OP_param) {
            const type *t = graph_type(r->body, v);
            bool leads = t->rank > 0 && t->d[0].s == n->rows;
            r->rows[v] = leads ? view_at(n->e, &n->views[v], w->index[0]) : n->views[v];
            if (leads && t->rank == 2 && dim_is(t->d[1], 1))
                r->rows[v] = view_at(n->e, &r->rows[v], build_const_i64(n->e, 0));
        }
    }
}

static void close_row(rowwise *r, value yields, const view *out) {
    bool column = dim_is(graph_type(r->body, yields)->d[1], 1);
    if (r->there[yields] && !column) {
        if (graph_node(r->body, yields)->op == OP_gather) view_copy(r->n->e, &r->rows[yields], out);
        return; // a row op left it there
    }
    if (!column) {
        write_row(r, yields, out);
        return;
    }
    for (sweep s = sweep_begin(r->n->e, out->size[0], 1, 1); sweep_next(&s);)
        sweep_store(&s, out, compute(r, &s, yields));
}

static bool rowwise_body(loop_nest *n, const view *result) {
    const graph *body = n->body;
    arena *a = n->e->arena;
    value yields = body->outputs[0].value;
    rowwise r = {.n = n,
                 .body = body,
                 .rows = ARENA_ARRAY(a, view, body->count),
                 .there = ARENA_ARRAY(a, bool, body->count)};
    r.memo = ARENA_ARRAY(a, LLVMValueRef, body->count);
    walk w = walk_begin(n->e, 1, result->size);
    view out = walk_view(n->e, &w, result);
    open_row(&r, &w);
    for (value v = 0; v < body->count; v++) {
        if (!is_row_op(graph_node(body, v)->op)) continue;
        bool last = v == yields && !is_reduction(graph_node(body, v)->op);
        view home = last ? out : scratch_row(n, graph_node(body, v)->inputs[0]);
        row_stage(&r, v, &home);
    }
    close_row(&r, yields, &out);
    walk_end(n->e, &w);
    return true;
}

bool rowwise_emit(emit *e, const kernel_site *s, kernel *out) {
    return loop_nest_emit_body(e, s, out, "rowwise", rowwise_body);
}
