// links: hub ir runtime
// What Transformers' AutoTokenizer makes of tokenizer.json with tokenizer_config.json beside it: class by class and
// option by option, as Transformers 5.17 answered (tests/tokenizers/classes/cases.json). A case is the bundled
// model's tokenizer or one of tests/tokenizers, changed; its rows are pairs of numbers, of a text and of its tokens.
#include "file.h"
#include "main.h"
#include "tokenizer_case.h"

#include <cjson/cJSON.h>

#ifndef BERTC_EXAMPLES
#define BERTC_EXAMPLES BERTC_TESTS "/../examples"
#endif

static const char *const written[] = {"tokenizer.json", "vocab.txt", "tokenizer_config.json",
                                      "special_tokens_map.json", "config.json"};

static const cJSON *item(const cJSON *o, const char *key) {
    return cJSON_GetObjectItemCaseSensitive(o, key);
}

static void write_json(const char *folder, const char *name, const cJSON *v) {
    if (!v) return;
    char *text = cJSON_PrintUnformatted(v);
    case_write(folder, name, text, strlen(text));
    cJSON_free(text);
}

// The case's tokenizer.json.
static cJSON *file_of(const cJSON *one) {
    const char *base = item(one, "base")->valuestring;
    char path[512];
    bool mini = !strcmp(base, "mini");
    if (mini)
        snprintf(path, sizeof path, "%s/models/mini-sst2/tokenizer.json", BERTC_EXAMPLES);
    else
        snprintf(path, sizeof path, "%s/tokenizers/%s.json", BERTC_TESTS, base);
    char *text = file_text(path, NULL);
    cJSON *root = cJSON_Parse(text), *own = root;
    free(text);
    ck_assert_ptr_nonnull(root);
    if (!mini) {
        own = cJSON_DetachItemFromObjectCaseSensitive(root, "tokenizer");
        cJSON_Delete(root);
    }
    const cJSON *v;
    cJSON_ArrayForEach(v, item(one, "patch")) {
        cJSON_DeleteItemFromObjectCaseSensitive(own, v->string);
        cJSON_AddItemToObject(own, v->string, cJSON_Duplicate(v, true));
    }
    return own;
}

static bool open_case(tokenizer_case *c, const cJSON *one) {
    char folder[] = "/tmp/bertc-class-XXXXXX", path[96];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    if (item(one, "vocab")) {
        char *text = file_text(BERTC_EXAMPLES "/models/mini-sst2/vocab.txt", NULL);
        case_write(folder, "vocab.txt", text, strlen(text));
        free(text);
    } else {
        cJSON *file = file_of(one);
        write_json(folder, "tokenizer.json", file);
        cJSON_Delete(file);
    }
    write_json(folder, "tokenizer_config.json", item(one, "config"));
    write_json(folder, "special_tokens_map.json", item(one, "map"));
    write_json(folder, "config.json", item(one, "model"));
    bool ok = case_open(c, folder);
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, written[i]);
        unlink(path);
    }
    rmdir(folder);
    return ok;
}

static bertc_text_options options_of(const cJSON *one) {
    const char *how = cJSON_GetStringValue(item(one, "truncate"));
    bertc_text_options o = {BERTC_SIZED(bertc_text_options)};
    if (!how) return o;
    o.max_tokens = item(one, "max")->valueint;
    o.truncation = *how == 'l'   ? BERTC_TRUNCATE_LONGEST_FIRST
                   : *how == 'f' ? BERTC_TRUNCATE_ONLY_FIRST
                                 : BERTC_TRUNCATE_ONLY_SECOND;
    return o;
}

// `want` NULL: the text is refused.
static bool is_equal(tokenizer_case *c, const bertc_text *text, const bertc_text_options *o,
                     const cJSON *want) {
    const bertc_token *tokens;
    bertc_error error;
    size_t count;
    bool ok = bertc_tokenizer_encode_with(c->handle, text, o, &tokens, &count, &error);
    if (cJSON_IsNull(want)) return !ok;
    if (!ok) return printf("%s\n", error.message), false;
    const cJSON *v = want->child;
    for (size_t i = 0; i < count; i++) {
        const int got[4] = {tokens[i].id, tokens[i].type, (int)tokens[i].char_start, (int)tokens[i].char_end};
        for (int k = 0; k < 4; k++, v = v->next) {
            if (v && v->valueint == got[k]) continue;
            printf("token %zu of `%s`: %d, not %d\n", i, text->text, got[k], v ? v->valueint : -1);
            return false;
        }
    }
    return !v;
}

