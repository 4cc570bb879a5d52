// links: cli
// The routes of `bertc serve`: what they answer is what the library answers for the same text, bit by bit, and what is wrong is
// said with text-embeddings-inference's status and keys.
#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/http.h"
#include "frontend/cli/cli.h"
#include "main.h"
#include "runtime/json_text.h"

#define MODEL   BERTC_TESTS "/../examples/models/mini-sst2"
#define ANSWERS BERTC_TESTS "/models/answers/"

// --- The library's answers

static opened open_model(const char *path, const char *head, bertc_session **s) {
    arena *a = arena_new();
    option_table t = {0};
    build_options b;
    opened o;
    diag d;
    bertc_error e;
    diag_init(&d);
    build_options_add(&t, &b, "native");
    b.hub.head = head;
    ck_assert(opened_open(&o, path, &b, &d));
    ck_assert((*s = bertc_open(o.model, NULL, &e)) != NULL);
    diag_free(&d);
    arena_free(a);
    return o;
}

static char *library_json(bertc_session *s, const char *text, const char *pair, bertc_text_options o) {
    static char json[1 << 18];
    bertc_text t = {.text = text, .size = strlen(text), .pair = pair, .pair_size = pair ? strlen(pair) : 0};
    bertc_result r = BERTC_RESULT_INIT;
    bertc_error e;
    o.size = sizeof o;
    o.plain_text = true;
    ck_assert_msg(bertc_answer_texts(s, &t, 1, &o, &r, &e), "%s", e.message);
    ck_assert_uint_lt(bertc_result_json(&r, &t, json, sizeof json), sizeof json);
    return json;
}

// --- Each kind of model

// The server's answer at `path` to a text is the library's, with the keys of `bertc run --json`.
static void expect_lines(const char *model, const char *head, const char *path, const char *const *texts) {
    bertc_session *s;
    opened o = open_model(model, head, &s);
    const char *words[] = {model, "-j1", head ? "--head" : NULL, head, NULL};
    web w = web_open(words);
    for (; *texts; texts++) {
        char body[1000];
        snprintf(body, sizeof body, "{\"inputs\": \"%s\"}", *texts);
        expect_body(http_post(&w, path, body), 200, library_json(s, *texts, NULL, (bertc_text_options){0}));
        snprintf(body, sizeof body, "{\"inputs\": [{\"text\": \"%s\"}], \"top_k\": null}", *texts);
        char list[1 << 18];
        snprintf(list, sizeof list, "[%s]", library_json(s, *texts, NULL, (bertc_text_options){0}));
        expect_body(http_post(&w, path, body), 200, list);
    }
    bertc_close(s);
    opened_close(&o);
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}

static const char *const texts[] = {"This movie was amazing!", "the cat sat on the mat .",
                                    "[SEP] is text here", "é", NULL};

START_TEST(labels) {
    expect_lines(MODEL, NULL, "/run", texts);
}
END_TEST
START_TEST(entities) {
    expect_lines(ANSWERS "ner", NULL, "/entities", texts);
}
END_TEST
START_TEST(sparse_lines) {
    expect_lines(BERTC_TESTS "/models/sparse/max", NULL, "/run", texts);
}
END_TEST

// {"score": 0.99, "label": "positive"}, ... from scores, as /predict lists them.
START_TEST(predictions) {
    bertc_session *s;
    opened o = open_model(MODEL, NULL, &s);
    web w = web_open((const char *[]){MODEL, "-j1", NULL});
    bertc_text t = {.text = "so good", .size = 7, .pair = "or bad", .pair_size = 6};
    for (int raw = 0; raw < 2; raw++) {
        bertc_text_options with = {BERTC_SIZED(bertc_text_options), .plain_text = true, .raw_scores = raw};
        bertc_result r = BERTC_RESULT_INIT;
        char one[300], body[200], list[400];
        ck_assert(bertc_answer_texts(s, &t, 1, &with, &r, NULL));
        char first[JSON_NUMBER_ROOM], second[JSON_NUMBER_ROOM];
        json_print_float(r.scores[0].score, first);
        json_print_float(r.scores[1].score, second);
        snprintf(one, sizeof one, "[{\"score\": %s, \"label\": \"%s\"}, {\"score\": %s, \"label\": \"%s\"}]",
                 first, r.scores[0].label, second, r.scores[1].label);
        snprintf(body, sizeof body, "{\"inputs\": [\"so good\", \"or bad\"], \"raw_scores\": %s}",
                 raw ? "true" : "false");
        expect_body(http_post(&w, "/predict", body), 200, one);
        snprintf(body, sizeof body, "{\"inputs\": [[\"so good\", \"or bad\"]], \"raw_scores\": %s}",
                 raw ? "true" : "false");
        snprintf(list, sizeof list, "[%s]", one);
        expect_body(http_post(&w, "/mini-sst2/predict", body), 200, list);
    }
    bertc_close(s);
    opened_close(&o);
    ck_assert_int_eq(web_close(&w, SIGINT), 0);
}
END_TEST

