// Builds the graph in which chosen forward values are computed again.
//
//   before    %act = gelu %sums   | %loss ..  | %dw = fuse (%act, %dy) { product }
//   after     %act = gelu %sums   | %loss ..  | %act.again = gelu %sums
//                                             | %dw = fuse (%act.again, %dy) { product }
//
// Such a value has one copy for all its readers in the backward part, right ahead of the first of
// them. What the copy reads is kept, or computed again itself.
#include "ir/parts.h"
#include "passes/recompute/recompute.h"
#include "passes/region.h"

typedef struct builder {
    const remake *r;
    const graph *g;
    const bool *again;
    arena *scratch;
    graph *to;
    value *map, *twin; // by value of g, in `to`: itself, and computed again; VALUE_NONE: not there
    value *home;       // by result of a region: the region in `to`, and which of its yields
    int *index;
    int *readers; // by value of g that is computed again: how many nodes of the backward part read it
} builder;

// By value of the body of region v: is it a yield that is kept?
static bool *kept_yields(const builder *b, value v) {
    const graph *body = graph_node(b->g, v)->body;
    bool *there = ARENA_ARRAY(b->scratch, bool, body->count + 1);
    for (int i = 0; i < body->output_count; i++) {
        value result = graph_result_find(b->g, v, i);
        if (result != VALUE_NONE && !b->again[result]) there[body->outputs[i].value] = true;
    }
    return there;
}

// The result of region v that is `yield` of its body.
static value result_of(const builder *b, value v, value yield) {
    const graph *body = graph_node(b->g, v)->body;
    for (int i = 0; i < body->output_count; i++) {
        value result = body->outputs[i].value == yield ? graph_result_find(b->g, v, i) : VALUE_NONE;
        if (result != VALUE_NONE) return result;
    }
    return VALUE_NONE;
}

// Is x a box's result that ops without a product make of what is kept and of the box's operands?
static bool is_light(const builder *b, value x) {
    value v = remake_producer(b->g, x), yield;
    const node *n = graph_node(b->g, v);
    if (n->op != OP_fuse) return false;
    yield = remake_yield(b->g, x);
    return part_of(b->scratch, n->body, 1, &yield, kept_yields(b, v)).light;
}

// The results of region v that are computed again together, as values of its body.
static int heavy_yields(const builder *b, value v, value *yields, value *results) {
    const graph *body = graph_node(b->g, v)->body;
    int count = 0;
    for (int i = 0; i < body->output_count; i++) {
        value result = graph_result_find(b->g, v, i);
        if (result == VALUE_NONE || !b->again[result] || !b->readers[result] || is_light(b, result)) continue;
        yields[count] = body->outputs[i].value;
        results[count++] = result;
    }
    return count;
}

// What the copy of x reads, of g; it is written to `out`, which has room for them. How many.
static int remade_operands(const builder *b, value x, value *out) {
    value v = remake_producer(b->g, x);
    const node *n = graph_node(b->g, v);
    int count = 0;
    if (!n->body || n->op != OP_fuse) {
        for (int i = 0; i < n->input_count; i++) out[count++] = n->inputs[i];
        return count;
    }
    bool light = is_light(b, x);
    value yield = remake_yield(b->g, x), *sources = ARENA_ARRAY(b->scratch, value, n->body->count + 1);
    arena *a = arena_new();
    int found;
    part_body(a, n->body, 1, &yield, light ? kept_yields(b, v) : NULL, sources, &found);
    arena_free(a);
    for (int i = 0; i < found; i++)
        out[count++] =
            op_is(n->body, sources[i], OP_param) ? n->inputs[sources[i]] : result_of(b, v, sources[i]);
    return count;
}

static int most_inputs(const graph *g) {
    int most = 1;
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        int room = n->input_count + (n->body ? n->body->count : 0);
        if (room > most) most = room;
    }
    return most;
}

// From the last value to the first: what is read again, by nodes of the backward and by other copies.
static void count_readers(builder *b) {
    value *operands = ARENA_ARRAY(b->scratch, value, most_inputs(b->g));
    for (value v = b->g->count - 1; v >= 0; v--) {
        const node *n = graph_node(b->g, v);
        for (int i = 0; b->r->parts[v] == PART_BACKWARD && i < n->input_count; i++)
            if (b->again[n->inputs[i]]) b->readers[n->inputs[i]]++;
        if (!b->again[v] || !b->readers[v]) continue;
        int count = remade_operands(b, v, operands);
        for (int i = 0; i < count; i++)
            if (b->again[operands[i]]) b->readers[operands[i]] += 2; // it has a reader that can't take it in
    }
}

