// Kernels against the evaluator: a graph of a few nodes is evaluated, then compiled for each ISA of this
// machine under splits that the test chooses, run task by task in an order that the test chooses, and
// compared. For tests of whole kernel families.
#ifndef TEST_KERNELS_H
#define TEST_KERNELS_H

#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/output/artefact.h"
#include "host.h"
#include "main.h"
#include "ops/thread_calls.h"
#include "passes/passes.h"

#define MAX_TENSORS 32

typedef struct named {
    const char *name;
    tensor_view view;
} named;

// One graph with its weights and inputs. rows: T of the inputs.
typedef struct site {
    arena *a;
    diag d;
    graph *g;
    named weights[MAX_TENSORS];
    int weight_count;
    eval_input inputs[MAX_TENSORS];
    int input_count;
    int64_t tokens, sequences, rows; // T, S, R of the call
    uint32_t seed;
} site;

static inline uint32_t site_bits(site *s) {
    s->seed ^= s->seed << 13;
    s->seed ^= s->seed >> 17;
    s->seed ^= s->seed << 5;
    return s->seed;
}

static inline float site_random(site *s) {
    return (float)(int32_t)site_bits(s) * 0x1p-31f;
}

static inline void site_open(site *s) {
    memset(s, 0, sizeof(*s));
    s->a = arena_new();
    diag_init(&s->d);
    s->g = graph_new(s->a, "test");
    s->seed = 0x9e3779b9;
}

static inline void site_close(site *s) {
    diag_free(&s->d);
    arena_free(s->a);
}

static inline int64_t site_size(const site *s, dim d) {
    bindings b = {.v = {[SYM_T] = s->tokens, [SYM_S] = s->sequences, [SYM_R] = s->rows}};
    return dim_value(d, &b);
}

// `n` random numbers around `middle`, of any type.
static inline void *site_numbers(site *s, elem e, int64_t n, float middle, float spread) {
    char *data = ARENA_ARRAY(s->a, char, elem_bytes(e, n) + 64);
    for (int64_t i = 0; i < n; i++) {
        float x = middle + spread * site_random(s);
        elem_convert(ELEM_F32, &x, e, data + elem_bytes(e, i), 1);
    }
    return data;
}

// An input of random numbers around `middle`.
static inline value site_input_of(site *s, const char *name, elem e, dim rows, int64_t columns, float middle,
                                  float spread) {
    type t = type_make(e, 2, (dim[]){rows, dim_num(columns)});
    tensor x = {.e = e, .rank = 2, .shape = {site_size(s, rows), columns}};
    x.data = site_numbers(s, e, tensor_count(&x), middle, spread);
    s->inputs[s->input_count++] = (eval_input){name, x};
    return graph_input(s->g, name, t);
}

static inline value site_input(site *s, const char *name, dim rows, int64_t columns) {
    return site_input_of(s, name, ELEM_F32, rows, columns, 0, 1);
}

// i32 bounds of the sequences (or of their rows): `counts` of each.
static inline value site_bounds(site *s, const char *name, const int *counts) {
    tensor x = {.e = ELEM_I32, .rank = 1, .shape = {s->sequences + 1}};
    int32_t *data = ARENA_ARRAY(s->a, int32_t, s->sequences + 1);
    for (int64_t i = 0; i < s->sequences; i++) data[i + 1] = data[i] + counts[i];
    x.data = data;
    s->inputs[s->input_count++] = (eval_input){name, x};
    return graph_input(s->g, name, type_make(ELEM_I32, 1, (dim[]){{SYM_S, 1}}));
}

// A weight of the checkpoint: [n] where k is 0, around `middle`.
static inline value site_weight_of(site *s, const char *name, elem e, int64_t k, int64_t n, float middle,
                                   float spread) {
    tensor_view v = {.e = e, .rank = k ? 2 : 1, .shape = {k ? k : n, n}};
    v.data = site_numbers(s, e, (k ? k : 1) * n, middle, spread);
    s->weights[s->weight_count++] = (named){name, v};
    return graph_constant_recipe(s->g, name, recipe_tensor(s->a, name, e, v.rank, v.shape));
}

static inline value site_weight(site *s, const char *name, int64_t k, int64_t n, float middle, float spread) {
    return site_weight_of(s, name, ELEM_F32, k, n, middle, spread);
}

