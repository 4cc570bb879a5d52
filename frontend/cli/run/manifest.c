// The manifest of a part: what it is a part of, which lines, and the hash of its bytes.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/file_hash.h"
#include "frontend/cli/run/shard.h"
#include "frontend/hub/files/json.h"
#include "ir/memory.h"

#define HASH_DIGITS 16

// --- Writing

static void add_hash(cJSON *o, const char *key, uint64_t hash) {
    char text[HASH_DIGITS + 1];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    cJSON_AddStringToObject(o, key, text);
}

static void add_number(cJSON *o, const char *key, int64_t v) {
    cJSON_AddNumberToObject(o, key, (double)v);
}

bool manifest_write(const shard *s, int64_t failed, diag *d) {
    uint64_t hash;
    int64_t bytes;
    if (!file_hash(s->part, &hash, &bytes, d)) return false;
    cJSON *o = cJSON_CreateObject(), *input = cJSON_CreateObject(), *part = cJSON_CreateObject();
    add_number(o, "version", 1);
    cJSON_AddStringToObject(o, "bertc", bertc_version());
    add_number(o, "shard", s->index);
    add_number(o, "shards", s->whole.count);
    cJSON_AddItemToObject(o, "input", input);
    add_number(input, "bytes", s->whole.bytes);
    add_number(input, "lines", s->whole.lines);
    add_hash(input, "xxh64", s->whole.hash);
    add_hash(o, "model", s->whole.model);
    cJSON_AddItemToObject(o, "options", cJSON_Duplicate(s->whole.options, true));
    add_number(o, "first", s->first);
    add_number(o, "lines", s->lines);
    add_number(o, "failed", failed);
    cJSON_AddItemToObject(o, "part", part);
    cJSON_AddStringToObject(part, "file", s->name);
    add_number(part, "bytes", bytes);
    add_hash(part, "xxh64", hash);
    bool ok = json_file(s->manifest, o, d);
    cJSON_Delete(o);
    return ok;
}

// --- Reading

static bool field_hash(const hub_fields *f, const char *key, uint64_t *out) {
    const char *text = "";
    if (!hub_field_text(f, key, true, &text)) return false;
    if (strlen(text) != HASH_DIGITS || strspn(text, "0123456789abcdef") != HASH_DIGITS)
        return hub_field_wrong(f, key, "is no hash of 16 digits");
    *out = strtoull(text, NULL, 16);
    return true;
}

// A part lies beside its manifest: its name has no folder.
static bool field_part(manifest *m, const hub_fields *f) {
    const char *name = "", *slash = strrchr(m->path, '/');
    if (!hub_field_text(f, "file", true, &name)) return false;
    if (!*name || strchr(name, '/')) return hub_field_wrong(f, "file", "is no file's name");
    size_t folder = slash ? (size_t)(slash + 1 - m->path) : 0, n = folder + strlen(name) + 1;
    m->part = memory_must(memory_alloc(n, 1));
    snprintf(m->part, n, "%.*s%s", (int)folder, m->path, name);
    return true;
}

static bool read_fields(manifest *m, const cJSON *json, diag *d) {
    const int64_t most = (int64_t)1 << 53;
    int64_t version;
    shard_whole *w = &m->whole;
    hub_fields f = {.file = m->path, .within = "", .object = json, .d = d}, input = f, part = f;
    input.within = "input";
    part.within = "part";
    input.object = cJSON_GetObjectItemCaseSensitive(json, "input");
    part.object = cJSON_GetObjectItemCaseSensitive(json, "part");
    const cJSON *options = cJSON_GetObjectItemCaseSensitive(json, "options");
    if (!cJSON_IsObject(input.object)) return hub_field_wrong(&f, "input", "is no object");
    if (!cJSON_IsObject(part.object)) return hub_field_wrong(&f, "part", "is no object");
    if (!cJSON_IsObject(options)) return hub_field_wrong(&f, "options", "is no object");
    w->options = cJSON_Duplicate(options, true);
    return hub_field_int(&f, "version", true, 1, 1, &version) &&
           hub_field_int(&f, "shards", true, 1, most, &w->count) &&
           hub_field_int(&f, "shard", true, 0, w->count - 1, &m->index) &&
           hub_field_int(&input, "bytes", true, 0, most, &w->bytes) &&
           hub_field_int(&input, "lines", true, 0, most, &w->lines) &&
           field_hash(&input, "xxh64", &w->hash) && field_hash(&f, "model", &w->model) &&
           hub_field_int(&f, "first", true, 0, w->lines, &m->first) &&
           hub_field_int(&f, "lines", true, 0, w->lines - m->first, &m->lines) &&
           hub_field_int(&f, "failed", true, 0, m->lines, &m->failed) && field_part(m, &part) &&
           hub_field_int(&part, "bytes", true, 0, most, &m->part_bytes) &&
           field_hash(&part, "xxh64", &m->part_hash);
}

bool manifest_read(manifest *m, const char *path, diag *d) {
    *m = (manifest){.path = memory_must(memory_strdup(path))};
    cJSON *json = hub_json_load(path, false, d);
    bool ok = json && read_fields(m, json, d);
    cJSON_Delete(json);
    return ok;
}

void manifest_close(manifest *m) {
    cJSON_Delete(m->whole.options);
    free(m->path);
    free(m->part);
    *m = (manifest){0};
}

bool manifest_holds(const manifest *m, diag *d) {
    uint64_t hash;
    int64_t bytes;
    if (!file_hash(m->part, &hash, &bytes, d)) return false;
    if (bytes == m->part_bytes && hash == m->part_hash) return true;
    return diag_error(d, m->part, "was changed: it is not the part that %s says it is", m->path);
}
