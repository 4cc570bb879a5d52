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
        bool stays = n->op == OP_input || n->op == OP_param || (v != root && node_has_effect(n));
        if (r->dead[v] || total_uses(r, v) || stays) continue;
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

// Who must come before each node: its operands; before a node that writes states, also the others who read them.
typedef struct order {
    const graph *g;
    value **readers; // by value; NULL: the graph writes no state
    int *reader_count;
} order;

static bool reads(const node *n, value x) {
    for (int i = 0; i < n->input_count; i++)
        if (n->inputs[i] == x) return true;
    return false;
}

static void collect_readers(order *o, arena *scratch, const bool *needed, value writer) {
    const graph *g = o->g;
    value *list = ARENA_ARRAY(scratch, value, g->count);
    int n = 0;
    for (value u = 0; u < g->count; u++) {
        bool before = false;
        for (int i = 0; u != writer && needed[u] && i < g->nodes[writer].input_count; i++) {
            value x = g->nodes[writer].inputs[i];
            before |= reads(&g->nodes[u], x) && node_assigns(&g->nodes[writer], x);
        }
        if (before) list[n++] = u;
    }
    o->readers[writer] = list;
    o->reader_count[writer] = n;
}

static order order_new(const graph *g, arena *scratch, const bool *needed) {
    order o = {.g = g};
    for (value v = 0; v < g->count; v++) {
        if (!needed[v] || !node_has_effect(&g->nodes[v])) continue;
        if (!o.readers) {
            o.readers = ARENA_ARRAY(scratch, value *, g->count);
            o.reader_count = ARENA_ARRAY(scratch, int, g->count);
        }
        collect_readers(&o, scratch, needed, v);
    }
    return o;
}

// The i-th of those that come before v, or VALUE_NONE.
static value before(const order *o, value v, int i) {
    const node *n = &o->g->nodes[v];
    if (i < n->input_count) return n->inputs[i];
    i -= n->input_count;
    return o->readers && i < o->reader_count[v] ? o->readers[v][i] : VALUE_NONE;
}

// Marks what the outputs and the nodes that write states need. `dead` (may be NULL): what is none of these.
static bool *mark_needed(const graph *g, arena *scratch, const bool *dead) {
    bool *needed = ARENA_ARRAY(scratch, bool, g->count + 1);
    value *stack = ARENA_ARRAY(scratch, value, g->count + 1);
    int depth = 0;
    for (value v = 0; v < g->count; v++) needed[v] = node_has_effect(&g->nodes[v]) && !(dead && dead[v]);
    for (int i = 0; i < g->output_count; i++) needed[g->outputs[i].value] = true;
    for (value v = 0; v < g->count; v++)
        if (needed[v]) stack[depth++] = v;
    while (depth) {
        const node *n = &g->nodes[stack[--depth]];
        for (int i = 0; i < n->input_count; i++)
            if (!needed[n->inputs[i]]) {
                needed[n->inputs[i]] = true;
                stack[depth++] = n->inputs[i];
            }
    }
    return needed;
}

// Marks what is needed, and inputs and params; `sorted` (may be NULL) gets it in topological order, close to the
// order of before.
static int mark_live(const graph *g, arena *scratch, const bool *dead, bool *live, value *sorted) {
    const bool *needed = mark_needed(g, scratch, dead);
    value *stack = ARENA_ARRAY(scratch, value, g->count + 1);
    int *next = ARENA_ARRAY(scratch, int, g->count + 1);
    int depth = 0, count = 0;
    const order o = order_new(g, scratch, needed);
    for (value root = 0; root < g->count; root++) {
        bool stays = g->nodes[root].op == OP_input || g->nodes[root].op == OP_param;
        if ((!needed[root] && !stays) || live[root]) continue;
        stack[depth++] = root;
        while (depth) {
            value v = stack[depth - 1], in = before(&o, v, next[v]++); // next[v] > 0: it is on the stack
            if (in != VALUE_NONE) {
                if (!live[in] && !next[in]) stack[depth++] = in;
            } else {
                live[v] = true;
                if (sorted) sorted[count] = v;
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
    mark_live(g, scratch, NULL, live, NULL);
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
    value *sorted = ARENA_ARRAY(r->scratch, value, g->count + 1);
    value *position = ARENA_ARRAY(r->scratch, value, g->count + 1);
    reserve_uses(r, g->count);
    int count = mark_live(g, r->scratch, r->dead, live, sorted);
    node *nodes = ARENA_ARRAY(g->arena, node, count + 1);
    bool moved = count != g->count;
    for (int i = 0; i < count; i++) {
        nodes[i] = g->nodes[sorted[i]];
        position[sorted[i]] = i;
        moved = moved || sorted[i] != i;
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

int own_use_count(rewriter *r, value v) {
    int n = use_count(r, v);
    for (int i = 0; i < r->uses[v].count; i++) n -= graph_node(r->g, r->uses[v].users[i])->op == OP_result;
    return n;
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
    int kept = 0;
    for (int i = 0; i < u->count; i++) {
        node *user = graph_node(g, u->users[i]);
        if (user->op == OP_result) {
            u->users[kept++] = u->users[i];
            continue;
        }
        for (int k = 0; k < user->input_count; k++)
            if (user->inputs[k] == old) {
                user->inputs[k] = with;
                use_add(r, with, u->users[i]);
            }
    }
    u->count = kept;
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

void replace_results(rewriter *r, value old, value with) {
    graph *g = r->g;
    for (int i = 0; i < node_yield_count(graph_node(g, old)); i++) {
        value yield = graph_result_find(g, old, i);
        if (yield != VALUE_NONE && use_count(r, yield)) replace_all_uses(r, yield, graph_result(g, with, i));
    }
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
