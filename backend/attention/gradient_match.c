// Recognises attention's gradient in the body of a per_sequence.
#include "backend/attention/gradient.h"

// The number of these rows among those that products read; -1: there are too many, or they are none.
static int add_rows(gradient *g, const heads *of, bool keys) {
    if (of->as != ELEM_F32 && of->as != ELEM_BF16) return -1;
    for (int i = 0; i < g->row_count; i++)
        if (g->rows[i].keys == keys && attention_same_rows(&g->rows[i].of, of)) return i;
    if (g->row_count == GRADIENT_ROWS) return -1;
    g->rows[g->row_count] = (gradient_rows){.of = *of, .keys = keys};
    g->rows[g->row_count].of.read = ELEM_F32;
    g->rows[g->row_count].of.whole = 1;
    return g->row_count++;
}

static int find_rows(gradient *g, const kernel_site *s, value v, bool turned, bool keys) {
    heads of;
    if (!attention_head_rows(s, &g->x, v, turned, &of) || of.group != 1) return -1;
    if (keys && !dim_eq(of.rows, dim_sym(SYM_L))) return -1;
    return add_rows(g, &of, keys);
}

// --- Sums over pairs

static int add_value(gradient *g, value v) {
    for (int i = 0; i < g->value_count; i++)
        if (g->values[i] == v) return i;
    if (g->value_count == 2) return -1;
    g->values[g->value_count] = v;
    return g->value_count++;
}

static bool turns(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (n->op != OP_transpose || n->type.rank != 3) return false;
    const int64_t *perm = node_attr(n, ATTR_perm)->u.ints;
    return perm[0] == 0 && perm[1] == 2 && perm[2] == 1;
}

// [heads,queries,keys]?
static bool is_pairs(const gradient *g, value v) {
    const type *t = graph_type(g->x.body, v);
    return t->rank == 3 && t->e == ELEM_F32 && dim_eq(t->d[1], g->queries) && dim_eq(t->d[2], dim_sym(SYM_L));
}

// The number of the sum that the product v is, -1: it is none.
static int add_sum(gradient *g, const kernel_site *s, value v) {
    const graph *body = g->x.body;
    const node *n = graph_node(body, v);
    for (int i = 0; i < g->sum_count; i++)
        if (g->sums[i].product == v) return i;
    if (n->op != OP_matmul || n->type.rank != 3 || g->sum_count == GRADIENT_SUMS) return -1;
    value a = n->inputs[0], b = n->inputs[1];
    gradient_sum x = {.product = v};
    // x^T c; (c^T x)^T; x c
    if (turns(body, a) && is_pairs(g, graph_node(body, a)->inputs[0])) {
        x.keys = true;
        x.tile = add_value(g, graph_node(body, a)->inputs[0]);
        x.rows = find_rows(g, s, b, false, false);
    } else if (n->type.d[1].s == SYM_NONE && is_pairs(g, b) && dim_eq(n->type.d[2], dim_sym(SYM_L))) {
        x.keys = true;
        x.tile = add_value(g, b);
        x.rows = find_rows(g, s, a, true, false);
    } else if (is_pairs(g, a)) {
        x.tile = add_value(g, a);
        x.rows = find_rows(g, s, b, false, true);
    } else {
        return -1;
    }
    if (x.tile < 0 || x.rows < 0) return -1;
    g->rows[x.rows].values = true;
    x.width = g->rows[x.rows].of.width;
    g->sums[g->sum_count] = x;
    return g->sum_count++;
}

// --- Results

// The one product that v is made of, through views and ops on rows.
static value product_below(const graph *g, value v) {
    const node *n = graph_node(g, v);
    value found = VALUE_NONE;
    if (n->op == OP_matmul) return v;
    if (!(op_flag_bits(n->op) & (VIEW | POINTWISE)) && n->op != OP_concat) return VALUE_NONE;
    for (int i = 0; i < n->input_count; i++) {
        value below = product_below(g, n->inputs[i]);
        if (below == VALUE_NONE) continue;
        if (found != VALUE_NONE && found != below) return VALUE_NONE;
        found = below;
    }
    return found;
}

