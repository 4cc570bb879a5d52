// fuse_attention: all of attention over one text in one kernel; the scores never leave it.
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
// It fires on every body in which a product leads to a softmax and the softmax to another product,
// whatever ops are between and around them: bias, positions, windows, rotations. A body without
// them is one kernel too, but no attention.
#include "passes/fuse/fuse.h"

// Marks what depends on an op of kind `from`, through the body.
static void mark_below(const graph *body, op from, const bool *start, bool *below) {
    for (value v = 0; v < body->count; v++) {
        const node *n = graph_node(body, v);
        for (int i = 0; i < n->input_count; i++) below[v] = below[v] || below[n->inputs[i]];
        if (n->op == from && (!start || start[v])) below[v] = true;
    }
}

static bool is_attention(const graph *body) {
    arena *scratch = arena_new();
    bool *scores = ARENA_ARRAY(scratch, bool, body->count),
         *softmax = ARENA_ARRAY(scratch, bool, body->count);
    bool *context = ARENA_ARRAY(scratch, bool, body->count);
    mark_below(body, OP_matmul, NULL, scores);
    mark_below(body, OP_softmax, scores, softmax);
    mark_below(body, OP_matmul, softmax, context);
    bool found = context[body->outputs[0].value];
    arena_free(scratch);
    return found;
}

static bool holds_op(const graph *g, op o) {
    for (value v = 0; v < g->count; v++)
        if (op_is(g, v, o)) return true;
    return false;
}

static int box_body(graph *body) {
    rewriter *r = rewriter_begin(body);
    arena *scratch = arena_new();
    value *ops = ARENA_ARRAY(scratch, value, body->count), result = body->outputs[0].value;
    int n = 0;
    for (value v = 0; v < body->count; v++) {
        const node *x = graph_node(body, v);
        bool number = value_is_scalar(body, v, NULL) && x->type.rank == 0;
        if (x->op != OP_param && !number && use_count(r, v)) ops[n++] = v;
    }
    fuse_ops(r, n, ops, 1, &result);
    arena_free(scratch);
    rewriter_end(r);
    return n;
}

bool pass_fuse_attention(graph *g, pass *p) {
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->op != OP_per_sequence || holds_op(n->body, OP_fuse)) continue;
        if (!is_attention(n->body)) {
            if (holds_op(n->body, OP_softmax)) pass_missed(p, g, v, "no product, softmax, product in a row");
            continue;
        }
        pass_fired(p, g, v, "%d ops", box_body(n->body));
    }
    return true;
}
