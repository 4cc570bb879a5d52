// links: hub ir runtime
// Byte-level BPE and Unigram, and the steps that their files name, on vocabularies of a few pieces.
#include "main.h"
#include "tokenizer_case.h"

// --- Byte-level BPE: the 256 bytes' pieces, then those of the test.

static char *put_character(char *o, unsigned c) {
    if (c < 0x80) {
        if (c == '"' || c == '\\') *o++ = '\\';
        *o++ = (char)c;
    } else {
        *o++ = (char)(0xc0 | c >> 6);
        *o++ = (char)(0x80 | (c & 0x3f));
    }
    return o;
}

// {"model": {... the bytes with ids 0 to 255, `pieces`}, `rest`}; freed by the caller.
static char *bpe_file(const char *pieces, const char *merges, const char *rest) {
    char *text = malloc(16384), *o = text + sprintf(text, "{\"model\":{\"type\":\"BPE\",\"vocab\":{");
    unsigned next = 256;
    for (unsigned b = 0; b < 256; b++) {
        bool itself = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        *o++ = '"';
        o = put_character(o, itself ? b : next++);
        o += sprintf(o, "\":%u,", b);
    }
    sprintf(o, "%s},\"merges\":[%s]},%s}", pieces, merges, rest);
    return text;
}

#define BYTE_LEVEL(prefix)                                                                                   \
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":" prefix                                 \
    ",\"trim_offsets\":true,\"use_regex\":true}"
#define PIECES "\"ab\":256,\"abc\":257,\"bc\":258,\"\\u0120a\":259,\"aa\":260,\"aaaa\":261,\"<m>\":262"
#define MERGES "\"a b\",[\"ab\",\"c\"],\"b c\",\"\\u0120 a\",\"a a\",\"aa aa\""
#define ROBERTA(prefix)                                                                                      \
    "\"post_processor\":{\"type\":\"RobertaProcessing\",\"sep\":[\"z\",122],\"cls\":[\"y\",121],\"trim_"     \
    "offsets\":true,"                                                                                        \
    "\"add_prefix_space\":" prefix "}"

static const char *tokens_of(tokenizer_case *c, const char *file, const char *text) {
    ck_assert_msg(case_open_text(c, file, NULL), "%s", c->line);
    return case_tokens(c, text, strlen(text));
}

static void expect(const char *file, const char *text, const char *line) {
    tokenizer_case c;
    ck_assert_str_eq(tokens_of(&c, file, text), line);
    case_close(&c);
}

START_TEST(bpe) {
    char *file = bpe_file(PIECES, MERGES, BYTE_LEVEL("false"));
    expect(file, "abc", "abc:0-3");
    expect(file, "bc", "bc:0-2");
    expect(file, "xbc", "x:0-1 bc:1-3");
    expect(file, "aaaaa", "aaaa:0-4 a:4-5"); // of equal ranks the leftmost
    expect(file, "aab", "a:0-1 ab:1-3");     // the lower rank first, not the left
    expect(file, "a abc", "a:0-1 \xc4\xa0:1-2 abc:2-5");
    expect(file, "a ac",
           "a:0-1 \xc4\xa0"
           "a:1-3 c:3-4");
    expect(file, "\xc3\xa9", "\xc3\x83:0-1 \xc2\xa9:0-1"); // a byte of a character stands for all of it
    free(file);
    file = bpe_file(PIECES, MERGES, BYTE_LEVEL("true") "," ROBERTA("true"));
    expect(file, "a ac",
           "y \xc4\xa0"
           "a:0-1 \xc4\xa0"
           "a:2-3 c:3-4 z"); // offsets without the spaces
    free(file);
    file = bpe_file(
        PIECES, MERGES,
        "\"added_tokens\":[{\"id\":262,\"content\":\"<m>\",\"lstrip\":true,\"normalized\":true}]," BYTE_LEVEL(
            "false") "," ROBERTA("false"));
    expect(file, "a  <m>b", "y a:0-1 <m>:3-6 b:6-7 z");
    free(file);
}
END_TEST

