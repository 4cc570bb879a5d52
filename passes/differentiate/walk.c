// The walk of reverse-mode differentiation over one graph, with the table of the ops' rules. Bodies of regions are
// differentiated like graphs.
//
// A `fuse` is opened: the ops of its body that gradients need are copied into the graph that holds the fuse. Later
// passes fuse both directions.
//
// A `per_sequence` gets a second one. From the same operands, its body computes again what it needs of the first
// body, and the gradients from those of the yields. An operand that is cut into texts gets its gradient row by
// row. One that is passed whole gets one gradient per text; these are added up.
#include "passes/differentiate/differentiate.h"

#include "ir/shape.h"

// --- The table: an op has a rule here if ops.def says what it reads, and only then.

#define RULES(X)                                                                                             \
    X(gather)                                                                                                \
    X(gather_along)                                                                                          \
    X(scatter_add)                                                                                           \
    X(scatter_add_along)                                                                                     \
    X(add)                                                                                                   \
    X(sub)                                                                                                   \
    X(mul)                                                                                                   \
    X(div)                                                                                                   \
    X(maximum)                                                                                               \
    X(neg)                                                                                                   \
    X(exp)                                                                                                   \
    X(log)                                                                                                   \
    X(tanh)                                                                                                  \
    X(cos)                                                                                                   \
    X(sin)                                                                                                   \
    X(erf)                                                                                                   \
    X(rsqrt)                                                                                                 \
    X(sigmoid)                                                                                               \
    X(gelu)                                                                                                  \
    X(select)                                                                                                \
    X(matmul)                                                                                                \
    X(transpose)                                                                                             \
    X(reshape)                                                                                               \
    X(slice)                                                                                                 \
    X(concat)                                                                                                \
    X(pad)                                                                                                   \
    X(broadcast)                                                                                             \
    X(reduce_sum)                                                                                            \
    X(reduce_max)                                                                                            \
    X(reduce_mean)                                                                                           \
    X(softmax)                                                                                               \
    X(layer_norm)                                                                                            \
    X(rms_norm)                                                                                              \
    X(cast)

static const gradient_rule rules[OP_COUNT] = {
#define ROW(name) [OP_##name] = gradient_##name,
    RULES(ROW)
#undef ROW
};

