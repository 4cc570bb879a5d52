// A reader of safetensors headers: the JSON that they may hold, and no more of it. Strings are decoded where they lie.
#include "runtime/train/stored.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/memory.h"

enum { MOST_DEPTH = 32 };

typedef struct reader {
    char *text, *at, *end; // *end is 0
    bertc_error *error;
} reader;

static bool wrong(const reader *r, const char *what) {
    return error_set(r->error, "byte %zu of the header: %s", (size_t)(r->at - r->text), what);
}

static void skip_space(reader *r) {
    while (r->at < r->end && *r->at && strchr(" \t\r\n", *r->at)) r->at++;
}

// Takes the character if it is the next one behind white space.
static bool take(reader *r, char c) {
    skip_space(r);
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

// --- Strings

static bool take_hex(reader *r, unsigned *out) {
    *out = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        const char *digits = "0123456789abcdef", *found = NULL;
        if (r->at < r->end && *r->at) found = strchr(digits, *r->at | ('A' <= *r->at && *r->at <= 'F') << 5);
        if (!found) return wrong(r, "four hexadecimal digits are missing");
        *out = *out * 16 + (unsigned)(found - digits);
    }
    return true;
}

static char *put_utf8(char *to, unsigned c) {
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    *to++ = (char)((0xf0 << (3 - more) & 0xff) | c >> 6 * more);
    while (more--) *to++ = (char)(0x80 | (c >> 6 * more & 0x3f));
    return to;
}

// \uXXXX, or two of them for one character.
static bool take_code(reader *r, char **to) {
    unsigned c, low;
    if (!take_hex(r, &c)) return false;
    if (c - 0xd800 < 0x400) {
        if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u')
            return wrong(r, "half a character's code");
        r->at += 2;
        if (!take_hex(r, &low)) return false;
        if (low - 0xdc00 >= 0x400) return wrong(r, "half a character's code");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    if (c == 0) return wrong(r, "a string with a zero");
    *to = put_utf8(*to, c);
    return true;
}

static bool take_escape(reader *r, char **to) {
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char c = *r->at++;
    if (c == 'u') return take_code(r, to);
    const char *found = c ? strchr(names, c) : NULL;
    if (!found) return wrong(r, "an escape that JSON does not have");
    *(*to)++ = values[found - names];
    return true;
}

// The string, ended by a zero, where it lay. What it becomes is never longer than it was.
static bool take_string(reader *r, char **out) {
    if (!take(r, '"')) return wrong(r, "a string is missing");
    char *to = *out = r->at;
    while (r->at < r->end && *r->at != '"') {
        if ((unsigned char)*r->at < ' ') return wrong(r, "a control character in a string");
        if (*r->at != '\\') {
            *to++ = *r->at++;
        } else {
            r->at++;
            if (!take_escape(r, &to)) return false;
        }
    }
    if (r->at == r->end) return wrong(r, "the string does not end");
    r->at++;
    *to = 0;
    return true;
}

// --- Other values

static bool take_count(reader *r, int64_t *out) {
    skip_space(r);
    if (r->at == r->end || *r->at < '0' || *r->at > '9') return wrong(r, "a whole number is missing");
    *out = 0;
    for (; '0' <= *r->at && *r->at <= '9'; r->at++)
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, *r->at - '0', out))
            return wrong(r, "the number is too large");
    return true;
}

// Numbers of a list: the first `most` in `out`, how many there are in *count.
static bool take_list(reader *r, int64_t *out, int most, int64_t *count) {
    int64_t value = 0;
    *count = 0;
    if (!take(r, '[')) return wrong(r, "a list of numbers is missing");
    if (take(r, ']')) return true;
    do {
        if (!take_count(r, &value)) return false;
        if (*count < most) out[*count] = value;
        ++*count;
    } while (take(r, ','));
    return take(r, ']') || wrong(r, "a list does not end");
}

static bool skip_value(reader *r, int depth);

static bool skip_members(reader *r, char close, int depth) {
    char *name;
    if (take(r, close)) return true;
    do {
        if (close == '}' && (!take_string(r, &name) || (!take(r, ':') && !wrong(r, "a colon is missing"))))
            return false;
        if (!skip_value(r, depth)) return false;
    } while (take(r, ','));
    return take(r, close) || wrong(r, "a list or an object does not end");
}

