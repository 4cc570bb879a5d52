// fuse_ops: puts ops into a fuse.
#include <assert.h>
#include <string.h>

#include "ir/ir.h"

typedef struct boxing {
    graph *g;
    arena *scratch;
    value *ops; // `result`s of the fuses among them included
    int op_count;
    value *used; // those that are used outside, yield 0 first
    int used_count;
    value *order; // the ops, operands first
    int order_count;
    value *operands; // of the fuse, in order of first use
    const char **roles;
    int operand_count;
    value *scalars; // literals that move into the body
    value *scalar_copies;
    int scalar_count;
    value *results; // in the body, of order[i]
    value **yields; // in the body, of order[i], where it is a fuse
    graph *body;
} boxing;

static int index_of(const value *list, int n, value v) {
    for (int i = 0; i < n; i++)
        if (list[i] == v) return i;
    return -1;
}

// What a body calls an operand: by its first use, so that equal regions have equal names.
static const char *operand_role(const graph *g, const node *user, int operand, value v) {
    if (user->op == OP_fuse) return graph_node(user->body, operand)->name;
    if (user->op == OP_gather) return operand == 0 ? "table" : "ids";
    if (user->op == OP_matmul && operand == 1) return "w";
    if (user->op == OP_layer_norm || user->op == OP_rms_norm)
        return operand == 0 ? "x" : operand == 1 ? "gamma" : "beta";
    return node_is_constant(graph_node(g, v)) ? "b" : "x";
}

static void collect_operand(boxing *b, const node *user, int operand, value v) {
    const graph *g = b->g;
    double x;
    if (value_is_scalar(g, v, &x) && graph_type(g, v)->rank == 0) {
        if (index_of(b->scalars, b->scalar_count, v) < 0) b->scalars[b->scalar_count++] = v;
        return;
    }
    if (index_of(b->operands, b->operand_count, v) >= 0) return;
    b->roles[b->operand_count] = operand_role(g, user, operand, v);
    b->operands[b->operand_count++] = v;
}

static void collect_ops(boxing *b, value v) {
    if (index_of(b->order, b->order_count, v) >= 0) return;
    const node *n = graph_node(b->g, v);
    for (int i = 0; i < n->input_count; i++)
        if (index_of(b->ops, b->op_count, n->inputs[i]) >= 0) collect_ops(b, n->inputs[i]);
    for (int i = 0; i < n->input_count; i++)
        if (index_of(b->ops, b->op_count, n->inputs[i]) < 0) collect_operand(b, n, i, n->inputs[i]);
    b->order[b->order_count++] = v;
}

// x, x2, x3, ...: the name without the number that an opened body gave it.
static size_t role_stem(const char *role) {
    size_t stem = strlen(role);
    while (stem > 1 && role[stem - 1] >= '0' && role[stem - 1] <= '9') stem--;
    return stem;
}

static void add_params(boxing *b) {
    graph *g = b->g;
    for (int i = 0; i < b->operand_count; i++) {
        size_t stem = role_stem(b->roles[i]);
        int number = 1;
        for (int k = 0; k < i; k++)
            number += role_stem(b->roles[k]) == stem && memcmp(b->roles[k], b->roles[i], stem) == 0;
        const char *name = number > 1 ? arena_printf(g->arena, "%.*s%d", (int)stem, b->roles[i], number)
                                      : arena_strndup(g->arena, b->roles[i], stem);
        graph_param(b->body, name, *graph_type(g, b->operands[i]));
    }
    for (int i = 0; i < b->scalar_count; i++)
        b->scalar_copies[i] = copy_node(b->body, graph_node(g, b->scalars[i]), NULL);
}

// The body's value for operand v of one of the boxed ops.
static value body_value(const boxing *b, value v) {
    int i = index_of(b->order, b->order_count, v);
    if (i >= 0) return b->results[i];
    i = index_of(b->operands, b->operand_count, v);
    if (i >= 0) return (value)i;
    i = index_of(b->scalars, b->scalar_count, v);
    assert(i >= 0);
    return b->scalar_copies[i];
}

