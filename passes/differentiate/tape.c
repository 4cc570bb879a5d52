// The tape: a graph's values in the new graph, which of them need a gradient, and their gradients so far.
#include "passes/differentiate/differentiate.h"

#include <assert.h>

// --- What rules read and give

bool rule_wants(const rule_call *c, int i) {
    return c->t->reaches[c->n.inputs[i]] && elem_is_float(rule_type(c, i)->e);
}

value rule_operand(const rule_call *c, int i) {
    assert(op_gradient_reads(c->n.op) & READS_OPERANDS);
    return c->t->map[c->n.inputs[i]];
}

value rule_result(const rule_call *c) {
    assert(op_gradient_reads(c->n.op) & READS_RESULT);
    return c->t->map[c->v];
}

void rule_give(const rule_call *c, int i, value g) {
    tape_add(c->t, c->n.inputs[i], build_summed(c->t, g, rule_type(c, i)));
}

// --- The tape

tape *tape_new(arena *scratch, pass *p, const graph *from, graph *to) {
    tape *t = ARENA_NEW(scratch, tape);
    *t = (tape){.p = p, .scratch = scratch, .from = from, .count = from->count, .to = to};
    t->map = ARENA_ARRAY(scratch, value, t->count + 1);
    t->gradient = ARENA_ARRAY(scratch, value, t->count + 1);
    t->cuts = ARENA_ARRAY(scratch, cut *, t->count + 1);
    t->reaches = ARENA_ARRAY(scratch, bool, t->count + 1);
    for (value v = 0; v < t->count; v++) {
        t->map[v] = from == to ? v : VALUE_NONE;
        t->gradient[v] = VALUE_NONE;
    }
    return t;
}

void tape_reach(tape *t) {
    for (value v = 0; v < t->count; v++) {
        const node *n = graph_node(t->from, v);
        for (int i = 0; i < n->input_count; i++) t->reaches[v] |= t->reaches[n->inputs[i]];
    }
}

// The region's copy has its own body: passes rewrite bodies in place.
static value copied(tape *t, const node *n) {
    value *inputs = ARENA_ARRAY(t->scratch, value, n->input_count + 1);
    for (int i = 0; i < n->input_count; i++) inputs[i] = t->map[n->inputs[i]];
    value v = copy_node(t->to, n, inputs);
    if (n->body) graph_node(t->to, v)->body = graph_clone(t->to->arena, n->body);
    return v;
}

void tape_copy(tape *t) {
    for (value v = 0; v < t->count; v++) {
        const node *n = graph_node(t->from, v);
        bool there = t->map[v] != VALUE_NONE || node_has_effect(n);
        for (int i = 0; i < n->input_count; i++) there |= t->map[n->inputs[i]] == VALUE_NONE;
        if (there) continue;
        bool kept = n->op == OP_softmax && v == t->kept.softmax;
        t->map[v] = kept ? kept_softmax_again(t, t->map[n->inputs[0]]) : copied(t, n);
    }
}

void tape_add(tape *t, value v, value g) {
    assert(type_same_shape(graph_type(t->from, v), graph_type(t->to, g)));
    t->gradient[v] = t->gradient[v] == VALUE_NONE ? g : build_add(t, t->gradient[v], g);
}

// --- Slices

// Does a surely end where b begins, or before?
static bool before(dim a, dim b) {
    return (a.s == b.s || a.s == SYM_NONE) && a.n <= b.n;
}

bool tape_add_cut(tape *t, value v, int axis, dim begin, dim end, value g) {
    cut **at = &t->cuts[v];
    if (*at && (*at)->axis != axis) return false;
    while (*at && before((*at)->end, begin)) at = &(*at)->next;
    if (*at && !before(end, (*at)->begin)) return false;
    cut *fresh = ARENA_NEW(t->scratch, cut);
    *fresh = (cut){axis, begin, end, g, *at};
    *at = fresh;
    return true;
}

void tape_settle(tape *t, value v) {
    int n = 0, count = 0;
    for (const cut *c = t->cuts[v]; c; c = c->next) count++;
    if (!count) return;
    value *parts = ARENA_ARRAY(t->scratch, value, 2 * count);
    dim at = dim_num(0);
    const type *whole = graph_type(t->from, v);
    for (const cut *c = t->cuts[v]; c; at = c->end, c = c->next) {
        type gap = *graph_type(t->to, c->g);
        gap.d[c->axis] = (dim){c->begin.s == at.s ? SYM_NONE : c->begin.s, c->begin.n - at.n};
        if (!dim_is(gap.d[c->axis], 0)) parts[n++] = build_broadcast(t, build_scalar(t, 0), &gap);
        parts[n++] = c->g;
    }
    value g = build_concat(t, t->cuts[v]->axis, n, parts);
    if (!type_same_shape(graph_type(t->to, g), whole)) g = build_shaped(t, OP_pad, 1, &g, whole);
    t->cuts[v] = NULL;
    tape_add(t, v, g);
}

bool tape_error(const tape *t, value v, const char *cause) {
    char where[400], at[160];
    snprintf(where, sizeof(where), "%s: %s%s%s", t->p->name, t->within ? t->within : "",
             t->within ? ", " : "", pass_where(t->from, v, at, sizeof(at)));
    return diag_error(t->p->c->diag, where, "%s", cause);
}
