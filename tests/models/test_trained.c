// links: cli
// The five trained checkpoints against what Transformers and sentence-transformers gave with the same
// weights: tokens, raw outputs, pipeline answers. They are read from ../shared;
// the test skips where it is missing.
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "main.h"
#include "models/reference.h"

#define MODELS       BERTC_SHARED "/models/"
#define SCORE_WITHIN 2e-4

static const char *const names[] = {"mini-sst2", "small-ner", "small-qa", "small-sts", "small-pretrained"};

typedef struct fixture {
    opened model;
    bertc_session *session;
    diag d;
} fixture;

// `longest` 0: the default lengths.
static void open_to(fixture *f, const char *name, int64_t longest) {
    char path[1024];
    bertc_error e;
    snprintf(path, sizeof(path), MODELS "%s", name);
    diag_init(&f->d);
    build_options o = {.batch = 1, .optimise = 2, .lengths = {longest > 0, {longest}}};
    must_diag(opened_open(&f->model, path, &o, &f->d), &f->d, name);
    f->session = bertc_open(f->model.model, NULL, &e);
    ck_assert_msg(f->session != NULL, "%s: %s", name, e.message);
}

static void open_model(fixture *f, const char *name) {
    open_to(f, name, 0);
}

static void close_model(fixture *f) {
    bertc_close(f->session);
    opened_close(&f->model);
    diag_free(&f->d);
}

static cJSON *read_json(const char *name, const char *file) {
    char path[1024];
    snprintf(path, sizeof(path), MODELS "%s/%s", name, file);
    char *text = file_text(path, NULL);
    cJSON *json = cJSON_Parse(text);
    ck_assert_ptr_nonnull(json);
    free(text);
    return json;
}

static const char *string_of(const cJSON *o, const char *name) {
    const cJSON *s = cJSON_GetObjectItemCaseSensitive(o, name);
    ck_assert_msg(cJSON_IsString(s), "no %s", name);
    return s->valuestring;
}
static double number_of(const cJSON *o, const char *name) {
    const cJSON *s = cJSON_GetObjectItemCaseSensitive(o, name);
    ck_assert_msg(cJSON_IsNumber(s), "no %s", name);
    return s->valuedouble;
}

// Entities by the strategy of pipeline.reference.json.
static bertc_result answer(fixture *f, const char *text, const char *pair) {
    bertc_text t = {text, strlen(text), pair, pair ? strlen(pair) : 0};
    bertc_result r = BERTC_RESULT_INIT;
    bertc_error e;
    ck_assert_msg(bertc_answer_texts(f->session, &t, 1,
                                     &(bertc_text_options){BERTC_SIZED(bertc_text_options),
                                                           .truncation = BERTC_TRUNCATE_LONGEST_FIRST,
                                                           .aggregation = BERTC_AGGREGATE_SIMPLE},
                                     &r, &e),
                  "%s: %s", text, e.message);
    return r;
}

START_TEST(raw_outputs) {
    fixture f;
    reference r;
    char path[1024];
    open_model(&f, names[_i]);
    snprintf(path, sizeof(path), MODELS "%s/reference.safetensors", names[_i]);
    reference_open(&r, path);
    for (int threads = 1; threads <= 2; threads++) {
        reference_check(&r, f.model.model, threads, (tolerance){2e-4, 0, true}, names[_i]);
    }
    reference_close(&r);
    close_model(&f);
}
END_TEST

// The lines of reference.txt (a tab before the second text) give the ids of reference.safetensors.
START_TEST(tokens) {
    fixture f;
    reference r;
    char path[1024], *line = NULL;
    size_t capacity = 0;
    open_model(&f, names[_i]);
    snprintf(path, sizeof(path), MODELS "%s/reference.safetensors", names[_i]);
    reference_open(&r, path);
    snprintf(path, sizeof(path), MODELS "%s/reference.txt", names[_i]);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    for (int64_t row = 0; row < r.batch; row++) {
        ssize_t got = getline(&line, &capacity, file);
        ck_assert_int_gt(got, 0);
        line[strcspn(line, "\n")] = 0;
        char *tab = strchr(line, '\t');
        if (tab) *tab = 0;
        bertc_text t = {line, strlen(line), tab ? tab + 1 : NULL, tab ? strlen(tab + 1) : 0};
        const bertc_token *token;
        size_t n;
        bertc_error e;
        ck_assert_msg(bertc_tokenize(f.session, &t, r.length,
                                     tab ? BERTC_TRUNCATE_ONLY_SECOND : BERTC_TRUNCATE_LONGEST_FIRST, &token,
                                     &n, &e),
                      "%s", e.message);
        for (int64_t i = 0; i < r.length; i++) {
            bool shown = r.mask[row * r.length + i];
            ck_assert_msg(shown == (i < (int64_t)n), "%s: line %lld has %zu tokens", names[_i],
                          (long long)row + 1, n);
            if (!shown) break;
            ck_assert_int_eq(token[i].id, r.ids[row * r.length + i]);
            ck_assert_int_eq(token[i].type, r.types[row * r.length + i]);
        }
    }
    free(line);
    fclose(file);
    reference_close(&r);
    close_model(&f);
}
END_TEST

