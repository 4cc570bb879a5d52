// links: runtime
// Answers from made-up logits, and their JSON.
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "main.h"
#include "runtime/answer/entities.h"
#include "runtime/answer/store.h"
#include "runtime/answer/tasks.h"
#include "toy.h"

static void check_top(const float *x, int n, int k, const int *want) {
    bertc_score out[16];
    ck_assert_int_eq(task_top(x, n, k, out), k < n ? k : n);
    for (int i = 0; i < k && i < n; i++) ck_assert_int_eq(out[i].id, want[i]);
}

START_TEST(top) {
    const float x[] = {1, 5, -2, 5, 7, 0, 1, 1};
    check_top(x, 8, 8, (int[]){4, 1, 3, 0, 6, 7, 5, 2});
    check_top(x, 8, 3, (int[]){4, 1, 3});
    check_top(x, 8, 5, (int[]){4, 1, 3, 0, 6});
    check_top(x, 8, 1, (int[]){4});
    check_top(x, 3, 9, (int[]){1, 0, 2});
    check_top(x, 8, 0, NULL);
    const float equal[6] = {0};
    check_top(equal, 6, 4, (int[]){0, 1, 2, 3});
}
END_TEST

START_TEST(top_of_many) {
    enum { N = 5000, K = 37 };
    float *x = malloc(N * sizeof *x);
    bertc_score out[K];
    for (int i = 0; i < N; i++) x[i] = (float)((unsigned)i * 2654435761u % 4001);
    task_top(x, N, K, out);
    for (int i = 0; i < K; i++) {
        int better = 0;
        for (int k = 0; k < N; k++) better += x[k] > out[i].score || (x[k] == out[i].score && k < out[i].id);
        ck_assert_int_eq(better, i);
        ck_assert_float_eq(out[i].score, x[out[i].id]);
    }
    free(x);
}
END_TEST

START_TEST(probabilities) {
    const float x[] = {1000, 1001, 999};
    bertc_score s[2];
    task_top(x, 3, 2, s);
    task_softmax(x, 3, s, 2);
    ck_assert_float_eq_tol(s[0].score, 0.66524096f, 1e-7f);
    ck_assert_float_eq_tol(s[1].score, 0.24472847f, 1e-7f);
    bertc_score z[3] = {{.score = 0}, {.score = -200}, {.score = 2}};
    task_sigmoid(z, 3);
    ck_assert_float_eq(z[0].score, 0.5f);
    ck_assert(z[1].score >= 0 && z[1].score < 1e-30f);
    ck_assert_float_eq_tol(z[2].score, 0.88079708f, 1e-7f);
}
END_TEST

// --- Entities: O, B-PER, I-PER, B-LOC, I-LOC, MISC (no prefix)

enum { O, B_PER, I_PER, B_LOC, I_LOC, MISC, LABELS };
typedef struct label_table {
    bertc_task task;
    uint64_t at[LABELS];
    char text[LABELS][8];
} label_table;

static blob labelled(bertc_model **m) {
    static const toy_variant one[] = {{"toy_s8", 0, 8, 8}};
    label_table l = {.task = {.size = sizeof(bertc_task),
                              .label_count = LABELS,
                              .mask_id = -1,
                              .labels = offsetof(label_table, at)},
                     .text = {"O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC"}};
    for (int i = 0; i < LABELS; i++) l.at[i] = offsetof(label_table, text) + (size_t)i * sizeof *l.text;
    blob b =
        toy_memory((toy_options){.variants = one, .variant_count = 1, .task = &l, .task_bytes = sizeof l});
    ck_assert_ptr_nonnull(*m = bertc_load_memory(b.data, NULL, NULL));
    return b;
}

// Tokens of three characters each with a space between, between two special ones.
static int make_tokens(bertc_token *t, int words) {
    t[0] = t[words + 1] = (bertc_token){.text = -1, .word = -1};
    for (int i = 0; i < words; i++)
        t[i + 1] = (bertc_token){.text = 0,
                                 .word = i,
                                 .char_start = (uint32_t)i * 4,
                                 .char_end = (uint32_t)i * 4 + 3,
                                 .byte_start = (uint32_t)i * 5,
                                 .byte_end = (uint32_t)i * 5 + 4};
    return words + 2;
}

typedef struct want_entity {
    const char *type;
    int from, to; // words
} want_entity;

