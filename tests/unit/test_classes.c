// links: backend passes runtime ir
// A module of two graphs of different arithmetic classes in one artefact: each variant runs its class's
// graph, and what is equal in the weights stands once.
#include <math.h>

#include "host.h"
#include "main.h"
#include "unit/artefact_case.h"

#define TOKENS  4
#define COLUMNS 72
static const int32_t ids[] = {3, 10, 0, 7}, types[] = {1, 0, 0, 1}, bounds[] = {0, TOKENS};

typedef struct classes {
    arena *arena;
    diag d;
    module *m;
    target targets[2];
    const char *cpus[2]; // of classes avx2 and vnni
    tensor_source source;
    artefact a;
    float *want[2];
} classes;

// Numbers that the tensor's name decides.
static bool find(void *context, const char *name, tensor_view *out) {
    static const struct {
        const char *name;
        int rank;
        int64_t rows, columns;
    } all[] = {{"table", 2, 11, 40}, {"w", 2, 40, COLUMNS}, {"b", 1, COLUMNS, 1}, {"scale", 1, COLUMNS, 1}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(name, all[i].name)) continue;
        int64_t n = all[i].rows * all[i].columns;
        float *data = ARENA_ARRAY((arena *)context, float, n);
        uint32_t state = 12345 + (uint32_t)i;
        for (int64_t k = 0; k < n; k++) {
            state = state * 1664525u + 1013904223u;
            data[k] = (float)(state >> 8) * 0x1p-23f - 1;
        }
        *out = (tensor_view){ELEM_F32, all[i].rank, {all[i].rows, all[i].columns}, data};
        return true;
    }
    return false;
}

static tensor vector(const int32_t *data, int64_t n) {
    return (tensor){.e = ELEM_I32, .rank = 1, .shape = {n}, .data = (void *)(uintptr_t)data};
}

static float *evaluated(classes *c, const graph *g) {
    const eval_input in[] = {
        {"ids", vector(ids, TOKENS)}, {"bounds", vector(bounds, 2)}, {"types", vector(types, TOKENS)}};
    eval_options o = {.source = &c->source,
                      .input_count = strcmp(graph_class(g), "vnni") ? 2 : 3,
                      .inputs = (eval_input *)(uintptr_t)in};
    tensor t;
    ck_assert(graph_eval(g, &o, c->arena, &t, &c->d));
    ck_assert_int_eq(tensor_count(&t), TOKENS * COLUMNS);
    return t.data;
}

static void must(classes *c, bool ok) {
    if (!ok) diag_print(&c->d, stderr);
    ck_assert(ok);
}

// The module through the passes, with a variant for each of the targets: the wider one runs class vnni.
static void open_classes(classes *c) {
    size_t size;
    char *text = file_text(BERTC_TESTS "/unit/classes.ir", &size);
    *c = (classes){.arena = arena_new(), .cpus = {"x86-64-v3", "x86-64-v4"}};
    diag_init(&c->d);
    c->source = (tensor_source){c->arena, find};
    c->m = module_parse(c->arena, "classes.ir", text, size, &c->d);
    free(text);
    must(c, c->m != NULL);
    for (int i = 0; i < 2; i++) c->want[i] = evaluated(c, c->m->graphs[i]);
    pass_context p = {.source = &c->source, .diag = &c->d, .verify = true};
    must(c, passes_run_to(c->m, STAGE_PACKED, NULL, &p));
    for (int i = 0; i < 2; i++) {
        target *t = &c->targets[i];
        must(c, target_init(t, "x86_64-linux-gnu", c->cpus[i], PRECISION_F32, &c->d));
        ck_assert_str_eq(t->class, "f32");
        snprintf(t->class, sizeof(t->class), "%s", i ? "vnni" : "avx2");
        p.target = t;
        graph *g = module_pick(c->m, t->class, "test", &c->d);
        must(c, g && passes_add_variant(g, 8, 1, &p) == 0 && passes_add_variant(g, 4, 1, &p) == 1);
    }
    must(c, module_verify(c->m, "test", &c->d));
    c->a = (artefact){.module = c->m,
                      .targets = c->targets,
                      .target_count = 2,
                      .source = &c->source,
                      .json = "{}",
                      .vocab_size = 11,
                      .type_vocab_size = 2,
                      .position_count = 8};
}

static void close_classes(classes *c) {
    diag_free(&c->d);
    arena_free(c->arena);
}

static double apart(const float *got, int64_t ld, const float *want) {
    double worst = 0;
    for (int64_t r = 0; r < TOKENS; r++)
        for (int64_t k = 0; k < COLUMNS; k++)
            worst = fmax(worst, fabs((double)got[r * ld + k] - (double)want[r * COLUMNS + k]));
    return worst;
}

