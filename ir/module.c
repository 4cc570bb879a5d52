#include "ir/module.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ir/constant_set.h"
#include "ir/verify.h"

module *module_new(arena *a) {
    module *m = ARENA_NEW(a, module);
    m->arena = a;
    return m;
}

module *module_alone(arena *a, graph *g) {
    module *m = module_new(a);
    module_add(m, g);
    return m;
}

void module_add(module *m, graph *g) {
    assert(m->graph_count < MODULE_MOST_GRAPHS);
    m->graphs[m->graph_count++] = g;
}

void module_split(module *m, int n, const char *const *classes) {
    assert(m->graph_count == 1 && n > 0);
    graph *shared = m->graphs[0];
    for (int i = 1; i < n; i++) {
        module_add(m, graph_clone(m->arena, shared));
        graph_set_class(m->graphs[i], classes[i]);
    }
    graph_set_class(shared, classes[0]);
}

graph *module_find(const module *m, const char *class) {
    for (int i = 0; i < m->graph_count; i++)
        if (!strcmp(graph_class(m->graphs[i]), class)) return m->graphs[i];
    return m->graph_count == 1 ? m->graphs[0] : NULL;
}

graph *module_pick(const module *m, const char *class, const char *where, diag *d) {
    graph *g = module_find(m, class);
    char list[300] = "";
    size_t at = 0;
    for (int i = 0; !g && i < m->graph_count && at < sizeof(list); i++)
        at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%.60s", i ? ", " : "",
                               graph_class(m->graphs[i]));
    if (!g) diag_error(d, where, "there is no graph of class %s: there are %s", class, list);
    return g;
}

int64_t module_weight_bytes(const module *m) {
    return m->graphs[0]->weight_bytes;
}

int module_variant_count(const module *m) {
    int n = 0;
    for (int i = 0; i < m->graph_count; i++) n += m->graphs[i]->variant_count;
    return n;
}

const variant *module_variant(const module *m, int i, const graph **g) {
    int k = 0;
    for (; i >= m->graphs[k]->variant_count; k++) i -= m->graphs[k]->variant_count;
    if (g) *g = m->graphs[k];
    return &m->graphs[k]->variants[i];
}

// --- What the graphs have in common

typedef struct pair {
    const graph *a, *b; // b stands behind a
    const char *stage;
    diag *d;
} pair;

static bool __attribute__((format(printf, 2, 3))) wrong(const pair *p, const char *format, ...) {
    char where[200], cause[400];
    va_list list;
    va_start(list, format);
    vsnprintf(cause, sizeof(cause), format, list);
    va_end(list);
    snprintf(where, sizeof(where), "%s: @%.60s of class %.60s", p->stage ? p->stage : "module",
             p->b->name ? p->b->name : "", graph_class(p->b));
    return diag_error(p->d, where, "%s", cause);
}

static bool check_outputs(const pair *p) {
    const graph *a = p->a, *b = p->b;
    for (int i = 0; i < a->output_count && i < b->output_count; i++) {
        const graph_output *x = &a->outputs[i], *y = &b->outputs[i];
        if (strcmp(x->name, y->name))
            return wrong(p, "output %d is %.100s, and %.100s in class %.60s", i, y->name, x->name,
                         graph_class(a));
        if (!type_eq(graph_type(a, x->value), graph_type(b, y->value)))
            return wrong(p, "output %.100s has another type in class %.60s", y->name, graph_class(a));
    }
    return a->output_count == b->output_count || wrong(p, "it has %d outputs, and %d in class %.60s",
                                                       b->output_count, a->output_count, graph_class(a));
}

static bool check_inputs(const pair *p) {
    for (value v = 0; v < p->b->count; v++) {
        const node *n = graph_node(p->b, v);
        if (n->op != OP_input) continue;
        for (value u = 0; u < p->a->count; u++) {
            const node *like = graph_node(p->a, u);
            if (like->op != OP_input || strcmp(like->name, n->name) || type_eq(&like->type, &n->type))
                continue;
            return wrong(p, "input %.100s has another type in class %.60s", n->name, graph_class(p->a));
        }
    }
    return true;
}

static constant_set *states_of(const graph *g, arena *a) {
    constant_set *s = constant_set_new(a);
    for (value v = 0; v < g->count; v++)
        if (node_is_state(graph_node(g, v))) constant_set_add(s, graph_node(g, v));
    return s;
}

// Is there the same state in the same place?
static bool has_state(const constant_set *s, const node *state) {
    const attr *x, *y = node_attr(state, ATTR_at);
    for (const node *n = NULL; (n = constant_set_find(s, state, n));) {
        x = node_attr(n, ATTR_at);
        if (x && y ? x->u.i == y->u.i : x == y) return true;
    }
    return false;
}

// A model has one table of parameters, so its states are the same in all graphs, and lie in the same place.
static bool check_states(const pair *p, const graph *g, const graph *like, arena *scratch) {
    const constant_set *others = states_of(like, scratch);
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        if (node_is_state(n) && !has_state(others, n))
            return wrong(p, "class %.60s has no state that is made and placed as %%%.100s of class %.60s",
                         graph_class(like), n->name ? n->name : "?", graph_class(g));
    }
    return true;
}

static bool check_all_states(const pair *p) {
    arena *scratch = arena_new();
    bool ok = check_states(p, p->a, p->b, scratch) && check_states(p, p->b, p->a, scratch);
    arena_free(scratch);
    return ok;
}

static bool check_variants(const pair *p) {
    for (int i = 0; i < p->a->variant_count; i++)
        for (int k = 0; k < p->b->variant_count; k++) {
            const variant *x = &p->a->variants[i], *y = &p->b->variants[k];
            if (!strcmp(x->name, y->name))
                return wrong(p, "class %.60s has a variant %.100s too", graph_class(p->a), y->name);
            if (!strcmp(x->isa, y->isa))
                return wrong(p, "class %.60s has a variant for %.60s too: a CPU runs one class",
                             graph_class(p->a), y->isa);
        }
    return true;
}

static bool check_pair(const pair *p) {
    if (!strcmp(graph_class(p->a), graph_class(p->b))) return wrong(p, "another graph has this class");
    if (p->a->weight_bytes != p->b->weight_bytes)
        return wrong(p, "its weight_bytes is not that of class %.60s", graph_class(p->a));
    if (p->a->state_bytes != p->b->state_bytes)
        return wrong(p, "its state_bytes is not that of class %.60s", graph_class(p->a));
    if (p->a->zero_bytes != p->b->zero_bytes)
        return wrong(p, "its zero_bytes is not that of class %.60s", graph_class(p->a));
    return check_outputs(p) && check_inputs(p) && check_all_states(p) && check_variants(p);
}

bool module_fits(const module *m, const graph *g, const char *stage, diag *d) {
    for (int i = 0; i < m->graph_count && m->graphs[i] != g; i++)
        if (!check_pair(&(pair){m->graphs[i], g, stage, d})) return false;
    return true;
}

bool module_verify(const module *m, const char *stage, diag *d) {
    bool ok = true;
    for (int i = 0; ok && i < m->graph_count; i++)
        ok = graph_verify(m->graphs[i], stage, d) && module_fits(m, m->graphs[i], stage, d);
    return ok;
}
