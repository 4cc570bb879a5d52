// The rowwise family: bodies over rows [X,N] in one pass over each row: embeddings (gathers, sums,
// a norm), lone norms and pointwise ops, softmax and reductions along the row, scales, quantize and dequantize, in any
// order. Its results are rows [X,N] of any type, columns [X,1] and scales [X,N/group]. The code of a row is row.c's.
#include "backend/emit/row.h"
#include "backend/loop_nest/loop_nest.h"

// What a value of the body is to one row.
typedef enum operand_shape { ROW, COLUMN, SCALES, VECTOR, SCALAR, IDS, TABLE, PANELS, FOREIGN } operand_shape;

// --- Accepting

typedef struct row_shape {
    sym rows;
    int64_t width; // N, more than 1
} row_shape;

// A table that lies in the panels of its transpose.
static bool is_panel_table(const graph *body, const node *n) {
    const node *w = graph_node(body, n->inputs[0]);
    return n->op == OP_transpose && w->op == OP_param && w->type.layout == LAYOUT_PACKED;
}

static operand_shape operand_shape_of(const graph *body, value v, const row_shape *s) {
    const node *n = graph_node(body, v);
    const type *t = &n->type;
    double x;
    if (value_is_scalar(body, v, &x)) return SCALAR;
    if (t->layout == LAYOUT_PACKED) return n->op == OP_param && dim_is(t->d[0], s->width) ? PANELS : FOREIGN;
    if (n->op == OP_constant) return FOREIGN;
    if (n->op == OP_transpose) return is_panel_table(body, n) && dim_is(t->d[1], s->width) ? TABLE : FOREIGN;
    bool leads = t->rank > 0 && dim_eq(t->d[0], dim_sym(s->rows));
    if (t->e == ELEM_I32 && t->rank == 1 && leads) return n->op == OP_param ? IDS : FOREIGN;
    if (t->rank == 2 && leads) {
        if (dim_is(t->d[1], s->width)) return ROW;
        if (dim_is(t->d[1], 1)) return COLUMN;
        bool scales = n->op == OP_param || n->op == OP_scales || n->op == OP_gather;
        return scales && t->d[1].s == SYM_NONE && row_scales_fit(s->width, t->d[1].n) ? SCALES : FOREIGN;
    }
    if (n->op != OP_param) return FOREIGN;
    if (t->rank == 1) return dim_is(t->d[0], s->width) ? VECTOR : FOREIGN;
    if (t->rank != 2 || t->d[1].s != SYM_NONE) return FOREIGN;
    bool fits = dim_is(t->d[1], s->width) || row_scales_fit(s->width, t->d[1].n); // rows, or their scales
    return fits ? TABLE : FOREIGN;
}

static bool takes_operand(const graph *body, const node *n, int i, const row_shape *s) {
    operand_shape at = operand_shape_of(body, n->inputs[i], s);
    if (n->op == OP_gather) return at == (i == 0 ? TABLE : IDS);
    if (row_quantizer(n->op) && at == SCALES) return i == 1;
    if (row_op(n->op)) return at == (i == 0 ? ROW : VECTOR);
    return at == ROW || at == COLUMN || at == VECTOR || at == SCALAR;
}

static bool takes_node(const graph *body, value v, const row_shape *s) {
    const node *n = graph_node(body, v);
    operand_shape at = operand_shape_of(body, v, s);
    if (n->op == OP_param) return true;
    if (n->op == OP_constant) return at == SCALAR;
    if (n->op == OP_transpose) return at == TABLE;
    if (n->op == OP_scales && at == ROW) return false; // of each element
    if (at != ROW && at != COLUMN && at != SCALES) return false;
    bool lanes = op_flag_bits(n->op) & POINTWISE || row_quantizer(n->op);
    if (n->op != OP_gather && !row_op(n->op) && !lanes) return false;
    if (row_reduction(n->op) && (node_attr(n, ATTR_axes)->n != 1 || node_attr(n, ATTR_axes)->u.ints[0] != 1))
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
    return p->ld * elem_bits(t->e) % (PLACE_ALIGNMENT * 8) == 0;
}

