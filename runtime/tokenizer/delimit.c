// Splits at delimiters, which are dropped, kept or joined to a neighbour; and Hugging Face's Whitespace,
// which keeps words, and runs of characters that are neither word nor space.
#include <string.h>

#include "runtime/tokenizer/encoder.h"

// A stretch that may still grow: matches, and the text between them, come in order.
typedef struct cutter {
    encoder *e;
    split_list *out;
    unsigned flags;
    size_t start, end;
    bool waits, match; // the stretch [start, end); whether its last part is a delimiter
} cutter;

static void cut_flush(cutter *c) {
    bool removed = (c->flags & BERTC_SPLIT_BEHAVIOUR) == BERTC_SPLIT_REMOVED && c->match;
    if (c->waits && !removed) split_add(c->e, c->out, c->start, c->end);
    c->waits = false;
}

static bool joins(const cutter *c, bool match) {
    switch (c->flags & BERTC_SPLIT_BEHAVIOUR) {
    case BERTC_SPLIT_WITH_PREVIOUS: return match && !c->match;
    case BERTC_SPLIT_WITH_NEXT: return !match && c->match;
    case BERTC_SPLIT_CONTIGUOUS: return match == c->match;
    default: return false;
    }
}

static void cut_part(cutter *c, size_t start, size_t end, bool match) {
    match ^= (c->flags & BERTC_SPLIT_INVERT) != 0;
    if (c->waits && joins(c, match)) {
        c->end = end;
        c->match = match;
        return;
    }
    cut_flush(c);
    *c = (cutter){c->e, c->out, c->flags, start, end, true, match};
}

// A match, and the text between `*done` and it.
static void cut_match(cutter *c, size_t *done, size_t start, size_t end) {
    if (*done < start) cut_part(c, *done, start, false);
    cut_part(c, start, end, true);
    *done = end;
}

static bool is_punctuation(uint32_t c) {
    return unicode_flags(c) & UNICODE_PUNCTUATION;
}

static void cut_characters(cutter *c, const span *s, split part, bool (*is)(uint32_t), size_t *done) {
    const uint8_t *p = s->bytes + part.start, *end = s->bytes + part.end;
    while (p < end) {
        size_t at = (size_t)(p - s->bytes);
        uint32_t character = utf8_next(&p);
        if (is(character)) cut_match(c, done, at, (size_t)(p - s->bytes));
    }
}

static void cut_text(cutter *c, const bertc_step *step, const span *s, split part, size_t *done) {
    const char *text = c->e->t->strings + step->text;
    const uint8_t *p = s->bytes + part.start, *end = s->bytes + part.end;
    while (step->size && (p = memmem(p, (size_t)(end - p), text, step->size))) {
        size_t at = (size_t)(p - s->bytes);
        cut_match(c, done, at, at + step->size);
        p += step->size;
    }
}

static void cut_pattern(cutter *c, const bertc_step *step, const span *s, split part, size_t *done) {
    matches m = {.bytes = s->bytes + part.start, .size = part.end - part.start};
    for (size_t start, end; matcher_next(c->e, step, &m, &start, &end);)
        cut_match(c, done, part.start + start, part.start + end);
}

void split_delimiters(encoder *e, const bertc_step *step, const span *s, split part, split_list *out) {
    cutter c = {.e = e, .out = out, .flags = step->flags};
    size_t done = part.start;
    switch ((int)step->kind) {
    case BERTC_STEP_PUNCTUATION: cut_characters(&c, s, part, is_punctuation, &done); break;
    case BERTC_STEP_DIGITS: cut_characters(&c, s, part, unicode_is_numeric, &done); break;
    case BERTC_STEP_SPLIT_TEXT: cut_text(&c, step, s, part, &done); break;
    default: cut_pattern(&c, step, s, part, &done); break;
    }
    if (done < part.end) cut_part(&c, done, part.end, false);
    cut_flush(&c);
}

void split_words(encoder *e, const span *s, split part, split_list *out) {
    const uint8_t *p = s->bytes + part.start, *end = s->bytes + part.end, *start = p;
    unsigned last = UNICODE_SPACE;
    while (p < end) {
        const uint8_t *at = p;
        unsigned flags = unicode_flags(utf8_next(&p)),
                 kind = flags & UNICODE_WORD ? UNICODE_WORD : flags & UNICODE_SPACE;
        if (kind == last) continue;
        if (last != UNICODE_SPACE) split_add(e, out, (size_t)(start - s->bytes), (size_t)(at - s->bytes));
        start = at;
        last = kind;
    }
    if (last != UNICODE_SPACE) split_add(e, out, (size_t)(start - s->bytes), part.end);
}
