// Compiled code against the reference evaluator, kernel by kernel, and the fused graph against the graph as
// it was read.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/cli.h"

#define TOKENS_DEFAULT 16
#define TOLERANCE      5e-5 // times the larger of 1 and the largest value

typedef struct inputs {
    int64_t tokens;
    int32_t *ids, *types, *positions, *rows;
    int32_t bounds[2];
} inputs;

typedef struct kernel_check { // one kernel's result against the evaluator's
    const char *name;
    double error, largest;
    int64_t at;          // index of the largest error
    bool seen, unfinite; // unfinite: the evaluator's holds infinities or what is no number
} kernel_check;

typedef struct check {
    const graph *graph;
    const variant *variant;
    arena *arena;
    tensor *want;       // by value
    kernel_check *rows; // by value
    const progress_hook *progress;
} check;

static inputs inputs_make(arena *a, const build *b, int64_t n) {
    const hub_model *m = &b->model;
    inputs x = {.tokens = n, .bounds = {0, (int32_t)n}};
    x.ids = ARENA_ARRAY(a, int32_t, n);
    x.types = ARENA_ARRAY(a, int32_t, n);
    x.positions = ARENA_ARRAY(a, int32_t, n);
    x.rows = ARENA_ARRAY(a, int32_t, n);
    uint32_t state = 12345;
    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x.ids[i] = (int32_t)((state >> 8) % (uint32_t)m->vocab_size);
        if (x.ids[i] == m->pad_id) x.ids[i] = (int32_t)((m->pad_id + 1) % m->vocab_size);
        x.types[i] = m->type_vocab_size > 1 && i >= n / 2;
        x.positions[i] = m->position_start + (int32_t)i;
        x.rows[i] = (int32_t)i;
    }
    return x;
}

static tensor vector_of(int32_t *data, int64_t n) {
    return (tensor){.e = ELEM_I32, .rank = 1, .shape = {n}, .data = data};
}

// Longformer's global tokens, by the rule that the runtime follows.
static int32_t *globals(arena *a, const hub_model *m, const inputs *x) {
    int32_t *global = ARENA_ARRAY(a, int32_t, x->tokens);
    bool passed = false;
    for (int64_t i = 0; i < x->tokens; i++) {
        passed |= x->ids[i] == m->sep_id;
        global[i] =
            m->global_rule == BERTC_RULE_FIRST ? i == 0 : m->global_rule == BERTC_RULE_BEFORE && !passed;
    }
    return global;
}

static bool evaluate(const graph *g, const hub_model *m, const inputs *x, eval_observer observe,
                     void *context, arena *a, tensor *results, diag *d) {
    int32_t *bounds = arena_dup(a, x->bounds, sizeof(x->bounds)), *zeros = ARENA_ARRAY(a, int32_t, x->tokens),
            *ones = ARENA_ARRAY(a, int32_t, x->tokens);
    for (int64_t i = 0; i < x->tokens; i++) ones[i] = 1;
    const eval_input known[] = {{"ids", vector_of(x->ids, x->tokens)},
                                {"types", vector_of(x->types, x->tokens)},
                                {"positions", vector_of(x->positions, x->tokens)},
                                {"bounds", vector_of(bounds, 2)},
                                {"rows", vector_of(x->rows, x->tokens)},
                                {"row_bounds", vector_of(bounds, 2)},
                                {"columns", vector_of(x->rows, x->tokens)},
                                {"global", vector_of(globals(a, m, x), x->tokens)},
                                {"mask", vector_of(ones, x->tokens)}};
    eval_input in[32];
    int count = 0;
    for (value v = 0; v < g->count && count < 32; v++) {
        const node *n = graph_node(g, v);
        if (n->op != OP_input) continue;
        in[count] = (eval_input){n->name, vector_of(zeros, x->tokens)}; // what is not given
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            if (!strcmp(n->name, known[i].name)) in[count] = known[i];
        count++;
    }
    eval_options o = {.source = &m->source,
                      .input_count = count,
                      .inputs = in,
                      .length = x->tokens,
                      .observe = observe,
                      .observe_context = context};
    return graph_eval(g, &o, a, results, d);
}

