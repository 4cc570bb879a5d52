// Attention's softmax, computed again from the log-sum-exp of its rows.
//
//   forward     %p = softmax %s                          [h,L,L]
//               %o = matmul (drop %p), %v                drop: pointwise, linear in %p
//               yield reshape (transpose %o), %l         %l: the log-sum-exp of %s's rows, [L,h], a second result
//   gradient    %p = exp (sub %s, %l)
//               sum (dp * p) along a row = sum (do * o)  what softmax's rule subtracts
//
// So no sum in the gradient's body runs along a row of scores, and blocks of scores can be computed separately
// (FlashAttention-2, arXiv 2307.08691). If all keys of a row are hidden, all its scores are the same number, and the
// log-sum-exp does not say how many there are. So a body that may have such rows keeps its softmax.
#include "passes/differentiate/differentiate.h"

#include <string.h>

// The number of reads of v in the graph, yields counted in, up to node `count`; *reader is the last one.
static int reads(const graph *g, int count, value v, value *reader) {
    int n = 0;
    for (value u = v + 1; u < count; u++)
        for (int i = 0; i < graph_node(g, u)->input_count; i++)
            if (graph_node(g, u)->inputs[i] == v) n++, *reader = u;
    for (int i = 0; i < g->output_count; i++) n += g->outputs[i].value == v;
    return n;
}

static bool is_zero(const graph *g, value v) {
    double x;
    return value_is_scalar(g, v, &x) && x == 0;
}

// Is node u linear in its operand v, and 0 where that is?
static bool is_linear(const graph *g, value u, value v) {
    const node *n = graph_node(g, u);
    if (!type_same_shape(&n->type, graph_type(g, v))) return false;
    if (n->op == OP_mul) return n->inputs[0] != n->inputs[1];
    if (n->op == OP_div) return n->inputs[0] == v && n->inputs[1] != v;
    if (n->op != OP_select || n->inputs[0] == v) return false;
    return (n->inputs[1] == v && is_zero(g, n->inputs[2])) || (n->inputs[2] == v && is_zero(g, n->inputs[1]));
}

// The product that the softmax leads to, through linear ops that nothing else reads; VALUE_NONE: there is none.
static value product_behind(const graph *g, int count, value softmax) {
    value v = softmax, u = VALUE_NONE;
    while (reads(g, count, v, &u) == 1 && u != VALUE_NONE) {
        const node *n = graph_node(g, u);
        if (n->op == OP_matmul) return n->inputs[0] == v && n->type.rank == 3 ? u : VALUE_NONE;
        if (!is_linear(g, u, v)) return VALUE_NONE;
        v = u, u = VALUE_NONE;
    }
    return VALUE_NONE;
}

// Is yield 0 the rows of heads of v, side by side?
static bool yields_heads(const graph *g, value v) {
    const node *rows = graph_node(g, g->outputs[0].value);
    if (rows->op != OP_reshape || rows->type.rank != 2) return false;
    const node *turned = graph_node(g, rows->inputs[0]);
    if (turned->op != OP_transpose || turned->inputs[0] != v) return false;
    const int64_t *perm = node_attr(turned, ATTR_perm)->u.ints;
    return perm[0] == 1 && perm[1] == 0 && perm[2] == 2 && dim_eq(rows->type.d[0], turned->type.d[0]);
}

// --- Does each row see a key? Looked for where a query meets its own key: on the diagonal.

// Scores up to this are hidden.
#define HIDDEN (-1e30)

static value without_views(const graph *g, value v) {
    while (op_flag_bits(graph_node(g, v)->op) & VIEW) v = graph_node(g, v)->inputs[0];
    return v;
}

// Are both the same number there: of one param's rows, or counted?
static bool same_number(const graph *g, value a, value b) {
    value x = without_views(g, a), y = without_views(g, b);
    const node *m = graph_node(g, x), *n = graph_node(g, y);
    if (m->op == OP_iota && n->op == OP_iota)
        return dim_eq(m->type.d[node_attr(m, ATTR_axis)->u.i], n->type.d[node_attr(n, ATTR_axis)->u.i]);
    return x == y && m->op == OP_param && m->type.rank == 1 && dim_eq(m->type.d[0], dim_sym(SYM_L));
}

// The number that v is there; false: it is not known.
static bool on_diagonal(const graph *g, value v, double *x) {
    const node *n = graph_node(g, v);
    double a, b;
    if (value_is_scalar(g, v, x)) return true;
    if (op_flag_bits(n->op) & VIEW) return on_diagonal(g, n->inputs[0], x);
    if (n->op == OP_sub && same_number(g, n->inputs[0], n->inputs[1])) return *x = 0, true;
    if (n->op != OP_sub && n->op != OP_neg && n->op != OP_maximum && n->op != OP_add && n->op != OP_cast)
        return false;
    if (!on_diagonal(g, n->inputs[0], &a)) return false;
    if (n->op == OP_cast) return *x = a, true;
    if (n->op == OP_neg) return *x = -a, true;
    if (!on_diagonal(g, n->inputs[1], &b)) return false;
    *x = n->op == OP_sub ? a - b : n->op == OP_add ? a + b : a > b ? a : b;
    return true;
}

