// How JSON writes numbers and characters, in the library's answers and in all that the command prints: a number has the fewest digits that
// read back as the same float or double.
#ifndef BERTC_JSON_TEXT_H
#define BERTC_JSON_TEXT_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_NUMBER_ROOM 32 // bytes that a number takes at most, its NUL among them

// Do `digits` over (or times) a power of ten read as `v`? A double rounds the quotient once, so what is near the border
// between two floats is no answer.
static inline bool json_reads_as(int64_t digits, int power, float v) {
    static const double tens[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6, 1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14};
    double q = power >= 0 ? (double)digits / tens[power] : (double)digits * tens[-power];
    return (float)q == v && (float)(q * (1 + 0x1p-51)) == v && (float)(q * (1 - 0x1p-51)) == v;
}

// Of numbers from 1e-4 to 1e8, without printf, which takes ten times as long. Nine digits give a float back. A number times a
// power of ten up to 1e12 is rounded once, by 1e-7 at most; where that could decide the last digit: 0.
static inline size_t json_print_plain(float x, char *to) {
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
    double v = fabs((double)x);
    int e = 7, count = 9; // the exponent of the first digit; digits
    if (!(v >= 1e-4 && v < 1e8)) return 0;
    while (e > -4 && v < (e >= 0 ? tens[e] : 1 / tens[-e])) e--;
    double scaled = v * tens[8 - e];
    int64_t digits = (int64_t)(scaled + 0.5);
    if (fabs(scaled - floor(scaled) - 0.5) < 1e-5 || digits >= 1000000000 || digits < 100000000) return 0;
    for (int64_t fewer; count > 1; digits = fewer, count--) {
        fewer = (int64_t)(scaled / tens[10 - count] + 0.5);
        if (!json_reads_as(fewer, count - 2 - e, (float)v)) break;
        if (fewer < (int64_t)tens[count - 1]) continue;
        fewer = 1, count = 2, e++; // 0.0099999998 is 0.01
    }
    char all[9];
    for (int i = count - 1; i >= 0; i--) all[i] = (char)('0' + digits % 10), digits /= 10;
    size_t n = 0;
    if (x < 0) to[n++] = '-';
    if (e < 0) to[n++] = '0', to[n++] = '.';
    for (int i = -1; i > e; i--) to[n++] = '0';
    for (int i = 0; i < count || i <= e; i++) {
        if (i && i == e + 1) to[n++] = '.';
        to[n++] = i < count ? all[i] : '0';
    }
    to[n] = 0;
    return n;
}

// A locale's decimal point, of one byte or several, becomes a full stop.
static inline size_t json_plain_point(char *to) {
    size_t n = 0;
    for (const char *c = to; *c; c++) {
        bool own = (*c >= '0' && *c <= '9') || *c == '-' || *c == '+' || *c == 'e';
        if (own || !n || to[n - 1] != '.') to[n++] = own ? *c : '.';
    }
    to[n] = 0;
    return n;
}

// Writes at most JSON_NUMBER_ROOM bytes, ended by NUL; returns how many there are before it. JSON has no word for infinity and NaN: they
// are null.
static inline size_t json_print_float(float x, char *to) {
    if (!isfinite(x)) return memcpy(to, "null", 5), 4;
    size_t n = json_print_plain(x, to);
    for (int digits = fabsf(x) < FLT_MIN ? 1 : FLT_DIG; !n && digits <= 9; digits++) {
        snprintf(to, JSON_NUMBER_ROOM, "%.*g", digits, (double)x);
        if (digits == 9 || strtof(to, NULL) == x) n = json_plain_point(to);
    }
    return n;
}

// The same of a double; one that is a float is printed as such, and a whole number up to 2^53 without an exponent.
static inline size_t json_print_double(double x, char *to) {
    size_t n = 0;
    if (fabs(x) <= 0x1p53 && x == floor(x)) return (size_t)snprintf(to, JSON_NUMBER_ROOM, "%.0f", x);
    if (!isfinite(x) || (double)(float)x == x) return json_print_float((float)x, to);
    for (int digits = fabs(x) < DBL_MIN ? 1 : DBL_DIG; !n && digits <= 17; digits++) {
        snprintf(to, JSON_NUMBER_ROOM, "%.*g", digits, x);
        if (digits == 17 || strtod(to, NULL) == x) n = json_plain_point(to);
    }
    return n;
}

// How a string holds the character `c`: writes at most 7 bytes, ended by NUL. 0: as it is.
static inline size_t json_print_escape(unsigned char c, char *to) {
    static const char letters[] = "\"\"\\\\\nn\tt\rr\bb\ff";
    for (size_t i = 0; i + 1 < sizeof letters; i += 2)
        if ((unsigned char)letters[i] == c) return to[0] = '\\', to[1] = letters[i + 1], to[2] = 0, (size_t)2;
    if (c >= 0x20 && c != 0x7f) return to[0] = 0, (size_t)0;
    return (size_t)snprintf(to, 8, "\\u%04x", c);
}

#endif