static bool keep(void *context, const graph *g, value v, const tensor *t) {
    check *c = context;
    const node *n = graph_node(g, v);
    progress_at(c->progress, "reference evaluator", (double)v / g->count);
    if (n->op == OP_constant || n->op == OP_input || t->e != ELEM_F32) return true;
    c->want[v] = *t;
    c->want[v].data = arena_dup(c->arena, t->data, (size_t)tensor_count(t) * sizeof(float));
    return true;
}

static void compare(kernel_check *r, const float *got, int64_t ld, const tensor *want) {
    int64_t columns = want->rank > 1 ? want->shape[want->rank - 1] : tensor_count(want);
    int64_t rows = columns ? tensor_count(want) / columns : 0;
    const float *w = want->data;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t k = 0; k < columns; k++) {
            double x = (double)w[i * columns + k], y = (double)got[i * ld + k];
            double error = x == y || (isnan(x) && isnan(y)) ? 0 : fabs(y - x);
            r->unfinite |= !isfinite(x);
            if (isfinite(x) && fabs(x) > r->largest) r->largest = fabs(x);
            if (error > r->error || isnan(error)) {
                r->error = isnan(error) ? INFINITY : error;
                r->at = i * columns + k;
            }
        }
    }
    r->seen = true;
}

static void on_phase(void *user, const bertc_phase_event *event) {
    check *c = user;
    if (event->node < 0 || event->node >= c->graph->count || !c->want[event->node].data) return;
    kernel_check *r = &c->rows[event->node];
    r->name = c->graph->nodes[event->node].name;
    int64_t ld = c->variant->places[event->node].ld;
    compare(r, event->result, ld ? ld : 1, &c->want[event->node]);
}

static bool row_fails(const kernel_check *r) {
    return !(r->error <= TOLERANCE * fmax(1, r->largest));
}

static void print_row(const kernel_check *r, const char *fallback, bool json, cJSON *list) {
    const char *name = r->name ? r->name : fallback;
    if (json) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", name);
        cJSON_AddNumberToObject(o, "error", r->error);
        cJSON_AddNumberToObject(o, "largest", r->largest);
        cJSON_AddNumberToObject(o, "at", (double)r->at);
        cJSON_AddItemToArray(list, o);
        return;
    }
    printf("%-36s %10.2e %10.3g  %" PRId64 "%s\n", name, r->error, r->largest, r->at,
           row_fails(r)  ? "  WRONG"
           : r->unfinite ? "  not all finite"
                         : "");
}

// Prints the rows; false where one is beyond the tolerance.
static bool report(const check *c, const kernel_check *fused, bool json, diag *d) {
    cJSON *list = json ? cJSON_CreateArray() : NULL;
    const kernel_check *worst = NULL;
    char fallback[32], worst_name[32] = "";
    int seen = 0;
    if (!json) printf("%-36s %10s %10s  %s\n", "kernel", "error", "largest", "at element");
    for (value v = 0; v < c->graph->count; v++) {
        const kernel_check *r = &c->rows[v];
        if (!r->seen) continue;
        snprintf(fallback, sizeof(fallback), "%%%d", v);
        print_row(r, fallback, json, list);
        seen++;
        if (!worst || r->error / fmax(1, r->largest) > worst->error / fmax(1, worst->largest)) {
            worst = r;
            memcpy(worst_name, fallback, sizeof(fallback));
        }
    }
    for (int i = 0; i < c->graph->output_count; i++) {
        print_row(&fused[i], "output", json, list);
        if (row_fails(&fused[i]))
            diag_error(d, NULL, "%s: the fused graph differs by %.2e from the graph as read", fused[i].name,
                       fused[i].error);
    }
    if (json) print_json(list);
    if (!worst) return diag_error(d, NULL, "no kernel ran");
    if (row_fails(worst))
        return diag_error(d, NULL, "%s: compiled code differs by %.2e from the evaluator at element %" PRId64,
                          worst->name ? worst->name : worst_name, worst->error, worst->at);
    if (!json)
        printf("%d kernels, largest error %.2e of %.3g in %s\n", seen, worst->error, worst->largest,
               worst->name ? worst->name : worst_name);
    return true;
}

