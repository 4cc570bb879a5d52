// Products that sum over rows, such as the gradient of a weight: puts both operands in bf16.
//
//   before    %w.gradient = fuse (%x, %dy) -> f32[K,N] {
//               %1 = transpose %x
//               yield matmul %1, %dy
//             }
//
//   after     %x.bf16 = cast %x {to = bf16}        what the product with the weight reads
//             %dy.bf16 = cast %dy {to = bf16}      what the product with its transpose reads
//             %w.gradient = fuse (%x = %x.bf16, %dy = %dy.bf16) -> f32[K,N] { .. }
//
// The sums, and the state that they are added to, are f32.
#include "passes/lower/lower.h"

static bool are_rows(const type *t) {
    return t->e == ELEM_F32 && t->rank == 2 && t->d[0].s != SYM_NONE && t->d[1].s == SYM_NONE;
}

// Is it such a kernel, as fuse_sums makes it? *x and *dy: its operands.
static bool sums_rows(const graph *g, value v, value *x, value *dy) {
    const node *n = graph_node(g, v);
    const graph *body = n->body;
    if (n->op != OP_fuse || body->output_count != 1) return false;
    const node *y = graph_node(body, body->outputs[0].value);
    if (y->op != OP_matmul || !op_is(body, y->inputs[0], OP_transpose) ||
        !op_is(body, y->inputs[1], OP_param))
        return false;
    value left = graph_node(body, y->inputs[0])->inputs[0];
    if (!op_is(body, left, OP_param)) return false;
    *x = n->inputs[left];
    *dy = n->inputs[y->inputs[1]];
    return are_rows(graph_type(g, *x)) && are_rows(graph_type(g, *dy));
}

static const char *stays(const lower *l, value v) {
    const graph *g = rewriter_graph(l->r);
    const type *t = graph_type(g, v);
    if (!l->rows || l->weight != ELEM_BF16) return "no CPU of its class multiplies bf16";
    if (t->d[0].n < LOWER_LEAST || t->d[1].n < LOWER_LEAST) return "it has fewer than 16 rows or columns";
    return keep_holds(l, v, VALUE_NONE) ? "--keep names it" : NULL;
}

bool lower_sums(lower *l, value v) {
    graph *g = rewriter_graph(l->r);
    value x, dy;
    if (!sums_rows(g, v, &x, &dy)) return false;
    const char *why = stays(l, v);
    if (why) {
        pass_missed(l->p, g, v, "the sum over rows stays f32: %s", why);
        return true;
    }
    pass_fired(l->p, g, v, "sum over rows in bf16");
    open_box b = {0};
    attr turned = attr_ints(g->arena, ATTR_perm, 2, (int64_t[]){1, 0});
    value rows = rows_cast(l, x), left = box_add(l, &b, OP_transpose, 1, &rows, 1, &turned);
    value made = box_add(l, &b, OP_matmul, 2, (value[]){left, rows_cast(l, dy)}, 0, NULL);
    box_close_op(l, &b, v, made);
    return true;
}
