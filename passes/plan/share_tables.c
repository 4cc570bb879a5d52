// share_tables: if a weight is the transpose of a table of embeddings, lookups read the weight's
// panels, and the table is dropped.
//
//   requires  no packed weights       produces  nothing
//
//   before    %word = constant i8[V,H] {recipe = quantize_rows(tensor("w"), 127)}
//             %dec = constant i8[H,V] {recipe = quantize_columns(transpose(tensor("w")), 127)}
//             %x = fuse (%word, %ids, ..) { %0 = gather %word, %ids ..
//             %y = fuse (%h, %dec, ..) { %0 = matmul %h, %dec ..
//
//   after     %x = fuse (%dec, %ids, ..) { %word = transpose %dec; %0 = gather %word, %ids ..
//             %y = fuse (%h, %dec, ..) { %0 = matmul %h, %dec ..
//
// The decoder of a masked LM that is tied to the embeddings is such a weight. The pass takes
// tables of i8 and bf16 that only fuses look up, and weights with the same elements that products
// stream. A row is then 4 bytes in each of its panel's cache lines. So a lookup reads 16 times the
// bytes of a table's row, in one contiguous range.
#include "passes/constants.h"
#include "passes/region.h"

static const recipe *recipe_at(const graph *g, value v) {
    const node *n = graph_node(g, v);
    const attr *r = n->op == OP_constant && !node_is_state(n) ? node_attr(n, ATTR_recipe) : NULL;
    return r && n->type.rank == 2 && n->type.layout == LAYOUT_ROW ? r->u.recipe : NULL;
}

// Has `table` [V,H] the elements of the transpose of `w` [H,V]?
static bool same_elements(const recipe *table, const recipe *w) {
    const recipe *from = NULL, *of = NULL;
    if (table->type.e != w->type.e) return false;
    if (table->kind == RECIPE_QUANTIZE_ROWS && w->kind == RECIPE_QUANTIZE_COLUMNS &&
        (int64_t)table->scale == (int64_t)w->scale) {
        from = recipe_before_casts(table->parts[0]);
        of = recipe_turned(w->parts[0]);
    } else if (table->type.e == ELEM_BF16) {
        from = recipe_before_casts(table->kind == RECIPE_CAST ? table->parts[0] : table);
        of = recipe_turned(w->kind == RECIPE_CAST ? w->parts[0] : w);
    }
    return from && of && from->kind == RECIPE_TENSOR && recipe_eq(from, of);
}

// Do all that read v, number i among the operands of fuses, do so there as `reads` says?
static bool read_in_boxes(const graph *g, value v, bool (*reads)(const graph *body, value u, int i)) {
    bool any = false;
    for (value u = 0; u < g->count; u++) {
        const node *n = graph_node(g, u);
        for (int i = 0; i < n->input_count; i++) {
            if (n->inputs[i] != v) continue;
            if (n->op != OP_fuse || region_yields(n->body, i)) return false;
            for (value k = 0; k < n->body->count; k++)
                for (int j = 0; j < graph_node(n->body, k)->input_count; j++)
                    if (graph_node(n->body, k)->inputs[j] == i && !reads(n->body, k, j)) return false;
            any = true;
        }
    }
    for (int i = 0; i < g->output_count; i++)
        if (g->outputs[i].value == v) return false;
    return any;
}

static bool is_lookup(const graph *body, value u, int i) {
    return op_is(body, u, OP_gather) && i == 0;
}

static bool is_product(const graph *body, value u, int i) {
    return (op_is(body, u, OP_matmul) && i == 1) || op_is(body, u, OP_cast);
}

// The table as the transpose of w in the fuse v, whose operand it is.
static void look_up_in(graph *g, value v, value table, value w) {
    node *n = graph_node(g, v);
    const graph *from = n->body;
    graph *body = graph_new(g->arena, from->name);
    value *map = ARENA_ARRAY(g->arena, value, from->count);
    for (int i = 0; i < n->input_count; i++) {
        const node *param = graph_node(from, i);
        bool is = n->inputs[i] == table;
        map[i] = graph_param(body, param->name, is ? *graph_type(g, w) : param->type);
    }
    for (int i = 0; i < n->input_count; i++) {
        if (n->inputs[i] != table) continue;
        map[i] = graph_transpose(body, map[i], 2, (int64_t[]){1, 0});
        n->inputs[i] = w;
    }
    region_copy(body, from, map);
    n->body = body;
}

static void share(graph *g, pass *p, value table) {
    const recipe *r = recipe_at(g, table);
    if (!r || elem_bits(r->type.e) > 16 || !read_in_boxes(g, table, is_lookup)) return;
    for (value w = 0; w < g->count; w++) {
        const recipe *other = recipe_at(g, w);
        if (w == table || !other || !same_elements(r, other) || !read_in_boxes(g, w, is_product)) continue;
        pass_fired(p, g, table, "read in the panels of a weight");
        for (value v = 0; v < g->count; v++) {
            bool reads = false;
            for (int i = 0; i < graph_node(g, v)->input_count; i++)
                reads = reads || graph_node(g, v)->inputs[i] == table;
            if (reads) look_up_in(g, v, table, w);
        }
        return;
    }
}

bool pass_share_tables(graph *g, pass *p) {
    int count = g->count;
    for (value v = 0; v < count; v++) share(g, p, v);
    if (p->fired) rewriter_end(rewriter_begin(g));
    return true;
}
