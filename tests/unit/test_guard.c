// links: backend ir llvm
// The process that looks after the linker: it ends with the one that it looks after, however that ends, and
// removes what was half written; also where the system has no close_range, or a sandbox refuses it.
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/output/output.h"
#include "unit/refuse.h"

#define PATIENCE_MS 20000

static char file[64];
static int out[2]; // what the guard must not hold open

static void setup(void) {
    strcpy(file, "/tmp/bertc-guard-XXXXXX");
    int fd = mkstemp(file);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(pipe(out), 0);
    signal(SIGTERM, SIG_DFL); // a child that ran Check's handler would stop the test
}

static void teardown(void) {
    unlink(file);
}

static pid_t sleeper(void) {
    pid_t pid = fork();
    if (!pid) {
        setpgid(0, 0);
        close(out[0]);
        close(out[1]);
        for (;;) pause();
    }
    setpgid(pid, pid);
    return pid;
}

// The write end is held by nobody any more: this process's child and its guard have ended.
static bool all_ended(void) {
    struct pollfd end = {.fd = out[0], .events = POLLIN};
    close(out[1]);
    return poll(&end, 1, PATIENCE_MS) == 1 && (end.revents & POLLHUP);
}

// A guard that closes what it inherited one by one does so before it looks at its process.
static bool file_is_gone(void) {
    for (int ms = 0; ms < PATIENCE_MS && !access(file, F_OK); ms += 10) usleep(10000);
    return access(file, F_OK) != 0;
}

// A process that is killed while its guard watches `linker` (0: none runs yet).
static void killed_process(int error, pid_t linker, bool linker_ended, int *ends) {
    pid_t child = fork();
    if (!child) {
        if (error && !refuse(SYS_close_range, 0, error)) _exit(1);
        if (ends) dup2(out[1], *ends); // numbers far above those that are looked at one by one
        guard g;
        guard_open(&g, file);
        if (linker) guard_linker(&g, linker);
        if (linker_ended) guard_linker_ended(&g);
        raise(SIGKILL);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
}

static const int refusals[] = {0, ENOSYS, EPERM};

START_TEST(ends_with_its_process) {
    int high = 900;
    killed_process(refusals[_i], 0, false, &high);
    ck_assert_msg(all_ended(), "the guard lives on and holds standard output");
    ck_assert(file_is_gone());
}
END_TEST

START_TEST(stops_the_linker) {
    pid_t linker = sleeper();
    killed_process(refusals[_i], linker, false, NULL);
    ck_assert(all_ended());
    int status;
    ck_assert(waitpid(linker, &status, 0) == linker && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    ck_assert(file_is_gone());
}
END_TEST

// Once it has ended its number may be another process's.
START_TEST(spares_what_has_the_linkers_number) {
    pid_t other = sleeper();
    killed_process(0, other, true, NULL);
    ck_assert(all_ended());
    ck_assert(file_is_gone());
    ck_assert_int_eq(waitpid(other, NULL, WNOHANG), 0);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}
END_TEST

START_TEST(leaves_what_is_whole) {
    ck_assert(!refusals[_i] || refuse(SYS_close_range, 0, refusals[_i]));
    guard g;
    guard_open(&g, file);
    guard_linker(&g, 1 << 29); // nobody's
    guard_linker_ended(&g);
    guard_close(&g);
    ck_assert_int_eq(access(file, F_OK), 0);
}
END_TEST

int main(void) {
    if (!can_refuse()) return 77;
    Suite *suite = suite_create("guard");
    TCase *c = tcase_create("guard");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, ends_with_its_process, 0, 3);
    tcase_add_loop_test(c, stops_the_linker, 0, 3);
    tcase_add_test(c, spares_what_has_the_linkers_number);
    tcase_add_loop_test(c, leaves_what_is_whole, 0, 3);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
