// links: cli hub passes backend runtime ir
// What main sets up: a mapped file that becomes shorter is one line and status 1, on any thread; standard
// streams that are closed are opened.
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/cli/process.h"
#include "frontend/hub/files/file.h"

static char file[80];

static void setup(void) {
    strcpy(file, "/tmp/bertc shrinks-XXXXXX"); // with a space
    int fd = mkstemp(file);
    ck_assert(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
    close(fd);
}

static void teardown(void) {
    unlink(file);
}

// Runs `work` in a child; its status, and what it said on standard error.
static int said_by(void (*work)(void), char *text, size_t size) {
    int ends[2], status;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (!child) {
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        process_watch_files();
        work();
        _exit(0);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got; n + 1 < size && (got = read(ends[0], text + n, size - 1 - n)) > 0;) n += (size_t)got;
    text[n] = 0;
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static void *read_all(void *mapped) {
    const hub_file *f = mapped;
    unsigned char sum = 0;
    for (size_t i = 0; i < f->size; i += 1000) sum += f->data[i];
    _exit(sum ? 4 : 5);
}

static void map_shrunk(hub_file *f) {
    diag d;
    diag_init(&d);
    if (!hub_file_map(file, f, &d) || truncate(file, 5000)) _exit(3);
}

static void read_here(void) {
    hub_file f;
    map_shrunk(&f);
    read_all(&f);
}

static void read_on_threads(void) {
    hub_file f;
    pthread_t threads[4];
    map_shrunk(&f);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, read_all, &f);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

START_TEST(shrinks) {
    char text[4096], want[200];
    int status = said_by(_i ? read_on_threads : read_here, text, sizeof(text));
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %x: %s", status, text);
    snprintf(want, sizeof(want), "bertc: error: %s: became shorter while it was read\n", file);
    ck_assert_str_eq(text, want);
}
END_TEST

static void sent_by_somebody(void) {
    kill(getpid(), SIGBUS);
}

START_TEST(other_causes_stay) {
    char text[4096];
    int status = said_by(sent_by_somebody, text, sizeof(text));
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    ck_assert_str_eq(text, "");
}
END_TEST

// Shorter or written within a page, where no signal comes; but one that took its place harms nobody.
START_TEST(changed) {
    diag d;
    hub_file f;
    diag_init(&d);
    ck_assert(hub_file_map(file, &f, &d) && hub_file_unchanged(&f, file, &d));
    if (_i == 0) ck_assert_int_eq(truncate(file, (1 << 20) - 1), 0);
    if (_i == 1) {
        struct timespec other[2] = {{1, 0}, {1, 0}};
        ck_assert_int_eq(utimensat(AT_FDCWD, file, other, 0), 0);
    }
    if (_i == 2) ck_assert_int_eq(unlink(file), 0);
    ck_assert_int_eq(hub_file_unchanged(&f, file, &d), _i == 2);
    ck_assert_int_eq(d.errors, _i != 2);
    if (d.errors) ck_assert_ptr_nonnull(strstr(d.items[0].text, "was changed while it was read"));
    hub_file_unmap(&f);
    diag_free(&d);
}
END_TEST

START_TEST(standard_streams_are_open) {
    for (int fd = 0; fd < 3; fd++)
        if (_i >> fd & 1) close(fd);
    process_open_standard();
    struct stat null, s;
    stat("/dev/null", &null);
    bool ok = open("/dev/null", O_RDONLY) > 2;
    for (int fd = 0; fd < 3; fd++) ok &= !fstat(fd, &s) && (!(_i >> fd & 1) || s.st_rdev == null.st_rdev);
    exit(ok ? 0 : 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("process");
    TCase *c = tcase_create("process");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, shrinks, 0, 2);
    tcase_add_test(c, other_causes_stay);
    tcase_add_loop_test(c, changed, 0, 3);
    tcase_add_loop_test(c, standard_streams_are_open, 0, 8);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
