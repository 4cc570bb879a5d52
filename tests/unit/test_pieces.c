// links: backend passes ir llvm
// A linked file that is written once more has the same bytes, and large pages where the system has them for files; weights in
// memory have them too.
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/output/output.h"
#include "ir/memory.h"
#include "main.h"

#define LARGE ((size_t)2 << 20)

static char folder[] = "/tmp/bertc-pieces-XXXXXX";

static const char *file_of(const char *name) {
    static char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static unsigned char byte_at(size_t i) {
    return (unsigned char)(i * 2654435761u >> 13);
}

// As linkers do: through a mapping.
static void make_mapped(const char *path, size_t size) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0640);
    ck_assert(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    unsigned char *p = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(p, MAP_FAILED);
    for (size_t i = 0; i < size; i++) p[i] = byte_at(i);
    munmap(p, size ? size : 1);
    close(fd);
}

// By calls of 2 MB each.
static void make_written(const char *path, size_t size) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0640);
    unsigned char *piece = malloc(LARGE);
    for (size_t at = 0; at < size; at += LARGE) {
        for (size_t i = 0; i < LARGE; i++) piece[i] = byte_at(at + i);
        ck_assert_int_eq(write(fd, piece, LARGE), LARGE);
    }
    free(piece);
    close(fd);
}

static void same_bytes(const char *path, size_t size) {
    struct stat s;
    int fd = open(path, O_RDONLY);
    ck_assert(fd >= 0 && fstat(fd, &s) == 0);
    ck_assert_int_eq(s.st_size, (off_t)size);
    ck_assert_int_eq(s.st_mode & 0777, 0640);
    unsigned char *p = malloc(size + 1);
    ck_assert_int_eq(read(fd, p, size), (ssize_t)size);
    for (size_t i = 0; i < size; i++) ck_assert_msg(p[i] == byte_at(i), "byte %zu is another", i);
    free(p);
    close(fd);
}

START_TEST(bytes_stay) {
    static const size_t sizes[] = {0, 1, LARGE - 1, LARGE, 2 * LARGE + 1, 3 * LARGE - 1};
    diag d;
    diag_init(&d);
    umask(0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const char *path = file_of("bytes");
        make_mapped(path, sizes[i]);
        ck_assert(pieces_write(path, "model.so", &d));
        same_bytes(path, sizes[i]);
        unlink(path);
    }
    ck_assert_int_eq(d.count, 0);
    diag_free(&d);
}
END_TEST

// What the system says of the mapping in which `at` lies, in kB.
static long smaps_kb(const void *at, const char *word) {
    char line[512], format[64];
    unsigned long from, to;
    long kb, all = 0;
    bool here = false;
    snprintf(format, sizeof format, "%s: %%ld kB", word);
    FILE *maps = fopen("/proc/self/smaps", "re");
    while (maps && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) here = (uintptr_t)at >= from && (uintptr_t)at < to;
        if (here && sscanf(line, format, &kb) == 1) all += kb;
    }
    if (maps) fclose(maps);
    return all;
}

// Addresses that begin with a large page; `reserved`: what is to be unmapped, size + LARGE.
static char *aligned(size_t size, char **reserved) {
    *reserved = mmap(NULL, size + LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(*reserved, MAP_FAILED);
    return *reserved + (LARGE - (size_t)(uintptr_t)*reserved % LARGE) % LARGE;
}

// kB of the file that a mapping of it has by large pages.
static long large_kb(const char *path, size_t size) {
    int fd = open(path, O_RDONLY);
    char *reserved, *at = aligned(size, &reserved);
    char *p = mmap(at, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
    ck_assert_ptr_eq(p, at);
    madvise(p, size, MADV_HUGEPAGE);
    for (size_t i = 0; i < size; i += 4096) ck_assert_int_eq((unsigned char)p[i], byte_at(i));
    long kb = smaps_kb(p, "FilePmdMapped");
    munmap(reserved, size + LARGE);
    close(fd);
    return kb;
}

// Of a file that is written by large calls in the first place this one says whether there are such pages here.
START_TEST(pages_are_large) {
    diag d;
    diag_init(&d);
    const char *path = file_of("written");
    make_written(path, 4 * LARGE);
    long expected = large_kb(path, 4 * LARGE);
    unlink(path);
    path = file_of("mapped");
    make_mapped(path, 4 * LARGE);
    ck_assert(pieces_write(path, "model.so", &d));
    long got = large_kb(path, 4 * LARGE);
    unlink(path);
    ck_assert_msg(got >= expected, "%ld kB by large pages, %ld of a file that was written so", got, expected);
    diag_free(&d);
}
END_TEST

// Weights of code that is made in memory: large pages, but for what lies before the first and behind the last whole one.
START_TEST(memory_has_large_pages) {
    const size_t size = 8 * LARGE;
    char *reserved, *own = aligned(size, &reserved);
    ck_assert_int_eq(mprotect(own, size, PROT_READ | PROT_WRITE), 0);
    madvise(own, size, MADV_HUGEPAGE);
    memset(own, 1, size);
    long expected = smaps_kb(own, "AnonHugePages");
    char *p = memory_pages(size);
    ck_assert_ptr_nonnull(p);
    memset(p, 1, size);
    long got = smaps_kb(p, "AnonHugePages");
    ck_assert_msg(got + 2 * (long)(LARGE >> 10) >= expected, "%ld kB by large pages, not %ld", got, expected);
    munmap(p, size);
    munmap(reserved, size + LARGE);
}
END_TEST

START_TEST(no_file_is_an_error) {
    diag d;
    diag_init(&d);
    ck_assert(!pieces_write(file_of("none"), "model.so", &d));
    ck_assert_int_eq(d.count, 1);
    ck_assert_msg(strstr(d.items[0].text, "model.so") && strstr(d.items[0].text, "can't be written"), "%s",
                  d.items[0].text);
    diag_free(&d);
}
END_TEST

int main(void) {
    if (!mkdtemp(folder)) return 1;
    Suite *s = suite_create("pieces");
    TCase *t = tcase_create("pieces");
    tcase_add_test(t, bytes_stay);
    tcase_add_test(t, pages_are_large);
    tcase_add_test(t, memory_has_large_pages);
    tcase_add_test(t, no_file_is_an_error);
    suite_add_tcase(s, t);
    int status = suite_status(s);
    rmdir(folder);
    return status;
}
