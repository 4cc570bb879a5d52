#include "ir/text_lex.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int peek(const scanner *s, size_t ahead) {
    return s->at + ahead < s->size ? (unsigned char)s->text[s->at + ahead] : -1;
}

static void skip(scanner *s) {
    for (;; s->at++) {
        int c = peek(s, 0);
        if (c == '/' && peek(s, 1) == '/') {
            while (peek(s, 0) >= 0 && peek(s, 0) != '\n') s->at++;
            c = peek(s, 0);
        }
        if (c == '\n') {
            s->line++;
            s->line_start = s->at + 1;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return;
        }
    }
}

spot here(scanner *s) {
    skip(s);
    return (spot){s->line, (int)(s->at - s->line_start) + 1};
}

const char *spot_print(const scanner *s, spot at) {
    return arena_printf(s->a, "%s:%d:%d", s->file, at.line, at.column);
}

bool scan_error(const scanner *s, spot at, const char *format, ...) {
    char cause[512];
    va_list list;
    va_start(list, format);
    vsnprintf(cause, sizeof(cause), format, list);
    va_end(list);
    return diag_error(s->d, spot_print(s, at), "%s", cause);
}

static bool is_letter(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

// "expected WHAT, found ...".
bool missing(scanner *s, const char *what) {
    spot at = here(s);
    int c = peek(s, 0);
    if (c < 0) return scan_error(s, at, "expected %s, found the end of the text", what);
    size_t word = 0;
    while (word < 32 && is_letter(peek(s, word))) word++;
    if (word > 1) return scan_error(s, at, "expected %s, found '%.*s'", what, (int)word, s->text + s->at);
    if (c <= ' ' || c >= 0x7f) return scan_error(s, at, "expected %s, found byte 0x%02x", what, (unsigned)c);
    return scan_error(s, at, "expected %s, found '%c'", what, c);
}

bool at_end(scanner *s) {
    skip(s);
    return s->at >= s->size;
}

bool accept(scanner *s, const char *punctuation) {
    size_t n = strlen(punctuation);
    skip(s);
    if (s->size - s->at < n || memcmp(s->text + s->at, punctuation, n) != 0) return false;
    s->at += n;
    return true;
}

bool expect(scanner *s, const char *punctuation) {
    char what[16];
    if (accept(s, punctuation)) return true;
    snprintf(what, sizeof(what), "'%s'", punctuation);
    return missing(s, what);
}

bool looks_at(scanner *s, const char *first_of) {
    skip(s);
    int c = peek(s, 0);
    return c > 0 && strchr(first_of, c) != NULL;
}

// --- Words

static size_t word_size(const scanner *s, bool dots) {
    size_t n = 0;
    if (!is_letter(peek(s, 0))) return 0;
    while (is_letter(peek(s, n)) || is_digit(peek(s, n)) || (dots && peek(s, n) == '.')) n++;
    return n;
}

bool slice_is(slice w, const char *word) {
    return strlen(word) == w.n && memcmp(word, w.at, w.n) == 0;
}

bool read_word(scanner *s, bool dots, slice *out, const char *what) {
    skip(s);
    *out = (slice){s->text + s->at, word_size(s, dots)};
    s->at += out->n;
    return out->n || missing(s, what);
}

bool accept_word(scanner *s, const char *word) {
    skip(s);
    if (!slice_is((slice){s->text + s->at, word_size(s, true)}, word)) return false;
    s->at += strlen(word);
    return true;
}

bool expect_word(scanner *s, const char *word) {
    char what[64];
    if (accept_word(s, word)) return true;
    snprintf(what, sizeof(what), "'%s'", word);
    return missing(s, what);
}

static int hex_digit(int c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// After a backslash: one of \" \\ \xHH (not 00); -1 otherwise.
static int read_escape(scanner *s) {
    int c = peek(s, 0);
    if (c == '"' || c == '\\') {
        s->at++;
        return c;
    }
    int high = c == 'x' ? hex_digit(peek(s, 1)) : -1, low = high >= 0 ? hex_digit(peek(s, 2)) : -1;
    if (low < 0 || high + low == 0) return -1;
    s->at += 3;
    return high * 16 + low;
}

bool read_string(scanner *s, const char **out) {
    if (!expect(s, "\"")) return false;
    size_t end = s->at, n = 0;
    while (end < s->size && s->text[end] != '"' && s->text[end] != '\n') end += s->text[end] == '\\' ? 2 : 1;
    char *copy = arena_alloc(s->a, (end < s->size ? end : s->size) - s->at + 1);
    while (peek(s, 0) != '"') {
        spot at = {s->line, (int)(s->at - s->line_start) + 1};
        int c = peek(s, 0);
        if (c < ' ' || c == 0x7f) return scan_error(s, at, "a string is not closed on its line");
        s->at++;
        if (c == '\\') c = read_escape(s);
        if (c < 0) return scan_error(s, at, "an escape is \\\", \\\\ or \\x01 to \\xff");
        copy[n++] = (char)c;
    }
    s->at++;
    *out = copy;
    return true;
}

bool read_name(scanner *s, const char **out, const char *what) {
    slice w;
    if (looks_at(s, "\"")) return read_string(s, out);
    if (!read_word(s, true, &w, what)) return false;
    *out = arena_strndup(s->a, w.at, w.n);
    return true;
}

// --- Numbers

bool read_i64(scanner *s, int64_t *out) {
    spot at = here(s);
    bool negative = accept(s, "-");
    if (!is_digit(peek(s, 0))) return missing(s, "an integer");
    int64_t n = 0;
    for (; is_digit(peek(s, 0)); s->at++) {
        int digit = peek(s, 0) - '0';
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, digit, &n))
            return scan_error(s, at, "the number is too large");
    }
    if (negative) {
        *out = n;
        return true;
    }
    if (n == INT64_MIN) return scan_error(s, at, "the number is too large");
    *out = -n;
    return true;
}