// Copies the ops of a fuse's body; returns the copies of the values that it yields.
static value *open_fuse(const boxing *b, const node *fuse) {
    const graph *inner = fuse->body;
    value *map = ARENA_ARRAY(b->scratch, value, inner->count);
    for (value v = 0; v < inner->count; v++) {
        const node *n = graph_node(inner, v);
        if (n->op == OP_param) {
            map[v] = body_value(b, fuse->inputs[v]);
            continue;
        }
        value *inputs = ARENA_ARRAY(b->scratch, value, n->input_count);
        for (int i = 0; i < n->input_count; i++) inputs[i] = map[n->inputs[i]];
        map[v] = copy_node(b->body, n, inputs);
    }
    value *yields = ARENA_ARRAY(b->scratch, value, inner->output_count);
    for (int i = 0; i < inner->output_count; i++) yields[i] = map[inner->outputs[i].value];
    return yields;
}

static value copy_op(const boxing *b, int at) {
    const node *n = graph_node(b->g, b->order[at]);
    if (n->op == OP_fuse) {
        b->yields[at] = open_fuse(b, n);
        return b->yields[at][0];
    }
    if (n->op == OP_result) return b->yields[index_of(b->order, at, n->inputs[0])][node_result_index(n)];
    value *inputs = ARENA_ARRAY(b->scratch, value, n->input_count);
    for (int k = 0; k < n->input_count; k++) inputs[k] = body_value(b, n->inputs[k]);
    return copy_node(b->body, n, inputs);
}

// A fused result without a name is called after the last named value in it and its own op:
// "layer.0.ffn.up.gelu".
static void name_result(const boxing *b, value fused) {
    graph *g = b->g;
    const char *stem = NULL;
    for (int i = 0; i < b->order_count; i++)
        if (graph_node(g, b->order[i])->name) stem = graph_node(g, b->order[i])->name;
    if (!stem) return;
    op o = graph_node(b->body, b->body->outputs[0].value)->op;
    const char *name = arena_printf(g->arena, "%s.%s", stem, op_name(o));
    for (value v = 0; v < g->count; v++)
        if (graph_node(g, v)->name && strcmp(graph_node(g, v)->name, name) == 0) return;
    graph_node(g, fused)->name = name;
}

// The `result`s of a fuse among the ops go with it.
static void add_results(boxing *b, rewriter *r) {
    for (int i = 0, given = b->op_count; i < given; i++) {
        value v = b->ops[i];
        for (int k = 1; k < node_yield_count(graph_node(b->g, v)); k++) {
            value result = graph_result_find(b->g, v, k);
            if (result == VALUE_NONE || !use_count(r, result)) continue;
            if (index_of(b->ops, b->op_count, result) < 0) b->ops[b->op_count++] = result;
        }
    }
}

static bool used_outside(const boxing *b, rewriter *r, value v) {
    int inside = 0;
    for (int i = 0; i < b->op_count; i++) {
        const node *n = graph_node(b->g, b->ops[i]);
        for (int k = 0; k < n->input_count && n->op != OP_result; k++) inside += n->inputs[k] == v;
    }
    return own_use_count(r, v) > inside;
}

static void open_box(boxing *b, rewriter *r, int n, const value *ops, int result_count,
                     const value *results) {
    int operands = 0, most = n;
    for (int i = 0; i < n; i++) most += node_yield_count(graph_node(b->g, ops[i])) - 1;
    b->ops = ARENA_ARRAY(b->scratch, value, most);
    b->used = ARENA_ARRAY(b->scratch, value, most);
    for (int i = 0; i < n; i++) b->ops[b->op_count++] = ops[i];
    for (int i = 0; i < result_count; i++) b->used[b->used_count++] = results[i];
    add_results(b, r);
    for (int i = 0; i < b->op_count; i++) {
        value v = b->ops[i];
        bool more = graph_node(b->g, v)->op == OP_result && index_of(b->used, b->used_count, v) < 0;
        if (more && used_outside(b, r, v)) b->used[b->used_count++] = v;
        operands += graph_node(b->g, v)->input_count;
    }
    b->order = ARENA_ARRAY(b->scratch, value, most);
    b->results = ARENA_ARRAY(b->scratch, value, most);
    b->yields = ARENA_ARRAY(b->scratch, value *, most);
    b->operands = ARENA_ARRAY(b->scratch, value, operands);
    b->roles = ARENA_ARRAY(b->scratch, const char *, operands);
    b->scalars = ARENA_ARRAY(b->scratch, value, operands);
    b->scalar_copies = ARENA_ARRAY(b->scratch, value, operands);
}