// Rows of heads side by side, [rows,width], from `column` on of a result.
static bool add_part(gradient *g, const kernel_site *s, const kernel_result *r, value v, int64_t column) {
    const graph *body = g->x.body;
    const node *merge = graph_node(body, v);
    if (merge->op != OP_reshape || merge->type.rank != 2 || g->part_count == GRADIENT_PARTS) return false;
    const node *turn = graph_node(body, merge->inputs[0]);
    if (turn->op != OP_transpose || turn->type.rank != 3) return false;
    const int64_t *perm = node_attr(turn, ATTR_perm)->u.ints;
    if (!dim_eq(merge->type.d[0], turn->type.d[0]) || perm[1] != 0) return false;
    value of = turn->inputs[0], base = product_below(body, of);
    if (base == VALUE_NONE) return false;
    gradient_part part = {.result = r, .column = column, .made = VALUE_NONE, .sum = add_sum(g, s, base)};
    if (part.sum < 0) return false;
    const gradient_sum *sum = &g->sums[part.sum];
    const type *product = graph_type(body, base);
    bool lies_turned = product->d[1].s == SYM_NONE && sum->keys;
    part.width = turn->type.d[2].n;
    if (of != base) part.made = of;
    if (of != base &&
        (perm[0] != 1 || !attention_makes_rows(body, of, turn->type.d[0], turn->type.d[1].n, base)))
        return false;
    if (of == base && (perm[0] == 2) != lies_turned) return false;
    g->parts[g->part_count++] = part;
    return turn->type.d[1].n == g->x.q.count;
}

static bool add_rows_result(gradient *g, const kernel_site *s, const kernel_result *r, value v) {
    const node *n = graph_node(g->x.body, v);
    int64_t column = 0;
    if (n->type.rank != 2 || n->type.e != ELEM_F32) return false;
    if (n->op != OP_concat) return add_part(g, s, r, v, 0);
    if (node_attr(n, ATTR_axis)->u.i != 1) return false;
    for (int i = 0; i < n->input_count; i++) {
        if (!add_part(g, s, r, n->inputs[i], column)) return false;
        column += graph_type(g->x.body, n->inputs[i])->d[1].n;
    }
    return true;
}

// Sums by the numbers that pairs look up: reduce_sum along the queries of scatter_add_along.
static bool add_table(gradient *g, const kernel_site *s, const kernel_result *r, value v) {
    const graph *body = g->x.body;
    const node *n = graph_node(body, v);
    const type *whole = graph_type(s->graph, r->node);
    while (n->op == OP_reshape) n = graph_node(body, n->inputs[0]);
    if (n->type.e != ELEM_F32 || g->table_count == 2) return false;
    bool single =
        n->op == OP_scatter_add_along && dim_is(n->type.d[1], 1); // of one query there is nothing to sum
    if (n->op != OP_reduce_sum && !single) return false;
    const node *scatter = single ? n : graph_node(body, n->inputs[0]);
    const attr *axes = single ? NULL : node_attr(n, ATTR_axes);
    if (scatter->op != OP_scatter_add_along || scatter->type.rank != 3) return false;
    if (axes && (axes->n != 1 || axes->u.ints[0] != 1)) return false;
    int64_t width = scatter->type.d[2].n, count = g->x.q.count;
    if (!is_pairs(g, scatter->inputs[0]) || scatter->type.d[2].s != SYM_NONE || whole->rank < 2) return false;
    if (!dim_eq(whole->d[0], dim_sym(SYM_S)) || !dim_is(whole->d[whole->rank - 1], width)) return false;
    g->pair_sums[g->table_count] = (pair_sum){.v = scatter->inputs[0], .ids = scatter->inputs[1], .n = width};
    g->tables[g->table_count++] = (gradient_table){.result = r, .stride = r->ld, .ld = r->ld * count};
    int64_t between = 1;
    for (int i = 1; i < whole->rank - 1; i++) between *= whole->d[i].n;
    return between == count;
}

// --- The ops on pairs

// Is v 0 wherever p is?
static bool vanishes(const graph *g, value v, value p) {
    const node *n = graph_node(g, v);
    double x;
    if (v == p || (value_is_scalar(g, v, &x) && x == 0)) return true;
    if (n->op == OP_mul) return vanishes(g, n->inputs[0], p) || vanishes(g, n->inputs[1], p);
    if (n->op == OP_div || n->op == OP_neg) return vanishes(g, n->inputs[0], p);
    if (n->op == OP_select) return vanishes(g, n->inputs[1], p) && vanishes(g, n->inputs[2], p);
    return false;
}

