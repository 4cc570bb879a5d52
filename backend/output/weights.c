// The constants of a module in the weights: the place of each, and its bytes.
#include <stdlib.h>
#include <string.h>

#include "backend/output/artefact.h"
#include "ir/constant_set.h"

int64_t weight_size(const graph *g, value v) {
    return type_bytes(graph_type(g, v));
}

static bool gathers_from(const node *n, int operand) {
    if (n->op == OP_gather) return operand == 0;
    if (!n->body) return false;
    int bounds = n->op == OP_per_sequence ? (int)node_attr(n, ATTR_bounds)->u.i : 0;
    value param = operand - bounds;
    for (value v = 0; v < n->body->count; v++) {
        const node *m = graph_node(n->body, v);
        for (int i = 0; i < m->input_count; i++) {
            if (m->inputs[i] == param && gathers_from(m, i)) return true;
        }
    }
    return false;
}

int64_t weights_read(const graph *g, const node *n) {
    int64_t bytes = 0;
    for (int i = 0; i < n->input_count; i++) {
        const node *x = graph_node(g, n->inputs[i]);
        if (node_is_constant(x) && !gathers_from(n, i)) bytes += weight_size(g, n->inputs[i]);
        if (!node_is_constant(x) && x->type.layout == LAYOUT_PACKED) bytes += type_bytes(&x->type);
    }
    bool packs = n->type.layout == LAYOUT_PACKED && !node_has_effect(n);
    return packs ? bytes + type_bytes(&n->type) : bytes;
}

static int by_place(const void *a, const void *b) {
    const weight *x = a, *y = b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    return x->number - y->number;
}

static const char *weight_place(const weight *w, char *buf, size_t size) {
    const char *name = graph_node(w->graph, w->v)->name;
    if (name)
        snprintf(buf, size, "constant %%%s", name);
    else
        snprintf(buf, size, "constant %%%d", w->v);
    return buf;
}

// All constants, in the order of graphs and nodes. States that begin as zeros are not in the weights.
static bool find_constants(const module *m, weight *items, int *count, diag *d) {
    char buf[160];
    for (int i = 0; i < m->graph_count; i++) {
        const graph *g = m->graphs[i];
        for (value v = 0; v < g->count; v++) {
            const node *n = graph_node(g, v);
            if (!node_is_constant(n) || node_is_zero_state(n)) continue;
            weight *w = &items[*count];
            *w = (weight){.graph = g, .v = v, .number = *count};
            const attr *at = node_attr(n, ATTR_at);
            if (!at)
                return diag_error(d, weight_place(w, buf, sizeof(buf)), "internal error: it has no offset");
            w->at = at->u.i;
            w->bytes = weight_size(g, v);
            ++*count;
        }
    }
    return true;
}

// Do both stand for the same bytes, which stand once?
static bool same_weight(const weight *a, const weight *b) {
    return a->at == b->at && constant_eq(graph_node(a->graph, a->v), graph_node(b->graph, b->v));
}

bool weights_collect(const module *m, arena *a, weights *out, diag *d) {
    char buf[160];
    int most = 1, n = 0, kept = 0;
    for (int i = 0; i < m->graph_count; i++) most += m->graphs[i]->count;
    weight *items = ARENA_ARRAY(a, weight, most);
    if (!find_constants(m, items, &n, d)) return false;
    qsort(items, (size_t)n, sizeof(*items), by_place);
    *out = (weights){.items = items, .bytes = module_weight_bytes(m)};
    int64_t end = 0;
    for (int i = 0; i < n; i++) {
        weight w = items[i];
        if (kept > 0 && same_weight(&items[kept - 1], &w)) continue;
        if (w.at < end || w.at % 64 != 0 || w.bytes < 0 || w.bytes > out->bytes - w.at) {
            return diag_error(
                d, weight_place(&w, buf, sizeof(buf)),
                "at = %lld: its %lld bytes overlap another constant's, or are not in the weights' "
                "%lld bytes, from a multiple of 64",
                (long long)w.at, (long long)w.bytes, (long long)out->bytes);
        }
        end = w.at + w.bytes;
        if (w.bytes > out->largest) out->largest = w.bytes;
        items[kept++] = w;
    }
    out->count = kept;
    return true;
}

#define MOST_NOTED 20

// Looked at while it is in the cache.
static void note_unfinite(weights *w, int i, const tensor_source *source, const void *data, diag *d) {
    const node *n = graph_node(w->items[i].graph, w->items[i].v);
    if (w->noted > MOST_NOTED) return;
    if (w->noted == MOST_NOTED)
        w->noted++, diag_note(d, NULL, "there may be further tensors that hold NaN or infinity");
    else
        w->noted += unfinite_note(n, data, (size_t)w->items[i].bytes, source, d);
}

bool weights_fill(weights *w, int i, const tensor_source *source, void *out, diag *d) {
    const node *n = graph_node(w->items[i].graph, w->items[i].v);
    const attr *r = node_attr(n, ATTR_recipe), *literal = node_attr(n, ATTR_value);
    progress_at(w->progress, "weights", (double)w->items[i].at / (double)w->bytes);
    if (r && !recipe_run(r->u.recipe, source, out, d)) return false;
    if (r) return note_unfinite(w, i, source, out, d), true;
    if (!literal) return diag_error(d, n->name, "internal error: a constant without a value or a recipe");
    type_to_memory(&n->type, literal->u.literal, out);
    return true;
}
