// links: hub ir runtime
// What a hostile tokenizer and a hostile text may cost: growth, patterns that take long, many tokens; and tables
// whose texts are no UTF-8. What would take minutes runs into Check's time limit.
#include "main.h"
#include "runtime/abi_tokenizer.h"
#include "tokenizer_case.h"

#define MODEL                                                                                                \
    "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"ab\":3}}}"
#define UNIGRAM "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"?\",0],[\"a\",-1],[\"b\",-1.5]]}}"
#define REPLACE(text, by)                                                                                    \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" text "\"},\"content\":\"" by "\"}"
#define SPLIT(regex)                                                                                         \
    "{\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"" regex       \
    "\"}}," MODEL

static char *repeated(const char *piece, size_t times) {
    size_t n = strlen(piece);
    char *out = malloc(n * times + 1);
    for (size_t i = 0; i < times; i++) memcpy(out + n * i, piece, n);
    out[n * times] = 0;
    return out;
}

// The error of a text, "" where it has none.
static const char *encode(tokenizer_case *c, const bertc_text *text, size_t *count) {
    static bertc_error error;
    const bertc_token *tokens;
    error.message[0] = 0;
    bertc_tokenizer_encode(c->handle, text, 0, BERTC_TRUNCATE_NEVER, &tokens, count, &error);
    return error.message;
}

static void open_file(tokenizer_case *c, const char *file) {
    ck_assert_msg(case_open_text(c, file, NULL), "%s", c->line);
}

// The tokenizer refuses `text`, naming `step`, and then encodes another.
static void refuse(const char *file, const char *text, const char *step) {
    tokenizer_case c;
    size_t count;
    open_file(&c, file);
    const char *error = encode(&c, &(bertc_text){text, strlen(text), NULL, 0}, &count);
    ck_assert_msg(strstr(error, step) != NULL, "`%s` lacks `%s`", error, step);
    ck_assert_str_eq(encode(&c, &(bertc_text){"", 0, NULL, 0}, &count), "");
    case_close(&c);
}

static size_t accept(const char *file, const char *text) {
    tokenizer_case c;
    size_t count;
    open_file(&c, file);
    ck_assert_str_eq(encode(&c, &(bertc_text){text, strlen(text), NULL, 0}, &count), "");
    case_close(&c);
    return count;
}

// A normaliser of `count` equal steps.
static char *steps(const char *step, int count, const char *model) {
    char *out = malloc((strlen(step) + 2) * (size_t)count + strlen(model) + 100), *o = out;
    o += sprintf(o, "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[");
    for (int i = 0; i < count; i++) o += sprintf(o, "%s%s", i ? "," : "", step);
    sprintf(o, "]},%s", model);
    return out;
}

START_TEST(growth) {
    char *doubled = steps(REPLACE("a", "aa"), 16, MODEL), *a = repeated("a", 15000);
    refuse(doubled, a, "step 5 of the normaliser (Replace) makes more than 305536 bytes of a text of 15000");
    refuse(doubled, "aa", "step 16 of the normaliser (Replace)");
    free(doubled);
    char *large = repeated("a", 1 << 20), *step = malloc((1 << 20) + 200);
    sprintf(step, REPLACE("a", "%s"), large);
    char *one = steps(step, 1, MODEL);
    refuse(one, "a", "step 1 of the normaliser (Replace)");
    free(one);
    sprintf(step, REPLACE("a", "%.3000s"), large);
    char *three = steps(step, 3, MODEL);
    refuse(three, "a", "step 2 of the normaliser (Replace)");
    free(three);
    sprintf(step, "{\"type\":\"Prepend\",\"prepend\":\"%.65000s\"}", large);
    char *prepended = steps(step, 2, MODEL);
    refuse(prepended, "a", "step 2 of the normaliser (Prepend)");
    free(prepended);
    free(step);
    free(large);
    free(a);
}
END_TEST

