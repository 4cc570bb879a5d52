// Recognises attention in the body of a per_sequence.
#include "backend/attention/attention.h"

// out[row, head * width + c] of o[head, row, c].
static bool merges_heads(const graph *g, value v, value *o) {
    const node *reshape = graph_node(g, v);
    if (reshape->op != OP_reshape || reshape->type.rank != 2) return false;
    const node *transpose = graph_node(g, reshape->inputs[0]);
    if (transpose->op != OP_transpose || transpose->type.rank != 3) return false;
    const int64_t *perm = node_attr(transpose, ATTR_perm)->u.ints;
    *o = transpose->inputs[0];
    return perm[0] == 1 && perm[1] == 0 && perm[2] == 2 && dim_eq(reshape->type.d[0], transpose->type.d[0]);
}

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
    return attention_makes_rows(g, v, out->rows, out->count);
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
    if (!turned) return made_rows(g, v, out);
    const attr *perm = n->op == OP_transpose ? node_attr(n, ATTR_perm) : NULL;
    if (!perm || n->type.rank != 3 || perm->u.ints[0] != 0 || perm->u.ints[1] != 2) return false;
    return head_rows(g, n->inputs[0], false, out);
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

static bool fits(const attention *x, const heads *h) {
    return h->count * h->group == x->q.count && dim_eq(h->rows, dim_sym(SYM_L));
}

// The numbers of queries have as many rows as the queries, those of keys as many as the sequence.
static bool leaves_fit(const attention *x) {
    for (int i = 0; i < x->scores.leaf_count; i++) {
        const score_leaf *l = &x->scores.leaves[i];
        if (!dim_eq(l->rows, l->side == SIDE_KEY ? dim_sym(SYM_L) : x->q.rows)) return false;
    }
    return true;
}

static bool same_rows(const heads *a, const heads *b) {
    if (a->producer != b->producer || a->group != b->group || a->as != b->as) return false;
    return a->producer != VALUE_NONE ||
           (a->operand == b->operand && a->column == b->column && a->stride == b->stride &&
            a->count == b->count && a->width == b->width);
}

// The left operands of products that are looked up are the queries, or the keys.
static bool tables_fit(const kernel_site *s, const attention *x) {
    for (int i = 0; i < x->scores.table_count; i++) {
        const score_table *t = &x->scores.tables[i];
        const heads *own = t->transposed ? &x->k : &x->q;
        heads left;
        if (!t->product) continue;
        if (!head_rows(x->body, t->left, false, &left) || !find_operand(s, x, &left)) return false;
        if (!same_rows(&left, own) || t->of.width != own->width || t->of.count != x->q.count ||
            own->group != 1)
            return false;
    }
    return true;
}

static bool parts_fit(const kernel_site *s, const attention *x) {
    const type *t = graph_type(s->graph, x->result->node);
    dim length = dim_sym(SYM_L), rows = x->q.rows;
    bool one = dim_is(rows, 1) && x->dim == SYM_S, all = dim_eq(rows, length) && x->dim == SYM_T;
    bool some = dim_eq(rows, dim_sym(SYM_Q)) && x->dim == SYM_R && x->row_bounds;
    return (one || all || some) && t->d[0].n == 0 && x->q.group == 1 && fits(x, &x->k) && fits(x, &x->v) &&
           x->q.width == x->k.width && leaves_fit(x) && tables_fit(s, x);
}

// softmax(scores) v: [heads,rows,width]; the probabilities may be rounded to bf16.
static bool recognise_product(arena *a, const kernel_site *s, value v, attention *x) {
    const graph *g = x->body;
    const node *product = graph_node(g, v);
    if (product->op != OP_matmul) return false;
    const node *softmax = graph_node(g, product->inputs[0]);
    if (softmax->op == OP_cast && softmax->type.e == ELEM_BF16) softmax = graph_node(g, softmax->inputs[0]);
    if (softmax->op != OP_softmax) return false;
    x->scores.body = g;
    x->scores.result = softmax->inputs[0];
    if (!attention_collect_scores(a, s, x)) return false;
    const node *dots = graph_node(g, x->scores.anchor);
    return head_rows(g, dots->inputs[0], false, &x->q) && head_rows(g, dots->inputs[1], true, &x->k) &&
           head_rows(g, product->inputs[1], false, &x->v) && find_operand(s, x, &x->q) &&
           find_operand(s, x, &x->k) && find_operand(s, x, &x->v) && parts_fit(s, x);
}

