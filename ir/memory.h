// The one place where the compiler asks for memory: sizes are products that can't overflow, and a test can
// make any of these calls fail (tests/faults). What they return is freed with free().
#ifndef BERTC_IR_MEMORY_H
#define BERTC_IR_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// `count` elements of `size` bytes. NULL where memory runs out or the product is beyond PTRDIFF_MAX; never
// NULL for 0 bytes.
void *memory_alloc(size_t count, size_t size);
void *memory_zero(size_t count, size_t size);
// As realloc: where it fails `old` stays as it was.
void *memory_grow(void *old, size_t count, size_t size);
// Copies of a string, and of its first `n` bytes at most.
char *memory_strdup(const char *s);
char *memory_strndup(const char *s, size_t n);
// As realpath(path, NULL): errno is set.
char *memory_realpath(const char *path);
// As open_memstream, and its end: false where the text isn't whole. The caller frees *text in both cases.
FILE *memory_stream(char **text, size_t *size);
bool memory_stream_end(FILE *f, char *const *text);

// Pages that can be read and written, zeroed, large ones where the system has them; NULL with errno. Freed with munmap.
void *memory_pages(size_t bytes);

// For what the compiler can't go on without: `p`, or memory_exhausted() where it is NULL.
void *memory_must(void *p);
// Prints "bertc: error: out of memory" and ends the process with status 1. What stands on stdout is written;
// temporary files have no name, or a guard that removes them.
_Noreturn void memory_exhausted(void);

#endif
