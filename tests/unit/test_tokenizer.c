// links: hub ir runtime
// BERT's tokenizer rule by rule, on a vocabulary of a few words.
#include "main.h"
#include "tokenizer_case.h"

#include <malloc.h>

#define VOCAB                                                                                                \
    "\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"un\":5,\"##aff\":6,\"##able\":7,"        \
    "\"cafe\":8,\"a\":9,"                                                                                    \
    "\"##b\":10,\",\":11,\"!\":12,\"i\":13,\"##\\u0307\":14,\"\\u4e2d\":15,\"caf\\u00e9\":16,\"A\":17,\"##"  \
    "a\":18,\"ss\":19,"                                                                                      \
    "\"\\ufffd\":20"
#define ADDED(content, id, options)                                                                          \
    "{\"id\":" id ",\"content\":\"" content "\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"    \
    "\"normalized\":false,\"special\":true" options "}"
#define SPECIALS                                                                                             \
    ADDED("[PAD]", "0", "")                                                                                  \
    "," ADDED("[UNK]", "1", "") "," ADDED("[CLS]", "2", "") "," ADDED("[SEP]", "3", "") "," ADDED("[MASK]",  \
                                                                                                  "4", "")
#define TEMPLATE "{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2]}"
#define NORMALIZER(clean, chinese, strip, lower)                                                             \
    "{\"type\":\"BertNormalizer\",\"clean_text\":" clean ",\"handle_chinese_chars\":" chinese                \
    ",\"strip_accents\":" strip ",\"lowercase\":" lower "}"
#define MODEL "{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"vocab\":{" VOCAB "}}"
#define FILE_OF(normalizer, more)                                                                            \
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[" SPECIALS more             \
    "],\"normalizer\":" normalizer                                                                           \
    ",\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"post_processor\":" TEMPLATE                        \
    ",\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},\"model\":" MODEL "}"
#define PLAIN FILE_OF(NORMALIZER("true", "true", "null", "true"), "")

#define EXPECT_IN(file, text, line) case_expect(file, text, sizeof(text) - 1, line)
#define EXPECT(text, line)          EXPECT_IN(PLAIN, text, line)

START_TEST(words) {
    EXPECT("unaffable", "[CLS] un:0-2 ##aff:2-5 ##able:5-9 [SEP]");
    EXPECT("", "[CLS] [SEP]");
    EXPECT(" \t\n ", "[CLS] [SEP]");
    EXPECT("un un", "[CLS] un:0-2 un:3-5 [SEP]");
    EXPECT("unx", "[CLS] [UNK]:0-3 [SEP]"); // a part that is no piece makes all of the word unknown
    EXPECT("un,a!", "[CLS] un:0-2 ,:2-3 a:3-4 !:4-5 [SEP]");
    EXPECT("ab\xe3\x80\x82"
           "a",
           "[CLS] a:0-1 ##b:1-2 [UNK]:2-3 a:3-4 [SEP]");
}
END_TEST

START_TEST(long_words) {
    char text[102];
    memset(text, 'a', sizeof text);
    tokenizer_case c;
    ck_assert(case_open_text(&c, PLAIN, NULL));
    size_t count;
    case_encode(&c, &(bertc_text){text, 100, NULL, 0}, &count);
    ck_assert_uint_eq(count, 102);
    ck_assert_str_eq(case_tokens(&c, text, 101), "[CLS] [UNK]:0-101 [SEP]");
    case_close(&c);
}
END_TEST