bool read_i32(scanner *s, int32_t *out) {
    spot at = here(s);
    int64_t n;
    if (!read_i64(s, &n)) return false;
    if (n < INT32_MIN || n > INT32_MAX) return scan_error(s, at, "the number does not fit 32 bits");
    *out = (int32_t)n;
    return true;
}

bool read_hash(scanner *s, uint64_t *out) {
    if (!expect(s, "0x")) return false;
    int digits = 0;
    *out = 0;
    for (; hex_digit(peek(s, 0)) >= 0; s->at++, digits++) {
        if (digits == 16) return missing(s, "at most 16 hexadecimal digits");
        *out = *out << 4 | (uint64_t)hex_digit(peek(s, 0));
    }
    return digits ? true : missing(s, "a hexadecimal digit");
}

typedef struct number {
    char text[128]; // for strtod; empty where `bits` hold a NaN
    bool has_bits;
    uint64_t bits;
} number;

static bool read_nan(scanner *s, number *n, uint64_t plain, uint64_t exponent) {
    spot at = here(s);
    n->has_bits = true;
    n->bits = plain;
    if (!accept(s, "(")) return true;
    if (!read_hash(s, &n->bits)) return false;
    uint64_t fraction = exponent & (~exponent + 1); // its lowest bit: the fraction lies below
    uint64_t sign = exponent + fraction;            // the bit above: the highest that there is
    bool small = n->bits <= (sign | (sign - 1)), is_nan = (n->bits & exponent) == exponent;
    if (!small || !is_nan || !(n->bits & (fraction - 1))) return scan_error(s, at, "these bits are no NaN");
    return expect(s, ")");
}

static bool read_number(scanner *s, number *n, uint64_t plain, uint64_t exponent) {
    spot at = here(s);
    size_t size = 0;
    *n = (number){.text = ""};
    if (accept_word(s, "nan")) return read_nan(s, n, plain, exponent);
    if (accept(s, "-")) n->text[size++] = '-';
    if (accept_word(s, "inf")) {
        memcpy(n->text + size, "inf", 4);
        return true;
    }
    if (!is_digit(peek(s, 0))) return missing(s, "a number");
    for (int c = peek(s, 0); is_digit(c) || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
         c = peek(s, 0)) {
        if (size + 1 == sizeof(n->text)) return scan_error(s, at, "the number is too long");
        n->text[size++] = (char)c;
        s->at++;
    }
    n->text[size] = 0;
    return true;
}

static bool is_infinite_word(const number *n) {
    return n->text[n->text[0] == '-'] == 'i';
}

bool looks_at_number(scanner *s) {
    return looks_at(s, "0123456789in") || (looks_at(s, "-") && peek(s, 1) != '>');
}

bool read_f32(scanner *s, float *out) {
    spot at = here(s);
    number n;
    if (!read_number(s, &n, 0x7fc00000u, 0x7f800000u)) return false;
    if (n.has_bits) {
        uint32_t bits = (uint32_t)n.bits;
        memcpy(out, &bits, sizeof(bits));
        return true;
    }
    char *end;
    *out = strtof(n.text, &end);
    if (*end) return scan_error(s, at, "this is no number");
    return !isinf(*out) || is_infinite_word(&n) || scan_error(s, at, "the number is too large");
}

bool read_half(scanner *s, elem e, uint16_t *out) {
    bool brain = e == ELEM_BF16;
    spot at = here(s);
    number n;
    if (!read_number(s, &n, brain ? 0x7fc0u : 0x7e00u, brain ? 0x7f80u : 0x7c00u)) return false;
    if (n.has_bits) {
        *out = (uint16_t)n.bits;
        return true;
    }
    char *end;
    float f = strtof(n.text, &end);
    if (*end) return scan_error(s, at, "this is no number");
    elem_convert(ELEM_F32, &f, e, out, 1);
    bool infinite = (*out & 0x7fffu) == (brain ? 0x7f80u : 0x7c00u);
    return !infinite || is_infinite_word(&n) || scan_error(s, at, "the number is too large");
}

bool read_f64(scanner *s, double *out) {
    spot at = here(s);
    number n;
    if (!read_number(s, &n, 0x7ff8000000000000u, 0x7ff0000000000000u)) return false;
    if (n.has_bits) {
        memcpy(out, &n.bits, sizeof(n.bits));
        return true;
    }
    char *end;
    *out = strtod(n.text, &end);
    if (*end) return scan_error(s, at, "this is no number");
    return !isinf(*out) || is_infinite_word(&n) || scan_error(s, at, "the number is too large");
}
