// links: runtime hub ir
// Texts longer than the model takes, read in windows, and texts that are words already: on models by hand
// (toy_task.h), whose heads say of each token what its id says, so that windows must not be seen in the
// answer.
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

static bertc_result answer(bertc_session *s, bertc_text text, const bertc_text_options *o) {
    bertc_result r = BERTC_RESULT_INIT;
    ck_assert_msg(bertc_answer_texts(s, &text, 1, o, &r, &error), "%s", error.message);
    return r;
}

// `piece`, `times` over.
static char *repeated(const char *piece, int times) {
    char *text = calloc(strlen(piece) * (size_t)times + 1, 1);
    for (int i = 0; i < times; i++) strcat(text, piece);
    return text;
}

// --- Entities

static const char *const tags[] = {"O", "B-PER", "I-PER", "B-LOC", NULL};
static float name_logit(int o, int32_t id, int64_t c) {
    (void)o;
    int best = id == ALICE || id == BOB ? 1 : id == S_SUFFIX || id == THE ? 2 : id == PARIS ? 3 : 0;
    return c == best ? 5.0f : 0.0f;
}

// However windows fall, entities are those of the text: two a piece of 7 tokens, of which one has three.
START_TEST(entities) {
    enum { TIMES = 30, PIECE = 27 };
    toy_logit = name_logit;
    head_model h =
        head_open(BERTC_TASK_ENTITIES, (head_output){"logits", BERTC_T, 4}, (head_output){0}, tags);
    bertc_session *s = session_of(&h);
    char *text = repeated("Alice the THE lives, PARIS ", TIMES);
    for (int stride = -1; stride < 20; stride++)
        for (int most = 24; most > 21; most--) {
            bertc_text_options o = {BERTC_SIZED(bertc_text_options), .windows = true, .stride = stride,
                                    .max_tokens = most};
            if (stride >= most - 2) continue;
            bertc_result r = answer(s, head_text(text, NULL), &o);
            ck_assert_int_eq(r.entity_count, 2 * TIMES);
            ck_assert_int_gt(r.window_count, 7);
            for (int i = 0; i < r.entity_count; i++) {
                uint32_t at = (uint32_t)(i / 2 * PIECE);
                ck_assert_str_eq(r.entities[i].type, i % 2 ? "LOC" : "PER");
                ck_assert_uint_eq(r.entities[i].char_start, at + (i % 2 ? 21 : 0));
                ck_assert_uint_eq(r.entities[i].char_end, at + (i % 2 ? 26 : 13));
            }
        }
    free(text);
    bertc_close(s);
    head_close(&h);
}
END_TEST

// --- Answers

static float span_logit(int o, int32_t id, int64_t c) {
    (void)c;
    return id == (o ? YEAR : PARIS) ? 5.0f : id == (o ? BOB : ALICE) ? 4.0f : 0.0f;
}

START_TEST(questions) {
    toy_logit = span_logit;
    head_model h = head_open(BERTC_TASK_ANSWER, (head_output){"start_logits", BERTC_T, 0},
                             (head_output){"end_logits", BERTC_T, 0}, NULL);
    bertc_session *s = session_of(&h);
    char *filler = repeated("in the ", 40), context[800];
    bertc_text_options o = {BERTC_SIZED(bertc_text_options), .windows = true};
    snprintf(context, sizeof context, "alice lives \xe2\x82\xac bob %s paris, 2018 %s", filler, filler);
    bertc_result r = answer(s, head_text("who", context), &o);
    uint32_t at = 18 + 280 + 1;
    ck_assert(r.answer.found && r.answer.logit_score == 10 && r.answer.char_start == at);
    ck_assert_uint_eq(r.answer.char_end, at + 11);
    ck_assert_uint_eq(r.answer.byte_start, at + 2);
    ck_assert_int_eq(r.token_count, 4 + 80 + 3 + 80 + 4);
    // Without the right one, the other, in the first window.
    snprintf(context, sizeof context, "alice lives in bob %s", filler);
    r = answer(s, head_text("who", context), &o);
    ck_assert(r.answer.logit_score == 8 && r.answer.char_start == 0 && r.answer.char_end == 18);
    // Windows as the issue of tokenizers has them: room for 20 of 84 tokens, 8 shared.
    o.stride = 8;
    r = answer(s, head_text("who", context), &o);
    ck_assert_int_eq(r.window_count, 1 + (84 - 20 + 11) / 12);
    bertc_text text = head_text("who", context);
    o.stride = 20;
    ck_assert(!bertc_answer_texts(s, &text, 1, &o, &r, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "stride 20: windows hold "));
    text = head_text(filler, "who");
    ck_assert(!bertc_answer_texts(s, &text, 1, &o, &r, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "every window"));
    free(filler);
    bertc_close(s);
    head_close(&h);
}
END_TEST

