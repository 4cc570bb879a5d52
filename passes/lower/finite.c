// Checks that what int8 leaves in float is finite. One NaN in a bias or gamma would make whole rows and their scales
// NaN.
#include "passes/lower/lower.h"

// Do products alone read constant c?
static bool only_multiplied(const graph *g, value c) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        for (int i = 0; i < n->input_count; i++) {
            if (n->inputs[i] != c) continue;
            if (n->op == OP_matmul && i == 1) continue;
            if (n->op != OP_fuse) return false;
            for (value u = 0; u < n->body->count; u++)
                for (int k = 0; k < graph_node(n->body, u)->input_count; k++)
                    if (graph_node(n->body, u)->inputs[k] == i && !op_is(n->body, u, OP_matmul)) return false;
        }
    }
    return true;
}

static bool is_checked(const lower *l, value c) {
    const graph *g = rewriter_graph(l->r);
    const node *n = graph_node(g, c);
    if (!node_is_constant(n) || !node_attr(n, ATTR_recipe) || !use_count(l->r, c)) return false;
    return elem_is_float(n->type.e) && !keep_holds(l, c, VALUE_NONE) && !only_multiplied(g, c);
}

bool vectors_are_finite(lower *l) {
    const graph *g = rewriter_graph(l->r);
    const pass_context *c = l->p->c;
    if (!c->source) return true;
    for (value v = 0; v < g->count; v++)
        if (is_checked(l, v) &&
            !recipe_check_finite(node_attr(graph_node(g, v), ATTR_recipe)->u.recipe, c->source, c->diag))
            return false;
    return true;
}
