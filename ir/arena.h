// Arenas: memory that is allocated piece by piece and freed all at once (of a graph, a pass's scratch).
#ifndef BERTC_IR_ARENA_H
#define BERTC_IR_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct arena arena;

// A new, empty arena; the caller owns it and frees it with arena_free. When memory runs out, this function and those
// below call memory_exhausted().
arena *arena_new(void);
void arena_free(arena *a);

// `size` bytes, zeroed, aligned to 16; never NULL.
void *arena_alloc(arena *a, size_t size);
void *arena_array(arena *a, size_t count, size_t size); // the same for `count` elements of `size` bytes
// Copies into the arena.
void *arena_dup(arena *a, const void *data, size_t size);
char *arena_strdup(arena *a, const char *s);
char *arena_strndup(arena *a, const char *s, size_t n);
char *arena_printf(arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(a, T)      ((T *)arena_alloc((a), sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_array((a), (size_t)(n), sizeof(T)))

#endif
