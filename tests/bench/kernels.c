// bench_kernels: what each kernel of a graph costs, of an op-graph text alone: products, sums, updates of states, in any
// shape, without a checkpoint.
//
//   bench_kernels [OPTION]... GRAPH.ir...
//
// The graph goes through the passes, is compiled for this CPU, and its kernels run one after the other on numbers at random, in texts
// of equal length. Each row is the median of the rounds; the peak is measured between them.
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/output/artefact.h"
#include "frontend/cli/bench/peak.h"
#include "frontend/cli/memory.h"
#include "frontend/cli/options.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "tests/ops/thread_calls.h"

#define PEAK_SECONDS 0.02
#define MOST_THREADS 64
#define SIZE_LIMIT   (INT64_C(1) << 20) // of a text

typedef struct kernel_options {
    int64_t length, texts, threads, rounds;
    const char *mcpu, *passes, *dtype;
    precision precision;
    const char *memory;
    bool report, train;
} kernel_options;

// A compiled graph and its memory.
typedef struct bench_graph {
    arena *a;
    graph *g;
    const variant *v;
    target t;
    const kernel **kernels;
    jit_code *code;
    thread_calls calls;
    char *arena, *weights, *states, *scratch[MOST_THREADS];
    bertc_call call;
    float number;
} bench_graph;

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int64_t n) {
    qsort(v, (size_t)n, sizeof(*v), compare_doubles);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

// --- The threads of a phase

typedef struct crew {
    int threads;
    atomic_int turn, left;
    atomic_long next;
    bertc_kernel code;
    void *const *args;
    const bench_graph *b;
    int64_t tasks;
    bool ends;
} crew;
typedef struct member {
    crew *c;
    int number;
} member;

static void run_tasks(crew *c, int number) {
    const bench_graph *b = c->b;
    thread_enter(&b->calls);
    for (int64_t i; (i = atomic_fetch_add(&c->next, 1)) < c->tasks;)
        c->code(c->args, &b->call, i, b->scratch[number], b->weights, 0);
    thread_leave(&b->calls);
    atomic_fetch_sub(&c->left, 1);
}

static void *member_run(void *user) {
    member *m = user;
    for (int turn = 1;; turn++) {
        while (atomic_load(&m->c->turn) < turn) continue;
        if (m->c->ends) return NULL;
        run_tasks(m->c, m->number);
    }
}

static void crew_run(crew *c, bertc_kernel code, int64_t tasks, void *const *args) {
    c->code = code;
    c->tasks = tasks;
    c->args = args;
    atomic_store(&c->next, 0);
    atomic_store(&c->left, c->threads);
    atomic_fetch_add(&c->turn, 1);
    run_tasks(c, 0);
    while (atomic_load(&c->left) > 0) continue;
}

// --- A graph

static uint32_t random_bits(uint32_t *state) {
    *state ^= *state << 13, *state ^= *state >> 17, *state ^= *state << 5;
    return *state;
}

static void *random_numbers(int64_t bytes) {
    uint32_t state = 2463534242u;
    size_t size = (size_t)round_up(bytes + 64, 64);
    float *data = aligned_alloc(64, size);
    for (size_t i = 0; data && i < size / 4; i++) data[i] = (float)(int32_t)random_bits(&state) * 0x1p-35f;
    return data;
}

static void write_bounds(const bench_graph *b, int32_t *to, int64_t length) {
    for (int64_t i = 0; i <= b->call.sequences; i++) to[i] = (int32_t)(i * length);
}

static int64_t size_of(const bench_graph *b, sym s) {
    return s == SYM_T ? b->call.tokens : s == SYM_S ? b->call.sequences : s == SYM_R ? b->call.rows : 1;
}

// Whole numbers: bounds of texts of equal length, and ids below what they look up.
static void write_inputs(bench_graph *b, const kernel_options *o) {
    uint32_t state = 88172645u;
    for (value v = 0; v < b->g->count; v++) {
        const node *n = graph_node(b->g, v);
        if (n->op != OP_input || n->type.e != ELEM_I32 || b->v->places[v].kind != PLACE_ARENA) continue;
        int32_t *to = (int32_t *)(void *)(b->arena + b->v->places[v].offset);
        int64_t limit = backend_input_limit(b->g, v), count = n->type.rank ? size_of(b, n->type.d[0].s) : 1;
        if (!strcmp(n->name, "bounds")) {
            write_bounds(b, to, o->length);
            b->call.bounds = to;
        } else if (!strcmp(n->name, "row_bounds")) {
            write_bounds(b, to, b->call.rows / b->call.sequences);
            b->call.row_bounds = to;
        } else {
            for (int64_t i = 0; i < count; i++)
                to[i] = (int32_t)(random_bits(&state) % (uint32_t)(limit > 0 ? limit : 2));
        }
    }
}

static void *address_of(bench_graph *b, value v) {
    const node *n = graph_node(b->g, v);
    const place *p = &b->v->places[v];
    if (node_is_state(n)) return b->states + node_attr(n, ATTR_at)->u.i;
    if (node_is_constant(n)) return b->weights + node_attr(n, ATTR_at)->u.i;
    if (p->kind == PLACE_STATE) return b->states + p->offset;
    if (p->kind == PLACE_INPUT) return &b->number;
    return b->arena + p->offset;
}

static void export_kernels(const bench_graph *b, int class, const char **names) {
    for (value v = 0; v < b->g->count; v++)
        for (int i = 0; b->kernels[v] && i < b->kernels[v]->phase_count[class]; i++) {
            LLVMValueRef f = b->kernels[v]->phases[class][i].function;
            size_t size;
            LLVMSetLinkage(f, LLVMExternalLinkage);
            names[v * KERNEL_MAX_PHASES + i] = arena_strdup(b->a, LLVMGetValueName2(f, &size));
        }
}

static bool compile(bench_graph *b, const kernel_options *o, int class, const char **names, diag *d) {
    emit e;
    artefact made = {.module = module_alone(b->a, b->g), .targets = &b->t, .target_count = 1};
    b->kernels = ARENA_ARRAY(b->a, const kernel *, b->g->count);
    build_begin(&e, b->a, d);
    bool ok = codegen_kernels(&e, &made, b->kernels);
    if (ok) {
        export_kernels(b, class, names);
        thread_calls_export(&e, &b->t);
        b->code = jit_code_open(&e, &b->t, 2);
        ok = b->code != NULL;
    }
    build_end(&e);
    (void)o;
    return ok;
}

static bool prepare(bench_graph *b, const char *path, const kernel_options *o, diag *d) {
    size_t size = 0, room = 0;
    char *text = NULL;
    FILE *in = fopen(path, "r");
    if (!in) return diag_error(d, path, "can't be read");
    for (size_t n = 1; n; size += n) {
        if (room < size + 65536) text = realloc(text, room = 2 * room + 65536);
        n = text ? fread(text + size, 1, room - size, in) : 0;
    }
    fclose(in);
    b->g = graph_parse(b->a, path, text, size, d);
    free(text);
    if (!b->g || !target_init(&b->t, NULL, o->mcpu, o->precision, d)) return false;
    graph_set_class(b->g, b->t.class);
    pass_context c = {.target = &b->t,
                      .diag = d,
                      .report = o->report ? stderr : NULL,
                      .verify = true,
                      .precision = o->precision,
                      .train = o->train};
    memory_choice choice = {0};
    memory_options memory = {
        .length = o->length, .batch = o->texts, .targets = &b->t, .target_count = 1, .choice = &choice};
    if (o->memory && !memory_read(o->memory, &memory, d)) return false;
    c.memory = &memory;
    if (!passes_run(b->g, o->passes, &c)) return false;
    if (o->memory) memory_tell(&memory, stdout);
    int index = passes_add_variant(b->g, o->length, o->texts, &c);
    if (index >= 0) b->v = &b->g->variants[index];
    return index >= 0;
}

static bool allocate(bench_graph *b, const kernel_options *o, diag *d) {
    int64_t scratch = 64;
    for (value v = 0; v < b->g->count; v++)
        if (b->kernels[v] && b->kernels[v]->scratch_bytes > scratch) scratch = b->kernels[v]->scratch_bytes;
    b->number = 0.5f;
    b->arena = random_numbers(b->v->arena_bytes);
    b->weights = random_numbers(b->g->weight_bytes);
    b->states = random_numbers(b->g->state_bytes + b->g->zero_bytes);
    bool ok = b->arena && b->weights && b->states;
    for (int i = 0; i < o->threads; i++) {
        b->scratch[i] = aligned_alloc(64, (size_t)round_up(scratch, 64));
        ok = ok && b->scratch[i];
    }
    if (!ok) return diag_error(d, NULL, "out of memory");
    b->call = (bertc_call){.tokens = o->length * o->texts, .sequences = o->texts, .rows = o->texts};
    write_inputs(b, o);
    return true;
}

// --- Measuring

static void print_node(const bench_graph *b, value v, int class, double seconds, double peak,
                       const kernel_options *o) {
    const node *n = graph_node(b->g, v);
    const kernel *k = b->kernels[v];
    double flops = 0, bytes = (double)weights_read(b->g, n),
           pairs = (double)(o->length * o->length * o->texts);
    for (int i = 0; i < k->phase_count[class]; i++) {
        const kernel_phase *p = &k->phases[class][i];
        double rows = (double)size_of(b, p->dim);
        flops += p->flops_call + p->flops_row * rows + p->flops_pair * pairs;
        bytes += (double)p->row_bytes * rows + (double)p->token_bytes * (double)b->call.tokens +
                 (double)p->pair_bytes * pairs;
    }
    char name[96], shape[64];
    snprintf(name, sizeof name, "%%%s", n->name ? n->name : arena_printf(b->a, "%d", v));
    printf("  %-24s %-10s %-22s %10.3f %9.1f %6.1f%% %8.2f\n", name, k->family,
           type_print(&n->type, shape, sizeof shape), seconds * 1e3, flops / seconds * 1e-9,
           100 * flops / seconds * 1e-9 / peak, bytes / seconds * 1e-9);
}

static double run_node(bench_graph *b, crew *c, value v, int class, const char *const *names) {
    const node *n = graph_node(b->g, v);
    const kernel *k = b->kernels[v];
    int results;
    const kernel_result *r = kernel_results(b->a, &(kernel_site){b->g, b->v, v}, &results);
    void **args = ARENA_ARRAY(b->a, void *, n->input_count + results);
    for (int i = 0; i < n->input_count; i++) args[i] = address_of(b, n->inputs[i]);
    for (int i = 0; i < results; i++) args[r[i].arg] = address_of(b, r[i].node);
    double begin = seconds_now();
    for (int i = 0; i < k->phase_count[class]; i++) {
        const kernel_phase *p = &k->phases[class][i];
        bertc_kernel f = (bertc_kernel)(uintptr_t)jit_code_symbol(b->code, names[v * KERNEL_MAX_PHASES + i]);
        crew_run(c, f, ceil_div(size_of(b, p->dim), p->unit) * p->inner, args);
    }
    return seconds_now() - begin;
}

static void measure(bench_graph *b, const kernel_options *o, int class, const char *const *names) {
    crew c = {.threads = (int)o->threads, .b = b};
    member members[MOST_THREADS];
    pthread_t threads[MOST_THREADS];
    for (int i = 1; i < o->threads; i++) {
        members[i] = (member){&c, i};
        pthread_create(&threads[i], NULL, member_run, &members[i]);
    }
    int64_t rounds = o->rounds;
    double *times = ARENA_ARRAY(b->a, double, b->g->count *rounds),
           *peaks = ARENA_ARRAY(b->a, double, rounds);
    for (int64_t i = -1; i < rounds; i++) // the first one does not count
        for (value v = 0; v < b->g->count; v++) {
            if (!b->kernels[v]) continue;
            double seconds = run_node(b, &c, v, class, names);
            if (i >= 0) times[v * rounds + i] = seconds;
        }
    c.ends = true;
    atomic_fetch_add(&c.turn, 1);
    for (int i = 1; i < o->threads; i++) pthread_join(threads[i], NULL);
    peak_type what = o->precision == PRECISION_BF16   ? PEAK_BF16
                     : o->precision == PRECISION_INT8 ? PEAK_INT8
                                                      : PEAK_F32;
    for (int64_t i = 0; i < rounds; i++) peaks[i] = peak_gops(what, b->t.isa, (int)o->threads, PEAK_SECONDS);
    double peak = median(peaks, rounds), total = 0;
    printf("  %-24s %-10s %-22s %10s %9s %7s %8s\n", "value", "family", "type", "ms", "GFLOP/s", "% peak",
           "GB/s");
    for (value v = 0; v < b->g->count; v++) {
        if (!b->kernels[v]) continue;
        double seconds = median(times + v * rounds, rounds);
        total += seconds;
        print_node(b, v, class, seconds, peak, o);
    }
    printf("  %-24s %-10s %-22s %10.3f   peak %.1f GFLOP/s\n", "all", "", "", total * 1e3, peak);
}

static bool bench_file(const char *path, const kernel_options *o, diag *d) {
    bench_graph b = {.a = arena_new()};
    int class = o->threads == 1 ? 0 : o->threads == 2 ? 1 : o->threads <= 8 ? 2 : 3;
    bool ok = prepare(&b, path, o, d);
    const char **names = ok ? ARENA_ARRAY(b.a, const char *, b.g->count *KERNEL_MAX_PHASES) : NULL;
    ok = ok && compile(&b, o, class, names, d);
    if (ok) b.calls = thread_calls_of(b.code, &b.t);
    ok = ok && allocate(&b, o, d);
    if (ok) {
        printf("%s: %s, %d texts of %d tokens, %d threads, %.1f MB of arena\n", path, b.t.isa, (int)o->texts,
               (int)o->length, (int)o->threads, (double)b.v->arena_bytes / 1e6);
        measure(&b, o, class, names);
    }
    if (b.code) jit_code_close(b.code);
    free(b.arena);
    free(b.weights);
    free(b.states);
    for (int i = 0; i < MOST_THREADS; i++) free(b.scratch[i]);
    arena_free(b.a);
    return ok;
}

int main(int argc, char **argv) {
    kernel_options o = {.length = 128, .texts = 16, .threads = 1, .rounds = 5, .mcpu = "native"};
    option_table t = {.usage = "bench_kernels [OPTION]... GRAPH.ir...",
                      .summary = "What each kernel of an op graph costs, on random numbers."};
    options_add(&t, (option_row){"seq", 0, OPTION_INT, "N", "tokens of a text (default 128)", &o.length, 1,
                                 SIZE_LIMIT});
    options_add(&t, (option_row){"batch", 0, OPTION_INT, "N", "texts (default 16)", &o.texts, 1, 4096});
    options_add(&t, (option_row){"threads", 'j', OPTION_INT, "N", "default 1", &o.threads, 1, MOST_THREADS});
    options_add(&t, (option_row){"rounds", 0, OPTION_INT, "N", "default 5", &o.rounds, 1, 1000});
    options_add(&t, (option_row){"mcpu", 0, OPTION_TEXT, "CPU", "default native", &o.mcpu, 0, 0});
    options_add(&t, (option_row){"dtype", 0, OPTION_TEXT, "TYPE",
                                 "of products, and of the peak: f32 (default), bf16, int8, int8w", &o.dtype,
                                 0, 0});
    options_add(&t, (option_row){"passes", 0, OPTION_TEXT, "LIST", "as of bertc opt", &o.passes, 0, 0});
    options_add(&t, (option_row){"train", 0, OPTION_FLAG, NULL, "of a graph with a loss: a step of training",
                                 &o.train, 0, 0});
    options_add(&t, (option_row){"memory", 0, OPTION_TEXT, "SIZE", MEMORY_HELP, &o.memory, 0, 0});
    options_add(
        &t, (option_row){"report", 0, OPTION_FLAG, NULL, "the fusion report, on stderr", &o.report, 0, 0});
    arguments files;
    int status = options_parse(&t, argc, argv, &files);
    if (status >= 0) return status;
    diag d;
    diag_init(&d);
    bool ok = files.count > 0;
    if (o.dtype && !precision_find(o.dtype, &o.precision))
        ok = diag_error(&d, "--dtype", "takes f32, bf16, int8 or int8w, not '%s'", o.dtype);
    for (int i = 0; ok && i < files.count; i++) ok = bench_file(files.v[i], &o, &d);
    diag_print(&d, stderr);
    diag_free(&d);
    return ok ? EXIT_OK : EXIT_FAILED;
}
