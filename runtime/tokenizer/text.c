// The caller's text made valid, tokens with offsets in it, and the encoder's memory.
#include <stdlib.h>
#include <string.h>

#include "runtime/memory.h"
#include "runtime/tokenizer/encoder.h"

bool encoder_room(encoder *e, void *array, size_t *capacity, size_t need, size_t size) {
    if (need <= *capacity) return true;
    void *old; // `array` points to a pointer of some type
    memcpy(&old, array, sizeof old);
    // while it opens, what the longest text needs; then more than that
    size_t more = e->max_text ? need + need / 2 : need;
    void *grown = heap_grow(old, more, size);
    if (!grown) return encoder_fail(e, ENCODER_NO_MEMORY);
    memcpy(array, &grown, sizeof grown);
    *capacity = more;
    return true;
}

void split_add(encoder *e, split_list *list, size_t start, size_t end) {
    if (start == end || !encoder_room(e, &list->at, &list->capacity, list->count + 1, sizeof *list->at))
        return;
    list->at[list->count++] = (split){(uint32_t)start, (uint32_t)end};
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
    e->text = (const uint8_t *)(text ? text : "");
    e->text_size = size;
    e->original = NULL;
    e->at = (text_place){0};
    if (utf8_prefix(e->text, size, &e->ascii) == size) return;
    e->text_size = repair(e, e->text, size);
    e->text = e->repaired;
    e->original = e->repaired_at;
    e->ascii = false;
}

size_t text_characters(const char *text, size_t size) {
    size_t n = 0, bad;
    for (size_t i = 0; i < size; n++) {
        size_t length = utf8_check((const uint8_t *)text + i, size - i, &bad);
        i += length ? length : bad;
    }
    return n;
}

static size_t count_characters(const uint8_t *p, size_t size) {
    size_t n = 0;
    for (size_t i = 0; i < size; i++) n += (p[i] & 0xc0) != 0x80;
    return n;
}

// The characters of the encoder's text that bytes [start, end) of `s` come from. Without any, and after the
// first character, the place after the character before.
static void find_source(const encoder *e, const span *s, size_t start, size_t end, size_t *from, size_t *to) {
    if (s->source) {
        uint32_t last = s->source[end - 1];
        *to = last & ~SOURCE_EMPTY;
        if (!(last & SOURCE_EMPTY)) *to += utf8_length(e->text[*to]);
        *from = start < end ? s->source[start] & ~SOURCE_EMPTY : *to;
    } else { // a byte of a character counts as all of it
        *from = s->base + start;
        *to = s->base + end;
        while (*from && *from < e->text_size && (e->text[*from] & 0xc0) == 0x80) --*from;
        while (*to < e->text_size && (e->text[*to] & 0xc0) == 0x80) ++*to;
    }
    if (*to < *from) *to = *from;
}

static int32_t known_id(const encoder *e, uint32_t id) {
    if (id < e->t->table->vocab_size) return (int32_t)id;
    return e->t->table->unk_id < 0 ? 0 : e->t->table->unk_id;
}

bertc_token *text_token(encoder *e, const span *s, size_t start, size_t end, uint32_t id) {
    if (!encoder_room(e, &e->raw, &e->raw_capacity, e->raw_count + 1, sizeof *e->raw)) return NULL;
    size_t from, to;
    find_source(e, s, start, end, &from, &to);
    bertc_token *token = &e->raw[e->raw_count++];
    *token = (bertc_token){.id = known_id(e, id), .text = e->text_index, .word = e->word};
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
    return token;
}

bertc_token *text_again(encoder *e, uint32_t id) {
    if (!encoder_room(e, &e->raw, &e->raw_capacity, e->raw_count + 1, sizeof *e->raw)) return NULL;
    bertc_token *token = &e->raw[e->raw_count];
    *token = e->raw[e->raw_count++ - 1];
    token->id = known_id(e, id);
    return token;
}

bertc_token *text_unknown(encoder *e, const span *s, size_t start, size_t end) {
    if (!(e->t->table->flags & BERTC_TOKENIZER_NO_UNKNOWN))
        return text_token(e, s, start, end, (uint32_t)e->t->table->unk_id);
    encoder_fail(e, ENCODER_UNKNOWN);
    return NULL;
}

static uint32_t less(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

// Leaves `leading` and `trailing` spaces of a token (NULL: of none) out of its offsets, if the tokenizer
// trims.
static void text_trim(encoder *e, bertc_token *t, text_place leading, text_place trailing) {
    uint32_t flags = e->t->table->flags;
    if (!t || !(flags & BERTC_TOKENIZER_TRIM)) return;
    bool first = t == &e->raw[e->raw_first] || !t->char_start;
    if (first && flags & BERTC_TOKENIZER_TRIM_PREFIXED && leading.chars == 1) leading = (text_place){0};
    t->char_start = less(t->char_start + (uint32_t)leading.chars, t->char_end);
    t->byte_start = less(t->byte_start + (uint32_t)leading.bytes, t->byte_end);
    if (t->char_end < trailing.chars || t->byte_end < trailing.bytes) return;
    t->char_end -= less((uint32_t)trailing.chars, t->char_end - t->char_start);
    t->byte_end -= less((uint32_t)trailing.bytes, t->byte_end - t->byte_start);
}

void text_piece(encoder *e, const span *s, size_t start, size_t end, uint32_t id) {
    bertc_token *token = text_token(e, s, start, end, id);
    if (!e->t->bytes || !(e->t->table->flags & BERTC_TOKENIZER_TRIM)) return;
    size_t leading = 0, trailing = 0;
    while (start + leading < end && s->bytes[start + leading] == ' ') leading++;
    while (end - trailing > start && s->bytes[end - trailing - 1] == ' ') trailing++;
    text_trim(e, token, (text_place){leading, leading}, (text_place){trailing, trailing});
}

// As Hugging Face counts them: whitespace, and the character that byte-level BPE writes a space as.
static text_place spaces(const uint8_t *p, const uint8_t *end, bool backwards) {
    text_place n = {0};
    while (p < end) {
        const uint8_t *at = backwards ? utf8_back(end) : p, *next = at;
        uint32_t c = utf8_next(&next);
        if (c != 0x120 && !(unicode_flags(c) & UNICODE_SPACE)) break;
        n.chars++;
        n.bytes += (size_t)(next - at);
        if (backwards)
            end = at;
        else
            p = next;
    }
    return n;
}

void text_trim_text(encoder *e, bertc_token *token, const uint8_t *text, size_t size) {
    if (e->t->table->flags & BERTC_TOKENIZER_TRIM)
        text_trim(e, token, spaces(text, text + size, false), spaces(text, text + size, true));
}

void text_trim_pieces(encoder *e, size_t first) {
    const bertc_tokenizer *b = e->t->table;
    for (size_t i = first, bad; i < e->raw_count; i++) {
        const char *text = tokenizer_text(e->t, e->raw[i].id);
        if (!text || (b->model == BERTC_TOKENIZER_UNIGRAM && e->raw[i].id == b->unk_id)) continue;
        size_t size = 0; // a table's texts may be anything
        for (size_t n; text[size] && (n = utf8_check((const uint8_t *)text + size, 4, &bad)); size += n) {
        }
        text_trim_text(e, &e->raw[i], (const uint8_t *)text, size);
    }
}