// The limit is for all of a text's parts together: given words, and what lies between added tokens.
START_TEST(growth_of_parts) {
    enum { WORDS = 3000 };
    static bertc_word words[WORDS];
    char *o = repeated("o", 30000), *step = malloc(40000);
    sprintf(step, "{\"type\":\"Prepend\",\"prepend\":\"%s\"}", o);
    char *file = steps(step, 1, "\"added_tokens\":[{\"id\":4,\"content\":\"<x>\"}]," MODEL);
    tokenizer_case c;
    size_t count;
    open_file(&c, file);
    char *text = repeated("a<x>", WORDS);
    for (uint32_t w = 0; w < WORDS; w++) words[w] = (bertc_word){4 * w, 4 * w + 1};
    bertc_text given = {.text = text, .size = strlen(text), .words = words, .word_count = WORDS};
    ck_assert_ptr_nonnull(strstr(encode(&c, &given, &count),
                                 "the normaliser in all makes more than 257536 bytes of a text of 12000"));
    given.words = NULL;
    ck_assert_ptr_nonnull(strstr(encode(&c, &given, &count),
                                 "the normaliser in all makes more than 257536 bytes of a text of 12000"));
    case_close(&c);
    free(text);
    free(file);
    free(step);
    free(o);
}
END_TEST

// What texts in earnest make is let through: the longest decomposition, 11 bytes a byte.
START_TEST(growth_in_earnest) {
    char *file = steps("{\"type\":\"NFKD\"}", 1, UNIGRAM), *text = repeated("\xef\xb7\xba", 20000);
    ck_assert_uint_gt(accept(file, text), 0);
    free(text);
    free(file);
}
END_TEST

START_TEST(added_tokens_grow) {
    tokenizer_case c = {0};
    char *file = steps(REPLACE("a", "aaaaaaaaaaaaaaaa"), 8,
                       "\"added_tokens\":[{\"id\":4,\"content\":\"ba\",\"normalized\":true}]," MODEL);
    bertc_error error;
    char folder[] = "/tmp/bertc-limits-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    case_write(folder, "tokenizer.json", file, strlen(file));
    c.a = arena_new();
    diag_init(&c.d);
    ck_assert(hub_tokenizer(folder, c.a, &c.table, &c.bytes, &c.d));
    ck_assert_ptr_null(bertc_tokenizer_open(c.table, c.bytes, 256, &error));
    ck_assert_msg(strstr(error.message, "added token 0: tokenizer: step 5 of the normaliser (Replace)") !=
                      NULL,
                  "%s", error.message);
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    unlink(path);
    rmdir(folder);
    case_close(&c);
    free(file);
}
END_TEST

// Many steps at each of many starts; at one; and one scan of all that is left at each.
START_TEST(slow_patterns) {
    char *a = repeated("a", 1 << 20), *words = repeated("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa aaaaaaaa", 10000);
    const char *step = "step 1 of the pre-tokeniser (Split) takes too long for a text of";
    refuse(SPLIT("(a+)+b"), a, step);
    refuse(SPLIT("(?:a|a)*b"), a, step);
    refuse(SPLIT("a*a*a*b"), a, step);
    refuse(SPLIT("a+!"), a, step);
    refuse(SPLIT("\\\\w+!"), a, step);
    refuse(SPLIT("(a+a+)+b"), words, step);
    ck_assert_uint_eq(accept(SPLIT("a+b?"), a), 1);
    ck_assert_uint_eq(accept(SPLIT("(?:a|b)+"), words), 20001);
    char *file =
        steps("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(a+)+b\"},\"content\":\"\"}", 1, MODEL);
    refuse(file, a, "step 1 of the normaliser (Replace) takes too long");
    free(file);
    free(words);
    free(a);
}
END_TEST