// --- Labels and embeddings: the head reads a window's first word

static float word_logit(int o, int32_t id, int64_t c) {
    (void)o;
    return (float)(id == GOOD ? 3 : id == BAD ? -2 : 1) * (float)(c + 1);
}
static const char *const moods[] = {"a", "b", NULL};

// good and 21 more, bad and 21 more, the and one more.
static void three_windows(char *text) {
    strcpy(text, "good");
    for (int i = 0; i < 21; i++) strcat(text, " in");
    strcat(text, " bad");
    for (int i = 0; i < 21; i++) strcat(text, " in");
    strcat(text, " the in");
}
static const double mean = (22.0 * 3 + 22.0 * -2 + 2) / 46;

START_TEST(rows) {
    char text[400];
    toy_logit = word_logit;
    three_windows(text);
    const bertc_text_options o = {BERTC_SIZED(bertc_text_options), .windows = true, .stride = -1};
    head_model h =
        head_open(BERTC_TASK_REGRESSION, (head_output){"logits", BERTC_S, 2}, (head_output){0}, moods);
    bertc_session *s = session_of(&h);
    bertc_result r = answer(s, head_text(text, NULL), &o);
    ck_assert(r.window_count == 3 && r.score_count == 2);
    ck_assert_double_eq_tol((double)r.scores[0].score, mean, 1e-6);
    ck_assert_double_eq_tol((double)r.scores[1].score, 2 * mean, 1e-6);
    bertc_close(s);
    head_close(&h);
    h = head_open(BERTC_TASK_CLASSIFY, (head_output){"logits", BERTC_S, 2}, (head_output){0}, moods);
    s = session_of(&h);
    r = answer(s, head_text(text, NULL), &o);
    ck_assert_str_eq(r.scores[0].label, "b");
    ck_assert_double_eq_tol((double)r.scores[0].score, 1 / (1 + exp(-mean)), 1e-6);
    bertc_close(s);
    head_close(&h);
    h = head_open(BERTC_TASK_EMBEDDING, (head_output){"embedding", BERTC_S, 3}, (head_output){0}, NULL);
    s = session_of(&h);
    r = answer(s, head_text(text, NULL), &o);
    for (int i = 0; i < 3; i++) ck_assert_double_eq_tol((double)r.embedding[i], (i + 1) * mean, 1e-6);
    bertc_close(s);
    head_close(&h);
}
END_TEST

// An embedding of unit length stays one.
static float unit_logit(int o, int32_t id, int64_t c) {
    (void)o;
    return c == (id == GOOD ? 0 : 1) ? 1.0f : 0.0f;
}

START_TEST(unit_length) {
    char text[400];
    toy_logit = unit_logit;
    three_windows(text);
    head_model h =
        head_open(BERTC_TASK_EMBEDDING, (head_output){"embedding", BERTC_S, 2}, (head_output){0}, NULL);
    bertc_session *s = session_of(&h);
    bertc_result r =
        answer(s, head_text(text, NULL),
               &(bertc_text_options){BERTC_SIZED(bertc_text_options), .windows = true, .stride = -1});
    double length = sqrt(22.0 * 22 + 24.0 * 24);
    ck_assert_double_eq_tol((double)r.embedding[0], 22 / length, 1e-6);
    ck_assert_double_eq_tol((double)r.embedding[1], 24 / length, 1e-6);
    bertc_close(s);
    head_close(&h);
}
END_TEST

// --- Masks: each once, the word from the token before it

static float next_logit(int o, int32_t id, int64_t c) {
    (void)o;
    return c == id + 1 ? 9.0f : 0.0f;
}

START_TEST(masks) {
    enum { TIMES = 25 };
    toy_logit = next_logit;
    head_model h =
        head_open(BERTC_TASK_FILL_MASK, (head_output){"logits", BERTC_R, HEAD_VOCAB}, (head_output){0}, NULL);
    bertc_session *s = session_of(&h);
    char *text = repeated("alice [MASK] lives [MASK] ", TIMES);
    const bertc_text_options o = {BERTC_SIZED(bertc_text_options), .windows = true, .stride = 6, .top_k = 2};
    for (int pair = 0; pair < 2; pair++) {
        bertc_result r = answer(s, pair ? head_text("the [MASK]", text) : head_text(text, NULL), &o);
        ck_assert_int_eq(r.mask_count, 2 * TIMES + pair);
        if (pair) ck_assert(r.masks[0].text == 0 && r.masks[0].scores[0].id == THE + 1);
        for (int i = 0; i < 2 * TIMES; i++) {
            const bertc_mask *m = &r.masks[i + pair];
            ck_assert(m->text == pair && m->score_count == 2);
            ck_assert_uint_eq(m->char_start, (uint32_t)(i / 2 * 26 + (i % 2 ? 19 : 6)));
            ck_assert_int_eq(m->scores[0].id, (i % 2 ? LIVES : ALICE) + 1);
        }
    }
    free(text);
    bertc_close(s);
    head_close(&h);
}
END_TEST

