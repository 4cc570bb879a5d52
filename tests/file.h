// What stands in a file, for tests.
#ifndef BERTC_TESTS_FILE_H
#define BERTC_TESTS_FILE_H
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

// With a NUL behind it; the caller frees. size may be NULL.
static inline char *file_text(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "can't read %s", path);
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    size_t n = (size_t)ftell(f);
    rewind(f);
    char *text = calloc(n + 1, 1);
    ck_assert(text && fread(text, 1, n, f) == n);
    fclose(f);
    if (size) *size = n;
    return text;
}

#endif
