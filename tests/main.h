// What every Check program ends with: it runs its suite, and counts what was left out because something is
// not here: an ISA, data, a CPU, a tool. Such a test says SKIP, and never just returns: a test that returns
// counts as passed.
//
// Each thing left out is a line on standard output and, where BERTC_SKIPS names a file, a line there: the
// kind, a tab, and the text. BERTC_REQUIRE=kind,... makes it a failure to leave out anything of those kinds.
#ifndef BERTC_TESTS_MAIN_H
#define BERTC_TESTS_MAIN_H
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// Run by hand, a test has as long as under ctest, instead of Check's four seconds.
__attribute__((constructor)) static void allow_time(void) {
    setenv("CK_DEFAULT_TIMEOUT", "300", 0);
}

// The kinds: ISAs by their names in artefacts, then what else a test may need (tests/README.md).
static const char *const skip_kinds[] = {"generic", "avx2",  "avxvnni", "avx512", "avx512vnni", "avx512bf16",
                                         "amx",     "neon",  "shared",  "cpus",   "linker",     "tools",
                                         "peers",   "plain", "large",   "mpi"};

// Counts of this run, on a page that the processes of the tests share. NULL outside of suite_status.
typedef struct skip_counts {
    atomic_int tests, parts;
} skip_counts;
static skip_counts *skipped;

// Is `name` one of the words of a list with commas?
static inline bool skip_listed(const char *list, const char *name) {
    size_t n = strlen(name);
    for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',') {
        if (strcspn(at, ",") == n && !memcmp(at, name, n)) return true;
    }
    return false;
}

// Notes that something of `kind` is not here. False: BERTC_REQUIRE says that it must be.
static inline bool skip_say(const char *kind, const char *text) {
    bool known = false;
    for (size_t i = 0; i < sizeof skip_kinds / sizeof *skip_kinds; i++) known |= !strcmp(kind, skip_kinds[i]);
    if (!known) fprintf(stderr, "tests/main.h does not list the kind '%s'\n", kind);
    const char *program = program_invocation_short_name, *list = getenv("BERTC_SKIPS");
    printf("skipped, no %s: %s: %s\n", kind, program, text);
    fflush(stdout);
    FILE *f = list && *list ? fopen(list, "ae") : NULL;
    if (f) {
        fprintf(f, "%s\t%s: %s\n", kind, program, text);
        fclose(f);
    }
    return known && !skip_listed(getenv("BERTC_REQUIRE"), kind);
}

// Inside of a test: a part of it is left out.
__attribute__((format(printf, 2, 3))) static inline void skip_part(const char *kind, const char *format,
                                                                   ...) {
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (skipped) atomic_fetch_add(&skipped->parts, 1);
    if (!skip_say(kind, text)) ck_abort_msg("%s: BERTC_REQUIRE has %s, and it is not here", text, kind);
}

// Inside of a test: all of it is left out.
#define SKIP(kind, ...)                                                                                      \
    do {                                                                                                     \
        if (skipped) atomic_fetch_add(&skipped->tests, 1);                                                   \
        skip_part(kind, __VA_ARGS__);                                                                        \
        return;                                                                                              \
    } while (0)

// The whole program is left out: what main returns.
static inline int skip_all(const char *kind, const char *text) {
    if (skip_say(kind, text)) return 77;
    fprintf(stderr, "%s: BERTC_REQUIRE has %s, and it is not here\n", text, kind);
    return 1;
}

// Every word of BERTC_REQUIRE must be a kind: a misspelt one would require nothing.
static inline bool skip_require_is_known(void) {
    char all[256] = "";
    for (size_t i = 0; i < sizeof skip_kinds / sizeof *skip_kinds; i++) {
        if (i) strcat(all, ",");
        strcat(all, skip_kinds[i]);
    }
    const char *list = getenv("BERTC_REQUIRE");
    for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',') {
        char word[64];
        snprintf(word, sizeof word, "%.*s", (int)strcspn(at, ","), at);
        if (*word && !skip_listed(all, word)) {
            fprintf(stderr, "BERTC_REQUIRE: '%s' is not one of %s\n", word, all);
            return false;
        }
    }
    return true;
}

// A test's limit of time where none is set, also for a program that is started by hand: Check's own is 4 s.
__attribute__((constructor)) static inline void suite_time_limit(void) {
    setenv("CK_DEFAULT_TIMEOUT", "300", 0);
}

// Runs the suite: what main returns. 0, 1, or 77 where every test was left out.
static inline int suite_status(Suite *suite) {
    if (!skip_require_is_known()) return 1;
    void *page = mmap(NULL, sizeof *skipped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return 1;
    skipped = page;
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner), total = srunner_ntests_run(runner);
    srunner_free(runner);
    int tests = atomic_load(&skipped->tests), parts = atomic_load(&skipped->parts);
    if (parts) printf("skipped: %d of %d tests, and parts of others: %d\n", tests, total, parts - tests);
    munmap(page, sizeof *skipped);
    skipped = NULL;
    return failed ? 1 : total && tests == total ? 77 : 0;
}

#endif
