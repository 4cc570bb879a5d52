// fuse_mlp: puts the two products of a feed-forward block into one kernel, which works in slices of
// the hidden columns.
//
//   requires  nothing (fuse_epilogue and fuse_norm before it)        produces  nothing
//
//   before    %u = fuse (%x, %w1, %b1) {                               [T,I]
//               matmul, add, gelu
//             }
//             %y = fuse (%u, %w2, %b2, %res, %g, %b) {                 [T,H]
//               matmul, add, add, layer_norm
//             }
//   after     %y = fuse (%x, %w1, %b1, %w2, %b2, %res, %g, %b) {       [T,H]
//               matmul, add, gelu, matmul, add, add, layer_norm
//             }
//
// The second product must be the only reader of the first one's rows, and read them as its left
// operand. Other results of either product are results of the kernel. Off by default: in float32 it
// costs 1 to 7 % on most shapes. It is there to be measured, and for element types whose products
// are cheap.
#include "passes/fuse/fuse.h"

// The operand that the product of `v` reads as its left side, VALUE_NONE where that is none of v's; *uses:
// how often the kernel reads it.
static value left_operand(const graph *g, value v, int *uses) {
    const node *n = graph_node(g, v);
    *uses = 1;
    if (n->op == OP_matmul) return n->inputs[0];
    if (n->op != OP_fuse) return VALUE_NONE;
    value left = VALUE_NONE;
    for (value u = 0; u < n->body->count; u++)
        if (op_is(n->body, u, OP_matmul)) left = graph_node(n->body, u)->inputs[0];
    if (left == VALUE_NONE || !op_is(n->body, left, OP_param)) return VALUE_NONE;
    *uses = 0;
    for (value u = 0; u < n->body->count; u++)
        for (int i = 0; i < graph_node(n->body, u)->input_count; i++)
            *uses += graph_node(n->body, u)->inputs[i] == left;
    return n->inputs[left];
}

static int product_count(const graph *g, value v) {
    const node *n = graph_node(g, v);
    int count = n->op == OP_matmul;
    for (value u = 0; n->body && u < n->body->count; u++) count += op_is(n->body, u, OP_matmul);
    return count;
}

static void fuse_pair(rewriter *r, value down, pass *p) {
    graph *g = rewriter_graph(r);
    if (!product_columns(g, down) || product_count(g, down) != 1) return;
    int uses;
    value up = left_operand(g, down, &uses);
    if (up == VALUE_NONE || !product_columns(g, up) || product_count(g, up) != 1) return;
    if (holds_norm(g, up)) return; // another block's result
    value ops[] = {up, down};
    if (uses > 1 || own_use_count(r, up) > 1) {
        pass_missed(p, g, up, "its hidden rows have other uses");
        return;
    }
    if (!ops_convex(r, 2, ops)) {
        pass_missed(p, g, up, "the second product needs a value that depends on another of its results");
        return;
    }
    if (!ops_ordered(r, 2, ops)) return;
    value fused = fuse_ops(r, 2, ops, 1, &down);
    pass_fired(p, g, fused, "two products, %d hidden columns", (int)graph_type(g, up)->d[1].n);
}

bool pass_fuse_mlp(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    for (value v = 0, count = g->count; v < count; v++)
        if (use_count(r, v)) fuse_pair(r, v, p);
    rewriter_end(r);
    return true;
}
