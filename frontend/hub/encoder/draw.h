// Random numbers of a generator of its own, so that a seed gives the same bytes everywhere.
#ifndef BERTC_HUB_DRAW_H
#define BERTC_HUB_DRAW_H

#include <stdint.h>

// splitmix64: https://prng.di.unimi.it/splitmix64.c
uint64_t hub_draw(uint64_t *state);
// Nearly normal, mean 0 and deviation 1: the sum of eight uniform numbers of 16 bits. Exact, but for one product.
float hub_draw_normal(uint64_t *state);

#endif
