// links: cli
// Extractive summaries by the C interface: which sentences are taken, worked out here from their own embeddings, their
// offsets, the JSON, and what is refused.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "main.h"
#include "models/answers.h"

#define ST   BERTC_TESTS "/models/cases/st-weightedmean"
#define MOST 16

static const char story[] =
    "The river runs to the sea. Dr. Smith saw a dog, e.g. a red one, by the\nriver. \"Is it "
    "far?\" asked the caf\xc3\xa9 cat! It was not...\n\nThe city is old\nbut the sea is near";
static const char *const sentences[] = {
    "The river runs to the sea.", "Dr. Smith saw a dog, e.g. a red one, by the\nriver.",
    "\"Is it far?\" asked the caf\xc3\xa9 cat!", "It was not...", "The city is old\nbut the sea is near"};
enum { COUNT = sizeof sentences / sizeof *sentences };

static void open_st(fixture *f) {
    fixture_open(f, ST, (build_options){.batch = 2, .optimise = 1, .lengths = {1, {32}}});
}

static bertc_summary_options taking(int64_t n, double novelty) {
    return (bertc_summary_options){BERTC_SIZED(bertc_summary_options), .sentence_count = n,
                                   .novelty = novelty};
}

// --- By the formula

typedef struct likeness {
    double between[COUNT][COUNT], central[COUNT];
} likeness;

static likeness likeness_of(bertc_session *s) {
    likeness l = {{{0}}, {0}};
    bertc_text texts[COUNT];
    bertc_result r[COUNT] = {BERTC_RESULT_INIT};
    bertc_error e;
    for (int i = 0; i < COUNT; i++) texts[i] = text_of(sentences[i]);
    ck_assert_msg(bertc_answer_texts(s, texts, COUNT, NULL, r, &e), "%s", e.message);
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < COUNT; k++) {
            double dot = 0, a = 0, b = 0;
            for (int n = 0; n < r[i].embedding_size; n++) {
                double x = (double)r[i].embedding[n], y = (double)r[k].embedding[n];
                dot += x * y, a += x * x, b += y * y;
            }
            l.between[i][k] = dot / sqrt(a * b);
            l.central[i] += l.between[i][k] / (double)COUNT;
        }
    return l;
}

static void take(const likeness *l, int n, double novelty, bool *taken) {
    for (int round = 0; round < n; round++) {
        int best = -1;
        double most = 0;
        for (int i = 0; i < COUNT; i++) {
            double nearest = -2;
            for (int k = 0; k < COUNT; k++)
                if (taken[k]) nearest = fmax(nearest, l->between[i][k]);
            double worth = (1 - novelty) * l->central[i] - novelty * (round ? nearest : 0);
            if (taken[i] || (best >= 0 && worth <= most)) continue;
            best = i, most = worth;
        }
        taken[best] = true;
    }
}

static void check_result(const bertc_result *r, const likeness *l, int n, double novelty) {
    bool taken[COUNT] = {false};
    int at = 0;
    take(l, n, novelty, taken);
    ck_assert_int_eq(r->sentence_count, n);
    for (int i = 0; i < COUNT; i++) {
        if (!taken[i]) continue;
        const bertc_sentence *x = &r->sentences[at++];
        size_t size = x->byte_end - x->byte_start;
        ck_assert_uint_eq(size, strlen(sentences[i]));
        ck_assert_msg(!memcmp(story + x->byte_start, sentences[i], size), "%.*s, not %s", (int)size,
                      story + x->byte_start, sentences[i]);
        ck_assert_uint_eq(x->char_end - x->char_start, size - (i == 2)); // the accent
        ck_assert_uint_eq(x->char_start, x->byte_start - (i > 2));
        ck_assert_double_eq_tol((double)x->score, l->central[i], 1e-6);
    }
}

START_TEST(by_the_formula) {
    static const struct {
        double given, is;
    } novelties[] = {{0, 0.3}, {-1, 0}, {0.3, 0.3}, {0.75, 0.75}, {1, 1}};
    fixture f;
    open_st(&f);
    likeness l = likeness_of(f.session);
    bertc_session *s = session_of(f.model.model, 2);
    const bertc_text text = text_of(story);
    for (size_t k = 0; k < sizeof novelties / sizeof *novelties; k++)
        for (int n = 1; n <= COUNT + 2; n++) {
            bertc_summary_options how = taking(n, novelties[k].given);
            bertc_result r = BERTC_RESULT_INIT;
            bertc_error e;
            ck_assert_msg(bertc_summarize(s, &text, &how, NULL, &r, &e), "%s", e.message);
            ck_assert_int_gt(r.token_count, COUNT);
            check_result(&r, &l, n < COUNT ? n : COUNT, novelties[k].is);
        }
    bertc_close(s);
    fixture_close(&f);
}
END_TEST

// --- Forms

