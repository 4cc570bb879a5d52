// Copies a part of a region's body, the ops that some of its values need, into a body of its own.
#include "passes/recompute/recompute.h"
#include "passes/region.h"

static bool is_heavy(op o) {
    return o == OP_matmul || o == OP_random || op_flag_bits(o) & REGION;
}

body_part part_of(arena *a, const graph *body, int n, const value *wanted, const bool *there) {
    body_part p = {.in = ARENA_ARRAY(a, bool, body->count + 1), .light = true, .pointwise = true};
    for (int i = 0; i < n; i++) p.in[wanted[i]] = true;
    for (value v = body->count - 1; v >= 0; v--) {
        const node *x = graph_node(body, v);
        if (!p.in[v]) continue;
        if (x->op == OP_param || (there && there[v])) {
            p.in[v] = false;
            continue;
        }
        for (int i = 0; i < x->input_count; i++) p.in[x->inputs[i]] = true;
        p.light = p.light && !is_heavy(x->op);
        p.pointwise = p.pointwise && (op_flag_bits(x->op) & POINTWISE || x->op == OP_constant);
    }
    return p;
}

// Does an op of the part read v, or is v wanted?
static bool needs(const graph *body, const bool *in, int n, const value *wanted, value v) {
    for (int i = 0; i < n; i++)
        if (wanted[i] == v) return true;
    for (value u = v + 1; u < body->count; u++)
        for (int i = 0; in[u] && i < graph_node(body, u)->input_count; i++)
            if (graph_node(body, u)->inputs[i] == v) return true;
    return false;
}

// Params for what the part reads of `from` and does not make.
static void add_params(graph *to, const graph *from, const body_part *p, int n, const value *wanted,
                       value *map, value *sources, int *count) {
    for (value v = 0; v < from->count; v++) {
        const node *x = graph_node(from, v);
        if (p->in[v] || !needs(from, p->in, n, wanted, v)) continue;
        const char *name = region_free_name(to, x->op == OP_param ? x->name : "x");
        map[v] = graph_param(to, name, x->type);
        sources[(*count)++] = v;
    }
}

static void add_ops(graph *to, const graph *from, const bool *in, value *map, arena *scratch) {
    for (value v = 0; v < from->count; v++) {
        const node *x = graph_node(from, v);
        if (!in[v]) continue;
        value *inputs = ARENA_ARRAY(scratch, value, x->input_count + 1);
        for (int i = 0; i < x->input_count; i++) inputs[i] = map[x->inputs[i]];
        map[v] = copy_node(to, x, inputs);
    }
}

graph *part_body(arena *a, const graph *body, int n, const value *wanted, const bool *there, value *sources,
                 int *count) {
    arena *scratch = arena_new();
    graph *to = graph_new(a, NULL);
    value *map = ARENA_ARRAY(scratch, value, body->count + 1);
    const body_part p = part_of(scratch, body, n, wanted, there);
    *count = 0;
    add_params(to, body, &p, n, wanted, map, sources, count);
    add_ops(to, body, p.in, map, scratch);
    for (int i = 0; i < n; i++) graph_output_add(to, NULL, map[wanted[i]]);
    arena_free(scratch);
    return to;
}

graph *part_inlined(arena *a, const graph *body, int param, const graph *from, value yield, const bool *there,
                    value *sources, int *count) {
    arena *scratch = arena_new();
    graph *to = graph_new(a, NULL);
    value *map = ARENA_ARRAY(scratch, value, body->count + 1),
          *inner = ARENA_ARRAY(scratch, value, from->count + 1);
    bool *ops = ARENA_ARRAY(scratch, bool, body->count + 1);
    const body_part p = part_of(scratch, from, 1, &yield, there);
    int params = region_params(body);
    for (value v = 0; v < params; v++)
        if (v != param) map[v] = graph_param(to, graph_node(body, v)->name, *graph_type(body, v));
    for (value v = params; v < body->count; v++) ops[v] = true;
    *count = 0;
    add_params(to, from, &p, 1, &yield, inner, sources, count);
    add_ops(to, from, p.in, inner, scratch);
    map[param] = inner[yield];
    add_ops(to, body, ops, map, scratch);
    for (int i = 0; i < body->output_count; i++) graph_output_add(to, NULL, map[body->outputs[i].value]);
    arena_free(scratch);
    return to;
}

bool part_read_pointwise(const graph *body, int param) {
    if (region_yields(body, param)) return false;
    for (value v = param + 1; v < body->count; v++) {
        const node *n = graph_node(body, v);
        for (int i = 0; i < n->input_count; i++) {
            if (n->inputs[i] != param) continue;
            if (!(op_flag_bits(n->op) & POINTWISE) || !type_same_shape(&n->type, graph_type(body, param)))
                return false;
        }
    }
    return true;
}
