// Describes a top-level node as a kernel: its anchor, and the sizes that a schedule needs.
#include "passes/pass.h"

#include <string.h>

// The matmuls of a region, nested ones included, in order; at most `max` are written.
static int find_matmuls(const graph *g, const graph **where, value *found, int max) {
    int n = 0;
    for (value v = 0; v < g->count; v++) {
        const node *x = graph_node(g, v);
        if (x->op == OP_matmul) {
            if (n < max) where[n] = g, found[n] = v;
            n++;
        } else if (x->body) {
            int left = n < max ? max - n : 0;
            n += find_matmuls(x->body, where + (n < max ? n : max), found + (n < max ? n : max), left);
        }
    }
    return n;
}

static int64_t last_axis(const type *t) {
    return t->rank ? t->d[t->rank - 1].n : 1;
}

// Does the op need whole rows of its operand? The sums of a product's groups of k [X,K/group,N] are no rows.
static bool needs_whole_rows(const node *n) {
    return n->op == OP_scales || (op_flag_bits(n->op) & REDUCES && n->type.rank < 3);
}

// Is the right operand in panels, perhaps widened by a cast?
static bool streams_panels(const graph *g, value matmul) {
    const node *right = graph_node(g, graph_node(g, matmul)->inputs[1]);
    value w = right->op == OP_cast ? right->inputs[0] : graph_node(g, matmul)->inputs[1];
    return graph_type(g, w)->layout == LAYOUT_PACKED;
}

static void set_operands(const graph *g, const node *matmul, kernel_shape *s) {
    const node *right = graph_node(g, matmul->inputs[1]);
    bool widened = right->op == OP_cast && graph_type(g, right->inputs[0])->layout == LAYOUT_PACKED;
    s->left = graph_type(g, matmul->inputs[0])->e;
    s->right = widened ? graph_type(g, right->inputs[0])->e : right->type.e;
}

// Columns of the groups in which rows of a body are quantised, where its results are nothing but such rows and their
// scales: tasks can own groups. 0: they can't.
static int64_t quantised_group(const graph *g) {
    int64_t group = 0;
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->op != OP_scales) continue;
        int64_t own = node_attr(n, ATTR_group)->u.i;
        if (last_axis(&n->type) == 1 || own % PANEL_COLUMNS || (group && own != group)) return 0;
        group = own;
    }
    for (int i = 0; i < g->output_count; i++) {
        op o = graph_node(g, g->outputs[i].value)->op;
        if (o != OP_scales && o != OP_quantize) return 0;
    }
    return group;
}

static void describe_matmul(const graph *g, const value *found, int count, kernel_shape *s) {
    const node *first = graph_node(g, found[0]), *last = graph_node(g, found[count - 1]);
    s->kind = count == 2 ? KERNEL_MLP : KERNEL_MATMUL;
    s->k = last_axis(graph_type(g, first->inputs[0]));
    set_operands(g, first, s);
    const attr *group = node_attr(first, ATTR_group);
    s->together = group && group->u.i > 0 && group->u.i < s->k ? group->u.i : s->k;
    s->n = last_axis(&last->type);
    s->hidden = count == 2 ? last_axis(&first->type) : 0;
    for (value v = found[count - 1] + 1; v < g->count; v++)
        s->norm = s->norm || needs_whole_rows(graph_node(g, v));
    s->group = count == 1 ? quantised_group(g) : 0;
    if (s->group) s->norm = false;
}

static dim leading_axis(const type *t) {
    return t->rank ? t->d[0] : dim_num(1);
}

static void describe_results(const graph *g, value v, kernel_shape *s) {
    int n = node_yield_count(graph_node(g, v));
    for (int i = 1; i < n && s->rows.s == SYM_NONE; i++) {
        value result = graph_result_find(g, v, i);
        if (result != VALUE_NONE) s->rows = leading_axis(graph_type(g, result));
    }
    for (int i = 0; i < n; i++) {
        value result = graph_result_find(g, v, i);
        if (result == VALUE_NONE || !dim_eq(leading_axis(graph_type(g, result)), s->rows)) continue;
        const type *t = graph_type(g, result);
        int64_t elements = 1;
        for (int k = 1; k < t->rank; k++) elements *= t->d[k].n;
        s->written += elem_bytes(t->e, elements);
    }
}

static bool describe_outer(const graph *g, value matmul, kernel_shape *s) {
    const node *m = graph_node(g, matmul);
    const type *left = graph_type(g, m->inputs[0]);
    if (m->type.rank != 2 || m->type.d[0].s != SYM_NONE || m->type.d[1].s != SYM_NONE) return false;
    if (left->d[1].s == SYM_NONE) return false;
    s->kind = KERNEL_OUTER;
    s->rows = left->d[1];
    s->k = m->type.d[0].n;
    s->n = m->type.d[1].n;
    set_operands(g, m, s);
    return true;
}

kernel_shape kernel_describe(const graph *g, value v) {
    const node *n = graph_node(g, v);
    kernel_shape s = {.rows = leading_axis(&n->type),
                      .n = last_axis(&n->type),
                      .heads = 1,
                      .left = n->type.e,
                      .right = n->type.e,
                      .result = n->type.e};
    const graph *where[3];
    value found[3];
    describe_results(g, v, &s);
    if (n->op == OP_matmul) {
        s.kind = KERNEL_MATMUL;
        s.k = s.together = last_axis(graph_type(g, n->inputs[0]));
        set_operands(g, n, &s);
        return s;
    }
    if (!n->body) return s;
    int count = find_matmuls(n->body, where, found, 3);
    if (n->op == OP_fuse && count == 1 && describe_outer(n->body, found[0], &s)) return s;
    if (n->op == OP_per_sequence && count == 1 && where[0] == n->body &&
        graph_node(n->body, found[0])->type.rank == 2 && streams_panels(n->body, found[0])) {
        describe_matmul(n->body, found, 1, &s);
        s.kind = KERNEL_POOLED;
        s.rows = dim_sym(SYM_T);
        return s;
    }
    if (n->op == OP_per_sequence) {
        s.kind = count ? KERNEL_ATTENTION : KERNEL_SEQUENCE;
        if (!count) return s;
        set_operands(where[0], graph_node(where[0], found[0]), &s);
        const type *scores = graph_type(where[0], found[0]);
        if (scores->rank > 2 && scores->d[0].s == SYM_NONE) s.heads = scores->d[0].n;
        return s;
    }
    if (count == 1 || count == 2) describe_matmul(n->body, found, count, &s);
    return s;
}
