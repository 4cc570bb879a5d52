// Text that grows: bodies of answers, as JSON, and lines of the log.
#ifndef BERTC_CLI_OUT_H
#define BERTC_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct out {
    char *text; // not ended by NUL; freed by out_free
    size_t size, room;
    bool bad; // out of memory: something is missing
} out;

void out_free(out *o);
void out_bytes(out *o, const char *bytes, size_t n);
void out_text(out *o, const char *text);
void out_format(out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
// As bertc_result_json writes a number: nine digits, which give the float back; null where it is not finite.
void out_float(out *o, float x);
// A list of them.
void out_floats(out *o, const float *x, size_t n);
// A JSON string of UTF-8 text; NULs become \u0000.
void out_string(out *o, const char *text, size_t n);
void out_quoted(out *o, const char *text); // the same of a C string; NULL: null
// The bytes in base64, in quotes.
void out_base64(out *o, const void *bytes, size_t n);

#endif