static bool skip_value(reader *r, int depth) {
    char *text;
    skip_space(r);
    if (depth == MOST_DEPTH) return wrong(r, "lists and objects lie too deep in each other");
    if (*r->at == '"') return take_string(r, &text);
    if (take(r, '{')) return skip_members(r, '}', depth + 1);
    if (take(r, '[')) return skip_members(r, ']', depth + 1);
    size_t n = strspn(r->at, "+-.0123456789abcdefghijklmnopqrstuvwxyzE"); // a number, true, false, null
    r->at += n;
    return n > 0 || wrong(r, "a value is missing");
}

// --- Tensors

static bool take_field(reader *r, stored_tensor *t, int64_t offsets[2], int64_t *offset_count) {
    char *key, *dtype;
    if (!take_string(r, &key)) return false;
    if (!take(r, ':')) return wrong(r, "a colon is missing");
    if (!strcmp(key, "dtype")) {
        if (!take_string(r, &dtype)) return false;
        if (strlen(dtype) >= STORED_DTYPE) return wrong(r, "an element type that is not known");
        strcpy(t->dtype, dtype);
        return true;
    }
    if (!strcmp(key, "shape")) return take_list(r, t->shape, STORED_MOST_RANK, &t->rank);
    if (!strcmp(key, "data_offsets")) return take_list(r, offsets, 2, offset_count);
    return skip_value(r, 0);
}

static bool take_tensor(reader *r, int64_t data, stored_tensor *t) {
    int64_t offsets[2] = {0}, offset_count = 0;
    t->rank = -1;
    if (!take(r, '{')) return wrong(r, "a tensor is no object");
    if (!take(r, '}')) {
        do {
            if (!take_field(r, t, offsets, &offset_count)) return false;
        } while (take(r, ','));
        if (!take(r, '}')) return wrong(r, "an object does not end");
    }
    t->begin = offsets[0];
    t->end = offsets[1];
    if (!t->dtype[0] || t->rank < 0 || offset_count != 2)
        return error_set(r->error, "tensor '%s': dtype, shape or two data_offsets are missing", t->name);
    return (t->begin <= t->end && t->end <= data) ||
           error_set(r->error,
                     "tensor '%s': data_offsets %" PRId64 " to %" PRId64 ", but the file holds %" PRId64
                     " bytes of data",
                     t->name, t->begin, t->end, data);
}

static stored_tensor *add(stored_list *list, size_t *room) {
    if (list->count == *room) {
        stored_tensor *items = heap_grow(list->items, 2 * *room + 64, sizeof *items);
        if (!items) return NULL;
        list->items = items;
        *room = 2 * *room + 64;
    }
    stored_tensor *t = &list->items[list->count++];
    *t = (stored_tensor){0};
    return t;
}

static bool take_all(reader *r, int64_t data, stored_list *out) {
    size_t room = 0;
    char *name;
    if (!take(r, '{')) return wrong(r, "it is no JSON object");
    if (take(r, '}')) return true;
    do {
        if (!take_string(r, &name)) return false;
        if (!take(r, ':')) return wrong(r, "a colon is missing");
        if (!strcmp(name, "__metadata__")) {
            if (!skip_value(r, 0)) return false;
            continue;
        }
        stored_tensor *t = add(out, &room);
        if (!t) return error_set(r->error, "out of memory");
        t->name = name;
        if (!take_tensor(r, data, t)) return false;
    } while (take(r, ','));
    return take(r, '}') || wrong(r, "the object does not end");
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const stored_tensor *)a)->name, ((const stored_tensor *)b)->name);
}

bool stored_read(char *text, size_t size, int64_t data, stored_list *out, bertc_error *error) {
    reader r = {.text = text, .at = text, .end = text + size, .error = error};
    *out = (stored_list){0};
    if (!take_all(&r, data, out)) return false;
    skip_space(&r);
    if (r.at != r.end) return wrong(&r, "something stands behind the object");
    if (out->count) qsort(out->items, out->count, sizeof *out->items, by_name);
    for (size_t i = 1; i < out->count; i++)
        if (!by_name(&out->items[i - 1], &out->items[i]))
            return error_set(error, "tensor '%s' stands there twice", out->items[i].name);
    return true;
}

const stored_tensor *stored_find(const stored_list *list, const char *name) {
    const stored_tensor key = {.name = name};
    return list->count ? bsearch(&key, list->items, list->count, sizeof key, by_name) : NULL;
}
