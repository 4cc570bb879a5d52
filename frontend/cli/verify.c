// Compiled code against the reference evaluator, kernel by kernel, and the fused graph against the graph as
// it was read.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/verify.h"

#define TOKENS_DEFAULT 16
#define TOLERANCE      5e-5 // times the larger of 1 and the largest value
#define VALUES_SHOWN   20

typedef struct verify_options {
    build_options build;
    bool json, no_compile;
} verify_options;

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
    return true;
}

static void on_phase(void *user, const bertc_phase_event *event) {
    check *c = user;
    if (event->node < 0 || event->node >= c->graph->count) return;
    const node *n = graph_node(c->graph, (value)event->node);
    for (int i = 0, k = 0; i < node_yield_count(n) && k < event->result_count; i++) {
        value v = graph_result_find(c->graph, (value)event->node, i);
        if (v == VALUE_NONE) continue;
        const void *got = event->results[k++];
        if (!c->want[v].data) continue;
        c->rows[v].name = graph_node(c->graph, v)->name;
        int64_t ld;
        const void *rows = verify_rows(c, v, got, &ld);
        verify_compare(&c->rows[v], rows, ld, &c->want[v]);
    }
}

// A line for people; into `list` where it isn't NULL. `against`: NULL, or what JSON says of it.
static void print_row(const kernel_check *r, const char *fallback, double tolerance, const char *against,
                      cJSON *list) {
    const char *name = r->name ? r->name : fallback;
    if (list) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", name);
        cJSON_AddNumberToObject(o, "error", r->error);
        cJSON_AddNumberToObject(o, "largest", r->largest);
        cJSON_AddNumberToObject(o, "at", (double)r->at);
        if (against) cJSON_AddStringToObject(o, "against", against);
        cJSON_AddItemToArray(list, o);
        return;
    }
    printf("%-36s %10.2e %10.3g  %" PRId64 "%s\n", name, r->error, r->largest, r->at,
           verify_row_fails(r, tolerance) ? "  WRONG"
           : r->unfinite                  ? "  not all finite"
                                          : "");
}

// Compiled code against the evaluator; false where a kernel is beyond the tolerance. *seen: how many ran;
// `summary`: of the worst.
static bool report_kernels(const check *c, cJSON *list, int *seen, char summary[200], diag *d) {
    const kernel_check *worst = NULL;
    char fallback[32], worst_name[160] = "";
    for (value v = 0; v < c->graph->count; v++) {
        const kernel_check *r = &c->rows[v];
        if (!r->seen) continue;
        snprintf(fallback, sizeof(fallback), "%%%d", v);
        print_row(r, fallback, TOLERANCE, NULL, list);
        *seen += graph_node(c->graph, v)->op != OP_result;
        if (worst && verify_row_excess(r, TOLERANCE) <= verify_row_excess(worst, TOLERANCE)) continue;
        worst = r;
        snprintf(worst_name, sizeof worst_name, "%s", r->name ? r->name : fallback);
    }
    if (!worst) return diag_error(d, NULL, "no kernel ran");
    snprintf(summary, 200, "%d kernels, largest error %.2e of %.3g in %.100s", *seen, worst->error,
             worst->largest, worst_name);
    return !verify_row_fails(worst, TOLERANCE) ||
           diag_error(d, NULL, "%s: compiled code differs by %.2e from the evaluator at element %" PRId64,
                      worst_name, worst->error, worst->at);
}

// The graph against the checkpoint's own; false where an output, or a value of --graph, differs.
static bool report_own(const verify_options *o, const own_graph *own, cJSON *list, diag *d) {
    const char *file = o->build.graph;
    double tolerance = file ? OWN_TOLERANCE : TOLERANCE;
    bool ok = true;
    if (own->differ && !list)
        printf("%-36s %10s %10s  %s\n", "differs from the checkpoint's graph", "by", "largest", "at element");
    for (int i = 0; i < own->differ && (list || i < VALUES_SHOWN); i++)
        print_row(&own->values[i], NULL, OWN_TOLERANCE, "checkpoint", list);
    for (int i = 0; i < own->output_count; i++)
        print_row(&own->outputs[i], "output", tolerance, file ? "checkpoint" : NULL, list);
    if (own->differ)
        ok = diag_error(d, file,
                        "%s differs by %.2e at element %" PRId64
                        " from what the checkpoint's own graph gives, first of %d values that do",
                        own->values[0].name, own->values[0].error, own->values[0].at, own->differ);
    for (int i = 0; i < own->output_count; i++) {
        const kernel_check *r = &own->outputs[i];
        if (!verify_row_fails(r, tolerance)) continue;
        ok = file ? diag_error(d, file, "output %s differs by %.2e from the checkpoint's own graph's",
                               r->name, r->error)
                  : diag_error(d, NULL, "%s: the fused graph differs by %.2e from the graph as read", r->name,
                               r->error);
    }
    return ok;
}

