// Text that grows, and all JSON that is written: results, logs, manifests, answers of the server, files of a checkpoint. One style: a space
// behind each colon and comma, numbers and characters as runtime/json_text.h has them. tests/house/json.sh holds the rest to it.
#ifndef BERTC_HUB_OUT_H
#define BERTC_HUB_OUT_H

#include <cJSON.h>

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
// As bertc_result_json writes a number: the fewest digits that give the float back; null where it is not finite.
void out_float(out *o, float x);
void out_double(out *o, double x);
// A list of them.
void out_floats(out *o, const float *x, size_t n);
// A JSON string. NULs become \u0000, and bytes that are no UTF-8 U+FFFD.
void out_string(out *o, const char *text, size_t n);
void out_quoted(out *o, const char *text); // the same of a C string; NULL: null
// The bytes in base64, in quotes.
void out_base64(out *o, const void *bytes, size_t n);
// On one line.
void out_json(out *o, const cJSON *v);
// As Transformers writes its files: a value per line, two spaces deep, and a line break at the end.
void out_json_pages(out *o, const cJSON *v);

#endif
