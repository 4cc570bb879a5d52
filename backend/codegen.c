// The code generator. It asks the kernel families, in the order of a table, which one emits a node, and
// lets equal nodes share one function.
#include "backend/codegen.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct kernel_family {
    const char *name;
    bool (*accepts)(const emit *e, const kernel_site *s);
    bool (*emit)(emit *e, const kernel_site *s, kernel *out);
    bool writes; // states too
} kernel_family;

// The first that accepts a node emits it.
// clang-format off
static const kernel_family families[] = {
    {"mlp", mlp_accepts, mlp_emit, false},
    {"attention", attention_accepts, attention_emit, false},
    {"attention_gradient", gradient_accepts, gradient_emit, false},
    {"token_mix", token_mix_accepts, token_mix_emit, false},
    {"outer", outer_accepts, outer_emit, false},
    {"pack", pack_accepts, pack_emit, false},
    {"matmul", matmul_accepts, matmul_emit, false},
    {"pooled", pooled_accepts, pooled_emit, false},
    {"columns", columns_accepts, columns_emit, false},
    {"rowwise", rowwise_accepts, rowwise_emit, false},
    {"update", update_accepts, update_emit, true},
    {"loop_nest", loop_nest_accepts, loop_nest_emit, true},
    {NULL, NULL, NULL, false},
};
// clang-format on

typedef struct kernel_cache {
    struct {
        kernel_key key;
        const kernel *kernel;
    } *items;
    int count, capacity;
} kernel_cache;

static const kernel *cache_find(const kernel_cache *c, kernel_key key) {
    for (int i = 0; i < c->count; i++) {
        kernel_key k = c->items[i].key;
        if (k.size == key.size && memcmp(k.bytes, key.bytes, key.size) == 0) return c->items[i].kernel;
    }
    return NULL;
}

static void cache_add(kernel_cache *c, arena *a, kernel_key key, const kernel *k) {
    if (c->count == c->capacity) {
        int capacity = c->capacity ? c->capacity * 2 : 32;
        void *items = arena_array(a, (size_t)capacity, sizeof(*c->items));
        if (c->count) memcpy(items, c->items, sizeof(*c->items) * (size_t)c->count);
        c->items = items;
        c->capacity = capacity;
    }
    c->items[c->count].key = key;
    c->items[c->count++].kernel = k;
}

static const char *site_place(emit *e, const kernel_site *s) {
    const node *n = graph_node(s->graph, s->node);
    return n->name ? arena_printf(e->arena, "%s, %%%s (%s)", s->variant->name, n->name, op_name(n->op))
                   : arena_printf(e->arena, "%s, %%%d (%s)", s->variant->name, s->node, op_name(n->op));
}

static bool has_place(const kernel_site *s, value v) {
    const node *n = graph_node(s->graph, v);
    return node_is_constant(n) ? node_attr(n, ATTR_at) != NULL : s->variant->places[v].kind != PLACE_NONE;
}

// A node is emitted where its results and all that it reads have a place.
static bool placed(emit *e, const kernel_site *s) {
    const node *n = graph_node(s->graph, s->node);
    int count;
    const kernel_result *r = kernel_results(e->arena, s, &count);
    for (int i = 0; i < count; i++)
        if (!has_place(s, r[i].node))
            return diag_error(e->diag, site_place(e, s), "internal error: result %d has no place",
                              r[i].index);
    for (int i = 0; i < n->input_count; i++)
        if (!has_place(s, n->inputs[i]))
            return diag_error(e->diag, site_place(e, s), "internal error: operand %d has no place", i);
    return true;
}

static const kernel *emit_site(emit *e, const kernel_site *s) {
    int errors = e->diag->errors;
    if (!placed(e, s)) return NULL;
    bool writes = node_has_effect(graph_node(s->graph, s->node));
    kernel *k = ARENA_NEW(e->arena, kernel);
    for (const kernel_family *f = families; f->name; f++) {
        if (writes && !f->writes) continue;
        if (!f->accepts(e, s)) continue;
        if (f->emit(e, s, k)) {
            k->family = f->name;
            return k;
        }
        if (e->diag->errors == errors)
            diag_error(e->diag, site_place(e, s), "internal error: %s could not emit it", f->name);
        return NULL;
    }
    diag_error(e->diag, site_place(e, s), "internal error: no kernel family takes it");
    return NULL;
}

static int target_of(const artefact *a, const variant *v) {
    for (int i = 0; i < a->target_count; i++) {
        if (strcmp(a->targets[i].isa, v->isa) == 0) return i;
    }
    return -1;
}

static bool emit_variant(emit *e, const target *t, const graph *g, const variant *x, kernel_cache *shared,
                         const kernel **kernels) {
    build_target(e, t);
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        kernels[v] = NULL;
        if (n->op == OP_input || n->op == OP_constant || n->op == OP_result) continue;
        kernel_site site = {g, x, v};
        kernel_key key = codegen_key(e->arena, &site, t);
        kernels[v] = cache_find(shared, key);
        if (kernels[v]) continue;
        kernels[v] = emit_site(e, &site);
        if (!kernels[v]) return false;
        cache_add(shared, e->arena, key, kernels[v]);
    }
    return true;
}

size_t codegen_sites(const module *m) {
    size_t n = 0;
    for (int i = 0; i < m->graph_count; i++)
        n += (size_t)m->graphs[i]->count * (size_t)m->graphs[i]->variant_count;
    return n;
}

// `step`: from a target's module to the next one's, 0 where they have one.
static bool emit_kernels(emit *const *units, int step, const artefact *a, const kernel **kernels) {
    kernel_cache shared = {0};
    for (int i = 0; i < a->module->graph_count; i++) {
        const graph *g = a->module->graphs[i];
        for (int k = 0; k < g->variant_count; k++, kernels += g->count) {
            const variant *x = &g->variants[k];
            int t = target_of(a, x);
            if (t < 0)
                return diag_error(units[0]->diag, x->name, "internal error: no target for the ISA %s",
                                  x->isa);
            if (!emit_variant(units[t * step], &a->targets[t], g, x, &shared, kernels)) return false;
        }
    }
    return true;
}

bool codegen_kernels(emit *e, const artefact *a, const kernel **kernels) {
    return emit_kernels(&e, 0, a, kernels);
}

bool codegen_kernels_units(emit *const *units, const artefact *a, const kernel **kernels) {
    return emit_kernels(units, 1, a, kernels);
}

double backend_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
