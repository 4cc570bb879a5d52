#include "ir/shape.h"
#include "ir/shape_rules.h"

#include <assert.h>
#include <string.h>

typedef bool (*rule)(const rule_context *c);

static bool all_of(const rule_context *c, elem e) {
    for (int i = 0; i < c->n->input_count; i++) {
        if (operand(c, i)->e != e) return false;
    }
    return true;
}

// a <= b for every value that the symbols can take? A text has at least one token, a call at least one text.
static bool dim_at_most(dim a, dim b) {
    if (a.s == b.s) return a.n <= b.n;
    if (a.s == SYM_NONE) {
        int64_t least = b.s == SYM_R || b.s == SYM_Q ? 0 : 1;
        return a.n <= b.n + least;
    }
    return a.s == SYM_L && b.s == SYM_M && a.n <= b.n;
}

static bool broadcast_all(const rule_context *c, elem e) {
    type t = *operand(c, 0);
    t.layout = LAYOUT_ROW;
    for (int i = 1; i < c->n->input_count; i++) {
        if (!shape_broadcast(&t, operand(c, i))) return misfit(c, "the shapes don't broadcast");
    }
    t.e = e;
    *c->out = t;
    return true;
}

// --- One rule an op

static bool rule_leaf(const rule_context *c) {
    *c->out = c->n->type;
    return true;
}

static bool rule_float(const rule_context *c) {
    if (!all_of(c, ELEM_F32)) return misfit(c, "takes f32");
    return broadcast_all(c, ELEM_F32);
}

static bool rule_number(const rule_context *c) {
    if (!all_of(c, ELEM_F32) && !all_of(c, ELEM_I32))
        return misfit(c, "takes operands that are all f32 or all i32");
    return broadcast_all(c, operand(c, 0)->e);
}

static bool rule_gelu(const rule_context *c) {
    const char *word = attribute(c, ATTR_approximation)->u.name;
    if (strcmp(word, "none") && strcmp(word, "tanh")) return misfit(c, "approximation is none or tanh");
    return rule_float(c);
}

static bool rule_select(const rule_context *c) {
    if (operand(c, 0)->e != ELEM_I1) return misfit(c, "the first operand must be i1");
    if (operand(c, 1)->e != operand(c, 2)->e)
        return misfit(c, "the second and third operand must have one element type");
    return broadcast_all(c, operand(c, 1)->e);
}

static bool rule_compare(const rule_context *c) {
    static const char *const words[] = {"eq", "ne", "lt", "le", "gt", "ge"};
    const char *word = attribute(c, ATTR_predicate)->u.name;
    bool known = false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) known |= !strcmp(word, words[i]);
    if (!known) return misfit(c, "predicate is eq, ne, lt, le, gt or ge");
    if (!all_of(c, ELEM_F32) && !all_of(c, ELEM_I32)) return misfit(c, "compares two f32 or two i32");
    return broadcast_all(c, ELEM_I1);
}

static bool rule_iota(const rule_context *c) {
    const attr *shape = attribute(c, ATTR_shape);
    int64_t axis = attribute(c, ATTR_axis)->u.i;
    if (!shape_axes_fit(c, shape)) return false;
    if (axis < 0 || axis >= shape->n) return misfit(c, "axis is not one of the shape's");
    *c->out = type_make(ELEM_I32, shape->n, shape->u.dims);
    return true;
}

static bool rule_transpose(const rule_context *c) {
    const type *x = operand(c, 0);
    const attr *perm = attribute(c, ATTR_perm);
    bool packed = x->layout == LAYOUT_PACKED;
    bool seen[IR_MAX_RANK] = {0};
    if (perm->n != x->rank) return misfit(c, "perm must name every axis");
    if (packed && packed_group(x->e) != 2 && packed_group(x->e) != 4)
        return misfit(c, "takes row-major operands, and packed ones of 8 or 16 bits");
    *c->out = *x;
    c->out->layout = LAYOUT_ROW;
    for (int i = 0; i < x->rank; i++) {
        int64_t p = perm->u.ints[i];
        if (p < 0 || p >= x->rank || seen[p]) return misfit(c, "perm is no permutation of the axes");
        seen[p] = true;
        c->out->d[i] = x->d[p];
    }
    if (packed && perm->u.ints[0] == 0) return misfit(c, "a packed operand must be transposed");
    return true;
}

static bool rule_pack(const rule_context *c) {
    const type *x = operand(c, 0);
    if ((x->e != ELEM_F32 && x->e != ELEM_BF16) || x->rank != 2)
        return misfit(c, "takes a matrix of f32 or bf16");
    if (x->d[0].s != SYM_NONE || x->d[1].s != SYM_NONE) return misfit(c, "takes a matrix of known size");
    if (x->layout != LAYOUT_ROW) return misfit(c, "takes a row-major operand");
    *c->out = *x;
    c->out->layout = LAYOUT_PACKED;
    return true;
}

