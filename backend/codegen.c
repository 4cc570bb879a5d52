// The code generator. It asks the kernel families, in the order of a table, which one emits a node, and
// lets equal nodes share one function.
#include "backend/codegen.h"

#include <assert.h>
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

typedef struct cached_kernel {
    kernel_key key;
    const kernel *kernel;
    int part; // that has its code
} cached_kernel;

typedef struct kernel_cache {
    cached_kernel *items;
    int count, capacity;
} kernel_cache;

static const cached_kernel *cache_find(const kernel_cache *c, kernel_key key) {
    for (int i = 0; i < c->count; i++) {
        kernel_key k = c->items[i].key;
        if (k.size == key.size && memcmp(k.bytes, key.bytes, key.size) == 0) return &c->items[i];
    }
    return NULL;
}

static void cache_add(kernel_cache *c, arena *a, cached_kernel k) {
    if (c->count == c->capacity) {
        int capacity = c->capacity ? c->capacity * 2 : 32;
        void *items = arena_array(a, (size_t)capacity, sizeof(*c->items));
        if (c->count) memcpy(items, c->items, sizeof(*c->items) * (size_t)c->count);
        c->items = items;
        c->capacity = capacity;
    }
    c->items[c->count++] = k;
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

// The modules that kernels are emitted into: `parts` for each target.
typedef struct kernel_units {
    emit *const *modules;
    int parts;
    int64_t *instructions; // of each module
} kernel_units;

static int64_t instructions_behind(LLVMModuleRef m, LLVMValueRef last) {
    int64_t n = 0;
    LLVMValueRef f = last ? LLVMGetNextFunction(last) : LLVMGetFirstFunction(m);
    for (; f; f = LLVMGetNextFunction(f))
        for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(f); b; b = LLVMGetNextBasicBlock(b))
            for (LLVMValueRef i = LLVMGetFirstInstruction(b); i; i = LLVMGetNextInstruction(i)) n++;
    return n;
}

// The part with the fewest instructions, the first one of these.
static int lightest(const int64_t *instructions, int parts) {
    int best = 0;
    for (int i = 1; i < parts; i++)
        if (instructions[i] < instructions[best]) best = i;
    return best;
}

static const kernel *emit_into(const kernel_units *u, int unit, const kernel_site *s) {
    emit *e = u->modules[unit];
    LLVMValueRef last = LLVMGetLastFunction(e->module);
    const kernel *k = emit_site(e, s);
    if (u->parts > 1) u->instructions[unit] += instructions_behind(e->module, last);
    return k;
}

// `home` of each value: the part that has its kernels in the variants before, for these share tiles; -1: not known yet.
static bool emit_variant(const kernel_units *u, int t, const artefact *a, const kernel_site *of,
                         kernel_cache *shared, int *home, const kernel **kernels) {
    const graph *g = of->graph;
    arena *scratch = u->modules[0]->arena;
    for (int i = 0; i < u->parts; i++) build_target(u->modules[t * u->parts + i], &a->targets[t]);
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        kernels[v] = NULL;
        if (n->op == OP_input || n->op == OP_constant || n->op == OP_result) continue;
        kernel_site site = {g, of->variant, v};
        kernel_key key = codegen_key(scratch, &site, &a->targets[t]);
        const cached_kernel *found = cache_find(shared, key);
        if (home[v] < 0) home[v] = found ? found->part : lightest(&u->instructions[t * u->parts], u->parts);
        kernels[v] = found ? found->kernel : emit_into(u, t * u->parts + home[v], &site);
        if (!kernels[v]) return false;
        if (!found) cache_add(shared, scratch, (cached_kernel){key, kernels[v], home[v]});
    }
    return true;
}

size_t codegen_sites(const module *m) {
    size_t n = 0;
    for (int i = 0; i < m->graph_count; i++)
        n += (size_t)m->graphs[i]->count * (size_t)m->graphs[i]->variant_count;
    return n;
}

static int *homes_of(arena *a, int targets, value count) {
    int *home = ARENA_ARRAY(a, int, targets *count + 1);
    for (int i = 0; i < targets * count; i++) home[i] = -1;
    return home;
}

static bool emit_kernels(const kernel_units *u, const artefact *a, const kernel **kernels) {
    kernel_cache shared = {0};
    emit *first = u->modules[0];
    for (int i = 0; i < a->module->graph_count; i++) {
        const graph *g = a->module->graphs[i];
        int *home = homes_of(first->arena, a->target_count, g->count);
        for (int k = 0; k < g->variant_count; k++, kernels += g->count) {
            const variant *x = &g->variants[k];
            int t = target_of(a, x);
            if (t < 0)
                return diag_error(first->diag, x->name, "internal error: no target for the ISA %s", x->isa);
            kernel_site of = {g, x, VALUE_NONE};
            if (!emit_variant(u, t, a, &of, &shared, home + t * g->count, kernels)) return false;
        }
    }
    return true;
}

bool codegen_kernels(emit *e, const artefact *a, const kernel **kernels) {
    emit *modules[CODEGEN_MOST_UNITS];
    for (int i = 0; i < a->target_count; i++) modules[i] = e;
    return codegen_kernels_units(modules, 1, a, kernels);
}

bool codegen_kernels_units(emit *const *units, int parts, const artefact *a, const kernel **kernels) {
    int64_t instructions[CODEGEN_MOST_UNITS] = {0};
    const kernel_units u = {units, parts, instructions};
    assert(a->target_count * parts <= CODEGEN_MOST_UNITS);
    return emit_kernels(&u, a, kernels);
}

double backend_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
