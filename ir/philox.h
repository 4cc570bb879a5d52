// Philox 4x32-10 (Salmon et al., 2011): random numbers that follow from their place. A counter and a key give four
// words, in whatever order the counters are used. The evaluator and the loop nest share this file, which also says how
// `random` numbers its elements.
#ifndef BERTC_IR_PHILOX_H
#define BERTC_IR_PHILOX_H

#include <stdint.h>

#define PHILOX_ROUNDS 10
#define PHILOX_MUL_0  0xD2511F53u
#define PHILOX_MUL_1  0xCD9E8D57u
#define PHILOX_KEY_0  0x9E3779B9u // what is added to the key after each round
#define PHILOX_KEY_1  0xBB67AE85u

// Column j of a row is word (j / 16) % 4 of counter 16 (j / 64) + j % 16. So the four words of 16 neighbouring counters
// are 64 neighbouring columns. The counter's other words are the row's number, the row-major index along the axes
// between the first and the last, and the stream.
#define PHILOX_LANES 16
#define PHILOX_BLOCK 64

static inline void philox(const uint32_t counter[4], uint32_t k0, uint32_t k1, uint32_t out[4]) {
    for (int i = 0; i < 4; i++) out[i] = counter[i];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t p0 = (uint64_t)PHILOX_MUL_0 * out[0], p1 = (uint64_t)PHILOX_MUL_1 * out[2];
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ out[1] ^ k0, (uint32_t)p1,
                            (uint32_t)(p0 >> 32) ^ out[3] ^ k1, (uint32_t)p0};
        for (int i = 0; i < 4; i++) out[i] = next[i];
        k0 += PHILOX_KEY_0;
        k1 += PHILOX_KEY_1;
    }
}

#endif
