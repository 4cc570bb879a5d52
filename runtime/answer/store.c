// Memory for a call's results.
#include "runtime/answer/store.h"

#include <stdalign.h>
#include <stdlib.h>

#include "runtime/memory.h"

struct store_block {
    store_block *before;
    size_t size, used;
    alignas(16) char data[];
};

static store_block *block_new(size_t size, store_block *before) {
    store_block *b = heap_alloc(sizeof *b + size, 1);
    if (!b) return NULL;
    b->before = before;
    b->size = size;
    b->used = 0;
    return b;
}

bool store_open(store *s, size_t bytes) {
    s->last = block_new(heap_round_up(bytes, 16), NULL);
    return s->last != NULL;
}

void store_close(store *s) {
    while (s->last) {
        store_block *b = s->last;
        s->last = b->before;
        free(b);
    }
}

void store_reset(store *s) {
    size_t total = 0;
    int blocks = 0;
    for (const store_block *b = s->last; b; b = b->before, blocks++) total += b->size;
    if (blocks > 1) {
        store_block *one = block_new(total, NULL);
        if (one) { // else the blocks go on as they are: the newest, which is the largest, is used
            store_close(s);
            s->last = one;
        }
    }
    if (s->last) s->last->used = 0;
}

void *store_take(store *s, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > (size_t)1 << 48) return NULL;
    bytes = heap_round_up(bytes, 16);
    if (!s->last || s->last->size - s->last->used < bytes) {
        size_t more = s->last ? 2 * s->last->size : 0;
        store_block *b = block_new(more > bytes ? more : bytes, s->last);
        if (!b) return NULL;
        s->last = b;
    }
    void *piece = s->last->data + s->last->used;
    s->last->used += bytes;
    return piece;
}

void store_trim(store *s, void *piece, size_t used) {
    s->last->used = (size_t)((char *)piece - s->last->data) + heap_round_up(used, 16);
}
