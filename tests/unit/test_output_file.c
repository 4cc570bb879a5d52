// links: ir
// Output files: whole or absent, whatever stands there and however the process ends.
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"
#include "ir/output_file.h"
#include "unit/refuse.h"

static char folder[64];
static diag d;

static void setup(void) {
    strcpy(folder, "/tmp/bertc-output-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    diag_init(&d);
}

static void teardown(void) {
    char command[96];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
    diag_free(&d);
}

static const char *in(const char *name) {
    static char paths[8][128];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void write_whole(const char *path, const char *text) {
    FILE *f = fopen(path, "wb");
    ck_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void expect(const char *path, const char *text) {
    char *there = file_text(path, NULL);
    ck_assert_str_eq(there, text);
    free(there);
}

static int files(void) {
    DIR *dir = opendir(folder);
    int n = 0;
    for (struct dirent *e; (e = readdir(dir));) n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(dir);
    return n;
}

// A file system that makes no files without a name: 1. One that does: 0.
static void on_system(int which) {
    if (which && !refuse(SYS_openat, O_TMPFILE & ~O_DIRECTORY, EOPNOTSUPP)) abort();
}

START_TEST(kept) {
    output_file o;
    on_system(_i);
    for (int round = 0; round < 2; round++) { // a new file, and one that is replaced
        ck_assert(output_file_open(&o, in("x"), &d));
        ck_assert_int_eq(o.copied, _i);
        ck_assert(output_file_write(&o, "new", 3, &d));
        ck_assert_int_eq(files(), round);
        if (round) expect(in("x"), "new");
        int64_t bytes = 0;
        ck_assert(output_file_size(&o, &bytes, &d) && bytes == 3);
        ck_assert(output_file_sync(&o, &d) && output_file_keep(&o, &d));
        output_file_drop(&o);
        expect(in("x"), "new");
        ck_assert_int_eq(files(), 1);
    }
    struct stat s;
    mode_t mask = umask(0);
    umask(mask);
    ck_assert(!stat(in("x"), &s) && (s.st_mode & 0777) == (0666 & ~mask));
}
END_TEST

START_TEST(dropped) {
    output_file o;
    on_system(_i);
    write_whole(in("x"), "old");
    ck_assert(output_file_open(&o, in("x"), &d) && output_file_write(&o, "new", 3, &d));
    output_file_drop(&o);
    output_file_drop(&o);
    ck_assert(output_file_open(&o, in("y"), &d) && output_file_write(&o, "new", 3, &d));
    output_file_drop(&o);
    expect(in("x"), "old");
    ck_assert_int_eq(files(), 1);
}
END_TEST

// Killed while it is written: nothing is left, and what was there stays.
START_TEST(killed) {
    write_whole(in("x"), "old");
    pid_t child = fork();
    if (!child) {
        output_file o, p;
        on_system(_i);
        bool ok = output_file_open(&o, in("x"), &d) && output_file_write(&o, "new", 3, &d) &&
                  output_file_open(&p, in("y"), &d) && output_file_write(&p, "new", 3, &d) &&
                  output_file_scratch(in("z"), &d) >= 0;
        raise(ok ? SIGKILL : SIGTERM);
    }
    int status;
    ck_assert(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    expect(in("x"), "old");
    ck_assert_int_eq(files(), 1);
}
END_TEST

// Files of the user's that have names like those of temporary files.
START_TEST(others_are_spared) {
    on_system(_i);
    write_whole(in("x.partial"), "mine");
    write_whole(in("x.tmp"), "mine");
    ck_assert(output_file_text(in("x"), "new", 3, true, &d));
    expect(in("x"), "new");
    expect(in("x.partial"), "mine");
    expect(in("x.tmp"), "mine");
    ck_assert_int_eq(files(), 3);
}
END_TEST

START_TEST(links_are_followed) {
    struct stat s;
    write_whole(in("real"), "old");
    ck_assert_int_eq(symlink("real", in("x")), 0);
    ck_assert(output_file_text(in("x"), "new", 3, false, &d));
    expect(in("real"), "new");
    ck_assert(!lstat(in("x"), &s) && S_ISLNK(s.st_mode));
    ck_assert_int_eq(files(), 2);
}
END_TEST

START_TEST(refused) {
    static const struct {
        const char *path, *says;
    } cases[] = {{"/nowhere/x", "/nowhere/x: can't be written: No such file"},
                 {"/tmp", "/tmp: can't be written: is a folder"},
                 {"/etc/passwd/x", "/etc/passwd/x: can't be written: Not a directory"},
                 {"/proc/x", "/proc/x: can't be written: "}}; // which its mode allows
    output_file o;
    ck_assert(!output_file_open(&o, cases[_i].path, &d));
    output_file_drop(&o);
    if (_i < 3) ck_assert(!output_file_check(cases[_i].path, &d));
    ck_assert_int_eq(d.errors, _i < 3 ? 2 : 1);
    for (int i = 0; i < d.count; i++)
        ck_assert_msg(strstr(d.items[i].text, cases[_i].says) != NULL, "%s", d.items[i].text);
}
END_TEST

START_TEST(a_device_is_written_in_place) {
    output_file o;
    ck_assert(output_file_text("/dev/null", "x", 1, true, &d));
    ck_assert(!output_file_text("/dev/full", "x", 1, true, &d));
    ck_assert_ptr_nonnull(strstr(d.items[0].text, "/dev/full: can't be written: No space left"));
    setenv("TMPDIR", folder, 1);
    ck_assert(output_file_open_named(&o, "/dev/full", &d));
    ck_assert_int_eq(files(), 1);
    write_whole(o.name, "x");
    ck_assert(!output_file_keep(&o, &d));
    output_file_drop(&o);
    struct stat s;
    ck_assert(!stat("/dev/full", &s) && S_ISCHR(s.st_mode));
    ck_assert_int_eq(files(), 0);
}
END_TEST

// A named file may be replaced by the program that writes it.
START_TEST(named) {
    output_file o;
    write_whole(in("x"), "old");
    for (int keep = 0; keep < 2; keep++) {
        ck_assert(output_file_open_named(&o, in("x"), &d));
        ck_assert(!strncmp(o.name, folder, strlen(folder)));
        ck_assert_int_eq(unlink(o.name), 0);
        write_whole(o.name, "new");
        if (keep) ck_assert(output_file_keep(&o, &d));
        output_file_drop(&o);
        expect(in("x"), keep ? "new" : "old");
        ck_assert_int_eq(files(), 1);
    }
}
END_TEST

START_TEST(partial) {
    output_file o;
    ck_assert(output_file_open_partial(&o, in("x"), "no", &d));
    ck_assert(output_file_write(&o, "half", 4, &d));
    output_file_leave(&o);
    expect(in("x.partial"), "half");
    ck_assert(!output_file_open_partial(&o, in("x"), "is mine", &d));
    output_file_drop(&o);
    ck_assert_ptr_nonnull(strstr(d.items[0].text, "x.partial: can't be written: is mine"));
    expect(in("x.partial"), "half");
    ck_assert(output_file_open_partial(&o, in("x"), NULL, &d));
    ck_assert(lseek(o.fd, 0, SEEK_END) == 4 && output_file_write(&o, "+half", 5, &d));
    ck_assert(output_file_sync(&o, &d) && output_file_keep(&o, &d));
    expect(in("x"), "half+half");
    ck_assert_int_eq(files(), 1);
    // The target itself, which is back where nothing was done.
    ck_assert(output_file_open_partial(&o, in("x"), NULL, &d) && o.moved);
    output_file_drop(&o);
    expect(in("x"), "half+half");
    ck_assert_int_eq(files(), 1);
    ck_assert_int_eq(mkfifo(in("x.partial"), 0600), 0);
    ck_assert(!output_file_open_partial(&o, in("x"), NULL, &d));
    ck_assert_ptr_nonnull(strstr(d.items[1].text, "no regular file"));
    expect(in("x"), "half+half");
    ck_assert_int_eq(files(), 2);
}
END_TEST

// Where standard streams are closed, no file takes their numbers.
START_TEST(above_standard) {
    for (int fd = 0; fd < 3; fd++) close(fd);
    output_file o;
    bool ok = output_file_open(&o, in("x"), &d) && o.fd > 2 && output_file_scratch(in("x"), &d) > 2;
    output_file_drop(&o);
    exit(ok ? 0 : 1);
}
END_TEST

int main(void) {
    if (!can_refuse()) return 77;
    Suite *suite = suite_create("output_file");
    TCase *c = tcase_create("output_file");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, kept, 0, 2);
    tcase_add_loop_test(c, dropped, 0, 2);
    tcase_add_loop_test(c, killed, 0, 2);
    tcase_add_loop_test(c, others_are_spared, 0, 2);
    tcase_add_test(c, links_are_followed);
    tcase_add_loop_test(c, refused, 0, 4);
    tcase_add_test(c, a_device_is_written_in_place);
    tcase_add_test(c, named);
    tcase_add_test(c, partial);
    tcase_add_test(c, above_standard);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