// What a comparison gives there: 0 or 1; -1: it is not known.
static int holds_there(const graph *g, value v) {
    const node *n = graph_node(g, v);
    double a = 0, b = 0;
    if (op_flag_bits(n->op) & VIEW) return holds_there(g, n->inputs[0]);
    if (n->op != OP_compare) return -1;
    bool same = same_number(g, n->inputs[0], n->inputs[1]);
    if (!same && (!on_diagonal(g, n->inputs[0], &a) || !on_diagonal(g, n->inputs[1], &b))) return -1;
    const char *word = node_attr(n, ATTR_predicate)->u.name;
    if (!strcmp(word, "eq") || !strcmp(word, "ne")) return (a == b) == (word[0] == 'e');
    return (word[1] == 'e' && a == b) || (word[0] == 'l' ? a < b : a > b);
}

// Is a score surely shown there?
static bool shows_own_key(const graph *g, value v) {
    const node *n = graph_node(g, v);
    double x;
    if (value_is_scalar(g, v, &x)) return x > HIDDEN;
    if (n->op == OP_matmul || n->op == OP_param || n->op == OP_gather_along || n->op == OP_iota) return true;
    if (n->op == OP_select) {
        int which = holds_there(g, n->inputs[0]);
        bool first = which != 0, second = which != 1;
        return (!first || shows_own_key(g, n->inputs[1])) && (!second || shows_own_key(g, n->inputs[2]));
    }
    for (int i = 0; i < n->input_count; i++)
        if (!shows_own_key(g, n->inputs[i])) return false;
    return true;
}

bool kept_softmax_find(const tape *inner, kept_softmax *k) {
    const graph *g = inner->from;
    int found = 0;
    for (value v = 0; v < inner->count; v++) {
        const node *n = graph_node(g, v);
        if (n->op != OP_softmax || !inner->reaches[v] || n->type.rank != 3 || n->type.e != ELEM_F32) continue;
        value product = product_behind(g, inner->count, v), reader;
        if (!shows_own_key(g, n->inputs[0])) continue;
        if (product == VALUE_NONE || !yields_heads(g, product)) continue;
        if (reads(g, inner->count, product, &reader) != 1) continue;
        *k = (kept_softmax){.softmax = v, .context = product};
        found++;
    }
    return found == 1;
}

// [h,L,1] as [L,h], and back.
static value as_rows(graph *g, value v) {
    const dim d[] = {graph_type(g, v)->d[1], graph_type(g, v)->d[0]};
    return graph_reshape(g, graph_transpose(g, v, 3, (int64_t[]){1, 0, 2}), 2, d);
}

static value as_heads(graph *g, value v, dim heads, dim width) {
    const dim d[] = {graph_type(g, v)->d[0], heads, width};
    return graph_transpose(g, graph_reshape(g, v, 3, d), 3, (int64_t[]){1, 0, 2});
}

// The log-sum-exp of s along its last axis.
static value log_sum_exp(graph *g, value s) {
    tape t = {.to = g};
    value most = build_reduce_last(&t, OP_reduce_max, s);
    value sum = build_reduce_last(&t, OP_reduce_sum, build_op(&t, OP_exp, build_sub(&t, s, most)));
    return build_add(&t, most, build_op(&t, OP_log, sum));
}

value kept_softmax_yield(tape *outer, value v, const kept_softmax *k) {
    value region = outer->map[v];
    graph *body = graph_node(outer->to, region)->body;
    value scores = graph_node(body, k->softmax)->inputs[0];
    value sum = log_sum_exp(body, scores);
    graph_output_add(body, NULL, as_rows(body, sum));
    return graph_result(outer->to, region, body->output_count - 1);
}

void kept_softmax_open(tape *inner, kept_softmax k, value log_sum, value context) {
    const type *t = graph_type(inner->from, k.context);
    k.log_sum = as_heads(inner->to, log_sum, t->d[0], dim_num(1));
    k.rows = as_heads(inner->to, context, t->d[0], t->d[2]);
    inner->kept = k;
}

value kept_softmax_again(const tape *t, value scores) {
    return graph_op1(t->to, OP_exp, graph_op2(t->to, OP_sub, scores, t->kept.log_sum));
}

value kept_softmax_along(tape *t) {
    return build_reduce_last(t, OP_reduce_sum, build_mul(t, t->gradient[t->kept.context], t->kept.rows));
}
