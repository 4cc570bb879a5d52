// The ops between the first product of attention and its softmax: scale, bias by distance, windows, tables
// that are looked up by a pair's numbers. Arithmetic with scalars is the product's epilogue. Other ops are
// a pass over the tile of scores, which lies in L1:
//
//   score[i,j] = f(sum[i,j], numbers of query i, numbers of key j, rows looked up)
//
// The body's axes are (head, query, key). A transposition exchanges the last two, so a value whose rows are
// keys is computed `transposed`.
#include "backend/attention/attention.h"

// --- Collection

typedef struct collector {
    const kernel_site *s;
    attention *x;
    bool *seen[2]; // transposed or not
    bool pairs;    // are numbers for rows and heads, drawn numbers and a seed's known here?
} collector;

static bool swaps_last_axes(const node *n) {
    const attr *perm = node_attr(n, ATTR_perm);
    int r = n->type.rank;
    if (n->op != OP_transpose || r < 2) return false;
    for (int i = 0; i < r - 2; i++)
        if (perm->u.ints[i] != i) return false;
    return perm->u.ints[r - 2] == r - 1;
}

static bool is_pointwise(const node *n) {
    const type *t = &n->type;
    return (op_flag_bits(n->op) & POINTWISE) && (t->e == ELEM_F32 || t->e == ELEM_I32 || t->e == ELEM_I1);
}

// A param of one axis as a column or a row: whose numbers they are. Those of chosen rows, or of one, can only
// be the queries'.
static side side_of(const graph *g, const node *n, bool transposed) {
    if (!dim_eq(graph_type(g, n->inputs[0])->d[0], dim_sym(SYM_L))) return SIDE_QUERY;
    bool last = !dim_is(n->type.d[n->type.rank - 1], 1);
    return last != transposed ? SIDE_KEY : SIDE_QUERY;
}

int attention_leaf(const attention *x, const node *n, bool transposed) {
    side of = side_of(x->body, n, transposed);
    for (int i = 0; i < x->scores.leaf_count; i++) {
        const score_leaf *l = &x->scores.leaves[i];
        if (l->operand == x->operands[n->inputs[0]] && l->side == of) return i;
    }
    return -1;
}

static bool add_leaf(const collector *c, const node *n, bool transposed) {
    score_ops *x = &c->x->scores;
    const type *from = graph_type(x->body, n->inputs[0]);
    int r = n->type.rank, wide = 0;
    if (graph_node(x->body, n->inputs[0])->op != OP_param || from->rank != 1 || r < 2) return false;
    if (from->e != ELEM_I32 && from->e != ELEM_F32) return false;
    for (int i = 0; i < r; i++) wide += !dim_is(n->type.d[i], 1) ? (i < r - 2 ? 2 : 1) : 0;
    if (wide > 1) return false;
    if (attention_leaf(c->x, n, transposed) >= 0) return true;
    if (x->leaf_count == SCORE_MOST) return false;
    x->leaves[x->leaf_count++] = (score_leaf){.operand = c->x->operands[n->inputs[0]],
                                              .side = side_of(x->body, n, transposed),
                                              .e = from->e,
                                              .rows = from->d[0]};
    return true;
}

// A table [..,n] that is the same for all queries and keys: one for each head, or one for all heads.
static bool lone_table(const collector *c, const node *n, score_table *out) {
    const node *table = graph_node(c->x->body, n->inputs[0]);
    const type *t = &table->type;
    if (table->op != OP_param || t->layout != LAYOUT_ROW || t->rank < 1 || t->rank > 3) return false;
    if (t->e != ELEM_F32 && t->e != ELEM_I32) return false;
    for (int i = 0; i < t->rank; i++)
        if (t->d[i].s != SYM_NONE || t->d[i].n < 1) return false;
    if (t->rank > 1 && !dim_is(t->d[t->rank - 2], 1)) return false;
    out->e = t->e;
    out->n = t->d[t->rank - 1].n;
    out->operand = c->x->operands[n->inputs[0]];
    out->stride = t->rank == 3 && t->d[0].n > 1 ? attention_ld(c->s, out->operand) : 0;
    return true;
}

