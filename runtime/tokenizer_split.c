// Pre-tokenisers: where a text's words are.
#include "tokenizer_encoder.h"

// BERT's: whitespace is dropped, each punctuation character stands alone.
static size_t split_bert(encoder *e, const span *s) {
    size_t count = 0, start = SIZE_MAX;
    const uint8_t *p = s->bytes, *end = p + s->size;
    while (p < end) {
        const uint8_t *at = p;
        uint32_t c = utf8_next(&p);
        unsigned flags;
        if (c < 0x80) {
            bool letter = (c | 0x20) - 'a' < 26 || c - '0' < 10;
            flags = letter ? 0 : unicode_flags(c);
        } else {
            flags = unicode_flags(c);
        }
        if (!(flags & (UNICODE_SPACE | UNICODE_PUNCTUATION))) {
            if (start == SIZE_MAX) start = (size_t)(at - s->bytes);
            continue;
        }
        if (start != SIZE_MAX) e->splits[count++] = (split){(uint32_t)start, (uint32_t)(at - s->bytes)};
        start = SIZE_MAX;
        if (flags & UNICODE_PUNCTUATION)
            e->splits[count++] = (split){(uint32_t)(at - s->bytes), (uint32_t)(p - s->bytes)};
    }
    if (start != SIZE_MAX) e->splits[count++] = (split){(uint32_t)start, (uint32_t)s->size};
    return count;
}

size_t pretokenize(encoder *e, const span *s) {
    if (e->t->table->pretokenizer.count) return split_bert(e, s);
    e->splits[0] = (split){0, (uint32_t)s->size};
    return s->size > 0;
}
