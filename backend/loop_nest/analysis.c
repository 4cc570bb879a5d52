// Two questions about a body before it is emitted: are its rows independent, and how much work is it?
#include "backend/loop_nest/loop_nest.h"

#include <string.h>

// --- Rows

typedef enum symbol_place { SYMBOL_ABSENT, SYMBOL_FIRST, SYMBOL_ELSEWHERE } symbol_place;

// Which axis of a type the symbol is.
static symbol_place symbol_place_of(const type *t, sym rows) {
    symbol_place at = SYMBOL_ABSENT;
    for (int i = 0; i < t->rank; i++) {
        if (t->d[i].s != rows) continue;
        if (i > 0 || t->d[i].n != 0) return SYMBOL_ELSEWHERE;
        at = SYMBOL_FIRST;
    }
    return at;
}

static bool is_whole(const attr *begin, const attr *end, sym rows) {
    return dim_is(begin->u.dims[0], 0) && dim_eq(end->u.dims[0], dim_sym(rows));
}

static bool has_axis(const attr *axes, int64_t axis) {
    for (int i = 0; i < axes->n; i++)
        if (axes->u.ints[i] == axis) return true;
    return false;
}

static bool pointwise_rows(const graph *g, const node *n, sym rows) {
    for (int i = 0; i < n->input_count; i++) {
        const type *t = graph_type(g, n->inputs[i]);
        if (symbol_place_of(t, rows) == SYMBOL_FIRST && t->rank != n->type.rank) return false;
    }
    return true;
}

// Given that `rows` is the first axis of the result, and the first or none of each operand: does row i of
// the result depend on row i of those operands alone?
static bool node_row_wise(const graph *g, const node *n, sym rows) {
    const type *first = n->input_count ? graph_type(g, n->inputs[0]) : NULL;
    bool leads = first && symbol_place_of(first, rows) == SYMBOL_FIRST;
    if (op_flag_bits(n->op) & POINTWISE) return pointwise_rows(g, n, rows);
    switch ((int)n->op) {
    case OP_param:
    case OP_constant:
    case OP_iota:
    case OP_random:
    case OP_reshape: return true;
    case OP_broadcast: return pointwise_rows(g, n, rows);
    case OP_gather: return !leads;
    case OP_gather_along:
    case OP_scatter_add_along: return n->type.rank > 1 && pointwise_rows(g, n, rows);
    case OP_matmul:
        return leads && (graph_type(g, n->inputs[1])->rank > 2 ||
                         symbol_place_of(graph_type(g, n->inputs[1]), rows) == SYMBOL_ABSENT);
    case OP_transpose: return node_attr(n, ATTR_perm)->u.ints[0] == 0;
    case OP_slice: return is_whole(node_attr(n, ATTR_begin), node_attr(n, ATTR_end), rows);
    case OP_concat: return node_attr(n, ATTR_axis)->u.i != 0;
    case OP_pad: return leads;
    case OP_reduce_sum:
    case OP_reduce_max:
    case OP_reduce_mean: return !has_axis(node_attr(n, ATTR_axes), 0);
    case OP_softmax:
    case OP_layer_norm:
    case OP_scales:
    case OP_quantize:
    case OP_dequantize:
    case OP_rms_norm: return n->type.rank > 1;
    default: return false; // one task, then
    }
}

bool loop_nest_row_wise(const graph *body, sym rows) {
    for (value v = 0; v < body->count; v++) {
        const node *n = graph_node(body, v);
        symbol_place result = symbol_place_of(&n->type, rows);
        bool reads = false;
        for (int i = 0; i < n->input_count; i++)
            reads |= symbol_place_of(graph_type(body, n->inputs[i]), rows) != SYMBOL_ABSENT;
        if (result == SYMBOL_ELSEWHERE || (op_flag_bits(n->op) & WRITES)) return false; // written once
        if (result == SYMBOL_ABSENT && reads) return false;
        if (result == SYMBOL_FIRST && !node_row_wise(body, n, rows)) return false;
    }
    for (int i = 0; i < body->output_count; i++)
        if (symbol_place_of(graph_type(body, body->outputs[i].value), rows) != SYMBOL_FIRST) return false;
    return true;
}

// --- Work

// Elements without the symbols, and how many symbols there are (M counts as none: it is a number of the
// variant).
static double elements(const type *t, int *symbols) {
    double n = 1;
    *symbols = 0;
    for (int i = 0; i < t->rank; i++) {
        if (t->d[i].s == SYM_NONE)
            n *= (double)t->d[i].n;
        else if (t->d[i].s != SYM_M)
            ++*symbols;
    }
    return n;
}

static void node_work(const graph *g, const node *n, double work[3]) {
    int flags = op_flag_bits(n->op), symbols, inner_symbols = 0;
    if (flags & (VIEW | LEAF | REGION)) return;
    double count = elements(&n->type, &symbols), each = flags & (POINTWISE | REDUCES) ? 1 : 0;
    if (n->op == OP_matmul) {
        const type *x = graph_type(g, n->inputs[0]);
        const attr *group = node_attr(n, ATTR_group);
        type inner = type_make(ELEM_F32, 1, &x->d[x->rank - 1]);
        if (group) inner.d[0] = dim_num(group->u.i);
        each = 2 * elements(&inner, &inner_symbols);
    } else if (flags & REDUCES) {
        count = elements(graph_type(g, n->inputs[0]), &symbols);
        if (n->op == OP_layer_norm || n->op == OP_rms_norm || n->op == OP_softmax) each = 5;
    }
    symbols += inner_symbols;
    work[symbols < 2 ? symbols : 2] += count * each;
}

void loop_nest_work(const graph *body, double work[3]) {
    memset(work, 0, 3 * sizeof(*work));
    for (value v = 0; v < body->count; v++) node_work(body, graph_node(body, v), work);
}

// The value whose elements a view shows.
static value source_of(const graph *g, value v) {
    while (op_flag_bits(graph_node(g, v)->op) & VIEW) v = graph_node(g, v)->inputs[0];
    return v;
}

static void add_bytes(const graph *g, value v, double bytes[3]) {
    int symbols;
    const type *t = graph_type(g, v);
    double n = elements(t, &symbols) * (double)elem_bits(t->e) / 8;
    bytes[symbols < 2 ? symbols : 2] += n;
}

void loop_nest_traffic(const graph *body, const bool *weight, double bytes[3]) {
    memset(bytes, 0, 3 * sizeof(*bytes));
    for (value v = 0; v < body->count; v++) {
        const node *n = graph_node(body, v);
        if (op_flag_bits(n->op) & (VIEW | LEAF | REGION)) continue;
        add_bytes(body, v, bytes);
        for (int i = 0; i < n->input_count; i++) {
            value from = source_of(body, n->inputs[i]);
            const node *source = graph_node(body, from);
            bool broadcast = graph_node(body, n->inputs[i])->op == OP_broadcast;
            if (source->op == OP_constant || (source->op == OP_param && weight[from])) continue;
            add_bytes(body, broadcast ? from : n->inputs[i], bytes);
        }
    }
    for (int i = 0; i < body->output_count; i++) {
        value result = body->outputs[i].value;
        if (source_of(body, result) == result) continue;
        add_bytes(body, result, bytes); // a view is copied to where it belongs
        add_bytes(body, result, bytes);
    }
}