static void check_entities_by(bertc_aggregation how, const int *labels, int words, const want_entity *want,
                              int count) {
    enum { LD = 8 };
    bertc_model *m;
    blob b = labelled(&m);
    bertc_token tokens[16];
    bertc_entity out[16];
    float logits[16 * LD] = {0};
    int n = make_tokens(tokens, words);
    logits[B_PER] = logits[(words + 1) * LD + B_PER] = 50; // special tokens are nobody's entity
    for (int i = 0; i < words; i++) logits[(i + 1) * LD + labels[i]] = (float)(2 + i);
    entity_label best[16];
    label_mark marks[LABELS];
    const bertc_text text = {0};
    label_marks(m, marks);
    for (int i = 0; i < n; i++) best[i] = entity_label_of(logits + i * LD, LABELS);
    entity_view v = {
        .model = m, .marks = marks, .text = &text, .tokens = tokens, .count = n, .labels = best, .how = how};
    ck_assert_int_eq(entities_find(&v, out), count);
    for (int i = 0; i < count; i++) {
        ck_assert(!out[i].single);
        ck_assert_str_eq(out[i].type, want[i].type);
        ck_assert_uint_eq(out[i].char_start, (uint32_t)want[i].from * 4);
        ck_assert_uint_eq(out[i].char_end, (uint32_t)want[i].to * 4 + 3);
        ck_assert_uint_eq(out[i].byte_start, (uint32_t)want[i].from * 5);
        ck_assert_uint_eq(out[i].byte_end, (uint32_t)want[i].to * 5 + 4);
        double mean = 0;
        for (int w = want[i].from; w <= want[i].to; w++)
            mean += exp(2 + w) / (exp(2 + w) + (double)LABELS - 1);
        ck_assert_double_eq_tol(out[i].score, mean / (want[i].to - want[i].from + 1), 1e-6);
    }
    bertc_unload(m);
    free(b.data);
}

static void check_entities(const int *labels, int words, const want_entity *want, int count) {
    check_entities_by(BERTC_AGGREGATE_WORDS, labels, words, want, count);
    check_entities_by(BERTC_AGGREGATE_SIMPLE, labels, words, want, count);
}

START_TEST(entities) {
    check_entities((int[]){B_PER, I_PER, O, B_LOC}, 4, (want_entity[]){{"PER", 0, 1}, {"LOC", 3, 3}}, 2);
    check_entities((int[]){I_PER, I_PER, I_LOC, O, O}, 5, (want_entity[]){{"PER", 0, 1}, {"LOC", 2, 2}}, 2);
    check_entities((int[]){B_PER, B_PER, I_PER}, 3, (want_entity[]){{"PER", 0, 0}, {"PER", 1, 2}}, 2);
    check_entities((int[]){MISC, MISC, O, MISC}, 4, (want_entity[]){{"MISC", 0, 1}, {"MISC", 3, 3}}, 2);
    check_entities((int[]){B_LOC, I_PER, I_LOC}, 3,
                   (want_entity[]){{"LOC", 0, 0}, {"PER", 1, 1}, {"LOC", 2, 2}}, 3);
    check_entities((int[]){O, O, O}, 3, NULL, 0);
    check_entities(NULL, 0, NULL, 0);
}
END_TEST

// --- Memory

START_TEST(memory) {
    store s;
    ck_assert(store_open(&s, 100));
    char *a = store_take(&s, 10, 4), *b = store_take(&s, 1, 40);
    ck_assert(a && b && b - a == 48);
    store_trim(&s, b, 3);
    ck_assert_ptr_eq(store_take(&s, 1, 1), b + 16);
    char *far = store_take(&s, 1000, 10); // another block; the first stays
    memset(far, 1, 10000);
    memset(a, 2, 40);
    ck_assert_ptr_null(store_take(&s, SIZE_MAX / 2, 4));
    store_reset(&s);
    a = store_take(&s, 1000, 10);
    ck_assert_ptr_eq(store_take(&s, 1, 1), a + 10000); // room in one block now
    store_close(&s);
}
END_TEST

// --- JSON

