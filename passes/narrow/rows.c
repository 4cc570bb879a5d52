// narrow_rows: if a head reads only the first or the last row of each text, or chosen rows, that
// choice moves up through every op that works row by row.
//
//   requires  nothing                 produces  nothing
//
//   before    %q = matmul %x, %wq                                      [T,H]   %k, %v likewise
//             %c = per_sequence (%bounds; %q, %k, %v)                  [T,H]
//             %o = add (matmul %c, %wo), %x                            [T,H]
//             %u = ... the rest of a layer                             [T,H]
//             %y = gather %u, %rows                                    [R,H]
//   after     %xr = gather %x, %rows                                   [R,H]
//             %q = matmul %xr, %wq                                     [R,H]   %k, %v as before
//             %c = per_sequence (%bounds, %row_bounds; %q, %k, %v)     [R,H]
//             %o = add (matmul %c, %wo), %xr                           [R,H]
//             %u = ... the rest of a layer                             [R,H]   for %y
//
// The first (or last) row of each text is treated in the same way, with S rows in place of R.
//
// A node is narrowed if each of its readers is such a choice, or is narrowed and reads it along its
// rows. So nothing is computed twice. Narrowing stops at outputs, at values that some reader needs
// whole, and at ops that mix rows. The choice is made there.
#include "passes/narrow/narrow.h"

#include <string.h>

typedef struct choice {
    bool first, last;         // of each text; otherwise those that `rows` names
    value rows;               // i32[R]
    value bounds, row_bounds; // row_bounds VALUE_NONE: the model has none
} choice;

typedef struct narrowing {
    rewriter *r;
    graph *g;
    pass *p;
    choice c;
    int count;             // nodes of before
    bool *chosen;          // is a choice of this kind
    bool *narrow;          // is narrowed
    narrowed_body *bodies; // of narrowed per_sequence nodes
    value *narrowed;       // by value: the value of its chosen rows
    const char **cause;    // why a value is not narrowed
    arena *scratch;
} narrowing;

// --- Choices

// per_sequence (bounds, x) { slice x, the first row, or the last }
static bool is_end_row(const graph *g, value v, bool *last) {
    const node *n = graph_node(g, v);
    if (n->op != OP_per_sequence || n->input_count != 2 || n->body->count != 2) return false;
    const node *s = graph_node(n->body, 1);
    if (n->body->output_count != 1 || n->body->outputs[0].value != 1) return false;
    if (s->op != OP_slice || !dim_is(s->type.d[0], 1)) return false;
    if (!narrow_has_rows(graph_type(g, n->inputs[1]), 0, SYM_T)) return false;
    const type *x = graph_type(n->body, 0);
    *last = dim_eq(node_attr(s, ATTR_begin)->u.dims[0], (dim){SYM_L, -1});
    for (int i = *last; i < s->type.rank; i++) {
        if (!dim_is(node_attr(s, ATTR_begin)->u.dims[i], 0)) return false;
        if (i && !dim_eq(s->type.d[i], x->d[i])) return false;
    }
    return true;
}

static bool is_gathered_rows(const graph *g, value v) {
    const node *n = graph_node(g, v);
    return n->op == OP_gather && op_is(g, n->inputs[1], OP_input) &&
           dim_eq(graph_type(g, n->inputs[1])->d[0], dim_sym(SYM_R)) &&
           narrow_has_rows(graph_type(g, n->inputs[0]), 0, SYM_T);
}

static bool find_choice(const graph *g, value v, choice *c) {
    const node *n = graph_node(g, v);
    bool last;
    if (is_end_row(g, v, &last)) {
        *c = (choice){!last, last, VALUE_NONE, n->inputs[0], VALUE_NONE};
        return true;
    }
    if (!is_gathered_rows(g, v)) return false;
    *c = (choice){false, false, n->inputs[1], VALUE_NONE, VALUE_NONE};
    return true;
}

static bool one_a_text(const choice *c) {
    return c->first || c->last;
}

static bool same_choice(const choice *a, const choice *b) {
    return a->first == b->first && a->last == b->last && a->rows == b->rows &&
           (!one_a_text(a) || a->bounds == b->bounds);
}

static value choice_source(const graph *g, value v) {
    const node *n = graph_node(g, v);
    return n->op == OP_gather ? n->inputs[0] : n->inputs[1];
}

// An input of another type that is called so bounds nothing.
static value find_row_bounds(const graph *g) {
    const dim count = {SYM_S, 1};
    const type bounds = type_make(ELEM_I32, 1, &count);
    for (value v = 0; v < g->count; v++)
        if (op_is(g, v, OP_input) && !strcmp(graph_node(g, v)->name, "row_bounds") &&
            type_eq(graph_type(g, v), &bounds))
            return v;
    return VALUE_NONE;
}

// --- Which nodes are narrowed

static bool is_output(const graph *g, value v) {
    for (int i = 0; i < g->output_count; i++)
        if (g->outputs[i].value == v) return true;
    return false;
}

