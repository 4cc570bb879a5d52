// fuse_attention: puts all of attention over one text into one kernel, so that scores stay inside.
//
//   requires  nothing                 produces  nothing
//
//   before    %c = per_sequence (%bounds; %qkv) {          qkv: [L,3H]
//               slices, reshapes, transposes
//               matmul, softmax, matmul
//               yield reshape ...
//             }
//   after     %c = per_sequence (%bounds; %qkv) {          qkv: [L,3H]
//               yield fuse (%qkv) {
//                 slices, reshapes, transposes
//                 matmul, softmax, matmul
//                 yield reshape ...
//               }
//             }
//
//   before    %c = per_sequence (%bounds; %qkv) {
//               %s = the scores, of softmax's operand               [h,L,L]
//               %most = reduce_max %s
//               %sum = reduce_sum (exp (sub %s, %most))
//               %l = add %most, (log %sum)                          [h,L,1]
//               %context = ... matmul (softmax %s) ...
//               yield %context, (views of %l)                       [L,H], [L,h]
//             }
//             %l = result %c {index = 1}
//   after     %c = per_sequence (%bounds; %qkv) {
//               %context = fuse (%qkv) { all of it; yield the same two }
//               %l = result %context {index = 1}
//               yield %context, %l
//             }
//
//   before    %g = per_sequence (%bounds; %qkv, %gradient, %l, %context) {
//               %p = exp (sub %s, %l)                     of the same scores
//               ... matmul %gs, %k ...                    [h,L,L] times rows, and its transpose
//               yield ...
//             }
//   after     %g = per_sequence (%bounds; %qkv, %gradient, %l, %context) {
//               yield fuse (%qkv, %gradient, %l, %context) { all of it }
//             }
//
// It takes every body in which a product leads to a softmax and the softmax to another product,
// whatever ops are between and around them: bias, positions, windows, rotations. The body yields
// the context, and may also yield the log-sum-exp of the scores: one number per row and head.
//
// It also takes attention's gradient, as differentiate makes it: a product leads to exponentials,
// these lead to another product, and there is no softmax.
//
// A body that yields anything else, or has no attention, is one kernel too, but stays as it is.
#include "passes/fuse/fuse.h"

static bool holds_op(const graph *g, op o) {
    for (value v = 0; v < g->count; v++)
        if (op_is(g, v, o)) return true;
    return false;
}

// Marks what depends on an op of kind `from`, through the body.
static void mark_below(const graph *body, op from, const bool *start, bool *below) {
    for (value v = 0; v < body->count; v++) {
        const node *n = graph_node(body, v);
        for (int i = 0; i < n->input_count; i++) below[v] = below[v] || below[n->inputs[i]];
        if (n->op == from && (!start || start[v])) below[v] = true;
    }
}

// Marks what attention over scores that a product leads to makes: a softmax of them leads to another product.
static void mark_context(const graph *body, bool *context, arena *scratch) {
    bool *scores = ARENA_ARRAY(scratch, bool, body->count),
         *softmax = ARENA_ARRAY(scratch, bool, body->count);
    mark_below(body, OP_matmul, NULL, scores);
    mark_below(body, OP_softmax, scores, softmax);
    mark_below(body, OP_matmul, softmax, context);
}

static bool along_rows(const node *reduction) {
    const attr *axes = node_attr(reduction, ATTR_axes);
    return axes->n == 1 && axes->u.ints[0] == reduction->type.rank - 1;
}

// log (sum (exp (s - most))) of rows whose largest is `most`.
static bool is_log_sum(const graph *body, value v, value s, value most) {
    const node *log = graph_node(body, v);
    const node *sum = log->op == OP_log ? graph_node(body, log->inputs[0]) : NULL;
    const node *exp = sum && sum->op == OP_reduce_sum ? graph_node(body, sum->inputs[0]) : NULL;
    const node *sub = exp && exp->op == OP_exp ? graph_node(body, exp->inputs[0]) : NULL;
    return sub && sub->op == OP_sub && sub->inputs[0] == s && sub->inputs[1] == most && along_rows(sum);
}

