// order_parts: in a graph that trains, the nodes stand in the order of its parts (ir/parts.h), so that
// each part is a run of phases.
//
//   requires  nothing                 produces  nothing
//
//   before    forward, backward and update as the passes left them
//   after     | forward ... | backward, each gradient added up where it is whole ... | update |
//
// A gradient is added to its state at once, so that its rows in the arena are free for the next
// one. In a graph without gradients the pass has nothing to do.
#include "ir/parts.h"
#include "passes/region.h"

typedef struct order {
    const graph *g;
    const graph_part *parts;
    value *sorted, *position; // position[v]: in `sorted`, VALUE_NONE: not yet
    int count;
    const value *writers; // of gradients, of the part backward
    int writer_count;
} order;

static void put(order *o, value v) {
    const node *n = graph_node(o->g, v);
    if (o->position[v] != VALUE_NONE) return;
    for (int i = 0; i < n->input_count; i++)
        if (o->parts[n->inputs[i]] == PART_NONE) put(o, n->inputs[i]);
    o->position[v] = o->count;
    o->sorted[o->count++] = v;
}

static bool is_ready(const order *o, value v) {
    const node *n = graph_node(o->g, v);
    for (int i = 0; i < n->input_count; i++)
        if (o->position[n->inputs[i]] == VALUE_NONE && o->parts[n->inputs[i]] != PART_NONE) return false;
    return true;
}

static void put_part(order *o, graph_part part) {
    for (value v = 0; v < o->g->count; v++) {
        if (o->parts[v] != part) continue;
        put(o, v);
        for (int i = 0; part == PART_BACKWARD && i < o->writer_count; i++)
            if (o->position[o->writers[i]] == VALUE_NONE && is_ready(o, o->writers[i])) put(o, o->writers[i]);
    }
}

static void collect_writers(order *o, arena *scratch) {
    value *writers = ARENA_ARRAY(scratch, value, o->g->count + 1);
    for (value v = 0; v < o->g->count; v++) {
        value state = graph_state_of(o->g, v);
        bool written = state != VALUE_NONE && o->parts[v] == PART_BACKWARD;
        if (written && graph_node(o->g, v)->op != OP_result) writers[o->writer_count++] = v;
    }
    o->writers = writers;
}

bool pass_order_parts(graph *g, pass *p) {
    arena *scratch = arena_new();
    graph_part *parts = ARENA_ARRAY(scratch, graph_part, g->count + 1);
    order o = {.g = g, .parts = parts};
    if (graph_trains(g)) {
        graph_parts(g, parts);
        o.sorted = ARENA_ARRAY(scratch, value, g->count + 1);
        o.position = ARENA_ARRAY(scratch, value, g->count + 1);
        for (value v = 0; v < g->count; v++) o.position[v] = VALUE_NONE;
        collect_writers(&o, scratch);
        for (value v = 0; v < g->count; v++)
            if (graph_node(g, v)->op == OP_input) put(&o, v);
        for (graph_part part = PART_FORWARD; part <= PART_UPDATE; part++) put_part(&o, part);
        for (value v = 0; v < g->count; v++) put(&o, v); // constants that nothing reads
        for (value v = 0; v < g->count; v++) p->fired += o.position[v] != v;
        region_permute(g, o.sorted);
    }
    arena_free(scratch);
    return true;
}
