// recompute: instead of keeping forward values that take much memory and little time, the backward
// part computes them again.
//
//   requires  nothing                 produces  nothing
//
//   before    forward                           backward
//               %y = layer_norm %x                %dw = product of %y, %dy
//             %y lives from here ------------------ to here, beside those of all layers
//   after       %y = layer_norm %x                %y.again = layer_norm %x
//                                                 %dw = product of %y.again, %dy
//
// A policy or a budget decides what is kept (memory_options). A copy is a whole kernel; for a box
// with several results, it may be a part of the body (part.c). The copies are the same ops on the
// same numbers, and random numbers follow from the seed and their places. So no bit of a step
// changes.
#include "passes/recompute/recompute.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

static const char *const words[KEEP_COUNT] = {[KEEP_PRODUCTS] = "products",
                                              [KEEP_EVERYTHING] = "everything",
                                              [KEEP_LINEAR] = "linear",
                                              [KEEP_NOTHING] = "nothing"};

bool keep_policy_find(const char *word, keep_policy *out) {
    for (int i = 0; i < KEEP_COUNT; i++) {
        if (!words[i] || strcmp(words[i], word)) continue;
        *out = (keep_policy)i;
        return true;
    }
    return false;
}

// --- What was chosen, for people

// "layer.N.output" of layer.3.output; of a value without a name its type.
static const char *kind_of(const graph *g, value v, arena *a) {
    char text[96];
    const char *name = graph_node(g, v)->name;
    if (!name) return arena_printf(a, "without a name, %s", type_print(graph_type(g, v), text, sizeof text));
    char *kind = arena_strdup(a, name), *to = kind;
    for (const char *at = name; *at; at++) {
        bool number = isdigit((unsigned char)*at), begins = at == name || at[-1] == '.';
        if (number && begins) *to++ = 'N';
        if (number && (begins || (to > kind && to[-1] == 'N'))) continue;
        *to++ = *at;
    }
    *to = 0;
    return kind;
}

static void list_values(const remake *r, const remake_sizes *s, const bool *made, graph *g,
                        memory_choice *c) {
    struct memory_line *lines = ARENA_ARRAY(g->arena, struct memory_line, r->g->count + 1);
    for (value v = 0; v < r->g->count; v++) {
        if (!made[v] || graph_type(r->g, v)->layout == LAYOUT_PACKED) continue;
        const char *kind = kind_of(r->g, v, g->arena);
        int i = 0;
        while (i < c->count && strcmp(lines[i].name, kind)) i++;
        if (i == c->count) lines[c->count++] = (struct memory_line){.name = kind};
        lines[i].values++;
        lines[i].bytes += (int64_t)value_bytes(&s->rates, graph_type(r->g, v));
    }
    c->lines = lines;
}

static void report(pass *p, const remake *r, const bool *made) {
    char text[96];
    for (value v = 0; v < r->g->count; v++)
        if (made[v])
            pass_fired(p, r->g, v, "computed again, %s", type_print(graph_type(r->g, v), text, sizeof text));
}

// --- The pass

static bool over_budget(const pass *p, const memory_options *m, int64_t fixed, int64_t least) {
    return diag_error(
        p->c->diag, "--memory",
        "%.1f MB are too few: states and weights take %.1f MB, a step's values at least %.1f MB, and "
        "all else %.1f MB, so the least is %.1f MB",
        (double)m->budget / 1e6, (double)fixed / 1e6, (double)least / 1e6, (double)m->beside / 1e6,
        ceil((double)(fixed + least + m->beside) / 1e5) / 10);
}

static bool choose(pass *p, const remake *r, const remake_sizes *s, const memory_options *m, int64_t fixed,
                   bool *again) {
    int64_t least = 0;
    switch (m ? m->policy : KEEP_PRODUCTS) {
    case KEEP_EVERYTHING:
    case KEEP_COUNT: break;
    case KEEP_PRODUCTS: search_policy(r, s, REMAKE_ROWS, again, p->c->diag); break;
    case KEEP_LINEAR: search_policy(r, s, REMAKE_TEXTS, again, p->c->diag); break;
    case KEEP_NOTHING: search_least(r, s, again, p->c->diag); break;
    case KEEP_BUDGET:
        return search_budget(r, s, m->budget - m->beside - fixed, again, &least, p->c->diag) ||
               over_budget(p, m, fixed, least);
    }
    return p->c->diag->errors == 0;
}

static void replace_graph(graph *g, const graph *with) {
    g->nodes = with->nodes;
    g->count = with->count;
    g->capacity = with->capacity;
    g->outputs = with->outputs;
    g->output_count = with->output_count;
    g->variant_count = 0;
}

static bool remake_graph(graph *g, pass *p, const remake_sizes *s, const memory_options *m, arena *scratch,
                         memory_choice *c) {
    remake r;
    double before = graph_seconds(&s->rates, g);
    expose_sums(g, scratch);
    remake_open(&r, scratch, g);
    bool *again = ARENA_ARRAY(scratch, bool, g->count + 1), *made = ARENA_ARRAY(scratch, bool, g->count + 1);
    if (!choose(p, &r, s, m, c->state_bytes, again)) return false;
    const graph *with = remake_build(&r, again, made, g->arena);
    report(p, &r, made);
    list_values(&r, s, made, g, c);
    replace_graph(g, with);
    c->arena_bytes = sizes_arena(s, g, scratch, p->c->diag);
    c->share = (graph_seconds(&s->rates, g) - before) / before;
    return true;
}

bool pass_recompute(graph *g, pass *p) {
    const memory_options *m = p->c->memory;
    memory_choice chosen = {.made = true, .state_bytes = sizes_fixed(g)};
    remake_sizes s;
    if (!graph_trains(g)) return true;
    if (!sizes_open(&s, g, m, p->c->diag)) return false;
    arena *scratch = arena_new();
    chosen.arena_bytes = chosen.arena_before = sizes_arena(&s, g, scratch, p->c->diag);
    bool fits =
        m && (m->policy == KEEP_EVERYTHING ||
              (m->policy == KEEP_BUDGET && chosen.state_bytes + chosen.arena_bytes + m->beside <= m->budget));
    bool ok = fits || remake_graph(g, p, &s, m, scratch, &chosen);
    arena_free(scratch);
    if (m && m->choice && !m->choice->made) *m->choice = chosen;
    return ok;
}