// Rows lie in the arena, padded to whole vectors, and so may tables (rows that a head chooses from); vectors and other tables
// are constants, with zeros after them.
static bool operands_fit(const kernel_site *k, const graph *body, const row_shape *s) {
    const node *n = graph_node(k->graph, k->node);
    const place *places = k->variant->places;
    for (int i = 0; i < n->input_count; i++) {
        operand_shape at = operand_shape_of(body, i, s);
        bool constant = node_is_constant(graph_node(k->graph, n->inputs[i]));
        if (at == FOREIGN) return false;
        bool padded = !constant && is_padded(&places[n->inputs[i]], graph_type(body, i));
        if ((at == VECTOR || at == PANELS) && !constant) return false;
        if (at == TABLE && !constant && !padded) return false;
        if (at == ROW && !padded) return false;
    }
    return true;
}

// Each is a row, a column, or scales.
static bool results_fit(arena *a, const kernel_site *k, const graph *body, const row_shape *s) {
    int count;
    const kernel_result *r = kernel_results(a, k, &count);
    for (int i = 0; i < count; i++) {
        value v = body->outputs[i].value;
        operand_shape at = operand_shape_of(body, v, s);
        if ((at != COLUMN && at != ROW && at != SCALES) || graph_node(body, v)->op == OP_param) return false;
        if (at == ROW && !is_padded(&k->variant->places[r[i].node], graph_type(body, v))) return false;
    }
    return true;
}

bool rowwise_accepts(const emit *e, const kernel_site *k) {
    if (graph_node(k->graph, k->node)->op == OP_per_sequence) return false;
    const graph *body = loop_nest_flatten(e->arena, k);
    const row_shape s = find_shape(body);
    if ((s.rows != SYM_T && s.rows != SYM_S && s.rows != SYM_R) || s.width < 2) return false;
    for (value v = 0; v < body->count; v++)
        if (!takes_node(body, v, &s)) return false;
    return operands_fit(k, body, &s) && results_fit(e->arena, k, body, &s);
}

// --- Emitting

// A column's row is one number.
static view row_of(emit *e, const type *t, view row) {
    return dim_is(t->d[1], 1) ? view_at(e, &row, build_const_i64(e, 0)) : row;
}

static view table_view(const loop_nest *n, value v) {
    const node *table = graph_node(n->body, v);
    if (table->op != OP_transpose) return n->views[v];
    return view_panel_rows(&n->views[table->inputs[0]], &table->type);
}

// What is at hand at the start of a row: params, and the rows that gathers choose.
static void open_row(loop_nest *n, row_code *r, const walk *w) {
    const graph *body = n->body;
    for (value v = 0; v < body->count; v++) {
        const node *producer = graph_node(body, v);
        if (producer->op == OP_gather) {
            view table = table_view(n, producer->inputs[0]);
            view row = loop_nest_gathered(n, &table, &n->views[producer->inputs[1]], w->index[0]);
            row_code_have(r, v, row_of(n->e, &producer->type, row));
        } else if (producer->op == OP_param) {
            const type *t = graph_type(body, v);
            bool leads = t->rank > 0 && t->d[0].s == n->rows;
            view row = leads ? view_at(n->e, &n->views[v], w->index[0]) : n->views[v];
            row_code_have(r, v, leads && t->rank == 2 ? row_of(n->e, t, row) : row);
        }
    }
}

static bool rowwise_body(loop_nest *n, const view *results) {
    emit *e = n->e;
    int count = n->body->output_count;
    view *outs = ARENA_ARRAY(e->arena, view, count);
    value *yields = ARENA_ARRAY(e->arena, value, count);
    row_code r = row_code_open(e, n->body, n->scratch, &n->scratch_bytes);
    walk w = walk_begin(e, 1, results[0].size);
    for (int i = 0; i < count; i++) {
        outs[i] = walk_view(e, &w, &results[i]);
        yields[i] = n->body->outputs[i].value;
    }
    open_row(n, &r, &w);
    row_code_run(&r, count, yields, outs);
    walk_end(e, &w);
    return true;
}

bool rowwise_emit(emit *e, const kernel_site *s, kernel *out) {
    return loop_nest_emit_body(e, s, out, "rowwise", rowwise_body);
}