// Takes each symbolic axis of `from` out of `of`; both must hold the same ones.
static bool same_symbols(int n, const dim *of, int m, const dim *from) {
    bool taken[IR_MAX_RANK] = {0};
    int left = 0;
    for (int i = 0; i < n; i++) left += of[i].s != SYM_NONE;
    for (int j = 0; j < m; j++) {
        if (from[j].s == SYM_NONE) continue;
        int i = 0;
        while (i < n && (taken[i] || !dim_eq(of[i], from[j]))) i++;
        if (i == n) return false;
        taken[i] = true;
        left--;
    }
    return left == 0;
}

static bool numbers_product(int n, const dim *d, int64_t *product) {
    *product = 1;
    for (int i = 0; i < n; i++) {
        if (d[i].s == SYM_NONE && __builtin_mul_overflow(*product, d[i].n, product)) return false;
    }
    return true;
}

static bool rule_reshape(const rule_context *c) {
    const type *x = operand(c, 0);
    const attr *shape = attribute(c, ATTR_shape);
    int64_t had, has;
    if (!shape_axes_fit(c, shape)) return false;
    if (!numbers_product(x->rank, x->d, &had) || !numbers_product(shape->n, shape->u.dims, &has) ||
        had != has || !same_symbols(x->rank, x->d, shape->n, shape->u.dims)) {
        return misfit(c, "shape has another number of elements");
    }
    *c->out = type_make(x->e, shape->n, shape->u.dims);
    return true;
}

static bool rule_slice(const rule_context *c) {
    const type *x = operand(c, 0);
    const attr *begin = attribute(c, ATTR_begin), *end = attribute(c, ATTR_end);
    if (begin->n != x->rank || end->n != x->rank) return misfit(c, "begin and end must name every axis");
    *c->out = *x;
    for (int i = 0; i < x->rank; i++) {
        dim b = begin->u.dims[i], e = end->u.dims[i];
        if (!dim_at_most(dim_num(0), b) || !dim_at_most(b, e) || !dim_at_most(e, x->d[i])) {
            return misfit(c, "begin and end are not within the operand");
        }
        if (b.s != SYM_NONE && b.s != e.s) return misfit(c, "begin and end have different symbols");
        dim size = {b.s == e.s ? SYM_NONE : e.s, e.n - b.n};
        if (!shape_positive(1, &size)) return misfit(c, "the slice is empty");
        c->out->d[i] = size;
    }
    return true;
}

static bool rule_concat(const rule_context *c) {
    int64_t axis = attribute(c, ATTR_axis)->u.i;
    type t = *operand(c, 0);
    if (axis < 0 || axis >= t.rank) return misfit(c, "axis is not one of the operands'");
    for (int i = 1; i < c->n->input_count; i++) {
        const type *x = operand(c, i);
        if (x->e != t.e || x->rank != t.rank) return misfit(c, "the operands differ in element type or rank");
        for (int k = 0; k < t.rank; k++) {
            if (k != axis && !dim_eq(t.d[k], x->d[k]))
                return misfit(c, "the operands differ on another axis");
        }
        dim *sum = &t.d[axis], add = x->d[axis];
        if (sum->s != SYM_NONE && add.s != SYM_NONE) return misfit(c, "two symbols don't add up");
        if (__builtin_add_overflow(sum->n, add.n, &sum->n)) return misfit(c, "too large");
        if (add.s != SYM_NONE) sum->s = add.s;
    }
    *c->out = t;
    return true;
}

static bool rule_pad(const rule_context *c) {
    const type *x = operand(c, 0);
    const attr *shape = attribute(c, ATTR_shape);
    if (!shape_axes_fit(c, shape)) return false;
    if (shape->n != x->rank) return misfit(c, "shape must name every axis");
    for (int i = 0; i < x->rank; i++) {
        if (!dim_at_most(x->d[i], shape->u.dims[i])) return misfit(c, "shape is smaller than the operand");
    }
    *c->out = type_make(x->e, shape->n, shape->u.dims);
    return true;
}

static bool rule_broadcast(const rule_context *c) {
    const attr *shape = attribute(c, ATTR_shape);
    if (!shape_axes_fit(c, shape)) return false;
    type to = type_make(operand(c, 0)->e, shape->n, shape->u.dims), t = *operand(c, 0);
    if (!shape_broadcast(&t, &to) || !type_same_shape(&t, &to)) {
        return misfit(c, "does not broadcast to the shape");
    }
    *c->out = to;
    return true;
}

