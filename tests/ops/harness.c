// The differential harness (harness.h).
#include "harness_parts.h"
#include "host.h"
#include "main.h"
#include "ops/thread_calls.h"

#include "passes/passes.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void must(run *r, bool ok, const char *what) {
    if (ok) return;
    diag_print(&r->d, stderr);
    ck_abort_msg("%s: %s failed: %s", r->cpu, what, r->d.count ? r->d.items[0].text : "no diagnostic");
}

// --- What the evaluator says

static bool keep_value(void *context, const graph *g, value v, const tensor *t) {
    run *r = context;
    r->wanted[v] = *t;
    r->wanted[v].data = arena_dup(r->a, t->data, (size_t)tensor_count(t) * elem_size(t->e));
    (void)g;
    return true;
}

static bool holds(const graph *g, value v, sym s) {
    const type *t = graph_type(g, v);
    for (int i = 0; i < t->rank; i++)
        if (t->d[i].s == s) return true;
    return false;
}

static void evaluate(run *r, int64_t length) {
    eval_options o = {.source = &r->source,
                      .input_count = r->input_count,
                      .inputs = r->inputs,
                      .length = length,
                      .observe = keep_value,
                      .observe_context = r,
                      .states = r->assigned = ARENA_ARRAY(r->a, tensor, r->g->count)};
    r->wanted = ARENA_ARRAY(r->a, tensor, r->g->count);
    tensor *results = ARENA_ARRAY(r->a, tensor, r->g->output_count);
    must(r, graph_eval(r->g, &o, r->a, results, &r->d), "evaluation");
}

// --- Comparing

static double as_number(const tensor *t, int64_t i) {
    float half;
    switch (t->e) {
    case ELEM_F32: return (double)((const float *)t->data)[i];
    case ELEM_I32: return ((const int32_t *)t->data)[i];
    case ELEM_I8:
    case ELEM_I4: return ((const int8_t *)t->data)[i];
    case ELEM_U8: return ((const uint8_t *)t->data)[i];
    case ELEM_I1: return ((const uint8_t *)t->data)[i] != 0;
    case ELEM_F16:
    case ELEM_BF16:
        elem_convert(t->e, (const uint16_t *)t->data + i, ELEM_F32, &half, 1);
        return (double)half;
    case ELEM_F64:
    case ELEM_F8_E4M3:
    case ELEM_F8_E5M2:
    case ELEM_COUNT: break;
    }
    return 0;
}

static const char *index_text(const tensor *t, int64_t i, char *buf, size_t size) {
    int64_t at[IR_MAX_RANK];
    size_t n = 0;
    for (int k = t->rank - 1; k >= 0; k--) at[k] = i % t->shape[k], i /= t->shape[k];
    buf[0] = 0;
    for (int k = 0; k < t->rank && n < size; k++)
        n += (size_t)snprintf(buf + n, size - n, "%s%" PRId64 " of %" PRId64, k ? ", " : "", at[k],
                              t->shape[k]);
    return buf;
}

static void fail_at(const run *r, const variant *x, int class, value v, const tensor *got, int64_t i,
                    const char *why) {
    const node *n = graph_node(r->g, v);
    char type_text[96], at[160], operands[512] = "", one[96];
    size_t m = 0;
    for (int k = 0; k < n->input_count && m < sizeof(operands); k++)
        m += (size_t)snprintf(operands + m, sizeof(operands) - m, "%s%s", k ? ", " : "",
                              type_print(graph_type(r->g, n->inputs[k]), one, sizeof(one)));
    ck_abort_msg("%s, thread class %d: %%%d %s%s%s (%s) -> %s: at [%s] got %.9g, want %.9g: %s", x->name,
                 class, v, n->name ? n->name : "", n->name ? " " : "", op_name(n->op), operands,
                 type_print(&n->type, type_text, sizeof(type_text)), index_text(got, i, at, sizeof(at)),
                 as_number(got, i), as_number(&r->wanted[v], i), why);
}

