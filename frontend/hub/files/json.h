// JSON of untrusted files: parsed by cJSON, after limits on size, depth and number of values; and readers
// of fields that check types and name the file and the key of each problem.
#ifndef BERTC_HUB_JSON_H
#define BERTC_HUB_JSON_H

#include <cJSON.h>

#include "ir/ir.h"

// Parses `size` bytes of UTF-8; `where` opens each message. NULL, with a diagnostic, where they are no JSON.
// The caller ends it with cJSON_Delete.
cJSON *hub_json_parse(const char *where, const void *data, size_t size, diag *d);
// The same as Python's json reads it: NaN and Infinity are numbers, and of a key that appears twice the last
// one counts.
cJSON *hub_json_parse_python(const char *where, const void *data, size_t size, diag *d);
// What the reference implementations read by Python's json, from a file; it must hold an object (or, where
// `array`, an array).
cJSON *hub_json_load(const char *path, bool array, diag *d);
// A whole number within +-2^53.
bool hub_json_int(const cJSON *v, int64_t *out);
const char *hub_json_kind(const cJSON *v); // "a string"

typedef struct hub_fields {
    const char *file, *within; // within: the JSON path of the object, or ""
    const cJSON *object;
    diag *d;
} hub_fields;

// "FILE: within.key: cause"; returns false.
bool hub_field_wrong(const hub_fields *f, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// NULL where the key is missing, or null: both mean the default.
const cJSON *hub_field(const hub_fields *f, const char *key);
// Readers leave *out as it is, and succeed, where an optional key is missing.
bool hub_field_int(const hub_fields *f, const char *key, bool required, int64_t least, int64_t most,
                   int64_t *out);
bool hub_field_real(const hub_fields *f, const char *key, bool required, double least, double most,
                    double *out);
bool hub_field_bool(const hub_fields *f, const char *key, bool required, bool *out);
bool hub_field_text(const hub_fields *f, const char *key, bool required,
                    const char **out); // lives in the JSON

#endif
