#include "ir/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef BERTC_FAULTS
#include "tests/faults/faults.h"
#else
#define fault_now() false
#endif

#define LARGE_PAGE ((size_t)2 << 20)

// Whether the product can be asked for; what is asked for is never 0 bytes.
static bool product(size_t count, size_t size, size_t *bytes) {
    if (__builtin_mul_overflow(count, size, bytes) || *bytes > PTRDIFF_MAX || fault_now()) {
        errno = ENOMEM;
        return false;
    }
    if (!*bytes) *bytes = 1;
    return true;
}

void *memory_alloc(size_t count, size_t size) {
    size_t bytes;
    return product(count, size, &bytes) ? malloc(bytes) : NULL;
}

void *memory_zero(size_t count, size_t size) {
    size_t bytes;
    return product(count, size, &bytes) ? calloc(1, bytes) : NULL;
}

void *memory_grow(void *old, size_t count, size_t size) {
    size_t bytes;
    return product(count, size, &bytes) ? realloc(old, bytes) : NULL;
}

char *memory_strndup(const char *s, size_t n) {
    size_t size = strnlen(s, n);
    char *copy = memory_alloc(size + 1, 1);
    if (!copy) return NULL;
    memcpy(copy, s, size);
    copy[size] = 0;
    return copy;
}

char *memory_strdup(const char *s) {
    return memory_strndup(s, strlen(s));
}

char *memory_realpath(const char *path) {
    char *buffer = memory_alloc(PATH_MAX, 1);
    if (buffer && realpath(path, buffer)) return buffer;
    int cause = errno;
    free(buffer);
    errno = cause;
    return NULL;
}

FILE *memory_stream(char **text, size_t *size) {
    size_t unused;
    *text = NULL;
    return product(1, 1, &unused) ? open_memstream(text, size) : NULL;
}

bool memory_stream_end(FILE *f, char *const *text) {
    size_t unused;
    bool whole = product(1, 1, &unused) && !ferror(f);
    return !fclose(f) && whole && *text;
}

void *memory_pages(size_t bytes) {
    if (!product(bytes, 1, &bytes)) return NULL;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    if (bytes >= LARGE_PAGE) madvise(p, bytes, MADV_HUGEPAGE); // a wish: small pages do as well
    return p;
}

void *memory_must(void *p) {
    if (!p) memory_exhausted();
    return p;
}

// The streams' locks stay taken: where two threads come here at once, one of them prints, and the process ends.
_Noreturn void memory_exhausted(void) {
    static const char text[] = "bertc: error: out of memory\n";
    flockfile(stderr);
    fflush(stdout);
    fflush(stderr);
    ssize_t written = write(2, text, sizeof(text) - 1);
    _exit(written < 0 ? 1 : EXIT_FAILURE);
}
