// links: runtime hub ir
// Text in, answer out: each task on a model by hand (toy_task.h), through the real tokenizer.
#include <check.h>
#include <math.h>

#include "main.h"
#include "toy_task.h"

static bertc_error error;

static bertc_session *session_of(const head_model *h) {
    bertc_session *s = bertc_open(h->model, NULL, &error);
    ck_assert_msg(s != NULL, "%s", error.message);
    return s;
}
static void answer(bertc_session *s, const bertc_text *texts, size_t n, const bertc_text_options *o,
                   bertc_result *r) {
    ck_assert_msg(bertc_answer_texts(s, texts, n, o, r, &error), "%s", error.message);
}

// --- Labels

static float good_logit(int o, int32_t id, int64_t c) {
    (void)o;
    return c == (id == GOOD ? 1 : id == BAD ? 0 : 2) ? 2.0f : (float)c * 0.5f;
}
static const char *const moods[] = {"bad", "good", "other", NULL};

START_TEST(labels) {
    toy_logit = good_logit;
    head_model h =
        head_open(BERTC_TASK_CLASSIFY, (head_output){"logits", BERTC_S, 3}, (head_output){0}, moods);
    bertc_session *s = session_of(&h);
    const bertc_text texts[] = {head_text("Good!", NULL), head_text("bad", "good"),
                                head_text("the good", NULL)};
    bertc_result r[3] = {BERTC_RESULT_INIT};
    answer(s, texts, 3, NULL, r);
    ck_assert(r[0].task == BERTC_TASK_CLASSIFY && r[0].score_count == 3 && r[0].token_count == 4);
    ck_assert_str_eq(r[0].scores[0].label, "good");
    ck_assert_str_eq(r[0].scores[1].label, "other");
    ck_assert_str_eq(r[1].scores[0].label, "bad");
    ck_assert_str_eq(r[2].scores[0].label, "other");
    ck_assert_float_eq_tol(r[0].scores[0].score, (float)(exp(2) / (exp(2) + 1 + exp(1))), 1e-6f);
    answer(s, texts, 3, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .top_k = 2}, r);
    ck_assert_int_eq(r[2].score_count, 2);
    answer(s, texts, 3,
           &(bertc_text_options){BERTC_SIZED(bertc_text_options), .raw_scores = true, .windows = true}, r);
    ck_assert(r[0].scores[0].id == 1 && r[0].scores[0].score == 2 && r[0].scores[1].score == 1);
    bertc_close(s);
    head_close(&h);
}
END_TEST

START_TEST(other_scores) {
    toy_logit = good_logit;
    const bertc_text text = head_text("good", NULL);
    bertc_result r = BERTC_RESULT_INIT;
    head_model h =
        head_open(BERTC_TASK_MULTI_LABEL, (head_output){"logits", BERTC_S, 3}, (head_output){0}, moods);
    bertc_session *s = session_of(&h);
    answer(s, &text, 1, NULL, &r);
    ck_assert_str_eq(r.scores[0].label, "good");
    ck_assert_float_eq_tol(r.scores[0].score, 0.8807970f, 1e-6f);
    ck_assert_float_eq(r.scores[2].score, 0.5f);
    answer(s, &text, 1, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .raw_scores = true}, &r);
    ck_assert(r.scores[0].id == 1 && r.scores[0].score == 2 && r.scores[1].score == 1 &&
              r.scores[2].score == 0);
    bertc_close(s);
    head_close(&h);
    h = head_open(BERTC_TASK_REGRESSION, (head_output){"logits", BERTC_S, 3}, (head_output){0}, moods);
    s = session_of(&h);
    answer(s, &text, 1, NULL, &r); // in the labels' order
    ck_assert(r.score_count == 3 && r.scores[0].score == 0 && r.scores[1].score == 2 &&
              r.scores[2].score == 1);
    bertc_close(s);
    head_close(&h);
}
END_TEST

