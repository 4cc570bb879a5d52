// The verifier's rules for states. One op writes a state in place, after all readers of the old value. Each
// element of a trained tensor is in one state, so that it can be written back.
#include "ir/verify_node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fault_at(state_fault *f, value at, const char *cause) {
    f->at = at;
    snprintf(f->cause, sizeof(f->cause), "%s", cause);
    return false;
}

static const char *label(const graph *g, value v, char buf[80]) {
    const char *name = graph_node(g, v)->name;
    if (name)
        snprintf(buf, 80, "%%%.70s", name);
    else
        snprintf(buf, 80, "%%%" PRId32, v);
    return buf;
}

// --- One node

static bool movable(const recipe *r) {
    recipe_move *moves;
    arena *scratch = arena_new();
    int n = recipe_moves(r, scratch, &moves);
    arena_free(scratch);
    return n > 0;
}

const char *state_constant_fault(const node *n, level l) {
    const attr *r = node_attr(n, ATTR_recipe);
    if (!node_is_state(n)) return NULL;
    if (l != LEVEL_TOP) return "a trainable constant is allowed only at the top level";
    if (!r) return "a trainable constant must have a recipe";
    if (n->type.e != ELEM_F32) return "a trainable constant must be f32";
    return movable(r->u.recipe)
               ? NULL
               : "the recipe of a trainable constant may only move elements (whole rows of matrices) and "
                 "widen them to f32";
}

const char *state_assign_fault(const graph *g, const node *n, level l) {
    const node *state = graph_node(g, n->inputs[0]);
    if (l == LEVEL_SEQUENCE || l == LEVEL_FUSE_IN_SEQUENCE) return "an assign is not allowed in per_sequence";
    if (l == LEVEL_TOP && !node_is_state(state)) return "an assign must write a trainable constant";
    if (l == LEVEL_FUSE && state->op != OP_param) return "an assign in a fuse must write one of its params";
    return NULL;
}

static bool is_yield(const graph *body, value v) {
    for (int i = 0; i < body->output_count; i++)
        if (body->outputs[i].value == v) return true;
    return false;
}

// In place is right where each element is read with its own number, and before it is written.
static const char *in_place_fault(const graph *body, value assign) {
    value param = graph_node(body, assign)->inputs[0];
    if (!is_yield(body, assign)) return "a fuse must yield the assign in it";
    for (value v = 0; v < body->count; v++) {
        const node *n = graph_node(body, v);
        for (int i = 0; i < n->input_count; i++) {
            if (n->inputs[i] == assign)
                return "nothing in a fuse may read its assign: read the value that it writes";
            if (n->inputs[i] != param || v == assign) continue;
            if (!(op_flag_bits(n->op) & POINTWISE) || !type_same_shape(&n->type, graph_type(body, param)))
                return "in a fuse, only its assign and pointwise ops of its shape may read a state that is "
                       "written";
            if (v > assign) return "a state is read after its assign";
        }
    }
    return is_yield(body, param) ? "a fuse yields a state that it writes" : NULL;
}

const char *state_fuse_fault(const graph *g, const node *n) {
    for (value v = 0; v < n->body->count; v++) {
        const node *x = graph_node(n->body, v);
        if (!(op_flag_bits(x->op) & WRITES)) continue;
        value param = x->inputs[0], state = n->inputs[param];
        if (!node_is_state(graph_node(g, state)))
            return "its assign writes an operand that is no trainable constant";
        for (int i = 0; i < n->input_count; i++)
            if (i != param && n->inputs[i] == state)
                return "a state that it writes is given twice as an operand";
        const char *fault = in_place_fault(n->body, v);
        if (fault) return fault;
    }
    return NULL;
}

// --- Order

static bool check_order(const graph *g, value state, state_fault *f) {
    value writer = VALUE_NONE;
    char cause[200], name[80];
    for (value v = state + 1; v < g->count; v++) {
        const node *n = graph_node(g, v);
        bool reads = false;
        for (int i = 0; i < n->input_count; i++) reads |= n->inputs[i] == state;
        int writes = reads ? node_assigns(n, state) : 0;
        if (writes + (writer != VALUE_NONE) > 1) return fault_at(f, v, "a state has two assigns");
        if (reads && writer != VALUE_NONE) {
            snprintf(cause, sizeof(cause), "it reads a state after its assign: read %s instead",
                     label(g, writer, name));
            return fault_at(f, v, cause);
        }
        if (writes) writer = v;
    }
    for (int i = 0; i < g->output_count && writer != VALUE_NONE; i++)
        if (g->outputs[i].value == state)
            return fault_at(f, state, "an output is a state that an assign writes");
    return true;
}

// --- Tensors

typedef struct part {
    recipe_move move;
    value state;
} part;

static int by_tensor(const void *a, const void *b) {
    const part *x = a, *y = b;
    int name = strcmp(x->move.tensor->tensor, y->move.tensor->tensor);
    if (name) return name;
    if (x->move.first != y->move.first) return x->move.first < y->move.first ? -1 : 1;
    return (x->state > y->state) - (x->state < y->state);
}

