// links: cli
// Zero-shot labels and reranking, which score pairs of texts, by the C interface: against what Transformers'
// zero-shot-classification pipeline (answers/nli) and CrossEncoder.rank of sentence-transformers (answers/cross) give.
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "main.h"
#include "models/answers.h"

#define ANSWERS BERTC_TESTS "/models/answers/"
#define MOST    16

static void open_model(fixture *f, const char *name) {
    fixture_open(f, folder_in(ANSWERS, name),
                 (build_options){.batch = 1, .optimise = 2, .lengths = {1, {64}}});
}

static int strings_of(const cJSON *list, const char **out) {
    int n = 0;
    const cJSON *v;
    cJSON_ArrayForEach(v, list) out[n++] = v->valuestring;
    ck_assert_int_le(n, MOST);
    return n;
}

// --- Zero-shot labels

static void same_result(const bertc_result *r, const cJSON *want) {
    const cJSON *labels = member(want, "labels"), *scores = member(want, "scores");
    ck_assert(r->zero_shot);
    ck_assert_int_eq(r->score_count, cJSON_GetArraySize(labels));
    for (int i = 0; i < r->score_count; i++) {
        ck_assert_str_eq(r->scores[i].label, cJSON_GetArrayItem(labels, i)->valuestring);
        double off = fabs((double)r->scores[i].score - cJSON_GetArrayItem(scores, i)->valuedouble);
        ck_assert_double_le(table_note(off), 5e-5);
    }
}

static bertc_zero_shot_options options_of(const cJSON *one, const char **labels) {
    return (bertc_zero_shot_options){BERTC_SIZED(bertc_zero_shot_options),
                                     .label_count = strings_of(member(one, "labels"), labels),
                                     .labels = labels, .hypothesis = member(one, "template")->valuestring,
                                     .multi_label = cJSON_IsTrue(member(one, "multi"))};
}

START_TEST(zero_shot) {
    fixture f;
    cJSON *all = read_answers(ANSWERS "nli", "answers.json"), *one;
    int cases = 0;
    open_model(&f, "nli");
    cJSON_ArrayForEach(one, all) {
        const char *labels[MOST];
        bertc_zero_shot_options how = options_of(one, labels);
        bertc_text t = text_of(member(one, "text")->valuestring);
        bertc_result r = BERTC_RESULT_INIT;
        bertc_error e;
        ck_assert_msg(bertc_zero_shot(f.session, &t, 1, &how, NULL, &r, &e), "%s", e.message);
        same_result(&r, member(one, "answer"));
        cases++;
    }
    ck_assert_int_ge(cases, 12);
    table_row("zero-shot labels", "nli");
    fixture_close(&f);
    cJSON_Delete(all);
}
END_TEST

// All texts of one call have the answers that each has alone.
START_TEST(zero_shot_together) {
    fixture f;
    cJSON *all = read_answers(ANSWERS "nli", "answers.json"), *one;
    bertc_text texts[MOST];
    bertc_result results[MOST] = {BERTC_RESULT_INIT};
    const cJSON *wanted[MOST];
    const char *labels[MOST];
    bertc_zero_shot_options how = BERTC_ZERO_SHOT_OPTIONS_INIT;
    size_t n = 0;
    bertc_error e;
    open_model(&f, "nli");
    cJSON_ArrayForEach(one, all) {
        bool usual = !strcmp(member(one, "template")->valuestring, "This example is {}.");
        if (!usual || cJSON_IsTrue(member(one, "multi")) || n == MOST) continue;
        how = options_of(one, labels);
        wanted[n] = member(one, "answer");
        texts[n++] = text_of(member(one, "text")->valuestring);
    }
    ck_assert_uint_ge(n, 3);
    how.hypothesis = NULL;
    ck_assert_msg(bertc_zero_shot(f.session, texts, n, &how, NULL, results, &e), "%s", e.message);
    for (size_t i = 0; i < n; i++) same_result(&results[i], wanted[i]);
    fixture_close(&f);
    cJSON_Delete(all);
}
END_TEST