static void check_json(const bertc_result *r, const bertc_text *text, const char *want) {
    char buffer[1024];
    ck_assert_uint_eq(bertc_result_json(r, text, buffer, sizeof buffer), strlen(want));
    ck_assert_str_eq(buffer, want);
    for (size_t n = 0; n <= strlen(want) + 1; n++) { // cut anywhere
        char *small = malloc(n ? n : 1);
        ck_assert_uint_eq(bertc_result_json(r, text, small, n), strlen(want));
        if (n)
            ck_assert(strlen(small) == (n - 1 < strlen(want) ? n - 1 : strlen(want)) &&
                      !strncmp(small, want, n - 1));
        free(small);
    }
}

START_TEST(json) {
    const bertc_text text = {
        .text = "a \"q\"\n\xff\xe2\x82z", .size = 10, .pair = "Paris \xc3\xa9", .pair_size = 8};
    const bertc_score scores[] = {{"yes\t\\", 1, 0.5f}, {"no", 0, 0.25f}};
    check_json(&(bertc_result){BERTC_SIZED(bertc_result), .task = BERTC_TASK_CLASSIFY, .score_count = 2,
                               .scores = scores},
               &text,
               "{\"label\": \"yes\\t\\\\\", \"score\": 0.5, \"scores\": [{\"label\": \"yes\\t\\\\\", "
               "\"score\": 0.5}, "
               "{\"label\": \"no\", \"score\": 0.25}]}");
    const bertc_entity people[] = {{"PER", 0.1f, 2, 9, 2, 10}};
    check_json(&(bertc_result){BERTC_SIZED(bertc_result), .task = BERTC_TASK_ENTITIES, .entity_count = 1,
                               .entities = people},
               &text,
               "{\"entities\": [{\"entity_group\": \"PER\", \"score\": 0.1, \"word\": "
               "\"\\\"q\\\"\\n\xef\xbf\xbd\xef\xbf\xbdz\", \"start\": 2, \"end\": 9}]}");
    bertc_result answer = {BERTC_SIZED(bertc_result), .task = BERTC_TASK_ANSWER,
                           .answer = {0.5f, true, 6, 7, 6, 8, 12.5f}};
#define FOUND "\"answer\": \"\xc3\xa9\", \"start\": 6, \"end\": 7, \"score\": 0.5, \"logit_score\": 12.5"
    check_json(&answer, &text, "{" FOUND "}");
    const bertc_answer two[] = {answer.answer, {.score = 0.25f, .logit_score = -2}};
    answer.answers = two;
    answer.answer_count = 2;
#define NONE "\"answer\": \"\", \"start\": 0, \"end\": 0, \"score\": 0.25, \"logit_score\": -2"
    check_json(&answer, &text, "{" FOUND ", \"answers\": [{" FOUND "}, {" NONE "}]}");
    const bertc_mask masks[] = {
        {.char_start = 1, .char_end = 7, .text = 1, .score_count = 2, .scores = scores}, {0}};
    check_json(
        &(bertc_result){BERTC_SIZED(bertc_result), .task = BERTC_TASK_PRETRAINING, .mask_count = 2,
                        .masks = masks, .next_sentence = -1},
        &text,
        "{\"masks\": [{\"start\": 1, \"end\": 7, \"text\": 1, \"scores\": [{\"token_str\": \"yes\\t\\\\\", "
        "\"token\": 1, "
        "\"score\": 0.5}, {\"token_str\": \"no\", \"token\": 0, \"score\": 0.25}]}, {\"start\": 0, \"end\": "
        "0, "
        "\"scores\": []}], \"next_sentence\": null}");
    const float embedding[] = {1, -2.5e-8f, INFINITY, NAN};
    check_json(&(bertc_result){BERTC_SIZED(bertc_result), .task = BERTC_TASK_EMBEDDING, .embedding_size = 4,
                               .embedding = embedding},
               &text, "{\"embedding\": [1, -2.5e-08, null, null]}");
    check_json(&(bertc_result){BERTC_SIZED(bertc_result), .task = BERTC_TASK_TENSORS}, &text, "{}");
}
END_TEST

int main(void) {
    Suite *s = suite_create("tasks");
    TCase *t = tcase_create("tasks");
    tcase_add_test(t, top);
    tcase_add_test(t, top_of_many);
    tcase_add_test(t, probabilities);
    tcase_add_test(t, entities);
    tcase_add_test(t, memory);
    tcase_add_test(t, json);
    suite_add_tcase(s, t);
    return suite_status(s);
}
