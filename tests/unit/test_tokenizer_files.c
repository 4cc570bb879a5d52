// links: hub ir runtime
// tokenizer.json, vocab.txt and tokenizer_config.json: both ways give one tokenizer, and what is wrong is
// said with its place.
#include "main.h"
#include "tokenizer_case.h"

#define MODEL_WITH(vocab) "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"vocab\":{" vocab "}}"
#define MODEL             MODEL_WITH("\"[UNK]\":0,\"a\":1,\"##b\":2,\"[CLS]\":3,\"[SEP]\":4")

static void accept(const char *text, const char *config, const char *input, const char *line) {
    tokenizer_case c;
    ck_assert_msg(case_open_text(&c, text, config), "%s", c.line);
    ck_assert_str_eq(case_tokens(&c, input, strlen(input)), line);
    case_close(&c);
}

START_TEST(unknown_parts) {
    case_refuse("{\"normalizer\":{\"type\":\"Nmt2\"}," MODEL "}", NULL,
                "tokenizer.json: normalizer: normaliser `Nmt2` is not known");
    case_refuse(
        "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"BertNormalizer\"},{\"type\":"
        "\"X\"}]}," MODEL "}",
        NULL, "normalizer.normalizers[1]: normaliser `X`");
    case_refuse("{\"normalizer\":{\"type\":\"BertNormalizer\",\"lower\":true}," MODEL "}", NULL,
                "normalizer: option `lower`");
    case_refuse("{\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":1}," MODEL "}", NULL,
                "`lowercase` is a number");
    case_refuse("{\"pre_tokenizer\":{\"type\":\"Z\"}," MODEL "}", NULL, "pre_tokenizer: pre-tokeniser `Z`");
    case_refuse("{\"post_processor\":{\"type\":\"Z\"}," MODEL "}", NULL,
                "post_processor: post-processor `Z`");
    case_refuse("{\"decoder\":{\"type\":\"Z\"}," MODEL "}", NULL, "decoder: decoder `Z`");
    case_refuse("{\"model\":{\"type\":\"Z\"}}", NULL, "model.type: model `Z`");
    case_refuse("{\"model\":{\"type\":\"WordPiece\",\"dropout\":1,\"vocab\":{}}}", NULL,
                "model: option `dropout`");
    case_refuse("{\"more\":1," MODEL "}", NULL, "option `more`");
    case_refuse("{}", NULL, "model: is missing");
    case_refuse("{\"added_tokens\":[{\"id\":9,\"content\":\"x\",\"odd\":1}]," MODEL "}", NULL,
                "added_tokens[0]: option `odd`");
}
END_TEST

START_TEST(vocabularies) {
    case_refuse("{" MODEL_WITH("") "}", NULL, "model.vocab: is empty");
    case_refuse("{" MODEL_WITH("\"[UNK]\":0,\"a\":0") "}", NULL,
                "model.vocab: id 0 belongs to both `[UNK]` and `a`");
    case_refuse("{" MODEL_WITH("\"[UNK]\":0,\"a\":-1") "}", NULL, "`a` has no id between");
    case_refuse("{" MODEL_WITH("\"[UNK]\":0,\"a\":1.5") "}", NULL, "`a` has no id between");
    case_refuse("{" MODEL_WITH("\"[UNK]\":0,\"a\":99999999") "}", NULL, "`a` has no id between");
    case_refuse("{" MODEL_WITH("\"[UNK]\":0,\"a\\u0000b\":1") "}", NULL, "a NUL in a string");
    // ids with holes
    accept("{" MODEL_WITH("\"[UNK]\":7,\"a\":3") "}", NULL, "a b", "[UNK]:0-3");
    accept("{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}," MODEL_WITH("\"[UNK]\":7,\"a\":3,\"\":5") "}",
           NULL, "a b", "a:0-1 [UNK]:2-3");
}
END_TEST