// Transformers asks label2id which label is the entailment, whatever id2label calls it.
START_TEST(zero_shot_by_label2id) {
    static const char *const labels[] = {"red", "the sea", "a dog"};
    static const struct {
        const char *keys;
        int entailment;
    } configs[] = {
        {"\"id2label\": {\"0\": \"LABEL_0\", \"1\": \"LABEL_1\", \"2\": \"LABEL_2\"}, \"label2id\": "
         "{\"CONTRADICTION\": 0, \"Entailment\": 2, \"neutral\": 1},",
         2},
        {"\"id2label\": {\"0\": \"entailment\", \"1\": \"b\", \"2\": \"c\"}, \"label2id\": {\"b\": 0, "
         "\"entailment\": 1},",
         1},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"entailed\", \"2\": \"c\"}, \"label2id\": {\"x\": 0},", 1},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"entailed\", \"2\": \"c\"}, \"label2id\": {\"entail\": 7},",
         1},
        {"\"num_labels\": 3, \"label2id\": {\"entailment\": 0},", -1}};
    char path[] = "/tmp/bertc_label2id_XXXXXX.json", *text = file_text(ANSWERS "nli/config.json", NULL);
    int file = mkstemps(path, 5);
    ck_assert_int_ge(file, 0);
    close(file);
    cJSON *config = cJSON_Parse(text);
    free(text);
    cJSON_DeleteItemFromObject(config, "id2label");
    cJSON_DeleteItemFromObject(config, "label2id");
    text = cJSON_PrintUnformatted(config);
    cJSON_Delete(config);
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        fixture f;
        bertc_text t = text_of("who is it ?");
        bertc_result r = BERTC_RESULT_INIT;
        bertc_zero_shot_options how = {BERTC_SIZED(bertc_zero_shot_options), .label_count = 3,
                                       .labels = labels};
        bertc_error e;
        FILE *out = fopen(path, "w");
        ck_assert(out && fprintf(out, "{%s%s", configs[i].keys, text + 1) > 0 && !fclose(out));
        fixture_open(
            &f, ANSWERS "nli",
            (build_options){.batch = 1, .optimise = 1, .lengths = {1, {64}}, .hub = {.config = path}});
        ck_assert_int_eq(bertc_entailment_label(f.model.model), configs[i].entailment);
        ck_assert_msg(bertc_zero_shot(f.session, &t, 1, &how, NULL, &r, &e), "%s", e.message);
        fixture_close(&f);
    }
    unlink(path);
    free(text);
}
END_TEST

// What stands behind the scores: their sum, top_k, a single label, equal ones, raw scores.
START_TEST(zero_shot_rules) {
    static const char *const three[] = {"red", "the sea", "red"};
    fixture f;
    bertc_text t = text_of("who is it ?");
    bertc_result r = BERTC_RESULT_INIT;
    bertc_zero_shot_options how = {BERTC_SIZED(bertc_zero_shot_options), .label_count = 3, .labels = three};
    bertc_text_options o = BERTC_TEXT_OPTIONS_INIT;
    bertc_error e;
    char json[300];
    double sum = 0;
    open_model(&f, "nli");
    ck_assert_int_eq(bertc_entailment_label(f.model.model), 2);
    ck_assert_msg(bertc_zero_shot(f.session, &t, 1, &how, NULL, &r, &e), "%s", e.message);
    for (int i = 0; i < 3; i++) sum += (double)r.scores[i].score;
    ck_assert_double_eq_tol(sum, 1, 1e-6);
    int first = r.scores[0].id == 1; // of the two red ones
    ck_assert_int_eq(r.scores[first].id, 2);
    ck_assert_int_eq(r.scores[first + 1].id, 0);
    bertc_result_json(&r, &t, json, sizeof json);
    ck_assert_msg(!strncmp(json, "{\"labels\": [\"", 13) && strstr(json, "], \"scores\": [0."), "%s", json);

    o.top_k = 1;
    o.raw_scores = true;
    ck_assert(bertc_zero_shot(f.session, &t, 1, &how, &o, &r, &e));
    ck_assert_int_eq(r.score_count, 1);
    how.label_count = 1;
    ck_assert(bertc_zero_shot(f.session, &t, 1, &how, NULL, &r, &e)); // as by multi_label
    double alone = (double)r.scores[0].score;
    how.multi_label = true;
    ck_assert(bertc_zero_shot(f.session, &t, 1, &how, NULL, &r, &e));
    ck_assert_double_eq((double)r.scores[0].score, alone);
    ck_assert_double_lt(alone, 0.9);
    fixture_close(&f);
}
END_TEST

