// fuse_sums: a product or a sum over the rows of a call becomes one kernel, which reads its operands
// row by row: nothing is transposed in memory.
//
//   requires  nothing                 produces  nothing
//
//   before    %1 = transpose %x                          x: f32[T,K], dy: f32[T,N]
//             %w.gradient = matmul %1, %dy
//   after     %w.gradient = fuse (%x, %dy) -> f32[K,N] {
//               %2 = transpose %x
//               yield matmul %2, %dy
//             }
//
//   before    %1 = mul %dy, %normed
//             %2 = reduce_sum %1 {axes = [0]}
//             %gamma.gradient = reshape %2 {shape = [N]}
//   after     %gamma.gradient = fuse (%dy, %normed) -> f32[N] {
//               %2 = mul %dy, %normed
//               %3 = reduce_sum %2 {axes = [0]}
//               yield reshape %3 {shape = [N]}
//             }
//
// The first is a product of rows with rows that sums over T, S or R. If several products read one
// transpose, each gets its own. The second is a sum down the columns of rows. The pointwise ops
// before it join if nothing else reads them, and so does the reshape after it.
#include "passes/fuse/fuse.h"

static bool is_counted(dim d) {
    return d.n == 0 && (d.s == SYM_T || d.s == SYM_S || d.s == SYM_R);
}

static bool are_rows(const graph *g, value v) {
    const type *t = graph_type(g, v);
    return t->e == ELEM_F32 && t->rank == 2 && t->layout == LAYOUT_ROW && is_counted(t->d[0]) &&
           t->d[1].s == SYM_NONE && !node_is_constant(graph_node(g, v));
}

// --- Products

static bool sums_rows(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (n->op != OP_matmul || n->type.rank != 2 || !op_is(g, n->inputs[0], OP_transpose)) return false;
    const node *left = graph_node(g, n->inputs[0]);
    return left->type.rank == 2 && node_attr(left, ATTR_perm)->u.ints[0] == 1 &&
           are_rows(g, left->inputs[0]) && are_rows(g, n->inputs[1]);
}

static void fuse_product(rewriter *r, value v, pass *p) {
    graph *g = rewriter_graph(r);
    value left = graph_node(g, v)->inputs[0], right = graph_node(g, v)->inputs[1];
    if (!has_one_use(r, left)) { // one of its own
        const node *n = graph_node(g, left);
        left = graph_transpose(g, n->inputs[0], 2, (int64_t[]){1, 0});
        value product = graph_op2(g, OP_matmul, left, right);
        replace_all_uses(r, v, product);
        v = product;
    }
    value ops[] = {left, v};
    value fused = fuse_ops(r, 2, ops, 1, &v);
    pass_fired(p, g, fused, "a product that sums over rows");
}

// --- Columns

// May the op stand in the kernel: pointwise, on rows of `of`, numbers [X,1], vectors [N] and scalars?
static bool columns_op(const graph *g, value v, const type *of) {
    const node *n = graph_node(g, v);
    if (!(op_flag_bits(n->op) & POINTWISE) || n->op == OP_cast) return false;
    if (n->type.e != ELEM_F32 && n->type.e != ELEM_I1) return false;
    for (int i = -1; i < n->input_count; i++) {
        const type *t = i < 0 ? &n->type : graph_type(g, n->inputs[i]);
        bool rows =
            t->rank == 2 && dim_eq(t->d[0], of->d[0]) && (dim_eq(t->d[1], of->d[1]) || dim_is(t->d[1], 1));
        bool vector = t->rank == 1 && dim_eq(t->d[0], of->d[1]), number = t->rank == 0;
        if ((!rows && !vector && !number) || (t->e != ELEM_F32 && t->e != ELEM_I1)) return false;
    }
    return true;
}

// Adds v, which is read in the box alone, and what leads to it.
static void collect(rewriter *r, value v, const type *of, box *b) {
    const graph *g = rewriter_graph(r);
    if (b->count == BOX_MAX - 1 || box_holds(b, v) || !columns_op(g, v, of)) return;
    b->ops[b->count++] = v;
    if (box_used_outside(r, b, v)) {
        b->count--;
        return;
    }
    for (int i = 0; i < graph_node(g, v)->input_count; i++) collect(r, graph_node(g, v)->inputs[i], of, b);
}

static bool sums_columns(const graph *g, value v) {
    const node *n = graph_node(g, v);
    const attr *axes = n->op == OP_reduce_sum ? node_attr(n, ATTR_axes) : NULL;
    return axes && axes->n == 1 && axes->u.ints[0] == 0 && are_rows(g, n->inputs[0]);
}

// [1,N] as [N], if that is all that reads it.
static value reshape_behind(rewriter *r, value v) {
    const graph *g = rewriter_graph(r);
    value user;
    if (!has_one_use(r, v) || users_of(r, v, &user, 1) != 1) return VALUE_NONE;
    const node *n = graph_node(g, user);
    return n->op == OP_reshape && n->type.rank == 1 ? user : VALUE_NONE;
}

static void fuse_columns(rewriter *r, value v, pass *p) {
    graph *g = rewriter_graph(r);
    const type of = *graph_type(g, graph_node(g, v)->inputs[0]);
    box b = box_of(v);
    value behind = reshape_behind(r, v);
    if (behind != VALUE_NONE) {
        b.ops[b.count++] = behind;
        b.results[0] = behind;
    }
    int own = b.count;
    collect(r, graph_node(g, v)->inputs[0], &of, &b);
    if (b.count == 1 || !ops_ordered(r, b.count, b.ops)) return;
    value fused = box_fuse(r, &b);
    pass_fired(p, g, fused, "a sum over rows, with %d ops before it", b.count - own);
}

bool pass_fuse_sums(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    for (value v = 0, count = g->count; v < count; v++) {
        if (!use_count(r, v)) continue;
        if (sums_rows(g, v))
            fuse_product(r, v, p);
        else if (sums_columns(g, v))
            fuse_columns(r, v, p);
    }
    rewriter_end(r);
    return true;
}