// Ids that the file gives added tokens don't count: the vocabulary's do, else the next ones.
START_TEST(added_ids) {
    tokenizer_case c;
    ck_assert(
        case_open_text(&c,
                       "{\"added_tokens\":[{\"id\":5,\"content\":\"a\"},{\"id\":2,\"content\":\"x\"},{\"id\":"
                       "9,\"content\":\"y\"}]," MODEL "}",
                       NULL));
    ck_assert_int_eq(c.d.count, 3);
    ck_assert_ptr_nonnull(strstr(c.d.items[2].text, "added_tokens[2]: `y` has id 6, not 9"));
    size_t count;
    const bertc_token *tokens = case_encode(&c, &(bertc_text){"axy", 3, NULL, 0}, &count);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(tokens[0].id, 1);
    ck_assert_int_eq(tokens[1].id, 5);
    ck_assert_int_eq(tokens[2].id, 6);
    case_close(&c);
    // one that is there twice has the last one's rules
    accept(
        "{\"added_tokens\":[{\"id\":5,\"content\":\"x\",\"lstrip\":true},{\"id\":6,\"content\":\"x\"}]," MODEL
        "}",
        NULL, "a x", "[UNK]:0-2 x:2-3");
    // the one before has taken the space that ` y` begins with: nothing is taken twice
    accept("{\"added_tokens\":[{\"id\":5,\"content\":\"x\",\"rstrip\":true},{\"id\":6,\"content\":\" "
           "y\",\"lstrip\":true},{\"id\":7,\"content\":\" \",\"lstrip\":true}]," MODEL "}",
           NULL, "x yx ", "x:0-2  y:2-3 x:3-5  :5-5");
}
END_TEST

#define SPECIAL(name, type)  "{\"SpecialToken\":{\"id\":\"" name "\",\"type_id\":" type "}}"
#define SEQUENCE(name, type) "{\"Sequence\":{\"id\":\"" name "\",\"type_id\":" type "}}"
#define TEMPLATE(single, pair, ids)                                                                          \
    "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"post_processor\":{\"type\":"                       \
    "\"TemplateProcessing\",\"single\":[" single "],\"pair\":[" pair                                         \
    "],\"special_tokens\":{\"x\":{\"id\":\"x\",\"ids\":[" ids "],\"tokens\":[]}}}," MODEL "}"

START_TEST(templates) {
    const char *text = TEMPLATE(SEQUENCE("A", "1") "," SPECIAL("x", "2"),
                                SEQUENCE("B", "1") "," SPECIAL("x", "2") "," SEQUENCE("A", "3"), "3,4");
    tokenizer_case c;
    ck_assert_msg(case_open_text(&c, text, NULL), "%s", c.line);
    size_t count;
    const bertc_token *tokens = case_encode(&c, &(bertc_text){"a", 1, NULL, 0}, &count);
    ck_assert_str_eq(case_line(&c, tokens, count, false, true), "a:0-1/1 [CLS]/2 [SEP]/2");
    tokens = case_encode(&c, &(bertc_text){"a", 1, "a a", 3}, &count);
    ck_assert_str_eq(case_line(&c, tokens, count, false, true), "a:0-1/1 a:2-3/1 [CLS]/2 [SEP]/2 a:0-1/3");
    case_close(&c);
    case_refuse(TEMPLATE(SPECIAL("x", "0"), SEQUENCE("A", "0") "," SEQUENCE("B", "0"), "3"), NULL,
                "`single` must hold each");
    case_refuse(TEMPLATE(SEQUENCE("A", "0"), SEQUENCE("A", "0"), "3"), NULL, "`pair` must hold each");
    case_refuse(TEMPLATE(SEQUENCE("C", "0"), SEQUENCE("A", "0"), "3"), NULL,
                "post_processor.single[0]: sequence `C`");
    case_refuse(TEMPLATE(SPECIAL("y", "0"), SEQUENCE("A", "0"), "3"), NULL, "special token `y` is not among");
    case_refuse(
        TEMPLATE(SPECIAL("x", "0") "," SEQUENCE("A", "0"), SEQUENCE("A", "0") "," SEQUENCE("B", "0"), "77"),
        NULL, "post_processor: id 77 is not in the vocabulary");
    // without one, the pair's type is 1
    ck_assert(case_open_text(&c, "{" MODEL "}", NULL));
    tokens = case_encode(&c, &(bertc_text){"a", 1, "ab", 2}, &count);
    ck_assert_str_eq(case_line(&c, tokens, count, false, true), "a:0-1/0 a:0-1/1 ##b:1-2/1");
    case_close(&c);
}
END_TEST

