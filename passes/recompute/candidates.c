// Finds the values that the backward part may compute again, and what that costs.
#include <stdlib.h>

#include "passes/recompute/recompute.h"

// A value below this share of the largest one is kept: it is not worth a kernel.
#define SMALL_SHARE 1e-3

value remake_producer(const graph *g, value v) {
    return op_is(g, v, OP_result) ? graph_node(g, v)->inputs[0] : v;
}

value remake_yield(const graph *g, value v) {
    return graph_node(g, remake_producer(g, v))->body->outputs[node_result_index(graph_node(g, v))].value;
}

void remake_open(remake *r, arena *a, const graph *g) {
    *r = (remake){.a = a, .g = g};
    r->parts = ARENA_ARRAY(a, graph_part, g->count + 1);
    r->read = ARENA_ARRAY(a, bool, g->count + 1);
    r->passed = ARENA_ARRAY(a, bool, g->count + 1);
    r->may = ARENA_ARRAY(a, bool, g->count + 1);
    graph_parts(g, r->parts);
    const bool *index = places_find_indices(a, g);
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->op == OP_result) r->parts[v] = r->parts[n->inputs[0]];
        r->may[v] = r->parts[v] == PART_FORWARD && !index[v] && graph_state_of(g, v) == VALUE_NONE;
        for (int i = 0; n->op != OP_result && i < n->input_count; i++) {
            if (r->parts[v] == PART_FORWARD) r->passed[n->inputs[i]] = true;
            if (r->parts[v] == PART_BACKWARD && r->parts[n->inputs[i]] == PART_FORWARD)
                r->read[n->inputs[i]] = true;
        }
    }
    for (value v = 0; v < g->count; v++)
        if (node_has_effect(graph_node(g, remake_producer(g, v)))) r->may[v] = false;
    for (int i = 0; i < g->output_count; i++) {
        r->passed[g->outputs[i].value] = true;
        r->may[g->outputs[i].value] = false;
    }
}

// Does v follow from the other results of its box by ops without a product?
static bool is_light(const remake *r, value v) {
    value producer = remake_producer(r->g, v), yield;
    const node *n = graph_node(r->g, producer);
    if (n->op != OP_fuse) return false;
    yield = remake_yield(r->g, v);
    bool *there = ARENA_ARRAY(r->a, bool, n->body->count + 1);
    for (int i = 0; i < n->body->output_count; i++)
        if (graph_result_find(r->g, producer, i) != VALUE_NONE) there[n->body->outputs[i].value] = true;
    there[yield] = false;
    return part_of(r->a, n->body, 1, &yield, there).light;
}

static bool holds(const graph *g, op o) {
    for (value v = 0; v < g->count; v++)
        if (op_is(g, v, o) || (graph_node(g, v)->body && holds(graph_node(g, v)->body, o))) return true;
    return false;
}

static remake_class class_of(const remake *r, value v, bool light) {
    const node *n = graph_node(r->g, remake_producer(r->g, v));
    if (n->op == OP_matmul) return REMAKE_PRODUCTS;
    if (n->op == OP_per_sequence) return REMAKE_TEXTS;
    if (n->op == OP_random) return REMAKE_RANDOM;
    if (light || !n->body) return REMAKE_ROWS;
    return holds(n->body, OP_matmul)   ? REMAKE_PRODUCTS
           : holds(n->body, OP_random) ? REMAKE_RANDOM
                                       : REMAKE_ROWS;
}

static double largest_value(const remake *r, const remake_rates *rates) {
    double most = 0;
    for (value v = 0; v < r->g->count; v++) {
        double bytes = r->may[v] ? value_bytes(rates, graph_type(r->g, v)) : 0;
        if (bytes > most) most = bytes;
    }
    return most;
}

static int compare_candidates(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    double left = x->seconds * (double)y->bytes, right = y->seconds * (double)x->bytes;
    if (left < right || left > right) return left < right ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

// The results of one node that are made together: all that are not light, or one that is.
static void add_candidate(const remake *r, const remake_rates *rates, candidate *c, value v, bool light) {
    const graph *g = r->g;
    value producer = remake_producer(g, v),
          *values = ARENA_ARRAY(r->a, value, node_yield_count(graph_node(g, producer)));
    double bytes = 0;
    c->first = v;
    c->values = values;
    c->class = class_of(r, v, light);
    for (int i = 0; i < node_yield_count(graph_node(g, producer)); i++) {
        value x = graph_result_find(g, producer, i);
        if (x == VALUE_NONE || !r->may[x] || (light ? x != v : is_light(r, x))) continue;
        values[c->count++] = x;
        bytes += value_bytes(rates, graph_type(g, x));
    }
    c->bytes = (int64_t)bytes + 1;
    c->seconds = light ? 2 * bytes / rates->bytes : node_seconds(rates, g, producer);
}

candidate *candidates_find(const remake *r, const remake_rates *rates, int *count) {
    const graph *g = r->g;
    candidate *list = ARENA_ARRAY(r->a, candidate, g->count + 1);
    bool *listed = ARENA_ARRAY(r->a, bool, g->count + 1);
    double least = SMALL_SHARE * largest_value(r, rates);
    *count = 0;
    for (value v = 0; v < g->count; v++) {
        if (!r->may[v] || listed[v]) continue;
        bool light = is_light(r, v);
        if (value_bytes(rates, graph_type(g, v)) < least) continue;
        candidate *c = &list[(*count)++];
        add_candidate(r, rates, c, v, light);
        for (int i = 0; i < c->count; i++) listed[c->values[i]] = true;
    }
    if (*count) qsort(list, (size_t)*count, sizeof *list, compare_candidates);
    return list;
}
