// assign_layouts: puts weights that matmuls stream into column panels.
//
//   requires  nothing                 produces  types with the layout `packed`, recipes pack(...)
//
//   before    %w = constant f32[768,3072] {recipe = transpose(...)}
//             %u = fuse (%x, %w, %b) {                                 w: f32[768,3072]
//               %0 = matmul %x, %w ...
//   after     %w = constant f32[768,3072] packed {recipe = pack(transpose(...))}
//             %u = fuse (%x, %w, %b) {                                 w: f32[768,3072] packed
//               %0 = matmul %x, %w ...
//
// A weight that a `cast` widens for its product is packed in its own type: the cast is in the box.
// So is a weight whose transpose is a table of lookups (share_tables).
//
// A weight with blocks on its diagonal (grouped projections) is packed whole. The product names the
// blocks (`blocks`), so that its kernel reads and multiplies only these.
//
// A state is packed if matmuls stream it, and all other readers of it and of what is assigned to it
// work element by element, without a matrix that stays row-major. A second copy for other readers
// would be a second state.
//
// A right operand that changes from call to call (a state that stays row-major, a result of known
// size) is packed during the call, by a node of its own. A transpose for this product alone happens
// there too:
//
//   before    %t = transpose %w                                        w: f32[768,3072], a state
//             %dx = matmul %dy, %t
//   after     %p = fuse (%w) -> f32[3072,768] packed {
//               %1 = transpose %w
//               yield pack %1
//             }
//             %dx = matmul %dy, %p
//
// and so does a rounding to bf16 for this product: `pack (cast (transpose %w))`.
//
// The pass takes the right operands of matmuls at the top level and in the bodies of top-level
// fuses. Constants must have a recipe; literals stay row-major, because they have no other layout.
// A constant with other readers stays for them, beside its packed copy. Operands of per_sequence
// bodies stay row-major.
#include "passes/constants.h"
#include "passes/region.h"

// Is value v of a body, or what a cast makes of it, read as the right operand of matmuls alone?
static bool streamed(const graph *body, value v, bool cast) {
    int uses = 0;
    for (value u = 0; u < body->count; u++) {
        const node *n = graph_node(body, u);
        for (int i = 0; i < n->input_count; i++) {
            if (n->inputs[i] != v) continue;
            bool widened = !cast && n->op == OP_cast && streamed(body, u, true);
            if (!widened && (n->op != OP_matmul || i != 1)) return false;
            uses++;
        }
    }
    return uses > 0 && !region_yields(body, v);
}

// Is value v of a body read as the operand `at` of ops `o` alone?
static bool read_by(const graph *body, value v, op o, int at) {
    int uses = 0;
    for (value u = 0; u < body->count; u++) {
        const node *n = graph_node(body, u);
        for (int i = 0; i < n->input_count; i++) {
            if (n->inputs[i] != v) continue;
            if (n->op != o || i != at) return false;
            uses++;
        }
    }
    return uses > 0 && !region_yields(body, v);
}

// Is the param v read through its transpose alone, the table of gathers?
static bool looked_up(const graph *body, value v) {
    int64_t group = packed_group(graph_type(body, v)->e);
    if ((group != 2 && group != 4) || !read_by(body, v, OP_transpose, 0)) return false;
    for (value u = 0; u < body->count; u++)
        if (op_is(body, u, OP_transpose) && graph_node(body, u)->inputs[0] == v &&
            !read_by(body, u, OP_gather, 0))
            return false;
    return true;
}

static bool operand_packs(const graph *g, const node *n, int i) {
    const node *w = graph_node(g, n->inputs[i]);
    if (!node_is_constant(w) || node_is_state(w) || !node_attr(w, ATTR_recipe)) return false;
    if (!elem_packs(w->type.e) || w->type.rank != 2 || w->type.layout != LAYOUT_ROW) return false;
    if (n->op == OP_matmul) return i == 1;
    if (n->op != OP_fuse) return false;
    return streamed(n->body, i, false) || looked_up(n->body, i);
}

// --- Block diagonals (grouped projections)

// The product, or those of the fuse `n`, whose right operand is number i.
static void mark_blocks(graph *g, node *n, int i, const recipe *r) {
    int64_t counts[2];
    if (!recipe_blocks(r, &counts[0], &counts[1])) return;
    attr blocks = attr_ints(g->arena, ATTR_blocks, 2, counts);
    if (n->op == OP_matmul) {
        node_set_attr(g, n, blocks);
        return;
    }
    for (value v = 0; v < n->body->count; v++) {
        node *m = graph_node(n->body, v);
        value w = m->op == OP_matmul ? m->inputs[1] : VALUE_NONE;
        if (w != VALUE_NONE && op_is(n->body, w, OP_cast)) w = graph_node(n->body, w)->inputs[0];
        if (w == i && !node_attr(m, ATTR_group)) node_set_attr(n->body, m, blocks);
    }
}

