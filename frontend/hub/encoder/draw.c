#include "frontend/hub/encoder/draw.h"

uint64_t hub_draw(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

float hub_draw_normal(uint64_t *state) {
    int32_t sum = -8 * 65535 / 2;
    for (int k = 0; k < 2; k++) {
        for (uint64_t bits = hub_draw(state), i = 0; i < 4; i++, bits >>= 16) sum += (int32_t)(bits & 0xffff);
    }
    return (float)sum * 1.868849e-5f; // 1 / (65536 sqrt(8 / 12))
}
