// links: hub ir runtime
// Arguments that no function of bertc.h can take: an error that names the argument, or, of a function without
// one, nothing.
#include <check.h>
#include <limits.h>

#include "main.h"
#include "toy_task.h"

static float some_logit(int o, int32_t id, int64_t c) {
    return (float)((id * 7 + c * 5 + o) % 11);
}

static head_model classifier(void) {
    static const char *const labels[] = {"no", "yes", NULL};
    toy_logit = some_logit;
    return head_open(BERTC_TASK_CLASSIFY, (head_output){"logits", BERTC_S, 2}, (head_output){0}, labels);
}

#define REFUSED(call, text)                                                                                  \
    do {                                                                                                     \
        bertc_error error = {"-"};                                                                           \
        ck_assert(!(call));                                                                                  \
        ck_assert_str_eq(error.message, text);                                                               \
    } while (0)

START_TEST(models) {
    REFUSED(bertc_load(NULL, &error), "path is NULL");
    REFUSED(bertc_load_memory(NULL, NULL, &error), "descriptor is NULL");
    static _Alignas(8) const char bytes[sizeof(bertc_descriptor) + 8];
    REFUSED(bertc_load_memory(bytes + 4, NULL, &error), "descriptor does not start at a multiple of 8");
    ck_assert_ptr_null(bertc_load(NULL, NULL));
    bertc_unload(NULL);
    ck_assert_ptr_null(bertc_model_json(NULL));
    ck_assert_ptr_null(bertc_label(NULL, 0));
    ck_assert_ptr_null(bertc_prompt(NULL, 0, NULL));
    ck_assert_ptr_null(bertc_output_name(NULL, 0));
    ck_assert_ptr_null(bertc_token_text(NULL, 0));
    ck_assert(!bertc_output_reads_first(NULL, 0));
    ck_assert_uint_eq(bertc_output_bytes(NULL, 0, 1, 1), 0);
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    REFUSED(bertc_model_describe(NULL, &info, &error), "model is NULL");
    ck_assert(info.max_length == 0 && info.output_count == 0 && info.default_prompt == -1);
    head_model h = classifier();
    REFUSED(bertc_model_describe(h.model, NULL, &error), "info is NULL");
    for (int k = 0; k < 2; k++) {
        int beyond = k ? INT_MAX : -1;
        ck_assert_ptr_null(bertc_label(h.model, beyond));
        ck_assert_ptr_null(bertc_prompt(h.model, beyond, NULL));
        ck_assert_ptr_null(bertc_output_name(h.model, beyond));
        ck_assert_ptr_null(bertc_token_text(h.model, beyond));
        ck_assert(!bertc_output_reads_first(h.model, beyond));
        ck_assert_uint_eq(bertc_output_bytes(h.model, beyond, 1, 1), 0);
    }
    head_close(&h);
}
END_TEST

START_TEST(sessions) {
    head_model h = classifier();
    REFUSED(bertc_open(NULL, NULL, &error), "model is NULL");
    REFUSED(bertc_open(h.model, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = -1},
                       &error),
            "-1 threads: not between 1 and 4096");
    REFUSED(bertc_open(h.model, &(bertc_session_options){BERTC_SIZED(bertc_session_options), .threads = 4097},
                       &error),
            "4097 threads: not between 1 and 4096");
    REFUSED(
        bertc_open(h.model,
                   &(bertc_session_options){BERTC_SIZED(bertc_session_options), .max_text_bytes = SIZE_MAX},
                   &error),
        "max_text_bytes is 18446744073709551615: at most 1073741824");
    REFUSED(bertc_open(h.model,
                       &(bertc_session_options){BERTC_SIZED(bertc_session_options),
                                                .max_text_bytes = ((size_t)1 << 30) + 1},
                       &error),
            "max_text_bytes is 1073741825: at most 1073741824");
    bertc_close(NULL);
    head_close(&h);
}
END_TEST