START_TEST(normaliser) {
    EXPECT("CAF\xc3\x89", "[CLS] cafe:0-4 [SEP]");
    EXPECT("cafe\xcc\x81", "[CLS] cafe:0-4 [SEP]"); // the mark is dropped behind the word
    EXPECT("c\xcc\x81"
           "afe",
           "[CLS] cafe:0-5 [SEP]");
    EXPECT("u\0n\x01 a\xc2\xad"
           "b\xef\xbf\xbd",
           "[CLS] un:0-3 a:5-6 ##b:7-8 [SEP]");
    EXPECT("a\xe4\xb8\xad"
           "a",
           "[CLS] a:0-1 \xe4\xb8\xad:1-2 a:2-3 [SEP]");
    EXPECT("\xc4\xb0", "[CLS] i:0-1 [SEP]");
    EXPECT_IN(FILE_OF(NORMALIZER("true", "true", "false", "true"), ""), "\xc4\xb0",
              "[CLS] i:0-1 ##\xcc\x87:0-1 [SEP]");
    EXPECT_IN(FILE_OF(NORMALIZER("true", "true", "false", "true"), ""), "CAF\xc3\x89",
              "[CLS] caf\xc3\xa9:0-4 [SEP]");
    EXPECT_IN(FILE_OF(NORMALIZER("true", "true", "true", "false"), ""), "A caf\xc3\xa9",
              "[CLS] A:0-1 cafe:2-6 [SEP]");
    EXPECT_IN(FILE_OF(NORMALIZER("true", "true", "null", "false"), ""), "caf\xc3\xa9",
              "[CLS] caf\xc3\xa9:0-4 [SEP]");
    EXPECT_IN(FILE_OF(NORMALIZER("true", "false", "null", "true"), ""),
              "a\xe4\xb8\xad"
              "a",
              "[CLS] [UNK]:0-3 [SEP]");
    EXPECT_IN(FILE_OF(NORMALIZER("false", "true", "null", "true"), ""), "un\x01", "[CLS] [UNK]:0-3 [SEP]");
    EXPECT_IN(FILE_OF("null", ""), "un UN", "[CLS] un:0-2 [UNK]:3-5 [SEP]");
}
END_TEST

START_TEST(replaced_bytes) { // one U+FFFD for each maximal part of a character, as Python has it
    const char *file = FILE_OF(NORMALIZER("false", "true", "false", "true"), "");
    tokenizer_case c;
    ck_assert(case_open_text(&c, file, NULL));
    size_t count;
    const char text[] = "a \xff \xe4\xb8 \xf0\x9f\x92 \xed\xa0\x80 a\xc3";
    const bertc_token *tokens = case_encode(&c, &(bertc_text){text, sizeof text - 1, NULL, 0}, &count);
    ck_assert_str_eq(case_line(&c, tokens, count, true, false),
                     "[CLS] a:0-1(0-1) \xef\xbf\xbd:2-3(2-3) \xef\xbf\xbd:4-5(4-6) \xef\xbf\xbd:6-7(7-10) "
                     "[UNK]:8-11(11-14) [UNK]:12-14(15-17) [SEP]");
    case_close(&c);
}
END_TEST

START_TEST(special_tokens) {
    EXPECT("a[MASK]b", "[CLS] a:0-1 [MASK]:1-7 [UNK]:7-8 [SEP]");
    EXPECT("[mask]", "[CLS] [UNK]:0-1 [UNK]:1-5 [UNK]:5-6 [SEP]");
    EXPECT("[[MASK]]", "[CLS] [UNK]:0-1 [MASK]:1-7 [UNK]:7-8 [SEP]");
    EXPECT("[CLS][SEP]", "[CLS] [CLS]:0-5 [SEP]:5-10 [SEP]");
}
END_TEST

START_TEST(added_tokens) {
    const char *text = FILE_OF(
        NORMALIZER("true", "true", "null", "true"),
        ",{\"id\":21,\"content\":\"<l>\",\"lstrip\":true},{\"id\":22,\"content\":\"<r>\",\"rstrip\":true},"
        "{\"id\":23,\"content\":\"Word\",\"single_word\":true},"
        "{\"id\":24,\"content\":\"B\\u00c9\",\"normalized\":true},{\"id\":25,\"content\":\"ununun\"}");
    EXPECT_IN(text, "a \n<l> a", "[CLS] a:0-1 <l>:1-6 a:7-8 [SEP]");
    EXPECT_IN(text, "a <r>\xe3\x80\x80 a", "[CLS] a:0-1 <r>:2-7 a:7-8 [SEP]");
    EXPECT_IN(text, "Word aWord Word!", "[CLS] Word:0-4 [UNK]:5-10 Word:11-15 !:15-16 [SEP]");
    EXPECT_IN(text, "ab\xc3\xa9 abe", "[CLS] a:0-1 B\xc3\x89:1-3 a:4-5 B\xc3\x89:5-7 [SEP]");
    EXPECT_IN(text, "unununun", "[CLS] ununun:0-6 un:6-8 [SEP]");
}
END_TEST