START_TEST(embeddings) {
    toy_logit = good_logit;
    head_model h =
        head_open(BERTC_TASK_EMBEDDING, (head_output){"embedding", BERTC_S, 20}, (head_output){0}, NULL);
    bertc_session *s = session_of(&h);
    const bertc_text texts[] = {head_text("good", NULL), head_text("bad", NULL)};
    bertc_result r[2] = {BERTC_RESULT_INIT};
    answer(s, texts, 2, NULL, r);
    ck_assert(r[0].embedding_size == 20 && r[0].embedding[1] == 2 && r[1].embedding[1] == 0.5f &&
              r[1].embedding[19] == 9.5f);
    answer(s, texts, 2, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .dimensions = 3}, r);
    ck_assert(r[0].embedding_size == 3 && r[0].embedding[1] == 2 && r[1].embedding[1] == 0.5f);
    answer(s, texts + 1, 1,
           &(bertc_text_options){BERTC_SIZED(bertc_text_options), .dimensions = 3, .normalize = true},
           r); // of 2, 0.5, 1
    ck_assert_float_eq(r[0].embedding[1], (float)(0.5 / sqrt(5.25)));
    ck_assert_float_eq(r[0].embedding[2], (float)(1 / sqrt(5.25)));
    ck_assert(!bertc_answer_texts(
        s, texts, 1, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .dimensions = 21}, r, &error));
    ck_assert_str_eq(error.message,
                     "dimensions is 21: the model's embeddings have 20 numbers (0: as it says itself)");
    ck_assert(!bertc_answer_texts(
        s, texts, 1, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .dimensions = -1}, r, &error));
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(h.model, &info, NULL);
    ck_assert(info.embedding_size == 20 && info.embedding_width == 20 &&
              info.similarity == BERTC_SIMILARITY_COSINE);
    bertc_close(s);
    head_close(&h);
}
END_TEST

START_TEST(embedding_rows) {
    toy_logit = good_logit;
    head_model h =
        head_open(BERTC_TASK_EMBEDDING, (head_output){"embedding", BERTC_S, 20}, (head_output){0}, NULL);
    bertc_session *s = session_of(&h);
    const bertc_text texts[] = {
        head_text("good", NULL), head_text("bad", NULL), head_text("good", "x"), {.size = 1}};
    const bertc_text_options three = {BERTC_SIZED(bertc_text_options), .dimensions = 3};
    float rows[2 * 20 + 1] = {0};
    bertc_result r[2] = {BERTC_RESULT_INIT};
    rows[40] = -7;
    ck_assert_msg(bertc_embed_texts(s, texts, 2, NULL, rows, 20, &error), "%s", error.message);
    answer(s, texts, 2, NULL, r);
    ck_assert_mem_eq(rows, r[0].embedding, 20 * sizeof *rows);
    ck_assert_mem_eq(rows + 20, r[1].embedding, 20 * sizeof *rows);
    ck_assert_float_eq(rows[40], -7);
    float narrow[7] = {0, 0, 0, 0, 0, 0, -7};
    ck_assert(bertc_embed_texts(s, texts, 2, &three, narrow, 3, &error));
    ck_assert(!memcmp(narrow, rows, 12) && !memcmp(narrow + 3, rows + 20, 12) && narrow[6] == -7);
    ck_assert(bertc_embed_texts(s, NULL, 0, NULL, NULL, 20, &error));
    ck_assert(!bertc_embed_texts(s, texts, 2, NULL, rows, 19, &error));
    ck_assert_str_eq(error.message, "width is 19: the call's embeddings have 20 numbers");
    ck_assert(!bertc_embed_texts(s, texts, 2, &three, rows, 20, &error));
    ck_assert_str_eq(error.message, "width is 20: the call's embeddings have 3 numbers");
    ck_assert(!bertc_embed_texts(s, texts, 4, NULL, rows, 20, &error));
    ck_assert_str_eq(error.message, "text 4 of 4: text is NULL, and its size is 1");
    ck_assert_mem_eq(rows + 20, r[1].embedding, 20 * sizeof *rows);
    ck_assert(!bertc_embed_texts(s, texts, 1, NULL, NULL, 20, &error));
    ck_assert_str_eq(error.message, "embeddings is NULL");
    bertc_close(s);
    head_close(&h);
    h = head_open(BERTC_TASK_CLASSIFY, (head_output){"logits", BERTC_S, 3}, (head_output){0}, moods);
    s = session_of(&h);
    ck_assert(!bertc_embed_texts(s, texts, 1, NULL, rows, 3, &error));
    ck_assert_str_eq(error.message, "the model gives no embeddings");
    bertc_close(s);
    head_close(&h);
}
END_TEST

