// links: hub ir runtime
// Small tokenizer.json files, laid out as those of each family, and what Hugging Face tokenizers makes of
// random texts under them: tests/tokenizers, which make.py there wrote.
#include "file.h"
#include "main.h"
#include "tokenizer_case.h"

#include <cjson/cJSON.h>
#include <glob.h>

// A row is [text, pair or null, [id, type, start, end, ...]].
static bool is_equal(tokenizer_case *c, const cJSON *row, const char *name) {
    const char *text = row->child->valuestring, *pair = row->child->next->valuestring;
    bertc_text input = {
        .text = text, .size = strlen(text), .pair = pair, .pair_size = pair ? strlen(pair) : 0};
    size_t count;
    const bertc_token *tokens = case_encode(c, &input, &count);
    const cJSON *want = row->child->next->next, *v = want->child;
    ck_assert_int_eq(cJSON_GetArraySize(want) % 4, 0);
    for (size_t i = 0; i < count && v; i++) {
        const int got[4] = {tokens[i].id, tokens[i].type, (int)tokens[i].char_start, (int)tokens[i].char_end};
        for (int k = 0; k < 4; k++, v = v->next) {
            if (v->valueint == got[k]) continue;
            printf("%s: token %zu of `%s`: %s is %d, not %d\n", name, i, text,
                   (const char *[]){"id", "type", "start", "end"}[k], got[k], v->valueint);
            return false;
        }
    }
    if ((size_t)cJSON_GetArraySize(want) == 4 * count) return true;
    printf("%s: %zu tokens of `%s`\n", name, count, text);
    return false;
}

static void run(const char *path) {
    char *text = file_text(path, NULL), *name = strrchr(path, '/') + 1;
    cJSON *root = cJSON_Parse(text);
    ck_assert_ptr_nonnull(root);
    char *file = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(root, "tokenizer"));
    tokenizer_case c;
    ck_assert_msg(case_open_text(&c, file, NULL), "%s: %s", name, c.line);
    int rows = 0, equal = 0;
    const cJSON *row;
    // twice: the second time words are known
    for (int pass = 0; pass < 2; pass++) {
        rows = equal = 0;
        cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(root, "rows")) {
            equal += is_equal(&c, row, name);
            rows++;
        }
        ck_assert_int_gt(rows, 0);
        ck_assert_int_eq(equal, rows);
    }
    printf("| %.*s | %d | %d |\n", (int)strcspn(name, "."), name, rows, equal);
    case_close(&c);
    cJSON_free(file);
    cJSON_Delete(root);
    free(text);
}

START_TEST(families) {
    glob_t files;
    ck_assert_int_eq(glob(BERTC_TESTS "/tokenizers/*.json", 0, NULL, &files), 0);
    ck_assert_uint_ge(files.gl_pathc, 20);
    for (size_t i = 0; i < files.gl_pathc; i++) run(files.gl_pathv[i]);
    globfree(&files);
}
END_TEST

int main(void) {
    Suite *s = suite_create("tokenizer cases");
    TCase *t = tcase_create("cases");
    tcase_add_test(t, families);
    suite_add_tcase(s, t);
    return suite_status(s);
}
