// fuse_rows: pointwise ops and reductions along rows that are in no box yet become one kernel, which
// makes one pass over each row.
//
//   requires  nothing                 produces  nothing
//
//   before    %1 = mul %dy, %gamma                       the gradient of what a norm norms
//             %2 = mul %1, %normed
//             %3 = reduce_mean %2 {axes = [1]}
//             %4 = mul %normed, %3
//             %5 = reduce_mean %1 {axes = [1]}
//             %6 = sub %1, %5
//             %7 = sub %6, %4
//             %dx = mul %7, %rstd
//   after     %dx = fuse (%dy, %gamma, %normed, %rstd) -> f32[T,768] {
//               ...                                      as above
//             }
//
//   before    %1 = iota {axis = 1}                       i32[R,N]
//             %2 = compare %1, %label                    label: i32[R,1]
//   after     %2 = fuse (%label) { ... yield compare %1, %label }
//
// On for training. (Without training, an encoder's pointwise ops are all in the boxes of products
// and norms by then.) A box grows from its last op up: it takes in what its ops read, as long as no
// path leads out of it and back in. A value that others read too becomes a further result. A box
// holds what one pass over a row can compute: ops on rows [X,N] and columns [X,1] of f32 and i1,
// constant vectors [N] and numbers.
#include "passes/fuse/fuse.h"

#define MOST_RESULTS 4

// What all ops of a box have in common.
typedef struct row_box {
    box b;
    dim rows;
    int64_t width; // 1: no row has been met
} row_box;

static bool is_counted(dim d) {
    return d.n == 0 && (d.s == SYM_T || d.s == SYM_S || d.s == SYM_R);
}

static bool is_rows(const type *t) {
    return (t->e == ELEM_F32 || t->e == ELEM_I1) && t->rank == 2 && t->layout == LAYOUT_ROW &&
           is_counted(t->d[0]) && t->d[1].s == SYM_NONE;
}

// Rows or a column of the box's, whose width they may set.
static bool suits(const type *t, row_box *x) {
    if (!is_rows(t) || !dim_eq(t->d[0], x->rows)) return false;
    int64_t width = t->d[1].n;
    if (width != 1 && x->width != 1 && width != x->width) return false;
    if (width != 1) x->width = width;
    return true;
}

static bool reduces_rows(const node *n) {
    const attr *axes = op_flag_bits(n->op) & REDUCES ? node_attr(n, ATTR_axes) : NULL;
    return axes && axes->n == 1 && axes->u.ints[0] == 1;
}

// Can v stand in the box? Then its width becomes the box's.
static bool takes(const graph *g, value v, row_box *x) {
    const node *n = graph_node(g, v);
    row_box tried = *x;
    bool lanes = op_flag_bits(n->op) & POINTWISE && n->op != OP_cast;
    if ((!lanes && !reduces_rows(n)) || !suits(&n->type, &tried)) return false;
    for (int i = 0; i < n->input_count; i++) {
        value in = n->inputs[i];
        const type *t = graph_type(g, in);
        bool number = t->rank == 0 && value_is_scalar(g, in, NULL);
        bool vector = lanes && t->e == ELEM_F32 && t->rank == 1 && t->layout == LAYOUT_ROW &&
                      node_is_constant(graph_node(g, in)) && dim_eq(t->d[0], n->type.d[1]) && t->d[0].n > 1;
        if (!number && !vector && (node_is_constant(graph_node(g, in)) || !suits(t, &tried))) return false;
    }
    *x = tried;
    return true;
}

static int outside_uses(rewriter *r, const box *b) {
    int n = 0;
    for (int i = 0; i < b->count; i++) n += box_used_outside(r, b, b->ops[i]);
    return n;
}

// The values that the graph had before, and which of them are in a box.
typedef struct row_pass {
    value count;
    bool *taken;
} row_pass;

// Takes in one more op that the box reads; false: there is none.
static bool grow(rewriter *r, row_box *x, const row_pass *all) {
    const graph *g = rewriter_graph(r);
    for (int i = 0; i < x->b.count && x->b.count < BOX_MAX; i++) {
        const node *n = graph_node(g, x->b.ops[i]);
        for (int k = 0; k < n->input_count; k++) {
            row_box more = *x;
            value v = n->inputs[k];
            if (v >= all->count || all->taken[v] || box_holds(&x->b, v) || !takes(g, v, &more)) continue;
            more.b.ops[more.b.count++] = v;
            if (outside_uses(r, &more.b) > MOST_RESULTS || !ops_convex(r, more.b.count, more.b.ops)) continue;
            *x = more;
            return true;
        }
    }
    return false;
}

static void fuse_from(rewriter *r, value v, row_pass *all, pass *p) {
    graph *g = rewriter_graph(r);
    row_box x = {.b = box_of(v), .rows = graph_type(g, v)->d[0], .width = 1};
    if (!takes(g, v, &x)) return;
    while (grow(r, &x, all)) continue;
    if (x.b.count == 1 || x.width == 1) return;
    x.b.result_count = 0;
    for (int i = 0; i < x.b.count; i++) {
        all->taken[x.b.ops[i]] = true;
        if (box_used_outside(r, &x.b, x.b.ops[i])) x.b.results[x.b.result_count++] = x.b.ops[i];
    }
    value fused = box_fuse(r, &x.b);
    pass_fired(p, g, fused, "%d ops on rows in one pass, results: %d", x.b.count, x.b.result_count);
}

// A comparison with numbers that count along an axis, which then are never in memory.
static void fuse_count(rewriter *r, value v, pass *p) {
    graph *g = rewriter_graph(r);
    const node *n = graph_node(g, v);
    for (int i = 0; n->op == OP_compare && i < n->input_count; i++) {
        value iota = n->inputs[i];
        if (!op_is(g, iota, OP_iota) || !has_one_use(r, iota) ||
            !type_same_shape(graph_type(g, iota), &n->type))
            continue;
        value fused = fuse_ops(r, 2, (value[]){iota, v}, 1, &v);
        pass_fired(p, g, fused, "a comparison with an iota");
        return;
    }
}

bool pass_fuse_rows(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    arena *scratch = arena_new();
    row_pass all = {.count = g->count, .taken = ARENA_ARRAY(scratch, bool, g->count)};
    for (value v = all.count - 1; v >= 0; v--)
        if (!all.taken[v] && use_count(r, v) && is_rows(graph_type(g, v))) fuse_from(r, v, &all, p);
    for (value v = 0; v < all.count; v++)
        if (!all.taken[v] && use_count(r, v)) fuse_count(r, v, p);
    arena_free(scratch);
    rewriter_end(r);
    return true;
}
