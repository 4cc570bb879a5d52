// links: hub passes backend runtime ir
// Parameters that a graph changes: tests/cli/step.ir over the bundled checkpoint, as an artefact and by JIT. What is
// read after some calls is the evaluator's, bit for bit, and goes into a file under the checkpoint's names and back.
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/backend.h"
#include "file.h"
#include "frontend/hub/hub.h"
#include "main.h"
#include "passes/passes.h"
#include "runtime/bertc.h"

#define MODEL BERTC_TESTS "/../examples/models/mini-sst2"
#define GRAPH BERTC_TESTS "/cli/step.ir"
enum { CALLS = 3, TOKENS = 5, MOST = 16 };

static arena *a;
static diag d;
static hub_model hub;
static graph *plain; // as it is written
static target host;
static artefact made;
static char folder[64];

static void setup(void) {
    a = arena_new();
    diag_init(&d);
    ck_assert_msg(hub_open(&(hub_options){.model = MODEL}, a, &hub, &d), "%s",
                  d.count ? d.items[0].text : "");
    size_t size;
    char *text = file_text(GRAPH, &size);
    plain = graph_parse(a, GRAPH, text, size, &d);
    free(text);
    ck_assert_msg(plain != NULL, "%s", d.count ? d.items[0].text : "");
    ck_assert(target_init(&host, NULL, "native", PRECISION_F32, &d));
    graph *g = graph_clone(a, plain);
    pass_context c = {.target = &host, .source = &hub.source, .diag = &d, .verify = true};
    bool ok = passes_run(g, NULL, &c) && passes_add_variant(g, 8, 1, &c) == 0 &&
              passes_add_variant(g, 16, 2, &c) == 1;
    ck_assert_msg(ok, "%s", d.count ? d.items[0].text : "");
    made = (artefact){.module = module_alone(a, g),
                      .targets = &host,
                      .target_count = 1,
                      .source = &hub.source,
                      .vocab_size = 8192,
                      .type_vocab_size = 2,
                      .position_count = 512};
    strcpy(folder, "/tmp/bertc-parameters-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void) {
    ck_assert_int_eq(rmdir(folder), 0);
    hub_close(&hub);
    diag_free(&d);
    arena_free(a);
}

static const int32_t ids[TOKENS] = {101, 7, 4711, 8191, 102};

// --- What the evaluator says

static tensor *evaluated(int calls) {
    tensor *states = ARENA_ARRAY(a, tensor, plain->count), results[2];
    for (int call = 0; call < calls; call++) {
        int32_t bounds[2] = {0, TOKENS}, step = call + 1;
        float rate = 0.1f;
        const eval_input in[] = {{"ids", {ELEM_I32, 1, {TOKENS}, (void *)(uintptr_t)ids}},
                                 {"bounds", {ELEM_I32, 1, {2}, bounds}},
                                 {"rate", {ELEM_F32, 0, {0}, &rate}},
                                 {"step", {ELEM_I32, 0, {0}, &step}}};
        eval_options o = {.source = &hub.source, .input_count = 4, .inputs = in, .states = states};
        ck_assert_msg(graph_eval(plain, &o, a, results, &d), "%s", d.count ? d.items[0].text : "");
    }
    return states;
}

// The checkpoint's tensor as f32.
static float *original(const char *name, int64_t count) {
    tensor_view t;
    float *x = ARENA_ARRAY(a, float, count);
    ck_assert(hub.source.find(hub.source.context, name, &t));
    elem_convert(t.e, t.data, ELEM_F32, x, count);
    return x;
}

// What the parameter should be after the calls: out of the state that holds it, by hand.
static float *expected(const char *name, const tensor *states, int64_t count) {
    float *x = original(name, count);
    const char *state = strstr(name, "classifier.weight") ? "classifier"
                        : strstr(name, "classifier.bias") ? "classifier.bias"
                        : strstr(name, ".weight")         ? "qk"
                                                          : "qk.bias";
    if (strstr(name, "LayerNorm")) return x; // nothing is assigned to it
    value v = 0;
    while (!plain->nodes[v].name || strcmp(plain->nodes[v].name, state)) v++;
    if (!states[v].data) return x; // no call yet
    const float *from = states[v].data;
    int64_t at = strstr(name, "key") ? 256 : 0;
    // Matrices are transposed, with 256 rows.
    for (int64_t i = 0; i < count; i++)
        x[i] = states[v].rank == 2 ? from[i % 256 * states[v].shape[1] + at + i / 256] : from[at + i];
    return x;
}

// --- Sessions

static bool call(bertc_session *s, int step) {
    bertc_error error = {""};
    bertc_batch in = {BERTC_SIZED(bertc_batch), .batch = 1,   .length = TOKENS,
                      .input_ids = ids,         .step = step, .rate = 0.1f};
    bool ok = bertc_run(s, &in, NULL, NULL, &error);
    ck_assert_msg(ok, "%s", error.message);
    return ok;
}

typedef struct values {
    int count;
    bertc_parameter p[MOST];
    float *data[MOST];
} values;

static values read_all(const bertc_model *m, bertc_session *s) {
    values v = {.count = bertc_parameter_count(m)};
    ck_assert_int_le(v.count, MOST);
    for (int i = 0; i < v.count; i++) {
        v.p[i] = (bertc_parameter)BERTC_PARAMETER_INIT;
        ck_assert(bertc_parameter_describe(m, i, &v.p[i], NULL));
        v.data[i] = ARENA_ARRAY(a, float, v.p[i].count);
        ck_assert(bertc_parameter_read(s, i, v.data[i], NULL));
    }
    return v;
}

static void compare(const values *v, int calls) {
    const tensor *states = evaluated(calls);
    ck_assert_int_eq(v->count, 7);
    for (int i = 0; i < v->count; i++) {
        const float *want = expected(v->p[i].name, states, v->p[i].count);
        for (int64_t k = 0; k < v->p[i].count; k++)
            ck_assert_msg(!memcmp(&v->data[i][k], &want[k], 4), "%s: element %ld is %.9g, not %.9g",
                          v->p[i].name, (long)k, (double)v->data[i][k], (double)want[k]);
    }
}

// Under the checkpoint's names into a file, and out of it again.
static void write_back(const values *v) {
    char path[128];
    safetensors_item items[MOST];
    snprintf(path, sizeof path, "%s/trained.safetensors", folder);
    for (int i = 0; i < v->count; i++) {
        items[i] = (safetensors_item){.name = v->p[i].name,
                                      .dtype = "F32",
                                      .rank = v->p[i].rank,
                                      .data = v->data[i],
                                      .bytes = (size_t)v->p[i].count * sizeof(float)};
        memcpy(items[i].shape, v->p[i].shape, sizeof v->p[i].shape);
    }
    ck_assert_msg(safetensors_write(path, v->count, items, &d), "%s", d.count ? d.items[0].text : "");
    safetensors *file = safetensors_open(path, &d);
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < v->count; i++) {
        tensor_view t;
        ck_assert(hub.source.find(hub.source.context, v->p[i].name, &t)); // the same name and shape
        ck_assert_int_eq(t.rank, v->p[i].rank);
        ck_assert_mem_eq(t.shape, v->p[i].shape, sizeof(int64_t) * (size_t)t.rank);
        const char *dtype;
        const int64_t *shape;
        const void *data;
        size_t bytes;
        int rank;
        ck_assert(safetensors_entry(file, v->p[i].name, &dtype, &rank, &shape, &data, &bytes));
        ck_assert(!strcmp(dtype, "F32") && rank == t.rank && bytes == items[i].bytes);
        ck_assert_mem_eq(data, v->data[i], bytes);
    }
    safetensors_close(file);
    unlink(path);
}