#define LINES "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\r\nA\ncafe\n\xe4\xb8\xad"

START_TEST(vocab_txt) {
    accept(LINES, NULL, "Ab a\xe4\xb8\xad CAF\xc3\x89[MASK]",
           "[CLS] a:0-1 ##b:1-2 a:3-4 \xe4\xb8\xad:4-5 cafe:6-10 [MASK]:10-16 [SEP]");
    accept(LINES, "{\"do_lower_case\":false}", "Ab CAFE", "[CLS] A:0-1 ##b:1-2 [UNK]:3-7 [SEP]");
    accept(LINES, "{\"strip_accents\":false}", "CAF\xc3\x89", "[CLS] [UNK]:0-4 [SEP]");
    accept(LINES, "{\"tokenize_chinese_chars\":false}", "a\xe4\xb8\xad", "[CLS] [UNK]:0-2 [SEP]");
    accept(LINES, "{\"cls_token\":{\"content\":\"A\"},\"sep_token\":\"cafe\"}", "a", "A a:0-1 cafe");
}
END_TEST

// MPNet's [CLS] is an ordinary piece; ESM's pieces end words.
START_TEST(vocab_txt_classes) {
    const char *mpnet = "<s>\n<pad>\n</s>\n<unk>\n[UNK]\n[CLS]\na\n##b\n<mask>\n",
               *class = "{\"tokenizer_class\":\"MPNetTokenizer\"}";
    accept(mpnet, class, "Ab x  <mask>", "<s> a:0-1 ##b:1-2 [UNK]:3-4 <mask>:4-12 </s>");
    tokenizer_case c;
    ck_assert(case_open_text(&c, mpnet, class));
    size_t count;
    const bertc_token *tokens = case_encode(&c, &(bertc_text){"a", 1, "ab", 2}, &count);
    ck_assert_str_eq(case_line(&c, tokens, count, false, true),
                     "<s>/0 a:0-1/0 </s>/0 </s>/0 a:0-1/0 ##b:1-2/0 </s>/0");
    case_close(&c);
    const char *esm = "<cls>\n<pad>\n<eos>\n<unk>\nM\nK\n<mask>\n";
    class = "{\"tokenizer_class\":\"EsmTokenizer\"}";
    accept(esm, class, "MK M<mask>xy K", "<cls> M:0-1 K:1-2 M:3-4 <mask>:4-10 <unk>:10-12 K:13-14 <eos>");
    ck_assert(case_open_text(&c, esm, class));
    tokens = case_encode(&c, &(bertc_text){"M", 1, "K", 1}, &count);
    ck_assert_str_eq(case_line(&c, tokens, count, false, true), "<cls>/0 M:0-1/0 <eos>/0 K:0-1/1 <eos>/1");
    case_close(&c);
    accept(LINES, "{\"tokenizer_class\":\"ElectraTokenizerFast\"}", "a", "[CLS] a:0-1 [SEP]");
    case_refuse(LINES, "{\"tokenizer_class\":\"BertJapaneseTokenizer\"}",
                "what `BertJapaneseTokenizer` makes of it is not known");
    case_refuse(LINES, class, "the vocabulary has no `<unk>`, which is its unk_token");
}
END_TEST

// Files of 2020 name no type.
START_TEST(untyped) {
    accept(
        "{\"model\":{\"unk_token\":\"?\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":9,"
        "\"vocab\":{\"?\":0,\"a\":1,\"##a\":2}}}",
        NULL, "aa", "a:0-1 ##a:1-2");
    accept("{\"model\":{\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"aa\":1}}}", NULL, "aa", "aa:0-2");
    accept("{\"model\":{\"vocab\":{\"a\":0,\"aa\":1},\"merges\":[\"a a\"]}}", NULL, "aaa", "aa:0-2 a:2-3");
    accept("{\"model\":{\"unk_id\":0,\"vocab\":[[\"?\",0.0],[\"aa\",-1.0]]}}", NULL, "aa", "aa:0-2");
}
END_TEST