// --- What the descriptor says; and each variant by hand, its phases in order

static void run_variant(const classes *c, const bertc_descriptor *d, const bertc_variant *v,
                        const char *weights, int class) {
    char *memory = aligned_alloc(64, (size_t)v->arena_bytes);
    char *scratch = aligned_alloc(64, (size_t)(v->scratch_bytes + 127) / 64 * 64);
    memset(memory, 0, (size_t)v->arena_bytes);
    const bertc_slot *in = at(d, v->inputs), *out = at(d, v->outputs);
    const bertc_port *ports = at(d, d->inputs);
    for (uint32_t i = 0; i < d->input_count; i++) {
        const char *name = at(d, ports[i].name);
        bool is_types = !strcmp(name, "types");
        ck_assert_int_eq(in[i].offset < 0, is_types && class == 0);
        if (strcmp(name, "ids") == 0) memcpy(memory + in[i].offset, ids, sizeof(ids));
        if (is_types && class) memcpy(memory + in[i].offset, types, sizeof(types));
    }
    bertc_call call = {.tokens = TOKENS, .sequences = 1, .bounds = bounds};
    for (uint32_t k = 0; k < v->phase_count[0]; k++)
        run_phase(d, (const bertc_phase *)at(d, v->phases[0]) + k, &call, weights, memory, scratch);
    const float *got = (const float *)(const void *)(memory + out[0].offset);
    ck_assert_double_lt(apart(got, out[0].ld, c->want[class]), 1e-5);
    ck_assert_double_gt(apart(got, out[0].ld, c->want[!class]), 0.1);
    free(memory);
    free(scratch);
}

static void check_variants(const classes *c, const bertc_descriptor *d, const char *weights) {
    static const char *const names[] = {"avx512_s4", "avx512_s8", "avx2_s4", "avx2_s8"};
    ck_assert_uint_eq(d->variant_count, 4);
    ck_assert_uint_eq(d->input_count, 3);
    for (uint32_t i = 0; i < 4; i++) {
        const bertc_variant *v = (const bertc_variant *)at(d, d->variants) + i;
        int class = i < 2;
        ck_assert_str_eq(at(d, v->name), names[i]);
        ck_assert_str_eq(at(d, v->class_name), class ? "vnni" : "avx2");
        if (host_runs(c->cpus[class]))
            run_variant(c, d, v, weights, class);
        else
            skip_part(host_isa(c->cpus[class]), "%s", names[i]);
    }
}

static void check_model(const classes *c, bertc_model *m, const bertc_error *error, int class) {
    bertc_error e;
    ck_assert_msg(m != NULL, "%s", error->message);
    bertc_session *s = bertc_open(m, NULL, &e);
    ck_assert_ptr_nonnull(s);
    float got[TOKENS * COLUMNS], *buffers[] = {got};
    bertc_batch b = {BERTC_SIZED(bertc_batch), 1, TOKENS, ids, NULL, types};
    ck_assert_msg(bertc_run(s, &b, buffers, NULL, &e), "%s", e.message);
    ck_assert_double_lt(apart(got, COLUMNS, c->want[class]), 1e-5);
    bertc_close(s);
    bertc_unload(m);
}

// What the runtime runs of each level, and of its own choice: the higher one, where this machine has it.
static void check_levels(const classes *c, bertc_model *(*load)(const void *from, bertc_error *e),
                         const void *from) {
    bertc_error e = {""};
    for (int class = 0; class < 2; class ++) {
        if (!host_runs(c->cpus[class])) {
            skip_part(host_isa(c->cpus[class]), "loading");
            continue;
        }
        setenv("BERTC_ISA", c->targets[class].isa, 1);
        check_model(c, load(from, &e), &e, class);
        unsetenv("BERTC_ISA");
        check_model(c, load(from, &e), &e, host_runs(c->cpus[1]));
    }
}

static bertc_model *load_jit(const void *from, bertc_error *e) {
    return bertc_load_memory(jit_descriptor(from), jit_weights(from), e);
}

static bertc_model *load_file(const void *from, bertc_error *e) {
    const bertc_load_options whole = {.size = sizeof(whole), .check_weights = true};
    return bertc_load_with(from, &whole, e);
}

START_TEST(jit_runs_the_graph_of_each_class) {
    classes c;
    if (!host_runs("x86-64-v2")) SKIP("generic", "code for x86-64");
    open_classes(&c);
    jit *j = backend_jit(&c.a, 2, NULL, &c.d);
    must(&c, j != NULL);
    check_variants(&c, jit_descriptor(j), jit_weights(j));
    check_levels(&c, load_jit, j);
    jit_free(j);
    close_classes(&c);
}
END_TEST

// --- The file

static int64_t padded(int64_t bytes) {
    return (bytes + 63) / 64 * 64;
}

