// What stands in a file, for tests.
#ifndef BERTC_TESTS_FILE_H
#define BERTC_TESTS_FILE_H
#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

// A case for each file, by its name: Check names the case of whatever fails, a signal too. The test's _i is
// the file's number. `files` stays as long as the suite.
static inline void suite_add_files(Suite *s, const glob_t *files, const TTest *test) {
    for (int i = 0; i < (int)files->gl_pathc; i++) {
        const char *slash = strrchr(files->gl_pathv[i], '/');
        TCase *c = tcase_create(slash ? slash + 1 : files->gl_pathv[i]);
        tcase_add_loop_test(c, test, i, i + 1);
        suite_add_tcase(s, c);
    }
}

#endif