// Long words go through a heap, short ones through a scan: both must give the same.
START_TEST(bpe_long_words) {
    char *file = bpe_file(PIECES, MERGES, BYTE_LEVEL("false"));
    tokenizer_case c;
    ck_assert(case_open_text(&c, file, NULL));
    char text[600];
    unsigned seed = 3;
    for (size_t i = 0; i < sizeof text; i++) {
        seed = seed * 1664525u + 1013904223u;
        text[i] = "aabcx"[(seed >> 16) % 5];
        if (i % 40 == 39) text[i] = 'x'; // no merge reaches over it, so that words of 40 letters add up
    }
    size_t count, sum = 0, n;
    int32_t ids[600];
    const bertc_token *tokens = case_encode(&c, &(bertc_text){text, sizeof text, NULL, 0}, &count);
    for (size_t i = 0; i < count; i++) ids[i] = tokens[i].id;
    for (size_t i = 0; i < sizeof text; i += 40) {
        tokens = case_encode(&c, &(bertc_text){text + i, 40, NULL, 0}, &n);
        for (size_t k = 0; k < n; k++) ck_assert_int_eq(tokens[k].id, ids[sum + k]);
        sum += n;
    }
    ck_assert_uint_eq(sum, count);
    // and in time that grows as the word does
    size_t size = 4u << 20;
    char *long_text = malloc(size);
    memset(long_text, 'a', size);
    case_encode(&c, &(bertc_text){long_text, size, NULL, 0}, &count);
    ck_assert_uint_eq(count, size / 4);
    free(long_text);
    case_close(&c);
    free(file);
}
END_TEST

// Where a model can't read bytes it reads the characters that stand for them.
START_TEST(byte_characters) {
    expect(
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"model\":{\"type\":\"BPE\","
        "\"vocab\":{\"a\":0,\"\\u00c3\":1,\"\\u00a9\":2},\"merges\":[]}}",
        "a\xc3\xa9xa", "a:0-1 \xc3\x83:1-2 \xc2\xa9:1-2 a:2-3"); // x is no piece and takes no room
    expect(
        "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},{\"type\":"
        "\"Digits\"}]},\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"\\u0120a\":"
        "1,\"12\":2}}}",
        "a12",
        "\xc4\xa0"
        "a:0-1 12:1-3");
    expect(
        "{\"normalizer\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{"
        "\"String\":"
        "\"\\u0120\"},\"behavior\":\"MergedWithNext\"},\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\","
        "\"vocab\":{\"?\":0,\"\\u00c3\\u00a9\":1,\"\\u0120b\":2}}}",
        "\xc3\xa9 b",
        "\xc3\x83\xc2\xa9:0-1 \xc4\xa0"
        "b:1-3");
    expect("{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Metaspace\","
           "\"replacement\":"
           "\"_\"},{\"type\":\"Metaspace\",\"replacement\":\"-\"}]},\"model\":{\"type\":\"WordLevel\","
           "\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"-_a\":1,\"-_b\":2}}}",
           "a b", "-_a:0-1 -_b:1-3");
}
END_TEST

START_TEST(gpt2_pattern) {
    char *file = bpe_file(PIECES, "", BYTE_LEVEL("false"));
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"I'm it's", "0 11 222 33"}, {"a1b", "012"},         {"a  b", "0 1 22"},   {"a \n b", "0 11 22"},
        {"a\n\nb", "0 1 23"},        {"'ll''d", "000 11 2"}, {"a ?!b", "0 111 2"}, {"a  ", "0 11"},
    };
    tokenizer_case c;
    ck_assert(case_open_text(&c, file, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t count;
        const bertc_token *tokens =
            case_encode(&c, &(bertc_text){cases[i].text, strlen(cases[i].text), NULL, 0}, &count);
        char words[32] = "", want[32] = "";
        for (size_t k = 0; k < count; k++) snprintf(words + strlen(words), 4, "%d", tokens[k].word);
        for (const char *p = cases[i].words; *p; p++)
            if (*p != ' ') strncat(want, p, 1);
        case_line(&c, tokens, count, false, false);
        ck_assert_msg(!strcmp(words, want), "`%s`: words %s, not %s (%s)", cases[i].text, words, want,
                      c.line);
    }
    case_close(&c);
    free(file);
}
END_TEST

