// canonicalize: graphs that mean the same get one spelling, so that later passes look for one.
//
//   requires  nothing                 produces  nothing
//
//   constants on the right of ops that commute
//     before    %1 = add %bias, %x
//     after     %1 = add %x, %bias
//
//   no view that changes nothing; one view for a view of a view
//     before    %2 = reshape %1 {shape = [T,768]}         %1 has this shape already
//               %3 = transpose (transpose %2)
//     after     %3 = transpose %1
//
//   no neutral operands
//     before    %4 = mul %x, 1    %5 = add %x, 0
//     after     %x for both
//
//   a product for a quotient, where the reciprocal is exact
//     before    %6 = div %x, 8
//     after     %6 = mul %x, 0.125
//
//   no yield that is an operand of its region, or equals another yield
//     before    %y = fuse (%x) { %1 = exp %x  yield %1, %x, %1 }
//               %a = result %y {index = 1}    %b = result %y {index = 2}
//     after     %x for %a, and %y for %b
//
//   equal nodes and equal constants are one
//     before    %7 = gather %t, %i    %8 = gather %t, %i
//     after     %7 = gather %t, %i    %7 for %8
//
// It works at the top level and in the bodies of regions. A copy of a state stays, because it may
// be read when the state holds other numbers.
#include "passes/constants.h"

#include <math.h>
#include <string.h>

#include "ir/constant_set.h"

static bool attrs_eq(const node *a, const node *b) {
    if (a->attr_count != b->attr_count) return false;
    for (int i = 0; i < a->attr_count; i++) {
        const attr *x = &a->attrs[i], *y = &b->attrs[i];
        if (x->id != y->id || x->n != y->n) return false;
        switch (attr_kind_of(x->id)) {
        case ATTR_KIND_INT:
            if (x->u.i != y->u.i) return false;
            break;
        case ATTR_KIND_FLOAT:
            if (memcmp(&x->u.f, &y->u.f, sizeof(double))) return false;
            break;
        case ATTR_KIND_INTS:
            if (memcmp(x->u.ints, y->u.ints, sizeof(int64_t) * (size_t)x->n)) return false;
            break;
        case ATTR_KIND_DIMS:
            for (int k = 0; k < x->n; k++)
                if (!dim_eq(x->u.dims[k], y->u.dims[k])) return false;
            break;
        case ATTR_KIND_NAME:
            if (strcmp(x->u.name, y->u.name)) return false;
            break;
        case ATTR_KIND_ELEM:
            if (x->u.e != y->u.e) return false;
            break;
        case ATTR_KIND_HASH:
            if (x->u.hash != y->u.hash) return false;
            break;
        case ATTR_KIND_FLAG: break;
        case ATTR_KIND_LITERAL:
        case ATTR_KIND_RECIPE: return false; // constants are compared by constant_eq
        }
    }
    return true;
}

static bool nodes_eq(const node *a, const node *b) {
    if (a->op != b->op || a->body || b->body || a->op == OP_input || a->op == OP_param) return false;
    if (op_flag_bits(a->op) & WRITES) return false;
    if (a->op == OP_constant) return constant_eq(a, b);
    if (a->input_count != b->input_count || !type_eq(&a->type, &b->type)) return false;
    for (int i = 0; i < a->input_count; i++)
        if (a->inputs[i] != b->inputs[i]) return false;
    return attrs_eq(a, b);
}

// --- Nodes by content: chains of those whose hashes agree, the latest first

typedef struct node_table {
    uint64_t mask;
    value *latest, *before; // by hash; by value
} node_table;

static node_table node_table_new(arena *a, int count) {
    int64_t size = 64;
    while (size < 2 * (int64_t)count) size *= 2;
    node_table t = {(uint64_t)size - 1, ARENA_ARRAY(a, value, size), ARENA_ARRAY(a, value, count + 1)};
    for (int64_t i = 0; i < size; i++) t.latest[i] = VALUE_NONE;
    return t;
}

