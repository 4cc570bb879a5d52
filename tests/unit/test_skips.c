// links: ir
// What is left out is counted and written down, and is a failure where BERTC_REQUIRE names its kind: in Check
// programs (tests/main.h) and in the cases of the command (tests/cli/lib.sh). This program runs itself:
// --inner has three tests, of which one is left out and one in part; --none leaves out both of two.
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"
#include "main.h"

static char self[4096], folder[] = "/tmp/bertc-skips-XXXXXX";

START_TEST(whole) {
    SKIP("large", "whole %d", _i);
}
END_TEST
START_TEST(part) {
    skip_part("peers", "part");
}
END_TEST
START_TEST(all) {}
END_TEST

static int inner(bool none) {
    Suite *s = suite_create("inner");
    TCase *t = tcase_create("inner");
    tcase_add_loop_test(t, whole, 0, none ? 2 : 1);
    if (!none) tcase_add_test(t, part);
    if (!none) tcase_add_test(t, all);
    suite_add_tcase(s, t);
    return suite_status(s);
}

// The exit status of a shell command; what it printed, and the file of skips, are read into texts.
static int run(const char *environment, const char *command, char **printed, char **noted) {
    char line[16384], path[128];
    snprintf(line, sizeof line,
             "cd %s && : >skips && env BERTC_REQUIRE= BERTC_SKIPS=%s/skips %s %s >out 2>&1", folder, folder,
             environment, command);
    int status = system(line);
    snprintf(path, sizeof path, "%s/out", folder);
    *printed = file_text(path, NULL);
    snprintf(path, sizeof path, "%s/skips", folder);
    *noted = file_text(path, NULL);
    return WEXITSTATUS(status);
}

static void expect(const char *environment, const char *command, int status, const char *says,
                   const char *notes) {
    char *printed, *noted;
    int got = run(environment, command, &printed, &noted);
    ck_assert_msg(got == status, "%s %s: status %d, not %d: %s", environment, command, got, status, printed);
    ck_assert_msg(strstr(printed, says) != NULL, "%s %s does not say '%s': %s", environment, command, says,
                  printed);
    ck_assert_msg(strstr(noted, notes) != NULL, "%s %s does not note '%s': %s", environment, command, notes,
                  noted);
    free(printed);
    free(noted);
}

START_TEST(check_programs) {
    char some[4200], none[4200];
    snprintf(some, sizeof some, "%s --inner", self);
    snprintf(none, sizeof none, "%s --none", self);
    expect("", some, 0, "skipped: 1 of 3 tests, and parts of others: 1", "large\tunit_test_skips: whole 0\n");
    expect("", none, 77, "skipped: 2 of 2 tests", "large\tunit_test_skips: whole 1\n");
    expect("BERTC_REQUIRE=avx512,large", some, 1, "BERTC_REQUIRE has large", "large\t");
    expect("BERTC_REQUIRE=peers", some, 1, "BERTC_REQUIRE has peers", "peers\t");
    expect("BERTC_REQUIRE=shared", some, 0, "skipped: 1 of 3", "large\t");
    expect("BERTC_REQUIRE=avx-512", some, 1, "BERTC_REQUIRE: 'avx-512' is not one of", "");
}
END_TEST

START_TEST(cases_of_the_command) {
    char path[128], command[8400];
    snprintf(path, sizeof path, "%s/case.sh", folder);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs("skip shared \"the checkpoints\"\n", f);
    fclose(f);
    snprintf(command, sizeof command, "sh " BERTC_TESTS "/cli/run.sh bertc " BERTC_TESTS "/.. nowhere %s",
             path);
    expect("", command, 77, "skipped, no shared: cli/case: the checkpoints",
           "shared\tcli/case: the checkpoints\n");
    expect("BERTC_REQUIRE=avx2,shared", command, 1, "BERTC_REQUIRE has shared", "shared\t");
    expect("BERTC_REQUIRE=avx2", command, 77, "skipped, no shared", "shared\t");
}
END_TEST

int main(int argc, char **argv) {
    if (argc > 1) return inner(!strcmp(argv[1], "--none"));
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || !mkdtemp(folder)) return 1;
    Suite *s = suite_create("skips");
    TCase *t = tcase_create("skips");
    tcase_add_test(t, check_programs);
    tcase_add_test(t, cases_of_the_command);
    suite_add_tcase(s, t);
    int status = suite_status(s);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) ? 1 : status;
}
