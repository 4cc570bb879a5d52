// links: hub ir runtime
// A tokenizer under any bytes. The first byte says which: 'j' the rest is a tokenizer.json, 'v' a vocab.txt;
// 't', 'b', 'u', 's', 'c', 'r' the rest is text for a small WordPiece, BPE, Unigram, WordLevel (with patterns
// and composition), BPE of characters, Unigram behind steps that rewrite; 'X', 'B', 'U', 'S', 'C', 'R': bytes
// of that one's table are overwritten, then text; 'p' a pattern, a NUL, text.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/hub/hub.h"
#include "runtime/bertc.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char small[] =
    "{\"added_tokens\":[{\"id\":1,\"content\":\"[UNK]\",\"special\":true},{\"id\":9,\"content\":\"<x>\","
    "\"lstrip\":true,"
    "\"rstrip\":true,\"single_word\":true},{\"id\":10,\"content\":\"B\\u00c9\",\"normalized\":true}],"
    "\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"b\",3],\"cls\":[\"a\",2]},"
    "\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"a\":2,\"b\":3,\"##a\":4,\"##bc\":"
    "5,\",\":6,"
    "\"\\u4e2d\":7,\"e\":8}}}";

static const char unigram[] =
    "{\"added_tokens\":[{\"id\":6,\"content\":\"<x>\",\"lstrip\":true,\"normalized\":true}],\"normalizer\":{"
    "\"type\":"
    "\"Sequence\",\"normalizers\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"``\"},\"content\":\"b\"},{"
    "\"type\":\"NFKD\"},"
    "{\"type\":\"StripAccents\"},{\"type\":\"Lowercase\"},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" "
    "{2,}\"},"
    "\"content\":\" \"},{\"type\":\"Strip\"},{\"type\":\"Prepend\",\"prepend\":\"a\"}]},"
    "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\\u2581\",\"prepend_scheme\":\"first\"},"
    "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"\\u2581\",-3],[\"a\",-2],["
    "\"ab\",-2.5],"
    "[\"\\u2581b\",-3],[\"c\",-1]]}}";

static const char steps[] =
    "{\"added_tokens\":[{\"id\":5,\"content\":\"\\u00e9x\",\"normalized\":true}],\"normalizer\":{\"type\":"
    "\"Sequence\",\"normalizers\":[{\"type\":\"Nmt\"},{\"type\":\"NFC\"},"
    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"c*(?=b)\"},\"content\":\"\\u00e9\"},{\"type\":\"NFKC\"}]}"
    ","
    "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
    "\" "
    "?[^\\\\s\\\\p{L}]+|\\\\s+(?!\\\\S)|(a|aa)+d|(?=x)\"},\"behavior\":\"MergedWithNext\"},{\"type\":"
    "\"Digits\"},{\"type\":"
    "\"Split\",\"pattern\":{\"String\":\"--\"},\"behavior\":\"Contiguous\",\"invert\":true},{\"type\":"
    "\"Punctuation\","
    "\"behavior\":\"MergedWithPrevious\"},{\"type\":\"Whitespace\"}]},\"model\":{\"type\":\"WordLevel\","
    "\"unk_token\":\"?\","
    "\"vocab\":{\"?\":0,\"a\":1,\"\\u00e9\":2,\"ab\":3,\"-\":4}}}";

