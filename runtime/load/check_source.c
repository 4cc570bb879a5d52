// Looking up bytes and strings of a descriptor.
#include <string.h>

#include "runtime/error.h"
#include "runtime/load/check.h"

enum { MAX_NAME = 4096 };

const void *check_at(const check_source *c, bertc_off off, uint64_t count, uint64_t size, uint64_t align,
                     uint32_t flags, const char *what) {
    uint64_t bytes;
    if (off == 0 || __builtin_mul_overflow(count, size, &bytes)) {
        error_set(c->error, "broken descriptor: %s", what);
        return NULL;
    }
    const void *p;
    if (c->im) {
        uint64_t at = c->im->descriptor + (uint64_t)off; // may wrap: then no segment holds it
        p = at % align == 0 ? image_at(c->im, at, bytes, flags) : NULL;
    } else {
        uintptr_t at = (uintptr_t)c->bytes + (uintptr_t)off;
        p = at % align == 0 ? (const void *)at : NULL;
    }
    if (!p) error_set(c->error, "broken descriptor: %s outside of the file, or misaligned", what);
    return p;
}

const void *check_array(const check_source *c, bertc_off off, uint64_t count, bertc_row row,
                        const char *what) {
    return check_at(c, off, count, c->descriptor.row_bytes[row], 8, 0, what);
}

const char *check_string(const check_source *c, bertc_off off, const char *what) {
    const char *s = check_at(c, off, 1, 1, 1, 0, what);
    if (!s) return NULL;
    uint64_t room = c->im ? image_room(c->im, c->im->descriptor + (uint64_t)off) : MAX_NAME;
    if (memchr(s, 0, room < MAX_NAME ? room : MAX_NAME)) return s;
    error_set(c->error, "broken descriptor: %s does not end", what);
    return NULL;
}
