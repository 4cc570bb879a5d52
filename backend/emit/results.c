// The results of a node: which of its yields a kernel stores, and where.
#include "backend/emit/emit.h"

const kernel_result *kernel_results(arena *a, const kernel_site *s, int *count) {
    const node *n = graph_node(s->graph, s->node);
    int yields = node_yield_count(n), found = 0;
    kernel_result *r = ARENA_ARRAY(a, kernel_result, yields);
    for (int i = 0; i < yields; i++) {
        value v = graph_result_find(s->graph, s->node, i);
        if (v == VALUE_NONE) continue;
        r[found] = (kernel_result){.index = i,
                                   .node = v,
                                   .yield = n->body ? n->body->outputs[i].value : VALUE_NONE,
                                   .arg = n->input_count + found,
                                   .ld = s->variant->places ? s->variant->places[v].ld : 0};
        found++;
    }
    *count = found;
    return r;
}

bool kernel_has_one_result(const kernel_site *s) {
    for (int i = 1; i < node_yield_count(graph_node(s->graph, s->node)); i++)
        if (graph_result_find(s->graph, s->node, i) != VALUE_NONE) return false;
    return true;
}