static void check_model(bertc_model *m) {
    bertc_error error = {""};
    bertc_session *s = bertc_open(m, NULL, &error),
                  *other = bertc_open(
                      m, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = 2}, &error);
    ck_assert_msg(s && other, "%s", error.message);
    for (int i = 0; i < CALLS; i++) call(s, i + 1);
    values v = read_all(m, s);
    compare(&v, CALLS);
    write_back(&v);
    v = read_all(m, other);
    compare(&v, 0); // a session of its own, with the artefact's values
    call(other, 1);
    v = read_all(m, other);
    compare(&v, 1);
    bertc_close(other);
    bertc_close(s);
}

START_TEST(in_an_artefact) {
    char path[128];
    bertc_error error = {""};
    snprintf(path, sizeof path, "%s/step.so", folder);
    emit_options o = {.kind = EMIT_SO, .output = path, .optimise = 2};
    backend_times times;
    ck_assert_msg(backend_write(&made, &o, &times, &d), "%s", d.count ? d.items[0].text : "");
    bertc_model *m = bertc_load(path, &error);
    ck_assert_msg(m != NULL, "%s", error.message);
    check_model(m);
    bertc_unload(m);
    unlink(path);
}
END_TEST

// A child of a fork has its own copy.
START_TEST(by_jit) {
    bertc_error error = {""};
    jit *j = backend_jit(&made, 2, NULL, &d);
    ck_assert_msg(j != NULL, "%s", d.count ? d.items[0].text : "");
    bertc_model *m = bertc_load_memory(jit_descriptor(j), jit_weights(j), &error);
    ck_assert_msg(m != NULL, "%s", error.message);
    check_model(m);
    bertc_session *s = bertc_open(m, NULL, &error);
    call(s, 1);
    pid_t child = fork();
    if (child == 0) {
        call(s, 2);
        values v = read_all(m, s);
        compare(&v, 2);
        _exit(0);
    }
    int status = -1;
    ck_assert(waitpid(child, &status, 0) == child && status == 0);
    values v = read_all(m, s);
    compare(&v, 1);
    bertc_close(s);
    bertc_unload(m);
    jit_free(j);
}
END_TEST

int main(void) {
    Suite *s = suite_create("parameters");
    TCase *t = tcase_create("parameters");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, in_an_artefact);
    tcase_add_test(t, by_jit);
    suite_add_tcase(s, t);
    return suite_status(s);
}
