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

static bool fits(const attention *x, const heads *h) {
    return h->count * h->group == x->q.count && dim_eq(h->rows, dim_sym(SYM_L));
}

bool attention_leaves_fit(const attention *x) {
    for (int i = 0; i < x->scores.leaf_count; i++) {
        const score_leaf *l = &x->scores.leaves[i];
        if (!dim_eq(l->rows, l->side == SIDE_KEY ? dim_sym(SYM_L) : x->q.rows)) return false;
    }
    return true;
}

// The left operands of products that are looked up are the queries, or the keys.
static bool tables_fit(const kernel_site *s, const attention *x) {
    for (int i = 0; i < x->scores.table_count; i++) {
        const score_table *t = &x->scores.tables[i];
        const heads *own = t->transposed ? &x->k : &x->q;
        heads left;
        if (!t->product) continue;
        if (!attention_head_rows(s, x, t->left, false, &left)) return false;
        if (!attention_same_rows(&left, own) || t->of.width != own->width || t->of.count != x->q.count ||
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
           x->q.width == x->k.width && attention_leaves_fit(x) && tables_fit(s, x);
}

// Is v zero, or what a select gives where it shows no probability?
static bool is_zero(const graph *g, value v) {
    double number;
    return value_is_scalar(g, v, &number) && number == 0;
}

// The softmax before ops that are linear in its probabilities: v, or what drops some of them. VALUE_NONE: there is none.
static value before_drop(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (n->op == OP_softmax) return v;
    if (n->type.rank != 3 || n->type.e != ELEM_F32) return VALUE_NONE;
    if ((n->op == OP_mul || n->op == OP_div) && attention_is_number(g, n->inputs[1]))
        return before_drop(g, n->inputs[0]);
    if (n->op != OP_select) return VALUE_NONE;
    return is_zero(g, n->inputs[2])   ? before_drop(g, n->inputs[1])
           : is_zero(g, n->inputs[1]) ? before_drop(g, n->inputs[2])
                                      : VALUE_NONE;
}

// From the softmax to the probabilities that the values are multiplied by.
static bool recognise_drop(arena *a, const kernel_site *s, value softmax, value dropped, attention *x) {
    x->drop = ARENA_NEW(a, attention);
    *x->drop = *x;
    x->drop->drop = NULL;
    x->drop->scores =
        (score_ops){.body = x->body, .anchors = {softmax}, .anchor_count = 1, .result = dropped};
    if (!attention_collect_pairs(a, s, x->drop, 1, &dropped)) return false;
    const score_ops *d = &x->drop->scores;
    return d->leaf_count == 0 && d->table_count == 0 && d->row_count == 0;
}

// softmax(scores) v: [heads,rows,width]; the probabilities may be rounded to bf16, or some of them dropped.
static bool recognise_product(arena *a, const kernel_site *s, value v, attention *x) {
    const graph *g = x->body;
    const node *product = graph_node(g, v);
    if (product->op != OP_matmul) return false;
    value dropped = product->inputs[0];
    const node *last = graph_node(g, dropped);
    bool rounds = last->op == OP_cast && last->type.e == ELEM_BF16;
    value p = before_drop(g, rounds ? last->inputs[0] : dropped);
    if (p == VALUE_NONE || (rounds && p != last->inputs[0])) return false;
    x->scores.body = g;
    x->scores.result = graph_node(g, p)->inputs[0];
    if (!attention_collect_scores(a, s, x)) return false;
    const node *dots = graph_node(g, x->scores.anchors[0]);
    if (!attention_head_rows(s, x, dots->inputs[0], false, &x->q) ||
        !attention_head_rows(s, x, dots->inputs[1], true, &x->k) ||
        !attention_head_rows(s, x, product->inputs[1], false, &x->v) || !parts_fit(s, x))
        return false;
    if (rounds || p == dropped) return true;
    return x->v.as == ELEM_F32 && recognise_drop(a, s, p, dropped, x) &&
           dim_eq(x->drop->scores.drawn_count ? x->drop->scores.drawn[0].row_count : x->q.rows, x->q.rows);
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
    x->chooser->scores = (score_ops){.body = g, .result = choice->inputs[0]};
    if (!recognise_product(a, s, choice->inputs[1], x->other) ||
        !recognise_product(a, s, choice->inputs[2], x))
        return false;
    x->chooser->q = x->q;
    return x->other->q.count == x->q.count && x->other->v.width == x->v.width &&
           attention_collect_condition(a, s, x->chooser) && attention_leaves_fit(x->chooser);
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

const kernel_result *attention_open_box(arena *a, const kernel_site *s, attention *x, int *count,
                                        const value **yields) {
    const node *n = graph_node(s->graph, s->node);
    *x = (attention){0};
    if (n->op != OP_per_sequence) return NULL;
    const kernel_result *r = kernel_results(a, s, count);
    value *of_box = ARENA_ARRAY(a, value, *count);
    const node *fuse = find_box(n->body, *count, r, of_box);
    if (!fuse) return NULL;
    int bounds = (int)node_attr(n, ATTR_bounds)->u.i;
    value *operands = ARENA_ARRAY(a, value, fuse->input_count + 1);
    for (int i = 0; i < fuse->input_count; i++) {
        if (graph_node(n->body, fuse->inputs[i])->op != OP_param) return NULL;
        operands[i] = fuse->inputs[i] + bounds;
    }
    x->body = fuse->body;
    x->operands = operands;
    x->row_bounds = bounds == 2;
    *yields = of_box;
    return r;
}

bool attention_recognise(arena *a, const kernel_site *s, attention *out) {
    int count;
    const value *yields;
    const kernel_result *r = attention_open_box(a, s, out, &count, &yields);
    return r && recognise_results(a, s, count, r, yields, out);
}
