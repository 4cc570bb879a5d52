// eliminate_dead: every node that is left leads to an output.
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
// It drops nodes at the top level and in bodies, operands of regions that the body does not read,
// and operands that are given twice. The model's inputs stay: callers pass them.
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
        graph_output_add(body, NULL, region_copy(body, n->body, map));
        n->body = body;
        n->inputs = inputs;
        n->input_count = at;
        pass_fired(p, g, v, "%d operands instead of %d", kept, total);
    }
    arena_free(scratch);
}

static void eliminate(graph *g, pass *p) {
    for (value v = 0; v < g->count; v++) {
        if (!graph_node(g, v)->body) continue;
        eliminate(graph_node(g, v)->body, p);
        drop_operands(g, v, p);
    }
    int count = g->count;
    rewriter_end(rewriter_begin(g));
    p->fired += count - g->count;
}

bool pass_eliminate_dead(graph *g, pass *p) {
    eliminate(g, p);
    return true;
}
