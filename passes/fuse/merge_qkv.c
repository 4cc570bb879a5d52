// merge_qkv: projections of one value become one product, if only per_sequence regions read them.
//
//   requires  row-major weights       produces  nothing
//
//   before    %q = add (matmul %x, %wq), %bq                           [T,H]
//             %k = add (matmul %x, %wk), %bk                           [T,H]
//             %v = add (matmul %x, %wv), %bv                           [T,H]
//             %c = per_sequence (%bounds; %q, %k, %v) {                q, k, v: [L,H]
//               ...
//   after     %w = constant {recipe = concat(1, wq, wk, wv)}           [H,3H]
//             %b = constant {recipe = concat(0, bq, bk, bv)}           [3H]
//             %qkv = add (matmul %x, %w), %b                           [T,3H]
//             %c = per_sequence (%bounds; %qkv) {                      qkv: [L,3H]
//               %q = slice %qkv {begin = [0,0], end = [L,H]}    %k, %v likewise
//               ...
//
// It takes two projections or more of the same value, of any widths. All must have a bias, or none.
// Their weights must be all recipes, all literals, or all states that nothing else reads. If a head
// reads few rows, q is projected only from those rows, and k and v are merged.
#include "passes/constants.h"
#include "passes/region.h"

#include <string.h>

#define MOST_PARTS 8

typedef struct part {
    value v; // the projection
    value x, weight, bias;
    const char *param; // what its first reader calls it
    int64_t columns, at;
} part;

typedef struct projections {
    int count;
    part parts[MOST_PARTS];
    int64_t columns;
} projections;

// One state is made of several where nothing else reads them (an assign, say).
static bool joins_state(rewriter *r, value c) {
    return !node_is_state(graph_node(rewriter_graph(r), c)) || has_one_use(r, c);
}

static bool find_projection(rewriter *r, value v, part *out) {
    const graph *g = rewriter_graph(r);
    match_result m;
    *out = (part){.v = v, .bias = VALUE_NONE};
    if (match(r, v, "(add (matmul ?x !w) !b)", &m)) {
        out->bias = match_get(&m, "b");
        const type *b = graph_type(g, out->bias);
        if (b->rank != 1 || b->e != ELEM_F32 || dim_is(b->d[0], 1)) return false;
    } else if (!match(r, v, "(matmul ?x !w)", &m)) {
        return false;
    }
    out->x = match_get(&m, "x");
    out->weight = match_get(&m, "w");
    const type *w = graph_type(g, out->weight);
    if (!joins_state(r, out->weight) || (out->bias != VALUE_NONE && !joins_state(r, out->bias))) return false;
    out->columns = w->d[w->rank - 1].n;
    return graph_type(g, out->x)->rank == 2 && w->rank == 2 && w->layout == LAYOUT_ROW;
}

static int bounds_of(const node *n) {
    return (int)node_attr(n, ATTR_bounds)->u.i;
}

// Is v an operand of per_sequence regions alone?
static bool read_by_regions(rewriter *r, value v, part *out) {
    const graph *g = rewriter_graph(r);
    value users[MOST_PARTS];
    int n = users_of(r, v, users, MOST_PARTS), uses = 0;
    if (n > MOST_PARTS) return false;
    for (int i = 0; i < n; i++) {
        const node *u = graph_node(g, users[i]);
        if (u->op != OP_per_sequence) return false;
        for (int k = bounds_of(u); k < u->input_count; k++) {
            if (u->inputs[k] != v) continue;
            uses++;
            if (!out->param) out->param = graph_node(u->body, k - bounds_of(u))->name;
        }
    }
    return n > 0 && uses == use_count(r, v); // outputs are uses too
}

static bool joins(const graph *g, const projections *set, const part *p) {
    const part *first = &set->parts[0];
    if (set->count == MOST_PARTS || p->x != first->x ||
        (p->bias == VALUE_NONE) != (first->bias == VALUE_NONE))
        return false;
    value weights[] = {first->weight, p->weight}, biases[] = {first->bias, p->bias};
    return constants_concat(g, 2, weights) && (p->bias == VALUE_NONE || constants_concat(g, 2, biases));
}

// The projection that operand i of a region is, where it may be merged; a miss is reported.
static bool candidate(rewriter *r, value user, int i, part *out, const pass *p) {
    const graph *g = rewriter_graph(r);
    value v = graph_node(g, user)->inputs[i];
    if (!find_projection(r, v, out)) return false;
    if (read_by_regions(r, v, out)) return true;
    if (p) pass_missed(p, g, v, "not merged: it is read outside of per_sequence too");
    return false;
}

// The projections that go with operand `first` of region `user`, in the region's order.
static void collect_projections(rewriter *r, value user, int first, projections *set, const pass *p) {
    const graph *g = rewriter_graph(r);
    part one;
    set->count = 0;
    set->columns = 0;
    if (!candidate(r, user, first, &one, p)) return;
    for (int i = first; i < graph_node(g, user)->input_count; i++) {
        if (!candidate(r, user, i, &one, NULL) || (set->count && one.x != set->parts[0].x)) continue;
        bool again = false;
        for (int k = 0; k < set->count; k++) again = again || set->parts[k].v == one.v;
        if (again) continue;
        if (set->count && !joins(g, set, &one)) {
            pass_missed(
                p, g, one.v,
                "not merged with %s: one has a bias, a literal weight or a state, and the other has not",
                set->parts[0].param);
            continue;
        }
        one.at = set->columns;
        set->columns += one.columns;
        set->parts[set->count++] = one;
    }
}

// --- The merged product