static bool rule_reduce(const rule_context *c) {
    const attr *axes = attribute(c, ATTR_axes);
    bool seen[IR_MAX_RANK] = {0};
    if (!all_of(c, ELEM_F32)) return misfit(c, "takes f32");
    *c->out = *operand(c, 0);
    if (axes->n < 1) return misfit(c, "axes is empty");
    for (int i = 0; i < axes->n; i++) {
        int64_t axis = axes->u.ints[i];
        if (axis < 0 || axis >= c->out->rank || seen[axis])
            return misfit(c, "axes are not the operand's, or repeat");
        seen[axis] = true;
        c->out->d[axis] = dim_num(1);
    }
    return true;
}

// Along the last axis; the operands after the first are vectors of its length.
static bool rule_row(const rule_context *c) {
    const type *x = operand(c, 0);
    if (!all_of(c, ELEM_F32)) return misfit(c, "takes f32");
    if (x->rank < 1) return misfit(c, "takes rows");
    for (int i = 1; i < c->n->input_count; i++) {
        const type *v = operand(c, i);
        if (v->rank != 1 || !dim_eq(v->d[0], x->d[x->rank - 1]))
            return misfit(c, "a vector of another length");
    }
    const attr *eps = attribute(c, ATTR_eps);
    if (eps && !(eps->u.f >= 0)) return misfit(c, "eps is below 0");
    *c->out = *x;
    return true;
}

static bool rule_cast(const rule_context *c) {
    *c->out = *operand(c, 0);
    c->out->e = attribute(c, ATTR_to)->u.e;
    c->out->layout = LAYOUT_ROW;
    return true;
}

static bool rule_assign(const rule_context *c) {
    const type *state = operand(c, 0), *x = operand(c, 1);
    if (state->e != x->e || !type_same_shape(state, x)) return misfit(c, "what it writes is of another type");
    *c->out = *state;
    return true;
}

// --- Regions

static bool body_param(const rule_context *c, int i, type *t) {
    const graph *body = c->n->body;
    if (i >= body->count || body->nodes[i].op != OP_param) return misfit(c, "the body has too few params");
    *t = body->nodes[i].type;
    return true;
}

// A yield's type as seen from outside of a per_sequence: the rows of all texts. NULL, or what is wrong with it.
static const char *rows_of_all(type *t) {
    if (t->rank < 1) return "the body must yield rows";
    if (dim_eq(t->d[0], dim_sym(SYM_L)))
        t->d[0] = dim_sym(SYM_T);
    else if (dim_eq(t->d[0], dim_sym(SYM_Q)))
        t->d[0] = dim_sym(SYM_R);
    else if (dim_is(t->d[0], 1))
        t->d[0] = dim_sym(SYM_S);
    else
        return "the body must yield L, Q or 1 rows";
    for (int i = 1; i < t->rank; i++)
        if (t->d[i].s == SYM_L || t->d[i].s == SYM_Q) return "only the rows may be ragged: pad to M";
    return NULL;
}

// The type of yield i of a region, seen from outside.
static const char *yield_type(const node *region, int i, type *t) {
    value v = region->body->outputs[i].value;
    if (v < 0 || v >= region->body->count) return "the body yields a value that is not in it";
    *t = region->body->nodes[v].type;
    return region->op == OP_per_sequence ? rows_of_all(t) : NULL;
}

// Every yield has a type that a value may have; the node's is that of yield 0.
static bool body_results(const rule_context *c, int params) {
    const graph *body = c->n->body;
    if (params < body->count && body->nodes[params].op == OP_param)
        return misfit(c, "the body has too many params");
    if (body->output_count < 1) return misfit(c, "the body must yield a value");
    for (int i = 0; i < body->output_count; i++) {
        type t;
        const char *fault = yield_type(c->n, i, &t);
        if (!fault && i > 0 && t.layout != LAYOUT_ROW && node_writes(c->n, i) < 0)
            fault = "only constants can be packed";
        if (fault) return misfit(c, fault);
        if (i == 0) *c->out = t;
    }
    return true;
}

static bool rule_fuse(const rule_context *c) {
    for (int i = 0; i < c->n->input_count; i++) {
        type t;
        if (!body_param(c, i, &t)) return false;
        if (!type_eq(&t, operand(c, i))) return misfit(c, "a param has another type than its operand");
    }
    return body_results(c, c->n->input_count);
}

type shape_param(op o, int bounds, const type *operand) {
    type t = *operand;
    if (o != OP_per_sequence || t.rank == 0 || t.d[0].n != 0) return t;
    if (t.d[0].s == SYM_T)
        t.d[0] = dim_sym(SYM_L);
    else if (t.d[0].s == SYM_R && bounds == 2)
        t.d[0] = dim_sym(SYM_Q);
    else if (t.d[0].s == SYM_S)
        t.d[0] = dim_num(1);
    return t;
}

