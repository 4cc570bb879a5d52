#include "ir/parts.h"

#include <string.h>

bool node_is_gradient(const node *n) {
    if (!node_is_zero_state(n)) return false;
    const recipe *r = node_attr(n, ATTR_recipe)->u.recipe;
    while (r->kind != RECIPE_ZEROS) r = r->parts[0];
    return !strncmp(r->tensor, GRADIENT_PREFIX, strlen(GRADIENT_PREFIX));
}

bool graph_trains(const graph *g) {
    for (value v = 0; v < g->count; v++)
        if (node_is_gradient(graph_node(g, v))) return true;
    return false;
}

static bool writes_gradient(const graph *g, const node *n) {
    for (int i = 0; i < node_yield_count(n); i++) {
        int written = node_writes(n, i);
        if (written >= 0 && node_is_gradient(graph_node(g, n->inputs[written]))) return true;
    }
    return false;
}

// Marks what the values of `part` need, as far as it has no part yet.
static void spread(const graph *g, graph_part part, graph_part *out) {
    for (value v = g->count - 1; v >= 0; v--) {
        const node *n = graph_node(g, v);
        for (int i = 0; out[v] == part && i < n->input_count; i++)
            if (out[n->inputs[i]] == PART_NONE) out[n->inputs[i]] = part;
    }
}

// What reads a gradient that this call has written, directly or not, is of the update.
static void mark_update(const graph *g, graph_part *out) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        out[v] = PART_NONE;
        for (int i = 0; i < n->input_count; i++) {
            value state = graph_state_of(g, n->inputs[i]);
            bool written = state != VALUE_NONE && node_is_gradient(graph_node(g, state));
            bool own = n->op == OP_result && writes_gradient(g, graph_node(g, n->inputs[i]));
            if ((written && !own) || out[n->inputs[i]] == PART_UPDATE) out[v] = PART_UPDATE;
        }
    }
}

void graph_parts(const graph *g, graph_part *out) {
    mark_update(g, out);
    for (int i = 0; i < g->output_count; i++)
        if (out[g->outputs[i].value] == PART_NONE) out[g->outputs[i].value] = PART_FORWARD;
    spread(g, PART_FORWARD, out);
    for (value v = 0; v < g->count; v++)
        if (out[v] == PART_NONE && writes_gradient(g, graph_node(g, v))) out[v] = PART_BACKWARD;
    spread(g, PART_BACKWARD, out);
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (out[v] == PART_NONE) out[v] = n->op == OP_result ? out[n->inputs[0]] : PART_UPDATE;
        if (n->op == OP_constant || n->op == OP_input) out[v] = PART_NONE;
    }
}

bool parts_in_order(const graph *g, const graph_part *parts) {
    graph_part now = PART_FORWARD;
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (parts[v] == PART_NONE) continue;
        if (parts[v] < now) return false;
        now = parts[v];
        for (int i = 0; now == PART_UPDATE && i < n->input_count; i++)
            if (parts[n->inputs[i]] != PART_NONE && parts[n->inputs[i]] != PART_UPDATE &&
                graph_state_of(g, n->inputs[i]) == VALUE_NONE)
                return false;
    }
    return true;
}
