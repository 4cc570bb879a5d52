// fuse_embedding: lookups in tables, their sum, and the norm of that sum in one kernel.
//
//   requires  nothing                 produces  nothing
//
//   before    %0 = gather %word, %ids
//             %1 = gather %type, %types
//             %2 = add %0, %1
//             %3 = gather %position, %positions
//             %4 = add %2, %3
//             %5 = layer_norm %4, %gamma, %beta
//   after     %5 = fuse (%word, %ids, %type, %types, %position, %positions, %gamma, %beta) {
//               gather, gather, add, gather, add
//               yield layer_norm ...
//             }
//
// The box holds what leads from gathers in constant tables to one value: pointwise ops, up to the
// first norm, each read once.
#include "passes/fuse/fuse.h"

static bool is_lookup(const graph *g, value v) {
    const node *n = graph_node(g, v);
    return n->op == OP_gather && n->type.rank == 2 && n->type.e == ELEM_F32 &&
           node_is_constant(graph_node(g, n->inputs[0]));
}

static bool is_norm_op(op o) {
    return o == OP_layer_norm || o == OP_rms_norm;
}

// Pointwise, or a norm of v.
static bool goes_on(const graph *g, value user, value v) {
    const node *n = graph_node(g, user);
    const char *why;
    if (is_norm_op(n->op)) return n->inputs[0] == v;
    return epilogue_op(g, user, &why);
}

// The value that the lookups lead to, from one of them down.
static value find_end(rewriter *r, value v) {
    const graph *g = rewriter_graph(r);
    value user;
    while (has_one_use(r, v) && users_of(r, v, &user, 1) == 1 && goes_on(g, user, v)) {
        v = user;
        if (is_norm_op(graph_node(g, v)->op)) break;
    }
    return v;
}

// What leads to v, up to the lookups.
static void collect_lookups(rewriter *r, value v, box *b) {
    const graph *g = rewriter_graph(r);
    const node *n = graph_node(g, v);
    const char *why;
    if (b->count == BOX_MAX || box_holds(b, v) || (v != b->result && !has_one_use(r, v))) return;
    bool norm = v == b->result && is_norm_op(n->op);
    if (!norm && !is_lookup(g, v) && !epilogue_op(g, v, &why)) return;
    b->ops[b->count++] = v;
    if (is_lookup(g, v)) return;
    for (int i = 0; i < n->input_count; i++) collect_lookups(r, n->inputs[i], b);
}

static void fuse_lookup(rewriter *r, value v, bool *taken, pass *p) {
    graph *g = rewriter_graph(r);
    if (!has_one_use(r, v)) {
        pass_missed(p, g, v, "the lookup has other uses");
        return;
    }
    box b = {.result = find_end(r, v)};
    collect_lookups(r, b.result, &b);
    int lookups = 0;
    for (int i = 0; i < b.count; i++) {
        taken[b.ops[i]] = true;
        lookups += is_lookup(g, b.ops[i]);
    }
    if (b.count < 2) return;
    value fused = fuse_ops(r, b.count, b.ops, b.result);
    pass_fired(p, g, fused, "%d lookups and %d ops", lookups, b.count - lookups);
}

bool pass_fuse_embedding(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    int count = g->count;
    arena *scratch = arena_new();
    bool *taken = ARENA_ARRAY(scratch, bool, count);
    for (value v = 0; v < count; v++)
        if (!taken[v] && use_count(r, v) && is_lookup(g, v)) fuse_lookup(r, v, taken, p);
    arena_free(scratch);
    rewriter_end(r);
    return true;
}