static bool rule_per_sequence(const rule_context *c) {
    int64_t bounds = attribute(c, ATTR_bounds)->u.i;
    if (bounds != 1 && bounds != 2) return misfit(c, "bounds is 1 or 2");
    if (c->n->input_count <= bounds) return misfit(c, "needs an operand after the bounds");
    for (int i = 0; i < c->n->input_count; i++) {
        const type *x = operand(c, i);
        if (i < bounds) {
            if (x->e != ELEM_I32 || x->rank != 1 || !dim_eq(x->d[0], (dim){SYM_S, 1})) {
                return misfit(c, "bounds must be i32[S+1]");
            }
            continue;
        }
        type t, cut = shape_param(OP_per_sequence, (int)bounds, x);
        if (!body_param(c, i - (int)bounds, &t)) return false;
        if (!type_eq(&t, &cut))
            return misfit(c, "a param has another type than its operand, cut to a sequence");
    }
    return body_results(c, c->n->input_count - (int)bounds);
}

static bool rule_result(const rule_context *c) {
    const node *region = graph_node(c->g, c->n->inputs[0]);
    int64_t index = attribute(c, ATTR_index)->u.i;
    if (!region->body) return misfit(c, "its operand is no region");
    if (index < 1) return misfit(c, "index is below 1: yield 0 is the region itself");
    if (index >= region->body->output_count) return misfit(c, "the region has no yield of that index");
    const char *fault = yield_type(region, (int)index, c->out);
    return !fault || misfit(c, fault);
}

// The table: an op without a rule does not compile.
#define rule_input       rule_leaf
#define rule_param       rule_leaf
#define rule_constant    rule_leaf
#define rule_add         rule_number
#define rule_sub         rule_number
#define rule_mul         rule_number
#define rule_div         rule_float
#define rule_maximum     rule_number
#define rule_neg         rule_number
#define rule_exp         rule_float
#define rule_log         rule_float
#define rule_tanh        rule_float
#define rule_cos         rule_float
#define rule_sin         rule_float
#define rule_erf         rule_float
#define rule_rsqrt       rule_float
#define rule_sigmoid     rule_float
#define rule_reduce_sum  rule_reduce
#define rule_reduce_max  rule_reduce
#define rule_reduce_mean rule_reduce
#define rule_softmax     rule_row
#define rule_layer_norm  rule_row
#define rule_rms_norm    rule_row
static const rule rules[] = {
#define OP(name, least, most, attrs, flags, gradient) [OP_##name] = rule_##name,
#include "ir/ops.def"
#undef OP
};
static_assert(sizeof(rules) / sizeof(rules[0]) == OP_COUNT, "a rule an op");

// Number of operands, that they are of the graph, attributes present and the op's own, a body where one
// belongs.
static bool well_formed(const rule_context *c) {
    const node *n = c->n;
    int most = op_most_inputs(n->op);
    for (int i = 0; i < n->input_count; i++) {
        if (n->inputs[i] < 0 || n->inputs[i] >= c->g->count) {
            return diag_error(c->d, c->where, "%s: operand %d is not a value of the graph", op_name(n->op),
                              i);
        }
    }
    if (n->input_count < op_least_inputs(n->op) || (most >= 0 && n->input_count > most)) {
        return misfit(c, "wrong number of operands");
    }
    for (int id = 0; id < ATTR_COUNT; id++) {
        bool required = false, has = node_attr(n, (attr_id)id) != NULL;
        bool takes = op_takes(n->op, (attr_id)id, &required);
        if (has == takes || (takes && !required)) continue;
        return diag_error(c->d, c->where, "%s: %s attribute %s", op_name(n->op), has ? "has no" : "lacks the",
                          attr_name((attr_id)id));
    }
    bool region = op_flag_bits(n->op) & REGION;
    if (region != (n->body != NULL)) return misfit(c, region ? "lacks its body" : "can't have a body");
    return true;
}

bool shape_infer(const graph *g, const node *n, type *out, const char *where, diag *d) {
    rule_context c = {g, n, out, where, d};
    if (!well_formed(&c)) return false;
    // A layout says where elements lie: ops that take them one by one don't mind it
    // (f32's: groups of narrower elements are for products, for the casts before them, and for a transpose, whose rows
    // are looked up).
    bool packed_allowed = (op_flag_bits(n->op) & (REGION | WRITES)) || n->op == OP_matmul ||
                          n->op == OP_result || n->op == OP_transpose,
         elementwise = op_flag_bits(n->op) & POINTWISE;
    for (int i = 0; i < n->input_count && !packed_allowed; i++) {
        if (elementwise && (operand(&c, i)->e == ELEM_F32 || n->op == OP_cast)) continue;
        if (operand(&c, i)->layout != LAYOUT_ROW) return misfit(&c, "takes row-major operands");
    }
    return rules[n->op](&c);
}
