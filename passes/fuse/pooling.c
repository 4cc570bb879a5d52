// fuse_pooling: if a product's rows are only pooled over each text, the product's kernel keeps the
// maximum or the sum over each text's tokens, and never writes the rows to memory.
//
//   requires  nothing (assign_layouts before it)                    produces  nothing
//
//   before    %y = fuse (%x, %w, %b) {                       rows [T,N], of weights in panels
//               %0 = matmul %x, %w
//               ...
//               yield log ...
//             }
//             %p = per_sequence (%bounds; %y) -> f32[S,N] {
//               yield reduce_sum %y {axes = [0]}              or reduce_max
//             }
//             %z = add %p, %c                                 pointwise ops of a row [N] a text
//             ...
//   after     %z = per_sequence (%bounds; %x, %w, %b, %c) -> f32[S,N] {
//               %0 = matmul %x, %w
//               ...
//               %p = reduce_sum ... {axes = [0]}
//               %z = add %p, %c
//               yield ...
//             }
//
// Only the pooling may read the rows, and one product and pointwise ops must compute them. The
// pointwise ops after the pooling join, one by one, as long as their operands are columns [N] and
// numbers.
#include <string.h>

#include "passes/fuse/fuse.h"
#include "passes/region.h"

#define READERS_MOST 16

typedef struct pooling {
    value pooled, rows; // the per_sequence, and what it pools
    op reduction;
    int reader_count;
    value readers[READERS_MOST]; // pointwise ops behind it, in order
} pooling;

static bool over_tokens(const node *n) {
    const attr *axes = node_attr(n, ATTR_axes);
    return (n->op == OP_reduce_max || n->op == OP_reduce_sum) && axes->n == 1 && axes->u.ints[0] == 0;
}

// Is the body nothing but the maximum or sum of its param over the text's tokens?
static bool pools(const graph *g, value v, pooling *x) {
    const node *n = graph_node(g, v);
    if (n->op != OP_per_sequence || n->input_count != 2 || node_yield_count(n) != 1) return false;
    const node *y = graph_node(n->body, n->body->outputs[0].value);
    if (!over_tokens(y) || !op_is(n->body, y->inputs[0], OP_param)) return false;
    *x = (pooling){.pooled = v, .rows = n->inputs[1], .reduction = y->op};
    const type *t = graph_type(g, x->rows);
    return t->rank == 2 && t->e == ELEM_F32 && dim_eq(t->d[0], dim_sym(SYM_T));
}

static bool in_panels(const graph *g, value v) {
    return graph_type(g, v)->layout == LAYOUT_PACKED && node_is_constant(graph_node(g, v));
}

// NULL where the node is one product with a weight in panels, of all of k at once, and pointwise ops on rows,
// columns and numbers.
static const char *why_not(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (n->op == OP_matmul) return in_panels(g, n->inputs[1]) ? NULL : "its weight is not in panels";
    if (n->op != OP_fuse || node_yield_count(n) != 1) return "no product makes the rows";
    const graph *body = n->body;
    int products = 0;
    bool packed = false;
    for (value u = 0; u < body->count; u++) {
        const node *x = graph_node(body, u);
        if (x->op == OP_param) packed = packed || in_panels(g, n->inputs[u]);
        if (x->op == OP_param || value_is_scalar(body, u, NULL)) continue;
        if (x->op == OP_matmul && !node_attr(x, ATTR_group) && !node_attr(x, ATTR_blocks))
            products++;
        else if (!(op_flag_bits(x->op) & POINTWISE))
            return "an op behind the product is not pointwise";
    }
    return products != 1 ? "no single product makes the rows" : packed ? NULL : "its weight is not in panels";
}

// Can the op follow the pooling in its kernel? Its other operands are columns or numbers.
static bool follows(const graph *g, value v, value pooled) {
    const node *n = graph_node(g, v);
    const type *t = graph_type(g, pooled);
    if (!(op_flag_bits(n->op) & POINTWISE) || n->op == OP_cast || !type_eq(&n->type, t)) return false;
    for (int i = 0; i < n->input_count; i++) {
        const type *o = graph_type(g, n->inputs[i]);
        bool number = value_is_scalar(g, n->inputs[i], NULL) && o->rank == 0;
        bool vector = o->e == ELEM_F32 && o->rank == 1 && dim_eq(o->d[0], t->d[1]) &&
                      node_is_constant(graph_node(g, n->inputs[i]));
        if (n->inputs[i] != pooled && !number && !vector) return false;
    }
    return true;
}

static void find_readers(rewriter *r, pooling *x) {
    value last = x->pooled, user;
    while (x->reader_count < READERS_MOST && has_one_use(r, last) && users_of(r, last, &user, 1) == 1 &&
           follows(rewriter_graph(r), user, last))
        last = x->readers[x->reader_count++] = user;
}

// --- The new body

typedef struct merge {
    graph *g, *body;
    int count;
    value *inputs; // of the region: the bounds, then the params' operands
} merge;