// --- Words

START_TEST(words) {
    toy_logit = name_logit;
    head_model h =
        head_open(BERTC_TASK_ENTITIES, (head_output){"logits", BERTC_T, 4}, (head_output){0}, tags);
    bertc_session *s = session_of(&h);
    // "alices," is one word of three tokens, in which the first alone counts; the control character has none.
    const char *text = "\xe2\x82\xac alices, THE \x01 lives paris. who";
    const bertc_word at[] = {{0, 3}, {4, 11}, {12, 15}, {16, 17}, {18, 23}, {24, 30}, {31, 34}};
    bertc_text t = head_text(text, NULL);
    t.words = at;
    t.word_count = 7;
    bertc_result r = answer(s, t, NULL);
    const char *want[] = {"O", "B-PER", "I-PER", NULL, "O", "B-LOC", "O"};
    ck_assert_int_eq(r.word_count, 7);
    for (int i = 0; i < 7; i++)
        ck_assert_msg(want[i] ? r.words[i].label && !strcmp(r.words[i].label, want[i])
                              : !r.words[i].label && r.words[i].id == -1,
                      "word %d: %s", i, r.words[i].label);
    ck_assert_int_eq(r.entity_count, 2);
    ck_assert(r.entities[0].char_start == 2 && r.entities[0].char_end == 13 &&
              r.entities[0].byte_start == 4 && r.entities[0].byte_end == 15);
    ck_assert(r.entities[1].char_start == 22 && r.entities[1].char_end == 28);
    char json[1000];
    bertc_result_json(&r, &t, json, sizeof json);
    ck_assert_ptr_nonnull(
        strstr(json, "\"labels\": [\"O\", \"B-PER\", \"I-PER\", null, \"O\", \"B-LOC\", \"O\"]"));
    t.words = (bertc_word[]){{0, 4}, {3, 5}};
    t.word_count = 2;
    ck_assert(!bertc_answer_texts(s, &t, 1, NULL, &r, &error));
    ck_assert_msg(strstr(error.message, "word 1 is bytes 3 to 5") != NULL, "%s", error.message);
    bertc_close(s);
    head_close(&h);
}
END_TEST

// The same, often.
START_TEST(words_in_windows) {
    enum { TIMES = 40 };
    toy_logit = name_logit;
    head_model h =
        head_open(BERTC_TASK_ENTITIES, (head_output){"logits", BERTC_T, 4}, (head_output){0}, tags);
    bertc_session *s = session_of(&h);
    char *many = repeated("alices, THE paris ", TIMES);
    bertc_word all[3 * TIMES];
    for (int i = 0; i < TIMES; i++) {
        uint32_t from = (uint32_t)i * 18;
        memcpy(all + (size_t)3 * (size_t)i,
               (bertc_word[]){{from, from + 7}, {from + 8, from + 11}, {from + 12, from + 17}},
               3 * sizeof *all);
    }
    bertc_text t = head_text(many, NULL);
    t.words = all;
    t.word_count = 3 * TIMES;
    bertc_result r =
        answer(s, t, &(bertc_text_options){BERTC_SIZED(bertc_text_options), .windows = true, .stride = 5});
    ck_assert(r.word_count == 3 * TIMES && r.entity_count == 2 * TIMES && r.window_count > 1);
    for (int i = 0; i < 3 * TIMES; i++) ck_assert_int_eq(r.words[i].id, i % 3 + 1);
    r = answer(
        s, t,
        &(bertc_text_options){BERTC_SIZED(bertc_text_options), .truncation = BERTC_TRUNCATE_LONGEST_FIRST});
    ck_assert(r.words[0].id == 1 && r.words[3 * TIMES - 1].id == -1);
    free(many);
    bertc_close(s);
    head_close(&h);
}
END_TEST

int main(void) {
    Suite *s = suite_create("windows");
    TCase *t = tcase_create("windows");
    tcase_add_test(t, entities);
    tcase_add_test(t, questions);
    tcase_add_test(t, rows);
    tcase_add_test(t, unit_length);
    tcase_add_test(t, masks);
    tcase_add_test(t, words);
    tcase_add_test(t, words_in_windows);
    suite_add_tcase(s, t);
    return suite_status(s);
}
