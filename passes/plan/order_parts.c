// order_parts: in a graph that trains, puts the nodes in the order of its parts (ir/parts.h), so that
// each part is a contiguous run of phases.
//
//   requires  nothing                 produces  nothing
//
//   before    forward, backward and update as the passes left them
//   after     | forward ... | backward, each gradient added up at once ... | update |
//
// Nodes that only one gradient needs (such as a product that sums over tokens) move to the first
// place where all their operands exist, with the node that adds the gradient to its state. So the
// rows that they read, and the gradient's own bytes, are free for what follows. In a graph without
// gradients the pass does nothing.
#include "ir/parts.h"
#include "passes/region.h"

// Of which gradient a node of the part backward is.
#define OWNER_NONE (-1) // none that was met yet
#define OWNER_MANY (-2)

typedef struct order {
    const graph *g;
    const graph_part *parts;
    value *sorted, *position; // position[v]: in `sorted`, VALUE_NONE: not yet
    int count;
    value *writers; // of gradients, of the part backward
    int writer_count;
    int *owner; // by value, of the part backward: the one writer that it is for, by index
} order;

static void put(order *o, value v) {
    const node *n = graph_node(o->g, v);
    if (o->position[v] != VALUE_NONE) return;
    for (int i = 0; i < n->input_count; i++)
        if (o->parts[n->inputs[i]] == PART_NONE) put(o, n->inputs[i]);
    o->position[v] = o->count;
    o->sorted[o->count++] = v;
}

// Is all there that v reads, but for what is the writer's own?
static bool is_ready(const order *o, value v) {
    const node *n = graph_node(o->g, v);
    for (int i = 0; i < n->input_count; i++) {
        value x = n->inputs[i];
        if (o->position[x] != VALUE_NONE || o->parts[x] == PART_NONE) continue;
        if (o->parts[x] != PART_BACKWARD || o->owner[x] != o->owner[v] || !is_ready(o, x)) return false;
    }
    return true;
}

// v, behind what is its writer's own.
static void put_own(order *o, value v) {
    const node *n = graph_node(o->g, v);
    for (int i = 0; i < n->input_count; i++)
        if (o->position[n->inputs[i]] == VALUE_NONE && o->parts[n->inputs[i]] == PART_BACKWARD)
            put_own(o, n->inputs[i]);
    put(o, v);
}

static void put_gradients(order *o) {
    int left = 0;
    for (int i = 0; i < o->writer_count; i++) {
        value v = o->writers[i];
        if (is_ready(o, v))
            put_own(o, v);
        else
            o->writers[left++] = v;
    }
    o->writer_count = left;
}

static void put_part(order *o, graph_part part) {
    for (value v = 0; v < o->g->count; v++) {
        if (o->parts[v] != part || o->position[v] != VALUE_NONE) continue;
        put(o, v);
        if (part == PART_BACKWARD) put_gradients(o);
    }
}

static void collect_writers(order *o, arena *scratch) {
    o->writers = ARENA_ARRAY(scratch, value, o->g->count + 1);
    o->owner = ARENA_ARRAY(scratch, int, o->g->count + 1);
    for (value v = 0; v < o->g->count; v++) {
        value state = graph_state_of(o->g, v);
        bool written = state != VALUE_NONE && o->parts[v] == PART_BACKWARD;
        o->owner[v] = OWNER_NONE;
        if (!written || graph_node(o->g, v)->op == OP_result) continue;
        o->owner[v] = o->writer_count;
        o->writers[o->writer_count++] = v;
    }
    for (value v = o->g->count - 1; v >= 0; v--) {
        const node *n = graph_node(o->g, v);
        for (int i = 0; o->parts[v] == PART_BACKWARD && i < n->input_count; i++) {
            int *owner = &o->owner[n->inputs[i]];
            *owner = *owner == OWNER_NONE || *owner == o->owner[v] ? o->owner[v] : OWNER_MANY;
        }
    }
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