START_TEST(prompts) {
    toy_logit = good_logit;
    head_model h =
        head_open(BERTC_TASK_CLASSIFY, (head_output){"logits", BERTC_S, 3}, (head_output){0}, moods);
    bertc_session *s = session_of(&h);
    const bertc_text texts[] = {head_text("bad", NULL), head_text("", NULL), head_text("bad", "bad")};
    bertc_result r[3] = {BERTC_RESULT_INIT};
    answer(s, texts, 3, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .prompt = "good "}, r);
    for (int i = 0; i < 3; i++) ck_assert_str_eq(r[i].scores[0].label, "good"); // of the first word
    ck_assert(r[0].token_count == 4 && r[1].token_count == 3 && r[2].token_count == 6);
    ck_assert(!bertc_answer_texts(
        s, texts, 1, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .prompt_name = "x"}, r, &error));
    ck_assert_str_eq(error.message, "the model has no prompts, and so none of the name `x`");
    bertc_close(s);
    head_close(&h);
    h = head_open(BERTC_TASK_ENTITIES, (head_output){"logits", BERTC_T, 3}, (head_output){0}, moods);
    s = session_of(&h);
    ck_assert(!bertc_answer_texts(
        s, texts, 1, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .prompt = ""}, r, &error));
    ck_assert_ptr_nonnull(
        strstr(error.message, "a prompt goes before texts that get an embedding or labels"));
    ck_assert(!bertc_answer_texts(
        s, texts, 1, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .role = BERTC_ROLE_QUERY}, r,
        &error));
    ck_assert_str_eq(error.message, "role is for embeddings, and the model gives none");
    for (int role = -1; role < 4; role += 4)
        ck_assert(!bertc_answer_texts(
            s, texts, 1, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .role = role}, r, &error));
    ck_assert_str_eq(error.message, "role is 3, which is none of bertc_role");
    bertc_close(s);
    head_close(&h);
}
END_TEST

// --- Entities

static float name_logit(int o, int32_t id, int64_t c) {
    (void)o;
    int best = id == ALICE || id == BOB ? 1 : id == S_SUFFIX ? 2 : id == PARIS ? 3 : 0;
    return c == best ? 5.0f : 0.0f;
}

START_TEST(entities) {
    static const char *const tags[] = {"O", "B-PER", "I-PER", "B-LOC", NULL};
    toy_logit = name_logit;
    head_model h =
        head_open(BERTC_TASK_ENTITIES, (head_output){"logits", BERTC_T, 4}, (head_output){0}, tags);
    bertc_session *s = session_of(&h);
    const bertc_text texts[] = {head_text("in the", NULL),
                                head_text("Bobs, \xc3\x89 Alice lives in Paris.", NULL)};
    bertc_result r[2] = {BERTC_RESULT_INIT};
    char json[1024];
    answer(s, texts, 2, NULL, r);
    ck_assert_int_eq(r[0].entity_count, 0);
    bertc_result_json(&r[1], &texts[1], json, sizeof json);
    ck_assert_str_eq(
        json,
        "{\"entities\": [{\"entity_group\": \"PER\", \"score\": 0.98018664, \"word\": \"Bobs\", \"start\": "
        "0, "
        "\"end\": 4}, {\"entity_group\": \"PER\", \"score\": 0.98018664, \"word\": \"Alice\", \"start\": 8, "
        "\"end\": 13}, {\"entity_group\": \"LOC\", \"score\": 0.98018664, \"word\": \"Paris\", \"start\": "
        "23, "
        "\"end\": 28}]}");
    bertc_close(s);
    head_close(&h);
}
END_TEST

// --- Questions

static float where_logit(int o, int32_t id, int64_t c) {
    (void)c;
    if (id == CLS || id == WHO) return 50; // outside of the context
    return o == 0 ? (id == PARIS ? 4.0f : 0.5f) : (id == YEAR ? 3.0f : 0.25f);
}