static int check_case(const cJSON *one, const cJSON *texts, const cJSON *tokens) {
    tokenizer_case c;
    const char *name = item(one, "name")->valuestring;
    ck_assert_msg(open_case(&c, one), "%s: %s", name, c.line);
    const bertc_text_options o = options_of(one);
    int wrong = 0;
    for (const cJSON *v = item(one, "rows")->child; v; v = v->next->next) {
        const cJSON *row = cJSON_GetArrayItem(texts, v->valueint);
        const char *text = row->child->valuestring, *pair = row->child->next->valuestring;
        const bertc_text input = {
            .text = text, .size = strlen(text), .pair = pair, .pair_size = pair ? strlen(pair) : 0};
        if (is_equal(&c, &input, &o, cJSON_GetArrayItem(tokens, v->next->valueint))) continue;
        printf("in the case `%s`\n", name);
        wrong++;
    }
    case_close(&c);
    return wrong;
}

START_TEST(transformers) {
    char *text = file_text(BERTC_TESTS "/tokenizers/classes/cases.json", NULL);
    cJSON *root = cJSON_Parse(text);
    ck_assert_ptr_nonnull(root);
    const cJSON *one;
    int count = 0, wrong = 0;
    cJSON_ArrayForEach(one, item(root, "cases")) {
        wrong += check_case(one, item(root, "texts"), item(root, "tokens"));
        count++;
    }
    printf("%d cases\n", count);
    ck_assert_int_ge(count, 200);
    ck_assert_int_eq(wrong, 0);
    cJSON_Delete(root);
    free(text);
}
END_TEST

// The bundled tokenizer with that tokenizer_config.json.
static void open_mini(tokenizer_case *c, const char *config) {
    cJSON *one = cJSON_CreateObject();
    cJSON_AddStringToObject(one, "base", "mini");
    cJSON_AddItemToObject(one, "config", cJSON_Parse(config));
    ck_assert_msg(open_case(c, one), "%s", c->line);
    cJSON_Delete(one);
}

static const char *encode(tokenizer_case *c, const char *text, size_t size, const bertc_text_options *o) {
    const bertc_token *tokens;
    bertc_error error;
    size_t count;
    const bertc_text input = {.text = text, .size = size};
    ck_assert_msg(bertc_tokenizer_encode_with(c->handle, &input, o, &tokens, &count, &error), "%s",
                  error.message);
    return case_line(c, tokens, count, false, false);
}

// A NUL is a character that BERT's normaliser drops.
START_TEST(nul) {
    tokenizer_case c;
    open_mini(&c, "{\"tokenizer_class\":\"BertTokenizer\"}");
    ck_assert_str_eq(encode(&c, "a\0b", 3, NULL), "[CLS] ab:0-3 [SEP]");
    ck_assert_str_eq(encode(&c, "x \0 y", 5, NULL), "[CLS] x:0-1 y:4-5 [SEP]");
    ck_assert_str_eq(encode(&c, "\0", 1, NULL), "[CLS] [SEP]");
    ck_assert_str_eq(encode(&c, "caf\xc3\xa9\0\xcc\x81", 8, NULL), "[CLS] ca:0-2 ##f:2-3 ##e:3-4 [SEP]");
    case_close(&c);
}
END_TEST

START_TEST(sides) {
    tokenizer_case c;
    bertc_text_options o = {BERTC_SIZED(bertc_text_options), .truncation = BERTC_TRUNCATE_LONGEST_FIRST,
                            .max_tokens = 4};
    open_mini(&c, "{\"tokenizer_class\":\"BertTokenizer\"}");
    ck_assert_str_eq(encode(&c, "one two three", 13, &o), "[CLS] one:0-3 two:4-7 [SEP]");
    o.truncation_side = BERTC_TRUNCATION_LEFT;
    ck_assert_str_eq(encode(&c, "one two three", 13, &o), "[CLS] two:4-7 three:8-13 [SEP]");
    case_close(&c);
    open_mini(&c, "{\"tokenizer_class\":\"BertTokenizer\",\"truncation_side\":\"left\"}");
    ck_assert_str_eq(encode(&c, "one two three", 13, &o), "[CLS] two:4-7 three:8-13 [SEP]");
    o.truncation_side = BERTC_TRUNCATION_DEFAULT;
    ck_assert_str_eq(encode(&c, "one two three", 13, &o), "[CLS] two:4-7 three:8-13 [SEP]");
    o.truncation_side = BERTC_TRUNCATION_RIGHT;
    ck_assert_str_eq(encode(&c, "one two three", 13, &o), "[CLS] one:0-3 two:4-7 [SEP]");
    o.truncation_side = (bertc_truncation_side)3;
    bertc_error error;
    size_t count;
    const bertc_token *tokens;
    ck_assert(!bertc_tokenizer_encode_with(c.handle, &(bertc_text){.text = "a", .size = 1}, &o, &tokens,
                                           &count, &error));
    ck_assert_str_eq(error.message, "truncation_side is 3, which is none of bertc_truncation_side");
    case_close(&c);
}
END_TEST

