// links: hub ir runtime
// Structs of bertc.h that say their size: those of applications built with an earlier or a later header.
#include <check.h>

#include "main.h"
#include "runtime/sized.h"
#include "toy_task.h"

static float logit_of(int o, int32_t id, int64_t c) {
    (void)o;
    return (float)(id * 10 + c);
}

static head_model classifier(void) {
    static const char *const labels[] = {"bad", "good", NULL};
    toy_logit = logit_of;
    return head_open(BERTC_TASK_CLASSIFY, (head_output){"logits", BERTC_S, 2}, (head_output){0}, labels);
}

// A struct with `more` bytes behind it. The call that takes it must say what is wrong with it.
#define LATER(type)                                                                                          \
    struct {                                                                                                 \
        type known;                                                                                          \
        char later[24];                                                                                      \
    }
#define SAYS(call, text)                                                                                     \
    do {                                                                                                     \
        error.message[0] = 0;                                                                                \
        ck_assert_msg(!(call), "%s", #call);                                                                 \
        ck_assert_str_eq(error.message, text);                                                               \
    } while (0)
// An options struct: `call` must succeed with the size of this version and of a later one whose fields are unset, and
// fail with others.
#define CHECK_OPTIONS(type, x, call)                                                                         \
    do {                                                                                                     \
        char want[128];                                                                                      \
        x.known.size = 0;                                                                                    \
        SAYS(call, #type ".size is 0, not sizeof(" #type ")");                                               \
        x.known.size = sizeof(size_t); /* less than any version's */                                         \
        snprintf(want, sizeof want, "%s.size is %zu, not sizeof(%s)", #type, sizeof(size_t), #type);         \
        SAYS(call, want);                                                                                    \
        x.known.size = SIZE_MAX;                                                                             \
        snprintf(want, sizeof want, "%s.size is %zu, not sizeof(%s)", #type, SIZE_MAX, #type);               \
        SAYS(call, want);                                                                                    \
        x.known.size = sizeof x;                                                                             \
        ck_assert_msg(call, "%s", error.message);                                                            \
        x.later[5] = 1;                                                                                      \
        snprintf(want, sizeof want, "%s has a field of a later version, at byte %zu", #type,                 \
                 sizeof(type) + 5);                                                                          \
        SAYS(call, want);                                                                                    \
        x.later[5] = 0;                                                                                      \
        x.known.size = sizeof(type);                                                                         \
        ck_assert_msg(call, "%s", error.message);                                                            \
    } while (0)

static bool opens(bertc_model *m, const bertc_session_options *o, bertc_error *error) {
    bertc_session *s = bertc_open(m, o, error);
    bertc_close(s);
    return s != NULL;
}

START_TEST(options) {
    head_model h = classifier();
    bertc_error error = {""};
    const int32_t ids[] = {CLS, GOOD};
    const bertc_text text = head_text("good", NULL);
    const bertc_token *tokens;
    size_t count;
    LATER(bertc_session_options) open = {0};
    CHECK_OPTIONS(bertc_session_options, open, opens(h.model, &open.known, &error));
    bertc_session *s = bertc_open(h.model, NULL, NULL);
    LATER(bertc_batch) batch = {.known = {.batch = 1, .length = 2, .input_ids = ids}};
    CHECK_OPTIONS(bertc_batch, batch, bertc_run(s, &batch.known, NULL, NULL, &error));
    bertc_result r = BERTC_RESULT_INIT;
    LATER(bertc_text_options) how = {0};
    CHECK_OPTIONS(bertc_text_options, how, bertc_answer_texts(s, &text, 1, &how.known, &r, &error));
    CHECK_OPTIONS(bertc_text_options, how,
                  bertc_tokenize_with(s, &text, &how.known, &tokens, &count, &error));
    bertc_close(s);
    head_close(&h);
}
END_TEST

// What is handed over to be filled in: its own size is kept, and what a later version has more is 0.
START_TEST(filled_in) {
    head_model h = classifier();
    bertc_error error = {""};
    bertc_session *s = bertc_open(h.model, NULL, NULL);
    LATER(bertc_model_info) info = {.known = {.size = sizeof info}, .later = "garbage"};
    ck_assert(bertc_model_describe(h.model, &info.known, &error));
    ck_assert_int_eq(info.known.label_count, 2);
    ck_assert_uint_eq(info.known.size, sizeof info);
    ck_assert_int_eq(info.later[0], 0);
    info.known.size = offsetof(bertc_model_info, state_bytes); // of a header before that came
    info.known.state_bytes = 77;
    ck_assert(bertc_model_describe(h.model, &info.known, &error));
    ck_assert_int_eq(info.known.state_bytes, 77);
    ck_assert_uint_eq(info.known.size, offsetof(bertc_model_info, state_bytes));
    info.known.size = 0;
    SAYS(bertc_model_describe(h.model, &info.known, &error),
         "bertc_model_info.size is 0, not sizeof(bertc_model_info)");

    const bertc_text texts[] = {head_text("good", NULL), head_text("bad", NULL)};
    LATER(bertc_result) r[2] = {{.known = {.size = sizeof *r}, .later = "garbage"}, {.later = "garbage"}};
    ck_assert_msg(bertc_answer_texts(s, texts, 2, NULL, &r[0].known, &error), "%s", error.message);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(r[i].known.size, sizeof *r);
        ck_assert_int_eq(r[i].known.score_count, 2);
        ck_assert_int_eq(r[i].later[0], 0);
    }
    ck_assert(r[0].known.scores != r[1].known.scores);
    char json[200];
    ck_assert_uint_gt(bertc_result_json(&r[1].known, &texts[1], json, sizeof json), 10);
    r[1].known.size = 1;
    ck_assert_uint_eq(bertc_result_json(&r[1].known, &texts[1], json, sizeof json), 0);
    ck_assert_str_eq(json, "");
    r[0].known.size = 0;
    SAYS(bertc_answer_texts(s, texts, 2, NULL, &r[0].known, &error),
         "bertc_result.size is 0, not sizeof(bertc_result)");

    const int32_t ids[] = {CLS, GOOD};
    const bertc_batch batch = {BERTC_SIZED(bertc_batch), .batch = 1, .length = 2, .input_ids = ids};
    float out[2], *buffers[] = {out};
    LATER(bertc_tensor) t = {.known = {.size = sizeof t}, .later = "garbage"};
    ck_assert(bertc_run(s, &batch, buffers, &t.known, &error));
    ck_assert_str_eq(t.known.name, "logits");
    ck_assert_uint_eq(t.known.size, sizeof t);
    ck_assert_int_eq(t.later[0], 0);
    t.known.size = 8;
    SAYS(bertc_run(s, &batch, buffers, &t.known, &error), "bertc_tensor.size is 8, not sizeof(bertc_tensor)");
    bertc_close(s);
    head_close(&h);
}
END_TEST

// A struct of an earlier header is shorter: what it lacks is unset, and nothing is written behind it.
START_TEST(earlier) {
    bertc_load_options o, given = {.size = sizeof(size_t), .check_weights = true};
    ck_assert(sized_take(SIZED_bertc_load_options, &given, &o, NULL));
    ck_assert_uint_eq(o.size, sizeof o);
    ck_assert(!o.check_weights);
    const bertc_load_options own = {BERTC_SIZED(bertc_load_options), .check_weights = true};
    size_t array[3] = {sizeof(size_t), 7, 7};
    sized_give(SIZED_bertc_load_options, &own, array, 0);
    sized_give(SIZED_bertc_load_options, &own, array, 1);
    ck_assert_uint_eq(array[0], sizeof(size_t));
    ck_assert_uint_eq(array[1], sizeof(size_t));
    ck_assert_uint_eq(array[2], 7);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sizes");
    TCase *t = tcase_create("sizes");
    tcase_add_test(t, options);
    tcase_add_test(t, filled_in);
    tcase_add_test(t, earlier);
    suite_add_tcase(suite, t);
    return suite_status(suite);
}
