// links: hub ir runtime
// What Hugging Face tokenizers gives for hard and random text, row by row: ids, types, offsets.
#include "main.h"
#include "tokenizer_case.h"

#include <cjson/cJSON.h>
#include <sys/stat.h>

#define ROWS BERTC_SHARED "/conformance/tokenizers/tokens.jsonl"

typedef struct reader {
    const char *name, *path;
    tokenizer_case c;
    int rows, equal;
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
    bool same = (size_t)cJSON_GetArraySize(ids) == count;
    if (!same) printf("%s: %zu tokens of `%s`\n", r->name, count, first);
    for (size_t i = 0; same && i < count; i++, id = id->next, kind = kind->next, at = at->next) {
        const bertc_token *t = &tokens[i];
        same = t->id == id->valueint && t->type == kind->valueint &&
               (int)t->char_start == at->child->valueint && (int)t->char_end == at->child->next->valueint;
        if (!same)
            printf("%s: token %zu of `%s` is %d/%d [%u,%u), not %d/%d [%d,%d)\n", r->name, i, first, t->id,
                   t->type, t->char_start, t->char_end, id->valueint, kind->valueint, at->child->valueint,
                   at->child->next->valueint);
    }
    r->equal += same;
    r->rows++;
    free(first);
    free(second);
}

// Prints a row of docs/models.md's table.
static void run(const char *name, const char *files, const char *path) {
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
    printf("| %s | %s | %d | %d |\n", name, files, r.rows, r.equal);
    fflush(stdout);
    ck_assert_int_eq(r.rows, 200);
    ck_assert_int_eq(r.equal, r.rows);
}

#define FILES BERTC_SHARED "/conformance/tokenizers/"
START_TEST(bert_base_uncased) {
    run("bert-base-uncased", "`tokenizer.json`", FILES "bert-base-uncased.tokenizer.json");
}
END_TEST
START_TEST(bert_base_cased) {
    run("bert-base-cased", "`tokenizer.json`", FILES "bert-base-cased.tokenizer.json");
}
END_TEST
START_TEST(bert_base_multilingual) {
    run("bert-base-multilingual-cased", "`tokenizer.json`",
        FILES "bert-base-multilingual-cased.tokenizer.json");
}
END_TEST
START_TEST(bert_base_chinese) {
    run("bert-base-chinese", "`tokenizer.json`", FILES "bert-base-chinese.tokenizer.json");
}
END_TEST
START_TEST(mini_sst2) {
    run("mini-sst2", "`tokenizer.json`", BERTC_SHARED "/models/mini-sst2");
}
END_TEST
START_TEST(mini_sst2_vocab) {
    run("mini-sst2", "`vocab.txt`", BERTC_SHARED "/models/mini-sst2/vocab.txt");
}
END_TEST

START_TEST(roberta) {
    run("roberta-base", "`tokenizer.json`", FILES "roberta-base.tokenizer.json");
}
END_TEST
// The same from vocab.json and merges.txt.
START_TEST(roberta_merges) {
    const char *path = FILES "roberta-base.tokenizer.json";
    char folder[] = "/tmp/bertc-roberta-XXXXXX", command[64];
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    char *text = calloc(1, (size_t)info.st_size + 1);
    FILE *f = fopen(path, "rb");
    ck_assert_uint_eq(fread(text, 1, (size_t)info.st_size, f), (size_t)info.st_size);
    fclose(f);
    cJSON *root = cJSON_Parse(text);
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(root, "model"), *merge;
    char *vocab = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(model, "vocab")), *o = text;
    o += sprintf(o, "#version: 0.2\n");
    cJSON_ArrayForEach(merge, cJSON_GetObjectItemCaseSensitive(model, "merges")) {
        const cJSON *left = merge->child;
        o += left ? sprintf(o, "%s %s\n", left->valuestring, left->next->valuestring)
                  : sprintf(o, "%s\n", merge->valuestring);
    }
    ck_assert_ptr_nonnull(mkdtemp(folder));
    case_write(folder, "vocab.json", vocab, strlen(vocab));
    case_write(folder, "merges.txt", text, (size_t)(o - text));
    run("roberta-base", "`vocab.json`, `merges.txt`", folder);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
    cJSON_free(vocab);
    cJSON_Delete(root);
    free(text);
}
END_TEST
START_TEST(albert) {
    run("albert-base-v2", "`tokenizer.json`", FILES "albert-base-v2.tokenizer.json");
}
END_TEST
START_TEST(t5) {
    run("t5-small", "`tokenizer.json`", FILES "t5-small.tokenizer.json");
}
END_TEST

int main(void) {
    if (access(ROWS, R_OK)) return skip_all("shared", ROWS);
    Suite *s = suite_create("tokenizer conformance");
    TCase *t = tcase_create("rows");
    tcase_add_test(t, bert_base_uncased);
    tcase_add_test(t, bert_base_cased);
    tcase_add_test(t, bert_base_multilingual);
    tcase_add_test(t, bert_base_chinese);
    tcase_add_test(t, mini_sst2);
    tcase_add_test(t, mini_sst2_vocab);
    tcase_add_test(t, roberta);
    tcase_add_test(t, roberta_merges);
    tcase_add_test(t, albert);
    tcase_add_test(t, t5);
    suite_add_tcase(s, t);
    return suite_status(s);
}
