// The caller's text made valid, and tokens with offsets in it.
#include <string.h>

#include "tokenizer_encoder.h"

// Bytes of valid UTF-8 that `text` begins with; *ascii: whether all of those are ASCII.
static size_t valid_prefix(const uint8_t *text, size_t size, bool *ascii) {
    size_t i = 0, bad;
    *ascii = true;
    while (i < size) {
        uint64_t eight;
        if (i + 8 <= size && (memcpy(&eight, text + i, 8), !(eight & 0x8080808080808080u))) {
            i += 8;
            continue;
        }
        size_t n = utf8_check(text + i, size - i, &bad);
        if (!n) return i;
        if (n > 1) *ascii = false;
        i += n;
    }
    return size;
}

// A copy with U+FFFD for what is no UTF-8, and where each of its bytes comes from.
static size_t repair(encoder *e, const uint8_t *text, size_t size) {
    size_t out = 0;
    for (size_t i = 0, bad; i < size;) {
        size_t n = utf8_check(text + i, size - i, &bad), m = n ? n : utf8_put(e->repaired + out, 0xfffd);
        if (n) memcpy(e->repaired + out, text + i, n);
        for (size_t k = 0; k < m; k++) e->repaired_at[out + k] = (uint32_t)(n ? i + k : i);
        out += m;
        i += n ? n : bad;
    }
    e->repaired_at[out] = (uint32_t)size;
    return out;
}

void text_open(encoder *e, const char *text, size_t size) {
    e->text = (const uint8_t *)text;
    e->text_size = size;
    e->original = NULL;
    e->at = (text_place){0};
    if (valid_prefix(e->text, size, &e->ascii) == size) return;
    e->text_size = repair(e, e->text, size);
    e->text = e->repaired;
    e->original = e->repaired_at;
    e->ascii = false;
}

static size_t count_characters(const uint8_t *p, size_t size) {
    size_t n = 0;
    for (size_t i = 0; i < size; i++) n += (p[i] & 0xc0) != 0x80;
    return n;
}

void text_token(encoder *e, const span *s, size_t start, size_t end, uint32_t id) {
    const tokenizer *t = e->t;
    if (e->raw_count == e->token_capacity)
        return; // only where a piece of a broken vocabulary is part of a character
    if (id >= t->table->vocab_size) id = (uint32_t)t->table->unk_id;
    size_t from, to;
    if (s->source) {
        from = s->source[start];
        to = s->source[end - 1];
        to += utf8_length(e->text[to]);
    } else {
        from = s->base + start;
        to = s->base + end;
    }
    bertc_token *token = &e->raw[e->raw_count++];
    *token = (bertc_token){.id = (int32_t)id, .text = e->text_index, .word = e->word};
    text_place *at = &e->at;
    if (e->ascii) {
        at->chars = from;
    } else {
        if (from < at->bytes) *at = (text_place){0};
        at->chars += count_characters(e->text + at->bytes, from - at->bytes);
        at->bytes = from;
    }
    size_t chars = e->ascii ? to - from : count_characters(e->text + from, to - from);
    token->char_start = (uint32_t)at->chars;
    token->char_end = (uint32_t)(at->chars + chars);
    token->byte_start = e->original ? e->original[from] : (uint32_t)from;
    token->byte_end = e->original ? e->original[to] : (uint32_t)to;
}
