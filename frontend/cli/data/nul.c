#include "frontend/cli/data/nul.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/hub/files/out.h"
#include "ir/memory.h"

// The next \u0000 from `at` on; `size` where there is none.
static size_t find_escape(const char *line, size_t size, size_t at) {
    while (at < size) {
        if (line[at] != '\\')
            at++;
        else if (size - at >= 6 && !memcmp(line + at, "\\u0000", 6))
            return at;
        else
            at += 2;
    }
    return size;
}

static bool is_free(const char *line, size_t size, const char *beside, char byte) {
    return !memchr(line, byte, size) && !(beside && strchr(beside, byte));
}

// A byte that no UTF-8 text has, nor the line, which may be none. 0: there is none.
static char free_byte(const char *line, size_t size, const char *beside) {
    static const char never[] = "\xc0\xc1\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff";
    for (const char *byte = never; *byte; byte++)
        if (is_free(line, size, beside, *byte)) return *byte;
    return 0;
}

bool nul_open(nul_line *x, const char *line, size_t size, const char *beside, const char **why) {
    *x = (nul_line){0};
    *why = "holds a NUL byte, which JSON writes as \\u0000";
    if (memchr(line, 0, size)) return false;
    size_t found = find_escape(line, size, 0), at = 0;
    if (found >= size) return true;
    *why = "holds \\u0000 and is no UTF-8 text";
    if (!(x->stand_in = free_byte(line, size, beside))) return false;
    *why = "out of memory";
    if (!(x->copy = memory_alloc(size + 1, 1))) return false;
    for (; at < size; found = find_escape(line, size, at)) {
        if (found > size) found = size;
        memcpy(x->copy + x->size, line + at, found - at);
        x->size += found - at;
        at = found + 6;
        if (found < size) x->copy[x->size++] = x->stand_in;
    }
    x->copy[x->size] = 0;
    return true;
}

void nul_close(nul_line *x) {
    free(x->copy);
    *x = (nul_line){0};
}

void nul_restore(const nul_line *x, char *text, size_t size) {
    for (size_t i = 0; x->copy && i < size; i++)
        if (text[i] == x->stand_in) text[i] = 0;
}

cJSON *nul_string(const char *text, size_t size) {
    out o = {0};
    out_string(&o, text, size);
    out_bytes(&o, "", 1);
    cJSON *raw = o.bad ? NULL : cJSON_CreateRaw(o.text);
    out_free(&o);
    return raw;
}
