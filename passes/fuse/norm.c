// fuse_norm: the norm after a product, or after pointwise ops, joins their kernel as its last op; so
// do the numbers of its row (mean, variance, 1 / standard deviation) that something reads.
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
// It takes layer_norm and rms_norm over rows [X,N] with constant vectors, where the norm and these
// numbers are the only readers of its operand. Where it has other readers, and some number is
// taken, norm and numbers are a box of their own. Whether the kernel's tasks own whole rows, or
// split columns and leave the norm to a phase of its own, is schedule's choice.
#include "passes/fuse/fuse.h"

static bool is_norm_op(op o) {
    return o == OP_layer_norm || o == OP_rms_norm;
}

static bool vectors_constant(const graph *g, const node *n) {
    for (int i = 1; i < n->input_count; i++)
        if (!node_is_constant(graph_node(g, n->inputs[i]))) return false;
    return true;
}

// --- The numbers of a row

// The readers of v of one kind that `takes` holds of; VALUE_NONE where there are none.
static value find_reader(rewriter *r, value v, op o, bool (*takes)(const graph *g, value reader, value v)) {
    const graph *g = rewriter_graph(r);
    value users[BOX_MAX];
    int n = users_of(r, v, users, BOX_MAX);
    for (int i = 0; i < n && i < BOX_MAX; i++)
        if (op_is(g, users[i], o) && takes(g, users[i], v)) return users[i];
    return VALUE_NONE;
}

static bool along_rows(const graph *g, value mean, value x) {
    const attr *axes = node_attr(graph_node(g, mean), ATTR_axes);
    return axes->n == 1 && axes->u.ints[0] == graph_type(g, x)->rank - 1;
}

static bool less_mean(const graph *g, value difference, value mean) {
    const node *n = graph_node(g, difference);
    return n->inputs[1] == mean && n->inputs[0] == graph_node(g, mean)->inputs[0];
}

static bool squares(const graph *g, value square, value x) {
    const node *n = graph_node(g, square);
    return n->inputs[0] == x && n->inputs[1] == x;
}

static bool adds_number(const graph *g, value sum, value variance) {
    const node *n = graph_node(g, sum);
    value other = n->inputs[n->inputs[0] == variance];
    return value_is_scalar(g, other, NULL) && graph_type(g, other)->rank == 0;
}

static bool any(const graph *g, value reader, value v) {
    (void)g, (void)reader, (void)v;
    return true;
}

static void take(box *b, value v) {
    b->ops[b->count++] = v;
}

// From x (rms_norm: of x itself; layer_norm: of x less its mean) to the variance and what follows it. Rows on
// the way that something else reads too would have to be written: then nothing is taken.
static void take_variance(rewriter *r, value x, bool centred, box *b) {
    value square = find_reader(r, x, OP_mul, squares);
    if (square == VALUE_NONE || (centred && use_count(r, x) != 2) || !has_one_use(r, square)) return;
    value variance = find_reader(r, square, OP_reduce_mean, along_rows);
    if (variance == VALUE_NONE) return;
    if (centred) take(b, x);
    take(b, square);
    take(b, variance);
    value sum = find_reader(r, variance, OP_add, adds_number);
    value rstd = sum == VALUE_NONE ? VALUE_NONE : find_reader(r, sum, OP_rsqrt, any);
    if (rstd == VALUE_NONE) return;
    take(b, sum);
    take(b, rstd);
}

// Adds the numbers of norm v's row that the graph computes beside it; those that are read outside become
// results.
static void take_numbers(rewriter *r, value v, box *b) {
    const graph *g = rewriter_graph(r);
    value x = graph_node(g, v)->inputs[0];
    if (op_is(g, v, OP_rms_norm)) {
        take_variance(r, x, false, b);
    } else {
        value mean = find_reader(r, x, OP_reduce_mean, along_rows);
        if (mean == VALUE_NONE) return;
        take(b, mean);
        value difference = find_reader(r, mean, OP_sub, less_mean);
        if (difference != VALUE_NONE) take_variance(r, difference, true, b);
    }
    for (int i = 1; i < b->count; i++)
        if (box_used_outside(r, b, b->ops[i])) b->results[b->result_count++] = b->ops[i];
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
    take(b, v);
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
    take_numbers(r, v, &b);
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
        if (is_norm_op(graph_node(g, v)->op) && use_count(r, v)) fuse_behind(r, v, p);
    rewriter_end(r);
    return true;
}
