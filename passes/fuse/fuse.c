#include "passes/fuse/fuse.h"

bool box_holds(const box *b, value v) {
    for (int i = 0; i < b->count; i++)
        if (b->ops[i] == v) return true;
    return false;
}

box box_of(value v) {
    return (box){.count = 1, .ops = {v}, .result_count = 1, .results = {v}};
}

bool box_used_outside(rewriter *r, const box *b, value v) {
    const graph *g = rewriter_graph(r);
    int inside = 0;
    for (int i = 0; i < b->count; i++) {
        const node *n = graph_node(g, b->ops[i]);
        for (int k = 0; k < n->input_count && n->op != OP_result; k++) inside += n->inputs[k] == v;
    }
    return inside != own_use_count(r, v);
}

value box_fuse(rewriter *r, const box *b) {
    return fuse_ops(r, b->count, b->ops, b->result_count, b->results);
}

// Is it a constant, or another matrix of known size, which is packed during the call?
static bool is_right_operand(const graph *g, value v) {
    const type *t = graph_type(g, v);
    return node_is_constant(graph_node(g, v)) ||
           (t->e == ELEM_F32 && t->rank == 2 && t->d[0].s == SYM_NONE && t->d[1].s == SYM_NONE);
}

static bool is_product(const graph *g, value v) {
    const node *n = graph_node(g, v);
    return n->op == OP_matmul && n->type.rank == 2 && graph_type(g, n->inputs[1])->rank == 2 &&
           is_right_operand(g, n->inputs[1]);
}

int64_t product_columns(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (is_product(g, v)) return n->type.d[1].n;
    if (n->op != OP_fuse || node_has_effect(n)) return 0;
    for (value u = 0; u < n->body->count; u++) {
        const node *m = graph_node(n->body, u);
        if (m->op != OP_matmul || m->type.rank != 2 || !op_is(n->body, m->inputs[1], OP_param)) continue;
        if (is_right_operand(g, n->inputs[m->inputs[1]])) return m->type.d[1].n;
    }
    return 0;
}

static bool is_norm(op o) {
    return op_flag_bits(o) & REDUCES;
}

bool holds_norm(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (!n->body) return is_norm(n->op);
    for (value u = 0; u < n->body->count; u++)
        if (is_norm(graph_node(n->body, u)->op)) return true;
    return false;
}

bool epilogue_op(const graph *g, value v, const char **why) {
    const node *n = graph_node(g, v);
    *why = "it is not pointwise";
    if (!(op_flag_bits(n->op) & POINTWISE) || n->op == OP_cast) return false;
    *why = "its result is not f32 rows";
    if (n->type.e != ELEM_F32 || n->type.rank != 2) return false;
    *why = "an operand is broadcast in another way than a vector of columns or one number";
    for (int i = 0; i < n->input_count; i++) {
        const type *t = graph_type(g, n->inputs[i]);
        bool rows = type_eq(t, &n->type), number = value_is_scalar(g, n->inputs[i], NULL) && t->rank == 0;
        bool vector = t->e == ELEM_F32 && t->rank == 1 && dim_eq(t->d[0], n->type.d[1]) &&
                      node_is_constant(graph_node(g, n->inputs[i]));
        if (!rows && !number && !vector) return false;
    }
    return true;
}

// Is every value but the result used inside alone?
static bool closed(rewriter *r, const box *b) {
    for (int i = 0; i < b->count; i++)
        if (b->ops[i] != b->results[0] && box_used_outside(r, b, b->ops[i])) return false;
    return true;
}

