// Output files that are whole or absent.
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/output/output.h"
#include "ir/memory.h"

#define WRITE_MAX ((size_t)1 << 30) // one write(2) moves less than 2 GiB

static bool cannot(diag *d, const char *path, const char *what) {
    return diag_error(d, path, "%s: %s", what, strerror(errno));
}

static bool set_folder(output *o, arena *a, diag *d) {
    if (o->in_place) {
        const char *folder = getenv("TMPDIR");
        o->folder = arena_strdup(a, folder && *folder ? folder : "/tmp");
    } else {
        o->folder = dirname(arena_strdup(a, o->real));
    }
    struct stat s;
    if (stat(o->folder, &s)) return cannot(d, o->path, "cannot write");
    errno = S_ISDIR(s.st_mode) ? 0 : ENOTDIR;
    if (errno || access(o->folder, W_OK | X_OK)) return cannot(d, o->path, "cannot write");
    return true;
}

bool output_open(output *o, const char *path, arena *a, diag *d) {
    *o = (output){.path = path, .real = arena_strdup(a, path)};
    struct stat s;
    if (stat(path, &s)) {
        if (errno != ENOENT) return cannot(d, path, "cannot write");
        return set_folder(o, a, d);
    }
    if (S_ISDIR(s.st_mode)) return diag_error(d, path, "cannot write: it is a folder");
    if (access(path, W_OK)) return cannot(d, path, "cannot write");
    o->in_place = !S_ISREG(s.st_mode);
    if (!o->in_place) {
        char *real = memory_realpath(path);
        if (!real) return cannot(d, path, "cannot write");
        o->real = arena_strdup(a, real);
        free(real);
    }
    return set_folder(o, a, d);
}

int output_scratch(const output *o, diag *d) {
    char name[4096];
    int n = snprintf(name, sizeof(name), "%s/.bertc-XXXXXX", o->folder);
    errno = ENAMETOOLONG;
    int fd = n < (int)sizeof(name) ? mkostemp(name, O_CLOEXEC) : -1;
    if (fd < 0) {
        diag_error(d, o->path, "cannot make a temporary file in %s: %s", o->folder, strerror(errno));
        return -1;
    }
    unlink(name); // nothing is left, however this process ends
    return fd;
}

int output_temp(output *o, arena *a, diag *d) {
    // The linker removes the file and makes it anew, so names must differ between threads too: `o` stands on
    // one's stack.
    for (unsigned i = 0; i < 1000; i++) {
        o->temp =
            arena_printf(a, "%s/.bertc-%ld-%lx-%u.tmp", o->folder, (long)getpid(), (long)(uintptr_t)o, i);
        int fd = open(o->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) return fd;
        if (errno != EEXIST) break;
    }
    o->temp = NULL;
    cannot(d, o->path, "cannot write");
    return -1;
}

bool output_write(int fd, const void *data, size_t size, const char *path, diag *d) {
    const char *p = data;
    while (size > 0) {
        ssize_t n = write(fd, p, size < WRITE_MAX ? size : WRITE_MAX);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            if (n == 0) errno = ENOSPC;
            return cannot(d, path, "cannot write");
        }
        p += n;
        size -= (size_t)n;
    }
    return true;
}

static bool copy(output *o, int from, int to, diag *d) {
    char block[65536];
    for (;;) {
        ssize_t n = read(from, block, sizeof(block));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return cannot(d, o->temp, "cannot read");
        if (n == 0) return true;
        if (!output_write(to, block, (size_t)n, o->path, d)) return false;
    }
}

static bool copy_in_place(output *o, diag *d) {
    int from = open(o->temp, O_RDONLY | O_CLOEXEC), to = open(o->path, O_WRONLY | O_CLOEXEC);
    bool ok = from >= 0 && to >= 0 ? copy(o, from, to, d) : cannot(d, o->path, "cannot write");
    if (from >= 0) close(from);
    if (to >= 0 && close(to) && ok) ok = cannot(d, o->path, "cannot write");
    return ok;
}

bool output_commit(output *o, int64_t *bytes, diag *d) {
    struct stat s;
    if (stat(o->temp, &s)) return cannot(d, o->path, "cannot write");
    *bytes = s.st_size;
    if (o->in_place) return copy_in_place(o, d);
    if (rename(o->temp, o->real)) return cannot(d, o->path, "cannot write");
    o->temp = NULL;
    return true;
}

void output_close(output *o) {
    if (o->temp) unlink(o->temp);
    o->temp = NULL;
}