// How often `part` stands in the file, at any place.
static int occurrences(const char *file, size_t size, const void *part, size_t bytes) {
    int n = 0;
    const char *end = file + size;
    for (const char *p = file; (p = memmem(p, (size_t)(end - p), part, bytes)); p++) n++;
    return n;
}

START_TEST(weights_stand_in_the_file_once) {
    classes c;
    if (!host_runs("x86-64-v2")) SKIP("generic", "code for x86-64");
    open_classes(&c);
    char path[] = "/tmp/bertc-classes-XXXXXX";
    close(mkstemp(path));
    emit_options o = {.output = path, .optimise = 2};
    must(&c, backend_write(&c.a, &o, NULL, &c.d));
    size_t size, section_bytes = 0;
    char *file = file_text(path, &size);
    const Elf64_Ehdr *h = (const void *)file;
    const Elf64_Shdr *s = (const void *)(file + h->e_shoff);
    for (int i = 0; i < h->e_shnum; i++)
        if (!strcmp(file + s[h->e_shstrndx].sh_offset + s[i].sh_name, ".bertc.weights"))
            section_bytes = s[i].sh_size;
    int64_t table = padded(11 * 40 * 4), w = padded(5 * 40 * 16 * 4), vector_bytes = padded(COLUMNS * 4);
    // table, w, b of both; kinds and scale of one; zeros behind
    ck_assert_int_eq((int64_t)section_bytes, table + w + 2 * vector_bytes + padded(2 * 40 * 4) + 64);
    ck_assert_int_eq((int64_t)section_bytes, module_weight_bytes(c.m));
    tensor_view t, b, scale;
    ck_assert(find(c.arena, "table", &t) && find(c.arena, "b", &b) && find(c.arena, "scale", &scale));
    ck_assert_int_eq(occurrences(file, size, t.data, 11 * 40 * 4), 1);
    ck_assert_int_eq(occurrences(file, size, b.data, COLUMNS * 4), 1);
    ck_assert_int_eq(occurrences(file, size, scale.data, COLUMNS * 4), 1);
    free(file);
    check_levels(&c, load_file, path);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(library != NULL, "%s", dlerror());
    const bertc_descriptor *d = dlsym(library, BERTC_SYMBOL);
    check_variants(&c, d, at(d, d->weights));
    dlclose(library);
    unlink(path);
    close_classes(&c);
}
END_TEST

// --- Wrong places

// A constant where a constant of another graph lies that is not its equal.
START_TEST(other_constants_at_one_place_are_refused) {
    classes c;
    if (!host_runs("x86-64-v2")) SKIP("generic", "code for x86-64");
    open_classes(&c);
    graph *g = c.m->graphs[1];
    for (value v = 0; v < g->count; v++)
        if (graph_node(g, v)->name && !strcmp(graph_node(g, v)->name, "scale"))
            for (value u = 0; u < g->count; u++)
                if (graph_node(g, u)->name && !strcmp(graph_node(g, u)->name, "b"))
                    node_set_attr(g, graph_node(g, v), *node_attr(graph_node(g, u), ATTR_at));
    ck_assert(!backend_jit(&c.a, 0, NULL, &c.d));
    const char *text = c.d.items[c.d.count - 1].text;
    ck_assert_msg(strstr(text, "its 288 bytes overlap another constant's"), "%s", text);
    close_classes(&c);
}
END_TEST

// Which thread makes the code of which level changes no byte, nor does a level that is compiled beside others.
START_TEST(threads_change_nothing) {
    classes c;
    char path[] = "/tmp/bertc-classes-XXXXXX";
    close(mkstemp(path));
    static const emit_kind kinds[] = {EMIT_SO, EMIT_OBJ};
    open_classes(&c);
    for (int k = 0; k < 2; k++) {
        char *first = NULL;
        size_t first_size = 0;
        for (int threads = 1; threads <= 3; threads++) {
            emit_options o = {.kind = kinds[k], .output = path, .optimise = 2, .threads = threads};
            backend_times times;
            must(&c, backend_write(&c.a, &o, &times, &c.d));
            ck_assert_int_eq(times.threads, threads < 2 ? 1 : 2); // there are two levels
            size_t size;
            char *file = file_text(path, &size);
            if (!first) first = file, first_size = size;
            ck_assert(size == first_size && !memcmp(file, first, size));
            if (file != first) free(file);
        }
        free(first);
    }
    unlink(path);
    close_classes(&c);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("classes");
    TCase *t = tcase_create("classes");
    tcase_add_test(t, jit_runs_the_graph_of_each_class);
    tcase_add_test(t, weights_stand_in_the_file_once);
    tcase_add_test(t, threads_change_nothing);
    tcase_add_test(t, other_constants_at_one_place_are_refused);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
