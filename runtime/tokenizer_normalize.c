// Normaliser steps: text to text, each byte with the character that it comes from, aligned as Hugging Face
// tokenizers aligns them (its NormalizedString::transform).
#include <string.h>

#include "tokenizer_encoder.h"

static void put(norm_text *out, uint32_t c, uint32_t source) {
    size_t n = utf8_put(out->bytes + out->size, c);
    for (size_t i = 0; i < n; i++) out->source[out->size + i] = source;
    out->size += n;
}

// What BERT's normaliser does with a character that has its place.
static void put_bert(norm_text *out, uint32_t c, uint32_t source, unsigned flags) {
    if (flags & BERTC_BERT_STRIP && unicode_flags(c) & UNICODE_NONSPACING) return;
    if (!(flags & BERTC_BERT_LOWERCASE)) {
        put(out, c, source);
        return;
    }
    uint32_t lower[2];
    int n = unicode_lower(c, lower);
    for (int i = 0; i < n; i++) put(out, lower[i], source);
}

// Stable and linear: by counting, for a text may be marks all through.
static void sort_marks(mark_run *r) {
    size_t at[257] = {0};
    for (size_t i = 0; i < r->count; i++) at[r->marks[i].class + 1]++;
    for (int k = 1; k < 257; k++) at[k] += at[k - 1];
    for (size_t i = 0; i < r->count; i++) r->sorted[at[r->marks[i].class]++] = r->marks[i];
    pending_mark *swap = r->marks;
    r->marks = r->sorted;
    r->sorted = swap;
}

// Writes the marks that wait. In their new order they take the sources of the characters that came in, one by
// one.
static void flush_marks(mark_run *r, norm_text *out, unsigned flags) {
    if (r->unsorted) sort_marks(r);
    size_t source = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (!r->marks[i].added) r->last = r->sources[source++];
        put_bert(out, r->marks[i].c, r->last, flags);
    }
    r->count = r->source_count = 0;
    r->unsorted = false;
}

static void decompose(mark_run *r, norm_text *out, uint32_t c, uint32_t source, unsigned flags) {
    uint32_t parts[UNICODE_LONGEST];
    int n = unicode_decompose(c, false, parts);
    for (int i = 0; i < n; i++) {
        uint8_t class = unicode_combining_class(parts[i]);
        if (!class) {
            flush_marks(r, out, flags);
            if (!i) r->last = source;
            put_bert(out, parts[i], r->last, flags);
            continue;
        }
        if (r->count && r->marks[r->count - 1].class > class) r->unsorted = true;
        r->marks[r->count++] = (pending_mark){.c = parts[i], .class = class, .added = i > 0};
        if (!i) r->sources[r->source_count++] = source;
    }
}

// One character behind clean-up.
static void feed_bert(encoder *e, norm_text *out, uint32_t c, uint32_t source, unsigned flags) {
    mark_run *r = &e->run;
    if (!(flags & BERTC_BERT_STRIP)) {
        put_bert(out, c, source, flags);
    } else if (unicode_flags(c) & UNICODE_NORMALIZES) {
        decompose(r, out, c, source, flags);
    } else {
        if (r->count) flush_marks(r, out, flags);
        r->last = source;
        put_bert(out, c, source, flags);
    }
}

static void normalize_bert(encoder *e, const span *in, norm_text *out, unsigned flags) {
    mark_run *r = &e->run;
    const uint8_t *p = in->bytes, *end = p + in->size;
    while (p < end) {
        size_t at = (size_t)(p - in->bytes);
        uint32_t source = in->source ? in->source[at] : in->base + (uint32_t)at;
        if (*p < 0x80) {
            uint8_t c = e->ascii_map[*p++];
            if (c == ENCODER_DROPPED) continue;
            if (r->count) flush_marks(r, out, flags);
            out->bytes[out->size] = c;
            out->source[out->size++] = r->last = source;
            continue;
        }
        uint32_t c = utf8_next(&p);
        if (flags & BERTC_BERT_CLEAN) {
            unsigned is = unicode_flags(c);
            if (is & UNICODE_CONTROL) continue;
            if (is & UNICODE_SPACE) c = ' ';
        }
        bool alone = flags & BERTC_BERT_CHINESE && unicode_is_chinese(c);
        if (alone) feed_bert(e, out, ' ', source, flags);
        feed_bert(e, out, c, source, flags);
        if (alone) feed_bert(e, out, ' ', source, flags);
    }
    flush_marks(r, out, flags);
}

void normalize_open(encoder *e) {
    unsigned flags = e->t->table->normalizer.count ? e->t->normalizer[0].flags : 0;
    for (uint32_t c = 0; c < 128; c++) {
        unsigned is = flags & BERTC_BERT_CLEAN ? unicode_flags(c) : 0;
        uint32_t lower[2] = {c};
        if (flags & BERTC_BERT_LOWERCASE) unicode_lower(c, lower);
        e->ascii_map[c] = is & UNICODE_CONTROL ? ENCODER_DROPPED
                          : is & UNICODE_SPACE ? ' '
                                               : (uint8_t)lower[0];
    }
}

void normalize(encoder *e, const span *in, span *out) {
    *out = *in;
    if (!e->t->table->normalizer.count) return;
    e->norm.size = 0;
    normalize_bert(e, in, &e->norm, e->t->normalizer[0].flags);
    *out = (span){.bytes = e->norm.bytes, .source = e->norm.source, .size = e->norm.size};
}
