// Where the files of a conformance case lie: in tests/models/cases or, for a case that has no io.safetensors there, in
// ../shared/conformance/models, from which its config, weights and references are read.
#ifndef BERTC_TESTS_CASE_PATH_H
#define BERTC_TESTS_CASE_PATH_H
#include <stdio.h>
#include <unistd.h>

#include "main.h"

// A file of a case, NULL where there is none; `file` may be NULL, and `name` the whole of CASE/FILE. Of static memory, valid for the next seven calls.
static inline const char *case_path(const char *name, const char *file) {
    static const char *const roots[] = {BERTC_TESTS "/models/cases", BERTC_SHARED "/conformance/models"};
    static char paths[8][1024];
    static int next;
    char *path = paths[next++ % 8];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof paths[0], "%s/%s%s%s", roots[i], name, file ? "/" : "", file ? file : "");
        if (!access(path, R_OK)) return path;
    }
    return NULL;
}

// The folder of a case's config and weights; NULL where ../shared is needed and not there.
static inline const char *case_home(const char *name) {
    const char *io = case_path(name, "io.safetensors");
    if (!io) return NULL;
    char *end = strrchr(io, '/');
    *end = 0;
    return io;
}

// Inside of a test that reads the weights of a case.
#define SKIP_WITHOUT(name)                                                                                   \
    do {                                                                                                     \
        if (!case_home(name)) SKIP("shared", "%s", name);                                                    \
    } while (0)
#endif