START_TEST(labels_of_pipeline) {
    fixture f;
    open_model(&f, "mini-sst2");
    cJSON *all = read_json("mini-sst2", "pipeline.reference.json"), *one, *score;
    cJSON_ArrayForEach(one, all) {
        bertc_result r = answer(&f, string_of(one, "text"), NULL);
        int i = 0;
        cJSON_ArrayForEach(score, cJSON_GetObjectItemCaseSensitive(one, "scores")) {
            ck_assert_int_lt(i, r.score_count);
            ck_assert_str_eq(r.scores[i].label, string_of(score, "label"));
            ck_assert_double_eq_tol((double)r.scores[i].score, number_of(score, "score"), SCORE_WITHIN);
            i++;
        }
        ck_assert_int_eq(i, r.score_count);
    }
    cJSON_Delete(all);
    close_model(&f);
}
END_TEST

START_TEST(entities_of_pipeline) {
    fixture f;
    open_model(&f, "small-ner");
    cJSON *all = read_json("small-ner", "pipeline.reference.json"), *one, *entity;
    cJSON_ArrayForEach(one, all) {
        bertc_result r = answer(&f, string_of(one, "text"), NULL);
        int i = 0;
        cJSON_ArrayForEach(entity, cJSON_GetObjectItemCaseSensitive(one, "entities")) {
            ck_assert_int_lt(i, r.entity_count);
            ck_assert_str_eq(r.entities[i].type, string_of(entity, "entity_group"));
            ck_assert_int_eq(r.entities[i].char_start, (int)number_of(entity, "start"));
            ck_assert_int_eq(r.entities[i].char_end, (int)number_of(entity, "end"));
            ck_assert_double_eq_tol((double)r.entities[i].score, number_of(entity, "score"), SCORE_WITHIN);
            i++;
        }
        ck_assert_int_eq(i, r.entity_count);
    }
    cJSON_Delete(all);
    close_model(&f);
}
END_TEST

START_TEST(answers_of_pipeline) {
    fixture f;
    open_model(&f, "small-qa");
    cJSON *all = read_json("small-qa", "pipeline.reference.json"), *one;
    cJSON_ArrayForEach(one, all) {
        const char *context = string_of(one, "context"), *answered = string_of(one, "answer");
        bertc_result r = answer(&f, string_of(one, "question"), context);
        ck_assert(r.answer.found);
        ck_assert_int_eq(r.answer.char_start, (int)number_of(one, "start"));
        ck_assert_int_eq(r.answer.char_end, (int)number_of(one, "end"));
        ck_assert_uint_eq(r.answer.byte_end - r.answer.byte_start, strlen(answered));
        ck_assert(!memcmp(context + r.answer.byte_start, answered, strlen(answered)));
        ck_assert_double_eq_tol((double)r.answer.logit_score, number_of(one, "score_logits"), 4e-4);
    }
    cJSON_Delete(all);
    close_model(&f);
}
END_TEST

START_TEST(embeddings_of_sentence_transformers) {
    fixture f;
    open_to(&f, "small-sts", 128); // the length at which the references were cut
    cJSON *all = read_json("small-sts", "sentence_transformers.reference.json");
    const cJSON *texts = cJSON_GetObjectItemCaseSensitive(all, "texts"),
                *rows = cJSON_GetObjectItemCaseSensitive(all, "embeddings");
    int n = cJSON_GetArraySize(texts);
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(cJSON_GetArraySize(rows), n);
    for (int i = 0; i < n; i++) {
        bertc_result r = answer(&f, cJSON_GetArrayItem(texts, i)->valuestring, NULL);
        const cJSON *row = cJSON_GetArrayItem(rows, i), *x;
        int k = 0;
        ck_assert_int_eq(cJSON_GetArraySize(row), r.embedding_size);
        cJSON_ArrayForEach(x, row) {
            ck_assert_double_eq_tol((double)r.embedding[k], x->valuedouble, 1e-5);
            k++;
        }
    }
    cJSON_Delete(all);
    close_model(&f);
}
END_TEST

START_TEST(word_for_mask) {
    fixture f;
    open_model(&f, "small-pretrained");
    bertc_result r = answer(&f, "Paris is the capital of [MASK].", NULL);
    ck_assert_int_eq(r.mask_count, 1);
    ck_assert_int_ge(r.masks[0].score_count, 5);
    ck_assert_uint_eq(r.masks[0].char_start, 24);
    double sum = 0;
    for (int i = 0; i < r.masks[0].score_count; i++) sum += (double)r.masks[0].scores[i].score;
    ck_assert(sum > 0.01 && sum <= 1.0001);
    close_model(&f);
}
END_TEST

int main(void) {
    if (access(MODELS "mini-sst2/reference.safetensors", R_OK))
        return skip_all("shared", "the trained checkpoints");
    Suite *suite = suite_create("trained");
    TCase *t = tcase_create("checkpoints");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, raw_outputs, 0, 5);
    tcase_add_loop_test(t, tokens, 0, 5);
    tcase_add_test(t, labels_of_pipeline);
    tcase_add_test(t, entities_of_pipeline);
    tcase_add_test(t, answers_of_pipeline);
    tcase_add_test(t, embeddings_of_sentence_transformers);
    tcase_add_test(t, word_for_mask);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
