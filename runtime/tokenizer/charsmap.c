// sentencepiece's precompiled character map, as Hugging Face tokenizers applies it: to grapheme clusters of
// up to 5 bytes, and else to their characters. The shortest entry that such a piece begins with replaces
// all of the piece. Where the map drops characters at a text's start, that library's offsets are too small
// from there on; ours are too.
#include <string.h>

#include "runtime/tokenizer/encoder.h"

// A unit of the darts-clone trie.
static bool unit(const tokenizer *t, uint32_t at, uint32_t *out) {
    if (at >= t->charsmap_trie) return false;
    memcpy(out, t->charsmap + 4 + 4 * (size_t)at, 4);
    return true;
}

static uint32_t offset(uint32_t u) {
    return (u >> 10) << ((u & 1u << 9) >> 6);
}

// The replacement of the shortest entry that [p, p + size) begins with; NULL: there is no such entry.
static const char *look_up(const tokenizer *t, const uint8_t *p, size_t size) {
    uint32_t u, at = 0;
    if (!unit(t, 0, &u)) return NULL;
    at ^= offset(u);
    for (size_t i = 0; i < size && p[i]; i++) {
        at ^= p[i];
        if (!unit(t, at, &u) || (u & (1u << 31 | 0xff)) != p[i]) return NULL;
        at ^= offset(u);
        if (!(u >> 8 & 1)) continue;
        size_t texts = 4 + 4 * (size_t)t->charsmap_trie;
        if (!unit(t, at, &u) || (u & ~(1u << 31)) >= t->table->charsmap.count - texts) return NULL;
        return (const char *)t->charsmap + texts + (u & ~(1u << 31));
    }
    return NULL;
}

static size_t count_characters(const uint8_t *p, size_t size) {
    size_t n = 0;
    for (size_t i = 0; i < size; i++) n += (p[i] & 0xc0) != 0x80;
    return n;
}

// `text` for `old` characters, one for one; the last drops what is over.
static void put_mapped(encoder *e, norm_text *out, transform *t, const char *text, size_t old) {
    const uint8_t *p = (const uint8_t *)text, *end = p + strlen(text);
    size_t count = 0, bad;
    for (; p < end && !e->failed; count++) {
        if (!utf8_check(p, (size_t)(end - p), &bad)) return; // a broken table
        transform_next(e, out, t, utf8_next(&p), count >= old);
    }
    if (count < old) t->change -= (int64_t)(old - count); // nothing drops characters that no other precedes
}

// End of the grapheme cluster that begins at p.
static const uint8_t *cluster_end(const uint8_t *p, const uint8_t *end) {
    int32_t state = 0;
    uint32_t before = utf8_next(&p);
    if (p < end && before < 0x80 && *p < 0x80 && before != '\r') return p; // no two ASCII characters are one
    while (p < end) {
        const uint8_t *next = p;
        uint32_t c = utf8_next(&next);
        if (unicode_breaks(before, c, &state)) return p;
        before = c;
        p = next;
    }
    return p;
}

void charsmap_open(encoder *e) {
    for (uint8_t c = 0; e->t->charsmap_trie && c < 128; c++) {
        const char *text = look_up(e->t, &c, 1);
        e->map_keeps[c] = c != '\r' && (!text || (text[0] == (char)c && !text[1])); // "\r\n" is one cluster
    }
}

void normalize_charsmap(encoder *e, const span *in, norm_text *out) {
    transform t = {.in = in};
    const uint8_t *p = in->bytes, *end = p + in->size;
    while (p < end && !e->failed) {
        const uint8_t *stop = cluster_end(p, end);
        size_t n = (size_t)(stop - p);
        const char *text = n < 6 ? look_up(e->t, p, n) : NULL;
        if (text) put_mapped(e, out, &t, text, count_characters(p, n)), p = stop;
        while (p < stop) {
            n = utf8_length(*p);
            text = look_up(e->t, p, n);
            if (text)
                put_mapped(e, out, &t, text, 1), p += n;
            else
                transform_next(e, out, &t, utf8_next(&p), 0);
        }
    }
    transform_flush(e, out, &t);
}
