#include "frontend/cli/arrays/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "\x93NUMPY"

void npy_header(char out[NPY_HEADER], const char *descr, int rank, const int64_t *shape) {
    char text[NPY_HEADER];
    int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int i = 0; i < rank; i++) // a tuple of one has a comma behind it
        n += snprintf(text + n, sizeof text - (size_t)n,
                      rank == 1 ? "%" PRId64 ","
                      : i       ? ", %" PRId64
                                : "%" PRId64,
                      shape[i]);
    n += snprintf(text + n, sizeof text - (size_t)n, "), }");
    memset(out, ' ', NPY_HEADER);
    memcpy(out, MAGIC "\x01", 7);
    out[7] = 0;
    out[8] = NPY_HEADER - 10; // little-endian, as all numbers here
    out[9] = 0;
    memcpy(out + 10, text, (size_t)n);
    out[NPY_HEADER - 1] = '\n';
}

// --- Reading: the header is the literal of a Python dictionary.

typedef struct literal {
    const char *p, *end;
} literal;

static void skip(literal *l) {
    while (l->p < l->end && strchr(" \n\t\r", *l->p)) l->p++;
}

static bool take(literal *l, char c) {
    skip(l);
    bool is = l->p < l->end && *l->p == c;
    l->p += is;
    return is;
}

static bool take_string(literal *l, char *out, size_t size) {
    skip(l);
    char quote = l->p < l->end ? *l->p : 0;
    size_t n = 0;
    if (quote != '\'' && quote != '"') return false;
    for (l->p++; l->p < l->end && *l->p != quote; l->p++) {
        if (n + 1 >= size || *l->p == '\\') return false;
        out[n++] = *l->p;
    }
    out[n] = 0;
    return take(l, quote);
}

static bool take_word(literal *l, const char *word) {
    size_t n = strlen(word);
    skip(l);
    if ((size_t)(l->end - l->p) < n || memcmp(l->p, word, n)) return false;
    l->p += n;
    return true;
}

static bool take_number(literal *l, int64_t *out) {
    skip(l);
    bool any = false;
    *out = 0;
    for (; l->p < l->end && *l->p >= '0' && *l->p <= '9'; l->p++, any = true)
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, *l->p - '0', out))
            return false;
    take_word(l, "L"); // of Python 2
    return any;
}

static bool take_shape(literal *l, npy_array *a) {
    a->rank = 0;
    if (!take(l, '(')) return false;
    while (!take(l, ')')) {
        if (a->rank == NPY_RANK || !take_number(l, &a->shape[a->rank++])) return false;
        if (take(l, ',')) continue;
        return take(l, ')');
    }
    return true;
}

typedef struct header {
    char descr[32];
    bool listed, fortran; // a dtype of several fields
    int seen;
} header;

// Over the value of a structured dtype, so that it can be named.
static bool skip_list(literal *l) {
    int depth = 0;
    do {
        depth += take(l, '[') || take(l, '(');
        depth -= take(l, ']') || take(l, ')');
        if (depth && l->p < l->end && !strchr("[]()", *l->p)) l->p++;
    } while (depth && l->p < l->end);
    return depth == 0;
}

static bool take_field(literal *l, header *h, npy_array *a) {
    char key[32];
    if (!take_string(l, key, sizeof key) || !take(l, ':')) return false;
    if (!strcmp(key, "descr")) {
        skip(l);
        h->seen |= 1;
        h->listed = l->p < l->end && *l->p == '[';
        return h->listed ? skip_list(l) : take_string(l, h->descr, sizeof h->descr);
    }
    if (!strcmp(key, "fortran_order")) {
        h->seen |= 2;
        h->fortran = take_word(l, "True");
        return h->fortran || take_word(l, "False");
    }
    h->seen |= 4;
    return !strcmp(key, "shape") && take_shape(l, a);
}

static bool parse_header(literal *l, header *h, npy_array *a) {
    if (!take(l, '{')) return false;
    while (!take(l, '}')) {
        if (!take_field(l, h, a)) return false;
        if (take(l, ',')) continue;
        if (take(l, '}')) break;
        return false;
    }
    skip(l);
    return l->p == l->end && h->seen == 7;
}