START_TEST(questions) {
    toy_logit = where_logit;
    head_model h = head_open(BERTC_TASK_ANSWER, (head_output){"start_logits", BERTC_T, 0},
                             (head_output){"end_logits", BERTC_T, 0}, NULL);
    bertc_session *s = session_of(&h);
    const bertc_text texts[] = {head_text("who", "Alice lives in Paris, 2018."), head_text("who", "")};
    bertc_result r[2] = {BERTC_RESULT_INIT};
    char json[256];
    answer(s, texts, 1, NULL, r);
    ck_assert(r[0].answer.found && r[0].answer.char_start == 15 && r[0].answer.char_end == 26);
    ck_assert_float_eq(r[0].answer.logit_score, 7);
    // Over alice lives in paris , 2018 . and the CLS token, whose logits of 50 leave nothing.
    ck_assert_float_eq_tol(r[0].answer.score, (float)exp(7 - 100), 1e-45f);
    ck_assert_int_eq(r[0].answer_count, 1);
    bertc_result_json(&r[0], texts, json, sizeof json);
    ck_assert_ptr_nonnull(
        strstr(json, "{\"answer\": \"Paris, 2018\", \"start\": 15, \"end\": 26, \"score\": "));
    ck_assert_ptr_nonnull(strstr(json, ", \"logit_score\": 7}"));
    answer(s, texts, 1, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .no_answer = true}, r);
    ck_assert(!r[0].answer.found && r[0].answer.score == 1 && r[0].answer.logit_score == 100);
    ck_assert(!bertc_answer_texts(s, texts + 1, 1, NULL, r, &error));
    ck_assert_str_eq(error.message, "the context is empty");
    ck_assert(!bertc_answer_texts(s, &(bertc_text){"", 0, "in", 2}, 1, NULL, r, &error));
    ck_assert_str_eq(error.message, "the question is empty");
    const bertc_text blank = head_text("who", " \n");
    ck_assert(!bertc_answer_texts(s, &blank, 1, NULL, r, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "the context has no token"));
    answer(s, &blank, 1, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .no_answer = true}, r);
    ck_assert(!r[0].answer.found && r[0].answer.score == 1);
    answer(s, texts, 1, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .max_answer_tokens = 2}, r);
    ck_assert(r[0].answer.char_start == 15 && r[0].answer.char_end == 20);
    ck_assert(!bertc_answer_texts(s, &(bertc_text){"who", 3, NULL, 0}, 1, NULL, r, &error));
    ck_assert_str_eq(
        error.message,
        "question answering needs the context as the text's pair (bertc run --pair CONTEXT, or a tab between "
        "question and context)");
    bertc_close(s);
    head_close(&h);
}
END_TEST

// --- Masks

static float next_logit(int o, int32_t id, int64_t c) {
    if (o == 1) return c == 0 ? (float)id : 0; // next sentence
    return c == id + 1 ? 3.0f : c == id ? 2.0f : 0.0f;
}

START_TEST(masks) {
    toy_logit = next_logit;
    head_model h =
        head_open(BERTC_TASK_FILL_MASK, (head_output){"logits", BERTC_R, HEAD_VOCAB}, (head_output){0}, NULL);
    bertc_session *s = session_of(&h);
    const bertc_text texts[] = {head_text("the [MASK]", NULL), head_text("alice [MASK] in [MASK]", NULL),
                                head_text("[MASK]", "bob [MASK]")};
    bertc_result r[3] = {BERTC_RESULT_INIT};
    answer(s, texts, 3, NULL, r);
    ck_assert_int_eq(r[0].mask_count, 1);
    ck_assert(r[1].mask_count == 2 && r[2].mask_count == 2);
    const bertc_mask *m = r[1].masks;
    ck_assert(m[0].score_count == 5 && m[0].char_start == 6 && m[0].char_end == 12 && m[1].char_start == 16);
    ck_assert_str_eq(m[0].scores[0].label, "bob");
    ck_assert_str_eq(m[0].scores[1].label, "alice");
    ck_assert_int_eq(m[0].scores[0].id, BOB);
    ck_assert_float_eq_tol(m[0].scores[0].score, (float)(exp(3) / (exp(3) + exp(2) + (double)HEAD_VOCAB - 2)),
                           1e-6f);
    ck_assert_str_eq(m[1].scores[0].label, "good");
    ck_assert(r[2].masks[0].text == 0 && r[2].masks[1].text == 1 && r[2].masks[1].char_start == 4);
    answer(s, texts, 3, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .top_k = 1000}, r);
    ck_assert_int_eq(r[1].masks[1].score_count, HEAD_VOCAB);
    answer(s, texts, 3, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .raw_scores = true}, r);
    ck_assert(r[1].masks[0].scores[0].id == BOB && r[1].masks[0].scores[0].score == 3 &&
              r[1].masks[0].scores[1].score == 2);
    bertc_close(s);
    head_close(&h);
}
END_TEST

