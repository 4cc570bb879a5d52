// Programs over golden files: a test a file that matches.
#ifndef BERTC_TESTS_GOLDEN_H
#define BERTC_TESTS_GOLDEN_H
#include <glob.h>

#include "file.h"
#include "main.h"

static glob_t golden_files; // golden_files.gl_pathv[_i]: the file of a test

// What main returns: `test` once for each file, and a failure where there is none.
static inline int golden_main(const char *suite, const char *pattern, const TTest *test) {
    glob(pattern, 0, NULL, &golden_files);
    Suite *s = suite_create(suite);
    suite_add_files(s, &golden_files, test);
    int status = suite_status(s);
    if (golden_files.gl_pathc == 0) status = 1;
    globfree(&golden_files);
    return status;
}

#endif
