// States: parameters that training changes, and the nodes that write them.
#include "ir/graph.h"

bool node_is_state(const node *n) {
    return n->op == OP_constant && node_attr(n, ATTR_trainable) != NULL;
}

bool node_is_zero_state(const node *n) {
    const attr *r = node_is_state(n) ? node_attr(n, ATTR_recipe) : NULL;
    return r && recipe_is_zeros(r->u.recipe);
}

int node_writes(const node *n, int yield) {
    if (op_flag_bits(n->op) & WRITES) return 0;
    if (n->op != OP_fuse || yield >= n->body->output_count) return -1;
    const node *x = graph_node(n->body, n->body->outputs[yield].value);
    return op_flag_bits(x->op) & WRITES ? x->inputs[0] : -1;
}

bool node_has_effect(const node *n) {
    for (int i = 0; i < node_yield_count(n); i++)
        if (node_writes(n, i) >= 0) return true;
    return false;
}

int node_assigns(const node *n, value c) {
    int count = 0;
    for (int i = 0; i < node_yield_count(n); i++) {
        int written = node_writes(n, i);
        count += written >= 0 && n->inputs[written] == c;
    }
    return count;
}

value graph_state_of(const graph *g, value v) {
    int yield = node_result_index(graph_node(g, v));
    const node *n = graph_node(g, graph_node(g, v)->op == OP_result ? graph_node(g, v)->inputs[0] : v);
    int written = node_writes(n, yield);
    return written < 0 ? VALUE_NONE : n->inputs[written];
}

bool graph_has_effect(const graph *g) {
    for (value v = 0; v < g->count; v++)
        if (node_has_effect(graph_node(g, v))) return true;
    return false;
}

value graph_writer_of(const graph *g, value c) {
    for (value v = 0; v < g->count; v++)
        if (node_assigns(graph_node(g, v), c)) return v;
    return VALUE_NONE;
}
