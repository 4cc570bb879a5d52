// links: cli
// Routes of `bertc serve` that other servers' clients use, and those about tokens.
#include <signal.h>
#include <string.h>

#include "cli/http.h"
#include "frontend/cli/cli.h"
#include "main.h"

#define MODEL   BERTC_TESTS "/../examples/models/mini-sst2"
#define ANSWERS BERTC_TESTS "/models/answers/"

// As Cohere's and Jina's clients ask: the same scores as on /rerank, the first so many of them.
START_TEST(documents) {
    web w = web_open((const char *[]){ANSWERS "cross", "-j1", NULL});
    double scores[2][3];
    static const char *const asks[2][2] = {
        {"/rerank", "{\"query\": \"old river\", \"texts\": [\"the cat\", \"who is it\", \"dogs\"]}"},
        {"/v1/rerank", "{\"query\": \"old river\", \"documents\": [\"the cat\", {\"text\": \"who is it\"}, "
                       "\"dogs\"], \"model\": \"any\"}"}};
    for (int k = 0; k < 2; k++) {
        http_reply r = http_post(&w, asks[k][0], asks[k][1]);
        ck_assert_int_eq(r.status, 200);
        const char *at = r.body;
        for (int i = 0; i < 3; i++) {
            at = strstr(at, "score\": ");
            ck_assert(at != NULL);
            at += strlen("score\": ");
            scores[k][i] = strtod(at, NULL);
            ck_assert_double_eq(scores[k][i], scores[0][i]);
        }
        http_free(&r);
    }
    ck_assert_double_ge(scores[1][0], scores[1][2]);
    http_reply r = http_post(&w, "/v2/rerank",
                             "{\"query\": \"q\", \"documents\": [\"same\", \"same\"], "
                             "\"top_n\": 1, \"return_documents\": true}");
    ck_assert(r.status == 200 && strstr(r.body, "[{\"index\": 0, \"document\": {\"text\": \"same\"}, "));
    ck_assert(!strstr(r.body, "\"index\": 1") && strstr(r.body, "\"total_tokens\": "));
    http_free(&r);
    expect_part(http_post(&w, "/rerank", "{\"query\": \"q\", \"documents\": [1]}"), 422, "documents");
    expect_part(http_post(&w, "/v1/rerank", "{\"query\": \"q\", \"documents\": [{}]}"), 422, "\"code\": 422");
    expect_part(http_post(&w, "/v1/rerank", "{\"query\": \"q\"}"), 422, "missing field `documents`");
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

// What Hugging Face's decoders write: no space before a mark, pieces joined, special tokens left out or not.
START_TEST(decoded) {
    static const struct {
        const char *text, *all, *body;
    } asks[] = {{"unbelievable , it works !", "true", "[\"unbelievable, it works!\"]"},
                {"so good", "false", "[\"[CLS] so good [SEP]\"]"}};
    web w = web_open((const char *[]){MODEL, "-j1", "--max-client-batch-size", "2", NULL});
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        char body[600];
        snprintf(body, sizeof body, "{\"inputs\": \"%s\"}", asks[i].text);
        http_reply r = http_post(&w, "/tokenize", body);
        cJSON *all = cJSON_Parse(r.body);
        const cJSON *tokens = cJSON_GetArrayItem(all, 0);
        ck_assert_int_gt(cJSON_GetArraySize(tokens), 3);
        size_t n =
            (size_t)snprintf(body, sizeof body, "{\"skip_special_tokens\": %s, \"ids\": [", asks[i].all);
        for (const cJSON *t = tokens->child; t; t = t->next)
            n += (size_t)snprintf(body + n, sizeof body - n, "%s%d", t == tokens->child ? "" : ", ",
                                  cJSON_GetObjectItem(t, "id")->valueint);
        cJSON_Delete(all);
        http_free(&r);
        snprintf(body + n, sizeof body - n, "]}");
        expect_body(http_post(&w, "/decode", body), 200, asks[i].body);
    }
    // No text is read that is longer than any model's.
    size_t size = 900000;
    char *text = malloc(size + 1), *body = malloc(size + 20);
    memset(text, 'a', size);
    text[size] = 0;
    snprintf(body, size + 20, "{\"inputs\": \"%s\"}", text);
    expect_part(http_post(&w, "/tokenize", body), 413, "characters");
    free(text);
    free(body);
    expect_body(http_post(&w, "/decode", "{\"ids\": [[], []]}"), 200, "[\"\", \"\"]");
    expect_part(http_post(&w, "/decode", "{\"ids\": [[1], [1], [1]]}"), 413, "batch size 3 >");
    expect_part(http_post(&w, "/decode", "{\"ids\": [1, [1]]}"), 422, "`ids`");
    expect_part(http_post(&w, "/decode", "{\"ids\": [[1], 1]}"), 422, "`ids`");
    expect_part(http_post(&w, "/decode", "{\"ids\": [-1]}"), 422, "`ids`");
    expect_part(http_post(&w, "/decode", "{\"ids\": [2000000000]}"), 422, "vocabulary");
    expect_part(http_post(&w, "/decode", "{\"ids\": []}"), 400, "Empty");
    expect_part(http_post(&w, "/decode", "{}"), 422, "missing field `ids`");
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

// Which tokens have a vector: a query's with those that it is filled up with, a document's without punctuation.
START_TEST(tokens_of_vectors) {
    static const struct {
        const char *as, *tokens;
    } asks[] = {{"query", "[CLS] [unused0] the cat , sat . [SEP] [MASK] [MASK] [MASK] [MASK] "},
                {"document", "[CLS] a [unused1] the cat sat [SEP] "}};
    web w = web_open((const char *[]){BERTC_TESTS "/models/vectors/pylate", "-j1", NULL});
    for (size_t k = 0; k < sizeof asks / sizeof *asks; k++) {
        char body[200], found[300] = "";
        snprintf(body, sizeof body,
                 "{\"inputs\": \"the cat, sat.\", \"as\": \"%s\", \"return_tokens\": true}", asks[k].as);
        http_reply r = http_post(&w, "/embed_all", body);
        ck_assert_msg(r.status == 200, "%s", r.body);
        cJSON *all = cJSON_Parse(r.body), *one = cJSON_GetArrayItem(all, 0),
              *tokens = cJSON_GetObjectItem(one, "tokens");
        ck_assert_int_eq(cJSON_GetArraySize(tokens), cJSON_GetArraySize(cJSON_GetObjectItem(one, "vectors")));
        for (const cJSON *t = tokens->child; t; t = t->next)
            snprintf(found + strlen(found), sizeof found - strlen(found), "%s ",
                     cJSON_GetStringValue(cJSON_GetObjectItem(t, "text")));
        ck_assert_str_eq(found, asks[k].tokens);
        cJSON_Delete(all);
        http_free(&r);
    }
    expect_part(http_post(&w, "/embed_all", "{\"inputs\": \"x\", \"return_tokens\": 1}"), 422,
                "`return_tokens`");
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

int main(void) {
    const web_case all[] = {{"documents", documents}, {"decoded", decoded}, {"vectors", tokens_of_vectors}};
    return suite_status(web_suite("serve_tokens", all, sizeof all / sizeof *all));
}
