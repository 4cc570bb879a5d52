// sentence-transformers folders: modules.json names the transformer, the pooling and the normalisation, each
// with a folder.
#include <inttypes.h>
#include <string.h>

#include "config.h"
#include "file.h"
#include "json.h"

bool hub_pooling_find(const char *name, hub_pooling *p) {
    if (!strcmp(name, "cls")) return *p = POOLING_CLS, true;
    if (!strcmp(name, "mean")) return *p = POOLING_MEAN, true;
    return false;
}

// New spelling: "pooling_mode": "mean". Old: a flag a mode, "pooling_mode_mean_tokens": true.
static bool read_old_modes(const hub_fields *f, hub_sentence *s) {
    static const char *const flags[] = {
        "pooling_mode_cls_token",           "pooling_mode_mean_tokens",
        "pooling_mode_max_tokens",          "pooling_mode_mean_sqrt_len_tokens",
        "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"};
    int modes = 0;
    bool ok = true;
    for (int i = 0; i < 6; i++) {
        bool on = false;
        ok &= hub_field_bool(f, flags[i], false, &on);
        modes += on;
        if (on && i > 1) ok = hub_field_wrong(f, flags[i], "is not supported; known are cls and mean");
        if (on) s->pooling = i == 0 ? POOLING_CLS : POOLING_MEAN;
    }
    if (ok && modes == 0) ok = hub_field_wrong(f, "pooling_mode", "is missing");
    if (ok && modes > 1) ok = hub_field_wrong(f, flags[0], "several modes at once are not supported");
    return ok;
}

static bool read_pooling(const char *path, hub_sentence *s, diag *d) {
    cJSON *root = hub_json_load(path, false, d);
    if (!root) return false;
    hub_fields f = {path, "", root, d};
    const char *mode = NULL;
    bool ok = hub_field_int(&f, "word_embedding_dimension", false, 1, INT32_MAX, &s->width);
    ok &= hub_field_int(&f, "embedding_dimension", false, 1, INT32_MAX, &s->width);
    const cJSON *v = hub_field(&f, "pooling_mode");
    if (cJSON_IsArray(v) && cJSON_GetArraySize(v) == 1) v = v->child;
    if (!v) {
        ok &= read_old_modes(&f, s);
    } else if (!cJSON_IsString(v)) {
        ok = hub_field_wrong(&f, "pooling_mode", "is %s: one mode is supported", hub_json_kind(v));
    } else if (mode = v->valuestring, !hub_pooling_find(mode, &s->pooling)) {
        ok = hub_field_wrong(&f, "pooling_mode", "\"%.100s\" is not supported; known are cls and mean", mode);
    }
    cJSON_Delete(root);
    return ok;
}

static bool read_limit(const char *path, hub_sentence *s, diag *d) {
    if (!hub_is_file(path)) return true;
    cJSON *root = hub_json_load(path, false, d);
    if (!root) return false;
    hub_fields f = {path, "", root, d};
    bool ok = hub_field_int(&f, "max_seq_length", false, 1, INT32_MAX, &s->max_length);
    cJSON_Delete(root);
    return ok;
}

typedef struct steps {
    bool transformer, pooling, normalize;
} steps;

// The class is the last word of the type: "sentence_transformers.models.Pooling".
static bool read_module(const hub_fields *f, const char *folder, arena *a, steps *done, hub_sentence *s) {
    const char *kind = NULL, *path = NULL;
    if (!hub_field_text(f, "type", true, &kind) || !hub_field_text(f, "path", true, &path)) return false;
    const char *dot = strrchr(kind, '.');
    kind = dot ? dot + 1 : kind;
    if (!hub_name_stays_inside(path, false)) return hub_field_wrong(f, "path", "leads out of the folder");
    path = hub_path(a, folder, path);
    if (!strcmp(kind, "Transformer") && !done->transformer) {
        done->transformer = true;
        s->folder = path;
        // The file has stood beside modules.json, and in the transformer's own folder.
        return read_limit(hub_path(a, folder, "sentence_bert_config.json"), s, f->d) &&
               (!strcmp(path, folder) || read_limit(hub_path(a, path, "sentence_bert_config.json"), s, f->d));
    }
    if (!strcmp(kind, "Pooling") && done->transformer && !done->pooling) {
        done->pooling = true;
        return read_pooling(hub_path(a, path, "config.json"), s, f->d);
    }
    if (!strcmp(kind, "Normalize") && done->pooling) {
        done->normalize = s->normalize = true;
        return true;
    }
    return hub_field_wrong(
        f, "type", "%.100s is not supported here; a Transformer, a Pooling and a Normalize are", kind);
}

bool hub_sentence_read(const char *folder, arena *a, hub_sentence *s, diag *d) {
    *s = (hub_sentence){.pooling = POOLING_MEAN};
    const char *file = hub_path(a, folder, "modules.json");
    if (!hub_is_file(file)) return true;
    cJSON *root = hub_json_load(file, true, d);
    if (!root) return false;
    s->present = true;
    s->folder = folder;
    steps done = {0};
    bool ok = true;
    int i = 0;
    const cJSON *v;
    cJSON_ArrayForEach(v, root) {
        char within[32];
        snprintf(within, sizeof(within), "[%d]", i++);
        if (!cJSON_IsObject(v)) {
            ok = diag_error(d, file, "%s is no object", within);
            break;
        }
        hub_fields f = {file, within, v, d};
        if (!read_module(&f, folder, a, &done, s)) {
            ok = false;
            break;
        }
    }
    if (ok && !done.pooling) ok = diag_error(d, file, "names no Transformer and Pooling");
    cJSON_Delete(root);
    return ok;
}
