// bertc and the tests that need no files but their cases, in one static program: for an x86-64 machine that has
// neither LLVM nor the other libraries (docs/benchmarks.md). As `bertc` it is the command. Else:
//
//   bertc_tests              every test, and what was left out
//   bertc_tests NAME [ARG]   one of them, such as ops/test_ops gelu
//
// The cases lie in the folder `tests` beside the program.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int bertc_main(int argc, char **argv);

// CMakeLists.txt compiles each source with `main` of this name. PLAIN: it takes no arguments.
#define TESTS(PLAIN, WITH)                                                                                   \
    WITH(ops, test_ops)                                                                                      \
    PLAIN(ops, test_matmul)                                                                                  \
    PLAIN(ops, test_rows)                                                                                    \
    PLAIN(ops, test_attention)                                                                               \
    PLAIN(ops, test_mlp)                                                                                     \
    PLAIN(ops, test_encoder)                                                                                 \
    WITH(ops, test_random)                                                                                   \
    PLAIN(models, test_bits)                                                                                 \
    WITH(models, test_conformance)

#define DECLARE_PLAIN(dir, name) int dir##_##name(void);
#define DECLARE_WITH(dir, name)  int dir##_##name(int argc, char **argv);
TESTS(DECLARE_PLAIN, DECLARE_WITH)

static const struct {
    const char *name;
    int (*plain)(void);
    int (*with)(int argc, char **argv);
} tests[] = {
#define ROW_PLAIN(dir, name) {#dir "/" #name, dir##_##name, NULL},
#define ROW_WITH(dir, name)  {#dir "/" #name, NULL, dir##_##name},
    TESTS(ROW_PLAIN, ROW_WITH)};
#define COUNT (sizeof tests / sizeof *tests)

static int run(size_t i, int argc, char **argv) {
    return tests[i].plain ? tests[i].plain() : tests[i].with(argc, argv);
}

static int run_all(void) {
    int failed = 0;
    for (size_t i = 0; i < COUNT; i++) {
        char *argv[] = {(char *)(uintptr_t)tests[i].name, NULL};
        printf("--- %s\n", tests[i].name);
        fflush(stdout);
        int status = 0;
        pid_t child = fork();
        if (child == 0) exit(run(i, 1, argv));
        bool ended = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status);
        bool passed = ended && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
        printf("%s: %s\n", tests[i].name, !passed ? "FAILED" : WEXITSTATUS(status) ? "left out" : "passed");
        failed += !passed;
    }
    printf("%zu programs, %d failed\n", COUNT, failed);
    return failed != 0;
}

int main(int argc, char **argv) {
    const char *slash = strrchr(argv[0], '/');
    if (!strcmp(slash ? slash + 1 : argv[0], "bertc")) return bertc_main(argc, argv);
    char folder[4096];
    ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);
    if (n <= 0) return 1;
    folder[n] = 0;
    *strrchr(folder, '/') = 0;
    if (chdir(folder) || access("tests/ops", R_OK)) {
        fprintf(stderr, "bertc_tests: %s/tests is missing\n", folder);
        return 1;
    }
    if (argc < 2) return run_all();
    for (size_t i = 0; i < COUNT; i++)
        if (!strcmp(argv[1], tests[i].name)) return run(i, argc - 1, argv + 1);
    fprintf(stderr, "bertc_tests: no test '%s'; there are", argv[1]);
    for (size_t i = 0; i < COUNT; i++) fprintf(stderr, " %s", tests[i].name);
    fprintf(stderr, "\n");
    return 2;
}
