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
    out->changed = s.st_mtim;
    out->device = s.st_dev;
    out->number = s.st_ino;
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

bool hub_file_unchanged(const hub_file *f, const char *path, diag *d) {
    struct stat s;
    if (stat(path, &s) || s.st_dev != f->device || s.st_ino != f->number) return true;
    bool same = (size_t)s.st_size == f->size && s.st_mtim.tv_sec == f->changed.tv_sec &&
                s.st_mtim.tv_nsec == f->changed.tv_nsec;
    return same || diag_error(d, path, "was changed while it was read");
}

// NAME or OWNER/NAME, of the characters that the hub allows, and without the ending of a file.
static bool may_be_of_the_hub(const char *path) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    static const char *const endings[] = {".so", ".safetensors", ".st", ".bin",
                                          ".pt", ".pth",         ".ir", ".json"};
    size_t owner = strspn(path, letters), name = path[owner] == '/' ? strspn(path + owner + 1, letters) : 0;
    size_t size = strlen(path);
    if (!owner || *path == '.' || (name ? owner + 1 + name : owner) != size) return false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(endings[i]);
        if (size > n && !strcmp(path + size - n, endings[i])) return false;
    }
    return true;
}

bool hub_is_there(const char *path, diag *d) {
    struct stat s;
    const char *slash = strrchr(path, '/');
    if (!lstat(path, &s) || errno != ENOENT) return true;
    if (!may_be_of_the_hub(path)) return diag_error(d, path, "can't be opened: %s", strerror(ENOENT));
    return diag_error(d, path,
                      "can't be opened: %s (bertc reads folders, and downloads nothing: `hf download %.200s "
                      "--local-dir %.100s` gets a model from the Hugging Face Hub)",
                      strerror(ENOENT), path, slash ? slash + 1 : path);
}

bool hub_is_file(const char *path) {
    struct stat s;
    return !lstat(path, &s) && (stat(path, &s) || !S_ISDIR(s.st_mode));
}

bool hub_is_folder(const char *path) {
    struct stat s;
    return !stat(path, &s) && S_ISDIR(s.st_mode);
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
