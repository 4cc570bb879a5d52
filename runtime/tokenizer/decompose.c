// Decompositions in canonical order, character by character.
#include "runtime/tokenizer/encoder.h"

void decompose_put(encoder *e, norm_text *out, uint32_t c, uint32_t source, unsigned flags) {
    if (flags & BERTC_BERT_STRIP && unicode_flags(c) & UNICODE_NONSPACING) return;
    if (!(flags & BERTC_BERT_LOWERCASE)) {
        norm_put(e, out, c, source);
        return;
    }
    uint32_t lower[2];
    int n = unicode_lower(c, lower);
    for (int i = 0; i < n; i++) norm_put(e, out, lower[i], source);
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
void decompose_flush(encoder *e, norm_text *out, unsigned flags) {
    mark_run *r = &e->run;
    if (r->unsorted) sort_marks(r);
    size_t source = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (!r->marks[i].added) r->last = r->sources[source++];
        decompose_put(e, out, r->marks[i].c, r->last, flags);
    }
    r->count = r->source_count = 0;
    r->unsorted = false;
}

bool decompose_room(encoder *e, size_t need) {
    mark_run *r = &e->run;
    if (need <= r->capacity) return true;
    size_t marks = r->capacity, sorted = r->capacity, sources = r->capacity;
    if (!encoder_room(e, &r->marks, &marks, need, sizeof *r->marks) ||
        !encoder_room(e, &r->sorted, &sorted, need, sizeof *r->sorted) ||
        !encoder_room(e, &r->sources, &sources, need, sizeof *r->sources))
        return false;
    r->capacity = marks;
    return true;
}

void decompose_next(encoder *e, norm_text *out, uint32_t c, uint32_t source, bool compatibility,
                    unsigned flags) {
    mark_run *r = &e->run;
    uint32_t parts[UNICODE_LONGEST] = {c};
    bool plain = c < 0x80 || !(unicode_flags(c) & UNICODE_NORMALIZES);
    int n = plain ? 1 : unicode_decompose(c, compatibility, parts);
    for (int i = 0; i < n; i++) {
        uint8_t class = plain ? 0 : unicode_combining_class(parts[i]);
        if (!class) {
            if (r->count) decompose_flush(e, out, flags);
            if (!i) r->last = source;
            decompose_put(e, out, parts[i], r->last, flags);
            continue;
        }
        if (!decompose_room(e, r->count + 1)) return;
        if (r->count && r->marks[r->count - 1].class > class) r->unsorted = true;
        r->marks[r->count++] = (pending_mark){.c = parts[i], .class = class, .added = i > 0};
        if (!i) r->sources[r->source_count++] = source;
    }
}