static void refuse(bertc_session *s, bertc_text text, const bertc_text_options *o, const char *cause) {
    const bertc_text texts[] = {head_text("the [MASK]", "the"), text};
    bertc_result r[2] = {BERTC_RESULT_INIT};
    char second[300];
    ck_assert(!bertc_answer_texts(s, &text, 1, o, r, &error));
    ck_assert_str_eq(error.message, cause);
    ck_assert(!bertc_answer_texts(s, texts, 2, o, r, &error));
    snprintf(second, sizeof second, "text 2 of 2: %s", cause);
    ck_assert_str_eq(error.message, second);
}

// A text without a mask, or with another model's, has no answer.
START_TEST(no_masks) {
    static const char none[] = "the text has no mask: put [MASK] where the model is to find words",
                      other[] =
                          "the text has no mask: the model's mask token is [MASK], and <mask> is another "
                          "model's";
    toy_logit = next_logit;
    head_model h =
        head_open(BERTC_TASK_FILL_MASK, (head_output){"logits", BERTC_R, HEAD_VOCAB}, (head_output){0}, NULL);
    bertc_session *s = session_of(&h);
    const bertc_text_options windows = {BERTC_SIZED(bertc_text_options), .windows = true, .max_tokens = 8};
    refuse(s, head_text("the", NULL), NULL, none);
    refuse(s, head_text("", NULL), NULL, none);
    refuse(s, head_text("the alice lives in paris the alice lives in paris", NULL), &windows, none);
    refuse(s, head_text("the <mask>", NULL), NULL, other);
    refuse(s, head_text("the", "a <mask>"), NULL, other);
    refuse(s, head_text("the alice lives in paris the [MASK]", NULL),
           &(bertc_text_options){BERTC_SIZED(bertc_text_options), .truncation = BERTC_TRUNCATE_LONGEST_FIRST,
                                 .max_tokens = 6},
           "[MASK] is none of the 6 tokens that are read of the text");
    const bertc_text both = head_text("the [MASK] <mask>", NULL);
    bertc_result r = BERTC_RESULT_INIT;
    answer(s, &both, 1, NULL, &r);
    ck_assert_int_eq(r.mask_count, 1);
    bertc_close(s);
    head_close(&h);
    h = head_open(BERTC_TASK_PRETRAINING, (head_output){"prediction_logits", BERTC_R, HEAD_VOCAB},
                  (head_output){"seq_relationship_logits", BERTC_S, 2}, NULL);
    s = session_of(&h);
    refuse(s, head_text("the", NULL), NULL,
           "the text has no mask: put [MASK] where the model is to find words, or give a second text");
    refuse(s, head_text("the <mask>", "the"), NULL, other);
    bertc_close(s);
    head_close(&h);
}
END_TEST

START_TEST(sentences) {
    toy_logit = next_logit;
    const bertc_text texts[] = {head_text("alice", "bob [MASK]"), head_text("alice [MASK]", NULL),
                                head_text("alice", "bob")};
    bertc_result r[3] = {BERTC_RESULT_INIT};
    head_model h = head_open(BERTC_TASK_PRETRAINING, (head_output){"prediction_logits", BERTC_R, HEAD_VOCAB},
                             (head_output){"seq_relationship_logits", BERTC_S, 2}, NULL);
    bertc_session *s = session_of(&h);
    answer(s, texts, 3, NULL, r);
    ck_assert_float_eq_tol(r[0].next_sentence, (float)(1 / (1 + exp(-(double)ALICE))), 1e-6f);
    ck_assert(r[1].next_sentence == -1 && r[0].mask_count == 1 && r[1].mask_count == 1);
    ck_assert(r[2].next_sentence == r[0].next_sentence && r[2].mask_count == 0);
    answer(s, texts, 3, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .raw_scores = true}, r);
    ck_assert(r[0].next_sentence == (float)ALICE && isnan(r[1].next_sentence));
    char json[512];
    bertc_result_json(&r[1], &texts[1], json, sizeof json);
    ck_assert_ptr_nonnull(strstr(json, "\"next_sentence\": null"));
    bertc_result_json(&r[2], &texts[2], json, sizeof json);
    ck_assert_str_eq(json, "{\"masks\": [], \"next_sentence\": 5}");
    answer(s, texts, 3, NULL, r);
    ck_assert_str_eq(r[0].masks[0].scores[0].label, "paris");
    bertc_close(s);
    head_close(&h);
    h = head_open(BERTC_TASK_NEXT_SENTENCE, (head_output){"logits", BERTC_S, 2}, (head_output){0}, NULL);
    s = session_of(&h);
    answer(s, texts, 2, NULL, r);
    ck_assert(r[0].next_sentence == 0.5f && r[1].next_sentence == -1); // both logits 0
    bertc_close(s);
    head_close(&h);
}
END_TEST

