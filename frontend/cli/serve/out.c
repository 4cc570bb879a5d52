#include "frontend/cli/serve/out.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/memory.h"

void out_free(out *o) {
    free(o->text);
    *o = (out){0};
}

// Room for n more bytes; NULL where there is none.
static char *more(out *o, size_t n) {
    if (o->bad) return NULL;
    if (o->room - o->size < n) {
        size_t room = o->room ? 2 * o->room : 512;
        while (room - o->size < n) room *= 2;
        char *grown = memory_grow(o->text, room, 1);
        if (!grown) return o->bad = true, NULL;
        o->text = grown;
        o->room = room;
    }
    return o->text + o->size;
}

void out_bytes(out *o, const char *bytes, size_t n) {
    char *to = more(o, n);
    if (!to || !n) return;
    memcpy(to, bytes, n);
    o->size += n;
}

void out_text(out *o, const char *text) {
    out_bytes(o, text, strlen(text));
}

void out_format(out *o, const char *format, ...) {
    va_list a, again;
    va_start(a, format);
    va_copy(again, a);
    int n = vsnprintf(NULL, 0, format, a);
    char *to = n < 0 ? NULL : more(o, (size_t)n + 1);
    if (to) {
        vsnprintf(to, (size_t)n + 1, format, again);
        o->size += (size_t)n;
    }
    va_end(again);
    va_end(a);
}

// --- Numbers

enum { FLOAT_ROOM = 32, DIGITS = 9 };

// %.9g of numbers from 1e-5 to 1e9, where it writes no exponent. A number times a power of ten up to 1e13 is rounded once,
// by 1e-7 at most; where that could decide the last digit, 0: printf must say it.
static size_t print_plain(float x, char *to) {
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13};
    double v = fabs((double)x);
    int e = 8; // the exponent of the first digit
    if (!(v >= 1e-4 && v < 1e8)) return 0;
    while (e > -5 && v < (e >= 0 ? tens[e] : 1 / tens[-e])) e--;
    double scaled = v * tens[8 - e];
    int64_t digits = (int64_t)(scaled + 0.5);
    if (fabs(scaled - floor(scaled) - 0.5) < 1e-5 || digits >= 1000000000 || digits < 100000000) return 0;
    char all[DIGITS];
    for (int i = DIGITS - 1; i >= 0; i--) all[i] = (char)('0' + digits % 10), digits /= 10;
    int used = DIGITS;
    while (used > 1 && all[used - 1] == '0') used--;
    size_t n = 0;
    if (signbit(x)) to[n++] = '-';
    if (e < 0) to[n++] = '0', to[n++] = '.';
    for (int i = -1; i > e; i--) to[n++] = '0';
    for (int i = 0; i < used || i <= e; i++) {
        if (i && i == e + 1) to[n++] = '.';
        to[n++] = i < used ? all[i] : '0';
    }
    return n;
}

static size_t print_float(float x, char *to) {
    if (!isfinite(x)) return memcpy(to, "null", 4), 4;
    size_t n = print_plain(x, to);
    if (n) return n;
    n = (size_t)snprintf(to, FLOAT_ROOM, "%.9g", (double)x);
    for (size_t i = 0; i < n; i++)
        if (to[i] == ',') to[i] = '.'; // of a locale
    return n;
}

void out_float(out *o, float x) {
    char *to = more(o, FLOAT_ROOM);
    if (to) o->size += print_float(x, to);
}

void out_floats(out *o, const float *x, size_t n) {
    out_bytes(o, "[", 1);
    for (size_t i = 0; i < n; i++) {
        char *to = more(o, FLOAT_ROOM + 2);
        if (!to) return;
        if (i) *to++ = ',', *to++ = ' ', o->size += 2;
        o->size += print_float(x[i], to);
    }
    out_bytes(o, "]", 1);
}

// --- Strings

void out_string(out *o, const char *text, size_t n) {
    size_t begin = 0;
    out_bytes(o, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
        out_bytes(o, text + begin, i - begin);
        begin = i + 1;
        if (c == '"' || c == '\\')
            out_bytes(o, (const char[]){'\\', (char)c}, 2);
        else if (c == '\n')
            out_text(o, "\\n");
        else
            out_format(o, "\\u%04x", c);
    }
    out_bytes(o, text + begin, n - begin);
    out_bytes(o, "\"", 1);
}

void out_quoted(out *o, const char *text) {
    if (text)
        out_string(o, text, strlen(text));
    else
        out_text(o, "null");
}

void out_base64(out *o, const void *bytes, size_t n) {
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *b = bytes;
    char *to = more(o, n / 3 * 4 + 6);
    if (!to) return;
    char *start = to;
    *to++ = '"';
    for (size_t i = 0; i < n; i += 3) {
        unsigned v =
            (unsigned)b[i] << 16 | (i + 1 < n ? (unsigned)b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0u);
        *to++ = set[v >> 18];
        *to++ = set[v >> 12 & 63];
        *to++ = i + 1 < n ? set[v >> 6 & 63] : '=';
        *to++ = i + 2 < n ? set[v & 63] : '=';
    }
    *to++ = '"';
    o->size += (size_t)(to - start);
}
