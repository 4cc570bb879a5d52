// Rows of heads in a body: where they lie in an operand, or what makes them.
#include "backend/attention/attention.h"

// Heads that each serve `group` heads of queries: [n,..] -> [n,1,..] -> [n,group,..] -> [n group,..].
static value before_repeat(const graph *g, value v, int64_t *group) {
    const node *merge = graph_node(g, v);
    *group = 1;
    if (merge->op != OP_reshape || merge->type.rank != 3) return v;
    const node *wide = graph_node(g, merge->inputs[0]);
    if (wide->op != OP_broadcast || wide->type.rank != 4) return v;
    const node *unit_axis = graph_node(g, wide->inputs[0]);
    if (unit_axis->op != OP_reshape || !dim_is(unit_axis->type.d[1], 1)) return v;
    const type *from = graph_type(g, unit_axis->inputs[0]), *to = &wide->type;
    if (from->rank != 3 || !dim_eq(to->d[0], from->d[0]) || !dim_eq(to->d[2], from->d[1]) ||
        !dim_eq(to->d[3], from->d[2]) || !dim_eq(merge->type.d[1], from->d[1]) || to->d[1].s != SYM_NONE)
        return v;
    *group = to->d[1].n;
    return unit_axis->inputs[0];
}

// Rows that the body computes: [heads,rows,width].
static bool made_rows(const graph *g, value v, heads *out) {
    const type *t = graph_type(g, v);
    if (t->rank != 3 || t->d[0].s != SYM_NONE || t->d[2].s != SYM_NONE) return false;
    *out = (heads){.e = ELEM_F32,
                   .as = ELEM_F32,
                   .rows = t->d[1],
                   .count = t->d[0].n,
                   .width = t->d[2].n,
                   .group = 1,
                   .producer = v};
    return attention_makes_rows(g, v, out->rows, out->count, VALUE_NONE);
}

// v as rows of heads: [heads,rows,width], or `turned` [heads,width,rows].
static bool head_rows(const graph *g, value v, bool turned, heads *out) {
    int64_t group;
    const node *n = graph_node(g, v);
    if (attention_as_heads(g, v, turned ? 2 : 1, turned ? 1 : 2, out)) return true;
    value one = before_repeat(g, v, &group);
    if (group > 1) {
        if (!head_rows(g, one, turned, out) || out->group > 1) return false;
        out->group = group;
        return true;
    }
    if (n->op == OP_cast && n->type.e == ELEM_BF16 && graph_type(g, n->inputs[0])->e == ELEM_F32) {
        if (!head_rows(g, n->inputs[0], turned, out)) return false;
        out->as = ELEM_BF16;
        return true;
    }
    const attr *perm = n->op == OP_transpose ? node_attr(n, ATTR_perm) : NULL;
    bool turns = perm && n->type.rank == 3 && perm->u.ints[0] == 0 && perm->u.ints[1] == 2;
    return turns ? head_rows(g, n->inputs[0], !turned, out) : !turned && made_rows(g, v, out);
}

// From a param of the fuse to the operand of the per_sequence.
static bool find_operand(const kernel_site *s, const attention *x, heads *h) {
    if (h->producer != VALUE_NONE) return true;
    h->operand = x->operands[h->operand];
    value v = graph_node(s->graph, s->node)->inputs[h->operand];
    if (node_is_constant(graph_node(s->graph, v))) return false;
    h->ld = s->variant->places[v].ld;
    return true;
}

bool attention_head_rows(const kernel_site *s, const attention *x, value v, bool turned, heads *out) {
    return head_rows(x->body, v, turned, out) && find_operand(s, x, out);
}

bool attention_same_rows(const heads *a, const heads *b) {
    if (a->producer != b->producer || a->group != b->group || a->as != b->as) return false;
    return a->producer != VALUE_NONE ||
           (a->operand == b->operand && a->column == b->column && a->stride == b->stride &&
            a->count == b->count && a->width == b->width);
}
