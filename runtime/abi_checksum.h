// The checksum of an artefact: XXH64 (Yann Collet, 2012) with seed 0, at some 10 GB/s without any special
// instruction. Shared by the compiler, which writes it into the file, and the loader, which compares.
//
// One is over the file without its weights, with zeros where it stands itself
// (bertc_descriptor.checksum); the other over the weights (weights_checksum), and stands in the first.
#ifndef BERTC_ABI_CHECKSUM_H
#define BERTC_ABI_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BERTC_XXH_PRIME_1 UINT64_C(0x9e3779b185ebca87)
#define BERTC_XXH_PRIME_2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define BERTC_XXH_PRIME_3 UINT64_C(0x165667b19e3779f9)
#define BERTC_XXH_PRIME_4 UINT64_C(0x85ebca77c2b2ae63)
#define BERTC_XXH_PRIME_5 UINT64_C(0x27d4eb2f165667c5)

// Of bytes that come piece by piece.
typedef struct bertc_checksum {
    uint64_t lanes[4], size;
    uint8_t rest[32]; // size % 32 bytes that wait for a whole stripe
} bertc_checksum;

static inline uint64_t bertc_xxh_turn(uint64_t x, int by) {
    return x << by | x >> (64 - by);
}

static inline uint64_t bertc_xxh_round(uint64_t lane, uint64_t word) {
    return bertc_xxh_turn(lane + word * BERTC_XXH_PRIME_2, 31) * BERTC_XXH_PRIME_1;
}

static inline uint64_t bertc_xxh_word(const uint8_t *at) { // little-endian, as artefacts are
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline bertc_checksum bertc_checksum_begin(void) {
    return (bertc_checksum){
        .lanes = {BERTC_XXH_PRIME_1 + BERTC_XXH_PRIME_2, BERTC_XXH_PRIME_2, 0, -BERTC_XXH_PRIME_1}};
}

// Whole stripes of 32 bytes.
static inline void bertc_xxh_stripes(bertc_checksum *c, const uint8_t *at, size_t count) {
    uint64_t a = c->lanes[0], b = c->lanes[1], d = c->lanes[2], e = c->lanes[3];
    for (; count > 0; count--, at += 32) {
        a = bertc_xxh_round(a, bertc_xxh_word(at));
        b = bertc_xxh_round(b, bertc_xxh_word(at + 8));
        d = bertc_xxh_round(d, bertc_xxh_word(at + 16));
        e = bertc_xxh_round(e, bertc_xxh_word(at + 24));
    }
    c->lanes[0] = a, c->lanes[1] = b, c->lanes[2] = d, c->lanes[3] = e;
}

static inline void bertc_checksum_add(bertc_checksum *c, const void *bytes, size_t size) {
    const uint8_t *at = (const uint8_t *)bytes;
    size_t held = c->size % 32;
    c->size += size;
    if (held) {
        size_t n = size < 32 - held ? size : 32 - held;
        memcpy(c->rest + held, at, n);
        at += n, size -= n;
        if (held + n < 32) return;
        bertc_xxh_stripes(c, c->rest, 1);
    }
    bertc_xxh_stripes(c, at, size / 32);
    if (size % 32) memcpy(c->rest, at + size / 32 * 32, size % 32);
}

// The bytes after the last whole stripe.
static inline uint64_t bertc_xxh_rest(uint64_t h, const uint8_t *at, size_t n) {
    for (; n >= 8; n -= 8, at += 8)
        h = bertc_xxh_turn(h ^ bertc_xxh_round(0, bertc_xxh_word(at)), 27) * BERTC_XXH_PRIME_1 +
            BERTC_XXH_PRIME_4;
    if (n >= 4) {
        uint32_t half;
        memcpy(&half, at, sizeof half);
        h = bertc_xxh_turn(h ^ half * BERTC_XXH_PRIME_1, 23) * BERTC_XXH_PRIME_2 + BERTC_XXH_PRIME_3;
        n -= 4, at += 4;
    }
    for (; n > 0; n--, at++) h = bertc_xxh_turn(h ^ *at * BERTC_XXH_PRIME_5, 11) * BERTC_XXH_PRIME_1;
    return h;
}

static inline uint64_t bertc_checksum_end(const bertc_checksum *c) {
    static const int turns[4] = {1, 7, 12, 18};
    uint64_t h = BERTC_XXH_PRIME_5;
    if (c->size >= 32) {
        h = 0;
        for (int i = 0; i < 4; i++) h += bertc_xxh_turn(c->lanes[i], turns[i]);
        for (int i = 0; i < 4; i++)
            h = (h ^ bertc_xxh_round(0, c->lanes[i])) * BERTC_XXH_PRIME_1 + BERTC_XXH_PRIME_4;
    }
    h = bertc_xxh_rest(h + c->size, c->rest, c->size % 32);
    h = (h ^ h >> 33) * BERTC_XXH_PRIME_2;
    h = (h ^ h >> 29) * BERTC_XXH_PRIME_3;
    return h ^ h >> 32;
}

// What stands in a descriptor: 0 there says that there is none.
static inline uint64_t bertc_checksum_stored(uint64_t h) {
    return h ? h : 1;
}

static inline uint64_t bertc_checksum_of(const void *bytes, size_t size) {
    bertc_checksum c = bertc_checksum_begin();
    bertc_checksum_add(&c, bytes, size);
    return bertc_checksum_stored(bertc_checksum_end(&c));
}

// Of a file without the `weights_size` bytes at `weights_at`, and with zeros for the 8 bytes at `field`. Places
// may be anything: what lies beyond the file, or a hole within the other, is left out.
static inline uint64_t bertc_checksum_of_file(const void *bytes, uint64_t size, uint64_t field,
                                              uint64_t weights_at, uint64_t weights_size) {
    static const uint8_t zeros[8] = {0};
    const uint64_t at[2] = {field, weights_at}, sizes[2] = {sizeof zeros, weights_size};
    bertc_checksum c = bertc_checksum_begin();
    uint64_t from = 0;
    for (int k = 0; k < 2; k++) {
        int hole = field < weights_at ? k : 1 - k;
        uint64_t start = at[hole] < size ? at[hole] : size,
                 end = sizes[hole] < size - start ? start + sizes[hole] : size;
        if (start > from) bertc_checksum_add(&c, (const uint8_t *)bytes + from, (size_t)(start - from));
        if (hole == 0) bertc_checksum_add(&c, zeros, sizeof zeros);
        if (end > from) from = end;
    }
    bertc_checksum_add(&c, (const uint8_t *)bytes + from, (size_t)(size - from));
    return bertc_checksum_stored(bertc_checksum_end(&c));
}

#endif