// What a rounding may make of a number beside it: a step of the type, of numbers around 1; 0: it rounds to no float.
static double step_of(elem e) {
    if (e == ELEM_F16) return 0x1p-10;
    return e == ELEM_BF16 ? 0x1p-7 : 0;
}

static bool is_quantized(elem e) {
    return e == ELEM_U8 || e == ELEM_I8 || e == ELEM_I4;
}

static bool is_computed(const run *r, value v) {
    return graph_node(r->g, v)->op != OP_cast && graph_node(r->g, v)->op != OP_gather;
}

static void compare(const run *r, const variant *x, int class, value v, const tensor *got) {
    const tensor *want = &r->wanted[v];
    int64_t count = tensor_count(want);
    double most = 1, tolerance = r->h->tolerance > 0 ? r->h->tolerance : 2e-6, step = step_of(want->e);
    for (int64_t i = 0; i < count; i++)
        if (isfinite(as_number(want, i)) && fabs(as_number(want, i)) > most) most = fabs(as_number(want, i));
    for (int64_t i = 0; i < count; i++) {
        double a = as_number(got, i), b = as_number(want, i);
        if (a == b || (isnan(a) && isnan(b))) continue;
        if (is_quantized(want->e) && fabs(a - b) <= r->h->steps) continue;
        if (want->e == ELEM_F32 && fabs(a - b) <= tolerance * most) continue;
        if (step > 0 && is_computed(r, v) && fabs(a - b) <= tolerance * most + step * fabs(b)) continue;
        fail_at(r, x, class, v, got, i, "too far off");
    }
}

static void compare_bits(const run *r, const variant *x, int class, value v, const tensor *got) {
    const tensor *first = &r->first[v];
    size_t size = elem_size(got->e);
    for (int64_t i = 0; i < tensor_count(got); i++)
        if (memcmp((char *)got->data + (size_t)i * size, (char *)first->data + (size_t)i * size, size) != 0)
            fail_at(r, x, class, v, got, i, "other bits than the first run gave");
}

// --- Running

// Elements from the value's start to its row i (rows are all axes but the last), where a symbol that is not
// in front has its capacity for a stride.
static int64_t row_offset(const run *r, const variant *x, value v, const tensor *t, int64_t i) {
    int64_t rows = (x->tokens + x->row_tile - 1) / x->row_tile * x->row_tile, step = x->places[v].ld, at = 0;
    for (int k = t->rank - 2; k >= 0; k--) {
        sym s = graph_type(r->g, v)->d[k].s;
        at += i % t->shape[k] * step;
        i /= t->shape[k];
        step *= s == SYM_T || s == SYM_S || s == SYM_R ? rows + graph_type(r->g, v)->d[k].n : t->shape[k];
    }
    return at;
}

// Copies between a dense tensor and its place in the arena.
static void move_value(const run *r, const variant *x, value v, unsigned char *memory, tensor *t, bool in) {
    int64_t last = t->rank ? t->shape[t->rank - 1] : 1, rows = last ? tensor_count(t) / last : 0;
    dim d = dim_num(last);
    type row = type_make(t->e, 1, &d);
    for (int64_t i = 0; i < rows; i++) {
        int64_t at = t->rank >= 2 ? elem_bytes(t->e, row_offset(r, x, v, t, i)) : 0;
        unsigned char *placed = memory + x->places[v].offset + at;
        unsigned char *dense = (unsigned char *)t->data + (size_t)(i * last) * elem_size(t->e);
        if (in)
            type_to_memory(&row, dense, placed);
        else
            type_from_memory(&row, placed, dense);
    }
}

