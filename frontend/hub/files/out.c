#include "frontend/hub/files/out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/files/text.h"
#include "ir/memory.h"
#include "runtime/json_text.h"

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

void out_float(out *o, float x) {
    char *to = more(o, JSON_NUMBER_ROOM);
    if (to) o->size += json_print_float(x, to);
}

void out_double(out *o, double x) {
    char *to = more(o, JSON_NUMBER_ROOM);
    if (to) o->size += json_print_double(x, to);
}

void out_floats(out *o, const float *x, size_t n) {
    out_bytes(o, "[", 1);
    for (size_t i = 0; i < n; i++) {
        char *to = more(o, JSON_NUMBER_ROOM + 2);
        if (!to) return;
        if (i) *to++ = ',', *to++ = ' ', o->size += 2;
        o->size += json_print_float(x[i], to);
    }
    out_bytes(o, "]", 1);
}

// --- Strings

void out_string(out *o, const char *text, size_t n) {
    size_t begin = 0, length;
    char escape[8];
    out_bytes(o, "\"", 1);
    for (size_t i = 0; i < n; i += length ? length : 1) {
        length = hub_utf8_length(text + i, n - i);
        if (length && !json_print_escape((unsigned char)text[i], escape)) continue;
        out_bytes(o, text + begin, i - begin);
        begin = i + 1;
        out_text(o, length ? escape : "\xef\xbf\xbd");
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

// --- Values

// A line for what stands `depth` deep; within a line, nothing.
static void put_break(out *o, int indent, int depth) {
    if (!indent) return;
    out_bytes(o, "\n", 1);
    for (int i = 0; i < indent * depth; i++) out_bytes(o, " ", 1);
}

static void put_value(out *o, const cJSON *v, int indent, int depth);

static void put_items(out *o, const cJSON *v, int indent, int depth) {
    const cJSON *item;
    bool object = cJSON_IsObject(v);
    out_bytes(o, object ? "{" : "[", 1);
    cJSON_ArrayForEach(item, v) {
        if (item != v->child) out_text(o, indent ? "," : ", ");
        put_break(o, indent, depth + 1);
        if (object) {
            out_quoted(o, item->string);
            out_text(o, ": ");
        }
        put_value(o, item, indent, depth + 1);
    }
    if (v->child) put_break(o, indent, depth);
    out_bytes(o, object ? "}" : "]", 1);
}

static void put_value(out *o, const cJSON *v, int indent, int depth) {
    if (cJSON_IsObject(v) || cJSON_IsArray(v))
        put_items(o, v, indent, depth);
    else if (cJSON_IsNumber(v))
        out_double(o, v->valuedouble);
    else if (cJSON_IsString(v))
        out_quoted(o, v->valuestring);
    else if (cJSON_IsRaw(v))
        out_text(o, v->valuestring);
    else
        out_text(o, cJSON_IsTrue(v) ? "true" : cJSON_IsFalse(v) ? "false" : "null");
}

void out_json(out *o, const cJSON *v) {
    put_value(o, v, 0, 0);
}

void out_json_pages(out *o, const cJSON *v) {
    put_value(o, v, 2, 0);
    out_bytes(o, "\n", 1);
}