// "<f4": order, kind, bytes of an element (characters, of U).
static bool set_type(const header *h, const char *spot, npy_array *a, diag *d) {
    const char *p = h->descr;
    if (h->listed)
        return diag_error(d, spot, "its dtype has several fields: an array of one number type is wanted");
    if (*p == '>') return diag_error(d, spot, "its dtype is %s: big-endian numbers can't be read", p);
    if (*p == '<' || *p == '|' || *p == '=') p++;
    a->kind = *p;
    literal digits = {*p ? p + 1 : p, p + strlen(p)};
    int64_t n = 0;
    bool ok = *p && strchr("fiubSU", *p) && take_number(&digits, &n) && digits.p == digits.end && n <= 4096;
    if (ok && *p == 'f') ok = n == 2 || n == 4 || n == 8;
    if (ok && (*p == 'i' || *p == 'u')) ok = n == 1 || n == 2 || n == 4 || n == 8;
    if (ok && *p == 'b') ok = n == 1;
    if (!ok) return diag_error(d, spot, "its dtype is %s: none that can be read", h->descr);
    a->element = (int)(*p == 'U' ? 4 * n : n);
    return true;
}

static bool set_data(const unsigned char *data, size_t size, const char *spot, npy_array *a, diag *d) {
    char text[160];
    size_t bytes = (size_t)a->element;
    a->count = 1;
    a->data = data;
    for (int i = 0; i < a->rank; i++) {
        size_t n = (size_t)a->shape[i];
        if (__builtin_mul_overflow(bytes, n, &bytes) || __builtin_mul_overflow(a->count, n, &a->count))
            return diag_error(d, spot, "its shape is beyond memory: %s", npy_describe(a, text, sizeof text));
    }
    if (bytes == size) return true;
    return diag_error(d, spot, "is %s, which is %zu bytes, but has %zu behind its header%s",
                      npy_describe(a, text, sizeof text), bytes, size,
                      bytes > size ? ": it is cut short" : "");
}

bool npy_read(const unsigned char *bytes, size_t size, const char *spot, npy_array *out, diag *d) {
    *out = (npy_array){0};
    if (size < 10 || memcmp(bytes, MAGIC, 6) != 0)
        return diag_error(d, spot, "is no array of numpy's: it doesn't begin as one");
    int version = bytes[6];
    size_t start = version == 1 ? 10 : 12, n = bytes[8] | (size_t)bytes[9] << 8;
    if (version < 1 || version > 3) return diag_error(d, spot, "is of version %d of numpy's format", version);
    if (size < start) return diag_error(d, spot, "is cut short in its header");
    if (version > 1) n |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (n > size - start) return diag_error(d, spot, "is cut short in its header");
    literal l = {(const char *)bytes + start, (const char *)bytes + start + n};
    header h = {0};
    if (memchr(l.p, 0, n) || !parse_header(&l, &h, out))
        return diag_error(d, spot,
                          "its header is none of numpy's: a dictionary with descr, fortran_order and shape");
    if (!set_type(&h, spot, out, d)) return false;
    if (h.fortran && out->rank > 1)
        return diag_error(d, spot, "is in Fortran's order: write numpy.ascontiguousarray of it");
    return set_data(bytes + start + n, size - start - n, spot, out, d);
}

const char *npy_describe(const npy_array *a, char *buf, size_t size) {
    const char *kind = a->kind == 'f'   ? "float"
                       : a->kind == 'i' ? "int"
                       : a->kind == 'u' ? "uint"
                       : a->kind == 'b' ? "bool"
                                        : "text of ";
    int n = a->kind == 'b'                     ? snprintf(buf, size, "%s [", kind)
            : a->kind == 'S' || a->kind == 'U' ? snprintf(buf, size, "%s%d bytes [", kind, a->element)
                                               : snprintf(buf, size, "%s%d [", kind, 8 * a->element);
    for (int i = 0; i < a->rank && (size_t)n < size; i++)
        n += snprintf(buf + n, size - (size_t)n, "%s%" PRId64, i ? ", " : "", a->shape[i]);
    if ((size_t)n < size) snprintf(buf + n, size - (size_t)n, "]");
    return buf;
}

int64_t npy_integer(const npy_array *a, size_t i) {
    const unsigned char *p = a->data + i * (size_t)a->element;
    uint64_t x = 0;
    for (int k = a->element - 1; k >= 0; k--) x = x << 8 | p[k];
    int unused = 64 - 8 * a->element;
    return a->kind == 'i' ? (int64_t)(x << unused) >> unused : x > INT64_MAX ? INT64_MAX : (int64_t)x;
}
