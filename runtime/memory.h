// The one place where libbertc asks for memory: sizes are products that can't overflow, and a test can make
// any of these calls fail (tests/faults). NULL where memory runs out or a product is beyond PTRDIFF_MAX,
// never for 0 bytes; freed with free(). Callers turn NULL into an error: nothing here ends the process.
#ifndef BERTC_RUNTIME_MEMORY_H
#define BERTC_RUNTIME_MEMORY_H

#include <stddef.h>

// n in whole steps of `to`.
static inline size_t heap_round_up(size_t n, size_t to) {
    return (n + to - 1) / to * to;
}

// `count` elements of `size` bytes.
void *heap_alloc(size_t count, size_t size);
void *heap_zero(size_t count, size_t size);
// As realloc: where it fails `old` stays as it was.
void *heap_grow(void *old, size_t count, size_t size);
// Zeroed, at a multiple of `align`, a power of 2.
void *heap_aligned(size_t align, size_t count, size_t size);
// Addresses of pages without access; NULL with errno. Freed with munmap.
void *heap_reserve(size_t bytes);
// For PCRE2's contexts; `user` is not used.
void *heap_for_pcre2(size_t size, void *user);
void heap_free_for_pcre2(void *p, void *user);

#endif
