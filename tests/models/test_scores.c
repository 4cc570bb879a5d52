// links: cli
// What becomes of a text's logits, by what config.json says: the bundled model, and the same with its second
// label alone, against what Transformers' text-classification pipeline gives.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "main.h"
#include "models/reference.h"

#define MINI BERTC_TESTS "/../examples/models/mini-sst2"

static char folder[] = "/tmp/bertc-scores-XXXXXX";

static const char *in_folder(const char *name) {
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_config(bool one, const char *problem) {
    char *text = file_text(MINI "/config.json", NULL);
    cJSON *config = cJSON_Parse(text);
    ck_assert_ptr_nonnull(config);
    free(text);
    cJSON_DeleteItemFromObjectCaseSensitive(config, "problem_type");
    if (problem) cJSON_AddStringToObject(config, "problem_type", problem);
    if (one) {
        cJSON_DeleteItemFromObjectCaseSensitive(config, "label2id");
        cJSON_DeleteItemFromObjectCaseSensitive(config, "id2label");
        cJSON_AddStringToObject(cJSON_AddObjectToObject(config, "id2label"), "0", "LABEL_0");
    }
    text = cJSON_PrintUnformatted(config);
    FILE *f = fopen(in_folder("config.json"), "w");
    ck_assert(f && fputs(text, f) >= 0 && !fclose(f));
    free(text);
    cJSON_Delete(config);
}

// The weights, of the classifier the second row alone where `one`.
static void write_weights(bool one) {
    diag d;
    diag_init(&d);
    safetensors *s = safetensors_open(MINI "/model.safetensors", &d);
    ck_assert_ptr_nonnull(s);
    int n = safetensors_count(s);
    safetensors_item *items = calloc((size_t)n, sizeof *items);
    for (int i = 0; i < n; i++) {
        safetensors_item *t = &items[i];
        const int64_t *shape;
        t->name = safetensors_name(s, i);
        ck_assert(safetensors_entry(s, t->name, &t->dtype, &t->rank, &shape, &t->data, &t->bytes));
        for (int k = 0; k < t->rank; k++) t->shape[k] = shape[k];
        if (!one || strncmp(t->name, "classifier.", 11) != 0) continue;
        t->shape[0] = 1;
        t->bytes /= 2;
        t->data = (const char *)t->data + t->bytes;
    }
    must_diag(safetensors_write(in_folder("model.safetensors"), n, items, &d), &d, "model.safetensors");
    free(items);
    safetensors_close(s);
    diag_free(&d);
}

static void setup(void) {
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(symlink(MINI "/tokenizer.json", in_folder("tokenizer.json")), 0);
}

static void teardown(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *const texts[] = {"This movie was amazing!", "The plot was dull."};
static const float logits[2][2] = {{-2.3474813f, 3.2002928f}, {2.3314133f, -3.1376958f}};

// By text and label; of one label by text.
static const struct {
    bool one;
    const char *problem;
    float scores[2][2];
} cases[] = {
    {true, NULL, {{0.9608453f}, {0.0415788f}}},
    {true, "single_label_classification", {{0.9608453f}, {0.0415788f}}}, // refused by Transformers
    {true, "multi_label_classification", {{0.9608453f}, {0.0415788f}}},
    {true, "regression", {{3.2002926f}, {-3.1376958f}}},
    {false, NULL, {{0.003881f, 0.996119f}, {0.9958027f, 0.0041973f}}},
    {false, "multi_label_classification", {{0.0872662f, 0.9608453f}, {0.9114454f, 0.0415788f}}},
    {false, "regression", {{-2.3474813f, 3.2002928f}, {2.3314133f, -3.1376958f}}},
};

static void check_scores(bertc_session *s, bool one, bool raw, const float want[2][2]) {
    for (int i = 0; i < 2; i++) {
        bertc_text t = {.text = texts[i], .size = strlen(texts[i])};
        bertc_result r = BERTC_RESULT_INIT;
        bertc_error e;
        ck_assert_msg(
            bertc_answer_texts(
                s, &t, 1, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .raw_scores = raw}, &r, &e),
            "%s", e.message);
        ck_assert_int_eq(r.score_count, one ? 1 : 2);
        for (int k = 0; k < r.score_count; k++)
            ck_assert_float_eq_tol(r.scores[k].score, want[i][r.scores[k].id], 5e-5f);
    }
}

START_TEST(problem_types) {
    opened model;
    diag d;
    bertc_error e;
    bool one = cases[_i].one;
    diag_init(&d);
    write_config(one, cases[_i].problem);
    write_weights(one);
    build_options o = {.batch = 1, .optimise = 2, .lengths = {1, {16}}};
    must_diag(opened_open(&model, folder, &o, &d), &d, folder);
    bertc_session *s = bertc_open(model.model, NULL, &e);
    ck_assert_msg(s != NULL, "%s", e.message);
    const float raw[2][2] = {{logits[0][one], logits[0][1]}, {logits[1][one], logits[1][1]}};
    check_scores(s, one, false, cases[_i].scores);
    check_scores(s, one, true, raw);
    bertc_close(s);
    opened_close(&model);
    diag_free(&d);
}
END_TEST

int main(void) {
    Suite *s = suite_create("scores");
    TCase *t = tcase_create("scores");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, problem_types, 0, sizeof cases / sizeof *cases);
    suite_add_tcase(s, t);
    return suite_status(s);
}
