#include <assert.h>
#include <string.h>

#include "ir/ir.h"

// The nodes that use a value, one entry an operand.
typedef struct use_list {
    value *users;
    int count, capacity;
} use_list;

struct rewriter {
    graph *g;
    arena *scratch;
    int seen, capacity; // nodes whose uses are counted; room in the arrays below
    use_list *uses;
    int *output_uses;
    bool *dead; // its own uses of its operands do not count
    int replacements;
    value *work; // of the walks
    int work_count, work_room;
};

// --- Uses

static void reserve_uses(rewriter *r, int n) {
    if (n <= r->capacity) return;
    int capacity = r->capacity * 2 > n ? r->capacity * 2 : n + 64;
    use_list *uses = ARENA_ARRAY(r->scratch, use_list, capacity);
    int *output_uses = ARENA_ARRAY(r->scratch, int, capacity);
    bool *dead = ARENA_ARRAY(r->scratch, bool, capacity);
    if (r->seen) {
        memcpy(uses, r->uses, sizeof(*uses) * (size_t)r->seen);
        memcpy(output_uses, r->output_uses, sizeof(*output_uses) * (size_t)r->seen);
        memcpy(dead, r->dead, sizeof(*dead) * (size_t)r->seen);
    }
    r->uses = uses;
    r->output_uses = output_uses;
    r->dead = dead;
    r->capacity = capacity;
}

static void use_add(rewriter *r, value of, value user) {
    use_list *u = &r->uses[of];
    if (u->count == u->capacity) {
        int capacity = u->capacity ? 2 * u->capacity : 4;
        value *users = ARENA_ARRAY(r->scratch, value, capacity);
        if (u->count) memcpy(users, u->users, sizeof(value) * (size_t)u->count);
        u->users = users;
        u->capacity = capacity;
    }
    u->users[u->count++] = user;
}

static void use_remove(rewriter *r, value of, value user) {
    use_list *u = &r->uses[of];
    for (int i = 0; i < u->count; i++)
        if (u->users[i] == user) {
            memmove(u->users + i, u->users + i + 1, sizeof(value) * (size_t)(u->count - i - 1));
            u->count--;
            return;
        }
    assert(0 && "a use that was never counted");
}

static int total_uses(const rewriter *r, value v) {
    return r->uses[v].count + r->output_uses[v];
}

// The two walks below keep their own stack: a chain of dead nodes can be as long as the graph.
static void work_push(rewriter *r, value v) {
    if (r->work_count == r->work_room) {
        int room = r->work_room ? 2 * r->work_room : 64;
        value *more = ARENA_ARRAY(r->scratch, value, room);
        if (r->work_count) memcpy(more, r->work, sizeof(value) * (size_t)r->work_count);
        r->work = more;
        r->work_room = room;
    }
    r->work[r->work_count++] = v;
}

static void kill_unused(rewriter *r, value root) {
    work_push(r, root);
    while (r->work_count) {
        value v = r->work[--r->work_count];
        const node *n = graph_node(r->g, v);
        if (r->dead[v] || total_uses(r, v) || n->op == OP_input || n->op == OP_param) continue;
        r->dead[v] = true;
        for (int i = 0; i < n->input_count; i++) {
            use_remove(r, n->inputs[i], v);
            work_push(r, n->inputs[i]);
        }
    }
}

static void revive(rewriter *r, value root) {
    work_push(r, root);
    while (r->work_count) {
        value v = r->work[--r->work_count];
        if (!r->dead[v]) continue;
        r->dead[v] = false;
        for (int i = 0; i < graph_node(r->g, v)->input_count; i++) {
            use_add(r, graph_node(r->g, v)->inputs[i], v);
            work_push(r, graph_node(r->g, v)->inputs[i]);
        }
    }
}

// Counts the uses of nodes that were appended since the last call.
static void catch_up(rewriter *r) {
    const graph *g = r->g;
    reserve_uses(r, g->count);
    for (; r->seen < g->count; r->seen++)
        for (int i = 0; i < g->nodes[r->seen].input_count; i++) {
            value in = g->nodes[r->seen].inputs[i];
            revive(r, in);
            use_add(r, in, r->seen);
        }
}