static inline bool site_find(void *context, const char *name, tensor_view *out) {
    const site *s = context;
    for (int i = 0; i < s->weight_count; i++) {
        if (strcmp(s->weights[i].name, name) != 0) continue;
        *out = s->weights[i].view;
        return true;
    }
    return false;
}

static inline bool site_ok(site *s, bool ok) {
    if (!ok) diag_print(&s->d, stderr);
    return ok;
}

// Evaluates the graph's output, then packs its weights.
static inline tensor site_expect(site *s, value out) {
    graph_output_add(s->g, "out", out);
    tensor_source source = {s, site_find};
    eval_options o = {.source = &source, .input_count = s->input_count, .inputs = s->inputs};
    tensor t;
    ck_assert(site_ok(s, graph_eval(s->g, &o, s->a, &t, &s->d)));
    pass_context c = {.source = &source, .diag = &s->d, .verify = true};
    ck_assert(site_ok(s, passes_run(s->g, "assign_layouts,pack_weights", &c)));
    return t;
}

// --- One way to run it

typedef struct way {
    const char *mcpu;
    precision precision;
    const char *family; // whose kernels all must be; NULL: any
    int64_t length, batch;
    task_split cut; // of every node; class 0 runs
    int chunk;      // 0: the schedule's own
    int streams;    // of the prefetch; 0: the schedule's own
    bool backward;  // the order of tasks
    bool nodes;     // keep the schedule's own splits
} way;

typedef struct run {
    site *s;
    graph *g;
    const variant *v;
    char *arena, *weights, *scratch;
    bertc_call call;
} run;

static inline void *run_place(const run *r, value v) {
    const node *n = graph_node(r->g, v);
    if (node_is_constant(n)) return r->weights + node_attr(n, ATTR_at)->u.i;
    return r->arena + r->v->places[v].offset;
}

static inline void run_write_inputs(run *r) {
    for (value v = 0; v < r->g->count; v++) {
        const node *n = graph_node(r->g, v);
        if (n->op != OP_input) continue;
        int i = 0;
        while (strcmp(r->s->inputs[i].name, n->name) != 0) i++;
        const tensor *t = &r->s->inputs[i].value;
        char *to = run_place(r, v);
        if (t->rank == 1) {
            memcpy(to, t->data, (size_t)t->shape[0] * 4);
            bool rows = strcmp(n->name, "row_bounds") == 0;
            *(rows ? &r->call.row_bounds : &r->call.bounds) = (const int32_t *)to;
            continue;
        }
        int64_t row = elem_bytes(t->e, t->shape[1]), ld = elem_bytes(t->e, r->v->places[v].ld);
        for (int64_t k = 0; k < t->shape[0]; k++) memcpy(to + k * ld, (char *)t->data + k * row, (size_t)row);
    }
}

static int phases_that_stream;

// A packed weight's panels: each of the tasks beside each other begins with whole ones of its own.
static inline void check_stream(const run *r, const kernel_phase *p, const node *n) {
    if (!p->stream_bytes) return;
    phases_that_stream++;
    ck_assert(p->stream >= 0 && p->stream < n->input_count);
    const node *w = graph_node(r->g, n->inputs[p->stream]);
    ck_assert(node_is_constant(w) && w->type.layout == LAYOUT_PACKED);
    int64_t panel = packed_groups(w->type.e, w->type.d[0].n) * GROUP_BYTES;
    int64_t bytes = (w->type.d[1].n + PANEL_COLUMNS - 1) / PANEL_COLUMNS * panel;
    ck_assert(p->stream_bytes % panel == 0 && p->stream_step % panel == 0);
    ck_assert(p->stream_bytes > 0 && p->stream_bytes <= p->stream_step);
    ck_assert(p->stream_step * p->inner >= bytes && p->stream_step * (p->inner - 1) < bytes);
}

static inline void run_phase(run *r, const kernel_phase *p, bertc_kernel code, value v, bool backward) {
    const node *n = graph_node(r->g, v);
    void *args[16];
    int results;
    const kernel_result *result = kernel_results(r->s->a, &(kernel_site){r->g, r->v, v}, &results);
    ck_assert_int_le(n->input_count + results, 16);
    for (int i = 0; i < n->input_count; i++) args[i] = run_place(r, n->inputs[i]);
    for (int i = 0; i < results; i++) args[result[i].arg] = run_place(r, result[i].node);
    int64_t size = p->dim == SYM_T ? r->call.tokens : p->dim == SYM_S ? r->call.sequences : r->call.rows;
    int64_t tasks = (size + p->unit - 1) / p->unit * p->inner;
    check_stream(r, p, n);
    // Each second task fetches, from one line to more than its tiles' shares.
    for (int64_t t = 0; t < tasks; t++)
        code(args, &r->call, backward ? tasks - 1 - t : t, r->scratch, r->weights,
             t % 2 ? 0 : (int64_t)64 << 3 * (t / 2 % 5));
}

