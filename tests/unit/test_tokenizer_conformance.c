// links: hub ir runtime
// What Hugging Face tokenizers gives for hard and random text, row by row: ids, types, offsets.
#include "tokenizer_case.h"

#include <cjson/cJSON.h>

#define ROWS BERTC_SHARED "/conformance/tokenizers/tokens.jsonl"

typedef struct reader {
    const char *name, *path;
    tokenizer_case c;
    int rows;
} reader;

static const char *text_of(const cJSON *row, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, key));
}

// cJSON ends a string at \u0000, which some rows hold: those strings are read here. The caller frees it.
static char *raw_text(const char *line, const char *key, size_t *size) {
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"%s\": \"", key);
    const char *p = strstr(line, quoted);
    if (!p) return NULL;
    p += strlen(quoted);
    char *out = malloc(strlen(p) + 1), *o = out;
    while (*p != '"') {
        const char *end = p + 1;
        if (*p == '\\') end = p[1] == 'u' ? p + 6 : p + 2;
        if (*p == '\\' && p[1] == 'u' && (p[2] == 'd' || p[2] == 'D') && strchr("89abAB", p[3])) end = p + 12;
        char one[16];
        snprintf(one, sizeof one, "\"%.*s\"", (int)(end - p), p);
        cJSON *v = cJSON_Parse(one);
        ck_assert_ptr_nonnull(v);
        size_t n = strlen(v->valuestring);
        if (!n) *o++ = 0;
        memcpy(o, v->valuestring, n);
        o += n;
        cJSON_Delete(v);
        p = end;
    }
    *size = (size_t)(o - out);
    return out;
}

static void compare(reader *r, const cJSON *row, const char *line) {
    bertc_text text = {0};
    char *first = raw_text(line, "text", &text.size), *second = raw_text(line, "pair", &text.pair_size);
    text.text = first;
    text.pair = second;
    size_t count;
    const bertc_token *tokens = case_encode(&r->c, &text, &count);
    const cJSON *ids = cJSON_GetObjectItemCaseSensitive(row, "ids"), *id = ids->child;
    const cJSON *kind = cJSON_GetObjectItemCaseSensitive(row, "types")->child;
    const cJSON *at = cJSON_GetObjectItemCaseSensitive(row, "offsets")->child;
    ck_assert_msg((size_t)cJSON_GetArraySize(ids) == count, "%s: %zu tokens of `%s`", r->name, count, first);
    for (size_t i = 0; i < count; i++, id = id->next, kind = kind->next, at = at->next) {
        const bertc_token *t = &tokens[i];
        bool same = t->id == id->valueint && t->type == kind->valueint &&
                    (int)t->char_start == at->child->valueint &&
                    (int)t->char_end == at->child->next->valueint;
        ck_assert_msg(same, "%s: token %zu of `%s` is %d/%d [%u,%u), not %d/%d [%d,%d)", r->name, i, first,
                      t->id, t->type, t->char_start, t->char_end, id->valueint, kind->valueint,
                      at->child->valueint, at->child->next->valueint);
    }
    r->rows++;
    free(first);
    free(second);
}

static void run(const char *name, const char *path) {
    reader r = {.name = name, .path = path};
    ck_assert_msg(case_open(&r.c, path), "%s", r.c.line);
    FILE *f = fopen(ROWS, "r");
    ck_assert_ptr_nonnull(f);
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, f) > 0) {
        cJSON *row = cJSON_Parse(line);
        ck_assert_ptr_nonnull(row);
        if (!strcmp(text_of(row, "tokenizer"), name)) compare(&r, row, line);
        cJSON_Delete(row);
    }
    free(line);
    fclose(f);
    case_close(&r.c);
    ck_assert_int_eq(r.rows, 200);
}

#define FILES BERTC_SHARED "/conformance/tokenizers/"
START_TEST(bert_base_uncased) {
    run("bert-base-uncased", FILES "bert-base-uncased.tokenizer.json");
}
END_TEST
START_TEST(bert_base_cased) {
    run("bert-base-cased", FILES "bert-base-cased.tokenizer.json");
}
END_TEST
START_TEST(bert_base_multilingual) {
    run("bert-base-multilingual-cased", FILES "bert-base-multilingual-cased.tokenizer.json");
}
END_TEST
START_TEST(bert_base_chinese) {
    run("bert-base-chinese", FILES "bert-base-chinese.tokenizer.json");
}
END_TEST
START_TEST(mini_sst2) {
    run("mini-sst2", BERTC_SHARED "/models/mini-sst2");
}
END_TEST
START_TEST(mini_sst2_vocab) {
    run("mini-sst2", BERTC_SHARED "/models/mini-sst2/vocab.txt");
}
END_TEST

START_TEST(roberta) {
    run("roberta-base", FILES "roberta-base.tokenizer.json");
}
END_TEST
START_TEST(albert) {
    run("albert-base-v2", FILES "albert-base-v2.tokenizer.json");
}
END_TEST
START_TEST(t5) {
    run("t5-small", FILES "t5-small.tokenizer.json");
}
END_TEST

int main(void) {
    if (access(ROWS, R_OK)) return 77;
    Suite *s = suite_create("tokenizer conformance");
    TCase *t = tcase_create("rows");
    tcase_add_test(t, bert_base_uncased);
    tcase_add_test(t, bert_base_cased);
    tcase_add_test(t, bert_base_multilingual);
    tcase_add_test(t, bert_base_chinese);
    tcase_add_test(t, mini_sst2);
    tcase_add_test(t, mini_sst2_vocab);
    tcase_add_test(t, roberta);
    tcase_add_test(t, albert);
    tcase_add_test(t, t5);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
