// The graphs and variants that came as text: which of them are wanted, and whether they can be compiled.
#include <inttypes.h>
#include <string.h>

#include "frontend/cli/cli.h"
#include "frontend/cli/graph.h"

#define ROW_TILE_MAX 32 // rows of a register tile

static bool wrong(const char *file, const char *name, diag *d, const char *cause) {
    char where[600];
    snprintf(where, sizeof where, "%.400s: variant %.100s", file, name);
    return diag_error(d, where, "%s", cause);
}

// --- Places, beyond what the verifier holds them to

// Kernels read and write rows in whole vectors.
static bool check_strides(const char *file, const graph *g, const variant *x, diag *d) {
    char cause[300];
    for (value v = 0; v < g->count; v++) {
        const type *t = graph_type(g, v);
        int64_t step = PLACE_ALIGNMENT * 8 / elem_bits(t->e);
        if (x->places[v].kind != PLACE_ARENA || t->rank < 2 || x->places[v].ld % step == 0) continue;
        snprintf(cause, sizeof cause, "%%%d: its stride, ld %" PRId64 ", is not a multiple of %" PRId64, v,
                 x->places[v].ld, step);
        return wrong(file, x->name, d, cause);
    }
    return true;
}

static int64_t end_of(const graph *g, const variant *x, value v) {
    bindings b = variant_most(x);
    type t = *graph_type(g, v);
    int64_t ld = t.rank >= 2 ? x->places[v].ld : 1;
    if (t.rank >= 2) t.rank--;
    return x->places[v].offset + type_count_bound(&t, &b) * elem_bytes(t.e, ld);
}

static bool overlap(const graph *g, const variant *x, value v, value u) {
    return end_of(g, x, u) > x->places[v].offset && end_of(g, x, v) > x->places[u].offset;
}

// What kernels read of padding: see ir/places.h. Index vectors share their bytes with nothing.
static bool check_padding(const char *file, const graph *g, const variant *x, diag *d) {
    char cause[300];
    arena *scratch = arena_new();
    const bool *index = places_find_indices(scratch, g);
    bool ok = true;
    for (value v = 0; ok && v < g->count; v++) {
        for (value u = 0; ok && u < g->count; u++) {
            elem e = graph_type(g, v)->e, other = graph_type(g, u)->e;
            if (u == v || (place_shares(e, other) && !index[v])) continue;
            if (x->places[v].kind != PLACE_ARENA || x->places[u].kind != PLACE_ARENA) continue;
            if (!overlap(g, x, v, u)) continue;
            snprintf(cause, sizeof cause, "%%%d (%s%s) shares bytes of the arena with %%%d (%s)", v,
                     elem_name(e), index[v] ? ", an index vector" : "", u, elem_name(other));
            ok = wrong(file, x->name, d, cause);
        }
    }
    arena_free(scratch);
    return ok;
}

static bool check_places(const char *file, const graph *g, diag *d) {
    char cause[200];
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (n->op != OP_constant || node_attr(n, ATTR_at)) continue;
        snprintf(cause, sizeof cause, "constant %%%d (%.100s) has no `at`, its place in the weights", v,
                 n->name ? n->name : "no name");
        return wrong(file, g->variants[0].name, d, cause);
    }
    return true;
}

static bool check_variant(const char *file, const hub_model *m, const graph *g, const variant *x, diag *d) {
    char cause[300];
    if (x->row_tile > ROW_TILE_MAX) {
        snprintf(cause, sizeof cause, "row_tile is %" PRId64 ", at most %d", x->row_tile, ROW_TILE_MAX);
        return wrong(file, x->name, d, cause);
    }
    if (x->length > m->position_count) {
        snprintf(cause, sizeof cause, "length is %" PRId64 ", and the model has %" PRId64 " positions",
                 x->length, m->position_count);
        return wrong(file, x->name, d, cause);
    }
    return check_strides(file, g, x, d) && check_padding(file, g, x, d);
}

// --- Those that are wanted

// Does a target run variants for the ISA of this graph?
static bool has_target(const build *b, const graph *g, const char *isa) {
    for (int i = 0; i < b->target_count; i++)
        if (!strcmp(b->targets[i].isa, isa) && module_find(b->module, b->targets[i].class) == g) return true;
    return false;
}