static bool run_compiled(opened *o, check *c, const inputs *x, diag *d) {
    bertc_error e;
    bertc_session_options so = {.threads = 1, .hook = on_phase, .hook_user = c};
    bertc_session *s = bertc_open(o->model, &so, &e);
    if (!s) return runtime_failed(d, &e);
    bertc_batch b = {1, x->tokens, x->ids, NULL, x->types};
    float **buffers =
        ARENA_ARRAY(c->arena, float *, c->graph->output_count); // all: a head reads rows where wanted
    for (int i = 0; i < c->graph->output_count; i++)
        buffers[i] = arena_alloc(c->arena, bertc_output_bytes(o->model, i, 1, x->tokens));
    bool ok = bertc_run(s, &b, buffers, NULL, &e) || runtime_failed(d, &e);
    bertc_close(s);
    return ok;
}

// Outputs of the graph as the checkpoint gives it, without any pass, against those of the fused one.
static bool compare_unfused(const build_options *options, const inputs *x, const check *c,
                            const tensor *fused, kernel_check *rows, diag *d) {
    arena *a = arena_new();
    hub_model plain;
    progress_at(c->progress, "the graph as it was read", -1);
    bool ok = hub_open(&options->hub, a, &plain, d);
    if (ok) {
        tensor *results = ARENA_ARRAY(a, tensor, plain.graph->output_count);
        ok = evaluate(plain.graph, &plain, x, NULL, NULL, a, results, d);
        for (int i = 0; ok && i < plain.graph->output_count; i++) {
            rows[i].name = c->graph->outputs[i].name;
            int64_t columns = results[i].rank > 1 ? results[i].shape[results[i].rank - 1] : 1;
            compare(&rows[i], fused[i].data, columns, &results[i]);
        }
        hub_close(&plain);
    }
    arena_free(a);
    return ok;
}

static bool verify(const char *path, build_options *options, bool json, diag *d) {
    opened o;
    int64_t n = options->lengths.count ? options->lengths.v[0] : TOKENS_DEFAULT;
    options->lengths = (int_list){1, {n}};
    options->hub.model = path;
    bool ok = opened_open(&o, path, options, d);
    if (ok) {
        arena *a = o.build.arena;
        const graph *g = o.build.model.graph;
        inputs x = inputs_make(a, &o.build, n);
        check c = {g,
                   &g->variants[0],
                   a,
                   ARENA_ARRAY(a, tensor, g->count),
                   ARENA_ARRAY(a, kernel_check, g->count),
                   o.build.artefact.progress};
        tensor *results = ARENA_ARRAY(a, tensor, g->output_count);
        kernel_check *fused = ARENA_ARRAY(a, kernel_check, g->output_count);
        ok = evaluate(g, &o.build.model, &x, keep, &c, a, results, d) && run_compiled(&o, &c, &x, d) &&
             compare_unfused(options, &x, &c, results, fused, d);
        progress_line_clear(&o.build.line);
        ok = ok && report(&c, fused, json, d);
    }
    opened_close(&o);
    return ok;
}

int command_verify(int argc, char **argv) {
    build_options b;
    bool json = false;
    option_table t = {.usage = "bertc verify MODEL [OPTION]...",
                      .summary = "Compiles a checkpoint in memory, runs it on one random text (16 tokens "
                                 "unless --seq) and holds every kernel's\n"
                                 "result against the reference evaluator's; then the fused graph against the "
                                 "graph as it was read.",
                      .example = "bertc verify examples/models/mini-sst2"};
    options_add(&t, (option_row){"json", 0, OPTION_FLAG, NULL, "the rows as JSON", &json});
    build_options_add(&t, &b);
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count != 1) return usage_error(&t, "needs one MODEL");
    if (b.lengths.count > 1) return usage_error(&t, "--seq: one length");
    diag d;
    diag_init(&d);
    d.subject = rest.v[0];
    if (!is_checkpoint(rest.v[0]))
        diag_error(&d, rest.v[0], "is no checkpoint: a folder, or weights as .safetensors or .st");
    else
        verify(rest.v[0], &b, json, &d);
    flush_stdout(&d);
    return finish(&d);
}