// A folder of some files, each a name and its text; what it makes of `input`, or its first message.
static void folder(const char *const files[][2], int count, const char *input, const char *line) {
    char path[] = "/tmp/bertc-tokenizer-XXXXXX", name[96];
    ck_assert_ptr_nonnull(mkdtemp(path));
    for (int i = 0; i < count; i++) case_write(path, files[i][0], files[i][1], strlen(files[i][1]));
    tokenizer_case c;
    if (case_open(&c, path))
        ck_assert_str_eq(case_tokens(&c, input, strlen(input)), line);
    else
        ck_assert_msg(strstr(c.line, line) != NULL, "`%s` lacks `%s`", c.line, line);
    case_close(&c);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s/%s", path, files[i][0]);
        unlink(name);
    }
    rmdir(path);
}

// What older folders say in special_tokens_map.json and added_tokens.json.
START_TEST(special_tokens_map) {
    static const char lines[] = LINES "\n[q]\n[Z]";
    const char *map = "{\"mask_token\":{\"content\":\"a\",\"lstrip\":true},\"sep_token\":\"A\",\"additional_"
                      "special_tokens\":"
                      "[\"[q]\",{\"content\":\"new\",\"rstrip\":true}]}";
    // `new` is no piece: it has the next id
    folder((const char *const[][2]){{"vocab.txt", lines}, {"special_tokens_map.json", map}}, 2,
           "x a[q]new ##b", "[CLS] [UNK]:0-1 a:1-3 [q]:3-6 new:6-10 [UNK]:10-11 [UNK]:11-12 [UNK]:12-13 A");
    const char *config = "{\"sep_token\":\"[MASK]\",\"additional_special_tokens\":[\"[Z]\"]}";
    folder((const char *const[][2]){{"vocab.txt", lines},
                                    {"special_tokens_map.json", map},
                                    {"tokenizer_config.json", config}},
           3, "[Z][q]", "[CLS] [Z]:0-3 [q]:3-6 A");
    // the newer form: beside it, sep_token says nothing
    config = "{\"sep_token\":\"[MASK]\",\"added_tokens_decoder\":{}}";
    folder((const char *const[][2]){{"vocab.txt", lines},
                                    {"special_tokens_map.json", map},
                                    {"tokenizer_config.json", config}},
           3, "a", "[CLS] a:0-1 [MASK]");
    // a special one's text is not normalised
    const char *added = "{\"NEW\":12,\"OLD\":13}";
    folder((const char *const[][2]){{"vocab.txt", lines},
                                    {"special_tokens_map.json", "{\"additional_special_tokens\":[\"NEW\"]}"},
                                    {"added_tokens.json", added}},
           3, "NEW new OLD old", "[CLS] NEW:0-3 [UNK]:4-7 OLD:8-11 OLD:12-15 [SEP]");
    folder((const char *const[][2]){{"vocab.txt", lines},
                                    {"special_tokens_map.json", "{\"additional_special_tokens\":[3]}"}},
           2, "", "`additional_special_tokens` holds a number where a token is expected");
}
END_TEST

// Where tokenizer_config.json names no class, config.json does, or its model.
START_TEST(class_of_model) {
    const char *mpnet = "<s>\n<pad>\n</s>\n<unk>\n[UNK]\n[CLS]\n[SEP]\na\n##b\n<mask>\n";
    folder((const char *const[][2]){{"vocab.txt", mpnet}, {"config.json", "{\"model_type\":\"mpnet\"}"}}, 2,
           "ab", "<s> a:0-1 ##b:1-2 </s>");
    folder((const char *const[][2]){{"vocab.txt", LINES}, {"config.json", "{\"model_type\":\"roformer\"}"}},
           2, "", "what `RoFormerTokenizer` makes of it is not known");
    folder((const char *const[][2]){{"vocab.txt", LINES},
                                    {"config.json", "{\"tokenizer_class\":\"BertJapaneseTokenizer\"}"}},
           2, "", "what `BertJapaneseTokenizer` makes of it is not known");
    folder((const char *const[][2]){{"vocab.txt", LINES},
                                    {"tokenizer_config.json", "{\"word_tokenizer_type\":\"mecab\"}"}},
           2, "", "tokenizer_config.json: word_tokenizer_type: `mecab` is not known");
    folder((const char *const[][2]){{"spiece.model", "x"}}, 1, "", "spiece.model: is sentencepiece's");
}
END_TEST