// A match may be longer than what is looked at first, and what decides it may stand behind that.
START_TEST(long_matches) {
    for (size_t n = 100; n < 600; n += 25) {
        char *a = repeated("a", n), *text = malloc(n + 8);
        sprintf(text, "b%sb-b", a);
        ck_assert_uint_eq(accept(SPLIT("a+"), text), 3);
        ck_assert_uint_eq(accept(SPLIT("a+(?=b)"), text), 3);
        ck_assert_uint_eq(accept(SPLIT("a+(?=c)"), text), 1);
        ck_assert_uint_eq(accept(SPLIT("(?<=a)b"), text), 3);
        ck_assert_uint_eq(accept(SPLIT("-"), text), 3);
        ck_assert_uint_eq(accept(SPLIT("b$"), text), 2);
        ck_assert_uint_eq(accept(SPLIT("\\\\bb\\\\b"), text), 2);
        ck_assert_uint_eq(accept(SPLIT("(?:a|c)+?b"), text), 3);
        ck_assert_uint_eq(accept(SPLIT("((a)|(c))+"), text), 3);
        ck_assert_uint_eq(accept(SPLIT("(-)(b)"), text), 2);
        free(text);
        free(a);
    }
}
END_TEST

// Words of the vocabulary, added tokens and spaces so long that looking for them at each place were quadratic.
START_TEST(long_tokens) {
    enum { LONG = 1 << 18 };
    char *a = repeated("a", LONG), *spaces = repeated(" ", LONG), *file = malloc(2 * LONG + 1000);
    sprintf(file, "{\"added_tokens\":[{\"id\":4,\"content\":\"%sb\"}]," MODEL, a);
    refuse(file, a, "takes too long");
    sprintf(file, "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"?\",0],[\"%sb\",-1]]}}", a);
    refuse(file, a, "the model takes too long");
    sprintf(file,
            "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"?\",\"max_input_chars_per_word\":9999999,"
            "\"vocab\":{\"?\":0,\"a\":1,\"##a\":2,\"##%sb\":3}}}",
            a);
    refuse(file, a, "the model takes too long");
    sprintf(file, "{\"added_tokens\":[{\"id\":4,\"content\":\" \",\"rstrip\":true}]," MODEL);
    ck_assert_uint_eq(accept(file, spaces), LONG);
    free(file);
    free(spaces);
    free(a);
}
END_TEST

// Unknown bytes in a row: a token a byte, all with the offsets of the whole.
START_TEST(many_unknown_bytes) {
    size_t room = 256 * 16 + 400;
    char *file = malloc(room), *o = file, *text = repeated("\xe4\xb8\xad", 100000);
    o += sprintf(o,
                 "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":true,\"vocab\":[[\"?\",0]");
    for (unsigned b = 0; b < 256; b++) o += sprintf(o, ",[\"<0x%02X>\",-9]", b);
    sprintf(o, "]}}");
    ck_assert_uint_eq(accept(file, text), 300000);
    free(text);
    free(file);
}
END_TEST

// --- Tables

static void *copy_table(const tokenizer_case *c) {
    void *copy = aligned_alloc(16, (c->bytes + 15) / 16 * 16);
    memcpy(copy, c->table, c->bytes);
    return copy;
}

// The byte `at` bytes into `text` of the table becomes `byte`; the loader's error.
static const char *open_changed(const char *file, const char *text, size_t at, unsigned char byte) {
    static bertc_error error;
    tokenizer_case c;
    open_file(&c, file);
    unsigned char *table = copy_table(&c), *found = memmem(table, c.bytes, text, strlen(text));
    ck_assert_ptr_nonnull(found);
    found[at] = byte;
    error.message[0] = 0;
    bertc_tokenizer_handle *t = bertc_tokenizer_open(table, c.bytes, 256, &error);
    bertc_tokenizer_close(t);
    free(table);
    case_close(&c);
    return error.message;
}

