// Memory for a call's results: taken piece by piece, all given back at the next call. Pieces never move. It
// grows by blocks where it must; the next call then starts with one block of the size of all.
#ifndef BERTC_STORE_H
#define BERTC_STORE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct store_block store_block;
typedef struct store {
    store_block *last;
} store;

bool store_open(store *s, size_t bytes); // false: no memory
void store_close(store *s);
void store_reset(store *s);
// `count` pieces of `size` bytes, aligned to 16; NULL: no memory. Not cleared.
void *store_take(store *s, size_t count, size_t size);
// Gives back the end of the piece taken last, of which `used` bytes are kept.
void store_trim(store *s, void *piece, size_t used);

#endif
