#include "frontend/hub/files/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/files/file.h"
#include "frontend/hub/files/json_python.h"
#include "frontend/hub/files/text.h"
#include "ir/memory.h"

#define MOST_BYTES  ((size_t)256 << 20)
#define MOST_VALUES 4000000
#define MOST_DEPTH  64

// What cJSON does not look at, and what bounds its memory and its recursion: the bytes, the depth, the
// values.
static bool scan(const char *where, const unsigned char *p, size_t size, diag *d) {
    int depth = 0, values = 0, line = 1;
    bool in_string = false;
    for (size_t i = 0, n; i < size; i += n) {
        n = hub_utf8_length(p + i, size - i);
        line += p[i] == '\n';
        if (!n || !p[i])
            return diag_error(d, where, "line %d: byte %zu of the file is no UTF-8 text", line, i);
        if (in_string) {
            if (p[i] == '\\' && i + 1 < size && p[i + 1] >= ' ' && p[i + 1] < 0x7f) n = 2;
            if (p[i] == '"') in_string = false;
            continue;
        }
        if (p[i] == '"') in_string = true;
        if (p[i] == '{' || p[i] == '[') depth++;
        if (p[i] == '}' || p[i] == ']') depth--;
        if (depth > MOST_DEPTH) return diag_error(d, where, "byte %zu: nested too deeply", i);
        values += p[i] == '{' || p[i] == '[' || p[i] == ',';
        if (values > MOST_VALUES) return diag_error(d, where, "holds too many values");
    }
    return true;
}

// The text of `size` bytes that `text` holds, with a NUL behind it.
static cJSON *parse_text(const char *where, const char *text, size_t size, diag *d) {
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(text, size + 1, &end, false);
    size_t at = end ? (size_t)(end - text) : 0;
    if (root) at += strspn(text + at, " \t\r\n");
    if (root && at >= size) return root;
    diag_error(d, where, "byte %zu: no JSON", at);
    cJSON_Delete(root);
    return NULL;
}

static bool scanned(const char *where, const void *data, size_t size, diag *d) {
    if (size > MOST_BYTES) return diag_error(d, where, "is too long: %zu bytes", size);
    return scan(where, data, size, d);
}

cJSON *hub_json_parse(const char *where, const void *data, size_t size, diag *d) {
    if (!scanned(where, data, size, d)) return NULL;
    char *text =
        memory_alloc(size + 1, 1); // cJSON reads one byte past a length that ends in the middle of an object
    if (!text) return diag_error(d, where, "out of memory"), NULL;
    memcpy(text, data, size);
    text[size] = 0;
    cJSON *root = parse_text(where, text, size, d);
    free(text);
    return root;
}

cJSON *hub_json_parse_python(const char *where, const void *data, size_t size, diag *d) {
    if (!scanned(where, data, size, d)) return NULL;
    size_t length = 0;
    char *text = json_python_text(data, size, &length);
    if (!text) return diag_error(d, where, "out of memory"), NULL;
    cJSON *root = parse_text(where, text, length, d);
    free(text);
    if (root && !json_python_last(root)) {
        diag_error(d, where, "out of memory");
        cJSON_Delete(root);
        return NULL;
    }
    return root;
}

cJSON *hub_json_load(const char *path, bool array, diag *d) {
    hub_file f;
    if (!hub_file_map(path, &f, d)) return NULL;
    cJSON *root = hub_json_parse_python(path, f.data, f.size, d);
    hub_file_unmap(&f);
    if (root && !(array ? cJSON_IsArray(root) : cJSON_IsObject(root))) {
        diag_error(d, path, "holds %s where %s is expected", hub_json_kind(root),
                   array ? "an array" : "an object");
        cJSON_Delete(root);
        return NULL;
    }
    return root;
}

bool hub_json_int(const cJSON *v, int64_t *out) {
    if (!cJSON_IsNumber(v)) return false;
    double x = v->valuedouble;
    if (!(fabs(x) <= 0x1p53) || x != floor(x)) return false;
    *out = (int64_t)x;
    return true;
}

const char *hub_json_kind(const cJSON *v) {
    if (cJSON_IsObject(v)) return "an object";
    if (cJSON_IsArray(v)) return "an array";
    if (cJSON_IsString(v)) return "a string";
    if (cJSON_IsNumber(v)) return "a number";
    if (cJSON_IsBool(v)) return "true or false";
    return "null";
}

bool hub_field_wrong(const hub_fields *f, const char *key, const char *format, ...) {
    char cause[400], where[600];
    va_list list;
    va_start(list, format);
    vsnprintf(cause, sizeof(cause), format, list);
    va_end(list);
    snprintf(where, sizeof(where), "%.400s: %.80s%s%.80s", f->file, f->within, *f->within ? "." : "", key);
    return diag_error(f->d, where, "%s", cause);
}

const cJSON *hub_field(const hub_fields *f, const char *key) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(f->object, key);
    return v && !cJSON_IsNull(v) ? v : NULL;
}

static bool missing(const hub_fields *f, const char *key, bool required) {
    return !required || hub_field_wrong(f, key, "is missing");
}

bool hub_field_int(const hub_fields *f, const char *key, bool required, int64_t least, int64_t most,
                   int64_t *out) {
    const cJSON *v = hub_field(f, key);
    int64_t x;
    if (!v) return missing(f, key, required);
    if (!cJSON_IsNumber(v))
        return hub_field_wrong(f, key, "is %s where a whole number is expected", hub_json_kind(v));
    if (!isfinite(v->valuedouble))
        return hub_field_wrong(f, key, "is not finite: NaN, Infinity or too large");
    if (!hub_json_int(v, &x))
        return hub_field_wrong(f, key, "is %g where a whole number is expected", v->valuedouble);
    if (x < least || x > most) {
        return hub_field_wrong(f, key, "is %" PRId64 ", outside %" PRId64 " to %" PRId64, x, least, most);
    }
    *out = x;
    return true;
}

bool hub_field_real(const hub_fields *f, const char *key, bool required, double least, double most,
                    double *out) {
    const cJSON *v = hub_field(f, key);
    if (!v) return missing(f, key, required);
    if (!cJSON_IsNumber(v))
        return hub_field_wrong(f, key, "is %s where a number is expected", hub_json_kind(v));
    if (!isfinite(v->valuedouble))
        return hub_field_wrong(f, key, "is not finite: NaN, Infinity or too large");
    if (!(v->valuedouble >= least && v->valuedouble <= most)) {
        return hub_field_wrong(f, key, "is %g, outside %g to %g", v->valuedouble, least, most);
    }
    *out = v->valuedouble;
    return true;
}

bool hub_field_bool(const hub_fields *f, const char *key, bool required, bool *out) {
    const cJSON *v = hub_field(f, key);
    if (!v) return missing(f, key, required);
    if (!cJSON_IsBool(v))
        return hub_field_wrong(f, key, "is %s where true or false is expected", hub_json_kind(v));
    *out = cJSON_IsTrue(v);
    return true;
}

bool hub_field_text(const hub_fields *f, const char *key, bool required, const char **out) {
    const cJSON *v = hub_field(f, key);
    if (!v) return missing(f, key, required);
    if (!cJSON_IsString(v))
        return hub_field_wrong(f, key, "is %s where a string is expected", hub_json_kind(v));
    *out = v->valuestring;
    return true;
}