// --- States

typedef struct readers {
    int products; // matmuls whose right operand it is
    bool others;  // that mind where elements lie
} readers;

static void count_readers(const graph *g, value v, readers *r) {
    for (value u = 0; u < g->count; u++) {
        const node *n = graph_node(g, u);
        for (int i = 0; i < n->input_count; i++) {
            if (n->inputs[i] != v || n->op == OP_result) continue;
            if (n->op == OP_matmul && i == 1)
                r->products++;
            else if (n->op == OP_fuse)
                count_readers(n->body, i, r);
            else
                r->others |= !(op_flag_bits(n->op) & (POINTWISE | WRITES));
        }
    }
    for (int i = 0; i < g->output_count; i++) r->others |= g->outputs[i].value == v;
}

// What is assigned lies where the state lies.
static void retype_assigned(graph *g) {
    for (value v = 0; v < g->count; v++) {
        node *n = graph_node(g, v);
        for (int i = 0; n->op == OP_fuse && i < n->input_count; i++)
            graph_node(n->body, i)->type.layout = graph_type(g, n->inputs[i])->layout;
        if (n->op == OP_fuse) retype_assigned(n->body);
        value state = graph_state_of(g, v);
        if (state != VALUE_NONE) n->type.layout = graph_type(g, state)->layout;
    }
}

static bool state_packs(const graph *g, value w) {
    const type *t = graph_type(g, w);
    readers r = {0};
    if (t->rank != 2 || t->layout != LAYOUT_ROW) return false;
    count_readers(g, w, &r);
    for (value v = 0; v < g->count; v++)
        if (graph_state_of(g, v) == w) count_readers(g, v, &r);
    return r.products && !r.others;
}

// Is there a node that takes w and a matrix of its shape that stays row-major (the states of an optimiser beside
// it)? It would have to go through both in different orders.
static bool meets_rows(const graph *g, value w, const bool *packs) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        bool reads = false, rows = false;
        for (int i = 0; i < n->input_count; i++) {
            value x = n->inputs[i], state = graph_state_of(g, x);
            reads |= x == w;
            rows |= x != w && state != w && type_same_shape(graph_type(g, x), graph_type(g, w)) &&
                    !packs[x] && (state == VALUE_NONE || !packs[state]);
        }
        if (reads && rows && n->op != OP_matmul && n->op != OP_assign) return true;
    }
    return false;
}

static bool *states_to_pack(const graph *g) {
    bool *packs = ARENA_ARRAY(g->arena, bool, g->count), changed = true;
    for (value w = 0; w < g->count; w++) packs[w] = node_is_state(graph_node(g, w)) && state_packs(g, w);
    while (changed) {
        changed = false;
        for (value w = 0; w < g->count; w++) {
            if (!packs[w] || !meets_rows(g, w, packs)) continue;
            packs[w] = false;
            changed = true;
        }
    }
    return packs;
}

static void pack_states(graph *g, pass *p) {
    int before = p->fired;
    const bool *packs = states_to_pack(g);
    for (value w = 0; w < g->count; w++) {
        node *n = graph_node(g, w);
        if (!packs[w]) continue;
        recipe *row = (recipe *)(uintptr_t)node_attr(n, ATTR_recipe)->u.recipe;
        node_set_attr(g, n, (attr){.id = ATTR_recipe, .u.recipe = recipe_pack(g->arena, row)});
        node_drop_attr(n, ATTR_at); // as it was, it had fewer bytes
        n->type.layout = LAYOUT_PACKED;
        pass_fired(p, g, w, "packed: a state");
    }
    if (p->fired > before) retype_assigned(g);
}

// --- What changes from call to call

static bool is_rows(dim d) {
    return d.n == 0 && (d.s == SYM_T || d.s == SYM_S || d.s == SYM_R);
}

// Is operand i of node n the right one of products of rows, and nothing else?
static bool multiplies_rows(const graph *g, const node *n, int i) {
    const graph *in = n->op == OP_fuse ? n->body : g;
    if (n->op == OP_matmul) return i == 1 && n->type.rank == 2 && is_rows(n->type.d[0]);
    if (n->op != OP_fuse || !streamed(n->body, i, false)) return false;
    for (value v = 0; v < in->count; v++) {
        const node *m = graph_node(in, v);
        if (m->op == OP_matmul && m->inputs[1] == i && (m->type.rank != 2 || !is_rows(m->type.d[0])))
            return false;
    }
    return true;
}

