// fuse_norm: the norm after a product, or after pointwise ops, joins their kernel as its last op. So
// do numbers of its row that something reads: mean, variance, 1 / standard deviation.
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
//   before    %3 = layer_norm %2, %gamma, %beta {eps = 1e-12}         %2 as above
//             %mean = reduce_mean %2                                  [X,1]
//             %d = sub %2, %mean
//             %variance = reduce_mean (mul %d, %d)                    of rms_norm: mul %2, %2
//             %rstd = rsqrt (add %variance, 1e-12)
//   after     %3 = fuse (%x, %w, %b, %res, %gamma, %beta) {
//               %2 = add (add (matmul %x, %w), %b), %res
//               %mean, %d, %variance, %rstd = ...
//               %n = layer_norm %2, %gamma, %beta
//               yield %n, %mean, %rstd                                those that something reads
//             }
//             %mean = result %3 {index = 1}
//             %rstd = result %3 {index = 2}
//
// It takes layer_norm and rms_norm over rows [X,N] with constant vectors. The norm and these
// numbers must be the only readers of the norm's operand. If there are other readers, the norm and
// its numbers, if there are any, become a box of their own. schedule decides whether the kernel's
// tasks own whole rows, or split columns and leave the norm to a phase of its own.
#include "passes/fuse/fuse.h"

static bool vectors_constant(const graph *g, const node *n) {
    for (int i = 1; i < n->input_count; i++)
        if (!node_is_constant(graph_node(g, n->inputs[i]))) return false;
    return true;
}

// --- What is before the norm

static void collect_operands(rewriter *r, value v, box *b);

// Adds v, which only leads to the box: a product with its epilogue, or a pointwise op and what leads to it.
static void collect_op(rewriter *r, value v, box *b) {
    const graph *g = rewriter_graph(r);
    const char *why;
    if (b->count == BOX_MAX || box_holds(b, v)) return;
    bool product = product_columns(g, v) > 0 && !holds_norm(g, v);
    if (!product && !epilogue_op(g, v, &why)) return;
    b->ops[b->count++] = v;
    if (!product) collect_operands(r, v, b);
}

static void collect_operands(rewriter *r, value v, box *b) {
    const graph *g = rewriter_graph(r);
    const node *n = graph_node(g, v);
    // A residual that another product computes is not added to the box: a kernel has one product.
    for (int i = 0; i < n->input_count; i++) {
        value x = n->inputs[i];
        bool another = product_columns(g, x) > 0 && !op_is(g, v, OP_fuse);
        if (!another && has_one_use(r, x) && type_eq(graph_type(g, x), &n->type)) collect_op(r, x, b);
    }
}

static const char *cause(rewriter *r, value x) {
    const graph *g = rewriter_graph(r);
    const node *n = graph_node(g, x);
    if (n->input_count == 0) return NULL;
    if (own_use_count(r, x) > 1) return "what it norms has other uses";
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
    box b = box_of(v);
    box_take_numbers(r, &b);
    int own = b.count, numbers = b.result_count - 1;
    if (!box_used_outside(r, &b, x)) collect_op(r, x, &b);
    if (b.count == 1) {
        const char *why = cause(r, x);
        if (why) pass_missed(p, g, v, "a kernel of its own: %s", why);
        return;
    }
    if (!ops_ordered(r, b.count, b.ops)) return;
    const char *name = op_name(n->op), *how = b.count > own ? "join the kernel before it" : "are one kernel";
    value fused = box_fuse(r, &b);
    if (numbers > 1)
        pass_fired(p, g, fused, "%s and %d numbers of its row %s", name, numbers, how);
    else if (numbers)
        pass_fired(p, g, fused, "%s and a number of its row %s", name, how);
    else
        pass_fired(p, g, fused, "%s joins the kernel before it", name);
}

bool pass_fuse_norm(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    for (value v = 0, count = g->count; v < count; v++)
        if (norm_op(graph_node(g, v)->op) && use_count(r, v)) fuse_behind(r, v, p);
    rewriter_end(r);
    return true;
}