#define CHARACTERS(options)                                                                                  \
    "{\"model\":{\"type\":\"BPE\"," options "\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"ab\":3,\"<0xC3>\":4,"      \
    "\"<0xA9>\":5,\"##b\":6,\"b</w>\":7,\"ab</w>\":8,\"aa\":9},\"merges\":[\"a b\"]}}"
START_TEST(bpe_characters) {
    expect(CHARACTERS("\"unk_token\":\"?\","), "abxya", "ab:0-2 ?:2-3 ?:3-4 a:4-5");
    expect(CHARACTERS("\"unk_token\":\"?\",\"fuse_unk\":true,"), "abxya", "ab:0-2 ?:2-4 a:4-5");
    expect(CHARACTERS("\"unk_token\":\"?\",\"byte_fallback\":true,"), "a\xc3\xa9x",
           "a:0-1 <0xC3>:1-2 <0xA9>:1-2 ?:2-3");
    expect(CHARACTERS(""), "xab", "ab:0-2"); // no unknown token: x takes no room
    expect(CHARACTERS("\"ignore_merges\":true,"), "aa", "aa:0-2");
    expect(CHARACTERS(""), "aa", "a:0-1 a:1-2");
    const char *prefixed =
        "{\"model\":{\"type\":\"BPE\",\"continuing_subword_prefix\":\"##\",\"vocab\":{\"a\":0,\"##b\":1,"
        "\"ab\":2},\"merges\":[\"a ##b\"]}}";
    expect(prefixed, "ab", "ab:0-2");
    const char *suffixed =
        "{\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\",\"vocab\":{\"a\":0,\"b\":1,"
        "\"b</w>\":2,\"ab</w>\":3},\"merges\":[\"a b</w>\"]}}";
    expect(suffixed, "ab", "ab</w>:0-2");
    expect(suffixed, "aba", "a:0-1 b:1-2"); // the last a is none with its suffix
}
END_TEST

// --- Unigram

#define UNIGRAM(rest)                                                                                        \
    "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":false,\"vocab\":[[\"<unk>\",0.0],["     \
    "\"\\u2581\",-3.0],"                                                                                     \
    "[\"\\u2581ab\",-2.0],[\"a\",-2.5],[\"b\",-2.6],[\"c\",-1.0],[\"bc\",-3.5],[\"\\\"\",-1.0],[\"e\",-2.0]" \
    "]}" rest "}"
#define METASPACE(more) "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\\u2581\"" more "}"
#define M               "\xe2\x96\x81"

START_TEST(unigram) {
    const char *file = UNIGRAM("," METASPACE(""));
    expect(file, "ab", M "ab:0-2");
    expect(file, "abc", M "ab:0-2 c:2-3"); // -3 and not -3 - 2.5 - 3.5
    expect(file, "b bc", M ":0-1 b:0-1 " M ":1-2 bc:2-4");
    expect(file, "xyb", M ":0-1 <unk>:0-2 b:2-3"); // unknown characters in a row are one token
    expect(file, "a  c", M ":0-1 a:0-1 " M ":1-2 " M ":2-3 c:3-4");
    expect(file, "", "");
    expect(UNIGRAM("," METASPACE(",\"prepend_scheme\":\"never\"")), "ab", "a:0-1 b:1-2");
    expect(UNIGRAM("," METASPACE(",\"prepend_scheme\":\"first\"")), "ab", M "ab:0-2");
    expect(UNIGRAM("," METASPACE(",\"add_prefix_space\":false")), "ab ab", "a:0-1 b:1-2 " M "ab:2-5");
}
END_TEST