value fuse_ops(rewriter *r, int n, const value *ops, int result_count, const value *results) {
    graph *g = rewriter_graph(r);
    boxing b = {.g = g, .scratch = arena_new(), .body = graph_new(g->arena, NULL)};
    open_box(&b, r, n, ops, result_count, results);
    for (int i = 0; i < b.used_count; i++) collect_ops(&b, b.used[i]);
    add_params(&b);
    for (int i = 0; i < b.order_count; i++) b.results[i] = copy_op(&b, i);
    for (int i = 0; i < b.used_count; i++)
        graph_output_add(b.body, NULL, b.results[index_of(b.order, b.order_count, b.used[i])]);
    value fused = graph_region(g, OP_fuse, b.operand_count, b.operands, b.body, 0);
    if (!graph_node(g, b.used[0])->name) name_result(&b, fused);
    for (int i = 0; i < b.used_count; i++) replace_all_uses(r, b.used[i], graph_result(g, fused, i));
    arena_free(b.scratch);
    return fused;
}

// [g->count]: the first node that writes each state, VALUE_NONE of all else.
static const value *all_writers(const graph *g, arena *a) {
    value *writers = ARENA_ARRAY(a, value, g->count);
    for (value v = 0; v < g->count; v++) writers[v] = VALUE_NONE;
    for (value v = g->count - 1; v >= 0; v--) {
        const node *n = graph_node(g, v);
        for (int i = 0; i < node_yield_count(n); i++) {
            int written = node_writes(n, i);
            if (written >= 0) writers[n->inputs[written]] = v;
        }
    }
    return writers;
}

// The nodes that write a state which v reads; they come behind it.
static int writers_behind(const graph *g, const value *writers, value v, value *out) {
    const node *n = graph_node(g, v);
    int count = 0;
    for (int i = 0; i < n->input_count; i++) {
        value writer = writers[n->inputs[i]];
        if (writer != VALUE_NONE && writer != v) out[count++] = writer;
    }
    return count;
}

bool ops_convex(rewriter *r, int n, const value *ops) {
    graph *g = rewriter_graph(r);
    arena *scratch = arena_new();
    value *stack = ARENA_ARRAY(scratch, value, g->count), *users = ARENA_ARRAY(scratch, value, 2 * g->count);
    bool *seen = ARENA_ARRAY(scratch, bool, g->count), *box = ARENA_ARRAY(scratch, bool, g->count);
    const value *writers = all_writers(g, scratch);
    bool convex = true;
    int depth = 0;
    for (int i = 0; i < n; i++) box[ops[i]] = true;
    for (value v = 0; v < g->count; v++) { // results come along with their region
        const node *m = graph_node(g, v);
        box[v] = box[v] || (m->op == OP_result && box[m->inputs[0]]);
        if (box[v]) stack[depth++] = v;
    }
    while (depth && convex) {
        value v = stack[--depth];
        int count = users_of(r, v, users, g->count);
        count += writers_behind(g, writers, v, users + count);
        for (int i = 0; i < count; i++) {
            if (box[users[i]] && !box[v]) convex = false;
            if (box[users[i]] || seen[users[i]]) continue;
            seen[users[i]] = true;
            stack[depth++] = users[i];
        }
    }
    arena_free(scratch);
    return convex;
}

bool ops_ordered(rewriter *r, int n, const value *ops) {
    return !graph_has_effect(rewriter_graph(r)) || ops_convex(r, n, ops);
}
