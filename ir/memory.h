// The one place where the compiler allocates memory. Sizes are products that can't overflow, and a test can make any
// of these calls fail (tests/faults). Free the results with free().
#ifndef BERTC_IR_MEMORY_H
#define BERTC_IR_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// `count` elements of `size` bytes. NULL if memory runs out or the product exceeds PTRDIFF_MAX; never NULL for 0
// bytes.
void *memory_alloc(size_t count, size_t size);
void *memory_zero(size_t count, size_t size);
// Like realloc: if it fails, `old` is unchanged.
void *memory_grow(void *old, size_t count, size_t size);
// A copy of a string, or of at most its first `n` bytes.
char *memory_strdup(const char *s);
char *memory_strndup(const char *s, size_t n);
// Like realpath(path, NULL): sets errno.
char *memory_realpath(const char *path);
// Like open_memstream and fclose. memory_stream_end returns false if the text isn't complete; the caller frees *text
// in both cases.
FILE *memory_stream(char **text, size_t *size);
bool memory_stream_end(FILE *f, char *const *text);

// Zeroed pages for reading and writing, large ones if the system has them; NULL with errno. Free with munmap.
void *memory_pages(size_t bytes);

// For memory that the compiler can't do without: returns `p`, or calls memory_exhausted() if it is NULL.
void *memory_must(void *p);
// Prints "bertc: error: out of memory" and ends the process with status 1. Flushes stdout. Temporary files have no
// name, or a guard removes them.
_Noreturn void memory_exhausted(void);

#endif
