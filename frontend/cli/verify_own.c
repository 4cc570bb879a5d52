// The graph that is run against the graph that the checkpoint makes, as it is before any pass: outputs, and
// values of the same name, so that a difference shows where it begins.
#include <math.h>
#include <string.h>

#include "frontend/cli/verify.h"

typedef struct holding {
    const check *c;
    own_graph *out;
    arena *a; // of the rows
} holding;

// Is it a kernel that gives zeros for rows that nobody reads (skip_rows)?
static bool skips_rows(const node *n) {
    return n->op == OP_fuse && graph_node(n->body, n->body->outputs[0].value)->op == OP_select;
}

// The value of that name in the graph that is held; NULL: it has none, or of other rows (narrow_rows,
// skip_rows).
static const tensor *same_value(const check *c, const char *name, const tensor *t, value *at) {
    for (value v = 0; v < c->graph->count; v++) {
        const tensor *own = &c->want[v];
        const node *n = graph_node(c->graph, v);
        if (!own->data || c->rows[v].e != ELEM_F32 || !n->name || strcmp(n->name, name)) continue;
        bool same = own->rank == t->rank && !skips_rows(n);
        for (int i = 0; same && i < t->rank; i++) same = own->shape[i] == t->shape[i];
        *at = v;
        return same ? own : NULL;
    }
    return NULL;
}

static double cost_of(const float *got, const float *wants, int64_t n) {
    double off = 0, all = 0;
    for (int64_t i = 0; i < n; i++) {
        off += ((double)got[i] - (double)wants[i]) * ((double)got[i] - (double)wants[i]);
        all += (double)wants[i] * (double)wants[i];
    }
    return off > 0 ? sqrt(off / all) : 0;
}

static bool hold_value(void *context, const graph *g, value v, const tensor *t) {
    holding *h = context;
    own_graph *o = h->out;
    const node *n = graph_node(g, v);
    if (!n->name || n->op == OP_input || t->e != ELEM_F32) return true;
    value at;
    const tensor *got = same_value(h->c, n->name, t, &at);
    if (!got) return true;
    kernel_check r = {.name = arena_strdup(h->a, n->name)};
    verify_compare(&r, got->data, t->rank > 1 ? t->shape[t->rank - 1] : 1, t);
    r.cost = h->c->rows[at].cost = cost_of(got->data, t->data, tensor_count(t));
    o->seen++;
    if (verify_row_fails(&r, OWN_TOLERANCE))
        o->values[o->differ++] = r;
    else
        o->largest = fmax(o->largest, r.error);
    return true;
}

static int find_output(const graph *g, const char *name) {
    for (int i = 0; i < g->output_count; i++)
        if (!strcmp(g->outputs[i].name, name)) return i;
    return -1;
}

static bool spread(hub_model *own, const calibration *smooth, diag *d) {
    pass_context c = {.source = &own->source, .diag = d, .calibration = smooth};
    return passes_run(own->graph, "canonicalize,fold_constants,eliminate_dead,spread_outliers", &c);
}

bool verify_own_graph(const build_options *o, const calibration *smooth, const inputs *x, const check *c,
                      const tensor *results, bool values, own_graph *out, diag *d) {
    arena *a = arena_new();
    hub_model own;
    progress_at(c->progress, "the graph as it was read", -1);
    hub_options hub = build_hub(o);
    bool open = hub_open(&hub, a, &own, d), ok = open && (!smooth || spread(&own, smooth, d));
    if (ok) {
        const graph *g = own.graph;
        *out = (own_graph){.outputs = ARENA_ARRAY(c->arena, kernel_check, g->output_count),
                           .output_count = g->output_count,
                           .values = ARENA_ARRAY(c->arena, kernel_check, g->count)};
        holding h = {c, out, c->arena};
        tensor *wanted = ARENA_ARRAY(a, tensor, g->output_count);
        ok = verify_evaluate(g, &own, x, values ? hold_value : NULL, NULL, &h, a, wanted, d);
        for (int i = 0; ok && i < g->output_count; i++) {
            int k = find_output(c->graph, g->outputs[i].name);
            out->outputs[i].name = c->graph->outputs[k].name;
            int64_t columns = wanted[i].rank > 1 ? wanted[i].shape[wanted[i].rank - 1] : 1;
            verify_compare(&out->outputs[i], results[k].data, columns, &wanted[i]);
            out->outputs[i].cost = cost_of(results[k].data, wanted[i].data, tensor_count(&wanted[i]));
        }
    }
    if (open) hub_close(&own);
    arena_free(a);
    return ok;
}