// clang-format off
#define HAS_RULE(name) (UINT64_C(1) << OP_##name) |
#define OP(name, least, most, attrs, flags, gradient)                                                        \
    _Static_assert(!((gradient) & ~READS_BODY) == !((RULES(HAS_RULE) 0) >> OP_##name & 1),                   \
                   #name ": what has a gradient in ops.def has its rule in RULES, and nothing else");        \
    _Static_assert((gradient) != READS_BODY || OP_##name == OP_result || ((flags) & REGION),                 \
                   #name ": bodies are regions'");
#include "ir/ops.def"
#undef OP
// clang-format on

// --- The walk

static bool no_gradient(const tape *t, value v) {
    char cause[160], of[32] = "";
    const node *n = graph_node(t->from, v);
    if (n->op == OP_cast) snprintf(of, sizeof(of), " of %s", elem_name(graph_type(t->from, n->inputs[0])->e));
    snprintf(cause, sizeof(cause),
             "the op %s%s has no gradient, and the loss depends on a parameter through it", op_name(n->op),
             of);
    return tape_error(t, v, cause);
}

// Whole numbers that a parameter reaches were rounded on the way; what is compared is i1, and has no slope.
static bool from_rounded(const tape *t, const node *n) {
    elem e = n->op == OP_cast ? graph_type(t->from, n->inputs[0])->e : ELEM_I1;
    return e != ELEM_I1 && !elem_is_float(e);
}

// Of a region, its own or one of a `result` of it.
static bool has_gradient(const tape *t, value v) {
    bool has = t->gradient[v] != VALUE_NONE;
    for (value u = v + 1; u < t->count && graph_node(t->from, v)->body && !has; u++) {
        const node *n = graph_node(t->from, u);
        has = n->op == OP_result && n->inputs[0] == v && t->gradient[u] != VALUE_NONE;
    }
    return has;
}

static void name_gradient(tape *t, value v) {
    const char *name = graph_node(t->from, v)->name;
    value g = t->gradient[v];
    bool fresh = g != VALUE_NONE && !graph_node(t->to, g)->name && graph_node(t->to, g)->op != OP_constant;
    if (t->names && name && fresh) graph_name(t->to, g, arena_printf(t->scratch, "gradient.%s", name));
}

// --- Regions

// The gradient of yield i of region v; VALUE_NONE: none.
static value yield_gradient(const tape *t, value v, int i) {
    if (i == 0) return t->gradient[v];
    for (value u = v + 1; u < t->count; u++) {
        const node *n = graph_node(t->from, u);
        if (n->op == OP_result && n->inputs[0] == v && node_result_index(n) == i) return t->gradient[u];
    }
    return VALUE_NONE;
}

// A tape over the body of region v, in which the gradients of the operands from `first` on are wanted that are in t.
static tape *open_body(tape *t, value v, graph *to, int first) {
    const node *n = graph_node(t->from, v);
    char at[160];
    tape *inner = tape_new(t->scratch, t->p, n->body, to);
    for (int i = first; i < n->input_count; i++) inner->reaches[i - first] = t->reaches[n->inputs[i]];
    tape_reach(inner);
    inner->within = arena_printf(t->scratch, "%s%s%s", t->within ? t->within : "", t->within ? ", " : "",
                                 pass_where(t->from, v, at, sizeof(at)));
    return inner;
}

static bool fuse_gradient(tape *t, value v) {
    const node n = *graph_node(t->from, v);
    tape *inner = open_body(t, v, t->to, 0);
    inner->boxes = t->boxes;
    for (int i = 0; i < n.input_count; i++) inner->map[i] = t->map[n.inputs[i]];
    tape_copy(inner);
    for (int i = 0; i < n.body->output_count; i++) {
        value g = yield_gradient(t, v, i), yield = n.body->outputs[i].value;
        if (g != VALUE_NONE && inner->reaches[yield]) tape_add(inner, yield, g);
    }
    if (!tape_walk(inner)) return false;
    for (int i = 0; i < n.input_count; i++)
        if (inner->gradient[i] != VALUE_NONE) tape_add(t, n.inputs[i], inner->gradient[i]);
    return true;
}

typedef struct sequence {
    tape *outer, *inner;
    node n; // the region that is differentiated
    int bounds;
    graph *body;   // of the region that is made
    value *inputs; // its operands
    int input_count;
    int *owner; // of its yields: the operand of n
    int yield_count;
} sequence;

static void add_operand(sequence *s, value operand, const char *name, type t) {
    graph_param(s->body, region_free_name(s->body, name), t);
    s->inputs[s->input_count++] = operand;
}

// The params of the first region, then the gradients of its yields.
static void add_operands(sequence *s, value v) {
    const graph *body = s->n.body;
    for (int i = 0; i < s->bounds; i++) s->inputs[s->input_count++] = s->outer->map[s->n.inputs[i]];
    for (int i = s->bounds; i < s->n.input_count; i++) {
        s->inner->map[i - s->bounds] = s->body->count;
        add_operand(s, s->outer->map[s->n.inputs[i]], graph_node(body, i - s->bounds)->name,
                    *graph_type(body, i - s->bounds));
    }
    for (int i = 0; i < body->output_count; i++) {
        value g = yield_gradient(s->outer, v, i), yield = body->outputs[i].value;
        if (g == VALUE_NONE || !s->inner->reaches[yield]) continue;
        type t = *graph_type(body, yield);
        t.e = ELEM_F32;
        value param = s->body->count;
        add_operand(s, g, "gradient", t);
        tape_add(s->inner, yield, param);
    }
}

// The rows of attention's softmax are computed again from their log-sum-exp, and from the rows of its context.
static void keep_softmax(sequence *s, value v) {
    kept_softmax k;
    if (yield_gradient(s->outer, v, 0) == VALUE_NONE || !kept_softmax_find(s->inner, &k)) return;
    const graph *body = s->n.body;
    type context = *graph_type(body, body->outputs[0].value), sums = context;
    sums.d[1] = graph_type(body, k.context)->d[0];
    value log_sum = s->body->count;
    add_operand(s, kept_softmax_yield(s->outer, v, &k), "log_sum", sums);
    value rows = s->body->count;
    add_operand(s, s->outer->map[v], "context", context);
    kept_softmax_open(s->inner, k, log_sum, rows);
}

static bool is_cut(const sequence *s, int operand) {
    const type *outside = graph_type(s->outer->from, s->n.inputs[operand]);
    type in_body = shape_param(OP_per_sequence, s->bounds, outside);
    return !type_same_shape(outside, &in_body);
}

// What is summed over texts has an axis for them; the type of one text's.
static type stacked(const type *whole) {
    type t = {.e = ELEM_F32, .rank = 1, .d = {dim_num(1)}};
    for (int i = 0; i < whole->rank; i++) {
        bool merges = t.rank == IR_MAX_RANK && t.d[t.rank - 1].s == SYM_NONE && whole->d[i].s == SYM_NONE;
        if (merges)
            t.d[t.rank - 1].n *= whole->d[i].n;
        else
            t.d[t.rank++] = whole->d[i];
    }
    return t;
}

static void add_yields(sequence *s) {
    for (int i = s->bounds; i < s->n.input_count; i++) {
        value g = s->inner->gradient[i - s->bounds];
        if (g == VALUE_NONE) continue;
        type one = stacked(graph_type(s->n.body, i - s->bounds));
        if (!is_cut(s, i)) g = build_reshape(s->inner, g, &one);
        graph_output_add(s->body, NULL, g);
        s->owner[s->yield_count++] = i;
    }
}

// The region with those operands alone that its body reads; one at least, whose rows say how many there are.
static value close_region(sequence *s) {
    graph *to = s->outer->to, *body = graph_new(to->arena, s->n.body->name);
    bool *live = ARENA_ARRAY(s->outer->scratch, bool, s->body->count + 1);
    value *map = ARENA_ARRAY(s->outer->scratch, value, s->body->count + 1);
    int params = s->input_count - s->bounds, kept = s->bounds;
    drop_broadcasts(s->body);
    region_live(s->body, live);
    for (int i = 0; i < params; i++) {
        bool last_hope = kept == s->bounds && i == params - 1;
        if (!live[i] && !last_hope) continue;
        const node *n = graph_node(s->body, i);
        map[i] = graph_param(body, n->name, n->type);
        s->inputs[kept++] = s->inputs[s->bounds + i];
    }
    region_copy(body, s->body, map);
    return graph_region(to, OP_per_sequence, kept, s->inputs, body, s->bounds);
}

static void take_yields(sequence *s, value region) {
    tape *t = s->outer;
    const int64_t texts = 0;
    for (int i = 0; i < s->yield_count; i++) {
        int operand = s->owner[i];
        value g = graph_result(t->to, region, i);
        if (!is_cut(s, operand)) g = build_reduce(t, OP_reduce_sum, g, 1, &texts);
        g = build_reshape(t, g, graph_type(t->from, s->n.inputs[operand]));
        tape_add(t, s->n.inputs[operand], g);
    }
}

static bool sequence_gradient(tape *t, value v) {
    sequence s = {.outer = t, .n = *graph_node(t->from, v)};
    int most = s.n.input_count + s.n.body->output_count + 2;
    s.bounds = (int)node_attr(&s.n, ATTR_bounds)->u.i;
    s.body = graph_new(t->to->arena, s.n.body->name);
    s.inner = open_body(t, v, s.body, s.bounds);
    s.inputs = ARENA_ARRAY(t->scratch, value, most);
    s.owner = ARENA_ARRAY(t->scratch, int, s.n.input_count);
    add_operands(&s, v);
    keep_softmax(&s, v);
    tape_copy(s.inner);
    if (!tape_walk(s.inner)) return false;
    add_yields(&s);
    if (s.yield_count) take_yields(&s, close_region(&s));
    return true;
}

static bool region_gradient(tape *t, value v) {
    return graph_node(t->from, v)->op == OP_fuse ? fuse_gradient(t, v) : sequence_gradient(t, v);
}

// --- One node

static bool differentiate_node(tape *t, value v) {
    rule_call c = {.t = t, .v = v, .n = *graph_node(t->from, v), .g = t->gradient[v]};
    if (op_flag_bits(c.n.op) & LEAF || c.n.op == OP_result) return true;
    if (c.n.body) return region_gradient(t, v);
    if (!rules[c.n.op] || from_rounded(t, &c.n)) return no_gradient(t, v);
    bool wanted = false;
    for (int i = 0; i < c.n.input_count; i++) wanted |= rule_wants(&c, i);
    if (wanted) rules[c.n.op](&c);
    return true;
}

bool tape_walk(tape *t) {
    for (value v = t->count - 1; v >= 0; v--) {
        if (!t->reaches[v]) continue;
        tape_settle(t, v);
        if (!has_gradient(t, v)) continue;
        name_gradient(t, v);
        if (!differentiate_node(t, v)) return false;
    }
    return true;
}
