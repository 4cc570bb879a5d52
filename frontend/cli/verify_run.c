// The compiled code and the reference evaluator on one random text, kernel by kernel.
#include <math.h>
#include <string.h>

#include "frontend/cli/verify.h"

static bool keep(void *context, const graph *g, value v, const tensor *t) {
    check *c = context;
    const node *n = graph_node(g, v);
    progress_at(c->progress, "reference evaluator", (double)v / g->count);
    if (n->op == OP_constant || n->op == OP_input) return true;
    float *data = ARENA_ARRAY(c->arena, float, tensor_count(t) + 1);
    elem_convert(t->e, t->data, ELEM_F32, data, tensor_count(t));
    c->want[v] = *t;
    c->want[v].e = ELEM_F32;
    c->want[v].data = data;
    c->rows[v].e = t->e;
    if (!c->given || !c->given[v]) return true;
    c->rows[v].name = n->name;
    c->rows[v].step = verify_step_inside(g, v);
    verify_compare(&c->rows[v], c->given[v], c->variant->places[v].ld, &c->want[v]);
    return true;
}

static void replace(void *context, const graph *g, value v, tensor *t) {
    const check *c = context;
    if (c->given[v] && graph_node(g, v)->op != OP_input) verify_unpack(c, v, c->given[v], t);
}

static void on_phase(void *user, const bertc_phase_event *event) {
    check *c = user;
    if (event->node < 0 || event->node >= c->graph->count) return;
    const node *n = graph_node(c->graph, (value)event->node);
    for (int i = 0, k = 0; i < node_yield_count(n) && k < event->result_count; i++) {
        value v = graph_result_find(c->graph, (value)event->node, i);
        if (v == VALUE_NONE) continue;
        const void *got = event->results[k++];
        if (c->given) c->given[v] = verify_copy(c, v, got);
        if (!c->want[v].data) continue;
        c->rows[v].name = graph_node(c->graph, v)->name;
        int64_t ld;
        const void *rows = verify_rows(c, v, got, &ld);
        verify_compare(&c->rows[v], rows, ld, &c->want[v]);
    }
}

static bool run_compiled(opened *o, check *c, const inputs *x, diag *d) {
    bertc_error e;
    bertc_session_options so = {BERTC_SIZED(bertc_session_options), .threads = 1, .hook = on_phase,
                                .hook_user = c};
    bertc_session *s = bertc_open(o->model, &so, &e);
    if (!s) return runtime_failed(d, &e);
    bertc_batch b = {BERTC_SIZED(bertc_batch),
                     1,
                     x->tokens,
                     x->ids,
                     NULL,
                     x->types,
                     .step = x->step,
                     .seed = {x->seed[0], x->seed[1]},
                     .rate = x->rate};
    float **buffers =
        ARENA_ARRAY(c->arena, float *, c->graph->output_count); // all: a head reads rows where wanted
    for (int i = 0; i < c->graph->output_count; i++)
        buffers[i] = arena_alloc(c->arena, bertc_output_bytes(o->model, i, 1, x->tokens));
    bool ok = bertc_run(s, &b, buffers, NULL, &e) || runtime_failed(d, &e);
    bertc_close(s);
    return ok;
}

// The variant for `isa` that runs n tokens: the smallest that holds them.
static const variant *variant_for(const graph *g, const char *isa, int64_t n) {
    const variant *best = NULL;
    for (int i = 0; i < g->variant_count; i++) {
        const variant *x = &g->variants[i];
        if (x->length < n || strcmp(isa, x->isa)) continue;
        if (!best || x->tokens < best->tokens || (x->tokens == best->tokens && x->length < best->length))
            best = x;
    }
    return best;
}

// A text of --seq tokens; else of as many as the graph's own variants hold.
static int64_t choose_tokens(const build_options *o, const graph *g) {
    int64_t n = VERIFY_TOKENS, most = 0;
    if (o->lengths.count) return o->lengths.v[0];
    for (int i = 0; i < g->variant_count; i++)
        most = g->variants[i].length > most ? g->variants[i].length : most;
    return most && most < n ? most : n;
}

// The target whose variants the runtime picks: the first that this machine runs.
static const target *target_that_runs(const opened *m) {
    const build *b = &m->build;
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(m->model, &info, NULL);
    const char *isa = info.isa_names ? info.isa_names : "";
    size_t n = strcspn(isa, ",");
    for (int i = 0; i < b->target_count; i++)
        if (strlen(b->targets[i].isa) == n && !strncmp(b->targets[i].isa, isa, n)) return &b->targets[i];
    return &b->targets[0];
}

bool verify_run(opened *m, const build_options *o, bool compiled, check *c, inputs *x, tensor **results,
                diag *d) {
    arena *a = m->build.arena;
    const target *t = target_that_runs(m);
    const graph *g = module_find(m->build.module, t->class);
    int64_t n = choose_tokens(o, g);
    if (n > m->build.model.position_count) n = m->build.model.position_count;
    *x = verify_inputs(a, &m->build.model, n);
    *c = (check){g,
                 variant_for(g, t->isa, n),
                 a,
                 ARENA_ARRAY(a, tensor, g->count),
                 ARENA_ARRAY(a, kernel_check, g->count),
                 m->build.artefact.progress};
    *results = ARENA_ARRAY(a, tensor, g->output_count);
    if (compiled && verify_is_narrow(g)) c->given = ARENA_ARRAY(a, const void *, g->count);
    if (c->given && !run_compiled(m, c, x, d)) return false;
    return verify_evaluate(g, &m->build.model, x, keep, c->given ? replace : NULL, c, a, *results, d) &&
           (!compiled || c->given || run_compiled(m, c, x, d));
}
