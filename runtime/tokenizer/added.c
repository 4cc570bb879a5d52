// Added tokens: found in the raw text, or in the normalised text where their flags say so; the leftmost
// match first, and of those that begin there the longest.
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
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

// Appends the token's own text, normalised; nothing where that is empty.
static bool add_pattern(encoder *e, uint32_t token, size_t *count, size_t *bytes, size_t *capacity) {
    const bertc_added_token *a = &e->t->added[token];
    text_open(e, e->t->strings + a->text, a->size);
    span raw = {.bytes = e->text, .size = e->text_size}, s;
    normalize(e, &raw, &s);
    if (e->failed || !encoder_room(e, &e->pattern_bytes, capacity, *bytes + s.size, 1)) return false;
    if (!s.size) return true;
    memcpy(e->pattern_bytes + *bytes, s.bytes, s.size);
    *bytes += s.size;
    e->patterns[(*count)++] = (pattern){.size = (uint32_t)s.size, .token = token};
    return true;
}

static bool add_patterns(encoder *e, size_t *count, bertc_error *error) {
    size_t total = 0, bytes = 0, capacity = 0;
    for (uint32_t i = 0; i < e->t->table->added.count; i++)
        if (e->t->added[i].flags & BERTC_ADDED_NORMALIZED) total += e->t->added[i].size;
    budget_open(e, total);
    budget_text(e, total);
    for (uint32_t i = 0; i < e->t->table->added.count; i++) {
        if (!(e->t->added[i].flags & BERTC_ADDED_NORMALIZED) || add_pattern(e, i, count, &bytes, &capacity))
            continue;
        budget_error(e, total, error);
        return error_prefix(error, "added token %u", i);
    }
    return true;
}

// The patterns of the tokens that match normalised text. Of equal ones the first counts.
static bool open_patterns(encoder *e, bertc_error *error) {
    size_t n = 0, at = 0;
    if (!e->t->normalized) return true;
    e->patterns = heap_zero(e->t->normalized, sizeof *e->patterns);
    if (!e->patterns) return error_set(error, "out of memory");
    if (!add_patterns(e, &n, error)) return false;
    for (size_t i = 0; i < n; at += e->patterns[i++].size) e->patterns[i].bytes = e->pattern_bytes + at;
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

bool added_open(encoder *e, bertc_error *error) {
    const tokenizer *t = e->t;
    for (uint32_t i = 0; i < t->table->added.count; i++) {
        const bertc_added_token *a = &t->added[i];
        if (!(a->flags & BERTC_ADDED_NORMALIZED))
            add_pair(&e->raw_pairs, (const uint8_t *)t->strings + a->text, a->size);
    }
    return open_patterns(e, error);
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

static size_t longest_pattern(const encoder *e, const uint8_t *p, size_t size, uint32_t *token,
                              size_t *work) {
    size_t low = 0, high = e->pattern_count, best = 0;
    for (size_t i = 0; i < size; i++, ++*work) {
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

// Whether a character begins at `at`, or the text ends there.
static bool is_bound(const span *s, size_t at) {
    return at == s->size || (s->bytes[at] & 0xc0) != 0x80;
}

// The longest token that begins at `at`: its length, 0 where none does. None ends within a character.
static size_t find_added(encoder *e, const span *s, size_t at, bool normalized, uint32_t *token) {
    const uint8_t *p = s->bytes + at;
    size_t left = s->size - at, work = 0, n;
    if (!may_begin(normalized ? &e->normalized_pairs : &e->raw_pairs, p, left)) return 0;
    n = normalized ? longest_pattern(e, p, left, token, &work)
                   : trie_longest(&e->t->added_trie, 0, p, left, token, &work);
    bool whole = is_bound(s, at) && is_bound(s, at + n);
    return encoder_work(e, work) && whole && *token < e->t->table->added.count ? n : 0;
}

static void split_added(encoder *e, const span *s, bool normalized, added_rest rest) {
    size_t done = 0, at = 0, spaces = 0; // no spaces go on behind `spaces`, as far as was looked
    while (at < s->size && !e->stopped) {
        uint32_t token = 0;
        size_t n = find_added(e, s, at, normalized, &token);
        if (!n && ++at) continue;
        const bertc_added_token *a = &e->t->added[token];
        size_t start = at, end = at + n;
        at = end;
        if (a->flags & BERTC_ADDED_SPECIAL && e->skips_special) continue;
        if (a->flags & BERTC_ADDED_SINGLE_WORD &&
            ((start && is_word_before(s, start)) || (end < s->size && is_word_at(s, end))))
            continue;
        // the token before may have taken a space that this one begins with, and more
        if (a->flags & BERTC_ADDED_LSTRIP) start = start > done ? spaces_before(s, start, done) : done;
        if (a->flags & BERTC_ADDED_RSTRIP) end = spaces = spaces > end ? spaces : spaces_after(s, end);
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
