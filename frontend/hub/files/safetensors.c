// A safetensors file: 8 bytes of header length (little-endian), a JSON object of name -> {dtype, shape,
// data_offsets}, and the data, which the entries cover without a gap. As in the format's reference, the
// header may list them in any order. https://github.com/huggingface/safetensors#format
#include "frontend/hub/files/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/files/json.h"

#define MOST_HEADER 100000000 // the format's own limit
#define MOST_RANK   32

typedef struct entry {
    const char *name, *dtype;
    int rank;
    const int64_t *shape;
    size_t begin, end; // within the data
} entry;

struct safetensors {
    arena *arena;
    hub_file file;
    const char *path;
    const unsigned char *data;
    size_t data_size;
    int count;
    entry *entries; // by offset
    entry **by_name;
};

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {{"F32", 4},     {"F16", 2},     {"BF16", 2},        {"F64", 8},        {"C64", 8},
              {"I64", 8},     {"I32", 4},     {"I16", 2},         {"I8", 1},         {"U64", 8},
              {"U32", 4},     {"U16", 2},     {"U8", 1},          {"BOOL", 1},       {"F8_E4M3", 1},
              {"F8_E5M2", 1}, {"F8_E8M0", 1}, {"F8_E4M3FNUZ", 1}, {"F8_E5M2FNUZ", 1}};

size_t safetensors_dtype_size(const char *dtype) {
    for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
        if (!strcmp(dtype, dtypes[i].name)) return dtypes[i].size;
    }
    return 0;
}

bool safetensors_shape_bytes(const char *dtype, int rank, const int64_t *shape, size_t *bytes) {
    size_t n = safetensors_dtype_size(dtype);
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0) return false;
        empty |= shape[i] == 0;
        if (shape[i] && __builtin_mul_overflow(n, (size_t)shape[i], &n)) return false;
    }
    *bytes = empty ? 0 : n;
    return true;
}

// --- Reading

static bool wrong(const safetensors *s, const char *name, const char *cause, diag *d) {
    char where[700];
    snprintf(where, sizeof(where), "%.400s: tensor \"%.200s\"", s->path, name);
    return diag_error(d, where, "%s", cause);
}

static bool read_shape(safetensors *s, entry *e, const cJSON *shape, diag *d) {
    if (!cJSON_IsArray(shape)) return wrong(s, e->name, "shape: is missing, or no array", d);
    e->rank = cJSON_GetArraySize(shape);
    if (e->rank > MOST_RANK) return wrong(s, e->name, "shape: has too many axes", d);
    int64_t *dims = ARENA_ARRAY(s->arena, int64_t, e->rank + 1);
    int i = 0;
    const cJSON *v;
    cJSON_ArrayForEach(v, shape) {
        if (!hub_json_int(v, &dims[i]) || dims[i] < 0)
            return wrong(s, e->name, "shape: holds no whole number", d);
        i++;
    }
    e->shape = dims;
    return true;
}

static bool read_offsets(safetensors *s, entry *e, const cJSON *offsets, diag *d) {
    int64_t begin, end;
    char cause[160];
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !hub_json_int(offsets->child, &begin) || !hub_json_int(offsets->child->next, &end) || begin < 0 ||
        end < 0) {
        return wrong(s, e->name, "data_offsets: are missing, or not two whole numbers", d);
    }
    snprintf(cause, sizeof(cause),
             "data_offsets: %" PRId64 " to %" PRId64 ", but the file holds %zu bytes of data%s", begin, end,
             s->data_size, end > begin ? " (truncated?)" : "");
    if ((uint64_t)end > s->data_size) return wrong(s, e->name, cause, d);
    if (begin > end) return wrong(s, e->name, "data_offsets: end before they begin", d);
    e->begin = (size_t)begin;
    e->end = (size_t)end;
    return true;
}

static bool read_entry(safetensors *s, entry *e, const cJSON *v, diag *d) {
    size_t bytes;
    char cause[160];
    e->name = arena_strdup(s->arena, v->string);
    if (!cJSON_IsObject(v)) return wrong(s, e->name, "is no object", d);
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(v, "dtype");
    if (!cJSON_IsString(dtype)) return wrong(s, e->name, "dtype: is missing, or no string", d);
    e->dtype = arena_strdup(s->arena, dtype->valuestring);
    if (!safetensors_dtype_size(e->dtype)) {
        snprintf(cause, sizeof(cause), "dtype: %.40s is not supported", e->dtype);
        return wrong(s, e->name, cause, d);
    }
    if (!read_shape(s, e, cJSON_GetObjectItemCaseSensitive(v, "shape"), d)) return false;
    if (!read_offsets(s, e, cJSON_GetObjectItemCaseSensitive(v, "data_offsets"), d)) return false;
    if (!safetensors_shape_bytes(e->dtype, e->rank, e->shape, &bytes)) {
        return wrong(s, e->name, "shape: has more elements than can be", d);
    }
    if (bytes == e->end - e->begin) return true;
    snprintf(cause, sizeof(cause), "its shape needs %zu bytes, its data_offsets give %zu", bytes,
             e->end - e->begin);
    return wrong(s, e->name, cause, d);
}

static int by_offset(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end == y->end ? 0 : x->end < y->end ? -1 : 1;
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(entry *const *)a)->name, (*(entry *const *)b)->name);
}

