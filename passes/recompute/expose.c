// Makes the sums of products values of their own.
//
//   before    %slope = fuse (%x, %w, %b) { .. yield erf(%s) .., gelu %s }     read by the backward
//             %act = result %slope {index = 1}                               read by both
//   after     the same, and  %sums = result %slope {index = 2}               %s itself
//
// The backward part needs GELU's slope and its result. Both follow from the sums, so only these
// must be kept.
#include "passes/recompute/recompute.h"
#include "passes/region.h"

typedef struct wide {
    int count;
    const value *yields; // values of the body that are kept for the backward
    int64_t bits;        // of a row of these
} wide;

static int64_t row_bits(const type *t) {
    int64_t n = elem_bits(t->e);
    for (int i = 1; i < t->rank; i++) n *= t->d[i].n;
    return n;
}

static wide find_wide(const remake *r, value v) {
    const node *n = graph_node(r->g, v);
    value *yields = ARENA_ARRAY(r->a, value, n->body->output_count);
    wide w = {.yields = yields};
    for (int i = 0; i < n->body->output_count; i++) {
        value result = graph_result_find(r->g, v, i);
        if (result == VALUE_NONE || !r->read[result] || graph_type(r->g, result)->rank != 2) continue;
        yields[w.count++] = n->body->outputs[i].value;
        w.bits += row_bits(graph_type(r->g, result));
    }
    return w;
}

// The last value of the body from which pointwise ops make all of the yields; VALUE_NONE: there is none.
static value find_source(const remake *r, const graph *body, const wide *w) {
    for (value v = body->count - 1; v >= region_params(body); v--) {
        const type *t = graph_type(body, v);
        if (region_yields(body, v) || t->rank != 2 || !dim_eq(t->d[0], graph_type(body, w->yields[0])->d[0]))
            continue;
        if (row_bits(t) >= w->bits) continue;
        bool *there = ARENA_ARRAY(r->a, bool, body->count + 1);
        there[v] = true;
        if (part_of(r->a, body, w->count, w->yields, there).pointwise) return v;
    }
    return VALUE_NONE;
}

static bool has_product(const graph *body) {
    for (value v = 0; v < body->count; v++)
        if (op_is(body, v, OP_matmul)) return true;
    return false;
}

// New `result`s stand behind their regions.
static void put_in_place(graph *g, int count, arena *scratch) {
    value *sorted = ARENA_ARRAY(scratch, value, g->count + 1);
    int n = 0;
    for (value v = 0; v < count; v++) {
        sorted[n++] = v;
        for (value u = count; u < g->count; u++)
            if (graph_node(g, u)->inputs[0] == v) sorted[n++] = u;
    }
    region_permute(g, sorted);
}

// After the last of the region's results that has a name.
static void name_sums(graph *g, value sums, value region) {
    const char *name = NULL;
    for (int i = 0; i < node_yield_count(graph_node(g, region)); i++) {
        value result = graph_result_find(g, region, i);
        if (result != VALUE_NONE && graph_node(g, result)->name) name = graph_node(g, result)->name;
    }
    if (name) graph_name(g, sums, region_free_name(g, arena_printf(g->arena, "%s.sums", name)));
}

int expose_sums(graph *g, arena *scratch) {
    remake r;
    remake_open(&r, scratch, g);
    int count = g->count, exposed = 0;
    for (value v = 0; v < count; v++) {
        const node *n = graph_node(g, v);
        if (r.parts[v] != PART_FORWARD || n->op != OP_fuse || !has_product(n->body)) continue;
        const wide w = find_wide(&r, v);
        value source = w.count > 1 ? find_source(&r, n->body, &w) : VALUE_NONE;
        if (source == VALUE_NONE) continue;
        graph *body = graph_clone(g->arena, n->body);
        graph_output_add(body, NULL, source);
        graph_node(g, v)->body = body;
        name_sums(g, graph_result(g, v, body->output_count - 1), v);
        exposed++;
    }
    if (exposed) put_in_place(g, count, scratch);
    return exposed;
}
