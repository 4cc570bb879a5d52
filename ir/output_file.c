#include "ir/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir/memory.h"

#define WRITE_MAX ((size_t)1 << 30) // one write(2) moves less than 2 GiB
#define NAMES_MAX 1000              // that are tried for a temporary file

static bool cannot(const char *path, diag *d) {
    return diag_error(d, path, "can't be written: %s", strerror(errno));
}

// Descriptors 0 to 2 are for standard streams, though a caller may have closed those.
static int above_standard(int fd) {
    if (fd < 0 || fd > 2) return fd;
    int up = fcntl(fd, F_DUPFD_CLOEXEC, 3), why = errno;
    close(fd);
    errno = why;
    return up;
}

static int open_file(const char *name, int flags) {
    return above_standard(open(name, flags | O_CLOEXEC, 0666));
}

// --- The target

static char *joined(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    char *out = memory_alloc(n + m + 1, 1);
    if (out) memcpy(memcpy(out, a, n) + n, b, m + 1);
    return out;
}

// The folder of a path, with its slash; NULL where memory runs out.
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? memory_strndup(path, (size_t)(slash - path) + 1) : memory_strdup("./");
}

static bool find_target(output_file *o, diag *d) {
    struct stat s;
    bool there = !stat(o->path, &s);
    if (!there && errno != ENOENT) return cannot(o->path, d);
    if (there && S_ISDIR(s.st_mode)) return diag_error(d, o->path, "can't be written: is a folder");
    o->in_place = there && !S_ISREG(s.st_mode);
    o->target = there && !o->in_place ? memory_realpath(o->path) : memory_strdup(o->path);
    return o->target || cannot(o->path, d);
}

static bool start(output_file *o, const char *path, diag *d) {
    *o = (output_file){.fd = -1, .path = path};
    return find_target(o, d);
}

static void forget(output_file *o) {
    if (o->fd >= 0) close(o->fd);
    free(o->target);
    free(o->name);
    *o = (output_file){.fd = -1};
}

static bool folder_takes_files(const char *folder) {
    struct stat s;
    if (stat(folder, &s)) return false;
    errno = S_ISDIR(s.st_mode) ? 0 : ENOTDIR;
    return !errno && !access(folder, W_OK | X_OK);
}

static char *temporary_folder(const output_file *o) {
    const char *set = getenv("TMPDIR");
    if (!o->in_place) return folder_of(o->target);
    return joined(set && *set ? set : "/tmp", "/");
}

bool output_file_check(const char *path, diag *d) {
    output_file o;
    bool ok = start(&o, path, d);
    if (ok) {
        char *folder = temporary_folder(&o);
        ok = folder && folder_takes_files(folder) && (access(path, F_OK) || !access(path, W_OK));
        if (!ok) cannot(path, d);
        free(folder);
    }
    forget(&o);
    return ok;
}

// --- Files without a name

static void proc_path(int fd, char out[32]) {
    snprintf(out, 32, "/proc/self/fd/%d", fd);
}

// One that can get a name later.
static int open_nameless(const char *folder) {
    char proc[32];
    int fd = open_file(folder, O_TMPFILE | O_RDWR);
    if (fd < 0) return -1;
    proc_path(fd, proc);
    if (!access(proc, F_OK)) return fd;
    close(fd);
    return -1;
}

// One that lost its name at once.
static int open_scratch(const char *folder) {
    char *name = joined(folder, ".bertc-XXXXXX");
    int fd = name ? mkostemp(name, O_CLOEXEC) : -1;
    if (fd >= 0) unlink(name);
    free(name);
    return above_standard(fd);
}

int output_file_scratch(const char *path, diag *d) {
    output_file o;
    int fd = -1;
    if (start(&o, path, d)) {
        char *folder = temporary_folder(&o);
        fd = folder ? open_scratch(folder) : -1;
        if (fd < 0)
            diag_error(d, path, "can't make a temporary file in %s: %s", folder ? folder : "its folder",
                       strerror(errno));
        free(folder);
    }
    forget(&o);
    return fd;
}

// --- Names

// Sets o->name to one beside the target that `take` takes.
static bool take_name(output_file *o, bool (*take)(output_file *o)) {
    char *folder = temporary_folder(o);
    size_t size = folder ? strlen(folder) + 64 : 0;
    o->name = folder ? memory_alloc(size, 1) : NULL;
    for (unsigned i = 0; o->name && i < NAMES_MAX; i++) {
        // The linker removes the file and makes it anew, so names differ between threads too.
        snprintf(o->name, size, "%s.bertc-%ld-%lx-%u.tmp", folder, (long)getpid(), (unsigned long)(size_t)o,
                 i);
        if (take(o)) {
            free(folder);
            return true;
        }
        if (errno != EEXIST) break;
    }
    int why = errno;
    free(o->name);
    free(folder);
    o->name = NULL;
    errno = why;
    return false;
}