// Takes in every reader of the result, then theirs, until one value is left that is used outside (x * sigmoid
// x).
static bool take_readers(rewriter *r, box *b, value *culprit, const char **why) {
    const graph *g = rewriter_graph(r);
    box grown = *b;
    while (grown.count < BOX_MAX) {
        value next = VALUE_NONE;
        // The earliest reader of the box that is not in it: each of its operands is in the box, or does not
        // depend on it.
        for (int i = 0; i < grown.count; i++) {
            value users[BOX_MAX];
            int n = users_of(r, grown.ops[i], users, BOX_MAX);
            for (int k = 0; k < n && k < BOX_MAX; k++)
                if (!box_holds(&grown, users[k]) && (next == VALUE_NONE || users[k] < next)) next = users[k];
        }
        if (next == VALUE_NONE) return false; // an output
        if (!epilogue_op(g, next, why)) {
            if (grown.count > b->count)
                *why = "its operand has other uses"; // of the op that was tried before
            else
                *culprit = next;
            return false;
        }
        grown.ops[grown.count++] = next;
        grown.results[0] = next;
        if (closed(r, &grown)) {
            *b = grown;
            return true;
        }
        if (grown.count == b->count + 1) *culprit = next;
        *why = "its operand has other uses";
    }
    return false;
}

void box_grow(rewriter *r, box *b, value *stopped_at, const char **why) {
    do {
        *stopped_at = VALUE_NONE;
    } while (take_readers(r, b, stopped_at, why));
}

// --- What leads to a box

static bool leads(rewriter *r, value v) {
    const graph *g = rewriter_graph(r);
    const node *n = graph_node(g, v);
    const char *why;
    if (!epilogue_op(g, v, &why) || !has_one_use(r, v)) return false;
    for (int i = 0; i < n->input_count; i++)
        if (product_columns(g, n->inputs[i]) || epilogue_op(g, n->inputs[i], &why)) return false;
    return true;
}

void box_take_leading(rewriter *r, box *b) {
    const graph *g = rewriter_graph(r);
    for (int i = 1, count = b->count; i < count; i++) {
        const node *n = graph_node(g, b->ops[i]);
        for (int k = 0; k < n->input_count && b->count < BOX_MAX; k++)
            if (!box_holds(b, n->inputs[k]) && leads(r, n->inputs[k])) b->ops[b->count++] = n->inputs[k];
    }
}

// --- Several results

// GELU's derivative takes as many.
#define LASTING_DEPTH 12

// Does a box, a product or an output read v, or what at most `depth` epilogue ops make of it?
static bool is_lasting(rewriter *r, value v, int depth) {
    const graph *g = rewriter_graph(r);
    value users[BOX_MAX];
    const char *why;
    int n = users_of(r, v, users, BOX_MAX), count = n < BOX_MAX ? n : BOX_MAX;
    if (use_count(r, v) > n) return true;
    for (int i = 0; i < count; i++) {
        const node *u = graph_node(g, users[i]);
        if (u->body || u->op == OP_matmul) return true;
        if (depth && epilogue_op(g, users[i], &why) && is_lasting(r, users[i], depth - 1)) return true;
    }
    return false;
}

// A reader of the box that it can take in; VALUE_NONE: there is none.
static value find_reader(rewriter *r, box *b, bool lasting) {
    const graph *g = rewriter_graph(r);
    for (int i = 0; i < b->count; i++) {
        value users[BOX_MAX];
        const char *why;
        int n = users_of(r, b->ops[i], users, BOX_MAX);
        for (int k = 0; k < n && k < BOX_MAX; k++) {
            if (box_holds(b, users[k]) || !epilogue_op(g, users[k], &why)) continue;
            if (lasting && !is_lasting(r, users[k], LASTING_DEPTH)) continue;
            b->ops[b->count] = users[k];
            if (ops_convex(r, b->count + 1, b->ops)) return users[k];
        }
    }
    return VALUE_NONE;
}

int box_grow_results(rewriter *r, box *b, bool lasting) {
    int before = b->count;
    while (b->count < BOX_MAX && find_reader(r, b, lasting) != VALUE_NONE) b->count++;
    if (b->count == before) return 0;
    b->result_count = 0;
    for (int i = b->count - 1; i >= 0; i--)
        if (box_used_outside(r, b, b->ops[i])) b->results[b->result_count++] = b->ops[i];
    return b->count - before;
}