// Both files may say how texts are normalised. Where they differ, a class that builds its normaliser goes by
// tokenizer_config.json, with a note.
START_TEST(normaliser_twice) {
    static const char text[] =
        "{\"normalizer\":{\"type\":\"BertNormalizer\",\"strip_accents\":null},\"pre_tokenizer\":{\"type\":"
        "\"BertPreTokenizer\"}," MODEL "}";
    static const struct {
        const char *config, *note, *line;
    } cases[] = {
        {"{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":true,\"strip_accents\":null}", NULL,
         "[CLS] a:0-1 [SEP]"},
        {"{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":false}",
         "normalizer: not taken as it stands: Transformers' BertTokenizer builds its own",
         "[CLS] [UNK]:0-1 [SEP]"},
        {"{\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"do_lower_case\":false}", NULL, "a:0-1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tokenizer_case c;
        ck_assert_msg(case_open_text(&c, text, cases[i].config), "%s", c.line);
        bool noted = false;
        for (int k = 0; k < c.d.count; k++) noted |= strstr(c.d.items[k].text, "normalizer") != NULL;
        ck_assert_int_eq(noted, cases[i].note != NULL);
        if (noted) ck_assert_ptr_nonnull(strstr(c.d.items[0].text, cases[i].note));
        ck_assert_str_eq(case_tokens(&c, "A", 1), cases[i].line);
        case_close(&c);
    }
    case_refuse(text, "{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":3}",
                "tokenizer_config.json: do_lower_case: is a number");
    case_refuse(text, "{\"tokenizer_class\":\"X\",\"model_input_names\":\"ids\"}",
                "`model_input_names` is a string where an array is expected");
    case_refuse(text, "{\"tokenizer_class\":\"X\",\"truncation_side\":\"up\"}",
                "truncation_side: `up` is neither left nor right");
    case_refuse(text, "{\"tokenizer_class\":\"X\",\"added_tokens_decoder\":{\"x\":{\"content\":\"a\"}}}",
                "added_tokens_decoder of its tokenizer_config.json: `x` is no token");
    case_refuse("{\"truncation\":{\"direction\":\"Up\"}," MODEL "}", NULL,
                "truncation: direction `Up` is neither Left nor Right");
}
END_TEST

// A class whose model is another than the file's: the file is read as it is.
START_TEST(other_model) {
    tokenizer_case c;
    ck_assert(case_open_text(&c, "{" MODEL "}", "{\"tokenizer_class\":\"RobertaTokenizer\"}"));
    ck_assert_ptr_nonnull(strstr(c.d.items[0].text, "model.type: is WordPiece, and not the BPE"));
    ck_assert_str_eq(case_tokens(&c, "ab", 2), "a:0-1 ##b:1-2");
    case_close(&c);
}
END_TEST

START_TEST(vocab_txt_refused) {
    case_refuse("a\nb\n", NULL, "vocab.txt: the vocabulary has no `[UNK]`, which is its unk_token");
    case_refuse("[UNK]\n[CLS]\na\n", NULL, "the vocabulary has no `[SEP]`, which is its sep_token");
    case_refuse(LINES, "{\"do_lower_case\":3}", "tokenizer_config.json: do_lower_case: is a number");
    case_refuse(LINES, "{\"do_basic_tokenize\":false}", "do_basic_tokenize: is false");
    case_refuse(LINES, "{\"added_tokens_decoder\":{\"x\":{\"content\":\"a\"}}}", "`x` is no token");
    case_refuse(LINES, "{\"added_tokens_decoder\":{\"9\":{\"content\":\"a\"}}}",
                "`a` has id 9, but 5 in the vocabulary");
    case_refuse(LINES, "[1]", "tokenizer_config.json: holds an array");
    tokenizer_case c;
    ck_assert(!case_open(&c, "/nowhere"));
    case_close(&c);
    ck_assert(!case_open(&c, BERTC_TESTS));
    ck_assert_ptr_nonnull(strstr(c.line, "has no tokenizer.json, no vocab.json with merges.txt"));
    case_close(&c);
}
END_TEST

