#include "frontend/cli/data/line_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir/memory.h"

#define BLOCK_BYTES (64 << 10)

bool line_reader_open(line_reader *s, const char *path, diag *d) {
    struct stat st;
    bool standard = !strcmp(path, "-");
    *s = (line_reader){.name = standard ? "standard input" : path, .size = -1};
    s->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0) return diag_error(d, path, "can't be read: %s", strerror(errno));
    if (fstat(s->fd, &st) == 0) {
        if (S_ISDIR(st.st_mode)) return diag_error(d, path, "is a folder");
        if (S_ISREG(st.st_mode)) s->size = st.st_size;
    }
    s->block = memory_alloc(BLOCK_BYTES, 1);
    return s->block || diag_error(d, path, "out of memory");
}

void line_reader_close(line_reader *s) {
    if (s->name && s->fd > STDIN_FILENO) close(s->fd);
    free(s->block);
    free(s->buffer);
    *s = (line_reader){.fd = -1};
}

// Reads on where the block is used up; false at the end, on an error, or where `wait` is false and nothing has
// come yet.
static bool fill(line_reader *s, bool wait) {
    if (s->at < s->end) return true;
    if (s->ended) return false;
    struct pollfd input = {.fd = s->fd, .events = POLLIN};
    if (!wait && poll(&input, 1, 0) <= 0) return false;
    ssize_t got;
    do got = read(s->fd, s->block, BLOCK_BYTES);
    while (got < 0 && errno == EINTR);
    if (got < 0) s->error = errno;
    s->ended = got <= 0;
    s->at = 0;
    s->end = got > 0 ? (size_t)got : 0;
    return got > 0;
}

// Room for `n` bytes of a line and a NUL.
static bool reserve(line_reader *s, size_t n) {
    if (n < s->capacity) return true;
    size_t more = s->capacity ? s->capacity : 4096;
    while (more <= n) more *= 2;
    char *grown = memory_grow(s->buffer, more, 1);
    if (!grown) return false;
    s->buffer = grown;
    s->capacity = more;
    return true;
}

// Brings the line forward to its end, or to the end of what there is. False where memory ran out.
static bool read_on(line_reader *s, bool wait) {
    while (!s->whole && fill(s, wait)) {
        const char *from = s->block + s->at, *end = memchr(from, '\n', s->end - s->at);
        size_t part = end ? (size_t)(end - from) : s->end - s->at;
        s->over |= s->held + part > LINE_BYTES_MAX;
        if (!s->over && !reserve(s, s->held + part)) return false;
        if (!s->over) memcpy(s->buffer + s->held, from, part);
        if (!s->over) s->held += part;
        if (!s->begun) s->offset = s->bytes;
        s->begun = true;
        s->whole = end != NULL;
        s->at += part + s->whole;
        s->bytes += (int64_t)(part + s->whole);
    }
    return true;
}

bool line_reader_ready(line_reader *s) {
    if (s->size >= 0) return true;
    return !read_on(s, false) || s->whole || s->ended;
}

static int64_t no_memory(line_reader *s, diag *d) {
    s->failed = true;
    diag_error(d, s->name, "out of memory for line %lld", (long long)s->number + 1);
    return LINE_END;
}

int64_t line_reader_next(line_reader *s, diag *d) {
    if (!read_on(s, true)) return no_memory(s, d);
    if (s->error) {
        s->failed = true;
        diag_error(d, s->name, "can't be read: %s", strerror(s->error));
    }
    if (!s->begun || s->error) return LINE_END;
    bool over = s->over;
    size_t n = s->held;
    s->held = 0;
    s->begun = s->whole = s->over = false;
    s->number++;
    if (over) return LINE_OVER;
    if (!reserve(s, n)) return no_memory(s, d);
    s->buffer[n] = 0;
    return (int64_t)n;
}

bool line_reader_seek(line_reader *s, int64_t offset, int64_t number, diag *d) {
    if (lseek(s->fd, offset, SEEK_SET) != offset)
        return diag_error(d, s->name, "can't be read from byte %lld on: %s", (long long)offset,
                          strerror(errno));
    s->number = number - 1;
    s->bytes = offset;
    s->at = s->end = s->held = 0;
    s->begun = s->whole = s->over = s->ended = s->failed = false;
    s->error = 0;
    return true;
}