// "layer.0.attention." of "layer.0.attention.query" and "layer.0.attention.key", then `middle`, then what
// they end in.
static const char *merged_name(arena *a, const char *x, const char *y, const char *middle) {
    size_t head = 0, tail = 0, stem = 0, n = strlen(x), m = strlen(y);
    for (; x[head] && x[head] == y[head]; head++)
        if (x[head] == '.') stem = head + 1;
    while (tail < n - stem && tail < m - stem && x[n - 1 - tail] == y[m - 1 - tail]) tail++;
    while (tail && x[n - tail] != '.') tail--;
    return arena_printf(a, "%.*s%s%s", (int)stem, x, middle, x + n - tail);
}

// The name without the ".scaled" that fold_constants appended.
static const char *plain_name(const graph *g, value v) {
    const char *name = graph_node(g, v)->name, *suffix = ".scaled";
    if (!name) return NULL;
    size_t n = strlen(name), m = strlen(suffix);
    return n > m && !strcmp(name + n - m, suffix) ? arena_strndup(g->arena, name, n - m) : name;
}

static void name_merged(graph *g, value v, value x, value y, const char *middle) {
    const char *a = plain_name(g, x), *b = plain_name(g, y);
    if (a && b) name_if_free(g, v, merged_name(g->arena, a, b, middle));
}

// "qkv" of params q, k and v; where they have longer names, "merged".
static const char *merged_param(arena *a, const projections *set) {
    char name[MOST_PARTS + 1] = "";
    for (int i = 0; i < set->count; i++) {
        if (strlen(set->parts[i].param) != 1) return "merged";
        name[i] = set->parts[i].param[0];
    }
    return arena_strdup(a, name);
}

static value merged_constant(graph *g, const projections *set, bool bias, const char *middle) {
    value c[MOST_PARTS];
    for (int i = 0; i < set->count; i++) c[i] = bias ? set->parts[i].bias : set->parts[i].weight;
    value v = constant_concat(g, bias ? 0 : 1, set->count, c);
    name_merged(g, v, c[0], c[1], middle);
    return v;
}

static value merged_product(graph *g, const projections *set, const char *middle) {
    const part *first = &set->parts[0];
    value v = graph_op2(g, OP_matmul, first->x, merged_constant(g, set, false, middle));
    if (first->bias != VALUE_NONE) v = graph_op2(g, OP_add, v, merged_constant(g, set, true, middle));
    name_merged(g, v, first->v, set->parts[1].v, middle);
    return v;
}

// --- Its readers

static const part *part_of(const projections *set, value v) {
    for (int i = 0; i < set->count; i++)
        if (set->parts[i].v == v) return &set->parts[i];
    return NULL;
}

// Region `user` over the merged value, which takes the place of the first part that it reads.
static value rebuild_reader(graph *g, value user, const projections *set, value merged, const char *name) {
    const node *n = graph_node(g, user);
    const graph *from = n->body;
    int bounds = bounds_of(n), count = bounds, params = region_params(from);
    arena *scratch = arena_new();
    value *inputs = ARENA_ARRAY(scratch, value, n->input_count),
          *map = ARENA_ARRAY(scratch, value, from->count);
    graph *body = graph_new(g->arena, from->name);
    value param = VALUE_NONE;
    memcpy(inputs, n->inputs, sizeof(value) * (size_t)bounds);
    for (value v = 0; v < params; v++) {
        value x = n->inputs[bounds + v];
        if (!part_of(set, x)) {
            map[v] = graph_param(body, graph_node(from, v)->name, *graph_type(from, v));
            inputs[count++] = x;
        } else if (param == VALUE_NONE) {
            type t = *graph_type(from, v);
            t.d[1] = dim_num(set->columns);
            param = graph_param(body, region_free_name(from, name), t);
            inputs[count++] = merged;
        }
    }
    for (value v = 0; v < params; v++) {
        const part *p = part_of(set, n->inputs[bounds + v]);
        if (!p) continue;
        dim begin[] = {dim_num(0), dim_num(p->at)};
        dim end[] = {graph_type(from, v)->d[0], dim_num(p->at + p->columns)};
        map[v] = graph_slice(body, param, 2, begin, end);
    }
    region_copy(body, from, map);
    value region = graph_region(g, OP_per_sequence, count, inputs, body, bounds);
    arena_free(scratch);
    return region;
}

static void merge(rewriter *r, value user, const projections *set, pass *p) {
    graph *g = rewriter_graph(r);
    const char *name = merged_param(g->arena, set);
    value merged = merged_product(g, set, name);
    pass_fired(p, g, user, "%d projections in one product of %d columns: %s", set->count, (int)set->columns,
               name);
    for (value v = 0, count = g->count; v < count; v++) {
        if (!op_is(g, v, OP_per_sequence) || use_count(r, v) == 0) continue;
        bool reads = false;
        for (int i = 0; i < graph_node(g, v)->input_count; i++)
            reads = reads || part_of(set, graph_node(g, v)->inputs[i]);
        if (reads) replace_results(r, v, rebuild_reader(g, v, set, merged, name));
    }
}

bool pass_merge_qkv(graph *g, pass *p) {
    rewriter *r = rewriter_begin(g);
    projections set;
    for (value v = 0, count = g->count; v < count; v++) {
        if (!op_is(g, v, OP_per_sequence) || use_count(r, v) == 0) continue;
        for (int i = bounds_of(graph_node(g, v)); i < graph_node(g, v)->input_count; i++) {
            collect_projections(r, v, i, &set, p);
            if (set.count < 2) continue;
            merge(r, v, &set, p);
            break; // the region that replaces it comes later; its merged operand has no partner left
        }
    }
    rewriter_end(r);
    return true;
}
