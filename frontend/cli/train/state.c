#include "frontend/cli/train/state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/cli.h"
#include "frontend/hub/files/json.h"
#include "ir/memory.h"
#include "runtime/abi_checksum.h"

#define VERSION   2 // 1 had no hashes
#define HASH_ROOM 17

// Of all that stands before the hash itself.
static void hash_of(const cJSON *o, char text[HASH_ROOM]) {
    char *line = json_line(o);
    snprintf(text, HASH_ROOM, "%016" PRIx64, bertc_checksum_of(line, strlen(line)));
    free(line);
}

// Version 1 has no hash.
static bool is_intact(const hub_fields *f, cJSON *o, int64_t version) {
    char hash[HASH_ROOM];
    const char *was = "";
    if (version < 2) return true;
    if (!hub_field_text(f, "xxh64", true, &was)) return false;
    cJSON *item = cJSON_DetachItemFromObjectCaseSensitive(o, "xxh64");
    hash_of(o, hash);
    bool same = !strcmp(hash, item->valuestring);
    cJSON_Delete(item);
    return same || diag_error(f->d, f->file, "was changed since it was written: its hash differs");
}

static void add_number(cJSON *o, const char *key, int64_t v) {
    cJSON_AddNumberToObject(o, key, (double)v);
}

bool state_write(const char *path, const train_state *s, diag *d) {
    char data[20], hash[HASH_ROOM];
    snprintf(data, sizeof data, "%016" PRIx64, s->data);
    cJSON *o = cJSON_CreateObject();
    add_number(o, "version", VERSION);
    cJSON_AddBoolToObject(o, "finished", s->finished);
    add_number(o, "step", s->step);
    add_number(o, "steps", s->steps);
    add_number(o, "epoch", s->epoch);
    add_number(o, "batches", s->batches);
    add_number(o, "log_bytes", s->log_bytes);
    if (isfinite(s->best))
        cJSON_AddNumberToObject(o, "best_metric", s->best);
    else
        cJSON_AddNullToObject(o, "best_metric");
    add_number(o, "best_step", s->best_step);
    add_number(o, "worse", s->worse);
    cJSON_AddStringToObject(o, "data", data);
    cJSON_AddItemToObject(o, "metrics", s->metrics ? cJSON_Duplicate(s->metrics, true) : cJSON_CreateNull());
    cJSON_AddItemToObject(o, "options", cJSON_Duplicate(s->options, true));
    if (s->files) cJSON_AddItemToObject(o, "files", cJSON_Duplicate(s->files, true));
    hash_of(o, hash);
    cJSON_AddStringToObject(o, "xxh64", hash);
    bool ok = json_file(path, o, d);
    cJSON_Delete(o);
    return ok;
}

bool state_read(const char *path, train_state *s, diag *d) {
    *s = (train_state){.best = NAN};
    cJSON *json = hub_json_load(path, false, d);
    if (!json) return false;
    hub_fields f = {.file = path, .within = "", .object = json, .d = d};
    int64_t version = 0, most = (int64_t)1 << 53;
    const char *data = "";
    bool ok = hub_field_int(&f, "version", true, 1, VERSION, &version) && is_intact(&f, json, version) &&
              hub_field_bool(&f, "finished", true, &s->finished) &&
              hub_field_int(&f, "step", true, 0, most, &s->step) &&
              hub_field_int(&f, "steps", true, 0, most, &s->steps) &&
              hub_field_int(&f, "epoch", true, 0, most, &s->epoch) &&
              hub_field_int(&f, "batches", true, 0, most, &s->batches) &&
              hub_field_int(&f, "log_bytes", true, 0, most, &s->log_bytes) &&
              hub_field_real(&f, "best_metric", false, -1e300, 1e300, &s->best) &&
              hub_field_int(&f, "best_step", true, 0, most, &s->best_step) &&
              hub_field_int(&f, "worse", true, 0, most, &s->worse) && hub_field_text(&f, "data", true, &data);
    s->data = strtoull(data, NULL, 16);
    s->options = cJSON_DetachItemFromObjectCaseSensitive(json, "options");
    s->metrics = cJSON_DetachItemFromObjectCaseSensitive(json, "metrics");
    s->files = cJSON_DetachItemFromObjectCaseSensitive(json, "files");
    if (ok && !cJSON_IsNull(s->metrics) && !cJSON_IsObject(s->metrics))
        ok = hub_field_wrong(&f, "metrics", "are no object");
    if (!cJSON_IsObject(s->metrics)) {
        cJSON_Delete(s->metrics);
        s->metrics = NULL;
    }
    if (ok && !cJSON_IsObject(s->options)) ok = hub_field_wrong(&f, "options", "is no object");
    cJSON_Delete(json);
    return ok;
}

void state_free(train_state *s) {
    cJSON_Delete(s->options);
    cJSON_Delete(s->metrics);
    cJSON_Delete(s->files);
    s->options = s->metrics = s->files = NULL;
}

// The value of an option, or "" where it is not there.
static const char *value_of(const cJSON *options, const char *key) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(options, key));
    return text ? text : "";
}

static bool same_options(const char *path, const cJSON *names, const cJSON *was, const cJSON *is, diag *d) {
    const cJSON *o;
    cJSON_ArrayForEach(o, names) {
        const char *a = value_of(was, o->string), *b = value_of(is, o->string);
        if (strcmp(a, b))
            return diag_error(
                d, path, "the run was started with %s %s, not %s: --resume goes on with the same options",
                o->string, *a ? a : "(none)", *b ? b : "(none)");
    }
    return true;
}

bool state_matches(const train_state *s, const char *path, const cJSON *options, uint64_t data, diag *d) {
    if (!same_options(path, options, s->options, options, d) ||
        !same_options(path, s->options, s->options, options, d))
        return false;
    return s->data == data ||
           diag_error(d, path, "the training data are others than when the run was started");
}
