// Removes broadcasts that pointwise ops make anyway.
#include "passes/differentiate/differentiate.h"

// Does n's result keep its shape with x in place of operand i?
static bool covers(const graph *g, const node *n, int i, value x) {
    int rank = 0;
    for (int k = 0; k < n->input_count; k++) {
        int own = graph_type(g, k == i ? x : n->inputs[k])->rank;
        rank = own > rank ? own : rank;
    }
    if (rank != n->type.rank) return false;
    for (int a = 1; a <= rank; a++) {
        dim d = n->type.d[rank - a];
        bool covered = dim_is(d, 1);
        for (int k = 0; k < n->input_count && !covered; k++) {
            const type *t = graph_type(g, k == i ? x : n->inputs[k]);
            covered = a <= t->rank && dim_eq(t->d[t->rank - a], d);
        }
        if (!covered) return false;
    }
    return true;
}

void drop_broadcasts(graph *g) {
    for (value v = 0; v < g->count; v++) {
        node *n = graph_node(g, v);
        for (int i = 0; op_flag_bits(n->op) & POINTWISE && i < n->input_count; i++) {
            if (!op_is(g, n->inputs[i], OP_broadcast)) continue;
            value x = graph_node(g, n->inputs[i])->inputs[0];
            if (covers(g, n, i, x)) n->inputs[i] = x;
        }
    }
}