START_TEST(tensors) {
    head_model h = classifier();
    bertc_session *s = bertc_open(h.model, NULL, NULL);
    const int32_t ids[2] = {2, 3};
    float out[2], *buffers[1] = {out};
    bertc_batch in = {BERTC_SIZED(bertc_batch), 1, 2, ids, NULL, NULL};
    ck_assert(bertc_run(s, &in, buffers, NULL, NULL));
    REFUSED(bertc_run(NULL, &in, buffers, NULL, &error), "session is NULL");
    REFUSED(bertc_run(s, NULL, buffers, NULL, &error), "the batch is NULL");
    REFUSED(bertc_run(s, &(bertc_batch){BERTC_SIZED(bertc_batch), .batch = 1, .length = 2}, buffers, NULL,
                      &error),
            "input_ids is missing");
    in = (bertc_batch){BERTC_SIZED(bertc_batch), -1, 2, ids, NULL, NULL};
    REFUSED(bertc_run(s, &in, buffers, NULL, &error), "a grid of -1 x 2");
    in = (bertc_batch){BERTC_SIZED(bertc_batch), 1, (int64_t)1 << 31, ids, NULL, NULL};
    REFUSED(bertc_run(s, &in, buffers, NULL, &error), "a grid of 1 x 2147483648");
    in = (bertc_batch){BERTC_SIZED(bertc_batch), (int64_t)1 << 62, 4, ids, NULL, NULL};
    REFUSED(bertc_run(s, &in, buffers, NULL, &error), "a grid of 4611686018427387904 x 4");
    in = (bertc_batch){BERTC_SIZED(bertc_batch), (int64_t)1 << 61, 2, ids, NULL, NULL};
    REFUSED(bertc_run(s, &in, buffers, NULL, &error),
            "buffers[0]: no memory holds `logits` of a grid of 2305843009213693952 x 2");
    bertc_close(s);
    head_close(&h);
}
END_TEST

// Each with the message that it must give, of bertc_tokenize, bertc_tokenizer_encode and bertc_answer_texts.
static const bertc_word words[3] = {{0, 1}, {3, 2}, {2, 4}};
static const struct {
    bertc_text text;
    const char *message;
} texts[] = {
    {{.size = 3}, "text is NULL, and its size is 3"},
    {{.text = "good", .size = 4, .words = words, .word_count = 6},
     "word_count is 6, and the text has 4 bytes"},
    {{.text = "good", .size = 4, .words = words, .word_count = SIZE_MAX},
     "word_count is 18446744073709551615, and the text has 4 bytes"},
    {{.text = "good", .size = 4, .words = words, .word_count = 2},
     "word 1 is bytes 3 to 2, after one that ends at 1, of 4"},
    {{.text = "goo", .size = 3, .words = words + 2, .word_count = 1},
     "word 0 is bytes 2 to 4, after one that ends at 0, of 3"},
};

static void check_encoders(bertc_session *s, bertc_tokenizer_handle *t, const bertc_text *text,
                           int64_t max_tokens, int truncation, const char *message) {
    const bertc_token *tokens;
    size_t count;
    bertc_truncation how = (bertc_truncation)truncation;
    REFUSED(bertc_tokenize(s, text, max_tokens, how, &tokens, &count, &error), message);
    REFUSED(bertc_tokenizer_encode(t, text, max_tokens, how, &tokens, &count, &error), message);
    ck_assert(!bertc_tokenize(s, text, max_tokens, how, &tokens, &count, NULL));
}

START_TEST(tokenizers) {
    head_model h = classifier();
    const void *table;
    size_t size;
    head_tokenizer(&h, &table, &size);
    bertc_session *s = bertc_open(h.model, NULL, NULL);
    bertc_tokenizer_handle *t = bertc_tokenizer_open(table, size, 0, NULL);
    const bertc_text good = head_text("good", NULL);
    const bertc_token *tokens;
    size_t count;
    ck_assert(bertc_tokenizer_encode(t, &good, 0, BERTC_TRUNCATE_NEVER, &tokens, &count, NULL));
    check_encoders(s, t, NULL, 0, 0, "the text is NULL");
    check_encoders(s, t, &good, -1, 0, "max_tokens is -1: a number of tokens, or 0 for no limit");
    check_encoders(s, t, &good, 5, 77, "truncation is 77, which is none of bertc_truncation");
    check_encoders(s, t, &good, 0, -1, "truncation is -1, which is none of bertc_truncation");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_encoders(s, t, &texts[i].text, 0, 0, texts[i].message);
    REFUSED(bertc_tokenize(NULL, &good, 0, 0, &tokens, &count, &error), "session is NULL");
    REFUSED(bertc_tokenize(s, &good, 0, 0, NULL, &count, &error), "tokens is NULL");
    REFUSED(bertc_tokenize(s, &good, 0, 0, &tokens, NULL, &error), "count is NULL");
    REFUSED(bertc_tokenizer_encode(NULL, &good, 0, 0, &tokens, &count, &error), "the tokenizer is NULL");
    REFUSED(bertc_tokenizer_encode(t, &good, 0, 0, NULL, &count, &error), "tokens is NULL");
    REFUSED(bertc_tokenizer_encode(t, &good, 0, 0, &tokens, NULL, &error), "count is NULL");
    REFUSED(bertc_tokenizer_open(NULL, size, 0, &error), "table is NULL");
    REFUSED(bertc_tokenizer_open((const char *)table + 1, size, 0, &error),
            "table does not start at a multiple of 8");
    REFUSED(bertc_tokenizer_open(table, size, SIZE_MAX, &error),
            "max_text_bytes is 18446744073709551615: at most 1073741824");
    ck_assert_ptr_null(bertc_tokenizer_text(NULL, 0));
    ck_assert_ptr_null(bertc_tokenizer_text(t, -1));
    bertc_tokenizer_close(NULL);
    bertc_tokenizer_close(t);
    bertc_close(s);
    head_close(&h);
}
END_TEST

