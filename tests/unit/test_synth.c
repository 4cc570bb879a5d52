// links: hub ir
// Checkpoints with random weights: they open, a seed gives the same bytes, and what fails leaves nothing
// behind.
#include <math.h>

#include "folder.h"

static bool synthesize(synth_options o, const char *cause) {
    diag d;
    diag_init(&d);
    bool ok = hub_synth(&o, &d);
    ck_assert_int_eq(ok, !diag_failed(&d));
    ck_assert_int_eq(ok, cause == NULL);
    bool said = false;
    for (int i = 0; i < d.count && cause; i++) said |= strstr(d.items[i].text, cause) != NULL;
    ck_assert_msg(!cause || said, "nothing says \"%s\"", cause);
    diag_free(&d);
    return ok;
}

START_TEST(every_head) {
    static const char *const heads[] = {"model",
                                        "masked-lm",
                                        "next-sentence",
                                        "pretraining",
                                        "sequence-classification",
                                        "token-classification",
                                        "question-answering"};
    static const char *const dtypes[] = {"F32", "f16", "bfloat16"};
    const char *shape = CASES "bert-base-model/config.json", *out = in_folder("out");
    for (int i = 0; i < 7; i++) {
        synthesize(
            (synth_options){
                .shape = shape, .output = out, .head = heads[i], .dtype = dtypes[i % 3], .seed = 1},
            NULL);
        opened x = open_model((hub_options){.model = out});
        if (x.d.count) diag_print(&x.d, stderr);
        ck_assert(x.ok && x.d.count == 0);
        ck_assert_str_eq(x.m.head, heads[i]);
        ck_assert_int_eq(x.m.hidden_size, 48);
        close_model(&x);
    }
}
END_TEST

START_TEST(named_shape) {
    const char *out = in_folder("tiny");
    synthesize((synth_options){.shape = "bert-tiny", .output = out, .dtype = "f16"}, NULL);
    opened x = open_model((hub_options){.model = out});
    ck_assert(x.ok);
    ck_assert_int_eq(x.m.parameters, 4385920); // as google/bert_uncased_L-2_H-128_A-2
    close_model(&x);
}
END_TEST

static float *values(const char *out, const char *name, size_t *n) {
    diag d;
    diag_init(&d);
    char path[200];
    snprintf(path, sizeof(path), "%s/model.safetensors", out);
    safetensors *s = safetensors_open(path, &d);
    ck_assert_ptr_nonnull(s);
    const char *dtype;
    int rank;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    ck_assert(safetensors_entry(s, name, &dtype, &rank, &shape, &data, &bytes));
    float *copy = malloc(bytes);
    memcpy(copy, data, bytes);
    *n = bytes / sizeof(float);
    safetensors_close(s);
    diag_free(&d);
    return copy;
}

START_TEST(distribution_and_seed) {
    const char *shape = CASES "bert-base-model";
    size_t n, m;
    const char *word = "embeddings.word_embeddings.weight", *gamma = "embeddings.LayerNorm.weight";
    synthesize((synth_options){.shape = shape, .output = in_folder("a"), .seed = 5}, NULL);
    synthesize((synth_options){.shape = shape, .output = in_folder("b"), .seed = 5}, NULL);
    synthesize((synth_options){.shape = shape, .output = in_folder("c"), .seed = 6}, NULL);
    float *a = values(in_folder("a"), word, &n), *b = values(in_folder("b"), word, &m),
          *c = values(in_folder("c"), word, &m);
    ck_assert_mem_eq(a, b, n * sizeof(float));
    ck_assert_mem_ne(a, c, n * sizeof(float));
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += a[i], squares += a[i] * a[i];
    ck_assert_double_eq_tol(sum / (double)n, 0, 1e-3);
    ck_assert_double_eq_tol(sqrt(squares / (double)n), 0.02, 1e-3);
    float *g = values(in_folder("a"), gamma, &m);
    for (size_t i = 0; i < m; i++) ck_assert_double_eq_tol(g[i], 1, 0.1);
    free(a);
    free(b);
    free(c);
    free(g);
}
END_TEST

START_TEST(failures) {
    synthesize((synth_options){.shape = "bert-huge", .output = in_folder("x")},
               "is no known shape; known are bert-tiny,");
    synthesize((synth_options){.shape = "bert-tiny", .output = in_folder("x"), .dtype = "I8"},
               "I8 is not known");
    synthesize((synth_options){.shape = "bert-tiny", .output = in_folder("x"), .head = "y"},
               "y is not known");
    synthesize((synth_options){.shape = "bert-tiny", .output = in_folder("no/x")}, "can't be made");
    write_text("config.json", "{\"model_type\":\"bert\",\"hidden_size\":\"48\"}");
    synthesize((synth_options){.shape = in_folder("config.json"), .output = in_folder("x")},
               "hidden_size: is a string");
    ck_assert_int_ne(access(in_folder("x"), F_OK), 0);
    make_folder("y");
    make_folder("y/model.safetensors"); // can't be replaced by a file
    synthesize((synth_options){.shape = CASES "bert-base-model", .output = in_folder("y")},
               "can't be written");
    ck_assert_int_eq(rmdir(in_folder("y/model.safetensors")), 0);
    ck_assert_int_eq(rmdir(in_folder("y")), 0);
    make_folder("z");
    make_folder("z/config.json");
    synthesize((synth_options){.shape = CASES "bert-base-model", .output = in_folder("z")},
               "can't be written");
    ck_assert_int_eq(rmdir(in_folder("z/config.json")), 0);
    ck_assert_int_eq(rmdir(in_folder("z")), 0);
}
END_TEST

static void add(TCase *c) {
    tcase_add_test(c, every_head);
    tcase_add_test(c, named_shape);
    tcase_add_test(c, distribution_and_seed);
    tcase_add_test(c, failures);
}

int main(void) {
    return run_suite("synth", add);
}