START_TEST(pairs) {
    tokenizer_case c;
    ck_assert(case_open_text(&c, PLAIN, NULL));
    size_t count;
    const bertc_token *tokens = case_encode(&c, &(bertc_text){"un a", 4, "a", 1}, &count);
    ck_assert_str_eq(case_line(&c, tokens, count, false, true),
                     "[CLS]/0 un:0-2/0 a:3-4/0 [SEP]/0 a:0-1/1 [SEP]/1");
    ck_assert_int_eq(tokens[0].text, -1);
    ck_assert_int_eq(tokens[0].word, -1);
    ck_assert_int_eq(tokens[2].word, 1);
    ck_assert_int_eq(tokens[4].text, 1);
    ck_assert_int_eq(tokens[4].word, 0);
    tokens = case_encode(&c, &(bertc_text){"a", 1, "", 0}, &count);
    ck_assert_str_eq(case_line(&c, tokens, count, false, true), "[CLS]/0 a:0-1/0 [SEP]/0 [SEP]/1");
    case_close(&c);
}
END_TEST

static const char *cut(tokenizer_case *c, const char *text, const char *pair, int64_t most,
                       bertc_truncation how) {
    const bertc_token *tokens;
    size_t count;
    bertc_error error;
    bertc_text t = {text, strlen(text), pair, pair ? strlen(pair) : 0};
    if (!bertc_tokenizer_encode(c->handle, &t, most, how, &tokens, &count, &error))
        return snprintf(c->line, sizeof c->line, "%s", error.message), c->line;
    return case_line(c, tokens, count, false, false);
}