static bool packs_as_it_runs(const graph *g, const node *n, int i) {
    const node *w = graph_node(g, n->inputs[i]);
    const type *t = &w->type;
    if (node_is_constant(w) && !node_is_state(w)) return false;
    return (t->e == ELEM_F32 || t->e == ELEM_BF16) && t->rank == 2 && t->layout == LAYOUT_ROW &&
           t->d[0].s == SYM_NONE && t->d[1].s == SYM_NONE && multiplies_rows(g, n, i);
}

// Is w what a cast rounds of a f32 matrix that lies in memory, row by row?
static bool is_rounded(const graph *g, value w) {
    const node *n = graph_node(g, w);
    return n->op == OP_cast && graph_type(g, n->inputs[0])->e == ELEM_F32 &&
           graph_type(g, n->inputs[0])->layout == LAYOUT_ROW;
}

// The node that packs w.
static value packing_node(graph *g, value w) {
    value rounded = is_rounded(g, w) ? graph_node(g, w)->inputs[0] : w;
    bool turned = op_is(g, rounded, OP_transpose);
    value x = turned ? graph_node(g, rounded)->inputs[0] : rounded;
    if (x == w) return graph_op1(g, OP_pack, w);
    graph *body = graph_new(g->arena, NULL);
    value made = graph_param(body, "w", *graph_type(g, x));
    if (turned) made = graph_transpose(body, made, 2, node_attr(graph_node(g, rounded), ATTR_perm)->u.ints);
    attr to = attr_elem(ATTR_to, graph_type(g, w)->e);
    if (rounded != w) made = graph_append(body, OP_cast, 1, &made, 1, &to);
    graph_output_add(body, NULL, graph_op1(body, OP_pack, made));
    return graph_region(g, OP_fuse, 1, &x, body, 0);
}

static void pack_as_they_run(graph *g, pass *p) {
    int count = g->count;
    value *packed = ARENA_ARRAY(g->arena, value, count);
    for (value v = 0; v < count; v++) packed[v] = VALUE_NONE;
    for (value v = 0; v < count; v++) {
        for (int i = 0; i < graph_node(g, v)->input_count; i++) {
            if (!packs_as_it_runs(g, graph_node(g, v), i)) continue;
            value w = graph_node(g, v)->inputs[i];
            if (packed[w] == VALUE_NONE) packed[w] = packing_node(g, w);
            node *n = graph_node(g, v);
            n->inputs[i] = packed[w];
            if (n->op == OP_fuse) graph_node(n->body, i)->type = *graph_type(g, packed[w]);
            pass_fired(p, g, v, "operand %d is packed during the call", i);
        }
    }
}

// --- Other weights

static value packed_copy(graph *g, value w) {
    recipe *row = (recipe *)(uintptr_t)node_attr(graph_node(g, w), ATTR_recipe)->u.recipe;
    return graph_constant_recipe(g, NULL, recipe_pack(g->arena, row));
}

// The packed copy takes the name; the row-major one, where other uses keep it, gets a longer one.
static void move_names(graph *g, const value *packed, int count) {
    for (value w = 0; w < count; w++) {
        const char *name = graph_node(g, w)->name;
        if (packed[w] == VALUE_NONE || !name) continue;
        graph_name(g, packed[w], name);
        graph_name(g, w, arena_printf(g->arena, "%s.rows", name));
    }
}

bool pass_assign_layouts(graph *g, pass *p) {
    pack_states(g, p);
    int count = g->count;
    value *packed = ARENA_ARRAY(g->arena, value, count);
    for (value v = 0; v < count; v++) packed[v] = VALUE_NONE;
    for (value v = 0; v < count; v++) {
        for (int i = 0; i < graph_node(g, v)->input_count; i++) {
            if (!operand_packs(g, graph_node(g, v), i)) continue;
            value w = graph_node(g, v)->inputs[i];
            if (packed[w] == VALUE_NONE) packed[w] = packed_copy(g, w);
            node *n = graph_node(g, v);
            mark_blocks(g, n, i, node_attr(graph_node(g, w), ATTR_recipe)->u.recipe);
            n->inputs[i] = packed[w];
            if (n->op == OP_fuse) graph_node(n->body, i)->type = *graph_type(g, packed[w]);
            pass_fired(p, g, v, "operand %d packed", i);
        }
    }
    move_names(g, packed, count);
    pack_as_they_run(g, p);
    rewriter_end(rewriter_begin(g));
    return true;
}
