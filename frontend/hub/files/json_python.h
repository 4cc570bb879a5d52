// JSON as Python's json reads it. Private to json.c.
#ifndef BERTC_HUB_JSON_PYTHON_H
#define BERTC_HUB_JSON_PYTHON_H

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>

// A copy with a NUL at its end, *length bytes without it, in which NaN, Infinity and -Infinity are numbers that
// cJSON reads. The caller frees it; NULL: no memory.
char *json_python_text(const char *data, size_t size, size_t *length);
// Of a key that stands several times in an object, at any depth, only the last is kept. False: no memory.
bool json_python_last(cJSON *root);

#endif
