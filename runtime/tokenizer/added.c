// Added tokens: found in the raw text, or in the normalised text where their flags say so; the leftmost
// match first, and of those that begin there the longest.
#include <stdlib.h>
#include <string.h>

#include "runtime/memory.h"
#include "runtime/tokenizer/encoder.h"

static int by_bytes(const void *a, const void *b) {
    const pattern *x = a, *y = b;
    int c = memcmp(x->bytes, y->bytes, x->size < y->size ? x->size : y->size);
    if (c) return c;
    if (x->size != y->size) return x->size < y->size ? -1 : 1;
    return x->token < y->token ? -1 : x->token > y->token;
}

static void add_pair(byte_pairs *pairs, const uint8_t *text, size_t size) {
    if (!size) return;
    pairs->first[text[0]] = true;
    uint8_t *second = pairs->second[text[0]];
    if (size == 1)
        memset(second, 0xff, sizeof pairs->second[0]);
    else
        second[text[1] >> 3] |= (uint8_t)(1u << (text[1] & 7));
}

// Whether what begins at p may be one of the texts.
static inline bool may_begin(const byte_pairs *pairs, const uint8_t *p, size_t size) {
    return pairs->first[p[0]] && (size < 2 || pairs->second[p[0]][p[1] >> 3] >> (p[1] & 7) & 1);
}

// The patterns of the tokens that match normalised text: their own text, normalised. Of equal ones the first
// counts.
static bool open_patterns(encoder *e) {
    const tokenizer *t = e->t;
    if (!t->normalized) return true;
    e->patterns = heap_zero(t->normalized, sizeof *e->patterns);
    size_t bytes = 0, at = 0, n = 0;
    for (uint32_t i = 0; i < t->table->added.count; i++)
        if (t->added[i].flags & BERTC_ADDED_NORMALIZED) bytes += 36 * (size_t)t->added[i].size + 64;
    e->pattern_bytes = heap_alloc(bytes, 1);
    if (!e->patterns || !e->pattern_bytes) return false;
    for (uint32_t i = 0; i < t->table->added.count; i++) {
        const bertc_added_token *a = &t->added[i];
        if (!(a->flags & BERTC_ADDED_NORMALIZED) || a->size > e->max_text) continue;
        text_open(e, t->strings + a->text, a->size);
        span raw = {.bytes = e->text, .size = e->text_size}, s;
        normalize(e, &raw, &s);
        if (!s.size || s.size > bytes - at) continue;
        memcpy(e->pattern_bytes + at, s.bytes, s.size);
        e->patterns[n++] = (pattern){e->pattern_bytes + at, (uint32_t)s.size, i};
        at += s.size;
    }
    qsort(e->patterns, n, sizeof *e->patterns, by_bytes);
    for (size_t i = 0; i < n; i++) {
        const pattern *p = &e->patterns[i],
                      *last = e->pattern_count ? &e->patterns[e->pattern_count - 1] : NULL;
        if (last && last->size == p->size && !memcmp(last->bytes, p->bytes, p->size)) continue;
        add_pair(&e->normalized_pairs, p->bytes, p->size);
        e->patterns[e->pattern_count++] = *p;
    }
    return true;
}

bool added_open(encoder *e) {
    const tokenizer *t = e->t;
    for (uint32_t i = 0; i < t->table->added.count; i++) {
        const bertc_added_token *a = &t->added[i];
        if (!(a->flags & BERTC_ADDED_NORMALIZED))
            add_pair(&e->raw_pairs, (const uint8_t *)t->strings + a->text, a->size);
    }
    return open_patterns(e);
}