// --- Nodes

static void name_again(builder *b, value v, value x) {
    const char *name = graph_node(b->g, x)->name;
    if (name) graph_name(b->to, v, region_free_name(b->to, arena_printf(b->scratch, "%s.again", name)));
}

// x itself. A `result` that only the backward part reads stands there: it belongs to that part.
static value itself(builder *b, value x) {
    if (b->map[x] != VALUE_NONE) return b->map[x];
    b->map[x] = graph_result(b->to, b->home[x], b->index[x]);
    if (graph_node(b->g, x)->name) graph_name(b->to, b->map[x], graph_node(b->g, x)->name);
    return b->map[x];
}

static value remade(builder *b, value x);

static value operand(builder *b, value x) {
    return b->again[x] ? remade(b, x) : itself(b, x);
}

// A box with `body`, in which the params are those of v that `sources` say, or values of v's body that are kept.
static value add_box(builder *b, value v, graph *body, const value *sources, int count) {
    const node *n = graph_node(b->g, v);
    value *inputs = ARENA_ARRAY(b->scratch, value, count + 1);
    for (int i = 0; i < count; i++)
        inputs[i] = op_is(n->body, sources[i], OP_param) ? operand(b, n->inputs[sources[i]])
                                                         : itself(b, result_of(b, v, sources[i]));
    return graph_region(b->to, OP_fuse, count, inputs, body, 0);
}

static value remake_light(builder *b, value x) {
    value v = remake_producer(b->g, x), yield = remake_yield(b->g, x);
    const graph *from = graph_node(b->g, v)->body;
    value *sources = ARENA_ARRAY(b->scratch, value, from->count + 1);
    int count;
    graph *body = part_body(b->to->arena, from, 1, &yield, kept_yields(b, v), sources, &count);
    return add_box(b, v, body, sources, count);
}

static value remake_op(builder *b, value x) {
    const node *n = graph_node(b->g, x);
    value *inputs = ARENA_ARRAY(b->scratch, value, n->input_count + 1);
    for (int i = 0; i < n->input_count; i++) inputs[i] = operand(b, n->inputs[i]);
    return copy_node(b->to, n, inputs);
}

// All heavy results of x's box, x among them.
static void remake_heavy(builder *b, value x) {
    value v = remake_producer(b->g, x);
    const graph *from = graph_node(b->g, v)->body;
    value *sources = ARENA_ARRAY(b->scratch, value, from->count + 1);
    value *yields = ARENA_ARRAY(b->scratch, value, from->output_count),
          *results = ARENA_ARRAY(b->scratch, value, from->output_count);
    int count, n = heavy_yields(b, v, yields, results);
    graph *body = part_body(b->to->arena, from, n, yields, NULL, sources, &count);
    value region = add_box(b, v, body, sources, count);
    for (int i = 0; i < n; i++) {
        b->twin[results[i]] = graph_result(b->to, region, i);
        name_again(b, b->twin[results[i]], results[i]);
    }
}

// Another region is copied as it is: what nobody reads of it is not stored.
static void remake_sequence(builder *b, value x) {
    value v = remake_producer(b->g, x), region = remake_op(b, v);
    for (int i = 0; i < node_yield_count(graph_node(b->g, v)); i++) {
        value result = graph_result_find(b->g, v, i);
        if (result == VALUE_NONE || !b->again[result] || !b->readers[result]) continue;
        b->twin[result] = graph_result(b->to, region, i);
        name_again(b, b->twin[result], result);
    }
}

static value remade(builder *b, value x) {
    if (b->twin[x] != VALUE_NONE) return b->twin[x];
    const node *producer = graph_node(b->g, remake_producer(b->g, x));
    if (producer->body && !is_light(b, x)) {
        if (producer->op == OP_fuse)
            remake_heavy(b, x);
        else
            remake_sequence(b, x);
        return b->twin[x];
    }
    value v = producer->body ? remake_light(b, x) : remake_op(b, x);
    b->twin[x] = v;
    name_again(b, v, x);
    return v;
}

// --- The nodes of before

// Does the copy of g have x? Not of what only the backward part read, and makes again.
static bool stays(const builder *b, value x) {
    return !b->again[x] || b->r->passed[x];
}

