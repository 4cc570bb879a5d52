// Unicode as Hugging Face tokenizers 0.23 knows it. Character classes come from one table of ranges, taken
// from what that library does with every code point: its tables are of several Unicode versions, none of them
// utf8proc's. Decomposition, composition, combining classes, lower-casing and grapheme clusters
// are utf8proc's, kept to what that library does. Valid code points everywhere: no surrogates, at most
// U+10FFFF.
#ifndef BERTC_UNICODE_H
#define BERTC_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNICODE_SPACE       0x001u // White_Space
#define UNICODE_CONTROL     0x002u // dropped by BERT's clean-up: NUL, U+FFFD, Cc, Cf, Co
#define UNICODE_PUNCTUATION 0x004u // BERT's: ASCII symbols and category P
#define UNICODE_NONSPACING  0x008u // Mn
#define UNICODE_MARK        0x010u // M
#define UNICODE_NORMALIZES  0x020u // has a decomposition or a combining class
#define UNICODE_WORD        0x040u // \w of the regex crate
#define UNICODE_LETTER      0x080u // \p{L}
#define UNICODE_NUMBER      0x100u // \p{N}

// Rows of the table: (first code point << UNICODE_FLAG_BITS) | flags of the code points up to the next
// row's first.
#define UNICODE_FLAG_BITS 11
extern const uint32_t unicode_rows[];
extern const size_t unicode_row_count;

extern const uint16_t unicode_ascii[128]; // the flags of these
unsigned unicode_find(uint32_t c);
static inline unsigned unicode_flags(uint32_t c) {
    return c < 128 ? unicode_ascii[c] : unicode_find(c);
}
bool unicode_is_chinese(uint32_t c); // BERT's CJK ideographs
bool unicode_is_numeric(uint32_t c); // \p{N} as Rust has it

// The full lower-case mapping without context: 1 or 2 code points.
int unicode_lower(uint32_t c, uint32_t out[2]);
// The full decomposition, canonical or compatibility, of a character with UNICODE_NORMALIZES: 1 to
// UNICODE_LONGEST.
#define UNICODE_LONGEST 18
int unicode_decompose(uint32_t c, bool compatibility, uint32_t out[UNICODE_LONGEST]);
// The character that two make when they are composed, 0: none.
uint32_t unicode_compose(uint32_t a, uint32_t b);
// Does a grapheme cluster end between two characters? *state is 0 at a cluster's first.
bool unicode_breaks(uint32_t before, uint32_t c, int32_t *state);
// The canonical combining class, 0 for a starter.
uint8_t unicode_combining_class(uint32_t c);

// --- UTF-8

// Length of the character at p, of which `left` bytes can be read; 0 where there is no valid character.
// Then *bad is the number of bytes that Python's errors="replace" turns into one U+FFFD.
size_t utf8_check(const uint8_t *p, size_t left, size_t *bad);

// Bytes of valid UTF-8 that `text` begins with; *ascii: whether all of those are ASCII.
size_t utf8_prefix(const uint8_t *text, size_t size, bool *ascii);
bool utf8_is_valid(const uint8_t *text, size_t size);

// The functions below need valid text.
static inline size_t utf8_length(uint8_t lead) {
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

// Reads the character at *p and steps over it.
static inline uint32_t utf8_next(const uint8_t **p) {
    const uint8_t *s = *p;
    size_t n = utf8_length(s[0]);
    *p = s + n;
    switch (n) {
    case 1: return s[0];
    case 2: return (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
    case 3: return (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
    default:
        return (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3f) << 12 | (uint32_t)(s[2] & 0x3f) << 6 |
               (s[3] & 0x3f);
    }
}

// Writes a character; returns its length.
static inline size_t utf8_put(uint8_t *p, uint32_t c) {
    if (c < 0x80) return p[0] = (uint8_t)c, 1;
    if (c < 0x800) return p[0] = (uint8_t)(0xc0 | c >> 6), p[1] = (uint8_t)(0x80 | (c & 0x3f)), 2;
    if (c < 0x10000) {
        p[0] = (uint8_t)(0xe0 | c >> 12);
        p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        p[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    p[0] = (uint8_t)(0xf0 | c >> 18);
    p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    p[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

// Start of the character that ends before p.
static inline const uint8_t *utf8_back(const uint8_t *p) {
    do p--;
    while ((*p & 0xc0) == 0x80);
    return p;
}

#endif