bool graph_choose_classes(build *b, const build_options *o, diag *d) {
    module *m = b->module;
    const graph *used[BUILD_TARGETS_MAX];
    for (int i = 0; i < b->target_count; i++) {
        used[i] = module_pick(m, b->targets[i].class, o->graph, d);
        if (!used[i]) return false;
    }
    int kept = 0;
    for (int i = 0; i < m->graph_count; i++) {
        int k = 0;
        while (k < b->target_count && used[k] != m->graphs[i]) k++;
        if (k < b->target_count)
            m->graphs[kept++] = m->graphs[i];
        else
            diag_note(d, o->graph, "the graph of class %s is left out: --mcpu names no CPU of it",
                      graph_class(m->graphs[i]));
    }
    m->graph_count = kept;
    return true;
}

static bool has_length(const int_list *lengths, int64_t n) {
    for (int i = 0; i < lengths->count; i++)
        if (lengths->v[i] == n) return true;
    return lengths->count == 0;
}

static void list_variants(const module *m, char *out, size_t size) {
    size_t at = 0;
    *out = 0;
    for (int i = 0; i < module_variant_count(m) && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "", module_variant(m, i, NULL)->name);
}

static bool has_variant(const build *b, const target *t) {
    const graph *g = module_find(b->module, t->class);
    for (int i = 0; i < g->variant_count; i++)
        if (!strcmp(g->variants[i].isa, t->isa)) return true;
    return false;
}

// Without --mcpu, levels that the text has no variant for are left out, if it has some for others.
static void drop_targets(build *b, const build_options *o) {
    int kept = 0;
    bool any = false;
    for (int i = 0; i < b->target_count; i++) any |= has_variant(b, &b->targets[i]);
    if (o->mcpu || !any) return;
    for (int i = 0; i < b->target_count; i++)
        if (has_variant(b, &b->targets[i])) b->targets[kept++] = b->targets[i];
    b->target_count = kept;
}

// For each ISA and length that is asked for there is a variant.
static bool check_asked(const build *b, const build_options *o, const char *names, diag *d) {
    const module *m = b->module;
    for (int t = 0; t < b->target_count; t++) {
        if (!has_variant(b, &b->targets[t]))
            return diag_error(d, "--mcpu",
                              "%s has no variant for %s, which is %s: it has %s (name a CPU of theirs, or "
                              "take the graph from before: --stage packed)",
                              o->graph, build_mcpu(o), b->targets[t].isa, names);
    }
    for (int k = 0; k < o->lengths.count; k++) {
        int found = 0;
        for (int i = 0; i < module_variant_count(m); i++)
            found += module_variant(m, i, NULL)->length == o->lengths.v[k];
        if (!found)
            return diag_error(d, "--seq",
                              "%s has no variant for %" PRId64
                              " tokens: it has %s (or take the graph from before: --stage packed)",
                              o->graph, o->lengths.v[k], names);
    }
    return true;
}

// Those of one graph; false where one that is wanted can't be compiled.
static bool choose_variants(build *b, graph *g, const build_options *o, diag *d) {
    int kept = 0;
    if (g->variant_count && !check_places(o->graph, g, d)) return false;
    for (int i = 0; i < g->variant_count; i++) {
        const variant *x = &g->variants[i];
        if (!has_length(&o->lengths, x->length)) continue;
        if (!has_target(b, g, x->isa)) {
            diag_note(d, o->graph, "variant %s is left out: --mcpu names no CPU of %s", x->name, x->isa);
            continue;
        }
        if (o->batch != 1 && x->tokens != o->batch * x->length)
            return diag_error(d, "--batch", "%s of %s takes %" PRId64 " tokens in one call, not %" PRId64,
                              x->name, o->graph, x->tokens, o->batch * x->length);
        if (!check_variant(o->graph, &b->model, g, x, d)) return false;
        g->variants[kept++] = *x;
    }
    g->variant_count = kept;
    return true;
}

bool graph_choose_variants(build *b, const build_options *o, diag *d) {
    module *m = b->module;
    char names[400];
    list_variants(m, names, sizeof names);
    drop_targets(b, o);
    if (!check_asked(b, o, names, d)) return false;
    for (int i = 0; i < m->graph_count; i++)
        if (!choose_variants(b, m->graphs[i], o, d)) return false;
    return module_variant_count(m) ||
           diag_error(d, o->graph, "has no variant for what is asked: it has %s", names);
}