// A product of queries or keys [heads,L,d] with the rows of an operand: [heads,d,n], or [d,n] for all heads.
static bool product_table(const collector *c, const node *n, score_table *out) {
    const graph *g = c->x->body;
    const node *product = graph_node(g, n->inputs[0]);
    if (product->op != OP_matmul || product->type.rank != 3) return false;
    head_view all;
    if (attention_as_heads(g, product->inputs[1], 2, 1, &out->of)) {
        out->of.operand = c->x->operands[out->of.operand];
    } else if (attention_view_of(g, product->inputs[1], &all) && all.rank == 2 && !all.axes[0].row &&
               all.axes[0].stride == 1) {
        out->of = (heads){.operand = c->x->operands[all.param],
                          .e = all.e,
                          .as = graph_type(g, product->inputs[1])->e,
                          .rows = all.axes[1].size,
                          .column = all.column,
                          .count = product->type.d[0].n,
                          .width = all.axes[0].size.n,
                          .group = 1,
                          .producer = VALUE_NONE};
    } else {
        return false;
    }
    const type *t =
        &graph_node(c->s->graph, graph_node(c->s->graph, c->s->node)->inputs[out->of.operand])->type;
    if (out->of.rows.s != SYM_NONE || t->layout != LAYOUT_ROW) return false;
    out->product = true;
    out->left = product->inputs[0];
    out->e = ELEM_F32;
    out->n = out->of.rows.n;
    out->of.ld = attention_ld(c->s, out->of.operand);
    out->ld = (ceil_div(out->n, PANEL_COLUMNS) | 1) * PANEL_COLUMNS;
    return out->ld * c->s->variant->length < INT32_MAX / 8; // lanes address it by i32
}

// One number for each head, f32[heads,1,1]: a table of one element.
static bool add_head_number(const collector *c, value v, bool transposed) {
    score_ops *x = &c->x->scores;
    const node *n = graph_node(x->body, v);
    const type *t = &n->type;
    if (x->table_count == SCORE_MOST || t->e != ELEM_F32 || t->rank != 3 || t->layout != LAYOUT_ROW ||
        t->d[0].s != SYM_NONE || !dim_is(t->d[1], 1) || !dim_is(t->d[2], 1))
        return false;
    x->tables[x->table_count++] =
        (score_table){.gather = v,
                      .transposed = transposed,
                      .e = ELEM_F32,
                      .n = 1,
                      .operand = c->x->operands[v],
                      .stride = t->d[0].n > 1 ? attention_ld(c->s, c->x->operands[v]) : 0};
    return true;
}

static bool add_table(const collector *c, value v, bool transposed) {
    score_ops *x = &c->x->scores;
    const node *n = graph_node(x->body, v);
    score_table t = {.gather = v, .transposed = transposed};
    if (x->table_count == SCORE_MOST || (!lone_table(c, n, &t) && !product_table(c, n, &t))) return false;
    x->tables[x->table_count++] = t;
    return true;
}

int attention_table(const score_ops *x, value v, bool transposed) {
    int i = 0;
    while (x->tables[i].gather != v || x->tables[i].transposed != transposed) i++;
    return i;
}

// A number for each row and head, [heads,rows,1]: of an operand [rows,heads], or the sum of the products of two rows.
static bool add_row_number(const collector *c, value v) {
    score_ops *x = &c->x->scores;
    const graph *g = x->body;
    const node *n = graph_node(g, v);
    row_number r = {.v = v};
    if (!c->pairs || n->type.rank != 3 || !dim_is(n->type.d[2], 1) || x->row_count == 2) return false;
    if (n->op == OP_reduce_sum) {
        const node *product = graph_node(g, n->inputs[0]);
        const attr *axes = node_attr(n, ATTR_axes);
        if (product->op != OP_mul || axes->n != 1 || axes->u.ints[0] != 2) return false;
        r.summed = true;
        for (int i = 0; i < 2; i++)
            if (!attention_head_rows(c->s, c->x, product->inputs[i], false, &r.of[i]) ||
                r.of[i].producer != VALUE_NONE || r.of[i].e != ELEM_F32)
                return false;
    } else {
        if (!attention_as_heads(g, v, 1, 2, &r.of[0]) || r.of[0].e != ELEM_F32) return false;
        if (!attention_head_rows(c->s, c->x, v, false, &r.of[0])) return false;
    }
    x->rows[x->row_count++] = r;
    return true;
}

// random [rows,heads,keys] with its first two axes exchanged.
static bool add_drawn(const collector *c, value v) {
    score_ops *x = &c->x->scores;
    const graph *g = x->body;
    const node *n = graph_node(g, v), *random = graph_node(g, n->inputs[0]);
    const attr *perm = node_attr(n, ATTR_perm);
    if (!c->pairs || random->op != OP_random || random->type.rank != 3 || x->drawn_count == 1) return false;
    if (perm->u.ints[0] != 1 || perm->u.ints[1] != 0) return false;
    for (int i = 0; i < 2; i++)
        if (graph_node(g, random->inputs[i])->op != OP_param) return false;
    x->drawn[x->drawn_count++] = (drawn_pairs){.v = v,
                                               .seed = c->x->operands[random->inputs[0]],
                                               .rows = c->x->operands[random->inputs[1]],
                                               .row_count = random->type.d[0],
                                               .stream = node_attr(random, ATTR_stream)->u.i};
    return true;
}

