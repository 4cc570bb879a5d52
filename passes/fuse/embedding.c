// fuse_embedding: puts lookups in tables, their sum, and the norm of that sum into one kernel.
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
// The box holds gathers in constant tables and the pointwise ops after them, up to the first norm.
// Each value must be read once. If something reads numbers of the norm's row, they are further
// results, as in fuse_norm.
//
// A table that the checkpoint holds as f16 or bf16 stays so, and its rows are widened after they
// are looked up. Widening is exact, so no bit of an answer changes, and the table takes half the
// bytes:
//
//   before    %word = constant f32[N,H] {recipe = cast(tensor("word", bf16[N,H]), f32)}
//             %0 = gather %word, %ids
//   after     %word = constant bf16[N,H] {recipe = tensor("word", bf16[N,H])}
//             %0 = cast (gather %word, %ids) {to = f32}
#include "passes/fuse/fuse.h"

static bool is_lookup(const graph *g, value v) {
    const node *n = graph_node(g, v);
    return n->op == OP_gather && n->type.rank == 2 && elem_is_float(n->type.e) &&
           node_is_constant(graph_node(g, n->inputs[0]));
}

// A row of a narrow table, made f32.
static bool widens_lookup(const graph *g, value v) {
    const node *n = graph_node(g, v);
    return n->op == OP_cast && n->type.e == ELEM_F32 && is_lookup(g, n->inputs[0]);
}

// A norm of v, with the numbers of its row, where v has no other readers.
static bool find_norm(rewriter *r, value v, box *out) {
    const graph *g = rewriter_graph(r);
    value users[BOX_MAX];
    int n = users_of(r, v, users, BOX_MAX);
    for (int i = 0; i < n && i < BOX_MAX; i++) {
        const node *norm = graph_node(g, users[i]);
        if (!norm_op(norm->op) || norm->inputs[0] != v) continue;
        *out = box_of(users[i]);
        box_take_numbers(r, out);
        return !box_used_outside(r, out, v);
    }
    return false;
}

// What the lookups lead to, from one of them down: a box of the norm that is the end, or of no op and the value
// that is.
static box find_end(rewriter *r, value v) {
    const graph *g = rewriter_graph(r);
    box b;
    for (;;) {
        value user;
        const char *why;
        if (find_norm(r, v, &b)) return b;
        if (!has_one_use(r, v) || users_of(r, v, &user, 1) != 1) break;
        if (!widens_lookup(g, user) && !epilogue_op(g, user, &why)) break;
        v = user;
    }
    return (box){.result_count = 1, .results = {v}};
}

// Adds v, and what leads to it alone, up to the lookups.
static void collect_lookups(rewriter *r, value v, box *b) {
    const graph *g = rewriter_graph(r);
    const node *n = graph_node(g, v);
    const char *why;
    if (b->count == BOX_MAX || box_holds(b, v)) return;
    if (!is_lookup(g, v) && !widens_lookup(g, v) && !epilogue_op(g, v, &why)) return;
    b->ops[b->count++] = v;
    if (is_lookup(g, v)) return;
    for (int i = 0; i < n->input_count; i++)
        if (has_one_use(r, n->inputs[i])) collect_lookups(r, n->inputs[i], b);
}

static void fuse_lookup(rewriter *r, value v, bool *taken, pass *p) {
    graph *g = rewriter_graph(r);
    if (!has_one_use(r, v)) {
        pass_missed(p, g, v, "the lookup has other uses");
        return;
    }
    box b = find_end(r, v);
    value end = b.results[0];
    collect_lookups(r, b.count ? graph_node(g, end)->inputs[0] : end, &b);
    int lookups = 0;
    for (int i = 0; i < b.count; i++) {
        taken[b.ops[i]] = true;
        lookups += is_lookup(g, b.ops[i]);
    }
    if (b.count < 2 || !ops_ordered(r, b.count, b.ops)) return;
    value fused = box_fuse(r, &b);
    pass_fired(p, g, fused, "%d lookups and %d ops", lookups, b.count - lookups);
}

// --- Narrow tables

// What the table is before it is widened; NULL where it is not. A state is f32: training changes it by less than a
// step of 16 bits.
static const recipe *narrow_recipe(const node *table) {
    const attr *r = node_attr(table, ATTR_recipe);
    if (!r || node_is_state(table) || table->type.e != ELEM_F32 || r->u.recipe->kind != RECIPE_CAST)
        return NULL;
    elem e = r->u.recipe->parts[0]->type.e;
    return e == ELEM_F16 || e == ELEM_BF16 ? r->u.recipe->parts[0] : NULL;
}

// Is it read by lookups alone? Where it is not, the wide one stays, and does for all.
static bool only_looked_up(rewriter *r, value table) {
    const graph *g = rewriter_graph(r);
    value users[BOX_MAX];
    int n = users_of(r, table, users, BOX_MAX);
    for (int i = 0; i < n && i < BOX_MAX; i++)
        if (graph_node(g, users[i])->op != OP_gather) return false;
    return n == use_count(r, table) && n <= BOX_MAX;
}

static value narrow_table(rewriter *r, value table) {
    graph *g = rewriter_graph(r);
    const recipe *of = node_is_constant(graph_node(g, table)) ? narrow_recipe(graph_node(g, table)) : NULL;
    if (!of || !only_looked_up(r, table)) return VALUE_NONE;
    const char *name = graph_node(g, table)->name;
    if (name) graph_name(g, table, NULL);
    return graph_constant_recipe(g, name, of);
}

static void narrow_lookups(rewriter *r, int count, value *narrow, pass *p) {
    graph *g = rewriter_graph(r);
    attr to = {.id = ATTR_to, .u.e = ELEM_F32};
    for (value v = 0; v < count; v++) {
        if (!op_is(g, v, OP_gather) || !use_count(r, v)) continue;
        value table = graph_node(g, v)->inputs[0], ids = graph_node(g, v)->inputs[1];
        if (table >= count) continue; // rows that were widened just now
        if (!narrow[table]) narrow[table] = narrow_table(r, table);
        if (narrow[table] == VALUE_NONE) continue;
        pass_fired(p, g, v, "its table stays %s", elem_name(graph_type(g, narrow[table])->e));
        value rows = graph_op2(g, OP_gather, narrow[table], ids);
        replace_all_uses(r, v, graph_append(g, OP_cast, 1, &rows, 1, &to));
    }
}

bool pass_fuse_embedding(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    arena *scratch = arena_new();
    narrow_lookups(r, g->count, ARENA_ARRAY(scratch, value, g->count), p);
    int count = g->count;
    bool *taken = ARENA_ARRAY(scratch, bool, count);
    for (value v = 0; v < count; v++)
        if (!taken[v] && use_count(r, v) && is_lookup(g, v)) fuse_lookup(r, v, taken, p);
    arena_free(scratch);
    rewriter_end(r);
    return true;
}
