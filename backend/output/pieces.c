// Large pages for whoever maps an artefact. A linker writes its output page by page, through a mapping, and so the page cache
// holds it: processes that map the new file then get pages of 4 kB, for whose addresses a core that streams weights waits (a text
// of 8 tokens through BERT-base in int8 took 4.5 ms, with pages of 2 MB 3.6). What is written 2 MB at a time lies in the page
// cache in pieces of 2 MB, where the file system has such (ext4 since Linux 6.16), as it does when a file is read from a disk.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/output/output.h"
#include "ir/memory.h"

#define PIECE ((size_t)2 << 20)

static bool move_all(ssize_t (*move)(int, char *, size_t, off_t), int fd, char *bytes, off_t at) {
    for (size_t done = 0; done < PIECE;) {
        ssize_t n = move(fd, bytes + done, PIECE - done, at + (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = EIO;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

static ssize_t read_some(int fd, char *bytes, size_t n, off_t at) {
    return pread(fd, bytes, n, at);
}

static ssize_t write_some(int fd, char *bytes, size_t n, off_t at) {
    return pwrite(fd, bytes, n, at);
}

// The pages that are there go first. False with errno where the piece is lost; *can: false where the file system lets none go.
static bool write_anew(int fd, char *bytes, off_t at, bool *can) {
    if (!move_all(read_some, fd, bytes, at)) return false;
    *can = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, (off_t)PIECE) == 0;
    return !*can || move_all(write_some, fd, bytes, at);
}

bool pieces_write(const char *file, const char *path, diag *d) {
    struct stat s;
    int fd = open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) return diag_error(d, path, "can't be written: %s", strerror(errno));
    bool ok = fstat(fd, &s) == 0, can = true;
    char *bytes =
        s.st_size >= (off_t)PIECE ? memory_alloc(PIECE, 1) : NULL; // without memory it stays as it is
    for (off_t at = 0; ok && can && bytes && at + (off_t)PIECE <= s.st_size; at += (off_t)PIECE)
        ok = write_anew(fd, bytes, at, &can);
    if (!ok) diag_error(d, path, "can't be written: %s", strerror(errno));
    free(bytes);
    if (close(fd) && ok) ok = diag_error(d, path, "can't be written: %s", strerror(errno));
    return ok;
}
