#include "passes/region.h"

#include <string.h>

int region_params(const graph *body) {
    int n = 0;
    while (n < body->count && op_is(body, n, OP_param)) n++;
    return n;
}

void region_live(const graph *body, bool *live) {
    memset(live, 0, (size_t)body->count * sizeof(*live));
    for (int i = 0; i < body->output_count; i++) live[body->outputs[i].value] = true;
    for (value v = body->count - 1; v >= 0; v--) {
        const node *n = graph_node(body, v);
        for (int i = 0; live[v] && i < n->input_count; i++) live[n->inputs[i]] = true;
    }
}

bool region_yields(const graph *body, value v) {
    for (int i = 0; i < body->output_count; i++)
        if (body->outputs[i].value == v) return true;
    return false;
}

static value copy_mapped(graph *to, const node *n, const value *map, arena *scratch) {
    value *inputs = ARENA_ARRAY(scratch, value, n->input_count);
    for (int i = 0; i < n->input_count; i++) inputs[i] = map[n->inputs[i]];
    value v = copy_node(to, n, inputs);
    if (n->body) graph_node(to, v)->body = graph_clone(to->arena, n->body);
    return v;
}

void region_copy(graph *to, const graph *from, value *map) {
    arena *scratch = arena_new();
    bool *live = ARENA_ARRAY(scratch, bool, from->count);
    region_live(from, live);
    for (value v = region_params(from); v < from->count; v++)
        if (live[v]) map[v] = copy_mapped(to, graph_node(from, v), map, scratch);
    arena_free(scratch);
    for (int i = 0; i < from->output_count; i++) graph_output_add(to, NULL, map[from->outputs[i].value]);
}

void region_permute(graph *g, const value *sorted) {
    arena *scratch = arena_new();
    value *position = ARENA_ARRAY(scratch, value, g->count + 1);
    node *nodes = ARENA_ARRAY(g->arena, node, g->count + 1);
    for (int i = 0; i < g->count; i++) {
        nodes[i] = g->nodes[sorted[i]];
        position[sorted[i]] = i;
        if (sorted[i] != i) g->variant_count = 0;
        for (int k = 0; k < nodes[i].input_count; k++) nodes[i].inputs[k] = position[nodes[i].inputs[k]];
    }
    for (int i = 0; i < g->output_count; i++) g->outputs[i].value = position[g->outputs[i].value];
    g->nodes = nodes;
    g->capacity = g->count + 1;
    arena_free(scratch);
}

const char *region_free_name(const graph *body, const char *name) {
    const char *candidate = name;
    for (int number = 2;; number++) {
        bool taken = false;
        for (value v = 0; v < body->count; v++) {
            const char *has = graph_node(body, v)->name;
            taken = taken || (has && !strcmp(has, candidate));
        }
        if (!taken) return candidate;
        candidate = arena_printf(body->arena, "%s%d", name, number);
    }
}

bool region_is_gradient(const graph *box) {
    for (value v = 0; v < box->count; v++) {
        if (!op_is(box, v, OP_matmul)) continue;
        for (value x = graph_node(box, v)->inputs[0]; op_flag_bits(graph_node(box, x)->op) & VIEW;
             x = graph_node(box, x)->inputs[0]) {
            const attr *perm = op_is(box, x, OP_transpose) ? node_attr(graph_node(box, x), ATTR_perm) : NULL;
            if (perm && perm->u.ints[perm->n - 1] != perm->n - 1) return true;
        }
    }
    return false;
}