// A Split at a pattern of the input's.
static size_t with_pattern(char *out, const uint8_t *pattern, size_t size) {
    char *o =
        out +
        sprintf(out,
                "{\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"");
    for (size_t i = 0; i < size; i++) {
        bool escape = pattern[i] == '"' || pattern[i] == '\\';
        o += sprintf(o, escape ? "\\%c" : pattern[i] < 32 ? "\\u%04x" : "%c", pattern[i]);
    }
    o += sprintf(o,
                 "\"}},\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1}}}");
    return (size_t)(o - out);
}

static const char characters[] =
    "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Replace\","
    "\"pattern\":{\"String\":\" \"},\"content\":\"\\u2581\"}]},\"pre_tokenizer\":{\"type\":\"Digits\"},"
    "\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"fuse_unk\":true,\"byte_fallback\":true,\"vocab\":{"
    "\"?\":0,\"a\":1,\"b\":2,\"ab\":3,\"<0xC3>\":4,\"<0xA9>\":5,\"aa\":6,\"\\u2581\":7,\"\\u2581a\":8},"
    "\"merges\":[\"a b\",\"a a\",\"\\u2581 a\"]}}";

// Steps that rewrite the text again and again.
static const char rewriting[] =
    "{\"normalizer\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
    "{\"type\":\"Metaspace\",\"replacement\":\"\\u2581\"},{\"type\":\"ByteLevel\"},{\"type\":\"Digits\"},{"
    "\"type\":"
    "\"Metaspace\",\"replacement\":\"-\",\"prepend_scheme\":\"first\",\"split\":false}]},\"post_processor\":{"
    "\"type\":\"ByteLevel\",\"trim_offsets\":true},\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[["
    "\"<unk>\",0],[\"a\",-1],[\"\\u0120\",-1.5],[\"\\u00e2\",-2],[\"-\",-2.5]]}}";

// The bytes' pieces, then a few merges; in `out`.
static size_t bpe(char *out) {
    char *o =
        out +
        sprintf(out,
                "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true},\"post_processor\":{"
                "\"type\":\"RobertaProcessing\",\"sep\":[\"s\",1],\"cls\":[\"c\",2]},\"model\":{"
                "\"type\":\"BPE\",\"ignore_merges\":true,\"vocab\":{");
    int next = 256;
    for (int b = 0; b < 256; b++) {
        bool itself = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        o += sprintf(o, "\"\\u%04x\":%d,", itself ? b : next, b);
        next += !itself;
    }
    o += sprintf(
        o,
        "\"ab\":256,\"abc\":257,\"aa\":258,\"aaaa\":259},\"merges\":[\"a b\",\"ab c\",\"a a\",\"aa aa\"]}}");
    return (size_t)(o - out);
}

// Words from the text's own bytes: every third stands a byte behind the one before; some are empty, and some
// cut a character. Returns how many.
static size_t cut_words(const uint8_t *text, size_t size, bertc_word *words, size_t most) {
    size_t n = 0;
    for (size_t at = 0; at < size && n < most; n++) {
        size_t end = at + text[at] % 6;
        if (end > size) end = size;
        words[n] = (bertc_word){(uint32_t)at, (uint32_t)end};
        at = end + (n % 3 == 0 || end == at);
    }
    return n;
}

// The tokens of `text` (its first half with the second as a pair too; in words), all within it.
static void encode(const void *table, size_t table_size, const uint8_t *text, size_t size) {
    bertc_tokenizer_handle *t = bertc_tokenizer_open(table, table_size, 64, NULL);
    if (!t) return;
    bertc_word words[64];
    bertc_text texts[2] = {{(const char *)text, size, NULL, 0},
                           {(const char *)text, size / 2, (const char *)text + size / 2, size - size / 2}};
    for (int i = 0; i < 12; i++) {
        const bertc_token *tokens;
        size_t count;
        bertc_error error;
        bertc_text *x = &texts[i & 1];
        int how = i % 6;
        x->words = i < 6 ? NULL : words;
        x->word_count = i < 6 ? 0 : cut_words(text, x->size, words, 64);
        if (!bertc_tokenizer_encode(t, x, how < 2 ? 0 : 7, (bertc_truncation)(how / 2 + (how > 1)), &tokens,
                                    &count, &error))
            continue;
        for (size_t k = 0; k < count; k++) {
            size_t end = tokens[k].text == 1 ? x->pair_size : tokens[k].text == 0 ? x->size : 0;
            if (tokens[k].byte_end > end || tokens[k].byte_start > tokens[k].byte_end) abort();
            if (tokens[k].char_start > tokens[k].char_end || tokens[k].char_end > end) abort();
            const char *name = bertc_tokenizer_text(t, tokens[k].id);
            if (name && strlen(name) > table_size) abort();
        }
    }
    bertc_tokenizer_close(t);
}

static bool from_file(const char *name, const void *data, size_t size, arena *a, const void **table,
                      size_t *bytes) {
    char folder[] = "/tmp/bertc-fuzz-XXXXXX", path[64];
    if (!mkdtemp(folder)) abort();
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f)) abort();
    diag d;
    diag_init(&d);
    bool ok = hub_tokenizer(path, a, table, bytes, &d);
    if (ok == diag_failed(&d)) abort();
    diag_free(&d);
    unlink(path);
    rmdir(folder);
    return ok;
}

// Overwrites: a count, then (offset of 16 bits, byte) each; what is left is text.
static void corrupt(const void *table, size_t table_size, const uint8_t *bytes, size_t size) {
    uint8_t *copy = aligned_alloc(16, (table_size + 15) / 16 * 16);
    memcpy(copy, table, table_size);
    size_t n = size ? bytes[0] : 0, at = size ? 1 : 0;
    for (size_t i = 0; i < n && at + 3 <= size; i++, at += 3)
        copy[(bytes[at] | (size_t)bytes[at + 1] << 8) % table_size] = bytes[at + 2];
    size_t cut = n == 255 ? table_size / 2 : table_size;
    encode(copy, cut, bytes + at, size - at);
    free(copy);
}

// The table of a small tokenizer by its letter, made once.
static const void *known_table(int letter, size_t *size) {
    static struct {
        arena *a;
        const void *table;
        size_t size;
    } known[256];
    if (!known[letter].a) {
        char file[8192];
        const char *from = small;
        switch (letter) {
        case 'b': file[bpe(file)] = 0, from = file; break;
        case 'u': from = unigram; break;
        case 's': from = steps; break;
        case 'c': from = characters; break;
        case 'r': from = rewriting; break;
        default: break;
        }
        known[letter].a = arena_new();
        if (!from_file("tokenizer.json", from, strlen(from), known[letter].a, &known[letter].table,
                       &known[letter].size))
            abort();
    }
    *size = known[letter].size;
    return known[letter].table;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (!size) return 0;
    arena *a = arena_new();
    const void *table;
    size_t table_size;
    static const uint8_t text[] = "a ab,\xe4\xb8\xad <x> be\xcc\x81 [UNK]\xff";
    if (bytes[0] == 'j' || bytes[0] == 'v') {
        if (from_file(bytes[0] == 'j' ? "tokenizer.json" : "vocab.txt", bytes + 1, size - 1, a, &table,
                      &table_size))
            encode(table, table_size, text, sizeof text - 1);
    } else if (bytes[0] == 'p') {
        const uint8_t *nul = memchr(bytes + 1, 0, size - 1), *end = nul ? nul : bytes + size;
        size_t n = (size_t)(end - bytes) - 1;
        char *file = malloc(6 * n + 512);
        n = with_pattern(file, bytes + 1, n);
        if (from_file("tokenizer.json", file, n, a, &table, &table_size))
            encode(table, table_size, nul ? nul + 1 : text,
                   nul ? size - (size_t)(nul + 1 - bytes) : sizeof text - 1);
        free(file);
    } else {
        table = known_table(bytes[0] | 0x20, &table_size);
        if (bytes[0] >= 'a')
            encode(table, table_size, bytes + 1, size - 1);
        else
            corrupt(table, table_size, bytes + 1, size - 1);
    }
    arena_free(a);
    return 0;
}
