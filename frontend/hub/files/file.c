#include "frontend/hub/files/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir/memory.h"

// What a clone without Git LFS has in place of a large file.
static bool is_pointer(const hub_file *f) {
    static const char start[] = "version https://git-lfs.github.com/spec/";
    return f->size < 1024 && f->size > sizeof start && !memcmp(f->data, start, sizeof start - 1);
}

bool hub_file_map(const char *path, hub_file *out, diag *d) {
    *out = (hub_file){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO must not hold us up
    if (fd < 0) return diag_error(d, path, "can't be opened: %s", strerror(errno));
    struct stat s;
    if (fstat(fd, &s)) {
        int cause = errno;
        close(fd);
        return diag_error(d, path, "can't be read: %s", strerror(cause));
    }
    if (!S_ISREG(s.st_mode)) {
        close(fd);
        return diag_error(d, path, "is no file");
    }
    out->data = (const unsigned char *)"";
    out->size = (size_t)s.st_size;
    if (out->size) {
        void *p = mmap(NULL, out->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            int cause = errno;
            close(fd);
            *out = (hub_file){0};
            return diag_error(d, path, "can't be mapped: %s", strerror(cause));
        }
        madvise(p, out->size, MADV_SEQUENTIAL);
        out->data = p;
    }
    close(fd);
    if (!is_pointer(out)) return true;
    hub_file_unmap(out);
    return diag_error(d, path, "is a Git LFS pointer in place of the file: `git lfs pull` gets it");
}

void hub_file_unmap(hub_file *f) {
    if (f->size) munmap((void *)(uintptr_t)f->data, f->size);
    *f = (hub_file){0};
}

bool hub_is_file(const char *path) {
    struct stat s;
    return !lstat(path, &s) && (stat(path, &s) || !S_ISDIR(s.st_mode));
}

bool hub_is_folder(const char *path) {
    struct stat s;
    return !stat(path, &s) && S_ISDIR(s.st_mode);
}

bool hub_ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

char *hub_path(arena *a, const char *folder, const char *name) {
    size_t n = strlen(folder);
    if (!n) return arena_strdup(a, name);
    if (!*name) return arena_strdup(a, folder);
    return arena_printf(a, "%s%s%s", folder, folder[n - 1] == '/' ? "" : "/", name);
}

char *hub_path_folder(arena *a, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return arena_strdup(a, ".");
    return arena_strndup(a, path, slash == path ? 1 : (size_t)(slash - path));
}

bool hub_name_stays_inside(const char *name, bool plain) {
    if (name[0] == '/' || (plain && (!name[0] || strchr(name, '/')))) return false;
    for (const char *part = name;; part++) {
        size_t n = strcspn(part, "/");
        if (n == 2 && !strncmp(part, "..", 2)) return false;
        part += n;
        if (!*part) return true;
    }
}

// --- Writing

static void output_forget(hub_output *o) {
    free(o->path);
    free(o->temporary);
    *o = (hub_output){.fd = -1};
}

static void proc_path(const hub_output *o, char out[32]) {
    snprintf(out, 32, "/proc/self/fd/%d", o->fd);
}

// A file in the target's folder that has no name yet, so that nothing is left however this process ends;
// false where the system has none.
static bool begin_nameless(hub_output *o) {
    char *folder = memory_strdup(o->path), proc[32];
    if (!folder) return false;
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = 0;
    o->fd = open(slash ? folder : ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    free(folder);
    if (o->fd < 0) return false;
    proc_path(o, proc);
    o->nameless = !access(proc, F_OK); // by which it gets its name
    if (!o->nameless) close(o->fd), o->fd = -1;
    return o->nameless;
}

// A free name beside the target, which `take` takes: sets o->temporary.
static bool take_temporary(hub_output *o, bool (*take)(hub_output *o)) {
    size_t size = strlen(o->path) + 48;
    o->temporary = memory_alloc(size, 1);
    for (int i = 0; o->temporary && i < 1000; i++) {
        snprintf(o->temporary, size, "%s.%ld.%d.part", o->path, (long)getpid(), i);
        if (take(o)) return true;
        if (errno != EEXIST) break;
    }
    free(o->temporary);
    o->temporary = NULL;
    return false;
}

static bool take_by_open(hub_output *o) {
    o->fd = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return o->fd >= 0;
}

static bool take_by_link(hub_output *o) {
    char proc[32];
    proc_path(o, proc);
    return !linkat(AT_FDCWD, proc, AT_FDCWD, o->temporary, AT_SYMLINK_FOLLOW);
}

bool hub_output_begin(hub_output *o, const char *path, diag *d) {
    struct stat s;
    bool exists = !stat(path, &s);
    if (exists && S_ISDIR(s.st_mode)) return diag_error(d, path, "can't be written: is a folder");
    *o = (hub_output){.fd = -1, .path = exists ? memory_realpath(path) : memory_strdup(path)};
    if (!o->path) return diag_error(d, path, "can't be written: %s", strerror(errno));
    if (exists && !S_ISREG(s.st_mode)) {
        o->fd = open(o->path, O_WRONLY | O_CLOEXEC);
    } else if (!begin_nameless(o)) {
        take_temporary(o, take_by_open);
    }
    if (o->fd >= 0) return true;
    diag_error(d, path, "can't be written: %s", strerror(errno));
    output_forget(o);
    return false;
}

bool hub_output_write(hub_output *o, const void *data, size_t size, diag *d) {
    const char *p = data;
    while (size) {
        ssize_t n = write(o->fd, p, size > 0x40000000 ? 0x40000000 : size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return diag_error(d, o->path, "can't be written: %s", strerror(n ? errno : ENOSPC));
        p += n;
        size -= (size_t)n;
    }
    return true;
}

bool hub_output_end(hub_output *o, bool keep, diag *d) {
    if (o->fd < 0) return false;
    bool ok = keep;
    if (ok && o->nameless && !take_temporary(o, take_by_link))
        ok = diag_error(d, o->path, "can't be written: %s", strerror(errno));
    if (close(o->fd) && ok) ok = diag_error(d, o->path, "can't be written: %s", strerror(errno));
    if (ok && o->temporary && rename(o->temporary, o->path)) {
        ok = diag_error(d, o->path, "can't be written: %s", strerror(errno));
    }
    if (!ok && o->temporary) unlink(o->temporary);
    output_forget(o);
    return ok;
}
