// Tables of embeddings: puts them in bf16, or in i8 with one scale per 64 columns of a row. Lookups
// widen the rows that they found.
//
//   before    %0 = gather %word, %ids                       f32, or 16 bits, then a cast
//
//   after     %0 = gather %word.bf16, %ids                  bf16; a table of 16 bits stays as it is
//             %1 = cast %0 {to = f32}
//
//             %0 = gather %word.i8, %ids                    int8, int8w
//             %1 = gather %word.scales, %ids                f32[T,H/64]
//             %2 = dequantize %0, %1 {group = 64}
//
// A table that is tied to the decoder of a masked LM gets the same elements as the decoder's
// weight, so that one copy is enough (share_tables): one scale per row in i8, and bf16 even if the
// checkpoint has f16.
//
// It takes only tables of the checkpoint with at least 16 rows. A smaller one would save nothing,
// and tables of angles (rotary positions) are computed, not learned.
#include "passes/lower/lower.h"

static bool of_checkpoint(const recipe *r) {
    while (r->kind == RECIPE_CAST || r->kind == RECIPE_SLICE || r->kind == RECIPE_SCALE) r = r->parts[0];
    return r->kind == RECIPE_TENSOR;
}

// Is it a lookup in such a table?
static bool takes(const lower *l, value v, const graph *where, value u) {
    const graph *g = rewriter_graph(l->r);
    const node *n = graph_node(where, u);
    if (n->op != OP_gather || n->type.rank != 2) return false;
    value table = n->inputs[0];
    if (where != g) {
        if (!op_is(where, table, OP_param)) return false;
        table = graph_node(g, v)->inputs[table];
    }
    const node *c = graph_node(g, table);
    const attr *r = node_is_constant(c) ? node_attr(c, ATTR_recipe) : NULL;
    if (!r || node_is_state(c) || !elem_is_float(c->type.e) || c->type.layout != LAYOUT_ROW) return false;
    if (c->type.rank != 2 || c->type.d[0].n < LOWER_LEAST || c->type.d[1].n < LOWER_LEAST) return false;
    if (!of_checkpoint(r->u.recipe) || keep_holds(l, v, table)) return false;
    return l->weight != ELEM_BF16 || c->type.e == ELEM_F32 || table_is_tied(l, table);
}

static value looked_up(lower *l, open_box *b, value table, value ids) {
    value scales = VALUE_NONE, narrow = table_narrow(l, table, &scales);
    value rows = box_add(l, b, OP_gather, 2, (value[]){narrow, ids}, 0, NULL);
    attr to = attr_elem(ATTR_to, ELEM_F32);
    if (scales == VALUE_NONE) return box_add(l, b, OP_cast, 1, &rows, 1, &to);
    const graph *g = rewriter_graph(l->r);
    attr group = attr_int(ATTR_group, graph_type(g, narrow)->d[1].n / graph_type(g, scales)->d[1].n);
    value factors = box_add(l, b, OP_gather, 2, (value[]){scales, ids}, 0, NULL);
    return box_add(l, b, OP_dequantize, 2, (value[]){rows, factors}, 1, &group);
}

static void lower_alone(lower *l, value v) {
    graph *g = rewriter_graph(l->r);
    open_box b = {0};
    if (!takes(l, v, g, v) || graph_type(g, v)->e != ELEM_F32) return;
    pass_fired(l->p, g, v, "table in %s", elem_name(l->weight));
    box_close_op(l, &b, v, looked_up(l, &b, graph_node(g, v)->inputs[0], graph_node(g, v)->inputs[1]));
}

void lower_lookups(lower *l, value v) {
    graph *g = rewriter_graph(l->r);
    const node *n = graph_node(g, v);
    if (n->op == OP_gather) lower_alone(l, v);
    if (n->op != OP_fuse || node_has_effect(n)) return;
    const graph *body = n->body;
    int tables = 0;
    for (value u = 0; u < body->count; u++) tables += takes(l, v, body, u);
    if (!tables) return;
    pass_fired(l->p, g, v, "%d table%s in %s", tables, tables > 1 ? "s" : "", elem_name(l->weight));
    open_box b = box_open(l, v);
    for (value u = 0; u < body->count; u++) {
        const node *m = graph_node(body, u);
        if (m->op == OP_param) continue;
        if (takes(l, v, body, u))
            b.map[u] = looked_up(l, &b, b.map[m->inputs[0]], b.map[m->inputs[1]]);
        else if (m->op == OP_cast && graph_type(g, b.map[m->inputs[0]])->e == m->type.e)
            b.map[u] = b.map[m->inputs[0]]; // of a 16-bit table's rows
        else
            b.map[u] = box_copy(l, &b, u);
    }
    box_close(l, &b, v);
}
