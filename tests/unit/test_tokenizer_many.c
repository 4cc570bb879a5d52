// links: hub ir runtime
// Tokenizers of many tokens: what takes time grows with their number, not with its square (what would is cut off by
// Check's time limit). And files of lines, which must be UTF-8.
#include "main.h"
#include "tokenizer_case.h"

enum { MANY = 60000, LINE = 100 };
#define VOCAB "{\"<s>\":0,\"</s>\":1,\"<unk>\":2,\"a\":3,\"b\":4,\"ab\":5}"

typedef struct text {
    char *data, *end;
} text;

static text begin(void) {
    char *data = malloc((size_t)MANY * LINE + 4096);
    return (text){data, data};
}

// `format` has one %d, the number of the row.
static __attribute__((format(printf, 2, 0))) void put_rows(text *t, const char *format, int from, int count) {
    for (int i = from; i < from + count; i++) t->end += sprintf(t->end, format, i);
}

#define PUT(t, ...) ((t)->end += sprintf((t)->end, __VA_ARGS__))

typedef struct named_file {
    const char *name, *text;
} named_file;

// Opens a folder of up to four files; the first diagnostic in c->line where it fails.
static bool open_folder(tokenizer_case *c, const named_file *files) {
    char folder[] = "/tmp/bertc-many-XXXXXX", path[96];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (int i = 0; i < 4 && files[i].name; i++)
        case_write(folder, files[i].name, files[i].text, strlen(files[i].text));
    bool ok = case_open(c, folder);
    for (int i = 0; i < 4 && files[i].name; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        unlink(path);
    }
    rmdir(folder);
    return ok;
}

static void expect(const named_file *files, const char *input, const char *line) {
    tokenizer_case c;
    ck_assert_msg(open_folder(&c, files), "%s", c.line);
    ck_assert_str_eq(case_tokens(&c, input, strlen(input)), line);
    case_close(&c);
}

static void refuse(const named_file *files, const char *cause) {
    tokenizer_case c;
    ck_assert_msg(!open_folder(&c, files), "accepted");
    ck_assert_msg(strstr(c.line, cause) != NULL, "`%s` lacks `%s`", c.line, cause);
    case_close(&c);
}

// Of the raw text and of the normalised one; each with another id than the file says, and all of them twice.
START_TEST(added_tokens) {
    for (int normalized = 0; normalized < 2; normalized++) {
        text t = begin();
        PUT(&t, "{\"added_tokens\":[");
        for (int twice = 0; twice < 2; twice++)
            put_rows(&t,
                     normalized ? "{\"id\":9,\"content\":\"<%d>\",\"normalized\":true},"
                                : "{\"id\":9,\"content\":\"<%d>\"},",
                     0, MANY / 2);
        PUT(&t, "{\"id\":9,\"content\":\"<x>\"}],\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\","
                "\"vocab\":{"
                "\"?\":0,\"a\":1}}}");
        expect((named_file[4]){{"tokenizer.json", t.data}}, "<7>a<29999><8",
               "<7>:0-3 a:3-4 <29999>:4-11 ?:11-13");
        free(t.data);
    }
}
END_TEST

START_TEST(merges) {
    text vocab = begin(), list = begin();
    PUT(&vocab, "{\"<s>\":0,\"</s>\":1,\"<unk>\":2,\"a\":3");
    put_rows(&vocab, ",\"a%1$d\":%1$d,\"%1$d\":9%1$05d", 4, MANY / 2);
    PUT(&vocab, "}");
    put_rows(&list, "a %d\n", 4, MANY / 2);
    tokenizer_case c;
    ck_assert_msg(open_folder(&c, (named_file[4]){{"vocab.json", vocab.data}, {"merges.txt", list.data}}),
                  "%s", c.line);
    case_close(&c);
    free(vocab.data);
    free(list.data);
}
END_TEST

// Special tokens of tokenizer_config.json and special_tokens_map.json; added_tokens.json's beside them.
START_TEST(special_tokens) {
    text config = begin(), map = begin(), added = begin();
    PUT(&config, "{\"additional_special_tokens\":[\"<x>\"");
    put_rows(&config, ",\"<%d>\"", 0, MANY);
    PUT(&config, "]}");
    PUT(&map, "{\"additional_special_tokens\":[\"<y>\"");
    put_rows(&map, ",{\"content\":\"<%d>\"}", MANY / 2, MANY);
    PUT(&map, "]}");
    PUT(&added, "{\"<z>\":5");
    put_rows(&added, ",\"<%1$d>\":1%1$06d", 0, MANY);
    PUT(&added, "}");
    expect((named_file[4]){{"vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\nb\n"},
                           {"tokenizer_config.json", config.data},
                           {"special_tokens_map.json", map.data},
                           {"added_tokens.json", added.data}},
           "a<59999>b<7><89999>", "[CLS] a:0-1 <59999>:1-8 b:8-9 <7>:9-12 <89999>:12-19 [SEP]");
    free(config.data);
    free(map.data);
    free(added.data);
}
END_TEST

START_TEST(added_tokens_decoder) {
    text config = begin();
    PUT(&config, "{\"added_tokens_decoder\":{\"9\":{\"content\":\"<x>\"}");
    put_rows(&config, ",\"1%1$06d\":{\"content\":\"<%1$d>\"}", 0, MANY);
    PUT(&config, "}}");
    expect((named_file[4]){{"vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n"}, {"tokenizer_config.json", config.data}},
           "a<59999>", "[CLS] a:0-1 <59999>:1-8 [SEP]");
    free(config.data);
}
END_TEST

