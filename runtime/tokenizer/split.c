// Pre-tokenisers: where a text's words are. Each step cuts the splits of the one before.
#include <string.h>

#include "runtime/tokenizer/encoder.h"

static bool is_alphanumeric(uint32_t c) {
    return (c | 0x20) - 'a' < 26 || c - '0' < 10;
}

// Splits at characters with a class of `drop` (which are dropped) or `alone` (each is a split).
static void split_classes(encoder *e, const span *s, split part, unsigned drop, unsigned alone,
                          split_list *out) {
    const uint8_t *p = s->bytes + part.start, *end = s->bytes + part.end;
    size_t start = part.start;
    while (p < end) {
        size_t at = (size_t)(p - s->bytes);
        uint32_t c = utf8_next(&p);
        if (is_alphanumeric(c)) continue;
        unsigned flags = unicode_flags(c);
        if (!(flags & (drop | alone))) continue;
        size_t after = (size_t)(p - s->bytes);
        split_add(e, out, start, at);
        if (flags & alone) split_add(e, out, at, after);
        start = after;
    }
    split_add(e, out, start, part.end);
}

// What replaces a space begins a word, and is put before a split that lacks it.
static void split_metaspace(encoder *e, const span *s, split part, const bertc_step *step, norm_text *to,
                            split_list *out) {
    const char *mark = e->t->strings + step->text;
    size_t size = part.end - part.start, start = to->size;
    bool has = size >= step->size && !memcmp(s->bytes + part.start, mark, step->size);
    bool wanted = step->flags & BERTC_METASPACE_ALWAYS ||
                  (step->flags & BERTC_METASPACE_FIRST && !(span_source(s, part.start) & ~SOURCE_EMPTY));
    bool prefix = wanted && !has && s->bytes[part.start] != ' ';
    for (size_t at = part.start; at < part.end; at++) {
        bool space = s->bytes[at] == ' ', put = space || (prefix && at == part.start);
        uint32_t source = span_source(s, at);
        if (!norm_room(e, to, step->size + 1)) return;
        if (put || (part.end - at >= step->size && !memcmp(s->bytes + at, mark, step->size))) {
            if (step->flags & BERTC_METASPACE_SPLIT) split_add(e, out, start, to->size), start = to->size;
        }
        for (size_t i = 0; put && i < step->size; i++) {
            to->bytes[to->size] = (uint8_t)mark[i];
            to->source[to->size++] = source;
        }
        if (space) continue;
        if (!s->source)
            while ((e->text[source] & 0xc0) == 0x80) source--;
        to->bytes[to->size] = s->bytes[at];
        to->source[to->size++] = source;
    }
    split_add(e, out, start, to->size);
}

// A space before a split that has none, in the buffer that is free.
static split prefix_space(encoder *e, const span *s, split part, norm_text *to) {
    size_t start = to->size, n = part.end - part.start;
    if (!norm_room(e, to, n + 1)) return (split){0, 0};
    if (s->bytes[part.start] != ' ') {
        to->bytes[to->size] = ' ';
        to->source[to->size++] = span_source(s, part.start);
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t source = span_source(s, part.start + i);
        if (!s->source)
            while ((e->text[source] & 0xc0) == 0x80) source--;
        to->bytes[to->size] = s->bytes[part.start + i];
        to->source[to->size++] = source;
    }
    return (split){(uint32_t)start, (uint32_t)to->size};
}

static void split_fixed(encoder *e, const span *s, split part, uint32_t length, split_list *out) {
    for (size_t start = part.start, at = start; start < part.end; start = at) {
        for (uint32_t i = 0; i < length && at < part.end; i++) at += utf8_length(s->bytes[at]);
        split_add(e, out, start, at);
    }
}

static void split_bytes(encoder *e, const span *s, split part, norm_text *to, split_list *out) {
    size_t start = to->size;
    const span in = {.bytes = s->bytes + part.start,
                     .source = s->source ? s->source + part.start : NULL,
                     .base = s->base + part.start,
                     .size = part.end - part.start};
    normalize_bytes(e, &in, to);
    split_add(e, out, start, to->size);
}

static void cut(encoder *e, const bertc_step *step, const span *s, split part, norm_text *to,
                split_list *out) {
    switch ((bertc_split_kind)step->kind) {
    case BERTC_STEP_WHITESPACE_SPLIT: split_classes(e, s, part, UNICODE_SPACE, 0, out); break;
    case BERTC_STEP_WORDS: split_words(e, s, part, out); break;
    case BERTC_STEP_PUNCTUATION:
    case BERTC_STEP_DIGITS:
    case BERTC_STEP_SPLIT_TEXT:
    case BERTC_STEP_SPLIT_PATTERN: split_delimiters(e, step, s, part, out); break;
    case BERTC_STEP_METASPACE: split_metaspace(e, s, part, step, to, out); break;
    case BERTC_STEP_FIXED_LENGTH: split_fixed(e, s, part, step->flags, out); break;
    case BERTC_STEP_SPLIT_BYTES: split_bytes(e, s, part, to, out); break;
    case BERTC_STEP_BYTE_LEVEL: {
        span text = *s;
        if (step->flags & BERTC_BYTE_LEVEL_PREFIX) {
            part = prefix_space(e, s, part, to);
            text.bytes = to->bytes;
        }
        if (step->flags & BERTC_BYTE_LEVEL_SPLIT)
            split_byte_level(e, &text, part, out);
        else
            split_add(e, out, part.start, part.end);
        break;
    }
    case BERTC_STEP_BERT_SPLIT: split_classes(e, s, part, UNICODE_SPACE, UNICODE_PUNCTUATION, out); break;
    }
}

void pretokenize(encoder *e, span *s) {
    e->splits.count = 0;
    split_add(e, &e->splits, 0, s->size);
    int next = 2;
    for (uint32_t k = 0; k < e->t->table->pretokenizer.count; k++) {
        const bertc_step *step = &e->t->pretokenizer[k];
        norm_text *to = &e->norm[next];
        e->other_splits.count = 0;
        to->size = 0;
        e->step = step;
        encoder_work(e, s->size);
        for (size_t i = 0; i < e->splits.count && !e->failed; i++)
            cut(e, step, s, e->splits.at[i], to, &e->other_splits);
        split_list swap = e->splits;
        e->splits = e->other_splits;
        e->other_splits = swap;
        if (!tokenizer_rewrites(step)) continue;
        budget_length(e, to->size);
        *s = (span){.bytes = to->bytes, .source = to->source, .size = to->size};
        next ^= 1;
    }
    e->step = NULL;
    budget_length(e, e->rewritten += s->size);
}
