// skip_rows: if attention reads rows of a product only under a condition, the product computes only
// those rows.
//
//   requires  row-major weights       produces  nothing
//
//   before    %q = add (matmul %x, %wq), %bq                           [T,H]   %k likewise
//             %c = per_sequence (%bounds; %chosen, %q, %k, ...) {
//               %1 = compare (reshape %chosen), 0                      [L,1]
//               %o = select %1, (... %q ... %k ...), (...)
//               yield views of %o
//             }
//   after     %any = per_sequence (%bounds; %chosen) {                 [T]
//               1 in every row of a text that has a chosen row
//             }
//             %q = fuse (%x, %wq, %bq, %chosen) {                      [T,H]
//               %0 = add (matmul %x, %wq), %bq
//               yield select (compare %chosen, 0), %0, 0
//             }
//             %k likewise, with %any in place of %chosen
//             %c = as it was
//
// It takes operands of a per_sequence that only one side of the select reads: row by row (the
// queries that are projected for global tokens), or whole (their keys and values). The matmul
// kernel skips the rows that such a select excludes. The pass runs ahead of merge_qkv, which would
// join these products with those that all rows need.
#include "passes/narrow/narrow.h"

#include "passes/region.h"

#include <string.h>

// The condition: a number a row against a number. (`compare` is of a body, whose nodes stay where they are.)
typedef struct chooser {
    value param;
    const node *compare;
    double number;
} chooser;

typedef struct skipping {
    rewriter *r;
    graph *g;
    pass *p;
    value any_of, any; // the last `any`, and the numbers that it was computed from
    chooser any_by;
} skipping;

static value through_views(const graph *g, value v) {
    while (op_flag_bits(graph_node(g, v)->op) & VIEW) v = graph_node(g, v)->inputs[0];
    return v;
}

// Finds compare (reshape param [rows,1]), number, whose rows are axis rank - 2 of the chosen value.
static bool find_chooser(const graph *body, const node *select, chooser *out) {
    const node *c = graph_node(body, select->inputs[0]);
    int rank = select->type.rank;
    *out = (chooser){.compare = c};
    if (c->op != OP_compare || !value_is_scalar(body, c->inputs[1], &out->number) || rank < 2) return false;
    const node *rows = graph_node(body, c->inputs[0]);
    if (rows->op != OP_reshape || rows->type.rank != 2 || !dim_is(rows->type.d[1], 1)) return false;
    const node *param = graph_node(body, rows->inputs[0]);
    out->param = rows->inputs[0];
    return param->op == OP_param && param->type.rank == 1 && dim_eq(param->type.d[0], rows->type.d[0]) &&
           dim_eq(select->type.d[rank - 2], rows->type.d[0]);
}

// Marks what `v` is made from.
static void mark_above(const graph *body, value from, bool *above) {
    above[from] = true;
    for (value v = from; v >= 0; v--) {
        const node *n = graph_node(body, v);
        for (int i = 0; above[v] && i < n->input_count; i++) above[n->inputs[i]] = true;
    }
}

// i1[X,1]: does the condition hold for a row's number in `numbers`, of X rows?
static value condition(graph *g, const graph *body, const chooser *c, value numbers) {
    dim shape[] = {graph_type(g, numbers)->d[0], dim_num(1)};
    value number = copy_node(g, graph_node(body, c->compare->inputs[1]), NULL);
    value inputs[] = {graph_reshape(g, numbers, 2, shape), number};
    return graph_append(g, OP_compare, 2, inputs, 1, node_attr(c->compare, ATTR_predicate));
}

static bool same_chooser(const chooser *a, const chooser *b) {
    return a->number == b->number && !strcmp(node_attr(a->compare, ATTR_predicate)->u.name,
                                             node_attr(b->compare, ATTR_predicate)->u.name);
}

// The numbers of all rows, of which `v` holds some.
static value all_numbers(const graph *g, value v) {
    const node *n = graph_node(g, v);
    if (n->op == OP_gather) return n->inputs[0];
    bool sliced =
        n->op == OP_per_sequence && n->input_count == 2 && n->body->count == 2 && op_is(n->body, 1, OP_slice);
    return sliced ? n->inputs[1] : v;
}

// f32[T]: not 0 in the rows of texts in which the condition holds for some row.
static value make_any(skipping *s, const graph *body, const chooser *by, value bounds, value numbers) {
    if (s->any != VALUE_NONE && s->any_of == numbers && same_chooser(&s->any_by, by)) return s->any;
    graph *g = s->g, *one = graph_new(g->arena, NULL);
    type t = *graph_type(g, numbers);
    t.d[0] = dim_sym(SYM_L);
    value param = graph_param(one, "chosen", t);
    value c = condition(one, body, by, param);
    value no = graph_scalar(one, 0), yes = graph_scalar(one, 1);
    value chosen = graph_op3(one, OP_select, c, yes, no);
    attr axes = attr_ints(one->arena, ATTR_axes, 1, (int64_t[]){0});
    value most = graph_append(one, OP_reduce_max, 1, &chosen, 1, &axes);
    dim wide[] = {dim_sym(SYM_L), dim_num(1)};
    attr shape = attr_dims(one->arena, ATTR_shape, 2, wide);
    most = graph_append(one, OP_broadcast, 1, &most, 1, &shape);
    graph_output_add(one, NULL, graph_reshape(one, most, 1, wide));
    s->any_of = numbers;
    s->any_by = *by;
    return s->any = graph_region(g, OP_per_sequence, 2, (value[]){bounds, numbers}, one, 1);
}

