// links: backend passes ir llvm
// Every *.ir of this folder: compiled against the evaluator. An op of ops.def that none of them holds is a
// failure.
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "harness.h"
#include "main.h"

static glob_t files;

START_TEST(differential) {
    harness_file(files.gl_pathv[_i]);
}
END_TEST

static void mark(const graph *g, bool *seen) {
    for (value v = 0; v < g->count; v++) {
        seen[graph_node(g, v)->op] = true;
        if (graph_node(g, v)->body) mark(graph_node(g, v)->body, seen);
    }
}

START_TEST(every_op_has_a_test) {
    arena *a = arena_new();
    bool seen[OP_COUNT] = {0};
    for (size_t i = 0; i < files.gl_pathc; i++) {
        harness h = {0};
        mark(harness_parse(a, files.gl_pathv[i], &h), seen);
    }
    for (int o = 0; o < OP_COUNT; o++)
        ck_assert_msg(seen[o], "no file of tests/ops holds the op %s", op_name((op)o));
    arena_free(a);
}
END_TEST

int main(int argc, char **argv) {
    const char *pattern = argc > 1 ? argv[1] : "*";
    char path[4096];
    snprintf(path, sizeof(path), "%s/ops/%s.ir", BERTC_TESTS, pattern);
    if (glob(path, 0, NULL, &files) != 0) {
        fprintf(stderr, "no file %s\n", path);
        return 1;
    }
    Suite *s = suite_create("ops");
    suite_add_files(s, &files, differential);
    TCase *t = tcase_create("every op");
    if (argc < 2) tcase_add_test(t, every_op_has_a_test);
    suite_add_tcase(s, t);
    int status = suite_status(s);
    globfree(&files);
    return status;
}