START_TEST(as_json) {
    fixture f;
    bertc_text text = text_of(story);
    bertc_summary_options how = taking(2, 0);
    bertc_result r = BERTC_RESULT_INIT;
    bertc_error e;
    char json[600];
    open_st(&f);
    ck_assert(bertc_summarize(f.session, &text, &how, NULL, &r, &e));
    bertc_result_json(&r, &text, json, sizeof json);
    cJSON *o = cJSON_Parse(json);
    const cJSON *list = member(o, "sentences"), *one;
    int i = 0;
    ck_assert_int_eq(cJSON_GetArraySize(list), 2);
    cJSON_ArrayForEach(one, list) {
        const bertc_sentence *x = &r.sentences[i++];
        ck_assert_uint_eq(strlen(string_of(one, "text")), x->byte_end - x->byte_start);
        ck_assert_uint_eq((uint32_t)member(one, "start")->valueint, x->char_start);
        ck_assert_uint_eq((uint32_t)member(one, "end")->valueint, x->char_end);
        ck_assert_float_eq((float)member(one, "score")->valuedouble, x->score);
    }
    cJSON_Delete(o);
    static const char *const none[] = {"", " \n\n\t "};
    for (int k = 0; k < 2; k++) {
        text = text_of(none[k]);
        ck_assert_msg(bertc_summarize(f.session, &text, &how, NULL, &r, &e), "%s", e.message);
        ck_assert(r.sentence_count == 0 && r.sentences);
        bertc_result_json(&r, &text, json, sizeof json);
        ck_assert_str_eq(json, "{\"sentences\": []}");
    }
    text = text_of("a sea");
    ck_assert(bertc_answer_texts(f.session, &text, 1, NULL, &r, &e)); // an answer like any other again
    ck_assert(!r.sentences && r.embedding);
    fixture_close(&f);
}
END_TEST

#define REFUSED(call, text)                                                                                  \
    do {                                                                                                     \
        ck_assert(!(call));                                                                                  \
        ck_assert_msg(strstr(e.message, text) != NULL, "%s", e.message);                                     \
    } while (0)

START_TEST(refused) {
    fixture f;
    char longer[1000] = "A sea. It is ";
    bertc_text t = text_of("A sea. A river."), pair = {.text = "a", .size = 1, .pair = "b", .pair_size = 1};
    bertc_summary_options how = taking(0, 0);
    bertc_result r = BERTC_RESULT_INIT;
    bertc_text_options cut = {BERTC_SIZED(bertc_text_options), .truncation = BERTC_TRUNCATE_LONGEST_FIRST,
                              .top_k = 3};
    bertc_error e;
    open_st(&f);
    REFUSED(bertc_summarize(f.session, &t, NULL, NULL, &r, &e), "sentence_count is 0");
    REFUSED(bertc_summarize(f.session, &t, &how, NULL, &r, &e), "sentence_count is 0");
    how = taking(1, 1.5);
    REFUSED(bertc_summarize(f.session, &t, &how, NULL, &r, &e), "novelty is 1.5");
    how = taking(1, NAN);
    REFUSED(bertc_summarize(f.session, &t, &how, NULL, &r, &e), "novelty is");
    how = taking(1, 0);
    how.size = 7;
    REFUSED(bertc_summarize(f.session, &t, &how, NULL, &r, &e), "bertc_summary_options.size is 7");
    how = taking(1, 0);
    REFUSED(bertc_summarize(NULL, &t, &how, NULL, &r, &e), "session is NULL");
    REFUSED(bertc_summarize(f.session, NULL, &how, NULL, &r, &e), "text is NULL");
    REFUSED(bertc_summarize(f.session, &t, &how, NULL, NULL, &e), "result is NULL");
    REFUSED(bertc_summarize(f.session, &pair, &how, NULL, &r, &e), "has a pair");
    REFUSED(bertc_summarize(f.session, &(bertc_text){.size = 3}, &how, NULL, &r, &e), "text is NULL, and");
    for (int i = 0; i < 100; i++) strcat(longer, "the sea ");
    t = text_of(longer);
    REFUSED(bertc_summarize(f.session, &t, &how, NULL, &r, &e), "the sentence at character 7: ");
    ck_assert_msg(bertc_summarize(f.session, &t, &how, &cut, &r, &e), "%s", e.message);
    ck_assert_int_eq(r.sentence_count, 1);
    fixture_close(&f);
    fixture_open(&f, BERTC_TESTS "/models/answers/nli", (build_options){.batch = 1, .lengths = {1, {32}}});
    REFUSED(bertc_summarize(f.session, &t, &how, NULL, &r, &e), "gives none");
    fixture_close(&f);
}
END_TEST

int main(void) {
    Suite *s = suite_create("summaries");
    TCase *t = tcase_create("summaries");
    tcase_add_test(t, by_the_formula);
    tcase_add_test(t, as_json);
    tcase_add_test(t, refused);
    suite_add_tcase(s, t);
    return suite_status(s);
}