// --- Many texts, long texts

START_TEST(many_texts) {
    enum { N = 300 };
    static char words[N][160];
    bertc_text texts[N];
    static bertc_result r[N] = {BERTC_RESULT_INIT};
    toy_logit = good_logit;
    head_model h =
        head_open(BERTC_TASK_CLASSIFY, (head_output){"logits", BERTC_S, 3}, (head_output){0}, moods);
    bertc_session *s = session_of(&h);
    for (int i = 0; i < N; i++) {
        strcpy(words[i], i % 3 == 0 ? "good" : i % 3 == 1 ? "bad" : "the");
        for (int k = 0; k < i % 21; k++) strcat(words[i], " alice");
        texts[i] = head_text(words[i], NULL);
    }
    answer(s, texts, N, NULL, r);
    for (int i = 0; i < N; i++) {
        ck_assert_str_eq(r[i].scores[0].label, i % 3 == 0 ? "good" : i % 3 == 1 ? "bad" : "other");
        ck_assert_int_eq(r[i].token_count, 3 + i % 21);
    }
    bertc_close(s);
    head_close(&h);
}
END_TEST

START_TEST(too_long) {
    toy_logit = good_logit;
    head_model h =
        head_open(BERTC_TASK_CLASSIFY, (head_output){"logits", BERTC_S, 3}, (head_output){0}, moods);
    bertc_session *s = session_of(&h);
    char words[600] = "good";
    for (int k = 0; k < 29; k++) strcat(words, " the");
    const bertc_text texts[] = {head_text("good", NULL), head_text(words, NULL)};
    bertc_result r[2] = {BERTC_RESULT_INIT};
    ck_assert(!bertc_answer_texts(s, texts, 2, NULL, r, &error));
    ck_assert_msg(strncmp(error.message, "text 2 of 2: ", 13) == 0 && strstr(error.message, "32") &&
                      strstr(error.message, "8"),
                  "%s",
                  error.message); // 32 tokens, 8 too many
    answer(s, texts, 2,
           &(bertc_text_options){BERTC_SIZED(bertc_text_options), .truncation = BERTC_TRUNCATE_LONGEST_FIRST},
           r);
    ck_assert_int_eq(r[1].token_count, HEAD_LENGTH);
    const bertc_token *tokens;
    size_t n;
    ck_assert(bertc_tokenize(s, &texts[0], 0, BERTC_TRUNCATE_NEVER, &tokens, &n, &error));
    ck_assert(n == 3 && tokens[1].id == GOOD && tokens[1].char_end == 4 && tokens[0].text == -1);
    ck_assert_str_eq(bertc_token_text(h.model, S_SUFFIX), "##s");
    bertc_close(s);
    head_close(&h);
}
END_TEST

START_TEST(no_tokenizer) {
    static const toy_variant one[] = {{"toy_s8", 0, 8, 8}};
    blob b = toy_memory((toy_options){.variants = one, .variant_count = 1});
    bertc_model *m = bertc_load_memory(b.data, NULL, NULL);
    bertc_session *s = bertc_open(m, NULL, NULL);
    const bertc_text text = head_text("good", NULL);
    bertc_result r = BERTC_RESULT_INIT;
    ck_assert(!bertc_answer_texts(s, &text, 1, NULL, &r, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "no tokenizer"));
    ck_assert_ptr_null(bertc_token_text(m, 1));
    bertc_close(s);
    bertc_unload(m);
    free(b.data);
}
END_TEST

int main(void) {
    Suite *s = suite_create("answer");
    TCase *t = tcase_create("answer");
    tcase_add_test(t, labels);
    tcase_add_test(t, other_scores);
    tcase_add_test(t, embeddings);
    tcase_add_test(t, embedding_rows);
    tcase_add_test(t, prompts);
    tcase_add_test(t, entities);
    tcase_add_test(t, questions);
    tcase_add_test(t, masks);
    tcase_add_test(t, no_masks);
    tcase_add_test(t, sentences);
    tcase_add_test(t, many_texts);
    tcase_add_test(t, too_long);
    tcase_add_test(t, no_tokenizer);
    suite_add_tcase(s, t);
    return suite_status(s);
}
