// Opens a kernel: moves its ops to the top level, where they can be changed, and puts them into a new box.
#include <string.h>

#include "passes/constants.h"
#include "passes/lower/lower.h"

static value keep_op(lower *l, open_box *b, value v) {
    if (b->count == b->room) {
        int room = 2 * b->room + 16;
        value *ops = ARENA_ARRAY(l->scratch, value, room);
        if (b->count) memcpy(ops, b->ops, sizeof(*ops) * (size_t)b->count);
        b->ops = ops;
        b->room = room;
    }
    // Numbers move into the box by themselves.
    if (!node_is_constant(graph_node(rewriter_graph(l->r), v))) b->ops[b->count++] = v;
    return v;
}

value box_add(lower *l, open_box *b, op o, int n, const value *inputs, int attr_count, const attr *attrs) {
    return keep_op(l, b, graph_append(rewriter_graph(l->r), o, n, inputs, attr_count, attrs));
}

value box_copy(lower *l, open_box *b, value u) {
    const node *n = graph_node(b->body, u);
    value *inputs = ARENA_ARRAY(l->scratch, value, n->input_count);
    for (int i = 0; i < n->input_count; i++) inputs[i] = b->map[n->inputs[i]];
    if (n->op == OP_constant) return keep_op(l, b, copy_node(rewriter_graph(l->r), n, NULL));
    return box_add(l, b, n->op, n->input_count, inputs, n->attr_count, n->attrs);
}

open_box box_open(lower *l, value v) {
    const node *n = graph_node(rewriter_graph(l->r), v);
    open_box b = {.body = n->body, .map = ARENA_ARRAY(l->scratch, value, n->body->count)};
    for (int i = 0; i < n->input_count; i++) b.map[i] = n->inputs[i];
    return b;
}

void box_close(lower *l, open_box *b, value v) {
    graph *g = rewriter_graph(l->r);
    const node *n = graph_node(g, v);
    const graph *body = n->body;
    value *results = ARENA_ARRAY(l->scratch, value, body->output_count);
    int count = 0;
    for (int i = 0; i < body->output_count; i++) {
        value old = graph_result_find(g, v, i), made = b->map[body->outputs[i].value];
        if (old == VALUE_NONE || !(i ? use_count(l->r, old) : own_use_count(l->r, old))) continue;
        replace_all_uses(l->r, old, made);
        results[count++] = made;
    }
    if (b->count > 1) fuse_ops(l->r, b->count, b->ops, count, results);
}

void box_close_op(lower *l, open_box *b, value v, value made) {
    replace_all_uses(l->r, v, made);
    if (b->count > 1) fuse_ops(l->r, b->count, b->ops, 1, &made);
}
