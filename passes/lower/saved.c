// Lets the backward part of a step in bf16 read more rows in bf16, if that rounds no more than its products do
// anyway.
//
//   before    %s = ..                              f32[T,N], the slope of an activation
//             %dy = fuse (%dx, %w, %s) {
//               %0 = matmul %dx, %w
//               yield mul %0, %s
//             }
//             %dy.bf16 = cast %dy {to = bf16}
//             %b.gradient = fuse (%dy) { reduce_sum %dy {axes = [0]} .. }
//
//   after     %s.bf16 = cast %s {to = bf16}
//             %dy = fuse (%dx, %w, %s = %s.bf16) {
//               %0 = matmul %dx, %w
//               %1 = cast %s {to = f32}
//               yield mul %0, %1
//             }
//             %dy.bf16 = cast %dy {to = bf16}
//             %b.gradient = fuse (%dy = %dy.bf16) { reduce_sum (cast %dy) {axes = [0]} .. }
//
// Rows that only products read in the backward part are kept in bf16 until then, which halves their
// memory. The gradient of a bias sums the same rows as the gradient of its weight reads, so often
// nothing reads them in f32. Sums stay f32. (PyTorch's autocast rounds both of these too.)
// fuse_precision lets the kernel that computes the rows round them.
#include "ir/parts.h"
#include "passes/lower/lower.h"

typedef struct saver {
    lower l;
    int count; // values of the graph as it was
    const graph_part *parts;
    value *rounded; // of each of them: its cast to bf16, or VALUE_NONE
} saver;

// Kernels that are made here are those of the backward part.
static graph_part part_of(const saver *s, value v) {
    return v < s->count ? s->parts[v] : PART_BACKWARD;
}

static bool are_rows(const type *t) {
    return t->e == ELEM_F32 && t->rank == 2 && t->d[0].s != SYM_NONE && t->d[1].s == SYM_NONE &&
           t->d[1].n >= LOWER_LEAST;
}

// Is it nothing but the sum of its rows?
static bool sums_columns(const graph *g, value u) {
    const graph *body = op_is(g, u, OP_fuse) ? graph_node(g, u)->body : NULL;
    if (!body || graph_node(g, u)->input_count != 1 || body->output_count != 1) return false;
    value v = body->outputs[0].value;
    if (op_is(body, v, OP_reshape)) v = graph_node(body, v)->inputs[0];
    const attr *axes = op_is(body, v, OP_reduce_sum) ? node_attr(graph_node(body, v), ATTR_axes) : NULL;
    return axes && axes->n == 1 && axes->u.ints[0] == 0 &&
           op_is(body, graph_node(body, v)->inputs[0], OP_param);
}

// Is u a product of bf16 rows that multiplies its sums by x, or takes it into another pointwise op?
static bool takes_in_product(const graph *g, value u, value x) {
    const node *n = graph_node(g, u);
    bool product = false;
    if (n->op != OP_fuse || node_has_effect(n)) return false;
    for (value v = 0; v < n->body->count; v++) {
        const node *m = graph_node(n->body, v);
        product |= m->op == OP_matmul && graph_type(n->body, m->inputs[0])->e == ELEM_BF16;
        for (int i = 0; i < m->input_count; i++)
            if (op_is(n->body, m->inputs[i], OP_param) && n->inputs[m->inputs[i]] == x &&
                !(op_flag_bits(m->op) & POINTWISE))
                return false;
    }
    return product;
}

// Do products of the backward part, and nothing else, read what the forward makes here?
static bool is_saved(const saver *s, value x, int count, const value *users) {
    const graph *g = rewriter_graph(s->l.r);
    if (s->parts[x] != PART_FORWARD || !count) return false;
    for (int i = 0; i < count; i++)
        if (part_of(s, users[i]) != PART_BACKWARD || !takes_in_product(g, users[i], x)) return false;
    for (int i = 0; i < g->output_count; i++)
        if (g->outputs[i].value == x) return false;
    return true;
}

// The kernel u reads x's rounded rows.
static void read_rounded(saver *s, value u, value x) {
    lower *l = &s->l;
    const graph *g = rewriter_graph(l->r);
    open_box b = box_open(l, u);
    attr to = attr_elem(ATTR_to, ELEM_F32);
    for (value v = 0; v < b.body->count; v++) {
        if (!op_is(b.body, v, OP_param))
            b.map[v] = box_copy(l, &b, v);
        else if (graph_node(g, u)->inputs[v] == x)
            b.map[v] = box_add(l, &b, OP_cast, 1, &s->rounded[x], 1, &to);
    }
    box_close(l, &b, u);
}

// What reads x, other than its cast; how many.
static int readers_of(const saver *s, value x, value **out) {
    const graph *g = rewriter_graph(s->l.r);
    int most = use_count(s->l.r, x), count = 0;
    value *users = ARENA_ARRAY(s->l.scratch, value, most + 1);
    most = users_of(s->l.r, x, users, most);
    for (int i = 0; i < most; i++)
        if (users[i] != s->rounded[x] && !op_is(g, users[i], OP_result)) users[count++] = users[i];
    *out = users;
    return count;
}

static void sum_rounded(saver *s, value x) {
    const graph *g = rewriter_graph(s->l.r);
    value *users;
    int count = readers_of(s, x, &users);
    for (int i = 0; i < count && s->rounded[x] != VALUE_NONE; i++) {
        if (!sums_columns(g, users[i])) continue;
        pass_fired(s->l.p, g, users[i], "sum of bf16 rows");
        read_rounded(s, users[i], x);
    }
}

static void save_rounded(saver *s, value x) {
    const graph *g = rewriter_graph(s->l.r);
    value *users;
    int count = readers_of(s, x, &users);
    if (!is_saved(s, x, count, users)) return;
    if (s->rounded[x] == VALUE_NONE) s->rounded[x] = rows_cast(&s->l, x);
    pass_fired(s->l.p, g, x, "kept in bf16 for the backward part");
    for (int i = 0; i < count; i++) read_rounded(s, users[i], x);
}

static bool takes(const saver *s, value x) {
    return are_rows(graph_type(rewriter_graph(s->l.r), x)) && s->parts[x] != PART_NONE &&
           use_count(s->l.r, x);
}

void lower_saved(graph *g, pass *p) {
    if (!graph_trains(g)) return;
    arena *scratch = arena_new();
    graph_part *parts = ARENA_ARRAY(scratch, graph_part, g->count);
    graph_parts(g, parts);
    saver s = {.l = {.r = rewriter_begin(g), .p = p, .scratch = scratch, .weight = ELEM_BF16, .rows = true},
               .count = g->count,
               .parts = parts,
               .rounded = ARENA_ARRAY(scratch, value, g->count)};
    for (value v = 0; v < g->count; v++) s.rounded[v] = VALUE_NONE;
    for (value v = 0; v < g->count; v++)
        if (op_is(g, v, OP_cast) && graph_type(g, v)->e == ELEM_BF16)
            s.rounded[graph_node(g, v)->inputs[0]] = v;
    for (value v = 0; v < s.count; v++)
        if (takes(&s, v)) sum_rounded(&s, v);
    for (value v = 0; v < s.count; v++)
        if (takes(&s, v)) save_rounded(&s, v);
    rewriter_end(s.l.r);
    arena_free(scratch);
}