// Each byte of what is unknown in a row, where all of them are pieces.
START_TEST(unigram_bytes) {
    const char *file =
        "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":true,\"vocab\":[[\"<unk>\",0.0],"
        "[\"a\",-1.0],[\"<0x78>\",-2.0],[\"<0xC3>\",-2.0],[\"<0xA9>\",-2.0]]}}";
    expect(file,
           "ax\xc3\xa9"
           "a",
           "a:0-1 <0x78>:1-3 <0xC3>:1-3 <0xA9>:1-3 a:3-4");
    expect(file, "axya", "a:0-1 <unk>:1-3 a:3-4");
}
END_TEST

#define NORMALIZER(one) "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[" one "]}"

// A tokenizer with a map that makes "c" of "x": the root's unit, x's with a leaf, the leaf's.
static char *charsmap_file(void) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum { UNITS = 512 };
    uint32_t units[1 + UNITS] = {4 * UNITS}, x = 256 ^ 'x';
    units[1] = 256u << 10;
    units[1 + x] = (x ^ 300) << 10 | 1 << 8 | 'x';
    units[1 + 300] = 1u << 31;
    uint8_t map[sizeof units + 2];
    memcpy(map, units, sizeof units);
    memcpy(map + sizeof units, "c", 2);
    char *text = malloc(2 * sizeof map), *o = text, *file = malloc(2 * sizeof map + 1024);
    for (size_t i = 0; i < sizeof map; i += 3) {
        uint32_t b = (uint32_t)map[i] << 16;
        if (i + 1 < sizeof map) b |= (uint32_t)map[i + 1] << 8;
        if (i + 2 < sizeof map) b |= map[i + 2];
        for (int k = 18; k >= 0; k -= 6)
            *o++ = i + (size_t)(18 - k) / 6 > sizeof map ? '=' : digits[b >> k & 63];
    }
    *o = 0;
    sprintf(file, UNIGRAM("," NORMALIZER("{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"%s\"}")),
            text);
    free(text);
    return file;
}

START_TEST(normaliser_steps) {
    expect(UNIGRAM(
               "," NORMALIZER("{\"type\":\"Replace\",\"pattern\":{\"String\":\"``\"},\"content\":\"\\\"\"}")),
           "a``b", "a:0-1 \":2-3 b:3-4");
    expect(
        UNIGRAM("," NORMALIZER("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\"c\"}")),
        "a   b", "a:0-1 c:3-4 b:4-5");
    expect(UNIGRAM("," NORMALIZER("{\"type\":\"Lowercase\"}")), "AB", "a:0-1 b:1-2");
    expect(UNIGRAM("," NORMALIZER("{\"type\":\"NFD\"},{\"type\":\"StripAccents\"}")), "\xc3\xa9", "e:0-1");
    expect(UNIGRAM("," NORMALIZER("{\"type\":\"NFKD\"}")), "\xef\xbd\x81", "a:0-1");
    expect(UNIGRAM("," NORMALIZER("{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}")),
           " a\xc2\xa0", "a:1-2");
    expect(UNIGRAM("," NORMALIZER("{\"type\":\"Prepend\",\"prepend\":\"c\"}")), "a", "c:0-1 a:0-1");
    char *file = charsmap_file();
    expect(file, "axb", "a:0-1 c:1-2 b:2-3");
    expect(file, "axx", "a:0-1 c:1-2 c:2-3");
    // an x with a mark is a cluster, which `c` stands for, also where Unicode 16 has brought the mark
    expect(file,
           "ax\xcc\x81"
           "b",
           "a:0-1 c:1-2 b:3-4");
    expect(file,
           "ax\xe0\xa2\x97"
           "b",
           "a:0-1 c:1-2 b:3-4");
    free(file);
}
END_TEST