// Marks what the outputs need; `order` (may be NULL) gets it in topological order, close to the order of
// before.
static int mark_live(const graph *g, arena *scratch, bool *live, value *order) {
    bool *needed = ARENA_ARRAY(scratch, bool, g->count + 1);
    value *stack = ARENA_ARRAY(scratch, value, g->count + 1);
    int *next = ARENA_ARRAY(scratch, int, g->count + 1);
    int depth = 0, count = 0;
    for (int i = 0; i < g->output_count; i++)
        if (!needed[g->outputs[i].value]) {
            needed[g->outputs[i].value] = true;
            stack[depth++] = g->outputs[i].value;
        }
    while (depth) {
        const node *n = &g->nodes[stack[--depth]];
        for (int i = 0; i < n->input_count; i++)
            if (!needed[n->inputs[i]]) {
                needed[n->inputs[i]] = true;
                stack[depth++] = n->inputs[i];
            }
    }
    for (value root = 0; root < g->count; root++) {
        bool stays = g->nodes[root].op == OP_input || g->nodes[root].op == OP_param;
        if ((!needed[root] && !stays) || live[root]) continue;
        stack[depth++] = root;
        while (depth) {
            value v = stack[depth - 1];
            const node *n = &g->nodes[v];
            if (next[v] < n->input_count) {
                value in = n->inputs[next[v]++];
                if (!live[in]) {
                    assert(depth <= g->count && next[in] == 0 && "a cycle");
                    stack[depth++] = in;
                }
            } else {
                live[v] = true;
                if (order) order[count] = v;
                count++;
                depth--;
            }
        }
    }
    return count;
}

rewriter *rewriter_begin(graph *g) {
    arena *scratch = arena_new();
    rewriter *r = ARENA_NEW(scratch, rewriter);
    *r = (rewriter){.g = g, .scratch = scratch};
    reserve_uses(r, g->count);
    bool *live = ARENA_ARRAY(scratch, bool, g->count + 1);
    mark_live(g, scratch, live, NULL);
    for (; r->seen < g->count; r->seen++) {
        r->dead[r->seen] = !live[r->seen];
        if (!live[r->seen]) continue;
        for (int i = 0; i < g->nodes[r->seen].input_count; i++)
            use_add(r, g->nodes[r->seen].inputs[i], r->seen);
    }
    for (int i = 0; i < g->output_count; i++) r->output_uses[g->outputs[i].value]++;
    return r;
}

int rewriter_end(rewriter *r) {
    graph *g = r->g;
    bool *live = ARENA_ARRAY(r->scratch, bool, g->count + 1);
    value *order = ARENA_ARRAY(r->scratch, value, g->count + 1);
    value *position = ARENA_ARRAY(r->scratch, value, g->count + 1);
    int count = mark_live(g, r->scratch, live, order);
    node *nodes = ARENA_ARRAY(g->arena, node, count + 1);
    bool moved = count != g->count;
    for (int i = 0; i < count; i++) {
        nodes[i] = g->nodes[order[i]];
        position[order[i]] = i;
        moved = moved || order[i] != i;
        for (int k = 0; k < nodes[i].input_count; k++) nodes[i].inputs[k] = position[nodes[i].inputs[k]];
    }
    for (int i = 0; i < g->output_count; i++) g->outputs[i].value = position[g->outputs[i].value];
    g->nodes = nodes;
    g->count = count;
    g->capacity = count + 1;
    // A variant's schedules and places are by value, and its lifetimes by the nodes' order.
    if (moved || r->replacements) g->variant_count = 0;
    int replacements = r->replacements;
    arena_free(r->scratch);
    return replacements;
}

graph *rewriter_graph(rewriter *r) {
    return r->g;
}

int use_count(rewriter *r, value v) {
    catch_up(r);
    return total_uses(r, v);
}

bool has_one_use(rewriter *r, value v) {
    return use_count(r, v) == 1;
}

int users_of(rewriter *r, value v, value *out, int max) {
    catch_up(r);
    const use_list *u = &r->uses[v];
    int n = 0;
    for (int i = 0; i < u->count; i++) {
        bool again = false;
        for (int k = 0; k < i; k++) again = again || u->users[k] == u->users[i];
        if (again) continue;
        if (n < max) out[n] = u->users[i];
        n++;
    }
    return n;
}