static void fill_arena(const run *r, const variant *x, unsigned char *data) {
    for (int64_t i = 0; i + 4 <= x->arena_bytes; i += 4) {
        float f = 12345.5f + (float)(i % 97);
        memcpy(data + i, &f, 4);
    }
    for (value v = 0; v < r->g->count; v++) {
        const node *n = graph_node(r->g, v);
        if (n->op != OP_input || x->places[v].kind != PLACE_ARENA) continue;
        for (int i = 0; i < r->input_count; i++) {
            if (strcmp(r->inputs[i].name, n->name) != 0) continue;
            int64_t end = x->arena_bytes - x->places[v].offset, room = (x->tokens + x->row_tile) * 4;
            if (n->type.e == ELEM_I32)
                memset(data + x->places[v].offset, 0, (size_t)(room < end ? room : end));
        }
    }
    // In a second turn, for zeros may have gone over a neighbour.
    for (value v = 0; v < r->g->count; v++) {
        const node *n = graph_node(r->g, v);
        bool placed = n->op == OP_input && x->places[v].kind == PLACE_ARENA;
        for (int i = 0; placed && i < r->input_count; i++)
            if (!strcmp(r->inputs[i].name, n->name)) move_value(r, x, v, data, &r->inputs[i].value, true);
    }
}

static void run_phase(const run *r, const kernel_phase *p, const char *name, void *const *args,
                      const bertc_call *call, int class, void *scratch) {
    bertc_kernel f = (bertc_kernel)(uintptr_t)jit_code_symbol(r->code, name);
    ck_assert_msg(f != NULL, "no code for %s", name);
    int64_t rows = p->dim == SYM_NONE ? 1 : r->b.v[p->dim];
    int64_t tasks = (p->dim == SYM_NONE ? 1 : (rows + p->unit - 1) / p->unit) * p->inner;
    rng random = {99};
    int64_t *order = malloc(sizeof(int64_t) * (size_t)(tasks + 1));
    for (int64_t i = 0; i < tasks; i++) order[i] = class == 1 ? tasks - 1 - i : i;
    for (int64_t i = tasks - 1; class == 2 && i > 0; i--) {
        int64_t k = rng_below(&random, i + 1), t = order[i];
        order[i] = order[k];
        order[k] = t;
    }
    for (int64_t i = 0; i < tasks; i++) f(args, call, order[i], scratch, r->weights.data, i % 2 ? 0 : 4096);
    free(order);
}

static void run_node(run *r, int index, int class, value v, unsigned char *data) {
    const graph *g = r->g;
    const variant *x = &g->variants[index];
    const node *n = graph_node(g, v);
    const kernel *k = r->kernels[index * g->count + v];
    int results;
    const kernel_result *result = kernel_results(r->a, &(kernel_site){g, x, v}, &results);
    void **args = ARENA_ARRAY(r->a, void *, n->input_count + results);
    for (int i = 0; i < n->input_count; i++) {
        args[i] = harness_address(r, x, n->inputs[i], data);
    }
    for (int i = 0; i < results; i++) args[result[i].arg] = harness_address(r, x, result[i].node, data);
    bertc_call call = {r->b.v[SYM_T], r->b.v[SYM_S], r->b.v[SYM_R], r->bounds, r->row_bounds};
    fenced scratch = fenced_new(k->scratch_bytes);
    memset(scratch.data, 0x7f, (size_t)k->scratch_bytes);
    thread_calls calls = thread_calls_of(r->code, &r->target);
    thread_enter(&calls);
    for (int i = 0; i < k->phase_count[class]; i++) {
        const char *name =
            r->names[((index * g->count + v) * THREAD_CLASSES + class) * KERNEL_MAX_PHASES + i];
        run_phase(r, &k->phases[class][i], name, args, &call, class, scratch.data);
    }
    thread_leave(&calls);
    fenced_free(&scratch);
}

// Holds a value in the arena against the evaluator's, and against what the first run gave.
static void check_value(run *r, int index, int class, value v, unsigned char *data) {
    const variant *x = &r->g->variants[index];
    bindings b = r->b;
    b.v[SYM_M] = x->length;
    bool state = graph_state_of(r->g, v) != VALUE_NONE;
    tensor got = state ? harness_state(r, v) : harness_tensor_new(r->a, graph_type(r->g, v), &b);
    if (graph_type(r->g, v)->layout == LAYOUT_PACKED && !state)
        harness_unpack(graph_type(r->g, v), data + x->places[v].offset, &got);
    else if (!state)
        move_value(r, x, v, data, &got, false);
    compare(r, x, class, v, &got);
    if (r->first[v].data)
        compare_bits(r, x, class, v, &got);
    else
        r->first[v] = got;
}

