// fuse_norm: the norm after a product, or after pointwise ops, joins their kernel as its last op.
//
//   requires  nothing                 produces  nothing
//
//   before    %2 = fuse (%x, %w, %b, %res) {
//               yield add (add (matmul %x, %w), %b), %res
//             }
//             %3 = layer_norm %2, %gamma, %beta
//   after     %3 = fuse (%x, %w, %b, %res, %gamma, %beta) {
//               %2 = add (add (matmul %x, %w), %b), %res
//               yield layer_norm %2, %gamma, %beta
//             }
//
// It takes layer_norm and rms_norm over rows [X,N] with constant vectors, where the norm is the
// only reader of its operand. Whether the kernel's tasks own whole rows, or split columns and leave
// the norm to a phase of its own, is schedule's choice.
#include "passes/fuse/fuse.h"

static bool is_norm_op(op o) {
    return o == OP_layer_norm || o == OP_rms_norm;
}

static bool vectors_constant(const graph *g, const node *n) {
    for (int i = 1; i < n->input_count; i++)
        if (!node_is_constant(graph_node(g, n->inputs[i]))) return false;
    return true;
}

// The box above the norm: a product with its epilogue, or the pointwise ops that only lead here.
static void collect_pointwise(rewriter *r, value v, box *b) {
    const graph *g = rewriter_graph(r);
    const char *why;
    if (b->count == BOX_MAX || box_holds(b, v) || !has_one_use(r, v)) return;
    bool product = product_columns(g, v) > 0 && !holds_norm(g, v);
    if (!product && !epilogue_op(g, v, &why)) return;
    b->ops[b->count++] = v;
    if (product) return;
    const node *n = graph_node(g, v);
    // A residual that another product computes is not added to the box: a kernel has one product.
    for (int i = 0; i < n->input_count; i++) {
        value x = n->inputs[i];
        bool another = product_columns(g, x) > 0 && !op_is(g, v, OP_fuse);
        if (!another && type_eq(graph_type(g, x), &n->type)) collect_pointwise(r, x, b);
    }
}

static const char *cause(rewriter *r, value x) {
    const graph *g = rewriter_graph(r);
    const node *n = graph_node(g, x);
    if (n->input_count == 0) return NULL;
    if (!has_one_use(r, x)) return "what it norms has other uses";
    if (holds_norm(g, x)) return "what it norms is a norm's result";
    if (n->op == OP_per_sequence) return "what it norms is made a text at a time";
    if (n->op == OP_gather) return "what it norms is looked up";
    return NULL;
}

static void fuse_behind(rewriter *r, value v, pass *p) {
    graph *g = rewriter_graph(r);
    const node *n = graph_node(g, v);
    value x = n->inputs[0];
    if (n->type.rank != 2 || !vectors_constant(g, n)) return;
    box b = {.count = 1, .ops = {v}, .result = v};
    collect_pointwise(r, x, &b);
    if (b.count == 1) {
        const char *why = cause(r, x);
        if (why) pass_missed(p, g, v, "a kernel of its own: %s", why);
        return;
    }
    value fused = fuse_ops(r, b.count, b.ops, 1, &v);
    pass_fired(p, g, fused, "%s joins the kernel before it", op_name(graph_node(g, v)->op));
}

bool pass_fuse_norm(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    for (value v = 0, count = g->count; v < count; v++)
        if (is_norm_op(graph_node(g, v)->op) && use_count(r, v)) fuse_behind(r, v, p);
    rewriter_end(r);
    return true;
}