static int collect_parts(const graph *g, arena *scratch, part **out) {
    int count = 0, n = 0;
    for (value v = 0; v < g->count; v++) {
        recipe_move *moves;
        const node *x = graph_node(g, v);
        if (node_is_state(x)) count += recipe_moves(node_attr(x, ATTR_recipe)->u.recipe, scratch, &moves);
    }
    *out = ARENA_ARRAY(scratch, part, count + 1);
    for (value v = 0; v < g->count; v++) {
        recipe_move *moves;
        const node *x = graph_node(g, v);
        if (!node_is_state(x)) continue;
        int own = recipe_moves(node_attr(x, ATTR_recipe)->u.recipe, scratch, &moves);
        for (int i = 0; i < own; i++) (*out)[n++] = (part){moves[i], v};
    }
    qsort(*out, (size_t)n, sizeof(**out), by_tensor);
    return n;
}

static bool same_tensor(const part *x, const part *y) {
    return !strcmp(x->move.tensor->tensor, y->move.tensor->tensor);
}

// The parts of one tensor follow each other from its first element to its last.
static bool check_parts(const graph *g, const part *p, int n, state_fault *f) {
    char cause[400], first[80], second[80];
    for (int i = 0; i < n; i++) {
        bool begins = !i || !same_tensor(&p[i - 1], &p[i]);
        const recipe *t = p[i].move.tensor;
        int64_t size = p[i].move.rows * p[i].move.columns, at = 0;
        if (!begins) at = p[i - 1].move.first + p[i - 1].move.rows * p[i - 1].move.columns;
        if (!begins && !type_eq(&p[i - 1].move.tensor->type, &t->type)) {
            snprintf(cause, sizeof(cause), "tensor \"%.100s\" has two types", t->tensor);
            return fault_at(f, p[i].state, cause);
        }
        if (p[i].move.first < at) {
            snprintf(
                cause, sizeof(cause),
                "tensor \"%.100s\" is trained in %s and again in %s: let one constant be the state, and make "
                "the other from it in the graph",
                t->tensor, label(g, p[i - 1].state, first), label(g, p[i].state, second));
            return fault_at(f, p[i].state, cause);
        }
        bool ends = i + 1 == n || !same_tensor(&p[i], &p[i + 1]);
        if (p[i].move.first > at || (ends && p[i].move.first + size < type_count(&t->type))) {
            snprintf(
                cause, sizeof(cause),
                "a part of tensor \"%.100s\" is in no trainable constant: the tensor can't be written back",
                t->tensor);
            return fault_at(f, p[i].state, cause);
        }
    }
    return true;
}

static const part *find_part(const recipe *r, const part *p, int n) {
    for (int i = 0; r->kind == RECIPE_TENSOR && i < n; i++)
        if (!strcmp(p[i].move.tensor->tensor, r->tensor)) return &p[i];
    for (int i = 0; i < r->part_count; i++) {
        const part *found = find_part(r->parts[i], p, n);
        if (found) return found;
    }
    return NULL;
}

// A constant beside a state would keep the tensor's old numbers.
static bool check_others(const graph *top, const graph *g, value at, const part *p, int n, state_fault *f) {
    char cause[400], name[80];
    for (value v = 0; v < g->count; v++) {
        const node *x = graph_node(g, v);
        const attr *r = x->op == OP_constant && !node_is_state(x) ? node_attr(x, ATTR_recipe) : NULL;
        const part *found = r ? find_part(r->u.recipe, p, n) : NULL;
        value where = at == VALUE_NONE ? v : at;
        if (found) {
            snprintf(cause, sizeof(cause),
                     "it is made of tensor \"%.100s\", which %s trains: make it from that in the graph",
                     found->move.tensor->tensor, label(top, found->state, name));
            return fault_at(f, where, cause);
        }
        if (x->body && !check_others(top, x->body, where, p, n, f)) return false;
    }
    return true;
}

bool state_check(const graph *g, state_fault *f) {
    bool any = false, ok = true;
    for (value v = 0; v < g->count && ok; v++) {
        if (!node_is_state(graph_node(g, v))) continue;
        any = true;
        ok = check_order(g, v, f);
    }
    if (!any || !ok) return ok;
    part *parts;
    arena *scratch = arena_new();
    int n = collect_parts(g, scratch, &parts);
    ok = check_parts(g, parts, n, f) && check_others(g, g, VALUE_NONE, parts, n, f);
    arena_free(scratch);
    return ok;
}

// --- Places

// The state that v is, or lies in; VALUE_NONE: neither.
static value state_at(const graph *g, value v) {
    return node_is_state(graph_node(g, v)) ? v : graph_state_of(g, v);
}

bool state_placed(const graph *g, value v) {
    return state_at(g, v) != VALUE_NONE;
}

const char *state_place_fault(const graph *g, value v, const place *p) {
    const attr *at = node_attr(graph_node(g, state_at(g, v)), ATTR_at);
    if (p->kind != PLACE_STATE) return "its place is not in the states";
    return at && at->u.i == p->offset ? NULL : "its place is not the state's";
}
