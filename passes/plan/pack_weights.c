// pack_weights: every constant of the top level gets its place in the artefact's weights.
//
//   requires  nothing                 produces  `at` on constants, graph.weight_bytes
//
//   before    %w = constant f32[768,3072] packed {recipe = pack(...)}
//             %b = constant f32[3072] {recipe = ...}
//   after     %w = constant f32[768,3072] packed {recipe = pack(...), at = 0}
//             %b = constant f32[3072] {recipe = ..., at = 9437184}
//
//   weights   | w ............ 0 | b ..... 0 | ... | 64 bytes of zeros |
//             each constant begins at a multiple of 64
//
// Offsets follow the order of the nodes, which is that of first use. Zeros fill the bytes from a
// constant's end to the next multiple of 64, so that kernels read vectors whole; another 64 bytes
// of zeros follow the last constant. Constants in bodies are scalar literals and take no place.
#include "passes/pass.h"

bool pass_pack_weights(graph *g, pass *p) {
    int64_t at = 0;
    for (value v = 0; v < g->count; v++) {
        node *n = graph_node(g, v);
        if (!node_is_constant(n)) continue;
        node_set_attr(g, n, attr_int(ATTR_at, at));
        p->fired++;
        if (__builtin_add_overflow(at, round_up(type_bytes(&n->type), 64), &at))
            return diag_error(p->c->diag, p->name, "the weights are too large");
    }
    g->weight_bytes = at + 64;
    return true;
}
