// pack_weights: gives every constant of the top level its place in the artefact's weights, which
// the graphs of a module share.
//
//   requires  nothing                 produces  `at` on constants, graph.weight_bytes, state_bytes and zero_bytes
//
//   before    %w = constant f32[768,3072] packed {recipe = pack(...)}
//             %b = constant f32[3072] {recipe = ...}
//   after     %w = constant f32[768,3072] packed {recipe = pack(...), at = 0}
//             %b = constant f32[3072] {recipe = ..., at = 9437184}
//
//   weights   | w ............ 0 | b ..... 0 | ... | 64 bytes of zeros |
//             each constant begins at a multiple of 64
//
// States come first, so that a session copies one range of bytes. States that begin as zeros are
// not in the weights: their offsets continue after the other states, and those whose names have
// the same first part ("gradient.", "exp_avg.") are next to each other. Other offsets follow the
// order of the nodes, which is that of first use. Zeros fill the bytes from a constant's end to
// the next multiple of 64, so that kernels can read whole vectors. Another 64 bytes of zeros
// follow the last constant. Constants in bodies are scalar literals and take no place.
//
// Constants of equal recipe (or literal), type and layout have one place, in the graphs of all
// classes. The pass runs over the graphs in turn, and each continues where the previous ones end.
// All graphs have the states of the first one.

#include <string.h>

#include "ir/constant_set.h"
#include "passes/pass.h"

// The constants that have places, by content: those of the graphs before g.
static constant_set *placed_before(const module *m, const graph *g, arena *a) {
    constant_set *placed = constant_set_new(a);
    for (int i = 0; i < m->graph_count && m->graphs[i] != g; i++)
        for (value v = 0; v < m->graphs[i]->count; v++) {
            const node *n = graph_node(m->graphs[i], v);
            if (node_is_constant(n)) constant_set_add(placed, n);
        }
    return placed;
}

// What is placed together, one after the other.
typedef enum run { STATES, ZERO_STATES, OTHERS } run;

static run run_of(const node *n) {
    return node_is_zero_state(n) ? ZERO_STATES : node_is_state(n) ? STATES : OTHERS;
}

// The name of the first tensor of zeros.
static const char *zeros_name(const recipe *r) {
    while (r->kind != RECIPE_ZEROS) r = r->parts[0];
    return r->tensor;
}

static bool has_prefix(const node *n, const char *prefix) {
    size_t length = prefix ? strcspn(prefix, ".") + 1 : 0;
    return !prefix || !strncmp(zeros_name(node_attr(n, ATTR_recipe)->u.recipe), prefix, length);
}

// The name of the first zero state that has no place yet; NULL: all have one.
static const char *next_prefix(const graph *g) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (run_of(n) == ZERO_STATES && !node_attr(n, ATTR_at))
            return zeros_name(node_attr(n, ATTR_recipe)->u.recipe);
    }
    return NULL;
}

// The constants of g of one run, from *at on; of zero states those with the prefix. A state shares its place with
// none of its own graph.
static bool place_constants(graph *g, pass *p, constant_set *placed, run which, const char *prefix,
                            int64_t *at) {
    bool first = p->module->graphs[0] == g, states = which != OTHERS;
    char where[96];
    for (value v = 0; v < g->count; v++) {
        node *n = graph_node(g, v);
        if (!node_is_constant(n) || run_of(n) != which || !has_prefix(n, prefix)) continue;
        const node *like = constant_set_find(placed, n, NULL);
        if (states && !first && !like)
            return diag_error(p->c->diag, p->name, "%s of class %s is a state that class %s has not",
                              pass_where(g, v, where, sizeof(where)), graph_class(g),
                              graph_class(p->module->graphs[0]));
        node_set_attr(g, n, attr_int(ATTR_at, like ? node_attr(like, ATTR_at)->u.i : *at));
        p->fired++;
        if (!like && __builtin_add_overflow(*at, round_up(type_bytes(&n->type), 64), at))
            return diag_error(p->c->diag, p->name, "the weights are too large");
        if (!like && !states) constant_set_add(placed, n);
    }
    return true;
}

// Places of before are forgotten: the pass may run again.
static bool place_zeros(graph *g, pass *p, constant_set *placed, int64_t *at) {
    for (value v = 0; v < g->count; v++)
        if (run_of(graph_node(g, v)) == ZERO_STATES) node_drop_attr(graph_node(g, v), ATTR_at);
    for (const char *prefix = next_prefix(g); prefix; prefix = next_prefix(g))
        if (!place_constants(g, p, placed, ZERO_STATES, prefix, at)) return false;
    return true;
}

static bool place_all(graph *g, pass *p, constant_set *placed) {
    const module *m = p->module;
    const graph *like = m->graphs[0];
    bool first = like == g;
    int64_t at = first ? 0 : like->weight_bytes - 64, state = first ? 0 : like->state_bytes;
    if (!place_constants(g, p, placed, STATES, NULL, first ? &at : &state)) return false;
    if (first) state = at;
    int64_t zeros = first ? state : state + like->zero_bytes, unused = zeros;
    if (!place_zeros(g, p, placed, first ? &zeros : &unused)) return false;
    if (!place_constants(g, p, placed, OTHERS, NULL, &at)) return false;
    for (int i = 0; i < m->graph_count; i++) {
        m->graphs[i]->weight_bytes = at + 64;
        m->graphs[i]->state_bytes = state;
        m->graphs[i]->zero_bytes = zeros - state;
    }
    return true;
}

bool pass_pack_weights(graph *g, pass *p) {
    arena *scratch = arena_new();
    bool ok = place_all(g, p, placed_before(p->module, g, scratch));
    arena_free(scratch);
    return ok;
}