static void set_home(builder *b, value x, value region, int index) {
    b->home[x] = region;
    b->index[x] = index;
    if (index) return;
    b->map[x] = region;
    if (graph_node(b->g, x)->name) graph_name(b->to, region, graph_node(b->g, x)->name);
}

// Does box v lose a yield?
static bool loses_yields(const builder *b, value v) {
    if (!op_is(b->g, v, OP_fuse)) return false;
    for (int i = 0; i < node_yield_count(graph_node(b->g, v)); i++) {
        value result = graph_result_find(b->g, v, i);
        if (result != VALUE_NONE && !stays(b, result)) return true;
    }
    return false;
}

// A box of the forward part, with those of its yields that stay.
static void copy_less(builder *b, value v) {
    const node *n = graph_node(b->g, v);
    value *wanted = ARENA_ARRAY(b->scratch, value, n->body->output_count),
          *results = ARENA_ARRAY(b->scratch, value, n->body->output_count),
          *sources = ARENA_ARRAY(b->scratch, value, n->body->count + 1);
    int count = 0, params;
    for (int i = 0; i < n->body->output_count; i++) {
        value result = graph_result_find(b->g, v, i);
        if (result == VALUE_NONE || !stays(b, result)) continue;
        wanted[count] = n->body->outputs[i].value;
        results[count++] = result;
    }
    if (!count) return;
    graph *body = part_body(b->to->arena, n->body, count, wanted, NULL, sources, &params);
    value *inputs = ARENA_ARRAY(b->scratch, value, params + 1);
    for (int i = 0; i < params; i++) inputs[i] = itself(b, n->inputs[sources[i]]);
    value region = graph_region(b->to, OP_fuse, params, inputs, body, 0);
    for (int i = 0; i < count; i++) set_home(b, results[i], region, i);
}

// Does what makes operand i of box v stand in the box itself? Where nothing else reads it again.
static bool takes_in(const builder *b, value v, int i) {
    const node *n = graph_node(b->g, v);
    value x = n->inputs[i];
    if (n->op != OP_fuse || node_has_effect(n) || !b->again[x] || b->readers[x] != 1 || !is_light(b, x))
        return false;
    value from = remake_producer(b->g, x), yield = remake_yield(b->g, x);
    const graph *body = graph_node(b->g, from)->body;
    return part_of(b->scratch, body, 1, &yield, kept_yields(b, from)).pointwise &&
           part_read_pointwise(n->body, i);
}

// Operands of v in `to`, in *inputs; how many. *body: that of v, or one that makes some of them itself.
static int backward_operands(builder *b, value v, graph **body, value **inputs) {
    const node *n = graph_node(b->g, v);
    int room = most_inputs(b->g) * (n->input_count + 1), count = 0, more = 0;
    value *sources = ARENA_ARRAY(b->scratch, value, room), *extra = ARENA_ARRAY(b->scratch, value, room);
    *inputs = ARENA_ARRAY(b->scratch, value, room);
    for (int i = 0; i < n->input_count; i++) {
        value x = n->inputs[i];
        if (!takes_in(b, v, i)) {
            (*inputs)[count++] = operand(b, x);
            continue;
        }
        value from = remake_producer(b->g, x);
        const node *f = graph_node(b->g, from);
        int found;
        *body = part_inlined(b->to->arena, *body, count, f->body, remake_yield(b->g, x), kept_yields(b, from),
                             sources, &found);
        for (int k = 0; k < found; k++)
            extra[more++] = op_is(f->body, sources[k], OP_param) ? operand(b, f->inputs[sources[k]])
                                                                 : itself(b, result_of(b, from, sources[k]));
    }
    for (int k = 0; k < more; k++) (*inputs)[count++] = extra[k];
    return count;
}

static void copy_whole(builder *b, value v) {
    const node *n = graph_node(b->g, v);
    graph *body = n->body;
    value *inputs, copy;
    if (b->r->parts[v] == PART_BACKWARD) {
        int count = backward_operands(b, v, &body, &inputs);
        copy = body == n->body ? copy_node(b->to, n, inputs)
                               : graph_region(b->to, n->op, count, inputs, body, 0);
    } else {
        inputs = ARENA_ARRAY(b->scratch, value, n->input_count + 1);
        for (int i = 0; i < n->input_count; i++) inputs[i] = itself(b, n->inputs[i]);
        copy = copy_node(b->to, n, inputs);
    }
    for (int i = 0; i < node_yield_count(n); i++) {
        value result = graph_result_find(b->g, v, i);
        if (result != VALUE_NONE) set_home(b, result, copy, i);
    }
}

