// The memory that a graph takes: for each target's variant, the arena that plan_memory makes.
#include <string.h>

#include "passes/plan/plan.h"
#include "passes/recompute/recompute.h"

// Where nothing is known: a machine, and 16 texts of 128 tokens. Only ratios matter then.
#define USUAL_LENGTH 128
#define USUAL_TEXTS  16
static const target usual = {.memory_gbs = 20,
                             .product_count = 1,
                             .products = {{ELEM_F32, ELEM_F32, ELEM_F32, 8, 48, STEP_FMA, 1, 200}}};

bool sizes_open(remake_sizes *s, const graph *g, const memory_options *m, diag *d) {
    *s = (remake_sizes){0};
    for (int i = 0; m && i < m->target_count; i++) {
        const target *t = &m->targets[i];
        if (g->class && strcmp(g->class, t->class)) continue;
        if (!plan_sizes(g, t, m->length, m->batch, d, &s->variants[s->count])) return false;
        s->targets[s->count++] = t;
    }
    variant x = {.length = USUAL_LENGTH, .tokens = USUAL_LENGTH * USUAL_TEXTS};
    s->rates = s->count ? rates_of(s->targets[0], &s->variants[0]) : rates_of(&usual, &x);
    return true;
}

int64_t sizes_kept(const remake_sizes *s, const graph *g, arena *a) {
    remake r;
    double sum = 0;
    remake_open(&r, a, g);
    for (value v = 0; v < g->count; v++)
        if (r.read[v] && r.may[v]) sum += value_bytes(&s->rates, graph_type(g, v));
    return (int64_t)sum;
}

int64_t sizes_arena(const remake_sizes *s, const graph *g, arena *a, diag *d) {
    int64_t most = s->count ? 0 : sizes_kept(s, g, a);
    for (int i = 0; i < s->count; i++) {
        variant x = s->variants[i];
        x.name = s->targets[i]->isa;
        x.places = ARENA_ARRAY(a, place, g->count + 1);
        if (!plan_places(g, s->targets[i], &x, d)) return INT64_MAX;
        if (x.arena_bytes > most) most = x.arena_bytes;
    }
    return most;
}

int64_t sizes_fixed(const graph *g) {
    int64_t sum = 0;
    for (value v = 0; v < g->count; v++) {
        int64_t bytes = node_is_constant(graph_node(g, v)) ? type_bytes(graph_type(g, v)) : 0;
        sum += round_up(bytes, PLACE_ALIGNMENT);
    }
    return sum;
}
