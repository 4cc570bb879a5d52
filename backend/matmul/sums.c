#include "backend/matmul/sums.h"

value product_anchor(const graph *body) {
    value anchor = VALUE_NONE;
    for (value v = 0; v < body->count; v++) {
        if (graph_node(body, v)->op != OP_matmul) continue;
        if (anchor != VALUE_NONE) return VALUE_NONE;
        anchor = v;
    }
    return anchor;
}

bool product_operands(const graph *body, value anchor, int *x, int *w, bool *widens) {
    const node *a = graph_node(body, anchor);
    const node *right = graph_node(body, a->inputs[1]);
    *widens = right->op == OP_cast && right->type.e == ELEM_F32;
    *x = a->inputs[0];
    *w = *widens ? right->inputs[0] : a->inputs[1];
    return graph_node(body, *x)->op == OP_param && graph_node(body, *w)->op == OP_param;
}

// The one node that reads v; VALUE_NONE where there is none, or several, or where the body yields v.
static value only_reader(const graph *body, value v) {
    value reader = VALUE_NONE;
    for (int i = 0; i < body->output_count; i++)
        if (body->outputs[i].value == v) return VALUE_NONE;
    for (value u = v + 1; u < body->count; u++) {
        const node *n = graph_node(body, u);
        for (int i = 0; i < n->input_count; i++) {
            if (n->inputs[i] != v) continue;
            if (reader != VALUE_NONE) return VALUE_NONE;
            reader = u;
        }
    }
    return reader;
}

// The reader of v if it is an `o`.
static value read_by(const graph *body, value v, op o) {
    value u = v == VALUE_NONE ? v : only_reader(body, v);
    return u != VALUE_NONE && graph_node(body, u)->op == o ? u : VALUE_NONE;
}

static value other_input(const graph *body, value u, value v) {
    const node *n = graph_node(body, u);
    return n->inputs[n->inputs[0] == v];
}

// A value of that type whose axes are these, given by the op `o`, or a param.
static bool is_given(const graph *body, value v, op o, elem e, int rank, const dim *axes) {
    const node *n = graph_node(body, v);
    if ((n->op != OP_param && n->op != o) || n->type.e != e || n->type.rank != rank ||
        n->type.layout != LAYOUT_ROW)
        return false;
    for (int i = 0; i < rank; i++)
        if (!dim_eq(n->type.d[i], axes[i])) return false;
    return true;
}

// v times the scales; of groups they are reshaped.
static value scaled(const graph *body, value v, product_sums *x) {
    const type *t = graph_type(body, x->anchor);
    const dim scales[] = {t->d[0], dim_num(x->groups)};
    value u = read_by(body, v, OP_mul);
    if (u == VALUE_NONE) return u;
    x->scales = other_input(body, u, v);
    if (t->rank == 3) {
        const node *n = graph_node(body, x->scales);
        if (n->op != OP_reshape || n->type.rank != 3 || !dim_is(n->type.d[2], 1)) return VALUE_NONE;
        x->scales = n->inputs[0];
    }
    return is_given(body, x->scales, OP_scales, ELEM_F32, 2, scales) ? u : VALUE_NONE;
}

static bool added_up(const graph *body, value v, product_sums *x) {
    value sum = read_by(body, v, OP_reduce_sum);
    const attr *axes = sum == VALUE_NONE ? NULL : node_attr(graph_node(body, sum), ATTR_axes);
    if (!axes || axes->n != 1 || axes->u.ints[0] != 1) return false;
    if (graph_type(body, sum)->rank == 2) {
        x->value = sum;
        return true;
    }
    x->value = read_by(body, sum, OP_reshape);
    return x->value != VALUE_NONE && graph_type(body, x->value)->rank == 2;
}

bool sums_collect(const graph *body, value anchor, product_sums *out) {
    const node *n = graph_node(body, anchor);
    const type *t = &n->type;
    const attr *group = node_attr(n, ATTR_group);
    int64_t k = graph_type(body, n->inputs[0])->d[1].n;
    *out = (product_sums){.anchor = anchor,
                          .value = anchor,
                          .offsets = VALUE_NONE,
                          .scales = VALUE_NONE,
                          .groups = 1,
                          .group = k};
    if (t->e == ELEM_F32) return true;
    if (group) {
        out->group = group->u.i;
        out->groups = k / out->group;
    }
    value offset = read_by(body, anchor, OP_add);
    if (offset == VALUE_NONE) return false;
    out->offsets = other_input(body, offset, anchor);
    if (!is_given(body, out->offsets, OP_param, ELEM_I32, t->rank - 1, t->d + 1)) return false;
    value cast = read_by(body, offset, OP_cast);
    if (cast == VALUE_NONE || graph_type(body, cast)->e != ELEM_F32) return false;
    value v = scaled(body, cast, out);
    out->in_parts = out->groups > 1;
    if (v == VALUE_NONE) return false;
    out->value = v;
    return t->rank == 2 || added_up(body, v, out);
}

// What made the rows that `left` is: through what only moves rows, and out of a kernel's body.
static const node *maker(const graph *g, value left) {
    const node *n = graph_node(g, left);
    while (n->op == OP_slice || n->op == OP_gather || n->op == OP_reshape) n = graph_node(g, n->inputs[0]);
    int64_t index = 0;
    if (n->op == OP_result) {
        index = node_attr(n, ATTR_index)->u.i;
        n = graph_node(g, n->inputs[0]);
    }
    return n->op == OP_fuse ? graph_node(n->body, n->body->outputs[index].value) : n;
}

bool sums_hold(const target_product *product, const graph *g, value left) {
    if (product->step != STEP_PAIRS_I8) return true;
    const node *n = maker(g, left);
    return n->op == OP_input || (n->op == OP_quantize && node_attr(n, ATTR_limit)->u.i <= 63);
}