// {} and {0} are the label; a longer text is cut.
START_TEST(zero_shot_hypothesis) {
    static const char *const labels[] = {"red", "old {city}"};
    static const char *const same[][2] = {{"it is {} .", "it is {0} ."}, {"{{{}}}", "{{{0}}}"}};
    fixture f;
    char longer[2000] = "";
    bertc_text t = text_of("who is it ?");
    bertc_result r = BERTC_RESULT_INIT;
    bertc_zero_shot_options how = {BERTC_SIZED(bertc_zero_shot_options), .label_count = 2, .labels = labels};
    bertc_error e;
    open_model(&f, "nli");
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        float score[2];
        for (int k = 0; k < 2; k++) {
            how.hypothesis = same[i][k];
            ck_assert_msg(bertc_zero_shot(f.session, &t, 1, &how, NULL, &r, &e), "%s", e.message);
            score[k] = r.scores[0].score;
        }
        ck_assert_float_eq(score[0], score[1]);
    }
    how.hypothesis = NULL;
    for (int i = 0; i < 150; i++) strcat(longer, "the sea ");
    t = text_of(longer);
    ck_assert_msg(bertc_zero_shot(f.session, &t, 1, &how, NULL, &r, &e), "%s", e.message);
    ck_assert_int_eq(r.token_count, 2 * 64);
    fixture_close(&f);
}
END_TEST

#define REFUSED(call, text)                                                                                  \
    do {                                                                                                     \
        ck_assert(!(call));                                                                                  \
        ck_assert_msg(strstr(e.message, text) != NULL, "%s", e.message);                                     \
    } while (0)

START_TEST(zero_shot_refused) {
    static const char *const labels[] = {"red", NULL,
                                         "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c "
                                         "d e f g h i j k l m n o p q r s t u v w x y z a b c"};
    static const struct {
        const char *hypothesis, *message;
    } templates[] = {{"", "has no {}"},        {"none", "has no {}"},     {"{{}}", "has no {}"},
                     {"{", "only {} and {0}"}, {"a } b", "only {} and"},  {"{1}", "only {} and {0}"},
                     {"{x}", "only {} and"},   {"{} and {}", "once"},     {"{} and {0}", "once"},
                     {"{:>10}", "only {}"},    {"{0", "only {} and {0}"}, {"{}{", "only {} and {0}"}};
    fixture f;
    bertc_text t = text_of("it"), pair = {.text = "a", .size = 1, .pair = "b", .pair_size = 1};
    bertc_result r = BERTC_RESULT_INIT;
    bertc_zero_shot_options how = {BERTC_SIZED(bertc_zero_shot_options), .label_count = 1, .labels = labels};
    bertc_text_options o = {BERTC_SIZED(bertc_text_options), .windows = true};
    bertc_error e;
    open_model(&f, "nli");
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        how.hypothesis = templates[i].hypothesis;
        REFUSED(bertc_zero_shot(f.session, &t, 1, &how, NULL, &r, &e), templates[i].message);
    }
    how.hypothesis = NULL;
    REFUSED(bertc_zero_shot(f.session, &t, 1, NULL, NULL, &r, &e), "no labels");
    REFUSED(bertc_zero_shot(f.session, &t, 1, &(bertc_zero_shot_options){.size = 1}, NULL, &r, &e), "size");
    REFUSED(bertc_zero_shot(f.session, &pair, 1, &how, NULL, &r, &e), "has a pair");
    REFUSED(bertc_zero_shot(f.session, &t, 1, &how, &o, &r, &e), "windows");
    REFUSED(bertc_zero_shot(NULL, &t, 1, &how, NULL, &r, &e), "session is NULL");
    REFUSED(bertc_zero_shot(f.session, NULL, 1, &how, NULL, &r, &e), "texts is NULL");
    how.label_count = 2;
    REFUSED(bertc_zero_shot(f.session, &t, 1, &how, NULL, &r, &e), "labels[1] is NULL");
    how.labels = &labels[2];
    how.label_count = 1;
    REFUSED(bertc_zero_shot(f.session, &t, 1, &how, NULL, &r, &e), "text 1 of 1, label \"a b c d");
    how.labels = labels;
    ck_assert(bertc_zero_shot(f.session, &t, 1, &how, NULL, &r, &e)); // the session is as before
    ck_assert(bertc_zero_shot(f.session, NULL, 0, &how, NULL, NULL, &e));
    fixture_close(&f);
    open_model(&f, "cross");
    REFUSED(bertc_zero_shot(f.session, &t, 1, &how, NULL, &r, &e), "one label");
    fixture_close(&f);
}
END_TEST

