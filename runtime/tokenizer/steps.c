// Normaliser steps other than BERT's.
#include <string.h>

#include "runtime/tokenizer/encoder.h"

void normalize_decompose(encoder *e, bool compatibility, const span *in, norm_text *out) {
    const uint8_t *p = in->bytes, *end = p + in->size;
    while (p < end) {
        uint32_t source = span_source(in, (size_t)(p - in->bytes)), c = *p;
        if (c < 0x80)
            p++;
        else
            c = utf8_next(&p);
        decompose_next(e, out, c, source, compatibility, 0);
    }
    decompose_flush(e, out, 0);
}

void normalize_lowercase(encoder *e, const span *in, norm_text *out) {
    const uint8_t *p = in->bytes, *end = p + in->size;
    while (p < end) {
        uint32_t source = span_source(in, (size_t)(p - in->bytes)), c = utf8_next(&p);
        if (c < 0x80)
            norm_put(e, out, c - 'A' < 26 ? c | 0x20 : c, source);
        else
            decompose_put(e, out, c, source, BERTC_BERT_LOWERCASE);
    }
}

void normalize_strip_accents(encoder *e, const span *in, norm_text *out) {
    const uint8_t *p = in->bytes, *end = p + in->size;
    while (p < end) {
        uint32_t source = span_source(in, (size_t)(p - in->bytes)), c = utf8_next(&p);
        if (c < 0x80 || !(unicode_flags(c) & UNICODE_MARK)) norm_put(e, out, c, source);
    }
}

static void put_text(encoder *e, norm_text *out, const bertc_step *step, uint32_t source) {
    const uint8_t *text = (const uint8_t *)e->t->strings + step->text2;
    if (!norm_room(e, out, step->size2)) return;
    for (uint32_t i = 0; i < step->size2; i++) out->source[out->size + i] = source;
    memcpy(out->bytes + out->size, text, step->size2);
    out->size += step->size2;
}

static void copy(encoder *e, const span *in, size_t at, size_t n, norm_text *out) {
    if (!norm_room(e, out, n)) return;
    for (size_t i = 0; i < n; i++) {
        out->bytes[out->size] = in->bytes[at + i];
        out->source[out->size++] = span_source(in, at + i) - (in->source ? 0 : (uint32_t)i);
    }
}

// What replaces a match has the source of the match's last character.
static uint32_t last_source(const span *in, size_t end) {
    return span_source(in, (size_t)(utf8_back(in->bytes + end) - in->bytes));
}

// Bytes [at, end), all of them whole characters.
static void copy_all(encoder *e, const span *in, size_t at, size_t end, norm_text *out) {
    for (size_t n; at < end; at += n) copy(e, in, at, n = utf8_length(in->bytes[at]), out);
}

// `text`, or where `least` is 2 two or more of it, by `text2`.
void normalize_replace(encoder *e, const bertc_step *step, size_t least, const span *in, norm_text *out) {
    const char *text = e->t->strings + step->text;
    const uint8_t *end = in->bytes + in->size;
    size_t at = 0;
    for (const uint8_t *found; !e->failed; at = (size_t)(found - in->bytes)) {
        found = memmem(in->bytes + at, in->size - at, text, step->size);
        if (!found) break;
        copy_all(e, in, at, (size_t)(found - in->bytes), out);
        const uint8_t *first = found;
        do found += step->size;
        while (least == 2 && (size_t)(end - found) >= step->size && !memcmp(found, text, step->size));
        if (found - first > (ptrdiff_t)((least - 1) * step->size))
            put_text(e, out, step, last_source(in, (size_t)(found - in->bytes)));
        else
            copy_all(e, in, (size_t)(first - in->bytes), (size_t)(found - in->bytes), out);
    }
    copy_all(e, in, at, in->size, out);
}

void normalize_strip(encoder *e, unsigned flags, const span *in, norm_text *out) {
    const uint8_t *p = in->bytes, *end = p + in->size;
    while (flags & 1 && p < end) {
        const uint8_t *next = p;
        if (!(unicode_flags(utf8_next(&next)) & UNICODE_SPACE)) break;
        p = next;
    }
    while (flags & 2 && end > p) {
        const uint8_t *back = utf8_back(end), *next = back;
        if (!(unicode_flags(utf8_next(&next)) & UNICODE_SPACE)) break;
        end = back;
    }
    copy_all(e, in, (size_t)(p - in->bytes), (size_t)(end - in->bytes), out);
}

