#include "frontend/cli/columns.h"

#include <string.h>

#include <utf8proc.h>

// Bytes of the first character, and its columns.
static int next(const char *text, size_t left, int *columns) {
    utf8proc_int32_t c;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)left, &c);
    *columns = n > 0 ? utf8proc_charwidth(c) : 1;
    return n > 0 ? (int)n : 1;
}

int columns_of(const char *text) {
    int sum = 0, columns;
    for (size_t left = strlen(text); left;) {
        int n = next(text, left, &columns);
        sum += columns;
        text += n;
        left -= (size_t)n;
    }
    return sum;
}

int columns_widest(int least, const char *text) {
    int width = columns_of(text);
    return width > least ? width : least;
}

static void put_spaces(FILE *out, int n) {
    for (int i = 0; i < n; i++) putc(' ', out);
}

void columns_left(FILE *out, const char *text, int width) {
    fputs(text, out);
    put_spaces(out, width - columns_of(text));
}

void columns_right(FILE *out, const char *text, int width) {
    put_spaces(out, width - columns_of(text));
    fputs(text, out);
}

void columns_cut(FILE *out, const char *text, int width, bool left) {
    size_t bytes = 0;
    int columns;
    for (size_t rest = strlen(text); rest;) {
        int n = next(text + bytes, rest, &columns);
        if (columns > width) break;
        width -= columns;
        bytes += (size_t)n;
        rest -= (size_t)n;
    }
    if (!left) put_spaces(out, width);
    fwrite(text, 1, bytes, out);
    if (left) put_spaces(out, width);
}