// i1[X,1] for the rows of the product.
static value chosen_rows(skipping *s, value user, const chooser *c, bool whole) {
    graph *g = s->g;
    const node *n = graph_node(g, user);
    value numbers = n->inputs[(int)node_attr(n, ATTR_bounds)->u.i + c->param];
    if (!whole) return condition(g, n->body, c, numbers);
    value all = all_numbers(g, numbers);
    if (!narrow_has_rows(graph_type(g, all), 0, SYM_T)) return VALUE_NONE;
    value any = make_any(s, n->body, c, n->inputs[0], all);
    dim shape[] = {dim_sym(SYM_T), dim_num(1)};
    value inputs[] = {graph_reshape(g, any, 2, shape), graph_scalar(g, 0)};
    attr ne = attr_word(ATTR_predicate, "ne");
    return graph_append(g, OP_compare, 2, inputs, 1, &ne);
}

// The product under the condition, in one box.
static void select_product(skipping *s, value v, value user, const chooser *c, bool whole) {
    graph *g = s->g;
    match_result m;
    if (!match(s->r, v, "(add (matmul ?x !w) !b)", &m) && !match(s->r, v, "(matmul ?x !w)", &m)) return;
    value x = match_get(&m, "x"), w = match_get(&m, "w");
    value b = m.op_count == 2 ? match_get(&m, "b") : VALUE_NONE;
    if (!has_one_use(s->r, v) || graph_type(g, x)->rank != 2) return;
    value rows = chosen_rows(s, user, c, whole), ops[5], parts[3];
    if (rows == VALUE_NONE || !dim_eq(graph_type(g, rows)->d[0], graph_type(g, v)->d[0])) return;
    int n = 0;
    ops[n++] = graph_node(g, rows)->inputs[0];
    ops[n++] = rows;
    parts[1] = ops[n++] = graph_op2(g, OP_matmul, x, w);
    if (b != VALUE_NONE) parts[1] = ops[n] = graph_op2(g, OP_add, ops[n - 1], b), n++;
    parts[0] = rows;
    parts[2] = graph_scalar(g, 0);
    value chosen = ops[n++] = graph_append(g, OP_select, 3, parts, 0, NULL);
    replace_all_uses(s->r, v, chosen);
    pass_fired(s->p, g, chosen, "computed only %s", whole ? "in texts with a chosen row" : "in chosen rows");
    fuse_ops(s->r, n, ops, 1, &chosen);
}

// The operands of region `user` that only the first side of its select reads.
static void skip_operands(skipping *s, value user, arena *scratch) {
    const node *n = graph_node(s->g, user);
    const graph *body = n->body;
    value choice = through_views(body, body->outputs[0].value);
    const node *select = graph_node(body, choice);
    int bounds = (int)node_attr(n, ATTR_bounds)->u.i;
    chooser c;
    if (select->op != OP_select || !find_chooser(body, select, &c)) return;
    bool *chosen = ARENA_ARRAY(scratch, bool, body->count), *others = ARENA_ARRAY(scratch, bool, body->count),
         *whole = ARENA_ARRAY(scratch, bool, body->count);
    bool(*cut)[IR_MAX_RANK] = arena_array(scratch, (size_t)body->count, sizeof(*cut));
    mark_above(body, select->inputs[1], chosen);
    mark_above(body, select->inputs[0], others);
    mark_above(body, select->inputs[2], others);
    for (int i = 1; i < body->output_count; i++) mark_above(body, body->outputs[i].value, others);
    const char *cause;
    // In a body whose rows are chosen already, those of the text (L) are read whole.
    bool all = dim_eq(select->type.d[select->type.rank - 2], dim_sym(SYM_L));
    if (all && !narrow_needs(body, whole, cut, &cause)) return;
    for (value v = 0, params = region_params(body); v < params; v++) {
        const type *t = graph_type(body, v);
        bool wide = all ? whole[v] : narrow_has_rows(t, 0, SYM_L);
        if (!chosen[v] || others[v] || t->rank != 2) continue;
        select_product(s, graph_node(s->g, user)->inputs[bounds + v], user, &c, wide);
    }
}

bool pass_skip_rows(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    arena *scratch = arena_new();
    skipping s = {.r = r, .g = g, .p = p, .any_of = VALUE_NONE, .any = VALUE_NONE};
    for (value v = 0, count = g->count; v < count; v++)
        if (op_is(g, v, OP_per_sequence) && use_count(r, v)) skip_operands(&s, v, scratch);
    arena_free(scratch);
    rewriter_end(r);
    return true;
}
