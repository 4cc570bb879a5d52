#include "runtime/sized.h"

#include <string.h>

#include "runtime/error.h"

enum { MOST = 4096 };

static const struct {
    const char *name;
    size_t least, size;
} types[SIZED_COUNT] = {
#define X(name, least) {#name, least, sizeof(name)},
    SIZED_LIST(X)
#undef X
};

#define X(name, least) _Static_assert((least) >= sizeof(size_t) && (least) <= sizeof(name), #name);
SIZED_LIST(X)
#undef X

static size_t size_of(const void *given) {
    size_t size;
    memcpy(&size, given, sizeof size);
    return size;
}

bool sized_check(sized_type type, const void *given, bertc_error *error) {
    size_t size = size_of(given);
    if (size >= types[type].least && size <= MOST) return true;
    return error_set(error, "%s.size is %zu, not sizeof(%s)", types[type].name, size, types[type].name);
}

bool sized_take(sized_type type, const void *given, void *out, bertc_error *error) {
    size_t own = types[type].size;
    memset(out, 0, own);
    memcpy(out, &own, sizeof own);
    if (!given) return true;
    if (!sized_check(type, given, error)) return false;
    size_t size = size_of(given), least = size < own ? size : own;
    for (size_t i = own; i < size; i++)
        if (((const char *)given)[i])
            return error_set(error, "%s has a field of a later version, at byte %zu", types[type].name, i);
    memcpy((char *)out + sizeof own, (const char *)given + sizeof own, least - sizeof own);
    return true;
}

void sized_give(sized_type type, const void *own, void *array, size_t i) {
    size_t size = size_of(array), least = size < types[type].size ? size : types[type].size;
    char *to = (char *)array + i * size;
    memset(to, 0, size);
    memcpy(to, own, least);
    memcpy(to, &size, sizeof size);
}
