// The scanner of the text form: a cursor over bytes that may hold anything. Private to ir/.
#ifndef BERTC_IR_TEXT_LEX_H
#define BERTC_IR_TEXT_LEX_H
#include "ir/graph.h"

typedef struct spot {
    int line, column; // from 1; the column in bytes
} spot;

typedef struct scanner {
    const char *file, *text;
    size_t size, at, line_start;
    int line;
    arena *a; // for strings
    diag *d;
} scanner;

typedef struct slice {
    const char *at;
    size_t n;
} slice;

// Every reader skips blanks and comments first. read_... and expect... report what is missing and return false;
// accept... and looks_at... report nothing.
spot here(scanner *s);
bool scan_error(const scanner *s, spot at, const char *format, ...) __attribute__((format(printf, 3, 4)));
// "FILE:LINE:COLUMN", in the scanner's arena.
const char *spot_print(const scanner *s, spot at);
// "expected WHAT, found ..."; returns false.
bool missing(scanner *s, const char *what);
bool at_end(scanner *s);
bool accept(scanner *s, const char *punctuation);
bool expect(scanner *s, const char *punctuation);
bool accept_word(scanner *s, const char *word);
bool expect_word(scanner *s, const char *word);
// A letter or _, then letters, digits and _; with `dots`, dots too.
bool read_word(scanner *s, bool dots, slice *out, const char *what);
// A word with dots, or a quoted string.
bool read_name(scanner *s, const char **out, const char *what);
bool read_string(scanner *s, const char **out);
bool looks_at(scanner *s, const char *first_of);
bool looks_at_number(scanner *s); // as read_f32 reads them
bool read_i64(scanner *s, int64_t *out);
bool read_i32(scanner *s, int32_t *out);
bool read_hash(scanner *s, uint64_t *out);
// A decimal, inf, -inf, nan, or nan(0xBITS) with the bits of a float of the type's size.
bool read_f32(scanner *s, float *out);
bool read_half(scanner *s, elem e, uint16_t *out); // f16 or bf16, to the nearest
bool read_f64(scanner *s, double *out);

bool slice_is(slice w, const char *word);

#endif
