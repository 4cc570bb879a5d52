// Converts floats of 16 and 8 bits to float, and float to those of 16 bits: to the nearest, ties to even; NaN stays
// NaN. Private to ir/.
#ifndef BERTC_IR_HALF_H
#define BERTC_IR_HALF_H

#include <stdint.h>
#include <string.h>

static inline float from_f16(uint16_t h) {
    uint32_t magnitude = h & 0x7fffu, bits = magnitude << 13;
    float f;
    memcpy(&f, &bits, 4);
    f *= 0x1p112f; // the exponents' biases differ by 112; subnormals come out right too
    memcpy(&bits, &f, 4);
    bits |= magnitude >= 0x7c00u ? 0x7f800000u : 0;
    bits |= (uint32_t)(h & 0x8000u) << 16;
    memcpy(&f, &bits, 4);
    return f;
}

static inline float from_bf16(uint16_t h) {
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static inline float from_f8_e4m3(uint8_t h) {
    uint32_t magnitude = h & 0x7fu, bits = magnitude << 20;
    float f;
    memcpy(&f, &bits, 4);
    f *= 0x1p120f; // as above
    memcpy(&bits, &f, 4);
    bits |= magnitude == 0x7fu ? 0x7fc00000u : 0;
    bits |= (uint32_t)(h & 0x80u) << 24;
    memcpy(&f, &bits, 4);
    return f;
}

static inline float from_f8_e5m2(uint8_t h) { // float16's upper half
    return from_f16((uint16_t)(h << 8));
}

static inline uint16_t to_f16(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); // rounds to 2^16 or more
    float x;
    memcpy(&x, &magnitude, 4);
    if (magnitude < 0x38800000u) { // subnormal: one unit is 2^-24, and the addition rounds to it
        x += 0.5f;
        memcpy(&magnitude, &x, 4);
        return (uint16_t)(sign | (magnitude - 0x3f000000u));
    }
    uint32_t odd = (magnitude >> 13) & 1u;
    return (uint16_t)(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

static inline uint16_t to_bf16(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((bits >> 16) | 0x40u);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

#endif