// The rows of one attention, or, by a condition on their numbers, those of another. `o`: what merges_heads found.
static bool recognise_rows(arena *a, const kernel_site *s, value o, attention *x) {
    const graph *g = x->body;
    const node *choice = graph_node(g, o);
    if (choice->op != OP_select) return recognise_product(a, s, o, x);
    x->other = ARENA_NEW(a, attention);
    x->chooser = ARENA_NEW(a, attention);
    *x->other = *x->chooser = *x;
    x->other->other = x->other->chooser = x->chooser->other = x->chooser->chooser = NULL;
    x->chooser->scores = (score_ops){.body = g, .anchor = VALUE_NONE, .result = choice->inputs[0]};
    if (!recognise_product(a, s, choice->inputs[1], x->other) ||
        !recognise_product(a, s, choice->inputs[2], x))
        return false;
    x->chooser->q = x->q;
    return x->other->q.count == x->q.count && x->other->v.width == x->v.width &&
           attention_collect_condition(a, s, x->chooser) && leaves_fit(x->chooser);
}

// Is v rows of heads, side by side, that a product or a choice between two gives, cast to another type or not? *o: that.
static bool is_context(const graph *g, value v, value *o) {
    const node *n = graph_node(g, v);
    if (n->op == OP_cast && view_loads(n->type.e) && graph_type(g, n->inputs[0])->e == ELEM_F32)
        v = n->inputs[0];
    if (graph_type(g, v)->rank != 2 || !merges_heads(g, v, o)) return false;
    return graph_node(g, *o)->op == OP_matmul || graph_node(g, *o)->op == OP_select;
}

// One result is the rows of heads, side by side; the others are their log-sums. yields: by result, in x->body.
static bool recognise_results(arena *a, const kernel_site *s, int count, const kernel_result *r,
                              const value *yields, attention *x) {
    value o = VALUE_NONE;
    log_sum *sums = ARENA_ARRAY(a, log_sum, count);
    for (int i = 0; i < count && !x->result; i++)
        if (is_context(x->body, yields[i], &o)) x->result = &r[i];
    if (!x->result) return false;
    x->dim = graph_type(s->graph, x->result->node)->d[0].s;
    x->gives = graph_type(s->graph, x->result->node)->e;
    if (!recognise_rows(a, s, o, x) || (x->other && count > 1)) return false;
    for (int i = 0; i < count; i++) {
        if (&r[i] == x->result) continue;
        if (!attention_log_sum_of(s, x->body, yields[i], x->scores.result, &r[i], &sums[x->log_sum_count++]))
            return false;
    }
    x->log_sums = sums;
    return true;
}

// The one box whose yields are what the body yields.
static const node *find_box(const graph *body, int count, const kernel_result *r, value *yields) {
    value box = VALUE_NONE;
    for (int i = 0; i < count; i++) {
        const node *n = graph_node(body, r[i].yield);
        value of = n->op == OP_result ? n->inputs[0] : r[i].yield;
        if (graph_node(body, of)->op != OP_fuse || (i > 0 && of != box)) return NULL;
        box = of;
        yields[i] = graph_node(body, of)->body->outputs[node_result_index(n)].value;
    }
    return graph_node(body, box);
}

bool attention_recognise(arena *a, const kernel_site *s, attention *out) {
    const node *n = graph_node(s->graph, s->node);
    *out = (attention){0};
    if (n->op != OP_per_sequence) return false;
    int count;
    const kernel_result *r = kernel_results(a, s, &count);
    value *yields = ARENA_ARRAY(a, value, count);
    const node *fuse = find_box(n->body, count, r, yields);
    if (!fuse) return false;
    int bounds = (int)node_attr(n, ATTR_bounds)->u.i;
    value *operands = ARENA_ARRAY(a, value, fuse->input_count + 1);
    for (int i = 0; i < fuse->input_count; i++) {
        if (graph_node(n->body, fuse->inputs[i])->op != OP_param) return false;
        operands[i] = fuse->inputs[i] + bounds;
    }
    out->body = fuse->body;
    out->operands = operands;
    out->row_bounds = bounds == 2;
    return recognise_results(a, s, count, r, yields, out);
}
