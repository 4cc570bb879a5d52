// pack_weights: every constant of the top level gets its place in the artefact's weights.
//
//   requires  nothing                 produces  `at` on constants, graph.weight_bytes, graph.state_bytes
//
//   before    %w = constant f32[768,3072] packed {recipe = pack(...)}
//             %b = constant f32[3072] {recipe = ...}
//   after     %w = constant f32[768,3072] packed {recipe = pack(...), at = 0}
//             %b = constant f32[3072] {recipe = ..., at = 9437184}
//
//   weights   | w ............ 0 | b ..... 0 | ... | 64 bytes of zeros |
//             each constant begins at a multiple of 64
//
// States come first, so that a session copies one run of bytes. Offsets follow the order of the
// nodes, which is that of first use. Zeros fill the bytes from a constant's end to the next
// multiple of 64, so that kernels read vectors whole; another 64 bytes of zeros follow the last
// constant. Constants in bodies are scalar literals and take no place.
#include "passes/pass.h"

// The constants that are states, or those that are none, from *at on.
static bool place_constants(graph *g, pass *p, bool states, int64_t *at) {
    for (value v = 0; v < g->count; v++) {
        node *n = graph_node(g, v);
        if (!node_is_constant(n) || node_is_state(n) != states) continue;
        node_set_attr(g, n, attr_int(ATTR_at, *at));
        p->fired++;
        if (__builtin_add_overflow(*at, round_up(type_bytes(&n->type), 64), at))
            return diag_error(p->c->diag, p->name, "the weights are too large");
    }
    return true;
}

bool pass_pack_weights(graph *g, pass *p) {
    int64_t at = 0;
    if (!place_constants(g, p, true, &at)) return false;
    g->state_bytes = at;
    if (!place_constants(g, p, false, &at)) return false;
    g->weight_bytes = at + 64;
    return true;
}
