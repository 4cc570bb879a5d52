// The levels of instruction sets that tests of lowered precisions run on.
#ifndef BERTC_TESTS_LEVELS_H
#define BERTC_TESTS_LEVELS_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "runtime/abi_cpu.h"

static const char *const levels[] = {"avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16", "amx"};
enum { LEVELS = sizeof levels / sizeof *levels };

// Does the level have code of its own for the precision, and does this machine run it?
static inline bool has_code(const char *level, precision p) {
    target t;
    diag d;
    diag_init(&d);
    bool ok = target_init(&t, NULL, level, p, &d) && !strcmp(t.isa, level);
    diag_free(&d);
    return ok && !(t.feature_bits & ~bertc_cpu_read(t.feature_bits).has);
}

static inline const char *commit(void) {
    static char hash[64];
    FILE *git = *hash ? NULL : popen("git -C '" BERTC_TESTS "' rev-parse HEAD 2>/dev/null", "r");
    if (git && !fgets(hash, sizeof hash, git)) snprintf(hash, sizeof hash, "none");
    if (git) pclose(git);
    return hash;
}

static inline uint32_t hashed(uint32_t h, const char *text) {
    for (; *text; text++) h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

// Is everything to have its turn in this run?
static inline bool all_levels(void) {
    const char *all = getenv("BERTC_LEVELS");
    return all && !strcmp(all, "all");
}

// Which of n forms of a test has its turn: a hash of its name, of `what` and of the commit says it, so that in time all do.
static inline int turn_of(const char *name, const char *what, int n) {
    return (int)(hashed(hashed(hashed(2166136261u, name), what), commit()) % (uint32_t)n);
}

// The levels on which a test of this name runs in precision p: one by turns, or all (BERTC_LEVELS=all); how many.
static inline int choose_levels(const char *name, precision p, const char *out[LEVELS]) {
    int n = 0;
    for (int i = 0; i < LEVELS; i++)
        if (has_code(levels[i], p)) out[n++] = levels[i];
    if (!n || all_levels()) return n;
    out[0] = out[turn_of(name, precision_name(p), n)];
    return 1;
}

#endif
