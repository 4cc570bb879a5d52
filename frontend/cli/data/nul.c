#include "frontend/cli/data/nul.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/hub/files/text.h"
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

// A copy of a text's part, in which U+FFFD stands for each byte that is no UTF-8: cJSON prints bytes as they are.
static char *whole_characters(const char *text, size_t size) {
    char *copy = memory_grow(NULL, size + 1, 3), *to = copy;
    for (size_t at = 0; copy && at < size;) {
        size_t n = hub_utf8_length(text + at, size - at);
        memcpy(to, n ? text + at : "\xef\xbf\xbd", n ? n : 3);
        to += n ? n : 3;
        at += n ? n : 1;
    }
    if (copy) *to = 0;
    return copy;
}

cJSON *nul_string(const char *text, size_t size) {
    static const char escape[] = "\\u0000";
    char *all = memory_strdup("\"");
    for (size_t at = 0, used = 1; all && at <= size;) {
        size_t n = strnlen(text + at, size - at);
        char *part = whole_characters(text + at, n);
        cJSON *string = part ? cJSON_CreateString(part) : NULL;
        char *printed = string ? cJSON_PrintUnformatted(string) : NULL; // with quotes
        size_t more = printed ? strlen(printed) - 2 : 0;
        char *grown = printed ? memory_grow(all, used + more + sizeof escape + 1, 1) : NULL;
        if (grown) {
            memcpy(grown + used, printed + 1, more);
            used += more;
            at += n + 1;
            strcpy(grown + used, at <= size ? escape : "\"");
            used += at <= size ? sizeof escape - 1 : 1;
        } else {
            free(all);
        }
        all = grown;
        cJSON_free(printed);
        cJSON_Delete(string);
        free(part);
    }
    cJSON *raw = all ? cJSON_CreateRaw(all) : NULL;
    free(all);
    return raw;
}