START_TEST(truncation) {
    tokenizer_case c;
    ck_assert(case_open_text(&c, PLAIN, NULL));
    ck_assert_str_eq(cut(&c, "a a a", NULL, 4, BERTC_TRUNCATE_LONGEST_FIRST), "[CLS] a:0-1 a:2-3 [SEP]");
    ck_assert_str_eq(cut(&c, "a a a", NULL, 5, BERTC_TRUNCATE_NEVER), "[CLS] a:0-1 a:2-3 a:4-5 [SEP]");
    ck_assert_str_eq(
        cut(&c, "a a a", NULL, 3, BERTC_TRUNCATE_NEVER),
        "text of 5 tokens, 2 more than the limit of 3: it can be truncated, or read in windows (bertc run "
        "--long truncate, --long window; tokenize --truncate)");
    ck_assert_str_eq(cut(&c, "a a a", NULL, 1, BERTC_TRUNCATE_ONLY_FIRST),
                     "max_tokens is 1, but the special tokens alone are 2");
    ck_assert_str_eq(cut(&c, "a a a", "a", 5, BERTC_TRUNCATE_LONGEST_FIRST), "[CLS] a:0-1 [SEP] a:0-1 [SEP]");
    ck_assert_str_eq(cut(&c, "a a a", "a", 5, BERTC_TRUNCATE_ONLY_FIRST), "[CLS] a:0-1 [SEP] a:0-1 [SEP]");
    ck_assert_str_eq(cut(&c, "a", "a a a", 6, BERTC_TRUNCATE_ONLY_SECOND),
                     "[CLS] a:0-1 [SEP] a:0-1 a:2-3 [SEP]");
    ck_assert_str_eq(cut(&c, "a a a a a a a a a", "a a a a", 10, BERTC_TRUNCATE_LONGEST_FIRST),
                     "[CLS] a:0-1 a:2-3 a:4-5 a:6-7 [SEP] a:0-1 a:2-3 a:4-5 [SEP]");
    ck_assert_str_eq(cut(&c, "a a a", "a", 4, BERTC_TRUNCATE_ONLY_SECOND),
                     "the second text has 1 tokens and would have to lose 3");
    ck_assert_str_eq(cut(&c, "a a a", NULL, 4, BERTC_TRUNCATE_ONLY_SECOND),
                     "only the second text may be cut, and there is none");
    // reading stops at a word, not at an added token: the first text is the longer one, by 9 to 8
    ck_assert_str_eq(cut(&c, "[MASK][MASK][MASK][MASK][MASK][MASK][MASK][MASK] a a", "a a a a a a a a a", 8,
                         BERTC_TRUNCATE_LONGEST_FIRST),
                     "[CLS] [MASK]:0-6 [MASK]:6-12 [MASK]:12-18 [SEP] a:0-1 a:2-3 [SEP]");
    case_close(&c);
    // without special tokens too
    ck_assert(
        case_open_text(&c, "{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":" MODEL "}", NULL));
    ck_assert_str_eq(cut(&c, "a a a", NULL, 2, BERTC_TRUNCATE_ONLY_SECOND),
                     "only the second text may be cut, and there is none");
    case_close(&c);
}
END_TEST

// 10 MB of one thing; a quadratic step anywhere would not end. `each`: tokens that a unit gives; 0: `all` in
// sum.
static void hard(const char *unit, size_t each, size_t all) {
    tokenizer_case c;
    ck_assert_msg(case_open_text(&c, PLAIN, NULL), "%s", c.line);
    size_t n = strlen(unit), size = (10u << 20) / n * n, count;
    char *text = malloc(size);
    for (size_t i = 0; i < size; i += n) memcpy(text + i, unit, n);
    case_encode(&c, &(bertc_text){text, size, NULL, 0}, &count);
    ck_assert_uint_eq(count, (each ? each * (size / n) : all) + 2);
    free(text);
    case_close(&c);
}

// Texts up to the size that the tokenizer was opened for allocate nothing, whatever they hold.
START_TEST(no_allocation) {
    static const char *const units[] = {
        "a", "\xff", "\xce\x90", "\xe4\xb8\xad", "\xc4\xb0", "\xcc\x81\xcc\xa3", "[SEP]", "\xf0\x9d\x85\xa0",
        "!"};
    tokenizer_case c;
    ck_assert(case_open_text(&c, PLAIN, NULL));
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        char text[256];
        size_t n = strlen(units[i]), size = sizeof text / n * n, count;
        for (size_t k = 0; k < size; k += n) memcpy(text + k, units[i], n);
        struct mallinfo2 before = mallinfo2();
        case_encode(&c, &(bertc_text){text, size, text, size}, &count);
        struct mallinfo2 after = mallinfo2();
        ck_assert_msg(after.uordblks == before.uordblks && after.hblkhd == before.hblkhd, "`%s` allocates",
                      units[i]);
    }
    case_close(&c);
}
END_TEST

START_TEST(long_texts) {
    hard("a", 0, 1);
    hard("a ", 1, 0);
    hard("\xc3\xa9 ", 1, 0);
    hard("\xcc\x81\xcc\xa7\xcd\x82\xcc\xa3", 0, 0); // marks, out of order
    hard("\xe0\xa4\x83\xcc\x81\xcc\xa3", 0, 1);
    hard("[MASK]", 1, 0);
    hard("[MASK", 2, 0);
    hard("\xe4\xb8\xad", 1, 0);
    hard("\xff", 0, 0);
    hard("\xc3\xa9x ", 1, 0);
}
END_TEST

int main(void) {
    Suite *s = suite_create("tokenizer");
    TCase *t = tcase_create("rules");
    tcase_add_test(t, words);
    tcase_add_test(t, long_words);
    tcase_add_test(t, normaliser);
    tcase_add_test(t, replaced_bytes);
    tcase_add_test(t, special_tokens);
    tcase_add_test(t, added_tokens);
    tcase_add_test(t, pairs);
    tcase_add_test(t, truncation);
    tcase_add_test(t, no_allocation);
    tcase_add_test(t, long_texts);
    suite_add_tcase(s, t);
    return suite_status(s);
}
