#include "ir/places.h"

int64_t place_ld(const type *t, const bindings *b) {
    if (t->rank < 2) return 1;
    return round_up(dim_value(t->d[t->rank - 1], b), PLACE_ALIGNMENT * 8 / elem_bits(t->e));
}

bool place_shares(elem a, elem b) {
    return elem_is_float(a) || elem_is_float(b) ? a == b : true;
}

// --- Index vectors

static bool is_whole(const graph *g, value v) {
    elem e = graph_type(g, v)->e;
    return !elem_is_float(e) && e != ELEM_I1;
}

static void find_indices(arena *a, const graph *g, bool *index);

// By param of the body of region `v`: is it one there?
static bool *indices_within(arena *a, const graph *g, value v, const bool *index) {
    const graph *body = graph_node(g, v)->body;
    bool *within = ARENA_ARRAY(a, bool, body->count + 1);
    for (int i = 0; i < body->output_count; i++) {
        value result = graph_result_find(g, v, i);
        if (result != VALUE_NONE && index[result]) within[body->outputs[i].value] = true;
    }
    find_indices(a, body, within);
    return within;
}

// From the last reader to the first value; `index` holds what is known of the graph's results.
static void find_indices(arena *a, const graph *g, bool *index) {
    for (value v = g->count - 1; v >= 0; v--) {
        const node *n = graph_node(g, v);
        if (n->op == OP_result) continue; // its region asks for it
        int bounds = n->op == OP_per_sequence ? (int)node_attr(n, ATTR_bounds)->u.i : 0;
        bool looks_up = n->op == OP_gather || n->op == OP_gather_along || n->op == OP_scatter_add ||
                        n->op == OP_scatter_add_along;
        const bool *within = n->body ? indices_within(a, g, v, index) : NULL;
        for (int i = 0; i < n->input_count; i++) {
            if (!is_whole(g, n->inputs[i])) continue;
            bool read = i < bounds || (looks_up && i == 1);
            bool passed = within && i >= bounds ? within[i - bounds] : !within && index[v];
            if (read || passed) index[n->inputs[i]] = true;
        }
    }
}

bool *places_find_indices(arena *a, const graph *g) {
    bool *index = ARENA_ARRAY(a, bool, g->count + 1);
    find_indices(a, g, index);
    return index;
}