START_TEST(ranks) {
    static const char *const documents[] = {"the cat sat on the mat .", "who is it ?", "dogs , not cats"};
    bertc_session *s;
    opened o = open_model(ANSWERS "cross", NULL, &s);
    web w = web_open((const char *[]){ANSWERS "cross", "-j1", NULL});
    bertc_text query = {.text = "old river", .size = 9}, t[3];
    bertc_text_options with = {BERTC_SIZED(bertc_text_options), .plain_text = true};
    bertc_ranked ranked[3];
    for (int i = 0; i < 3; i++) t[i] = (bertc_text){.text = documents[i], .size = strlen(documents[i])};
    ck_assert(bertc_rank(s, &query, t, 3, &with, ranked, NULL));
    char expected[500];
    size_t n = 0;
    for (int i = 0; i < 3; i++) {
        char score[JSON_NUMBER_ROOM];
        json_print_float(ranked[i].score, score);
        n += (size_t)snprintf(expected + n, sizeof expected - n,
                              "%s{\"index\": %zu, \"text\": \"%s\", \"score\": %s}", i ? ", " : "[",
                              ranked[i].index, documents[ranked[i].index], score);
    }
    snprintf(expected + n, sizeof expected - n, "]");
    expect_body(
        http_post(&w, "/rerank",
                  "{\"query\": \"old river\", \"return_text\": true, \"texts\": [\"the cat sat on the "
                  "mat .\", \"who is it ?\", \"dogs , not cats\"]}"),
        200, expected);
    bertc_close(s);
    opened_close(&o);
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

START_TEST(zero_shot) {
    static const char *const found[] = {"the sea", "a dog", "red"};
    bertc_session *s;
    opened o = open_model(ANSWERS "nli", NULL, &s);
    web w = web_open((const char *[]){ANSWERS "nli", "-j1", NULL});
    bertc_text t = {.text = "the cat sat", .size = 11};
    bertc_zero_shot_options how = {BERTC_SIZED(bertc_zero_shot_options), .label_count = 3, .labels = found,
                                   .hypothesis = "It is {}.", .multi_label = true};
    bertc_text_options with = {BERTC_SIZED(bertc_text_options), .plain_text = true};
    bertc_result r = BERTC_RESULT_INIT;
    char json[1000];
    ck_assert(bertc_zero_shot(s, &t, 1, &how, &with, &r, NULL));
    bertc_result_json(&r, &t, json, sizeof json);
    expect_body(http_post(&w, "/zero_shot",
                          "{\"inputs\": \"the cat sat\", \"labels\": [\"the sea\", \"a dog\", \"red\"], "
                          "\"hypothesis\": \"It is {}.\", \"multi_label\": true}"),
                200, json);
    bertc_close(s);
    opened_close(&o);
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

// --- Embeddings

static bool is_list(const char *text, const float *x, int n) {
    for (int i = 0; i < n; i++) {
        char *end;
        text += strspn(text, "[ ,");
        if (strtof(text, &end) != x[i]) return false;
        text = end;
    }
    return *text == ']';
}

static const char *after(const http_reply *r, const char *mark) {
    const char *at = strstr(r->body, mark);
    ck_assert_msg(at != NULL, "no %s in %s", mark, r->body);
    return at + strlen(mark);
}

// Of a graph whose vectors have no length of 1 by themselves, and of --head embedding.
START_TEST(embeddings) {
    bertc_session *s;
    opened o = open_model(MODEL, "embedding", &s);
    web w = web_open((const char *[]){"it=" MODEL, "--head", "embedding", "-j1", NULL});
    bertc_text t = {.text = "so good", .size = 7};
    for (int dimensions = 0; dimensions <= 8; dimensions += 8) {
        bertc_text_options with = {BERTC_SIZED(bertc_text_options), .plain_text = true, .normalize = true,
                                   .dimensions = dimensions};
        bertc_result r = BERTC_RESULT_INIT;
        char body[200], more[60] = "";
        if (dimensions) snprintf(more, sizeof more, ", \"dimensions\": %d", dimensions);
        ck_assert(bertc_answer_texts(s, &t, 1, &with, &r, NULL));
        snprintf(body, sizeof body, "{\"inputs\": \"so good\"%s}", more);
        http_reply a = http_post(&w, "/embed", body);
        ck_assert(a.status == 200 && is_list(a.body, r.embedding, r.embedding_size));
        snprintf(body, sizeof body, "{\"input\": [\"so good\"], \"model\": \"any\"%s}", more);
        http_reply b = http_post(&w, "/v1/embeddings", body);
        ck_assert(b.status == 200 && is_list(after(&b, "\"embedding\": ["), r.embedding, r.embedding_size));
        snprintf(body, sizeof body, "{\"prompt_tokens\": %d, \"total_tokens\": %d}", r.token_count,
                 r.token_count);
        after(&b, body);
        after(&b, "\"model\": \"it\"");
        // The same tokens as ids.
        const bertc_token *tokens;
        size_t count;
        size_t n = (size_t)snprintf(body, sizeof body, "{\"input\": [");
        ck_assert(bertc_tokenize(s, &t, 0, BERTC_TRUNCATE_NEVER, &tokens, &count, NULL));
        for (size_t i = 0; i < count; i++)
            n += (size_t)snprintf(body + n, sizeof body - n, "%s%d", i ? ", " : "", tokens[i].id);
        snprintf(body + n, sizeof body - n, "]%s}", more);
        http_reply c = http_post(&w, "/v1/embeddings", body);
        ck_assert_str_eq(b.body, c.body);
        http_free(&a);
        http_free(&b);
        http_free(&c);
    }
    expect_part(http_post(&w, "/embed", "{\"inputs\": \"x\", \"dimensions\": 100000}"), 422, "dimensions");
    expect_part(http_post(&w, "/v1/embeddings", "{\"input\": [1, 99999999]}"), 422, "vocabulary");
    expect_part(http_post(&w, "/v1/embeddings", "{\"input\": \"x\", \"encoding_format\": \"base64\"}"), 200,
                "==\"");
    expect_part(
        http_post(&w, "/similarity", "{\"inputs\": {\"source_sentence\": \"x\", \"sentences\": [\"x\"]}}"),
        200, "[1]");
    bertc_close(s);
    opened_close(&o);
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

START_TEST(weights_of_tokens) {
    bertc_session *s;
    opened o = open_model(BERTC_TESTS "/models/sparse/max", NULL, &s);
    web w = web_open((const char *[]){BERTC_TESTS "/models/sparse/max", "-j1", NULL});
    bertc_text t = {.text = "the cat", .size = 7};
    bertc_text_options with = {BERTC_SIZED(bertc_text_options), .plain_text = true};
    bertc_result r = BERTC_RESULT_INIT;
    ck_assert(bertc_answer_texts(s, &t, 1, &with, &r, NULL));
    ck_assert_int_gt(r.sparse_count, 0);
    char first[80], weight[JSON_NUMBER_ROOM];
    json_print_float(r.sparse[0].score, weight);
    snprintf(first, sizeof first, "[[{\"index\": %d, \"value\": %s}", r.sparse[0].id, weight);
    http_reply a = http_post(&w, "/embed_sparse", "{\"inputs\": \"the cat\"}");
    ck_assert_msg(a.status == 200 && !strncmp(a.body, first, strlen(first)), "%s\nnot %s", a.body, first);
    http_free(&a);
    bertc_close(s);
    opened_close(&o);
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

// Rows of last_hidden_state, tokens, and attention, which adds up to 1.
START_TEST(looks) {
    web w = web_open((const char *[]){MODEL, "--outputs", "last_hidden_state,attentions", "-j1", NULL});
    expect_part(http_post(&w, "/embed_all", "{\"inputs\": [\"so good\"]}"), 200, "[[[");
    expect_part(http_post(&w, "/tokenize", "{\"inputs\": \"so good\"}"), 200,
                "\"text\": \"good\", \"special\": false, \"start\": 3, \"stop\": 7}");
    expect_part(http_post(&w, "/tokenize", "{\"inputs\": \"so [SEP]\", \"add_special_tokens\": false}"), 200,
                "\"text\": \"[\"");
    expect_part(http_post(&w, "/attention", "{\"inputs\": \"so good\", \"layer\": 1, \"head\": 99}"), 422,
                "heads 0 to");
    expect_part(http_post(&w, "/attention", "{\"inputs\": \"so good\", \"layer\": 99}"), 422, "layer");
    http_reply a = http_post(&w, "/attention", "{\"inputs\": \"so good\", \"layer\": 1, \"head\": 1}");
    const char *at = after(&a, "\"attention\": [[");
    double sum = 0;
    for (char *end; *at != ']'; at = end + strspn(end, ", ")) sum += strtod(at, &end);
    ck_assert_double_lt(fabs(sum - 1), 1e-4);
    http_free(&a);
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

// --- What is wrong

static const struct {
    const char *method, *path, *more, *body;
    int status;
    const char *part;
} wrongs[] = {
    {"POST", "/predict", NULL, "{\"inputs\": \"x\"", 400,
     "\"error\": \"Failed to parse the request body as JSON"},
    {"POST", "/predict", NULL, "", 400, "the body is empty"},
    {"POST", "/predict", NULL, "{\"inputs\": \"\xff\"}", 400, "not UTF-8"},
    {"POST", "/predict", NULL, "{\"inputs\": \"\\ud800\"}", 400, "JSON"},
    {"POST", "/predict", NULL, "{\"inputs\": \"x\"} x", 400, "JSON"},
    {"POST", "/predict", NULL, "[]", 422, "no JSON object"},
    {"POST", "/predict", NULL, "{}", 422, "missing field `inputs`"},
    {"POST", "/predict", NULL, "{\"inputs\": 1}", 422, "`inputs`"},
    {"POST", "/predict", NULL, "{\"inputs\": \"x\", \"inputs\": \"y\"}", 422, "twice"},
    {"POST", "/predict", NULL, "{\"inputs\": \"\"}", 400, "\"error_type\": \"Empty\""},
    {"POST", "/predict", NULL, "{\"inputs\": []}", 400, "\"error_type\": \"Empty\""},
    {"POST", "/predict", NULL, "{\"inputs\": [[\"a\", \"b\", \"c\"]]}", 422, "one string or two"},
    {"POST", "/predict", NULL, "{\"inputs\": [[\"a\"], [\"a\"], [\"a\"], [\"a\"], [\"a\"]]}", 413,
     "batch size 5 > maximum allowed batch size 4"},
    {"POST", "/predict", NULL, "{\"inputs\": \"x\", \"truncate\": 3}", 422, "`truncate`"},
    {"POST", "/predict", NULL, "{\"inputs\": \"a a a a a a a a a a a a\", \"max_tokens\": 5}", 413,
     "must have less than 5 tokens. Given: 14\", \"error_type\": \"Validation\""},
    {"POST", "/predict", NULL,
     "{\"inputs\": \"a a a a a a a a a a a a\", \"max_tokens\": 5, \"truncate\": true}", 200, "score"},
    {"POST", "/run", NULL, "{\"inputs\": \"x\", \"inptus\": \"x\"}", 422, "no key \\\"inptus\\\""},
    {"POST", "/run", NULL, "{\"inputs\": \"x\", \"long\": \"cut\"}", 422, "error, truncate, window"},
    {"POST", "/run", NULL, "{\"inputs\": \"x\", \"stride\": 2}", 422, "stride"},
    {"POST", "/run", NULL, "{\"inputs\": {\"pair\": \"x\"}}", 422, "`text` or `words`"},
    {"POST", "/", NULL, "{\"inputs\": \"x\"}", 200, "[{\"score\""},
    {"POST", "/mini-sst2/invocations", NULL, "{\"inputs\": \"x\"}", 200, "[{\"score\""},
    {"GET", "/invocations", NULL, NULL, 405, "POST"},
    {"POST", "/rerank", NULL, "{\"query\": \"x\", \"texts\": [\"x\"]}", 424,
     "model is not a re-ranker model"},
    {"POST", "/embed", NULL, "{\"inputs\": \"x\"}", 424, "\"error_type\": \"Backend\""},
    {"POST", "/v1/embeddings", NULL, "{\"input\": \"x\"}", 424, "\"code\": 424, \"type\": \"Backend\"}"},
    {"GET", "/predict", NULL, NULL, 405, "POST"},
    {"DELETE", "/predict", NULL, NULL, 405, "DELETE"},
    {"POST", "/health", NULL, "{}", 405, "GET"},
    {"GET", "/nothing", NULL, NULL, 404, "/nothing"},
    {"POST", "/nobody/predict", NULL, "{}", 404, "/nobody/predict"},
    {"POST", "/predict", "Content-Length: 3\r\nContent-Type: text/plain\r\n\r\nabc", NULL, 415,
     "application/json"},
    {"OPTIONS", "/predict", NULL, NULL, 204, ""},
    {"HEAD", "/health", NULL, NULL, 200, ""},
    {"GET", "/health", NULL, NULL, 200, ""},
    {"GET", "/metrics", NULL, NULL, 200, "te_request_count{method=\"single\"}"},
    {"GET", "/info", NULL, NULL, 200, "\"id2label\": {\"0\": \"negative\", \"1\": \"positive\"}"},
    {"GET", "/v1/models", NULL, NULL, 200, "\"id\": \"mini-sst2\""},
};

START_TEST(errors) {
    web w = web_open((const char *[]){MODEL, "-j1", "--max-client-batch-size", "4", "--log", "json", NULL});
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        http_reply r = http_ask(&w, wrongs[i].method, wrongs[i].path, wrongs[i].more, wrongs[i].body);
        ck_assert_msg(r.status == wrongs[i].status && strstr(r.body ? r.body : "", wrongs[i].part),
                      "%s %s %s: status %d, %s", wrongs[i].method, wrongs[i].path,
                      wrongs[i].body ? wrongs[i].body : "", r.status, r.body ? r.body : "");
        http_free(&r);
    }
    // Each line of the log is an object.
    char *line = strdup(web_log(&w)), *rest = line;
    int requests = 0;
    for (char *l; (l = strsep(&rest, "\n")) && *l;) {
        cJSON *o = cJSON_Parse(l);
        ck_assert_msg(cJSON_IsObject(o), "no JSON: %s", l);
        requests += cJSON_GetObjectItem(o, "status") != NULL;
        cJSON_Delete(o);
    }
    free(line);
    ck_assert_int_ge(requests, (int)(sizeof wrongs / sizeof *wrongs) - 1);
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

START_TEST(keys) {
    web w = web_open((const char *[]){MODEL, "-j1", "--api-key", "secret", "--api-key", "other", NULL});
    expect_part(http_post(&w, "/predict", "{\"inputs\": \"x\"}"), 401, "Authorization");
    expect_part(http_ask(&w, "POST", "/predict", "Authorization: Bearer secre\r\n", "{\"inputs\": \"x\"}"),
                401, "");
    expect_part(
        http_ask(&w, "POST", "/predict", "Authorization: Bearer secretsecret\r\n", "{\"inputs\": \"x\"}"),
        401, "");
    expect_part(http_ask(&w, "POST", "/predict", "Authorization: Bearer other\r\n", "{\"inputs\": \"x\"}"),
                200, "score");
    expect_part(http_post(&w, "/", "{\"inputs\": \"x\"}"), 401, "");
    expect_part(http_ask(&w, "GET", "/health", NULL, NULL), 200, "");
    expect_part(http_ask(&w, "GET", "/info", NULL, NULL), 401, "");
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

// A model is picked by its name, in the path or by a key, or because it can do what is asked for.
START_TEST(models) {
    web w = web_open((const char *[]){"mood=" MODEL, "names=" ANSWERS "ner", ANSWERS "cross", "-j1", NULL});
    expect_part(http_post(&w, "/predict", "{\"inputs\": \"x\"}"), 200, "positive");
    expect_part(http_post(&w, "/entities", "{\"inputs\": \"x\"}"), 200, "entities");
    expect_part(http_post(&w, "/names/run", "{\"inputs\": \"x\"}"), 200, "entities");
    expect_part(http_post(&w, "/run", "{\"inputs\": \"x\", \"model\": \"names\"}"), 200, "entities");
    expect_part(http_post(&w, "/run", "{\"inputs\": \"x\", \"model\": \"nobody\"}"), 404,
                "mood, names, cross");
    expect_part(http_post(&w, "/rerank", "{\"query\": \"x\", \"texts\": [\"y\"]}"), 200, "score");
    expect_part(http_post(&w, "/names/predict", "{\"inputs\": \"x\"}"), 424, "classifier");
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

static Suite *serve_suite(void) {
    const web_case all[] = {{"labels", labels},
                            {"entities", entities},
                            {"sparse_lines", sparse_lines},
                            {"predictions", predictions},
                            {"ranks", ranks},
                            {"zero_shot", zero_shot},
                            {"embeddings", embeddings},
                            {"weights", weights_of_tokens},
                            {"looks", looks},
                            {"errors", errors},
                            {"keys", keys},
                            {"models", models}};
    return web_suite("serve", all, sizeof all / sizeof *all);
}
int main(void) {
    return suite_status(serve_suite());
}