// Equal nodes have equal ones.
static uint64_t node_hash(const node *n) {
    if (n->op == OP_constant) return constant_hash(n);
    uint64_t h = (uint64_t)n->op;
    for (int i = 0; i < n->input_count; i++) {
        h = (h ^ (uint64_t)(int64_t)n->inputs[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    return h;
}

static value *node_table_at(const graph *g, value v, const node_table *t) {
    return &t->latest[node_hash(graph_node(g, v)) & t->mask];
}

static void node_table_add(const graph *g, value v, node_table *t) {
    value *latest = node_table_at(g, v, t);
    t->before[v] = *latest;
    *latest = v;
}

// The first node in the table that makes the same value, or VALUE_NONE.
static value find_equal(const graph *g, value v, const node_table *t) {
    value first = VALUE_NONE;
    for (value u = *node_table_at(g, v, t); u != VALUE_NONE; u = t->before[u])
        if (nodes_eq(graph_node(g, u), graph_node(g, v))) first = u;
    return first;
}

static bool is_identity_perm(const attr *perm) {
    for (int i = 0; i < perm->n; i++)
        if (perm->u.ints[i] != i) return false;
    return true;
}

// The operand that v passes on unchanged, or VALUE_NONE.
static value neutral(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (n->input_count == 0 || n->body || !type_eq(&n->type, graph_type(g, n->inputs[0]))) return VALUE_NONE;
    value x = n->inputs[0];
    double c;
    if (node_is_state(graph_node(g, x))) return VALUE_NONE;
    if (n->op == OP_reshape || n->op == OP_slice || n->op == OP_broadcast || n->op == OP_pad ||
        n->op == OP_cast || (n->op == OP_concat && n->input_count == 1))
        return x;
    if (n->op == OP_transpose) return is_identity_perm(node_attr(n, ATTR_perm)) ? x : VALUE_NONE;
    if (n->op == OP_neg && op_is(g, x, OP_neg)) return graph_node(g, x)->inputs[0];
    if (n->input_count != 2 || !value_is_scalar(g, n->inputs[1], &c)) return VALUE_NONE;
    if ((n->op == OP_add || n->op == OP_sub) && c == 0) return x;
    if ((n->op == OP_mul || n->op == OP_div) && c == 1) return x;
    return VALUE_NONE;
}

// What a region yields, itself or by a `result`: the operand, where its body yields the param as it came; the
// earlier of two equal yields.
static value yielded(graph *g, value v) {
    const node *n = graph_node(g, v);
    value region = n->op == OP_result ? n->inputs[0] : v;
    const node *x = graph_node(g, region);
    if (!x->body) return VALUE_NONE;
    const graph_output *yields = x->body->outputs;
    int index = node_result_index(n), first = 0;
    value of = yields[index].value;
    if (op_is(x->body, of, OP_param)) {
        const attr *bounds = node_attr(x, ATTR_bounds);
        value operand = x->inputs[of + (bounds ? (int)bounds->u.i : 0)];
        bool same = type_eq(graph_type(g, operand), &n->type) && !node_is_constant(graph_node(g, operand));
        if (same) return operand;
    }
    while (yields[first].value != of) first++;
    return first < index ? graph_result(g, region, first) : VALUE_NONE;
}

// transpose of transpose, reshape of reshape: one op of the kind on the inner one's operand.
static value shortened(graph *g, value v) {
    const node *n = graph_node(g, v);
    if (n->op != OP_transpose && n->op != OP_reshape) return VALUE_NONE;
    value x = n->inputs[0];
    if (!op_is(g, x, n->op)) return VALUE_NONE;
    value below = graph_node(g, x)->inputs[0];
    if (node_is_state(graph_node(g, below))) return VALUE_NONE;
    if (n->op == OP_reshape) return graph_reshape(g, below, n->type.rank, n->type.d);
    const attr *outer = node_attr(n, ATTR_perm), *inner = node_attr(graph_node(g, x), ATTR_perm);
    int64_t perm[IR_MAX_RANK];
    for (int i = 0; i < outer->n; i++) perm[i] = inner->u.ints[outer->u.ints[i]];
    return graph_transpose(g, below, outer->n, perm);
}

static value reciprocal(graph *g, value v) {
    const node *n = graph_node(g, v);
    double c, r;
    int exponent;
    if (n->op != OP_div || !value_is_scalar(g, n->inputs[1], &c) || graph_type(g, n->inputs[1])->rank)
        return VALUE_NONE;
    if (!isnormal(c) || fabs(frexp(c, &exponent)) != 0.5) return VALUE_NONE;
    r = 1 / c;
    if (!isnormal((float)r)) return VALUE_NONE;
    value x = n->inputs[0];
    return graph_op2(g, OP_mul, x, graph_scalar(g, r));
}

static bool order_operands(graph *g, value v) {
    node *n = graph_node(g, v);
    if (!(op_flag_bits(n->op) & COMMUTES)) return false;
    value a = n->inputs[0], b = n->inputs[1];
    if (!node_is_constant(graph_node(g, a)) || node_is_constant(graph_node(g, b))) return false;
    n->inputs[0] = b;
    n->inputs[1] = a;
    return true;
}

// One walk; the number of replacements.
static int walk(graph *g) {
    rewriter *r = rewriter_begin(g);
    int count = g->count;
    arena *scratch = arena_new();
    node_table seen = node_table_new(scratch, count);
    for (value v = 0; v < count; v++) {
        if (use_count(r, v) == 0) {
            node_table_add(g, v, &seen);
            continue;
        }
        value with = neutral(g, v);
        if (with == VALUE_NONE) with = find_equal(g, v, &seen);
        if (with == VALUE_NONE) with = shortened(g, v);
        if (with == VALUE_NONE) with = reciprocal(g, v);
        if (with == VALUE_NONE && own_use_count(r, v)) with = yielded(g, v);
        if (with == VALUE_NONE) {
            node_table_add(g, v, &seen);
            continue;
        }
        replace_all_uses(r, v, with);
    }
    arena_free(scratch);
    return rewriter_end(r);
}

static void simplify(graph *g, pass *p) {
    for (value v = 0; v < g->count; v++) {
        if (graph_node(g, v)->body) simplify(graph_node(g, v)->body, p);
        p->fired += order_operands(g, v);
    }
    // What one walk made can be written shorter still; each walk that changes something leaves fewer nodes,
    // or fewer divisions.
    for (int changes = 1; changes; p->fired += changes) changes = walk(g);
}

bool pass_canonicalize(graph *g, pass *p) {
    simplify(g, p);
    return true;
}
