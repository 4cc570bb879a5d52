// links: cli
// What a text's answer may not depend on: the variant, the other texts of the call, threads, padding. Equal
// bits.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "main.h"
#include "models/levels.h"
#include "models/reference.h"

#define MODEL  BERTC_TESTS "/../examples/models/mini-sst2"
#define LENGTH 23 // of the text that is looked at: no multiple of anything
#define GRID   128
#define WIDTH  256

typedef struct outputs {
    float logits[2], hidden[LENGTH * WIDTH];
} outputs;

static int output_index(const bertc_model *m, const char *name) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(m, &info, NULL);
    for (int i = 0; i < info.output_count; i++) {
        if (!strcmp(bertc_output_name(m, i), name)) return i;
    }
    ck_abort_msg("no output %s", name);
}

static int32_t id_at(int text, int64_t i) {
    return (int32_t)(5 + (text * 7919 + i * 104729) % 8000);
}

// Runs `batch` texts of `lengths` on a grid of `grid` columns; *out gets the outputs of text `which`.
static void run(bertc_model *model, int threads, int batch, const int64_t *lengths, const int *texts,
                int64_t grid, int which, outputs *out) {
    bertc_error e = {""};
    bertc_session *s = bertc_open(
        model, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = threads}, &e);
    ck_assert_msg(s != NULL, "%s", e.message);
    int32_t *ids = calloc((size_t)(batch * grid), 4), *mask = calloc((size_t)(batch * grid), 4);
    for (int t = 0; t < batch; t++) {
        for (int64_t i = 0; i < lengths[t]; i++) {
            ids[t * grid + i] = id_at(texts[t], i);
            mask[t * grid + i] = 1;
        }
    }
    int logits = output_index(model, "logits"), hidden = output_index(model, "hidden_states.3");
    float *buffers[16] = {0};
    buffers[logits] = malloc(bertc_output_bytes(model, logits, batch, grid));
    buffers[hidden] = malloc(bertc_output_bytes(model, hidden, batch, grid));
    ck_assert_msg(bertc_run(s, &(bertc_batch){BERTC_SIZED(bertc_batch), batch, grid, ids, mask, NULL},
                            buffers, NULL, &e),
                  "%s", e.message);
    memcpy(out->logits, buffers[logits] + 2 * which, sizeof(out->logits));
    memcpy(out->hidden, buffers[hidden] + which * grid * WIDTH, sizeof(out->hidden));
    free(buffers[logits]);
    free(buffers[hidden]);
    free(ids);
    free(mask);
    bertc_close(s);
}

static void same(const outputs *a, const outputs *b, const char *what, int64_t n) {
    ck_assert_msg(!memcmp(a->logits, b->logits, sizeof(a->logits)), "logits: %s %lld", what, (long long)n);
    ck_assert_msg(!memcmp(a->hidden, b->hidden, sizeof(a->hidden)), "hidden states: %s %lld", what,
                  (long long)n);
}

static void check_model(bertc_model *model) {
    const int64_t one[] = {LENGTH}, eight[] = {7, 31, LENGTH, 1, 64, 12, 40, 128};
    const int self[] = {3}, texts[] = {1, 2, 3, 4, 5, 6, 7, 8};
    outputs alone, other;
    run(model, 1, 1, one, self, LENGTH, 0, &alone);
    static const int counts[] = {1, 2, 3, 8, 16, 33};
    for (int i = 0; i < 6; i++) {
        int threads = counts[i];
        run(model, threads, 1, one, self, LENGTH, 0, &other);
        same(&alone, &other, "alone, threads", threads);
        run(model, threads, 8, eight, texts, GRID, 2, &other);
        same(&alone, &other, "third of eight, threads", threads);
    }
    for (int64_t grid = LENGTH; grid <= GRID; grid += grid < LENGTH + 10 ? 1 : 31) {
        run(model, 2, 1, one, self, grid, 0, &other);
        same(&alone, &other, "grid", grid);
    }
    run(model, 2, 1, one, self, GRID, 0, &other);
    same(&alone, &other, "grid", GRID);
}

static void check_bundled(const char *cpu, precision p) {
    diag d;
    diag_init(&d);
    opened m;
    build_options o = {.batch = 1,
                       .optimise = 2,
                       .mcpu = cpu,
                       .dtype = precision_name(p),
                       .lengths = {2, {32, 128}},
                       .hub.outputs = "hidden_states"};
    must_diag(opened_open(&m, MODEL, &o, &d), &d, MODEL);
    check_model(m.model);
    opened_close(&m);
    o.batch = 8; // the same with room for the whole batch in one call
    must_diag(opened_open(&m, MODEL, &o, &d), &d, MODEL);
    check_model(m.model);
    opened_close(&m);
    diag_free(&d);
}

START_TEST(equal_bits) {
    const char *cpu = host_cpus[_i];
    if (access(MODEL "/model.safetensors", R_OK))
        SKIP("shared", "the bundled model"); // it is too large to travel
    if (!host_runs(cpu)) SKIP(host_isa(cpu), "%s", cpu);
    check_bundled(cpu, PRECISION_F32);
}
END_TEST

static const precision lowered[] = {PRECISION_BF16, PRECISION_INT8, PRECISION_INT8W};
enum { LOWERED = sizeof lowered / sizeof *lowered };

