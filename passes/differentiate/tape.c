// The tape: what a graph's values become, which of them matter, and their gradients so far.
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
        if (!there) t->map[v] = copied(t, n);
    }
}

void tape_add(tape *t, value v, value g) {
    assert(type_same_shape(graph_type(t->from, v), graph_type(t->to, g)));
    t->gradient[v] = t->gradient[v] == VALUE_NONE ? g : build_add(t, t->gradient[v], g);
}

bool tape_error(const tape *t, value v, const char *cause) {
    char where[400], at[160];
    snprintf(where, sizeof(where), "%s: %s%s%s", t->p->name, t->within ? t->within : "",
             t->within ? ", " : "", pass_where(t->from, v, at, sizeof(at)));
    return diag_error(t->p->c->diag, where, "%s", cause);
}
