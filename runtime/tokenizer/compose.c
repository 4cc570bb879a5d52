// Composition (NFC, NFKC), with offsets as Hugging Face tokenizers computes them: it composes the result of a
// decomposition that records, for each character, how it changes the length of the input.
#include "runtime/tokenizer/encoder.h"

void transform_flush(encoder *e, norm_text *out, transform *t) {
    if (!t->waits) return;
    t->waits = false;
    size_t at = t->at;
    if (t->change > 0 && at) at = (size_t)(utf8_back(t->in->bytes + at) - t->in->bytes);
    uint32_t source = span_source(t->in, at < t->in->size ? at : 0);
    if (at >= t->in->size || (t->change > 0 && !t->at)) source |= SOURCE_EMPTY;
    for (int64_t i = t->change; i <= 0 && t->at < t->in->size; i++) t->at += utf8_length(t->in->bytes[t->at]);
    norm_put(e, out, t->c, source);
}

void transform_next(encoder *e, norm_text *out, transform *t, uint32_t c, int64_t change) {
    transform_flush(e, out, t);
    t->c = c;
    t->change = change;
    t->waits = true;
}

static bool decompose(encoder *e, bool compatibility, const uint8_t *p, const uint8_t *end, size_t *count) {
    for (*count = 0; p < end;) {
        uint32_t c = utf8_next(&p), parts[UNICODE_LONGEST] = {c};
        bool plain = !(unicode_flags(c) & UNICODE_NORMALIZES);
        int n = plain ? 1 : unicode_decompose(c, compatibility, parts);
        if (!encoder_room(e, &e->changes, &e->change_capacity, *count + (size_t)n, sizeof *e->changes))
            return false;
        for (int i = 0; i < n; i++)
            e->changes[(*count)++] =
                (composed){parts[i], i > 0, plain ? 0 : unicode_combining_class(parts[i])};
    }
    return true;
}

// Sorts the marks after [0, count) that are in a row, stably: by counting where many are out of order.
static void order(encoder *e, composed *run, size_t count) {
    size_t at[257] = {0};
    mark_run *r = &e->run;
    bool sorted = true;
    for (size_t i = 1; i < count; i++) sorted &= run[i - 1].class <= run[i].class;
    if (sorted || !decompose_room(e, count)) return;
    for (size_t i = 0; i < count; i++) at[run[i].class + 1]++;
    for (int k = 1; k < 257; k++) at[k] += at[k - 1];
    for (size_t i = 0; i < count; i++)
        r->sorted[at[run[i].class]++] =
            (pending_mark){.c = run[i].c, .class = run[i].class, .added = run[i].change > 0};
    for (size_t i = 0; i < count; i++)
        run[i] = (composed){r->sorted[i].c, r->sorted[i].added, r->sorted[i].class};
}

static void order_all(encoder *e, size_t count) {
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && e->changes[end].class) end++;
        order(e, e->changes + i, end - i);
        i = end > i ? end : i + 1;
    }
}

// In place; a composed character replaces the characters that it consists of. Returns how many are left.
static size_t compose(composed *x, size_t count) {
    size_t starter = SIZE_MAX, n = 0;
    int last = -1; // class of the last mark after the starter that was not composed
    for (size_t i = 0; i < count; i++) {
        composed now = x[i];
        uint32_t c = starter != SIZE_MAX && last < now.class ? unicode_compose(x[starter].c, now.c) : 0;
        if (c) {
            x[starter].c = c;
            x[starter].change += now.change - 1;
            continue;
        }
        if (!now.class) {
            starter = n;
            last = -1;
        } else if (starter != SIZE_MAX) {
            last = now.class;
        }
        x[n++] = now;
    }
    return n;
}

// An ASCII character ends what came before it, but may itself be composed with what follows.
void normalize_compose(encoder *e, bool compatibility, const span *in, norm_text *out) {
    const uint8_t *p = in->bytes, *end = p + in->size;
    transform t = {.in = in};
    while (p < end && !e->failed) {
        if (*p < 0x80 && (p + 1 == end || p[1] < 0x80)) {
            if (!norm_room(e, out, 1)) return;
            out->source[out->size] = span_source(in, (size_t)(p - in->bytes));
            out->bytes[out->size++] = *p++;
            continue;
        }
        const uint8_t *stop = p + 1;
        while (stop < end && *stop >= 0x80) stop++;
        size_t count;
        if (!decompose(e, compatibility, p, stop, &count)) return;
        order_all(e, count);
        count = compose(e->changes, count);
        t.at = (size_t)(p - in->bytes);
        for (size_t i = 0; i < count; i++) transform_next(e, out, &t, e->changes[i].c, e->changes[i].change);
        transform_flush(e, out, &t);
        p = stop;
    }
}