// Without an unknown token a text that needs one is an error, and the next one is not.
static void fails(const char *file, const char *text, const char *other) {
    tokenizer_case c;
    bertc_error error = {""};
    const bertc_token *tokens;
    size_t count;
    ck_assert_msg(case_open_text(&c, file, NULL), "%s", c.line);
    ck_assert_int_eq(c.d.count, 1);
    ck_assert_ptr_nonnull(strstr(c.d.items[0].text, "a text that needs it will be an error"));
    ck_assert(!bertc_tokenizer_encode(c.handle, &(bertc_text){text, strlen(text), NULL, 0}, 0,
                                      BERTC_TRUNCATE_NEVER, &tokens, &count, &error));
    ck_assert_str_eq(error.message,
                     "the text holds what is no piece, and the tokenizer has no unknown token");
    ck_assert_str_eq(case_tokens(&c, "ab", 2), other);
    case_close(&c);
}

START_TEST(no_unknown) {
    fails("{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0,\"##b\":1}}}", "ac", "a:0-1 ##b:1-2");
    fails("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"ab\":0}}}", "ac", "ab:0-2");
    fails("{\"model\":{\"type\":\"BPE\",\"unk_token\":\"x\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]}}",
          "cc", "a:0-1 b:1-2");
    fails("{\"model\":{\"type\":\"Unigram\",\"unk_id\":null,\"vocab\":[[\"a\",-1.0],[\"b\",-2.0]]}}", "ac",
          "a:0-1 b:1-2");
    // of an unknown character that a longer piece holds too
    fails("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1.0],[\"b\",-2.0],[\"cd\",-1.0]]}}", "cd",
          "a:0-1 b:1-2");
    // two of the piece that is named so stay two
    expect("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"<unk>\",-1.0],[\"<\",-9.0],[\"u\",-9.0],[\"n\",-9."
           "0],[\"k\",-9.0],[\">\",-9.0]]}}",
           "<unk><unk>", "<unk>:0-5 <unk>:5-10");
    expect("{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":true,\"vocab\":[[\"xx\",9.0],"
           "[\"<0x78>\",9.0]]}}",
           "xx", "xx:0-2");
}
END_TEST

static void refuse(const char *file, const char *cause) {
    case_refuse(file, NULL, cause);
}

START_TEST(refused) {
    refuse(UNIGRAM("," NORMALIZER("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"x(\"},\"content\":\"\"}")),
           "normalizer.normalizers[0]: regular expression `x(`");
    refuse(UNIGRAM("," NORMALIZER("{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}")),
           "is no character map");
    refuse(UNIGRAM("," METASPACE(",\"prepend_scheme\":\"often\"")), "prepend_scheme `often`");
    refuse("{\"model\":{\"type\":\"Unigram\",\"unk_id\":3,\"vocab\":[[\"a\",0.0]]}}",
           "model.unk_id: is 3, outside 0 to 0");
    refuse("{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\"]]}}",
           "model.vocab[0]: is no piece with its score");
    refuse("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}",
           "model.merges[0]: merge `a` `b`: `b` is not in the vocabulary");
    refuse("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"ab\"]}}",
           "model.merges[0]: is no pair");
    refuse("{\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{\"a\":0},\"merges\":[]}}",
           "model.dropout: is set");
}
END_TEST

int main(void) {
    Suite *s = suite_create("tokenizer models");
    TCase *t = tcase_create("models");
    tcase_add_test(t, bpe);
    tcase_add_test(t, bpe_long_words);
    tcase_add_test(t, byte_characters);
    tcase_add_test(t, gpt2_pattern);
    tcase_add_test(t, bpe_characters);
    tcase_add_test(t, unigram);
    tcase_add_test(t, unigram_bytes);
    tcase_add_test(t, normaliser_steps);
    tcase_add_test(t, no_unknown);
    tcase_add_test(t, refused);
    suite_add_tcase(s, t);
    return suite_status(s);
}
