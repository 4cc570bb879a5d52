// links: runtime hub ir
// Sparse answers: the weights that are not 0, the largest first, of whole texts and of windows; and their JSON.
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"
#include "toy_task.h"

// Token c weighs more the farther it is in the vocabulary, the word that is read itself nothing; a third weigh nothing.
static float weight(int o, int32_t id, int64_t c) {
    (void)o;
    return c % 3 == 0 || c == id ? 0.0f : (float)c / 4 + (id == BAD ? 1.0f : 0.0f);
}

static bertc_result answer(bertc_session *s, bertc_text text, const bertc_text_options *o) {
    bertc_result r = BERTC_RESULT_INIT;
    bertc_error e;
    ck_assert_msg(bertc_answer_texts(s, &text, 1, o, &r, &e), "%s", e.message);
    ck_assert_int_eq(r.task, BERTC_TASK_SPARSE);
    return r;
}

static head_model open_model(bertc_session **s) {
    toy_logit = weight;
    head_model h =
        head_open(BERTC_TASK_SPARSE, (head_output){"sparse", BERTC_S, HEAD_VOCAB}, (head_output){0}, NULL);
    *s = bertc_open(h.model, &(bertc_session_options){BERTC_SIZED(bertc_session_options)}, NULL);
    ck_assert_ptr_nonnull(*s);
    return h;
}

START_TEST(weights) {
    bertc_session *s;
    head_model h = open_model(&s);
    bertc_result r = answer(s, head_text("good", NULL), NULL);
    int count = 0;
    for (int c = 0; c < HEAD_VOCAB; c++) count += weight(0, GOOD, c) != 0;
    ck_assert_int_eq(r.sparse_count, count);
    for (int i = 0; i < r.sparse_count; i++) {
        ck_assert(r.sparse[i].score == weight(0, GOOD, r.sparse[i].id));
        ck_assert_str_eq(r.sparse[i].label, head_words[r.sparse[i].id]);
        ck_assert(!i || r.sparse[i].score < r.sparse[i - 1].score);
    }
    r = answer(s, head_text("good", NULL),
               &(bertc_text_options){BERTC_SIZED(bertc_text_options), .top_k = 2});
    ck_assert(r.sparse_count == 2 && r.sparse[0].id == YEAR && r.sparse[1].id == WHO);
    char json[400];
    bertc_result_json(&r, NULL, json, sizeof json);
    ck_assert_str_eq(json, "{\"sparse\": [{\"id\": 17, \"token\": \"2018\", \"weight\": 4.25}, "
                           "{\"id\": 16, \"token\": \"who\", \"weight\": 4}]}");
    bertc_close(s);
    head_close(&h);
}
END_TEST

static float equal(int o, int32_t id, int64_t c) {
    (void)o;
    return id == GOOD ? 0.0f : c < 3 ? 1.0f : 0.5f;
}

START_TEST(ties) {
    bertc_session *s;
    head_model h = open_model(&s);
    toy_logit = equal;
    bertc_result r = answer(s, head_text("bad", NULL), NULL);
    ck_assert_int_eq(r.sparse_count, HEAD_VOCAB);
    for (int i = 0; i < HEAD_VOCAB; i++)
        ck_assert_int_eq(r.sparse[i].id, i); // of equal ones the lower id first
    char json[40];
    r = answer(s, head_text("good", NULL), NULL);
    ck_assert_int_eq(r.sparse_count, 0);
    bertc_result_json(&r, NULL, json, sizeof json);
    ck_assert_str_eq(json, "{\"sparse\": []}");
    bertc_close(s);
    head_close(&h);
}
END_TEST

// Windows begin with `good` or `bad`: each token has the larger of its weights.
START_TEST(windows) {
    bertc_session *s;
    head_model h = open_model(&s);
    char text[400] = "";
    for (int i = 0; i < 30; i++) strcat(text, i < 22 ? "good " : "bad ");
    bertc_result r =
        answer(s, head_text(text, NULL),
               &(bertc_text_options){BERTC_SIZED(bertc_text_options), .windows = true, .stride = -1});
    ck_assert_int_eq(r.window_count, 2);
    for (int i = 0; i < r.sparse_count; i++) {
        float a = weight(0, GOOD, r.sparse[i].id), b = weight(0, BAD, r.sparse[i].id);
        ck_assert(r.sparse[i].score == (a > b ? a : b));
    }
    ck_assert_int_eq(r.sparse[0].id, YEAR);
    bertc_close(s);
    head_close(&h);
}
END_TEST

static float broken(int o, int32_t id, int64_t c) {
    (void)o;
    (void)id;
    return c == 5 ? NAN : 0.0f;
}

START_TEST(not_finite) {
    bertc_session *s;
    head_model h = open_model(&s);
    toy_logit = broken;
    bertc_result r = BERTC_RESULT_INIT;
    bertc_error e;
    bertc_text text = head_text("good", NULL);
    ck_assert(!bertc_answer_texts(s, &text, 1, NULL, &r, &e));
    ck_assert_ptr_nonnull(strstr(e.message, "not finite"));
    bertc_close(s);
    head_close(&h);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sparse");
    TCase *c = tcase_create("sparse");
    tcase_add_test(c, weights);
    tcase_add_test(c, ties);
    tcase_add_test(c, windows);
    tcase_add_test(c, not_finite);
    suite_add_tcase(suite, c);
    return suite_status(suite);
}