bool attention_is_number(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (value_is_scalar(g, v, NULL)) return true;
    for (int i = 0; i < n->type.rank; i++)
        if (!dim_is(n->type.d[i], 1)) return false;
    if (n->op == OP_slice) {
        const node *p = graph_node(g, n->inputs[0]);
        return p->op == OP_param && p->type.rank == 1 && p->type.d[0].s == SYM_NONE &&
               (p->type.e == ELEM_I32 || p->type.e == ELEM_F32);
    }
    if (n->op != OP_reshape && n->op != OP_broadcast && !is_pointwise(n)) return false;
    for (int i = 0; i < n->input_count; i++)
        if (!attention_is_number(g, n->inputs[i])) return false;
    return n->input_count > 0;
}

static bool is_anchor(const score_ops *x, value v) {
    for (int i = 0; i < x->anchor_count; i++)
        if (x->anchors[i] == v) return true;
    return false;
}

static bool collect_score_ops(const collector *c, value v, bool transposed) {
    score_ops *x = &c->x->scores;
    const graph *g = x->body;
    const node *n = graph_node(g, v);
    if (c->seen[transposed][v] || value_is_scalar(g, v, NULL)) return true;
    c->seen[transposed][v] = true;
    if (is_anchor(x, v)) return !transposed;
    if (n->op == OP_matmul) {
        if (transposed || n->type.rank != 3 || x->anchor_count == x->anchor_most) return false;
        x->anchors[x->anchor_count++] = v;
        return true;
    }
    if (c->pairs && attention_is_number(g, v)) return true;
    if (!transposed && add_row_number(c, v)) return true;
    if (n->op == OP_param) return add_head_number(c, v, transposed);
    if (n->op == OP_reshape) return add_leaf(c, n, transposed);
    if (n->op == OP_iota) return n->type.e == ELEM_I32 && node_attr(n, ATTR_axis)->u.i >= n->type.rank - 2;
    if (n->op == OP_transpose && !swaps_last_axes(n)) return !transposed && add_drawn(c, v);
    if (n->op == OP_transpose) return collect_score_ops(c, n->inputs[0], !transposed);
    if (n->op == OP_broadcast) return collect_score_ops(c, n->inputs[0], transposed);
    if (n->op == OP_gather_along)
        return collect_score_ops(c, n->inputs[1], transposed) && add_table(c, v, transposed);
    if (!is_pointwise(n)) return false;
    for (int i = 0; i < n->input_count; i++)
        if (!collect_score_ops(c, n->inputs[i], transposed)) return false;
    return true;
}

// The scores as the product's epilogue: from the product through ops with scalars.
static bool collect_plain(const kernel_site *s, score_ops *x) {
    const graph *g = x->body;
    value v = x->result;
    while (graph_node(g, v)->op != OP_matmul) {
        const node *n = graph_node(g, v);
        if (!(op_flag_bits(n->op) & POINTWISE)) return false;
        v = n->inputs[value_is_scalar(g, n->inputs[0], NULL) && n->input_count > 1];
    }
    x->anchors[0] = v;
    x->anchor_count = 1;
    return epilogue_collect(s, g, NULL, v, x->result, 0, NULL, &x->plain);
}

bool attention_collect_scores(arena *a, const kernel_site *s, attention *x) {
    score_ops *y = &x->scores;
    if (collect_plain(s, y)) return true;
    y->plain = (epilogue){0};
    y->anchor_count = 0;
    y->anchor_most = 1;
    y->separate_pass = true;
    collector c = {.s = s, .x = x};
    for (int i = 0; i < 2; i++) c.seen[i] = ARENA_ARRAY(a, bool, y->body->count);
    return collect_score_ops(&c, y->result, false) && y->anchor_count == 1;
}

bool attention_collect_pairs(arena *a, const kernel_site *s, attention *x, int count, const value *results) {
    collector c = {.s = s, .x = x, .pairs = true};
    x->scores.separate_pass = true;
    for (int i = 0; i < 2; i++) c.seen[i] = ARENA_ARRAY(a, bool, x->scores.body->count);
    for (int i = 0; i < count; i++)
        if (!collect_score_ops(&c, results[i], false)) return false;
    return true;
}

bool attention_collect_condition(arena *a, const kernel_site *s, attention *x) {
    collector c = {.s = s, .x = x};
    for (int i = 0; i < 2; i++) c.seen[i] = ARENA_ARRAY(a, bool, x->body->count);
    if (graph_type(x->body, x->scores.result)->e != ELEM_I1 ||
        !collect_score_ops(&c, x->scores.result, false))
        return false;
    for (int i = 0; i < x->scores.leaf_count; i++)
        if (x->scores.leaves[i].side == SIDE_KEY) return false;
    return x->scores.anchor_count == 0 && x->scores.table_count == 0 &&
           dim_is(graph_type(x->body, x->scores.result)->d[graph_type(x->body, x->scores.result)->rank - 1],
                  1);
}