// First of patterns [low, high), which agree in `depth` bytes, whose next byte is at least c.
static size_t lower_bound(const encoder *e, size_t low, size_t high, size_t depth, unsigned c) {
    while (low < high) {
        size_t middle = (low + high) / 2;
        const pattern *p = &e->patterns[middle];
        if (depth == p->size || p->bytes[depth] < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t longest_pattern(const encoder *e, const uint8_t *p, size_t size, uint32_t *token) {
    size_t low = 0, high = e->pattern_count, best = 0;
    for (size_t i = 0; i < size; i++) {
        size_t end = lower_bound(e, low, high, i, p[i] + 1u);
        low = lower_bound(e, low, end, i, p[i]);
        high = end;
        if (low == high) break;
        if (e->patterns[low].size == i + 1) best = i + 1, *token = e->patterns[low].token;
    }
    return best;
}

static bool is_word_before(const span *s, size_t at) {
    const uint8_t *p = utf8_back(s->bytes + at);
    return unicode_flags(utf8_next(&p)) & UNICODE_WORD;
}

static bool is_word_at(const span *s, size_t at) {
    const uint8_t *p = s->bytes + at;
    return unicode_flags(utf8_next(&p)) & UNICODE_WORD;
}

static size_t spaces_before(const span *s, size_t at, size_t least) {
    while (at > least) {
        const uint8_t *back = utf8_back(s->bytes + at), *p = back;
        if (!(unicode_flags(utf8_next(&p)) & UNICODE_SPACE)) break;
        at = (size_t)(back - s->bytes);
    }
    return at;
}

static size_t spaces_after(const span *s, size_t at) {
    while (at < s->size) {
        const uint8_t *p = s->bytes + at;
        if (!(unicode_flags(utf8_next(&p)) & UNICODE_SPACE)) break;
        at = (size_t)(p - s->bytes);
    }
    return at;
}

static void give_token(encoder *e, const span *s, size_t start, size_t end, uint32_t id) {
    text_trim_text(e, text_token(e, s, start, end, id), s->bytes + start, end - start);
}

static void give_rest(encoder *e, const span *s, size_t start, size_t end, added_rest rest) {
    span part = *s;
    part.bytes += start;
    if (part.source) part.source += start;
    part.base += (uint32_t)start;
    part.size = end - start;
    rest(e, &part);
}

static void split_added(encoder *e, const span *s, bool normalized, added_rest rest) {
    const byte_pairs *pairs = normalized ? &e->normalized_pairs : &e->raw_pairs;
    size_t done = 0, at = 0;
    while (at < s->size && !e->stopped) {
        uint32_t token = 0;
        if (!may_begin(pairs, s->bytes + at, s->size - at) && ++at) continue;
        size_t n = normalized ? longest_pattern(e, s->bytes + at, s->size - at, &token)
                              : trie_longest(&e->t->added_trie, 0, s->bytes + at, s->size - at, &token);
        if ((!n || token >= e->t->table->added.count) && ++at) continue;
        const bertc_added_token *a = &e->t->added[token];
        size_t start = at, end = at + n;
        at = end;
        if (a->flags & BERTC_ADDED_SINGLE_WORD &&
            ((start && is_word_before(s, start)) || (end < s->size && is_word_at(s, end))))
            continue;
        // the token before may have taken a space that this one begins with, and more
        if (a->flags & BERTC_ADDED_LSTRIP) start = start > done ? spaces_before(s, start, done) : done;
        if (a->flags & BERTC_ADDED_RSTRIP) end = spaces_after(s, end);
        if (end < start) end = start;
        if (done < start) give_rest(e, s, done, start, rest);
        if (!e->stopped) give_token(e, s, start, end, a->id);
        e->word++;
        done = end;
    }
    if (done < s->size && !e->stopped) give_rest(e, s, done, s->size, rest);
}

void added_split_raw(encoder *e, const span *s, added_rest rest) {
    if (e->t->added_trie.count)
        split_added(e, s, false, rest);
    else if (s->size)
        rest(e, s);
}

void added_split_normalized(encoder *e, const span *s, added_rest rest) {
    if (e->pattern_count)
        split_added(e, s, true, rest);
    else if (s->size)
        rest(e, s);
}
