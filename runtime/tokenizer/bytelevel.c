// Byte-level BPE's part in splitting: GPT-2's pattern, matched by hand,
// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// and, where later steps or the model need them, GPT-2's characters for bytes.
#include <string.h>

#include "runtime/tokenizer/encoder.h"

typedef enum kind { LETTER, NUMBER, OTHER, SPACE } kind;

static kind kind_of(uint32_t c) {
    if ((c | 0x20) - 'a' < 26) return LETTER;
    if (c - '0' < 10) return NUMBER;
    unsigned flags = unicode_flags(c);
    return flags & UNICODE_LETTER   ? LETTER
           : flags & UNICODE_NUMBER ? NUMBER
           : flags & UNICODE_SPACE  ? SPACE
                                    : OTHER;
}

static size_t contraction(const uint8_t *p, size_t left) {
    static const char *const all[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        size_t n = strlen(all[i]);
        if (left >= n && !memcmp(p, all[i], n)) return n;
    }
    return 0;
}

// Behind the run of characters of `kind` that begins at p; *last: where its last one begins.
static const uint8_t *end_of_run(const uint8_t *p, const uint8_t *end, kind k, const uint8_t **last) {
    while (p < end) {
        const uint8_t *next = p;
        if (kind_of(utf8_next(&next)) != k) break;
        *last = p;
        p = next;
    }
    return p;
}

static const uint8_t *match(const uint8_t *p, const uint8_t *end) {
    size_t n = *p == '\'' ? contraction(p, (size_t)(end - p)) : 0;
    if (n) return p + n;
    const uint8_t *next = p, *last = p;
    kind k = kind_of(utf8_next(&next));
    if (*p == ' ' && next < end) {
        const uint8_t *behind = next;
        kind follows = kind_of(utf8_next(&behind));
        if (follows != SPACE) return end_of_run(next, end, follows, &last);
    }
    next = end_of_run(p, end, k, &last);
    // whitespace leaves its last character to the word after it, if it keeps any itself
    return k == SPACE && next < end && last > p ? last : next;
}

void split_byte_level(encoder *e, const span *s, split part, split_list *out) {
    const uint8_t *p = s->bytes + part.start, *end = s->bytes + part.end;
    while (p < end) {
        const uint8_t *next = match(p, end);
        split_add(e, out, (size_t)(p - s->bytes), (size_t)(next - s->bytes));
        p = next;
    }
}

void normalize_bytes(encoder *e, const span *in, norm_text *out) {
    transform t = {.in = in};
    for (size_t i = 0; i < in->size && !e->failed; i++)
        transform_next(e, out, &t, bertc_byte_character(in->bytes[i]), (in->bytes[i] & 0xc0) == 0x80);
    transform_flush(e, out, &t);
}
