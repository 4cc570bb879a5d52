// eliminate_dead: drops every node that neither an output nor a node that writes a state needs.
//
//   requires  nothing                 produces  nothing
//
//   before    %c = per_sequence (%bounds; %q, %k, %k2 = %k) {    its body does not read q
//               yield matmul %k, %k2
//             }
//             %d = tanh %c                                       nobody reads %d
//   after     %c = per_sequence (%bounds; %k) {
//               yield matmul %k, %k
//             }
//
//   before    %m = fuse (%x) { ... yield %a, %b, %c }            nobody reads %m
//             %n = result %m {index = 2}                         nor yield 1
//   after     %n = fuse (%x) { ... yield %c }
//
// It also drops operands of regions that the body does not read or that are given twice, and yields
// that nothing reads. The other yields keep their order. It works at the top level and in bodies.
// The model's inputs stay, because callers pass them.
#include "passes/region.h"

// For each operand: the earlier one that is the same value, itself, or -1 where the body does not read it.
static int choose_operands(const node *n, int bounds, const bool *live, int *keep) {
    int kept = 0;
    for (int i = bounds; i < n->input_count; i++) {
        keep[i] = live[i - bounds] ? i : -1;
        for (int k = bounds; live[i - bounds] && k < i; k++)
            if (keep[k] == k && n->inputs[k] == n->inputs[i]) keep[i] = k;
        kept += keep[i] == i;
    }
    return kept;
}

// Rebuilds region `v` over the operands that stay. A per_sequence keeps one operand at least: its rows say
// how many there are.
static void drop_operands(graph *g, value v, pass *p) {
    node *n = graph_node(g, v);
    int bounds = n->op == OP_per_sequence ? (int)node_attr(n, ATTR_bounds)->u.i : 0,
        total = n->input_count - bounds;
    arena *scratch = arena_new();
    bool *live = ARENA_ARRAY(scratch, bool, n->body->count);
    int *keep = ARENA_ARRAY(scratch, int, n->input_count);
    value *map = ARENA_ARRAY(scratch, value, n->body->count);
    region_live(n->body, live);
    int kept = choose_operands(n, bounds, live, keep);
    if (kept < total && kept > 0) {
        graph *body = graph_new(g->arena, n->body->name);
        value *inputs = ARENA_ARRAY(g->arena, value, bounds + kept);
        int at = 0;
        for (; at < bounds; at++) inputs[at] = n->inputs[at];
        for (int i = bounds; i < n->input_count; i++) {
            const node *param = graph_node(n->body, i - bounds);
            if (keep[i] == i) {
                map[i - bounds] = graph_param(body, param->name, param->type);
                inputs[at++] = n->inputs[i];
            } else if (keep[i] >= 0) {
                map[i - bounds] = map[keep[i] - bounds];
            }
        }
        region_copy(body, n->body, map);
        n->body = body;
        n->inputs = inputs;
        n->input_count = at;
        pass_fired(p, g, v, "%d operands instead of %d", kept, total);
    }
    arena_free(scratch);
}

// Is the value of region `v` itself, which is yield 0, an output or an operand of a live node?
static bool first_read(const graph *g, value v, const bool *live) {
    for (int i = 0; i < g->output_count; i++)
        if (g->outputs[i].value == v) return true;
    for (value u = v + 1; u < g->count; u++) {
        const node *n = graph_node(g, u);
        if (!live[u] || n->op == OP_result) continue;
        for (int i = 0; i < n->input_count; i++)
            if (n->inputs[i] == v) return true;
    }
    return false;
}

// Region `v` becomes what its `result` node was; VALUE_NONE: it writes a state there, and nobody reads that.
static void become_result(graph *g, value v, int yield, value result) {
    node *n = graph_node(g, v), *was = graph_node(g, result);
    if (result == VALUE_NONE) {
        n->type = *graph_type(n->body, n->body->outputs[yield].value);
        n->name = NULL;
        return;
    }
    n->type = was->type;
    n->name = was->name;
    was->name = NULL;
    for (value u = result + 1; u < g->count; u++)
        for (int i = 0; i < graph_node(g, u)->input_count; i++)
            if (graph_node(g, u)->inputs[i] == result) graph_node(g, u)->inputs[i] = v;
    for (int i = 0; i < g->output_count; i++)
        if (g->outputs[i].value == result) g->outputs[i].value = v;
}

static void drop_yields(graph *g, value v, const bool *live, pass *p) {
    graph *body = graph_node(g, v)->body;
    int total = body->output_count, kept = 0;
    for (int i = 0; i < total && total > 1; i++) {
        value result = graph_result_find(g, v, i);
        bool read = i == 0 ? first_read(g, v, live) : result != VALUE_NONE && live[result];
        if (!read && node_writes(graph_node(g, v), i) < 0) continue;
        if (i > 0 && kept == 0) become_result(g, v, i, result);
        body->outputs[kept] = body->outputs[i];
        if (kept > 0 && result != VALUE_NONE)
            node_set_attr(g, graph_node(g, result), attr_int(ATTR_index, kept));
        kept++;
    }
    if (total == 1 || kept == total) return;
    body->output_count = kept;
    pass_fired(p, g, v, "%d results instead of %d", kept, total);
}

// From the outputs up, so that what was dropped below a region does not keep what it read.
static void eliminate(graph *g, pass *p) {
    arena *scratch = arena_new();
    bool *live = ARENA_ARRAY(scratch, bool, g->count);
    for (int i = 0; i < g->output_count; i++) live[g->outputs[i].value] = true;
    for (value v = g->count - 1; v >= 0; v--) {
        const node *n = graph_node(g, v);
        if (!live[v] && !node_has_effect(n)) continue;
        live[v] = true; // what it reads is read
        if (n->body) {
            drop_yields(g, v, live, p);
            eliminate(n->body, p);
            drop_operands(g, v, p);
        }
        for (int i = 0; i < n->input_count; i++) live[n->inputs[i]] = true;
    }
    arena_free(scratch);
    int count = g->count;
    rewriter_end(rewriter_begin(g));
    p->fired += count - g->count;
}

bool pass_eliminate_dead(graph *g, pass *p) {
    eliminate(g, p);
    return true;
}