// Of a text: T becomes L.
static type of_text(type t) {
    for (int i = 0; i < t.rank; i++)
        if (t.d[i].s == SYM_T) t.d[i].s = SYM_L;
    return t;
}

static value add_param(merge *m, value operand, const char *name) {
    m->inputs[m->count++] = operand;
    return graph_param(m->body, region_free_name(m->body, name ? name : "x"),
                       of_text(*graph_type(m->g, operand)));
}

static value copy_scalar(merge *m, const graph *from, value v) {
    return copy_node(m->body, graph_node(from, v), NULL);
}

// What the operand `v` of a reader is in the body.
static value operand_of(merge *m, value v, value pooled, value in_body, const value *given) {
    if (v == pooled) return in_body;
    return value_is_scalar(m->g, v, NULL) ? copy_scalar(m, m->g, v) : given[v];
}

// The product and its ops: what the pooling reads.
static value merge_rows(merge *m, const pooling *x, arena *scratch, const value *params) {
    const node *n = graph_node(m->g, x->rows);
    if (n->op == OP_matmul) {
        value v = copy_node(m->body, n, params);
        graph_node(m->body, v)->type = of_text(n->type);
        return v;
    }
    value *map = ARENA_ARRAY(scratch, value, n->body->count);
    for (value v = 0; v < n->body->count; v++) {
        const node *from = graph_node(n->body, v);
        value *inputs = ARENA_ARRAY(scratch, value, from->input_count);
        for (int i = 0; i < from->input_count; i++) inputs[i] = map[from->inputs[i]];
        map[v] = v < n->input_count ? params[v] : copy_node(m->body, from, inputs);
        graph_node(m->body, map[v])->type = of_text(graph_node(m->body, map[v])->type);
    }
    return map[n->body->outputs[0].value];
}

static value merge_readers(merge *m, const pooling *x, value v, const value *given) {
    value last = x->pooled;
    for (int i = 0; i < x->reader_count; i++) {
        const node *n = graph_node(m->g, x->readers[i]);
        value inputs[3];
        for (int k = 0; k < n->input_count; k++) inputs[k] = operand_of(m, n->inputs[k], last, v, given);
        v = graph_append(m->body, n->op, n->input_count, inputs, n->attr_count, n->attrs);
        last = x->readers[i];
    }
    return v;
}

// Params come before all ops: those of the product's node, then the readers' columns.
static value merged(graph *g, const pooling *x) {
    arena *scratch = arena_new();
    const node *n = graph_node(g, x->rows);
    int most = 1 + n->input_count + 3 * x->reader_count;
    merge m = {.g = g, .body = graph_new(g->arena, NULL), .inputs = ARENA_ARRAY(scratch, value, most)};
    value *params = ARENA_ARRAY(scratch, value, n->input_count),
          *given = ARENA_ARRAY(scratch, value, g->count);
    m.inputs[m.count++] = graph_node(g, x->pooled)->inputs[0];
    for (int i = 0; i < n->input_count; i++)
        params[i] = add_param(&m, n->inputs[i],
                              n->body ? graph_node(n->body, i)->name : graph_node(g, n->inputs[i])->name);
    for (value v = 0; v < g->count; v++) given[v] = VALUE_NONE;
    value last = x->pooled;
    for (int i = 0; i < x->reader_count; last = x->readers[i++]) {
        const node *reader = graph_node(g, x->readers[i]);
        for (int k = 0; k < reader->input_count; k++) {
            value v = reader->inputs[k];
            if (v == last || value_is_scalar(g, v, NULL) || given[v] != VALUE_NONE) continue;
            given[v] = add_param(&m, v, graph_node(g, v)->name);
        }
    }
    int64_t axis = 0;
    attr axes = attr_ints(g->arena, ATTR_axes, 1, &axis);
    value rows = merge_rows(&m, x, scratch, params);
    value pooled = graph_append(m.body, x->reduction, 1, &rows, 1, &axes);
    graph_output_add(m.body, NULL, merge_readers(&m, x, pooled, given));
    value v = graph_region(g, OP_per_sequence, m.count, m.inputs, m.body, 1);
    arena_free(scratch);
    return v;
}

bool pass_fuse_pooling(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    for (value v = 0, count = g->count; v < count; v++) {
        pooling x;
        if (!use_count(r, v) || !pools(g, v, &x)) continue;
        const char *why = has_one_use(r, x.rows) ? why_not(g, x.rows) : "something else reads the rows too";
        if (why) {
            if (product_columns(g, x.rows)) pass_missed(p, g, v, "its rows are pooled from memory: %s", why);
            continue;
        }
        find_readers(r, &x);
        value last = x.reader_count ? x.readers[x.reader_count - 1] : x.pooled, made = merged(g, &x);
        replace_all_uses(r, last, made);
        pass_fired(p, g, made, "pooled in the product's kernel, with %d ops after it", x.reader_count);
    }
    rewriter_end(r);
    return true;
}