static bool take_empty(output_file *o) {
    int fd = open_file(o->name, O_WRONLY | O_CREAT | O_EXCL);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static bool link_to(const output_file *o, const char *name) {
    char proc[32];
    proc_path(o->fd, proc);
    return !linkat(AT_FDCWD, proc, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

static bool take_link(output_file *o) {
    return link_to(o, o->name);
}

// --- Opening

bool output_file_open(output_file *o, const char *path, diag *d) {
    if (!start(o, path, d)) return false;
    if (o->in_place) {
        o->fd = open_file(path, O_WRONLY);
        return o->fd >= 0 || cannot(path, d);
    }
    if (!access(path, F_OK) && access(path, W_OK)) return cannot(path, d);
    char *folder = folder_of(o->target);
    o->fd = folder ? open_nameless(folder) : -1;
    o->copied = folder && o->fd < 0;
    if (o->copied) o->fd = open_scratch(folder);
    if (o->fd < 0) cannot(path, d);
    free(folder);
    return o->fd >= 0;
}

bool output_file_open_named(output_file *o, const char *path, diag *d) {
    return start(o, path, d) && (take_name(o, take_empty) || cannot(path, d));
}

static bool give_up(output_file *o, const char *why, diag *d) {
    diag_error(d, o->name, "can't be written: %s", why);
    if (o->moved) rename(o->name, o->target);
    forget(o); // and not _drop: what stands under that name is somebody's
    return false;
}

bool output_file_open_partial(output_file *o, const char *path, const char *there, diag *d) {
    struct stat s;
    if (!start(o, path, d)) return false;
    if (o->in_place && !there) return diag_error(d, path, "is no regular file");
    if (o->in_place) return (o->fd = open_file(path, O_WRONLY)) >= 0 || cannot(path, d);
    o->name = joined(o->target, ".partial");
    if (!o->name) return cannot(path, d);
    bool stands = !lstat(o->name, &s);
    if (stands && there) return give_up(o, there, d);
    if (!stands && !there) stands = o->moved = !rename(o->target, o->name);
    o->fd = open_file(o->name, stands ? O_RDWR | O_NONBLOCK : O_RDWR | O_CREAT | O_EXCL);
    const char *why = NULL;
    if (o->fd < 0 && !stands) { // the folder is at fault, not a partial file: what the caller named is said
        cannot(path, d);
        forget(o);
        return false;
    }
    if (o->fd < 0)
        why = strerror(errno);
    else if (fstat(o->fd, &s) || !S_ISREG(s.st_mode))
        why = "it is no regular file";
    return !why || give_up(o, why, d);
}

// --- Writing

bool output_file_put(int fd, const void *data, size_t size, const char *path, diag *d) {
    const char *p = data;
    while (size > 0) {
        ssize_t n = write(fd, p, size < WRITE_MAX ? size : WRITE_MAX);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ENOSPC;
        if (n <= 0) return cannot(path, d);
        p += n;
        size -= (size_t)n;
    }
    return true;
}

bool output_file_write(output_file *o, const void *data, size_t size, diag *d) {
    return output_file_put(o->fd, data, size, o->path, d);
}

bool output_file_size(const output_file *o, int64_t *bytes, diag *d) {
    struct stat s;
    if (o->fd >= 0 ? fstat(o->fd, &s) : stat(o->name, &s)) return cannot(o->path, d);
    *bytes = s.st_size;
    return true;
}

bool output_file_sync(output_file *o, diag *d) {
    return o->in_place || !fsync(o->fd) || cannot(o->path, d);
}

// --- The end

static bool copy(int from, int to, const char *path, diag *d) {
    char block[65536];
    for (;;) {
        ssize_t n = read(from, block, sizeof(block));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return cannot(path, d);
        if (n == 0) return true;
        if (!output_file_put(to, block, (size_t)n, path, d)) return false;
    }
}

// From the start of `from`, which is closed, to a file that is opened.
static bool copy_to(int from, const char *name, int flags, const char *path, diag *d) {
    int to = open_file(name, O_WRONLY | flags);
    bool ok = from >= 0 && to >= 0 && lseek(from, 0, SEEK_SET) == 0;
    if (!ok) cannot(path, d);
    ok = ok && copy(from, to, path, d);
    if (from >= 0) close(from);
    if (to >= 0 && close(to) && ok) ok = cannot(path, d);
    return ok;
}

// A file without a name takes the target's, by way of another where the target is there.
static bool give_name(output_file *o, diag *d) {
    if (o->copied) {
        int from = o->fd;
        o->fd = -1;
        if (take_name(o, take_empty)) return copy_to(from, o->name, 0, o->path, d);
        close(from);
        return cannot(o->path, d);
    }
    if (link_to(o, o->target)) return true;
    return (errno == EEXIST && take_name(o, take_link)) || cannot(o->path, d);
}

static bool close_file(output_file *o, diag *d) {
    int fd = o->fd;
    o->fd = -1;
    return fd < 0 || !close(fd) || cannot(o->path, d);
}

static bool rename_file(output_file *o, diag *d) {
    if (!o->name) return true;
    if (o->in_place) return copy_to(open_file(o->name, O_RDONLY), o->path, 0, o->path, d);
    if (rename(o->name, o->target)) return cannot(o->path, d);
    free(o->name);
    o->name = NULL;
    return true;
}

bool output_file_keep(output_file *o, diag *d) {
    bool ok = (o->name || o->in_place || give_name(o, d)) && close_file(o, d) && rename_file(o, d);
    if (ok) output_file_drop(o); // the copy for a device
    return ok;
}

void output_file_leave(output_file *o) {
    forget(o);
}

void output_file_drop(output_file *o) {
    if (o->name && o->moved)
        rename(o->name, o->target);
    else if (o->name)
        unlink(o->name);
    forget(o);
}

bool output_file_text(const char *path, const char *text, size_t size, bool sync, diag *d) {
    output_file o;
    bool ok = output_file_open(&o, path, d) && output_file_write(&o, text, size, d) &&
              (!sync || output_file_sync(&o, d)) && output_file_keep(&o, d);
    output_file_drop(&o);
    return ok;
}