static inline char *run_weights(const graph *g, site *s) {
    tensor_source source = {s, site_find};
    weights w;
    ck_assert(site_ok(s, weights_collect(module_alone(s->a, (graph *)(uintptr_t)g), s->a, &w, &s->d)));
    char *at = aligned_alloc(64, (size_t)(w.bytes + 127) / 64 * 64);
    memset(at, 0, (size_t)(w.bytes + 127) / 64 * 64);
    for (int i = 0; i < w.count; i++) ck_assert(weights_fill(&w, i, &source, at + w.items[i].at, &s->d));
    return at;
}

// What a value of the arena must not hold by chance.
static inline void run_poison(char *at, int64_t bytes) {
    for (int64_t i = 0; i < bytes / 4; i++) ((float *)(void *)at)[i] = -77.25f;
}

typedef char kernel_names[KERNEL_MAX_PHASES][64];

// Makes the kernels' functions known by name; returns the scratch that they need.
static inline int64_t run_export(const run *r, const kernel *const *kernels, kernel_names *names) {
    int64_t scratch = 64;
    for (value i = 0; i < r->g->count; i++) {
        for (int p = 0; kernels[i] && p < kernels[i]->phase_count[0]; p++) {
            LLVMValueRef f = kernels[i]->phases[0][p].function;
            size_t size;
            LLVMSetLinkage(f, LLVMExternalLinkage);
            snprintf(names[i][p], sizeof names[i][p], "%s", LLVMGetValueName2(f, &size));
            ck_assert_uint_lt(size, sizeof names[i][p]);
        }
        if (kernels[i] && kernels[i]->scratch_bytes > scratch) scratch = kernels[i]->scratch_bytes;
    }
    return (scratch + 63) / 64 * 64;
}

// Runs the phases on memory of their own; the output's rows, dense, in the site's arena.
static inline float *run_all(run *r, const kernel *const *kernels, const kernel_names *names, int64_t scratch,
                             const jit_code *code, const target *t, bool backward) {
    site *s = r->s;
    int64_t bytes = (r->v->arena_bytes + 63) / 64 * 64;
    r->arena = aligned_alloc(64, (size_t)bytes);
    r->scratch = aligned_alloc(64, (size_t)scratch);
    r->weights = run_weights(r->g, s);
    run_poison(r->arena, bytes);
    run_poison(r->scratch, scratch);
    r->call = (bertc_call){.tokens = s->tokens, .sequences = s->sequences, .rows = s->rows};
    run_write_inputs(r);
    thread_calls calls = thread_calls_of(code, t);
    thread_enter(&calls);
    for (value i = 0; i < r->g->count; i++) {
        for (int p = 0; kernels[i] && p < kernels[i]->phase_count[0]; p++) {
            bertc_kernel f = (bertc_kernel)(uintptr_t)jit_code_symbol(code, names[i][p]);
            run_phase(r, &kernels[i]->phases[0][p], f, i, backward);
        }
    }
    thread_leave(&calls);
    value out = r->g->outputs[0].value;
    const type *ot = graph_type(r->g, out);
    int64_t rows = site_size(s, ot->d[0]), n = ot->d[1].n;
    float *result = ARENA_ARRAY(s->a, float, rows *n + 1);
    for (int64_t k = 0; k < rows; k++)
        memcpy(result + k * n, (char *)run_place(r, out) + k * r->v->places[out].ld * 4, (size_t)n * 4);
    free(r->arena);
    free(r->scratch);
    free(r->weights);
    return result;
}

// A site's graph as code, to be run again and again.
typedef struct site_code {
    run r;
    target t;
    emit e;
    const kernel **kernels;
    kernel_names *names;
    int64_t scratch;
    jit_code *code;
    bool backward;
} site_code;

