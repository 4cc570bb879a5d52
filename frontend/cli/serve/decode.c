#include "frontend/cli/serve/decode.h"

#include <string.h>

#include "frontend/hub/files/text.h"
#include "runtime/abi_tokenizer.h"

enum { MOST_GAP = 100000 }; // ids without a text in a row: the vocabulary has ended
static const char continues[] = "##", space[] = "\xe2\x96\x81", byte_space[] = "\xc4\xa0", ends[] = "</w>";

static bool starts(const char *text, const char *with) {
    return !strncmp(text, with, strlen(with));
}

static bool stops(const char *text, const char *with) {
    size_t n = strlen(text), m = strlen(with);
    return n >= m && !strcmp(text + n - m, with);
}

decode_kind decode_kind_of(const bertc_model *model) {
    int64_t votes[DECODE_SUFFIX + 1] = {0};
    decode_kind best = DECODE_WORDS;
    int none = 0;
    for (int32_t id = 0; none < MOST_GAP; id++) {
        const char *text = bertc_token_text(model, id);
        none = text ? 0 : none + 1;
        if (!text) continue;
        votes[DECODE_WORDPIECE] += starts(text, continues);
        votes[DECODE_BYTES] += starts(text, byte_space);
        votes[DECODE_METASPACE] += starts(text, space);
        votes[DECODE_SUFFIX] += stops(text, ends);
    }
    for (int k = 1; k <= DECODE_SUFFIX; k++)
        if (votes[k] > votes[best]) best = (decode_kind)k;
    return best;
}

// --- Each kind

// No space stands before these, as the tokenizers of BERT clean up.
static bool hugs(const char *text) {
    static const char *const marks[] = {".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (starts(text, marks[i])) return true;
    return false;
}

static void put_wordpiece(out *o, const char *text, bool first) {
    if (first)
        out_text(o, text);
    else if (starts(text, continues))
        out_text(o, text + strlen(continues));
    else {
        if (!hugs(text)) out_text(o, " ");
        out_text(o, text);
    }
}

// The code point at *at, which moves behind it; the text is valid UTF-8.
static uint32_t next_character(const char **at) {
    const unsigned char *c = (const unsigned char *)*at;
    int more = *c < 0xc0 ? 0 : *c < 0xe0 ? 1 : *c < 0xf0 ? 2 : 3;
    uint32_t x = more ? *c & (0x3fu >> more) : *c;
    for (int i = 1; i <= more && (c[i] & 0xc0) == 0x80; i++) x = x << 6 | (c[i] & 0x3fu);
    *at += more + 1;
    return x;
}

// The byte that a character stands for; -1: none.
static int byte_of(uint32_t character) {
    for (int b = 0; b < 256; b++)
        if (bertc_byte_character((uint8_t)b) == character) return b;
    return -1;
}

// A token that is not made of such characters was added as it is.
static void put_bytes(out *o, const char *text) {
    size_t before = o->size;
    for (const char *at = text; *at;) {
        int b = byte_of(next_character(&at));
        if (b < 0) {
            o->size = before;
            out_text(o, text);
            return;
        }
        out_bytes(o, (const char[]){(char)b}, 1);
    }
}

static int hex(char c) {
    const char *digits = "0123456789ABCDEF", *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static void put_metaspace(out *o, const char *text, bool first) {
    if (strlen(text) == 6 && starts(text, "<0x") && text[5] == '>' && hex(text[3]) >= 0 &&
        hex(text[4]) >= 0) {
        out_bytes(o, (const char[]){(char)(hex(text[3]) << 4 | hex(text[4]))}, 1);
        return;
    }
    for (const char *at; (at = strstr(text, space)); text = at + strlen(space)) {
        out_bytes(o, text, (size_t)(at - text));
        if (!first) out_text(o, " ");
    }
    out_text(o, text);
}

static void put_suffix(out *o, const char *text, bool last) {
    size_t n = strlen(text);
    bool whole = stops(text, ends);
    out_bytes(o, text, whole ? n - strlen(ends) : n);
    if (whole && !last) out_text(o, " ");
}

// --- All

// Moves what is UTF-8 of `raw`; of a character that is not whole, U+FFFD.
static void put_valid(out *o, const char *raw, size_t n) {
    while (n) {
        size_t good = hub_utf8_prefix(raw, n);
        out_bytes(o, raw, good);
        raw += good;
        n -= good;
        if (!n) break;
        unsigned char lead = (unsigned char)*raw;
        size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc2 ? 1 : 0, skip = 1;
        while (skip < n && skip < more && ((unsigned char)raw[skip] & 0xc0) == 0x80) skip++;
        out_text(o, "\xef\xbf\xbd");
        raw += skip;
        n -= skip;
    }
}

void decode_tokens(out *o, decode_kind kind, const char *const *tokens, size_t n) {
    out raw = {0};
    for (size_t i = 0; i < n; i++) {
        const char *text = tokens[i];
        switch (kind) {
        case DECODE_WORDPIECE: put_wordpiece(&raw, text, i == 0); break;
        case DECODE_BYTES: put_bytes(&raw, text); break;
        case DECODE_METASPACE: put_metaspace(&raw, text, i == 0); break;
        case DECODE_SUFFIX: put_suffix(&raw, text, i + 1 == n); break;
        case DECODE_WORDS:
            if (i) out_text(&raw, " ");
            out_text(&raw, text);
            break;
        }
    }
    put_valid(o, raw.text, raw.size);
    o->bad |= raw.bad;
    out_free(&raw);
}