START_TEST(texts_of_tables) {
    const char
        *no = "is no UTF-8",
        *file = "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[" REPLACE("a", "=12=") "," REPLACE(
            "=34=",
            "b") ",{\"type\":\"Prepend\",\"prepend\":\"=56=\"},{\"type\":\"Strip\"}]},\"added_tokens\":[{"
                 "\"id\":4,"
                 "\"content\":\"=78=\"}],\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\","
                 "\"pattern\":{\"String\":\"=90=\"}},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"?\","
                 "\"continuing_subword_prefix\":\"=##=\",\"vocab\":{\"?\":0,\"a\":1}}}";
    static const char *const texts[] = {"=12=", "=34=", "=56=", "=90=", "=##="};
    static const unsigned char bytes[] = {0x80, 0xc3, 0xf0, 0xff};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (size_t b = 0; b < sizeof bytes; b++) {
            for (size_t at = 0; at < 4; at++) {
                const char *error = open_changed(file, texts[i], at, bytes[b]);
                ck_assert_msg(strstr(error, no) != NULL, "%s[%zu] = %x: `%s`", texts[i], at, bytes[b], error);
            }
        }
        ck_assert_str_eq(open_changed(file, texts[i], 1, 'x'), "");
    }
}
END_TEST

// A table whose text of an added token is no UTF-8, and one whose tries alone hold half a character.
START_TEST(added_tokens_of_tables) {
    const char *file = "{\"added_tokens\":[{\"id\":4,\"content\":\"\\u00e9\"}]," MODEL;
    tokenizer_case c;
    open_file(&c, file);
    unsigned char *table = copy_table(&c);
    const bertc_tokenizer *t = (const bertc_tokenizer *)table;
    bertc_added_token *added = (bertc_added_token *)(table + t->added.at);
    bertc_error error;
    added[0].size = 1;
    table[t->strings.at + added[0].text + 1] = 0;
    ck_assert_ptr_null(bertc_tokenizer_open(table, c.bytes, 256, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "a text of `added` is no UTF-8"));
    // the path down to the first byte of the character becomes an entry: the leaf of the second serves as its
    memcpy(table, c.table, c.bytes);
    bertc_trie_node *nodes = (bertc_trie_node *)(table + t->added_trie.at);
    uint32_t first = (nodes[0].base & BERTC_TRIE_BASE) ^ 0xc3, leaf = nodes[first].base & BERTC_TRIE_BASE;
    nodes[first].base |= BERTC_TRIE_VALUE;
    ck_assert_uint_eq(nodes[first].check, 0);
    nodes[leaf] = (bertc_trie_node){.base = 0, .check = first};
    bertc_tokenizer_handle *handle = bertc_tokenizer_open(table, c.bytes, 256, &error);
    ck_assert_ptr_nonnull(handle);
    char *exact = malloc(2); // nothing stands behind it: sanitizers see a read
    memcpy(exact, "\xc3\xa8", 2);
    const bertc_token *tokens;
    size_t count;
    ck_assert(bertc_tokenizer_encode(handle, &(bertc_text){exact, 2, NULL, 0}, 0, BERTC_TRUNCATE_NEVER,
                                     &tokens, &count, &error));
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(tokens[0].id, 0);
    ck_assert_uint_eq(tokens[0].byte_end, 2);
    bertc_tokenizer_close(handle);
    free(exact);
    free(table);
    case_close(&c);
}
END_TEST

// A merge table that makes each look-up long.
START_TEST(merges_of_tables) {
    tokenizer_case c;
    open_file(&c,
              "{\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"ab\":3},"
              "\"merges\":[\"a b\"]}}");
    bertc_error error;
    bertc_tokenizer *table = copy_table(&c);
    table->merge_probes = UINT32_MAX;
    ck_assert_ptr_null(bertc_tokenizer_open(table, c.bytes, 256, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "probes"));
    free(table);
    case_close(&c);
}
END_TEST

int main(void) {
    Suite *s = suite_create("tokenizer limits");
    TCase *t = tcase_create("limits");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, growth);
    tcase_add_test(t, growth_of_parts);
    tcase_add_test(t, growth_in_earnest);
    tcase_add_test(t, added_tokens_grow);
    tcase_add_test(t, slow_patterns);
    tcase_add_test(t, long_matches);
    tcase_add_test(t, long_tokens);
    tcase_add_test(t, many_unknown_bytes);
    tcase_add_test(t, texts_of_tables);
    tcase_add_test(t, added_tokens_of_tables);
    tcase_add_test(t, merges_of_tables);
    suite_add_tcase(s, t);
    return suite_status(s);
}