// ESM's pieces are added tokens, each of them.
START_TEST(pieces) {
    text vocab = begin();
    PUT(&vocab, "<cls>\n<pad>\n<eos>\n<unk>\nA\n");
    put_rows(&vocab, "<%d>\n", 0, MANY);
    PUT(&vocab, "<mask>\n");
    expect((named_file[4]){{"vocab.txt", vocab.data},
                           {"tokenizer_config.json", "{\"tokenizer_class\":\"EsmTokenizer\"}"}},
           "A<59999>A", "<cls> A:0-1 <59999>:1-8 A:8-9 <eos>");
    free(vocab.data);
}
END_TEST

START_TEST(template_parts) {
    text t = begin();
    PUT(&t, "{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\"}}");
    put_rows(&t, ",{\"SpecialToken\":{\"id\":\"<%d>\"}}", 0, MANY);
    PUT(&t, "],\"pair\":[],\"special_tokens\":{}},\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\","
            "\"vocab\":{"
            "\"?\":0}}}");
    refuse((named_file[4]){{"tokenizer.json", t.data}}, "`single` has more than 64 parts");
    free(t.data);
}
END_TEST

// --- UTF-8

START_TEST(vocabulary_lines) {
    static const struct {
        const char *bad, *cause;
    } cases[] = {{"\xc3", "vocab.txt: line 4: byte 1 of it is no UTF-8"},
                 {"a\xa9", "vocab.txt: line 4: byte 2 of it is no UTF-8"},
                 {"\xed\xa0\x80", "line 4: byte 1"},
                 {"\xc0\x80", "line 4: byte 1"},
                 {"ab\xf0\x9f\x98", "line 4: byte 3"},
                 {"\xf5\x80\x80\x80", "line 4: byte 1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char file[64];
        snprintf(file, sizeof file, "[UNK]\n[CLS]\n[SEP]\n%s\n", cases[i].bad);
        refuse((named_file[4]){{"vocab.txt", file}}, cases[i].cause);
        snprintf(file, sizeof file, "<unk>\n<cls>\n<eos>\n%s", cases[i].bad);
        refuse((named_file[4]){{"vocab.txt", file},
                               {"tokenizer_config.json", "{\"tokenizer_class\":\"EsmTokenizer\"}"}},
               cases[i].cause);
    }
    expect((named_file[4]){{"vocab.txt", "[UNK]\n[CLS]\n[SEP]\n\xe4\xb8\xad\r\n"}}, "\xe4\xb8\xad",
           "[CLS] \xe4\xb8\xad:0-1 [SEP]");
}
END_TEST

START_TEST(merge_lines) {
    refuse((named_file[4]){{"vocab.json", VOCAB}, {"merges.txt", "#version: 0.2\na b\na \xc3\n"}},
           "merges.txt: line 3: byte 3 of it is no UTF-8");
    refuse((named_file[4]){{"vocab.json", "{\"<s>\":0,\n\"\xc3\":1}"}, {"merges.txt", "a b\n"}},
           "vocab.json: line 2: byte 11 of the file is no UTF-8");
    char folder[] = "/tmp/bertc-many-XXXXXX", path[96];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    case_write(folder, "vocab.json", VOCAB, strlen(VOCAB));
    case_write(folder, "merges.txt", "a b\n\0\n", 6);
    tokenizer_case c;
    ck_assert(!case_open(&c, folder));
    ck_assert_ptr_nonnull(strstr(c.line, "merges.txt: line 2: a NUL"));
    case_close(&c);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, i ? "merges.txt" : "vocab.json");
        unlink(path);
    }
    rmdir(folder);
}
END_TEST

START_TEST(files_beside) {
    static const char *const names[] = {"added_tokens.json", "special_tokens_map.json",
                                        "tokenizer_config.json"};
    for (int i = 0; i < 3; i++) {
        char cause[96];
        snprintf(cause, sizeof cause, "%s: line 2: byte 3 of the file is no UTF-8", names[i]);
        refuse((named_file[4]){{"vocab.txt", "[UNK]\n[CLS]\n[SEP]\n"}, {names[i], "{\n\"\xc3\":1}"}}, cause);
    }
}
END_TEST

START_TEST(character_maps) {
    // a trie of one unit, and a text of one byte that is no UTF-8
    refuse(
        (named_file[4]){
            {"tokenizer.json",
             "{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"BAAAAAAAAACAAA==\"},"
             "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0}}}"}},
        "a text in precompiled_charsmap is no UTF-8");
}
END_TEST

int main(void) {
    Suite *s = suite_create("many tokens");
    TCase *t = tcase_create("many");
    tcase_set_timeout(t, 15);
    tcase_add_test(t, added_tokens);
    tcase_add_test(t, merges);
    tcase_add_test(t, special_tokens);
    tcase_add_test(t, added_tokens_decoder);
    tcase_add_test(t, pieces);
    tcase_add_test(t, template_parts);
    tcase_add_test(t, vocabulary_lines);
    tcase_add_test(t, merge_lines);
    tcase_add_test(t, files_beside);
    tcase_add_test(t, character_maps);
    suite_add_tcase(s, t);
    return suite_status(s);
}