// Does narrowed node u read v along its rows, wherever it reads it?
static bool reads_rows(const narrowing *s, value u, value v) {
    const node *n = graph_node(s->g, u);
    if (n->op == OP_result) return true; // its region is narrowed where all of its results are
    if (n->op == OP_per_sequence) {
        const narrowed_body *b = &s->bodies[u];
        if (n->inputs[0] == v) return false;
        for (int i = 0; i < b->count; i++)
            if (n->inputs[1 + b->operands[i]] == v && !b->narrow[i]) return false;
        return true;
    }
    for (int i = 0; i < n->input_count; i++)
        if (n->inputs[i] == v && narrow_operand_axis(s->g, n, i, 0, SYM_T) != 0) return false;
    return true;
}

static bool readers_narrow(narrowing *s, value v) {
    int n = users_of(s->r, v, NULL, 0);
    value *users = ARENA_ARRAY(s->scratch, value, n);
    users_of(s->r, v, users, n);
    for (int i = 0; i < n; i++) {
        value u = users[i];
        if (s->chosen[u] && choice_source(s->g, u) == v) continue;
        if (!s->narrow[u] || !reads_rows(s, u, v)) return s->cause[v] = "it is read whole elsewhere", false;
    }
    return n > 0;
}

// A per_sequence over [T,...] whose rows are independent; its new body goes to s->bodies.
static bool narrows_sequence(narrowing *s, value v) {
    const node *n = graph_node(s->g, v);
    if (node_attr(n, ATTR_bounds)->u.i != 1) return s->cause[v] = "it reads rows already", false;
    if (one_a_text(&s->c) ? n->inputs[0] != s->c.bounds : s->c.row_bounds == VALUE_NONE)
        return s->cause[v] = "the model has no bounds for the rows", false;
    dim rows = one_a_text(&s->c) ? dim_num(1) : dim_sym(SYM_Q);
    return narrow_body(s->g->arena, n->body, rows, s->c.first, &s->bodies[v], &s->cause[v]);
}

static bool narrows(narrowing *s, value v) {
    const node *n = graph_node(s->g, v);
    if (s->chosen[v] || n->input_count == 0 || !narrow_has_rows(&n->type, 0, SYM_T)) return false;
    if (is_output(s->g, v)) return s->cause[v] = "it is an output", false;
    if (!readers_narrow(s, v)) return false;
    if (n->op == OP_per_sequence) return narrows_sequence(s, v);
    if (n->op == OP_result) return true;
    if (n->body) return s->cause[v] = "it is fused already", false;
    for (int i = 0; i < n->input_count; i++)
        if (narrow_operand_axis(s->g, n, i, 0, SYM_T) == NARROW_STUCK)
            return s->cause[v] = "it mixes rows", false;
    return true;
}

// --- The new nodes

static value choose_rows(narrowing *s, value x) {
    graph *g = s->g;
    if (!one_a_text(&s->c)) return graph_op2(g, OP_gather, x, s->c.rows);
    graph *body = graph_new(g->arena, NULL);
    type t = *graph_type(g, x);
    t.d[0] = dim_sym(SYM_L);
    dim begin[IR_MAX_RANK], end[IR_MAX_RANK];
    for (int i = 0; i < t.rank; i++) {
        begin[i] = dim_num(0);
        end[i] = t.d[i];
    }
    if (s->c.last)
        begin[0] = (dim){SYM_L, -1};
    else
        end[0] = dim_num(1);
    value param = graph_param(body, "x", t);
    graph_output_add(body, NULL, graph_slice(body, param, t.rank, begin, end));
    return graph_region(g, OP_per_sequence, 2, (value[]){s->c.bounds, x}, body, 1);
}

// The chosen rows of x: narrowed, or chosen here.
static value narrowed_rows(narrowing *s, value x) {
    if (s->narrowed[x] != VALUE_NONE) return s->narrowed[x];
    if (op_is(s->g, x, OP_per_sequence) && s->cause[x])
        pass_missed(s->p, s->g, x, "is computed for all rows: %s", s->cause[x]);
    return s->narrowed[x] = choose_rows(s, x);
}

static value make_sequence(narrowing *s, value v) {
    const node *n = graph_node(s->g, v);
    const narrowed_body *b = &s->bodies[v];
    int bounds = one_a_text(&s->c) ? 1 : 2;
    value *inputs = ARENA_ARRAY(s->scratch, value, b->count + bounds), *old = n->inputs;
    inputs[0] = old[0];
    if (bounds == 2) inputs[1] = s->c.row_bounds;
    for (int i = 0; i < b->count; i++) {
        value x = old[1 + b->operands[i]];
        inputs[bounds + i] = b->narrow[i] ? narrowed_rows(s, x) : x;
    }
    return graph_region(s->g, OP_per_sequence, b->count + bounds, inputs, b->body, bounds);
}