static inline void site_compile(site *s, const way *w, site_code *c) {
    *c = (site_code){.r = {.s = s, .g = graph_clone(s->a, s->g)}, .backward = w->backward};
    ck_assert(site_ok(s, target_init(&c->t, NULL, w->mcpu, w->precision, &s->d)));
    tensor_source source = {s, site_find};
    pass_context pc = {.target = &c->t, .source = &source, .diag = &s->d};
    graph *g = c->r.g;
    int index = passes_add_variant(g, w->length, w->batch, &pc);
    ck_assert(site_ok(s, index >= 0));
    variant *v = &g->variants[index];
    c->r.v = v;
    for (value i = 0; i < g->count; i++) {
        if (!w->nodes) v->schedules[i].splits[0] = w->cut;
        if (w->chunk) v->schedules[i].chunk = w->chunk;
        if (w->streams) v->schedules[i].prefetch = w->streams;
    }
    build_begin(&c->e, s->a, &s->d);
    artefact a = {.module = module_alone(s->a, g), .targets = &c->t, .target_count = 1, .source = &source};
    c->kernels = ARENA_ARRAY(s->a, const kernel *, g->count);
    ck_assert(site_ok(s, codegen_kernels(&c->e, &a, c->kernels)));
    c->names = ARENA_ARRAY(s->a, kernel_names, g->count);
    c->scratch = run_export(&c->r, c->kernels, c->names);
    for (value i = 0; w->family && i < g->count; i++)
        if (c->kernels[i])
            ck_assert_msg(!strncmp(c->names[i][0], w->family, strlen(w->family)), "%s", c->names[i][0]);
    thread_calls_export(&c->e, &c->t);
    c->code = jit_code_open(&c->e, &c->t, 2);
    ck_assert(site_ok(s, c->code != NULL));
}

// The output's rows, dense, in the site's arena.
static inline float *site_call(site_code *c) {
    return run_all(&c->r, c->kernels, c->names, c->scratch, c->code, &c->t, c->backward);
}

static inline void site_code_close(site_code *c) {
    jit_code_close(c->code);
    build_end(&c->e);
}

// Compiles and runs; the output's rows, dense, in the site's arena.
static inline float *site_run(site *s, const way *w) {
    site_code c;
    site_compile(s, w, &c);
    float *result = site_call(&c);
    site_code_close(&c);
    return result;
}

// The largest difference from the evaluator's, over the largest value where that is above 1.
static inline double site_error(const tensor *expected, const float *got) {
    const float *x = expected->data;
    double worst = 0, most = 1;
    if (expected->e == ELEM_I32)
        return memcmp(x, got, (size_t)tensor_count(expected) * 4) == 0 ? 0 : INFINITY;
    for (int64_t i = 0; i < tensor_count(expected); i++) {
        if (!isfinite(got[i])) return INFINITY;
        worst = fmax(worst, fabs((double)x[i] - got[i]));
        most = fmax(most, fabs((double)x[i]));
    }
    return worst / most;
}

// Of `host_cpus`; an ISA that is not here is counted as left out.
static inline bool site_runs(const char *mcpu) {
    if (host_runs(mcpu)) return true;
    skip_part(host_isa(mcpu), "%s", mcpu);
    return false;
}

// Runs the graph in each of `ways`, as code of that precision for a CPU: within `tolerance` of what is expected, and
// of the same bits in all ways.
static inline void site_check_on(site *s, const char *mcpu, precision p, const tensor *expected,
                                 const way *ways, size_t count, double tolerance) {
    size_t bytes = sizeof(float) * (size_t)tensor_count(expected);
    float *first = NULL;
    for (size_t i = 0; i < count; i++) {
        way w = ways[i];
        w.mcpu = mcpu;
        w.precision = p;
        float *got = site_run(s, &w);
        double error = site_error(expected, got);
        ck_assert_msg(error < tolerance, "%s, way %zu: %g", w.mcpu, i, error);
        if (!first) first = got;
        ck_assert_msg(memcmp(first, got, bytes) == 0, "%s, way %zu: other bits", w.mcpu, i);
    }
}

// The same on each ISA, in f32.
static inline void site_check(site *s, const tensor *expected, const way *ways, size_t count,
                              double tolerance) {
    for (int c = 0; c < HOST_CPUS; c++)
        if (site_runs(host_cpus[c]))
            site_check_on(s, host_cpus[c], PRECISION_F32, expected, ways, count, tolerance);
}

static inline int site_main(const char *name, TCase *t) {
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}

#endif
