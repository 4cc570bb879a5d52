// Random numbers without a state: each is a function of the seed, of what it is for, and of where it stands. So a run that goes
// on after a stop draws what it would have drawn, and needs to keep nothing.
#ifndef BERTC_CLI_CHANCE_H
#define BERTC_CLI_CHANCE_H

#include <stdint.h>

// What a number is for: streams that must not repeat each other.
typedef enum chance_use {
    CHANCE_ORDER,  // of examples in an epoch
    CHANCE_BATCH,  // of batches in a window
    CHANCE_MASK,   // which tokens are masked
    CHANCE_CHANGE, // what a masked token becomes
    CHANCE_TOKEN,  // which other token
    CHANCE_NEXT,   // which text follows, and which other one
    CHANCE_CUT,    // where a text is cut in two
    CHANCE_STEP    // what a step's dropout starts from
} chance_use;

// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit of the result depends on every bit of `x`.
static inline uint64_t chance_mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

// 64 random bits; `a` and `b` say where it stands (epoch and example, example and token).
static inline uint64_t chance_bits(uint64_t seed, chance_use use, uint64_t a, uint64_t b) {
    return chance_mix(chance_mix(chance_mix(seed * 16 + use) + a) + b);
}

// A number below `n`, which is at least 1. By a product of 64 x 32 bits: the bias is below n / 2^32.
static inline uint32_t chance_below(uint64_t bits, uint32_t n) {
    return (uint32_t)((bits >> 32) * n >> 32);
}

// From 0, below 1.
static inline double chance_share(uint64_t bits) {
    return (double)(bits >> 11) * 0x1p-53;
}

#endif