// Each state holds what was assigned, whether or not a value stands for that.
static void check_states(run *r, const variant *x, int class) {
    for (value v = 0; v < r->g->count; v++) {
        if (!node_is_state(graph_node(r->g, v))) continue;
        tensor got = harness_state(r, v);
        if (!r->assigned[v].data) continue;
        r->wanted[v] = r->assigned[v];
        compare(r, x, class, v, &got);
    }
}

static void run_variant(run *r, int index, int class) {
    const graph *g = r->g;
    const variant *x = &g->variants[index];
    fenced memory = fenced_new(x->arena_bytes);
    fill_arena(r, x, memory.data);
    harness_states_open(r);
    for (value v = 0; v < g->count; v++) {
        if (!r->kernels[index * g->count + v]) continue;
        run_node(r, index, class, v, memory.data);
        int results;
        const kernel_result *result = kernel_results(r->a, &(kernel_site){g, x, v}, &results);
        for (int i = 0; i < results; i++) check_value(r, index, class, result[i].node, memory.data);
    }
    check_states(r, x, class);
    fenced_free(&r->states);
    fenced_free(&memory);
}

// --- Compiling

static void make_weights(run *r) {
    weights w;
    must(r, weights_collect(module_alone(r->a, r->g), r->a, &w, &r->d), "weights");
    r->weights = fenced_new(w.bytes);
    for (int i = 0; i < w.count; i++)
        must(r, weights_fill(&w, i, &r->source, r->weights.data + w.items[i].at, &r->d), "weights");
}

// The functions are called from outside, so they become external; the module is gone once it is code, so
// their names are kept.
static void export_functions(run *r, int sites) {
    r->names = ARENA_ARRAY(r->a, const char *, sites *THREAD_CLASSES *KERNEL_MAX_PHASES);
    for (int i = 0; i < sites * THREAD_CLASSES; i++) {
        const kernel *k = r->kernels[i / THREAD_CLASSES];
        for (int p = 0; k && p < k->phase_count[i % THREAD_CLASSES]; p++) {
            LLVMValueRef f = k->phases[i % THREAD_CLASSES][p].function;
            LLVMSetLinkage(f, LLVMExternalLinkage);
            const char *name = arena_strdup(r->a, LLVMGetValueName(f)), *family = r->h->family;
            bool asked = family && !holds(r->g, i / THREAD_CLASSES % r->g->count, SYM_M);
            ck_assert_msg(!asked || !strncmp(name, family, strlen(family)), "%s is not of the family %s",
                          name, family);
            r->names[i * KERNEL_MAX_PHASES + p] = name;
        }
    }
}

static void compile(run *r) {
    emit e;
    artefact a = {
        .module = module_alone(r->a, r->g), .targets = &r->target, .target_count = 1, .source = &r->source};
    int sites = r->g->variant_count * r->g->count;
    r->kernels = ARENA_ARRAY(r->a, const kernel *, sites);
    build_begin(&e, r->a, &r->d);
    must(r, codegen_kernels(&e, &a, r->kernels), "code generation");
    export_functions(r, sites);
    thread_calls_export(&e, &r->target);
    r->code = jit_code_open(&e, &r->target, r->h->plain ? 0 : 2);
    build_end(&e);
    must(r, r->code != NULL, "compilation");
}

static void prepare(run *r, const graph *g) {
    pass_context c = {.target = &r->target, .source = &r->source, .diag = &r->d, .verify = true};
    r->g = graph_clone(r->a, g);
    const char *list = r->h->passes ? r->h->passes : "assign_layouts,pack_weights";
    must(r, passes_run(r->g, list, &c), "passes");
    target_settle(&r->target, r->g);
    must(r, passes_add_variant(r->g, r->h->length, r->h->batch, &c) == 0, "the first variant");
    must(r, passes_add_variant(r->g, r->h->length + 5, r->h->batch + 1, &c) == 1, "the second variant");
}

