// links: hub ir runtime
// Normaliser and pre-tokeniser components, each alone: what words and characters come out.
#include "main.h"
#include "tokenizer_case.h"

#define WORDS(rest)                                                                                          \
    "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"ab\":3,"    \
    "\"-\":4,\"\\u00e9\":5,\"fi\":6,\"\\uac00\":7,\" \":8,\"a b\":9,\"\\u1ed9\":10}}" rest "}"
#define PRE(one)        WORDS(",\"pre_tokenizer\":" one)
#define NORMALIZER(one) WORDS(",\"normalizer\":" one)
#define SPLIT(pattern, behaviour, more)                                                                      \
    PRE("{\"type\":\"Split\",\"pattern\":" pattern ",\"behavior\":\"" behaviour "\"" more "}")
#define DASH "{\"String\":\"-\"}"
#define ANY  "{\"Regex\":\"-\"}"
#define LLAMA                                                                                                \
    "{\"Regex\":\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| "      \
    "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"}"

static void expect(const char *file, const char *text, const char *line) {
    case_expect(file, text, strlen(text), line);
}

static void refuse(const char *file, const char *cause) {
    case_refuse(file, NULL, cause);
}

START_TEST(word_level) {
    expect(WORDS(""), "ab", "ab:0-2");
    expect(WORDS(""), "abc", "?:0-3");
}
END_TEST

// The example of Hugging Face's documentation, "the-final--countdown", as "a-b--ab".
START_TEST(behaviours) {
    static const char *const text = "a-b--ab";
    expect(SPLIT(DASH, "Removed", ""), text, "a:0-1 b:2-3 ab:5-7");
    expect(SPLIT(DASH, "Isolated", ""), text, "a:0-1 -:1-2 b:2-3 -:3-4 -:4-5 ab:5-7");
    expect(SPLIT(DASH, "MergedWithPrevious", ""), text, "?:0-2 ?:2-4 -:4-5 ab:5-7");
    expect(SPLIT(DASH, "MergedWithNext", ""), text, "a:0-1 ?:1-3 -:3-4 ?:4-7");
    expect(SPLIT(DASH, "Contiguous", ""), text, "a:0-1 -:1-2 b:2-3 ?:3-5 ab:5-7");
    expect(SPLIT(ANY, "MergedWithNext", ""), text, "a:0-1 ?:1-3 -:3-4 ?:4-7");
    expect(SPLIT(ANY, "Removed", ",\"invert\":true"), text, "-:1-2 -:3-4 -:4-5");
    expect(SPLIT(ANY, "Isolated", ",\"invert\":true"), text, "a:0-1 -:1-2 b:2-3 -:3-4 -:4-5 ab:5-7");
    expect(SPLIT(ANY, "MergedWithPrevious", ",\"invert\":true"), text, "a:0-1 ?:1-3 -:3-4 ?:4-7");
    expect(SPLIT(DASH, "MergedWithPrevious", ""), "-a", "-:0-1 a:1-2");
    expect(SPLIT(DASH, "MergedWithNext", ""), "a-", "a:0-1 -:1-2");
    expect(SPLIT(DASH, "Removed", ""), "--", "");
    refuse(SPLIT(DASH, "Often", ""), "pre_tokenizer: behavior `Often` is not known");
}
END_TEST

START_TEST(patterns) {
    expect(SPLIT(LLAMA, "Isolated", ""), "I'LL 12345!!\n\n a  b",
           "?:0-1 ?:1-4  :4-5 ?:5-8 ?:8-10 ?:10-14 ?:14-16  :16-17 ?:17-19");
}
END_TEST

START_TEST(pattern_dialects) {
    expect(SPLIT("{\"Regex\":\"(?=b)\"}", "Isolated", ""), "abab", "a:0-1 ?:1-3 b:3-4");
    expect(SPLIT("{\"Regex\":\"\\\\s\"}", "Removed", ""),
           "a\xc2\x85"
           "b\xe1\xa0\x8e",
           "a:0-1 ?:2-4");
    expect(SPLIT("{\"Regex\":\"[^\\\\w]\"}", "Removed", ""), "a\xcc\x81-b", "?:0-2 b:3-4");
    expect(SPLIT("{\"Regex\":\"\\\\u002d\"}", "Removed", ""), "a-b", "a:0-1 b:2-3");
    expect(SPLIT("{\"Regex\":\"[[:digit:]]+\"}", "Removed", ""), "a12b", "a:0-1 b:3-4");
    // a letter of Unicode 16; words as Oniguruma has them; complements within classes; `\v` is one character
    expect(SPLIT("{\"Regex\":\"\\\\p{L}\"}", "Removed", ""), "-\xf0\x93\xb1\x8a-", "-:0-1 -:2-3");
    expect(SPLIT("{\"Regex\":\"[^\\\\W\\\\d]\"}", "Removed", ""), "-a1\xcc\x81-", "-:0-1 ?:2-3 -:4-5");
    expect(SPLIT("{\"Regex\":\"[\\\\Wa]\"}", "Removed", ""), "-ab", "b:2-3");
    expect(SPLIT("{\"Regex\":\"\\\\b\"}", "Isolated", ""), "a\xcc\x81-b", "?:0-2 -:2-3 b:3-4");
    expect(SPLIT("{\"Regex\":\"\\\\h+\"}", "Removed", ""), "-aF-", "-:0-1 -:3-4");
    expect(SPLIT("{\"Regex\":\"\\\\v\"}", "Removed", ""), "a\vb\n", "a:0-1 ?:2-4");
    expect(SPLIT("{\"Regex\":\"[[:punct:]]\"}", "Removed", ""), "a+b", "a:0-1 b:2-3");
    expect(SPLIT("{\"Regex\":\"b{,1}-\"}", "Removed", ""), "ab-", "a:0-1");
    refuse(SPLIT("{\"Regex\":\"[[:upper:]]\"}", "Removed", ""), "is not supported");
    refuse(SPLIT("{\"Regex\":\"[a\"}", "Removed", ""), "a class without an end");
    refuse(SPLIT("{\"Regex\":\"[a[b]]\"}", "Removed", ""), "a class within a class is not supported");
    refuse(SPLIT("{\"Regex\":\"a(\"}", "Removed", ""), "pre_tokenizer: regular expression `a(`: missing");
    refuse(SPLIT("{\"Regex\":\"\\\\C\"}", "Removed", ""), "pre_tokenizer: regular expression");
    refuse(SPLIT("{\"Regex\":\"(?m:a)\"}", "Removed", ""), "is not supported");
    refuse(SPLIT("{\"Glob\":\"a\"}", "Removed", ""), "lacks a pattern");
}
END_TEST