START_TEST(answers) {
    static const struct {
        bertc_text_options options;
        const char *message;
    } options[] = {
        {{BERTC_SIZED(bertc_text_options), .truncation = (bertc_truncation)77},
         "truncation is 77, which is none of bertc_truncation"},
        {{BERTC_SIZED(bertc_text_options), .truncation = (bertc_truncation)77, .windows = true},
         "truncation is 77, which is none of bertc_truncation"},
        {{BERTC_SIZED(bertc_text_options), .truncation = (bertc_truncation)-1},
         "truncation is -1, which is none of bertc_truncation"},
        {{BERTC_SIZED(bertc_text_options), .top_k = -1}, "top_k is -1: how many, or 0 for the usual number"},
        {{BERTC_SIZED(bertc_text_options), .top_k = INT_MIN},
         "top_k is -2147483648: how many, or 0 for the usual number"},
        {{BERTC_SIZED(bertc_text_options), .aggregation = (bertc_aggregation)6},
         "aggregation is 6, which is none of bertc_aggregation"},
        {{BERTC_SIZED(bertc_text_options), .max_answer_tokens = -2},
         "max_answer_tokens is -2: how many, or 0 for 15"},
        {{BERTC_SIZED(bertc_text_options), .max_tokens = -5},
         "max_tokens is -5: how many, or 0 for as many as the model takes"},
        {{BERTC_SIZED(bertc_text_options), .stride = -2},
         "stride is -2: how many, 0 for the usual number, or -1 for none"},
    };
    head_model h = classifier();
    bertc_session *s = bertc_open(h.model, NULL, NULL);
    const bertc_text good = head_text("good", NULL);
    bertc_result r = BERTC_RESULT_INIT;
    ck_assert(bertc_answer_texts(s, &good, 1, NULL, &r, NULL));
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        REFUSED(bertc_answer_texts(s, &good, 1, &options[i].options, &r, &error), options[i].message);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int prompted = 0; prompted < 2; prompted++)
            REFUSED(bertc_answer_texts(s, &texts[i].text, 1,
                                       &(bertc_text_options){BERTC_SIZED(bertc_text_options),
                                                             .prompt = prompted ? "the " : NULL},
                                       &r, &error),
                    texts[i].message);
    REFUSED(bertc_answer_texts(NULL, &good, 1, NULL, &r, &error), "session is NULL");
    REFUSED(bertc_answer_texts(s, NULL, 1, NULL, &r, &error), "texts is NULL");
    REFUSED(bertc_answer_texts(s, &good, 1, NULL, NULL, &error), "results is NULL");
    ck_assert(bertc_answer_texts(s, NULL, 0, NULL, NULL, NULL));
    ck_assert(
        bertc_answer_texts(s, &good, 1, NULL, &r, NULL)); // none of these has left the session in a call
    char json[200] = "-";
    size_t need = bertc_result_json(&r, &good, NULL, sizeof json);
    ck_assert_uint_eq(need, bertc_result_json(&r, NULL, json, sizeof json));
    ck_assert_uint_eq(need, strlen(json));
    ck_assert_uint_eq(bertc_result_json(NULL, &good, json, sizeof json), 0);
    ck_assert_str_eq(json, "");
    ck_assert_uint_eq(bertc_result_json(NULL, NULL, NULL, 0), 0);
    bertc_close(s);
    head_close(&h);
}
END_TEST

int main(void) {
    Suite *s = suite_create("arguments");
    TCase *t = tcase_create("arguments");
    tcase_add_test(t, models);
    tcase_add_test(t, sessions);
    tcase_add_test(t, tensors);
    tcase_add_test(t, tokenizers);
    tcase_add_test(t, answers);
    suite_add_tcase(s, t);
    return suite_status(s);
}