static void check_cpu(const graph *g, const harness *h, const char *cpu, precision p) {
    run r = {.h = h, .cpu = cpu, .a = arena_new(), .source = {h->weights, harness_find}};
    int32_t bounds[HARNESS_TEXTS + 1] = {0}, row_bounds[HARNESS_TEXTS + 1] = {0};
    diag_init(&r.d);
    must(&r, target_init(&r.target, NULL, cpu, p, &r.d), "target");
    harness_bind(&r, bounds, row_bounds);
    prepare(&r, g);
    harness_inputs(&r);
    compile(&r);
    make_weights(&r);
    r.first = ARENA_ARRAY(r.a, tensor, r.g->count);
    for (int index = 0; index < 2; index++) {
        evaluate(&r, r.g->variants[index].length);
        if (index == 1)
            for (value v = 0; v < r.g->count; v++)
                if (holds(r.g, v, SYM_M)) r.first[v].data = NULL;
        for (int class = 0; class < THREAD_CLASSES; class ++) run_variant(&r, index, class);
    }
    jit_code_close(r.code);
    fenced_free(&r.weights);
    diag_free(&r.d);
    arena_free(r.a);
}

// Is the graph's code for `cpu` the code that "native" has been run with?
static bool is_native(const graph *g, const char *cpu) {
    target host;
    diag d;
    diag_init(&d);
    bool ok = target_init(&host, NULL, "native", PRECISION_F32, &d);
    if (ok) target_settle(&host, g);
    diag_free(&d);
    return ok && !strcmp(host.isa, host_isa(cpu));
}

static bool has_word(const char *list, const char *word) {
    size_t n = strlen(word);
    for (const char *at = list; *at; at += strcspn(at, " "), at += *at == ' ')
        if (strcspn(at, " ") == n && !memcmp(at, word, n)) return true;
    return false;
}

// Is the code of a form in class `class`?
static bool of_class(const struct host_form *x, const char *class) {
    target t;
    diag d;
    diag_init(&d);
    bool ok = target_init(&t, NULL, x->cpu, x->precision, &d) && (!class || !strcmp(t.class, class));
    diag_free(&d);
    return ok;
}

static void check_dtypes(const graph *g, const harness *h) {
    for (int i = 0; i < HOST_FORMS; i++) {
        const struct host_form *x = &host_forms[i];
        if (!has_word(h->dtypes, precision_name(x->precision)) || !of_class(x, h->class)) continue;
        if (host_runs_precision(x->cpu, x->precision))
            check_cpu(g, h, x->cpu, x->precision);
        else
            skip_part(x->cpu, "%s", precision_name(x->precision));
    }
}

void harness_check(const graph *g, const harness *given) {
    harness h = given ? *given : (harness){0};
    if (h.texts == 0) {
        h.texts = 3;
        memcpy(h.lengths, (int64_t[]){5, 1, 9}, 3 * sizeof(int64_t));
    }
    int64_t tokens = 0, longest = 1;
    for (int i = 0; i < h.texts; i++) {
        tokens += h.lengths[i];
        longest = h.lengths[i] > longest ? h.lengths[i] : longest;
    }
    if (!h.length) h.length = longest;
    if (!h.batch) h.batch = (tokens + h.length - 1) / h.length;
    if (h.dtypes) {
        check_dtypes(g, &h);
        return;
    }
    if (!h.only || !strcmp(h.only, "native")) check_cpu(g, &h, "native", PRECISION_F32);
    for (int i = 0; i < HOST_CPUS; i++) {
        if (h.only && strcmp(h.only, host_cpus[i])) continue;
        if (!host_runs(host_cpus[i]))
            skip_part(host_isa(host_cpus[i]), "%s", host_cpus[i]);
        else if (h.only || !is_native(g, host_cpus[i]))
            check_cpu(g, &h, host_cpus[i], PRECISION_F32);
    }
}