void replace_all_uses(rewriter *r, value old, value with) {
    catch_up(r);
    graph *g = r->g;
    assert(old != with && type_eq(graph_type(g, old), graph_type(g, with)));
    revive(r, with);
    use_list *u = &r->uses[old];
    for (int i = 0; i < u->count; i++) {
        node *user = graph_node(g, u->users[i]);
        for (int k = 0; k < user->input_count; k++)
            if (user->inputs[k] == old) {
                user->inputs[k] = with;
                use_add(r, with, u->users[i]);
            }
    }
    u->count = 0;
    for (int i = 0; i < g->output_count; i++)
        if (g->outputs[i].value == old) {
            g->outputs[i].value = with;
            r->output_uses[with]++;
        }
    r->output_uses[old] = 0;
    node *a = graph_node(g, old), *b = graph_node(g, with);
    if (a->name && !b->name && a->op != OP_input && a->op != OP_param) {
        b->name = a->name;
        a->name = NULL;
    }
    r->replacements++;
    kill_unused(r, old);
}

value copy_node(graph *to, const node *n, const value *inputs) {
    if (to->count == to->capacity) {
        int capacity = to->capacity * 2 + 16;
        node *nodes = ARENA_ARRAY(to->arena, node, capacity);
        if (to->count) memcpy(nodes, to->nodes, sizeof(node) * (size_t)to->count);
        to->nodes = nodes;
        to->capacity = capacity;
    }
    node *copy = &to->nodes[to->count];
    *copy = *n;
    copy->name = NULL;
    copy->inputs = arena_dup(to->arena, inputs, sizeof(value) * (size_t)n->input_count);
    copy->attrs = arena_dup(to->arena, n->attrs, sizeof(attr) * (size_t)n->attr_count);
    return to->count++;
}

// --- fuse_ops

typedef struct boxing {
    rewriter *r;
    int op_count;
    const value *ops;
    value *order; // the ops, operands first
    int order_count;
    value *operands; // of the fuse, in order of first use
    const char **roles;
    int operand_count;
    value *scalars; // literals that move into the body
    value *scalar_copies;
    int scalar_count;
    value *results; // in the body, of order[i]
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
    const graph *g = b->r->g;
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
    const node *n = graph_node(b->r->g, v);
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
    graph *g = b->r->g;
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

// Copies the ops of a fuse's body; returns the copy of the value that it yields.
static value open_fuse(boxing *b, const node *fuse) {
    const graph *inner = fuse->body;
    value *map = ARENA_ARRAY(b->r->scratch, value, inner->count);
    for (value v = 0; v < inner->count; v++) {
        const node *n = graph_node(inner, v);
        if (n->op == OP_param) {
            map[v] = body_value(b, fuse->inputs[v]);
            continue;
        }
        value *inputs = ARENA_ARRAY(b->r->scratch, value, n->input_count);
        for (int i = 0; i < n->input_count; i++) inputs[i] = map[n->inputs[i]];
        map[v] = copy_node(b->body, n, inputs);
    }
    return map[inner->outputs[0].value];
}

static value copy_op(boxing *b, const node *n) {
    if (n->op == OP_fuse) return open_fuse(b, n);
    value *inputs = ARENA_ARRAY(b->r->scratch, value, n->input_count);
    for (int k = 0; k < n->input_count; k++) inputs[k] = body_value(b, n->inputs[k]);
    return copy_node(b->body, n, inputs);
}

// A fused result without a name is called after the last named value in it and its own op:
// "layer.0.ffn.up.gelu".
static void name_result(const boxing *b, value fused) {
    graph *g = b->r->g;
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

value fuse_ops(rewriter *r, int n, const value *ops, value result) {
    catch_up(r);
    graph *g = r->g;
    int operands = 0;
    for (int i = 0; i < n; i++) operands += graph_node(g, ops[i])->input_count;
    boxing b = {.r = r, .op_count = n, .ops = ops, .body = graph_new(g->arena, NULL)};
    b.order = ARENA_ARRAY(r->scratch, value, n);
    b.results = ARENA_ARRAY(r->scratch, value, n);
    b.operands = ARENA_ARRAY(r->scratch, value, operands);
    b.roles = ARENA_ARRAY(r->scratch, const char *, operands);
    b.scalars = ARENA_ARRAY(r->scratch, value, operands);
    b.scalar_copies = ARENA_ARRAY(r->scratch, value, operands);
    collect_ops(&b, result);
    add_params(&b);
    for (int i = 0; i < b.order_count; i++) b.results[i] = copy_op(&b, graph_node(g, b.order[i]));
    graph_output_add(b.body, NULL, b.results[b.order_count - 1]);
    value fused = graph_region(g, OP_fuse, b.operand_count, b.operands, b.body, 0);
    if (!graph_node(g, result)->name) name_result(&b, fused);
    replace_all_uses(r, result, fused);
    return fused;
}