// Views of most + log (sum (exp (s - most))), of rows s that a softmax takes too.
static bool is_log_sum_exp(const graph *body, value v) {
    while (op_flag_bits(graph_node(body, v)->op) & VIEW) v = graph_node(body, v)->inputs[0];
    const node *add = graph_node(body, v);
    for (int i = 0; add->op == OP_add && i < 2; i++) {
        value most = add->inputs[i];
        const node *max = graph_node(body, most);
        if (max->op != OP_reduce_max || !along_rows(max)) continue;
        value s = max->inputs[0];
        if (!is_log_sum(body, add->inputs[!i], s, most)) continue;
        for (value u = 0; u < body->count; u++)
            if (op_is(body, u, OP_softmax) && graph_node(body, u)->inputs[0] == s) return true;
    }
    return false;
}

// Do exponentials of scores that a product leads to lead to another product, without a softmax?
static bool is_gradient(const graph *body) {
    arena *scratch = arena_new();
    bool *scores = ARENA_ARRAY(scratch, bool, body->count), *p = ARENA_ARRAY(scratch, bool, body->count),
         *products = ARENA_ARRAY(scratch, bool, body->count), found = false;
    mark_below(body, OP_matmul, NULL, scores);
    mark_below(body, OP_exp, scores, p);
    mark_below(body, OP_matmul, p, products);
    for (value v = 0; v < body->count; v++) {
        const node *n = graph_node(body, v);
        found = found || (products[v] && n->op == OP_matmul && n->type.rank == 3);
    }
    arena_free(scratch);
    return found && !holds_op(body, OP_softmax);
}

// The index of the yield that is attention's context, -1 where there is none; *why where one would expect it.
static int find_context(const graph *body, const char **why) {
    arena *scratch = arena_new();
    bool *context = ARENA_ARRAY(scratch, bool, body->count);
    mark_context(body, context, scratch);
    int found = -1;
    bool more = false;
    for (int i = 0; i < body->output_count; i++) {
        value v = body->outputs[i].value;
        if (found < 0 && context[v])
            found = i;
        else if (!is_log_sum_exp(body, v))
            more = true;
    }
    arena_free(scratch);
    *why = found < 0 ? "no product, softmax, product in a row"
                     : "it yields more than attention's context and the log-sum-exp of its scores";
    return more ? -1 : found;
}

// The box yields the context first.
static int box_body(graph *body, int context) {
    rewriter *r = rewriter_begin(body);
    arena *scratch = arena_new();
    value *ops = ARENA_ARRAY(scratch, value, body->count),
          *results = ARENA_ARRAY(scratch, value, body->output_count);
    int n = 0, result_count = 0;
    results[result_count++] = body->outputs[context].value;
    for (int i = 0; i < body->output_count; i++) {
        bool again = false;
        for (int k = 0; k < result_count; k++) again = again || results[k] == body->outputs[i].value;
        if (!again) results[result_count++] = body->outputs[i].value;
    }
    for (value v = 0; v < body->count; v++) {
        const node *x = graph_node(body, v);
        bool number = value_is_scalar(body, v, NULL) && x->type.rank == 0;
        if (x->op != OP_param && !number && use_count(r, v)) ops[n++] = v;
    }
    fuse_ops(r, n, ops, result_count, results);
    arena_free(scratch);
    rewriter_end(r);
    return n;
}

bool pass_fuse_attention(graph *g, pass *p) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->op != OP_per_sequence || holds_op(n->body, OP_fuse)) continue;
        const char *why;
        int context = is_gradient(n->body) ? 0 : find_context(n->body, &why);
        if (context < 0) {
            if (holds_op(n->body, OP_softmax)) pass_missed(p, g, v, "%s", why);
            continue;
        }
        pass_fired(p, g, v, "%d ops", box_body(n->body, context));
    }
    return true;
}