static void report(const verify_options *o, const check *c, const own_graph *own, diag *d) {
    cJSON *list = o->json ? cJSON_CreateArray() : NULL;
    char summary[200] = "";
    int seen = 0;
    if (!list && !o->no_compile) printf("%-36s %10s %10s  %s\n", "kernel", "error", "largest", "at element");
    bool ok = o->no_compile || report_kernels(c, list, &seen, summary, d);
    ok &= report_own(o, own, list, d);
    if (list) print_json(list);
    if (!ok || o->json) return;
    if (*summary) puts(summary);
    if (o->build.graph)
        printf("%d values and the outputs are what the checkpoint's own graph gives, largest error %.2e\n",
               own->seen, own->largest);
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
    int64_t n = TOKENS_DEFAULT, most = 0;
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

static bool verify_graph(verify_options *o, opened *m, diag *d) {
    arena *a = m->build.arena;
    const target *t = target_that_runs(m);
    const graph *g = module_find(m->build.module, t->class);
    int64_t n = choose_tokens(&o->build, g);
    if (n > m->build.model.position_count) n = m->build.model.position_count;
    inputs x = verify_inputs(a, &m->build.model, n);
    check c = {g,
               variant_for(g, t->isa, n),
               a,
               ARENA_ARRAY(a, tensor, g->count),
               ARENA_ARRAY(a, kernel_check, g->count),
               m->build.artefact.progress};
    tensor *results = ARENA_ARRAY(a, tensor, g->output_count);
    own_graph own;
    bool ok = verify_evaluate(g, &m->build.model, &x, keep, &c, a, results, d) &&
              (o->no_compile || run_compiled(m, &c, &x, d)) &&
              verify_own_graph(&o->build, &x, &c, results, o->build.graph != NULL, &own, d);
    progress_line_clear(&m->build.line);
    if (ok) report(o, &c, &own, d);
    return ok;
}

static void verify(const char *path, verify_options *o, diag *d) {
    opened m = {0};
    build_options *b = &o->build;
    b->hub.model = path;
    if (!b->lengths.count && !b->graph) b->lengths = (int_list){1, {TOKENS_DEFAULT}};
    if (o->no_compile) b->stops = true, b->last = STAGE_PACKED;
    if (o->no_compile ? build_open(&m.build, b, d) : opened_open(&m, path, b, d)) verify_graph(o, &m, d);
    opened_close(&m);
}

int command_verify(int argc, char **argv) {
    verify_options o = {0};
    option_table t = {.usage = "bertc verify MODEL [OPTION]...",
                      .summary =
                          "Compiles a checkpoint in memory, runs it on one random text (16 tokens "
                          "unless --seq) and holds every kernel's\n"
                          "result against the reference evaluator's; then the graph's outputs, and with "
                          "--graph its values too, against the\n"
                          "graph as it was read.",
                      .example = "bertc verify examples/models/mini-sst2"};
    options_add(&t, (option_row){"json", 0, OPTION_FLAG, NULL, "the rows as JSON", &o.json});
    options_add(&t,
                (option_row){"no-compile", 0, OPTION_FLAG, NULL,
                             "evaluate alone: the graph against the graph as it was read", &o.no_compile});
    build_options_add(&t, &o.build, "native");
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count != 1) return usage_error(&t, "needs one MODEL");
    if (o.build.lengths.count > 1) return usage_error(&t, "--seq: one length");
    diag d;
    diag_init(&d);
    d.subject = rest.v[0];
    const char *kind = is_checkpoint(rest.v[0]) ? NULL : hub_file_kind(rest.v[0]);
    if (kind)
        diag_error(&d, rest.v[0], "is no checkpoint, but %s", kind);
    else if (!is_checkpoint(rest.v[0]))
        diag_error(&d, rest.v[0], "is no checkpoint: a folder, or weights as .safetensors or .st");
    else
        verify(rest.v[0], &o, &d);
    flush_stdout(&d);
    return finish(&d);
}
