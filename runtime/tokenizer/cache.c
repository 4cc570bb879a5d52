// A cache of words with their pieces: BPE and Unigram split a word in the same way wherever it is. A word
// has two places, which the latest words take; long words, and words with many pieces, are not kept.
#include <stdlib.h>
#include <string.h>

#include "runtime/memory.h"
#include "runtime/tokenizer/encoder.h"

#define WORDS 8192u // a power of 2
#define BYTES 32u
#define MOST  6u

struct cached_word { // one cache line
    uint8_t size;    // 0: free
    uint8_t count;
    uint8_t ends[MOST]; // of the pieces, from the word's start
    uint32_t ids[MOST];
    uint8_t bytes[BYTES];
};

bool cache_open(encoder *e) {
    uint32_t model = e->t->table->model;
    if (model != BERTC_TOKENIZER_BPE && model != BERTC_TOKENIZER_UNIGRAM) return true;
    e->cache = heap_zero(WORDS, sizeof *e->cache);
    return e->cache != NULL;
}

void cache_clear(encoder *e) {
    if (e->cache) memset(e->cache, 0, WORDS * sizeof *e->cache);
}

static uint64_t load(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

// The two places of a word of 1 to BYTES bytes.
static cached_word *place(const encoder *e, const uint8_t *p, size_t n) {
    uint64_t h = n;
    if (n < 8) {
        uint64_t v = 0;
        for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
        h = mix(h, v);
    } else {
        for (size_t i = 0; i + 8 < n; i += 8) h = mix(h, load(p + i));
        h = mix(h, load(p + n - 8));
    }
    return &e->cache[h & (WORDS - 2)];
}

bool cache_give(encoder *e, const span *s, split word) {
    size_t n = word.end - word.start, start = word.start;
    if (n > BYTES || !e->cache) return false;
    const uint8_t *p = s->bytes + word.start;
    const cached_word *w = place(e, p, n);
    if (w->size != n || memcmp(w->bytes, p, n)) w++;
    if (w->size != n || memcmp(w->bytes, p, n)) return false;
    for (uint32_t i = 0; i < w->count; i++) {
        text_piece(e, s, start, word.start + w->ends[i], w->ids[i]);
        start = word.start + w->ends[i];
    }
    return true;
}

void cache_put(encoder *e, const span *s, split word, const uint32_t *ids, const uint32_t *ends,
               size_t count) {
    size_t n = word.end - word.start;
    if (n > BYTES || count > MOST || !count || ends[count - 1] != word.end || !e->cache) return;
    cached_word *w = place(e, s->bytes + word.start, n);
    w[1] = w[0];
    w->size = (uint8_t)n;
    w->count = (uint8_t)count;
    for (size_t i = 0; i < count; i++) {
        w->ids[i] = ids[i];
        w->ends[i] = (uint8_t)(ends[i] - word.start);
    }
    memcpy(w->bytes, s->bytes + word.start, n);
}