static value make_op(narrowing *s, value v) {
    const node n = *graph_node(s->g, v); // nodes move as others are appended
    if (n.op == OP_result) return graph_result(s->g, s->narrowed[n.inputs[0]], node_result_index(&n));
    value *inputs = ARENA_ARRAY(s->scratch, value, n.input_count);
    for (int i = 0; i < n.input_count; i++) {
        bool along = narrow_operand_axis(s->g, &n, i, 0, SYM_T) == 0;
        inputs[i] = along ? narrowed_rows(s, n.inputs[i]) : n.inputs[i];
    }
    attr *attrs = narrow_attrs(s->scratch, &n, 0, dim_sym(one_a_text(&s->c) ? SYM_S : SYM_R));
    return graph_append(s->g, n.op, n.input_count, inputs, n.attr_count, attrs);
}

// Multiplications and additions of the node for one token, without those of attention, which depend on the
// text's length.
static double row_flops(const graph *g, value v) {
    const node *n = graph_node(g, v);
    const type *t = &n->type;
    if (n->op == OP_per_sequence || n->op == OP_result) return 0;
    double width = 1;
    for (int i = 1; i < t->rank; i++) width *= (double)t->d[i].n;
    return n->op == OP_matmul ? 2 * width * (double)graph_type(g, n->inputs[0])->d[t->rank - 1].n : width;
}

static void report(const narrowing *s, value v, int nodes, double flops) {
    const char *rows = s->c.first  ? "the first row of each text"
                       : s->c.last ? "the last row of each text"
                                   : "the rows that are read";
    value x = choice_source(s->g, v);
    if (s->narrow[x]) {
        pass_fired(s->p, s->g, v, "%d nodes on %s, saves %.0f flops per token", nodes, rows, flops);
    } else if (s->cause[x]) {
        char where[160];
        pass_missed(s->p, s->g, v, "%s is computed for all rows: %s",
                    pass_where(s->g, x, where, sizeof(where)), s->cause[x]);
    }
}

// Marks what is narrowed; returns how many nodes that compute.
static int find_narrow(narrowing *s, double *flops) {
    int nodes = 0;
    for (value v = s->count - 1; v >= 0; v--) {
        s->narrow[v] = use_count(s->r, v) && narrows(s, v);
        if (!s->narrow[v]) continue;
        nodes += !op_is(s->g, v, OP_result);
        *flops += row_flops(s->g, v);
    }
    // A result whose region stays is chosen from, like the region itself.
    for (value v = 0; v < s->count; v++) {
        const node *n = graph_node(s->g, v);
        if (n->op != OP_result || !s->narrow[v] || s->narrow[n->inputs[0]]) continue;
        s->narrow[v] = false;
        s->cause[v] = s->cause[n->inputs[0]];
    }
    return nodes;
}

static void narrow_choice(narrowing *s) {
    double flops = 0;
    int nodes = find_narrow(s, &flops);
    for (value v = 0; v < s->count; v++)
        if (s->chosen[v]) report(s, v, nodes, flops);
    for (value v = 0; v < s->count; v++) {
        if (!s->narrow[v]) continue;
        s->narrowed[v] = op_is(s->g, v, OP_per_sequence) ? make_sequence(s, v) : make_op(s, v);
        graph_node(s->g, s->narrowed[v])->name = graph_node(s->g, v)->name;
        graph_node(s->g, v)->name = NULL;
    }
    for (value v = 0; v < s->count; v++)
        if (s->chosen[v] && s->narrow[choice_source(s->g, v)])
            replace_all_uses(s->r, v, s->narrowed[choice_source(s->g, v)]);
}

static void narrow_kind(rewriter *r, pass *p, choice c, int count, bool *done) {
    arena *scratch = arena_new();
    graph *g = rewriter_graph(r);
    size_t n = (size_t)g->count;
    narrowing s = {.r = r, .g = g, .p = p, .c = c, .count = count, .scratch = scratch};
    s.c.row_bounds = find_row_bounds(g);
    s.chosen = ARENA_ARRAY(scratch, bool, n);
    s.narrow = ARENA_ARRAY(scratch, bool, n);
    s.bodies = ARENA_ARRAY(scratch, narrowed_body, n);
    s.narrowed = ARENA_ARRAY(scratch, value, n);
    s.cause = ARENA_ARRAY(scratch, const char *, n);
    for (value v = 0; v < g->count; v++) {
        choice other;
        s.narrowed[v] = VALUE_NONE;
        s.chosen[v] = v < count && find_choice(g, v, &other) && same_choice(&c, &other) && use_count(r, v);
        if (v < count) done[v] = done[v] || s.chosen[v];
    }
    narrow_choice(&s);
    arena_free(scratch);
}

bool pass_narrow_rows(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    int count = g->count;
    arena *scratch = arena_new();
    bool *done = ARENA_ARRAY(scratch, bool, count + 1);
    for (value v = 0; v < count; v++) {
        choice c;
        if (!done[v] && use_count(r, v) && find_choice(g, v, &c)) narrow_kind(r, p, c, count, done);
    }
    arena_free(scratch);
    rewriter_end(r);
    return true;
}
