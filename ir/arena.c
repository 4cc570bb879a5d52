#include "ir/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/memory.h"

#define CHUNK_BYTES ((size_t)64 << 10)
#define ALIGNMENT   ((size_t)16)

typedef struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
} arena_chunk;

struct arena {
    arena_chunk *chunks; // the one that is being filled first
};

arena *arena_new(void) {
    return memory_must(memory_zero(1, sizeof(arena)));
}

void arena_free(arena *a) {
    if (!a) return;
    for (arena_chunk *c = a->chunks; c;) {
        arena_chunk *next = c->next;
        free(c);
        c = next;
    }
    free(a);
}

static arena_chunk *chunk_new(size_t size) {
    arena_chunk *c = memory_must(memory_zero(1, sizeof(arena_chunk) + size));
    c->size = size;
    return c;
}

void *arena_alloc(arena *a, size_t size) {
    if (size > SIZE_MAX / 2) memory_exhausted();
    size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    arena_chunk *c = a->chunks;
    if (c && c->size - c->used >= size) {
        void *p = c->bytes + c->used;
        c->used += size;
        return p;
    }
    if (size > CHUNK_BYTES / 4 && c) { // of its own, behind the one that still has room
        arena_chunk *own = chunk_new(size);
        own->used = size;
        own->next = c->next;
        c->next = own;
        return own->bytes;
    }
    arena_chunk *fresh = chunk_new(size > CHUNK_BYTES ? size : CHUNK_BYTES);
    fresh->used = size;
    fresh->next = c;
    a->chunks = fresh;
    return fresh->bytes;
}

void *arena_array(arena *a, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) memory_exhausted();
    return arena_alloc(a, bytes);
}

void *arena_dup(arena *a, const void *data, size_t size) {
    void *p = arena_alloc(a, size);
    if (size) memcpy(p, data, size);
    return p;
}

char *arena_strndup(arena *a, const char *s, size_t n) {
    char *p = arena_alloc(a, n + 1);
    memcpy(p, s, n);
    return p;
}

char *arena_strdup(arena *a, const char *s) {
    return arena_strndup(a, s, strlen(s));
}

char *arena_printf(arena *a, const char *format, ...) {
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int n = vsnprintf(NULL, 0, format, list);
    va_end(list);
    if (n < 0) memory_exhausted();
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return p;
}