// Sorted by offset the entries cover the data: each begins where the one before ends.
static bool check_cover(safetensors *s, diag *d) {
    size_t at = 0;
    char cause[320];
    qsort(s->entries, (size_t)s->count, sizeof(entry), by_offset);
    for (int i = 0; i < s->count; i++) {
        const entry *e = &s->entries[i];
        if (e->begin < at) {
            snprintf(cause, sizeof(cause), "overlaps tensor \"%.200s\"", s->entries[i - 1].name);
            return wrong(s, e->name, cause, d);
        }
        if (e->begin > at) {
            snprintf(cause, sizeof(cause), "leaves a gap of %zu bytes before it", e->begin - at);
            return wrong(s, e->name, cause, d);
        }
        at = e->end;
    }
    if (at == s->data_size) return true;
    return diag_error(d, s->path, "%zu bytes of data belong to no tensor", s->data_size - at);
}

static bool check_names(safetensors *s, diag *d) {
    s->by_name = ARENA_ARRAY(s->arena, entry *, s->count + 1);
    for (int i = 0; i < s->count; i++) s->by_name[i] = &s->entries[i];
    qsort(s->by_name, (size_t)s->count, sizeof(entry *), by_name);
    for (int i = 1; i < s->count; i++) {
        if (!by_name(&s->by_name[i - 1], &s->by_name[i])) {
            return wrong(s, s->by_name[i]->name, "appears twice in the header", d);
        }
    }
    return true;
}

static bool read_entries(safetensors *s, const cJSON *header, diag *d) {
    if (!cJSON_IsObject(header)) return diag_error(d, s->path, "the header is no object");
    s->entries = ARENA_ARRAY(s->arena, entry, cJSON_GetArraySize(header) + 1);
    const cJSON *v;
    int metadata = 0;
    cJSON_ArrayForEach(v, header) {
        if (!strcmp(v->string, "__metadata__")) {
            if (metadata++ || !cJSON_IsObject(v))
                return diag_error(d, s->path, "__metadata__: is not one object");
        } else if (read_entry(s, &s->entries[s->count], v, d)) {
            s->count++;
        } else {
            return false;
        }
    }
    return check_cover(s, d) && check_names(s, d);
}

// Not safetensors: what it is instead, where that can be told; else `cause`.
static bool no_safetensors(const safetensors *s, const char *cause, diag *d) {
    const char *kind = hub_file_kind(s->path);
    if (kind) return diag_error(d, s->path, "is no safetensors file but %s", kind);
    return diag_error(d, s->path, "is no safetensors file%s", cause);
}

static bool read_file(safetensors *s, diag *d) {
    const unsigned char *p = s->file.data;
    uint64_t n = 0;
    char where[600];
    char cause[200];
    snprintf(cause, sizeof cause, ": %zu bytes are too few", s->file.size);
    if (s->file.size < 8) return no_safetensors(s, cause, d);
    for (int i = 7; i >= 0; i--) n = n << 8 | p[i];
    if (n > s->file.size - 8) {
        snprintf(cause, sizeof cause,
                 ", or truncated: its first 8 bytes say that a header of %" PRIu64
                 " bytes follows, and the file has %zu",
                 n, s->file.size);
        return no_safetensors(s, cause, d);
    }
    if (n > MOST_HEADER) return diag_error(d, s->path, "the header is too long: %" PRIu64 " bytes", n);
    if (!n || p[8] != '{') return no_safetensors(s, ": no JSON object after its length", d);
    s->data = p + 8 + n;
    s->data_size = s->file.size - 8 - (size_t)n;
    snprintf(where, sizeof(where), "%.500s: header", s->path);
    cJSON *header = hub_json_parse(where, p + 8, (size_t)n, d);
    bool ok = header && read_entries(s, header, d);
    cJSON_Delete(header);
    return ok;
}

safetensors *safetensors_open(const char *path, diag *d) {
    hub_file file;
    if (!hub_file_map(path, &file, d)) return NULL;
    arena *a = arena_new();
    safetensors *s = ARENA_NEW(a, safetensors);
    s->arena = a;
    s->file = file;
    s->path = arena_strdup(a, path);
    if (read_file(s, d)) return s;
    safetensors_close(s);
    return NULL;
}

void safetensors_close(safetensors *s) {
    if (!s) return;
    hub_file_unmap(&s->file);
    arena_free(s->arena);
}

const hub_file *safetensors_mapped(const safetensors *s) {
    return &s->file;
}

bool safetensors_unchanged(const safetensors *s, diag *d) {
    return hub_file_unchanged(&s->file, s->path, d);
}

int safetensors_count(const safetensors *s) {
    return s->count;
}

const char *safetensors_name(const safetensors *s, int i) {
    return s->entries[i].name;
}

bool safetensors_entry(const safetensors *s, const char *name, const char **dtype, int *rank,
                       const int64_t **shape, const void **data, size_t *bytes) {
    entry key = {.name = name}, *wanted = &key;
    entry **found =
        s->count ? bsearch(&wanted, s->by_name, (size_t)s->count, sizeof(entry *), by_name) : NULL;
    if (!found) return false;
    const entry *e = *found;
    *dtype = e->dtype;
    *rank = e->rank;
    *shape = e->shape;
    *data = s->data + e->begin;
    *bytes = e->end - e->begin;
    return true;
}