// Of a pair, each text loses its start.
START_TEST(sides_of_pairs) {
    static const struct {
        bertc_truncation how;
        const char *line;
    } cases[] = {{BERTC_TRUNCATE_LONGEST_FIRST, "[CLS] three:8-13 four:14-18 [SEP] b:2-3 c:4-5 [SEP]"},
                 {BERTC_TRUNCATE_ONLY_FIRST, "[CLS] four:14-18 [SEP] a:0-1 b:2-3 c:4-5 [SEP]"},
                 {BERTC_TRUNCATE_ONLY_SECOND, NULL}};
    tokenizer_case c;
    open_mini(&c, "{\"tokenizer_class\":\"BertTokenizer\"}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bertc_text_options o = {BERTC_SIZED(bertc_text_options), .truncation = cases[i].how,
                                      .max_tokens = 7, .truncation_side = BERTC_TRUNCATION_LEFT};
        const bertc_text text = {.text = "one two three four", .size = 18, .pair = "a b c", .pair_size = 5};
        const bertc_token *tokens;
        bertc_error error;
        size_t count;
        bool ok = bertc_tokenizer_encode_with(c.handle, &text, &o, &tokens, &count, &error);
        ck_assert_int_eq(ok, cases[i].line != NULL);
        if (ok) ck_assert_str_eq(case_line(&c, tokens, count, false, false), cases[i].line);
    }
    case_close(&c);
}
END_TEST

#define WORDS                                                                                                \
    "{\"added_tokens\":[{\"id\":3,\"content\":\"<m>\",\"special\":true},{\"id\":4,\"content\":\"<p>\"}],"    \
    "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"

// Plain text makes no special token, not even where the vocabulary has its text. Words that are known don't
// change that.
static void check_plain(const char *file, const char *text, const char *special, const char *plain) {
    tokenizer_case c;
    const bertc_text_options o = {BERTC_SIZED(bertc_text_options), .plain_text = true};
    ck_assert_msg(case_open_text(&c, file, NULL), "%s", c.line);
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(encode(&c, text, strlen(text), NULL), special);
        ck_assert_str_eq(encode(&c, text, strlen(text), &o), plain);
    }
    case_close(&c);
}

START_TEST(plain_text) {
    check_plain(
        WORDS
        "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"<m>\":3,"
        "\"<p>\":4}}}",
        "a <m> <p>", "a:0-1 <m>:2-5 <p>:6-9", "a:0-1 ?:2-5 <p>:6-9");
    check_plain(WORDS "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"<\":1,\"##"
                      "m>\":2,\"<m>\":3,"
                      "\"<p>\":4}}}",
                "<m> <p>", "<m>:0-3 <p>:4-7", "<:0-1 ##m>:1-3 <p>:4-7");
    check_plain(WORDS "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"?\",0],[\"<\",-1],[\"m>\",-"
                      "1],[\"<m>\",0],"
                      "[\"<p>\",0]]}}",
                "<m> <p>", "<m>:0-3 <p>:4-7", "<:0-1 m>:1-3 <p>:4-7");
    check_plain(WORDS "\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"<\":1,\"m>\":2,"
                      "\"<m>\":3,\"<p>\":4,"
                      "\"m\":5,\">\":6},\"merges\":[\"m >\",\"< m>\"]}}",
                "<m> <p>", "<m>:0-3 <p>:4-7", "<:0-1 m>:1-3 <p>:4-7");
    check_plain(
        WORDS
        "\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"ignore_merges\":true,\"vocab\":{\"?\":0,\"<\":1,"
        "\"m\":2,\"<m>\":3,\"<p>\":4,\">\":5},\"merges\":[]}}",
        "<m> <p>", "<m>:0-3 <p>:4-7", "<:0-1 m:1-2 >:2-3 <p>:4-7");
}
END_TEST

int main(void) {
    Suite *s = suite_create("tokenizer classes");
    TCase *t = tcase_create("classes");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, transformers);
    tcase_add_test(t, nul);
    tcase_add_test(t, sides);
    tcase_add_test(t, sides_of_pairs);
    tcase_add_test(t, plain_text);
    suite_add_tcase(s, t);
    return suite_status(s);
}