void normalize_prepend(encoder *e, const bertc_step *step, const span *in, norm_text *out) {
    if (in->size)
        put_text(e, out, &(bertc_step){.text2 = step->text, .size2 = step->size}, span_source(in, 0));
    normalize_strip(e, 0, in, out);
}

void normalize_nmt(encoder *e, const span *in, norm_text *out) {
    const uint8_t *p = in->bytes, *end = p + in->size;
    while (p < end) {
        uint32_t source = span_source(in, (size_t)(p - in->bytes)), c = utf8_next(&p);
        bool space = c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 || (c >= 0x200b && c <= 0x200f) ||
                     c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
        bool dropped = c && !space && (c < 0x20 || c == 0x7f || c == 0x8f || c == 0x9f);
        if (!dropped) norm_put(e, out, space ? ' ' : c, source);
    }
}

// What replaces nothing belongs to the character before it.
void normalize_replace_pattern(encoder *e, const bertc_step *step, const span *in, norm_text *out) {
    matches m = {.bytes = in->bytes, .size = in->size};
    size_t at = 0;
    for (size_t start, end; matcher_next(e, step, &m, &start, &end); at = end) {
        copy_all(e, in, at, start, out);
        if (end)
            put_text(e, out, step, last_source(in, end));
        else if (in->size)
            put_text(e, out, step, span_source(in, 0) | SOURCE_EMPTY);
    }
    copy_all(e, in, at, in->size, out);
}

static bool is_ascii(const span *in) {
    size_t i = 0;
    for (uint64_t eight; i + 8 <= in->size; i += 8) {
        memcpy(&eight, in->bytes + i, 8);
        if (eight & 0x8080808080808080u) return false;
    }
    while (i < in->size && in->bytes[i] < 0x80) i++;
    return i == in->size;
}

static bool has_upper(const span *in) {
    bool has = false;
    for (size_t i = 0; i < in->size; i++) has |= in->bytes[i] >= 'A' && in->bytes[i] <= 'Z';
    return has;
}

// Whether a step's text is there, `times` in a row.
static bool has_text(const encoder *e, const bertc_step *step, int times, const span *in) {
    const char *text = e->t->strings + step->text;
    const uint8_t *p = in->bytes, *end = p + in->size;
    while ((p = memmem(p, (size_t)(end - p), text, step->size))) {
        p += step->size;
        if (times == 1 || ((size_t)(end - p) >= step->size && !memcmp(p, text, step->size))) return true;
    }
    return false;
}

bool normalize_keeps(const encoder *e, const bertc_step *step, const span *in) {
    if (step->kind == BERTC_STEP_REPLACE) return !has_text(e, step, 1, in);
    if (step->kind == BERTC_STEP_COLLAPSE) return !has_text(e, step, 2, in);
    if (step->kind == BERTC_STEP_BERT_NORMALIZER || !is_ascii(in)) return false;
    switch ((bertc_normalizer_kind)step->kind) {
    case BERTC_STEP_NFD:
    case BERTC_STEP_NFKD:
    case BERTC_STEP_NFC:
    case BERTC_STEP_NFKC:
    case BERTC_STEP_STRIP_ACCENTS: return true;
    case BERTC_STEP_LOWERCASE: return !has_upper(in);
    case BERTC_STEP_CHARSMAP:
        for (size_t i = 0; i < in->size; i++)
            if (!e->map_keeps[in->bytes[i]]) return false;
        return true;
    case BERTC_STEP_REPLACE:
    case BERTC_STEP_COLLAPSE:
    case BERTC_STEP_BERT_NORMALIZER:
    case BERTC_STEP_STRIP:
    case BERTC_STEP_PREPEND:
    case BERTC_STEP_NMT:
    case BERTC_STEP_REPLACE_PATTERN:
    case BERTC_STEP_NORMALIZE_BYTES: return false;
    }
    return false;
}