static void copy_one(builder *b, value v) {
    const node *n = graph_node(b->g, v);
    bool forward = b->r->parts[v] == PART_FORWARD;
    if (n->op == OP_result && (!forward || (stays(b, v) && b->r->passed[v])))
        itself(b, v);
    else if (n->op == OP_result || (forward && !n->body && !stays(b, v)))
        return; // made where it is read
    else if (forward && n->body && loses_yields(b, v))
        copy_less(b, v);
    else
        copy_whole(b, v);
}

// What no part has (constants, inputs) goes with the first part that reads it.
static void lend_parts(const graph *g, graph_part *parts, arena *scratch) {
    bool *lent = ARENA_ARRAY(scratch, bool, g->count + 1);
    for (value v = 0; v < g->count; v++) lent[v] = parts[v] == PART_NONE;
    for (value v = g->count - 1; v >= 0; v--) {
        const node *n = graph_node(g, v);
        for (int i = 0; parts[v] != PART_NONE && i < n->input_count; i++) {
            graph_part *of = &parts[n->inputs[i]];
            if (lent[n->inputs[i]] && (*of == PART_NONE || *of > parts[v])) *of = parts[v];
        }
    }
}

// What an output or a write needs; constants and inputs stay in any case.
static void mark_live(const graph *g, bool *live) {
    for (value v = 0; v < g->count; v++)
        live[v] = op_is(g, v, OP_constant) || op_is(g, v, OP_input) || node_has_effect(graph_node(g, v));
    for (int i = 0; i < g->output_count; i++) live[g->outputs[i].value] = true;
    for (value v = g->count - 1; v >= 0; v--) {
        const node *n = graph_node(g, v);
        for (int i = 0; live[v] && i < n->input_count; i++) live[n->inputs[i]] = true;
    }
}

// A copy that only the backward part needs may stand before a node of the forward part, and one that was taken
// into its readers is read by nobody: the parts are put in their order again, each in its own, without what is
// dead. No node of a part needs one of a later part.
static void restore_order(graph *g, arena *scratch) {
    graph_part *parts = ARENA_ARRAY(scratch, graph_part, g->count + 1);
    value *sorted = ARENA_ARRAY(g->arena, value, g->count);
    bool *live = ARENA_ARRAY(scratch, bool, g->count + 1);
    int n = 0;
    graph_parts(g, parts);
    if (parts_in_order(g, parts)) return;
    mark_live(g, live);
    lend_parts(g, parts, scratch);
    for (graph_part part = PART_NONE; part <= PART_UPDATE; part++)
        for (value v = 0; v < g->count; v++)
            if (live[v] && parts[v] == part) sorted[n++] = v;
    int count = n;
    for (value v = 0; v < g->count; v++)
        if (!live[v]) sorted[n++] = v;
    region_permute(g, sorted);
    g->count = count;
}

graph *remake_build(const remake *r, const bool *again, bool *made, arena *a) {
    const graph *g = r->g;
    builder b = {.r = r, .g = g, .again = again, .scratch = arena_new(), .to = graph_new(a, g->name)};
    b.map = ARENA_ARRAY(b.scratch, value, g->count + 1);
    b.twin = ARENA_ARRAY(b.scratch, value, g->count + 1);
    b.home = ARENA_ARRAY(b.scratch, value, g->count + 1);
    b.index = ARENA_ARRAY(b.scratch, int, g->count + 1);
    b.readers = ARENA_ARRAY(b.scratch, int, g->count + 1);
    for (value v = 0; v < g->count; v++) b.map[v] = b.twin[v] = VALUE_NONE;
    if (g->class) graph_set_class(b.to, g->class);
    count_readers(&b);
    for (value v = 0; v < g->count; v++) copy_one(&b, v);
    for (int i = 0; i < g->output_count; i++)
        graph_output_add(b.to, g->outputs[i].name, itself(&b, g->outputs[i].value));
    for (value v = 0; made && v < g->count; v++) made[v] = again[v] && b.readers[v];
    restore_order(b.to, b.scratch);
    arena_free(b.scratch);
    return b.to;
}
