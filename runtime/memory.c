#include "runtime/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef BERTC_FAULTS
#include "tests/faults/faults.h"
#else
#define fault_now() false
#endif

// Whether the product can be asked for; what is asked for is never 0 bytes.
static bool product(size_t count, size_t size, size_t *bytes) {
    if (__builtin_mul_overflow(count, size, bytes) || *bytes > PTRDIFF_MAX || fault_now()) {
        errno = ENOMEM;
        return false;
    }
    if (!*bytes) *bytes = 1;
    return true;
}

void *heap_alloc(size_t count, size_t size) {
    size_t bytes;
    return product(count, size, &bytes) ? malloc(bytes) : NULL;
}

void *heap_zero(size_t count, size_t size) {
    size_t bytes;
    return product(count, size, &bytes) ? calloc(1, bytes) : NULL;
}

void *heap_grow(void *old, size_t count, size_t size) {
    size_t bytes;
    return product(count, size, &bytes) ? realloc(old, bytes) : NULL;
}

void *heap_aligned(size_t align, size_t count, size_t size) {
    size_t bytes;
    if (!product(count, size, &bytes)) return NULL;
    bytes = heap_round_up(bytes, align);
    void *p = aligned_alloc(align, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

void *heap_reserve(size_t bytes) {
    if (!product(bytes, 1, &bytes)) return NULL;
    void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void *heap_for_pcre2(size_t size, void *user) {
    (void)user;
    return heap_alloc(size, 1);
}

void heap_free_for_pcre2(void *p, void *user) {
    (void)user;
    free(p);
}