// --- Reranking

START_TEST(rank) {
    fixture f;
    cJSON *all = read_answers(ANSWERS "cross", "answers.json"), *one;
    open_model(&f, "cross");
    cJSON_ArrayForEach(one, all) {
        const char *strings[MOST];
        bertc_text documents[MOST], query = text_of(member(one, "query")->valuestring);
        int n = strings_of(member(one, "documents"), strings);
        for (int i = 0; i < n; i++) documents[i] = text_of(strings[i]);
        for (int top = 0; top <= n + 1; top++) {
            bertc_ranked ranked[MOST] = {{0}};
            bertc_text_options o = {BERTC_SIZED(bertc_text_options), .top_k = top};
            bertc_error e;
            ck_assert_msg(bertc_rank(f.session, &query, documents, (size_t)n, &o, ranked, &e), "%s",
                          e.message);
            for (int i = 0; i < n && (!top || i < top); i++) {
                const cJSON *want = cJSON_GetArrayItem(member(one, "rank"), i);
                ck_assert_uint_eq(ranked[i].index, (size_t)member(want, "corpus_id")->valuedouble);
                double off = fabs((double)ranked[i].score - member(want, "score")->valuedouble);
                ck_assert_double_le(table_note(off), 5e-5);
            }
            if (top && top < n) ck_assert_float_eq(ranked[top].score, 0); // no more are written
        }
    }
    table_row("reranking", "cross");
    fixture_close(&f);
    cJSON_Delete(all);
}
END_TEST

START_TEST(rank_ties_and_errors) {
    fixture f;
    bertc_text query = text_of("old river"), same[MOST],
               pair = {.text = "a", .size = 1, .pair = "b", .pair_size = 1};
    bertc_ranked ranked[MOST];
    bertc_error e;
    open_model(&f, "cross");
    for (int i = 0; i < MOST; i++) same[i] = text_of(i == 7 ? "" : "dogs");
    ck_assert_msg(bertc_rank(f.session, &query, same, MOST, NULL, ranked, &e), "%s", e.message);
    for (int i = 0, last = -1; i < MOST; i++) {
        if (ranked[i].index == 7) continue;
        ck_assert_int_gt((int)ranked[i].index, last);
        last = (int)ranked[i].index;
    }
    ck_assert(bertc_rank(f.session, &query, NULL, 0, NULL, NULL, &e));
    REFUSED(bertc_rank(f.session, &query, &pair, 1, NULL, ranked, &e), "document 1 of 1 has a pair");
    REFUSED(bertc_rank(f.session, &pair, same, 1, NULL, ranked, &e), "query has a pair");
    REFUSED(bertc_rank(f.session, NULL, same, 1, NULL, ranked, &e), "query is NULL");
    REFUSED(bertc_rank(f.session, &query, same, 1, NULL, NULL, &e), "ranked is NULL");
    same[1] = (bertc_text){.size = 3};
    REFUSED(bertc_rank(f.session, &query, same, 2, NULL, ranked, &e), "text is NULL");
    fixture_close(&f);
    open_model(&f, "nli");
    REFUSED(bertc_rank(f.session, &query, same, 1, NULL, ranked, &e), "has 3 labels");
    fixture_close(&f);
    open_model(&f, "ner");
    REFUSED(bertc_rank(f.session, &query, same, 1, NULL, ranked, &e), "scores no texts");
    fixture_close(&f);
}
END_TEST

int main(int argc, char **argv) {
    table_begin(argc, argv);
    Suite *s = suite_create("pairs");
    TCase *t = tcase_create("pairs");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, zero_shot);
    tcase_add_test(t, zero_shot_together);
    tcase_add_test(t, zero_shot_by_label2id);
    tcase_add_test(t, zero_shot_rules);
    tcase_add_test(t, zero_shot_hypothesis);
    tcase_add_test(t, zero_shot_refused);
    tcase_add_test(t, rank);
    tcase_add_test(t, rank_ties_and_errors);
    suite_add_tcase(s, t);
    return suite_status(s);
}