START_TEST(equal_bits_lowered) {
    const char *chosen[LEVELS];
    if (access(MODEL "/model.safetensors", R_OK)) SKIP("shared", "the bundled model");
    int n = choose_levels("bits", lowered[_i], chosen);
    if (!n) SKIP("avx2", "%s", precision_name(lowered[_i]));
    for (int i = 0; i < n; i++) check_bundled(chosen[i], lowered[_i]);
}
END_TEST

// --- Attention that looks at distances: windows, biases, relative and rotary positions

typedef struct family {
    const char *name;
    int64_t length; // of its longest text
    int64_t global; // of every so many tokens of texts of even length one is global; 0: none is
} family;
static const family families[] = {
    {"modernbert-model", 64, 0},  {"longformer-model", 64, 0},        {"longformer-model", 64, 50},
    {"longformer-model", 64, 11}, {"deberta-v2-model", 64, 0},        {"mpnet-model", 64, 0},
    {"roformer-model", 64, 0},    {"bert-relative-key-query", 16, 0}, {"bert-base-model", 64, 0},
    {"qwen3-model", 64, 0},       {"gemma3-text-model", 64, 0},       {"jina-bert-model", 64, 0}};

// The last hidden state (or logits) of text `which` of `batch` texts, whose lengths are `lengths`.
static float *rows_of(bertc_model *model, const family *f, int threads, int batch, const int64_t *lengths,
                      int64_t grid, int which, size_t *bytes) {
    bertc_error e = {""};
    bertc_session *s = bertc_open(
        model, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = threads}, &e);
    ck_assert_msg(s != NULL, "%s", e.message);
    int32_t *ids = calloc((size_t)(batch * grid), 4), *mask = calloc((size_t)(batch * grid), 4);
    int32_t *global = calloc((size_t)(batch * grid), 4);
    for (int t = 0; t < batch; t++) {
        for (int64_t i = 0; i < lengths[t]; i++) {
            ids[t * grid + i] = (int32_t)(5 + (lengths[t] * 31 + i * 17) % 40);
            mask[t * grid + i] = 1;
            global[t * grid + i] = f->global && lengths[t] % 2 == 0 && i % f->global == 5;
        }
    }
    float *buffers[16] = {0};
    size_t row = bertc_output_bytes(model, 0, 1, 1);
    *bytes = row * (size_t)lengths[which];
    buffers[0] = malloc(bertc_output_bytes(model, 0, batch, grid));
    float *out = malloc(*bytes);
    bertc_batch texts = {BERTC_SIZED(bertc_batch), batch, grid, ids, mask, NULL};
    if (f->global) texts.global_attention_mask = global;
    ck_assert_msg(bertc_run(s, &texts, buffers, NULL, &e), "%s", e.message);
    memcpy(out, (char *)buffers[0] + row * (size_t)(grid * which), *bytes);
    free(buffers[0]);
    free(ids);
    free(mask);
    free(global);
    bertc_close(s);
    return out;
}

static void check_family(const family *f, const char *cpu, precision p) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/models/cases/%s", BERTC_TESTS, f->name);
    diag d;
    diag_init(&d);
    opened m;
    build_options o = {.batch = 3,
                       .optimise = 2,
                       .mcpu = cpu,
                       .dtype = precision_name(p),
                       .lengths = {2, {f->length * 3 / 4, f->length}}};
    must_diag(opened_open(&m, path, &o, &d), &d, path);
    const int64_t n = f->length * 2 / 3, three[] = {f->length - 1, n, 3};
    size_t bytes, other;
    float *alone = rows_of(m.model, f, 1, 1, &n, n, 0, &bytes);
    for (int threads = 1; threads <= 17; threads += 8) {
        float *padded = rows_of(m.model, f, threads, 1, &n, f->length, 0, &other);
        ck_assert_msg(bytes == other && !memcmp(alone, padded, bytes), "%s, padded, %d threads", f->name,
                      threads);
        float *among = rows_of(m.model, f, threads, 3, three, f->length, 1, &other);
        ck_assert_msg(bytes == other && !memcmp(alone, among, bytes), "%s, of three, %d threads", f->name,
                      threads);
        free(padded);
        free(among);
    }
    free(alone);
    opened_close(&m);
    diag_free(&d);
}

START_TEST(families_alike) {
    check_family(&families[_i], "native", PRECISION_F32);
}
END_TEST

START_TEST(families_alike_lowered) {
    const family *f = &families[_i / LOWERED];
    const char *chosen[LEVELS];
    precision p = lowered[_i % LOWERED];
    int n = choose_levels(f->name, p, chosen);
    if (!n) SKIP("avx2", "%s, %s", f->name, precision_name(p));
    for (int i = 0; i < n; i++) check_family(f, chosen[i], p);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("bits");
    TCase *t = tcase_create("texts");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, equal_bits, 0, HOST_CPUS);
    tcase_add_loop_test(t, families_alike, 0, (int)(sizeof(families) / sizeof(families[0])));
    tcase_add_loop_test(t, equal_bits_lowered, 0, LOWERED);
    tcase_add_loop_test(t, families_alike_lowered, 0,
                        (int)(sizeof(families) / sizeof(families[0])) * LOWERED);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