START_TEST(pretokenisers) {
    expect(PRE("{\"type\":\"Whitespace\"}"), "a  b--\xc3\xa9 ", "a:0-1 b:3-4 ?:4-6 \xc3\xa9:6-7");
    expect(PRE("{\"type\":\"WhitespaceSplit\"}"), "a  b-", "a:0-1 ?:3-5");
    expect(PRE("{\"type\":\"Punctuation\"}"), "a--", "a:0-1 -:1-2 -:2-3");
    expect(PRE("{\"type\":\"Punctuation\",\"behavior\":\"Contiguous\"}"), "a--", "a:0-1 ?:1-3");
    expect(PRE("{\"type\":\"Digits\"}"), "a12b", "a:0-1 ?:1-3 b:3-4");
    expect(PRE("{\"type\":\"Digits\",\"individual_digits\":true}"), "a12", "a:0-1 ?:1-2 ?:2-3");
    expect(PRE("{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"b\"}"), "aba", "a:0-1 a:2-3");
    expect(PRE("{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},{\"type\":"
               "\"Digits\"}]}"),
           "a1 b", "a:0-1 ?:1-2 b:3-4");
    expect(PRE("{\"type\":\"FixedLength\",\"length\":2}"), "ab\xc3\xa9-b", "ab:0-2 ?:2-4 b:4-5");
    expect(PRE("{\"type\":\"FixedLength\"}"), "ababab", "?:0-5 b:5-6");
    expect(PRE("{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},{\"type\":"
               "\"FixedLength\",\"length\":1}]}"),
           "ab a", "a:0-1 b:1-2 a:3-4");
    refuse(PRE("{\"type\":\"FixedLength\",\"length\":0}"), "pre_tokenizer.length: is 0, outside 1");
    refuse(PRE("{\"type\":\"UnicodeScripts\"}"), "pre-tokeniser `UnicodeScripts` is not known");
    refuse(PRE("{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"}"), "delimiter is not one character");
    refuse(PRE("{\"type\":\"Metaspace\",\"replacement\":\"ab\"}"), "replacement is not one character");
    refuse(PRE("{\"type\":\"Digits\",\"some\":1}"), "pre_tokenizer: option `some` is not known");
}
END_TEST

START_TEST(composition) {
    expect(NORMALIZER("{\"type\":\"NFC\"}"), "e\xcc\x81",
           "\xc3\xa9:0-1"); // the mark is dropped behind its base
    expect(NORMALIZER("{\"type\":\"NFC\"}"), "\xc3\xa9", "\xc3\xa9:0-1");
    expect(NORMALIZER("{\"type\":\"NFC\"}"), "\xe1\x84\x80\xe1\x85\xa1", "\xea\xb0\x80:0-1"); // Hangul
    expect(NORMALIZER("{\"type\":\"NFC\"}"), "\xea\xb0\x80\xe1\x86\xa7", "?:0-2"); // U+11A7 is no final
    expect(NORMALIZER("{\"type\":\"NFC\"}"), "\xef\xac\x81", "?:0-1");
    expect(NORMALIZER("{\"type\":\"NFKC\"}"), "\xef\xac\x81", "fi:0-1");
    expect(NORMALIZER("{\"type\":\"NFC\"}"), "a", "a:0-1");
    // marks in any order: dot below comes first
    expect(NORMALIZER("{\"type\":\"NFC\"}"), "o\xcc\x82\xcc\xa3", "\xe1\xbb\x99:0-1");
}
END_TEST

START_TEST(normalisers) {
    expect(NORMALIZER("{\"type\":\"Nmt\"}"), "a\x01\tb", "a b:0-4");
    expect(NORMALIZER("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"-+\"},\"content\":\"b\"}"), "a--",
           "ab:0-3");
    expect(NORMALIZER("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"x\"},\"content\":\"\"}"), "axb",
           "ab:0-3");
    expect(NORMALIZER("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"^\"},\"content\":\"a\"}"), "b",
           "ab:0-1");
    refuse(NORMALIZER("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},\"content\":\"\"}"),
           "normalizer: regular");
}
END_TEST

int main(void) {
    Suite *s = suite_create("tokenizer steps");
    TCase *t = tcase_create("steps");
    tcase_add_test(t, word_level);
    tcase_add_test(t, behaviours);
    tcase_add_test(t, patterns);
    tcase_add_test(t, pattern_dialects);
    tcase_add_test(t, pretokenisers);
    tcase_add_test(t, composition);
    tcase_add_test(t, normalisers);
    suite_add_tcase(s, t);
    return suite_status(s);
}