// Finds the scores, less their log-sum-exp in the one exponential, whose hidden ones make a block of no use.
static void find_hidden(gradient *g) {
    const graph *body = g->x.body;
    value p = VALUE_NONE;
    int count = 0;
    for (value v = 0; v < body->count; v++)
        if (graph_node(body, v)->op == OP_exp) p = v, count++;
    const node *less = count == 1 ? graph_node(body, graph_node(body, p)->inputs[0]) : NULL;
    if (!less || less->op != OP_sub) return;
    g->x.scores.result = less->inputs[0];
    g->hides = attention_hides(&g->x);
    for (int i = 0; i < g->value_count; i++) g->hides &= vanishes(body, g->values[i], p);
    for (int i = 0; i < g->table_count; i++) g->hides &= vanishes(body, g->pair_sums[i].v, p);
}

static bool pairs_fit(const gradient *g) {
    const score_ops *o = &g->x.scores;
    for (int i = 0; i < o->table_count; i++)
        if (o->tables[i].product) return false;
    for (int i = 0; i < o->row_count; i++)
        for (int k = 0; k <= o->rows[i].summed; k++) {
            const heads *h = &o->rows[i].of[k];
            if (!dim_eq(h->rows, g->queries) || h->count != g->x.q.count || h->group != 1) return false;
            if (h->as != ELEM_F32 || h->width != o->rows[i].of[0].width) return false;
        }
    return (!o->drawn_count || dim_eq(o->drawn[0].row_count, g->queries)) && attention_leaves_fit(&g->x);
}

static bool find_pairs(arena *a, gradient *g, const kernel_site *s) {
    value results[6];
    int n = 0;
    score_ops *o = &g->x.scores;
    *o = (score_ops){.body = g->x.body, .anchor_most = 2};
    for (int i = 0; i < g->value_count; i++) results[n++] = g->values[i];
    for (int i = 0; i < g->table_count; i++)
        results[n++] = g->pair_sums[i].v, results[n++] = g->pair_sums[i].ids;
    if (!attention_collect_pairs(a, s, &g->x, n, results) || !o->anchor_count) return false;
    for (int i = 0; i < o->anchor_count; i++) {
        const node *product = graph_node(g->x.body, o->anchors[i]);
        g->left[i] = find_rows(g, s, product->inputs[0], false, false);
        g->right[i] = find_rows(g, s, product->inputs[1], true, true);
        if (g->left[i] < 0 || g->right[i] < 0 || !is_pairs(g, o->anchors[i])) return false;
        if (g->rows[g->left[i]].of.width != g->rows[g->right[i]].of.width) return false;
        g->rows[g->right[i]].columns = true;
    }
    g->tile_count = o->anchor_count > g->value_count ? o->anchor_count : g->value_count;
    for (int i = 0; i < g->row_count; i++) {
        const gradient_rows *r = &g->rows[i];
        if (r->of.count != g->x.q.count || !dim_eq(r->of.rows, r->keys ? dim_sym(SYM_L) : g->queries))
            return false;
    }
    return pairs_fit(g);
}

// The first product of pairs says how many heads and queries there are.
static bool find_shape(gradient *g) {
    const graph *body = g->x.body;
    bool has_exp = false;
    for (value v = 0; v < body->count; v++) {
        op o = graph_node(body, v)->op;
        if (o == OP_softmax) return false;
        has_exp |= o == OP_exp;
    }
    for (value v = 0; has_exp && v < body->count; v++) {
        const node *n = graph_node(body, v);
        if (n->op != OP_matmul || n->type.rank != 3 || !dim_eq(n->type.d[2], dim_sym(SYM_L))) continue;
        if (n->type.d[0].s != SYM_NONE) return false;
        g->queries = n->type.d[1];
        g->x.q = (heads){.rows = g->queries, .count = n->type.d[0].n, .producer = VALUE_NONE, .group = 1};
        bool all = dim_eq(g->queries, dim_sym(SYM_L)), one = dim_is(g->queries, 1),
             some = dim_eq(g->queries, dim_sym(SYM_Q)) && g->x.row_bounds;
        g->x.dim = all ? SYM_T : one ? SYM_S : SYM_R;
        return all || one || some;
    }
    return false;
}

bool gradient_recognise(arena *a, const kernel_site *s, gradient *g) {
    int count;
    const value *yields;
    *g = (gradient){0};
    const kernel_result *r = attention_open_box(a, s, &g->x, &count, &yields);
    if (!r || !find_shape(g)) return false;
    for (int i = 0; i < count; i++)
        if (!add_table(g, s, &r[i], yields[i]) && !add_rows_result(g, s, &r[i], yields[i])) return false;
    if (!g->sum_count || !find_pairs(a, g, s)) return false;
    find_hidden(g);
    return true;
}