START_TEST(roles) {
    tokenizer_case c;
    ck_assert(case_open_text(&c, LINES, "{\"model_max_length\":512}"));
    const bertc_tokenizer *t = c.table;
    ck_assert_int_eq(t->pad_id, 0);
    ck_assert_int_eq(t->unk_id, 1);
    ck_assert_int_eq(t->cls_id, 2);
    ck_assert_int_eq(t->sep_id, 3);
    ck_assert_int_eq(t->mask_id, 4);
    ck_assert_uint_eq(t->max_length, 512);
    ck_assert_uint_eq(t->vocab_size, 10);
    ck_assert_str_eq(bertc_tokenizer_text(c.handle, 6), "##b");
    ck_assert_ptr_null(bertc_tokenizer_text(c.handle, 10));
    ck_assert_ptr_null(bertc_tokenizer_text(c.handle, -1));
    case_close(&c);
    ck_assert(case_open_text(&c, "{" MODEL "}", "{\"model_max_length\":1e30}"));
    t = c.table;
    ck_assert_int_eq(t->pad_id, -1);
    ck_assert_int_eq(t->mask_id, -1);
    ck_assert_uint_eq(t->max_length, 0);
    case_close(&c);
}
END_TEST

// A vocabulary of random texts: every one is found again.
START_TEST(tries) {
    enum { COUNT = 20000 };
    char *text = malloc(COUNT * 24 + 64), *p = text;
    unsigned seed = 7;
    p += sprintf(p, "[UNK]\n[CLS]\n[SEP]\n");
    for (int i = 0; i < COUNT; i++) {
        p += sprintf(p, "%x", i);
        for (int k = 0; k < (int)(seed >> 28); k++) *p++ = (char)('a' + (seed >> (k + 8)) % 7);
        *p++ = '\n';
        seed = seed * 1664525u + 1013904223u;
    }
    *p = 0;
    tokenizer_case c;
    ck_assert(case_open_text(&c, text, NULL));
    char *copy = strdup(text), *save = NULL;
    int id = 0, seen = 0;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save), id++) {
        ck_assert_str_eq(bertc_tokenizer_text(c.handle, id), line);
        size_t count;
        const bertc_token *tokens = case_encode(&c, &(bertc_text){line, strlen(line), NULL, 0}, &count);
        // a text that is there twice counts with its last id
        ck_assert_uint_eq(count, 3);
        ck_assert_str_eq(bertc_tokenizer_text(c.handle, tokens[1].id), line);
        seen += tokens[1].id == id;
    }
    ck_assert_int_gt(seen, COUNT / 2);
    free(copy);
    free(text);
    case_close(&c);
}
END_TEST

int main(void) {
    Suite *s = suite_create("tokenizer files");
    TCase *t = tcase_create("files");
    tcase_add_test(t, unknown_parts);
    tcase_add_test(t, vocabularies);
    tcase_add_test(t, added_ids);
    tcase_add_test(t, templates);
    tcase_add_test(t, vocab_txt);
    tcase_add_test(t, vocab_txt_classes);
    tcase_add_test(t, untyped);
    tcase_add_test(t, special_tokens_map);
    tcase_add_test(t, class_of_model);
    tcase_add_test(t, normaliser_twice);
    tcase_add_test(t, other_model);
    tcase_add_test(t, vocab_txt_refused);
    tcase_add_test(t, roles);
    tcase_add_test(t, tries);
    suite_add_tcase(s, t);
    return suite_status(s);
}
