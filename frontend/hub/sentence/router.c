#include "frontend/hub/sentence/router.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/files/file.h"
#include "frontend/hub/files/text.h"
#include "frontend/hub/hub.h"

// --- The ways

static const char *class_of(const hub_fields *types, const char *name) {
    const char *class = NULL;
    return hub_field_text(types, name, true, &class) ? class : NULL;
}

static const char *last_word(const char *class) {
    const char *dot = strrchr(class, '.');
    return dot ? dot + 1 : class;
}

static bool read_documents(const hub_fields *structure, const hub_fields *types, arena *a, hub_router *out) {
    const cJSON *v;
    cJSON_ArrayForEach(v, hub_field(structure, "document")) {
        const char *name = cJSON_GetStringValue(v), *class = name ? class_of(types, name) : NULL;
        if (!name)
            return hub_field_wrong(structure, "document", "holds %s, where names of modules are read",
                                   hub_json_kind(v));
        if (!class) return false;
        if (out->count == HUB_ROUTE_MOST)
            return hub_field_wrong(structure, "document", "has too many modules");
        out->modules[out->count].name = arena_strdup(a, name);
        out->modules[out->count++].type = arena_strdup(a, class);
    }
    return out->count > 0 || hub_field_wrong(structure, "document", "has no module");
}

static bool read_query(const hub_fields *structure, const hub_fields *types, arena *a, hub_router *out) {
    const cJSON *list = hub_field(structure, "query");
    const char *name = cJSON_GetArraySize(list) == 1 ? cJSON_GetStringValue(list->child) : NULL;
    const char *class = name ? class_of(types, name) : NULL;
    if (name && !class) return false;
    if (!class || strncmp(class, "sentence_transformers.", strlen("sentence_transformers.")) != 0 ||
        strcmp(last_word(class), "SparseStaticEmbedding") != 0)
        return hub_field_wrong(structure, "query",
                               "is not supported: the way of queries must be one SparseStaticEmbedding");
    if (!hub_name_stays_inside(name, true))
        return hub_field_wrong(structure, "query", "leads out of the folder");
    out->query = arena_strdup(a, name);
    return true;
}

static bool read_ways(const hub_fields *f, arena *a, hub_router *out) {
    const cJSON *structure = hub_field(f, "structure"), *types = hub_field(f, "types"), *v;
    const hub_fields of_structure = {f->file, "structure", structure, f->d},
                     of_types = {f->file, "types", types, f->d};
    if (!cJSON_IsObject(structure)) return hub_field_wrong(f, "structure", "is no object");
    if (!cJSON_IsObject(types)) return hub_field_wrong(f, "types", "is no object");
    cJSON_ArrayForEach(
        v, structure) if ((strcmp(v->string, "query") && strcmp(v->string, "document")) ||
                          !cJSON_IsArray(v)) return hub_field_wrong(&of_structure, v->string,
                                                                    "is not supported: query and document "
                                                                    "are, each with a list of modules");
    return read_documents(&of_structure, &of_types, a, out) && read_query(&of_structure, &of_types, a, out);
}

// Without a way of its own a text takes the default one, or, where there is none, the first.
static bool read_default(const hub_fields *f, hub_router *out) {
    const cJSON *parameters = hub_field(f, "parameters"), *structure = hub_field(f, "structure");
    const hub_fields of = {f->file, "parameters", parameters, f->d};
    const char *way = NULL;
    if (parameters && !cJSON_IsObject(parameters)) return hub_field_wrong(f, "parameters", "is no object");
    if (parameters && !hub_field_text(&of, "default_route", false, &way)) return false;
    if (cJSON_GetArraySize(hub_field(&of, "route_mappings")))
        return hub_field_wrong(&of, "route_mappings",
                               "is not supported: ways are found by query and document");
    if (!way) way = structure->child->string;
    out->query_by_default = !strcmp(way, "query");
    return out->query_by_default || !strcmp(way, "document") ||
           hub_field_wrong(&of, "default_route", "\"%.100s\" is none of query and document", way);
}

bool hub_router_read(const char *path, arena *a, hub_router *out, diag *d) {
    const char *file = hub_path(a, path, "router_config.json");
    *out = (hub_router){.count = 0};
    if (!hub_is_file(file)) file = hub_path(a, path, "config.json");
    cJSON *root = hub_json_load(file, false, d);
    if (!root) return false;
    const hub_fields f = {file, "", root, d};
    bool ok = read_ways(&f, a, out) && read_default(&f, out);
    cJSON_Delete(root);
    return ok;
}

// --- Static weights

static bool read_tensor(const char *file, arena *a, hub_query_weights *out, diag *d) {
    safetensors *s = safetensors_open(file, d);
    const char *dtype;
    int rank;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    if (!s) return false;
    bool ok = safetensors_entry(s, "weight", &dtype, &rank, &shape, &data, &bytes) ||
              diag_error(d, file, "has no tensor \"weight\"");
    if (ok && (strcmp(dtype, "F32") || rank != 1 || shape[0] < 1 || shape[0] > INT32_MAX))
        ok = diag_error(d, file, "tensor \"weight\": must be F32 with one axis");
    if (ok) {
        out->count = shape[0];
        out->by_id = arena_dup(a, data, bytes);
    }
    for (int64_t i = 0; ok && i < out->count; i++)
        if (!isfinite(out->by_id[i]))
            ok = diag_error(d, file, "tensor \"weight\": holds NaN or infinity at %lld", (long long)i);
    safetensors_close(s);
    return ok;
}

static int by_token(const void *a, const void *b) {
    return strcmp(((const hub_token_weight *)a)->token, ((const hub_token_weight *)b)->token);
}

static bool read_tokens(const char *file, arena *a, hub_query_weights *out, diag *d) {
    cJSON *root = hub_json_load(file, false, d);
    const cJSON *v;
    bool ok = root != NULL;
    int64_t n = 0;
    out->by_token = ARENA_ARRAY(a, hub_token_weight, cJSON_GetArraySize(root) + 1);
    const hub_fields f = {file, "", root, d};
    cJSON_ArrayForEach(v, root) {
        if (!cJSON_IsNumber(v) || !isfinite((float)v->valuedouble)) {
            ok = hub_field_wrong(&f, v->string, "is no finite number");
            break;
        }
        out->by_token[n++] = (hub_token_weight){arena_strdup(a, v->string), (float)v->valuedouble};
    }
    if (ok && !n) ok = diag_error(d, file, "names no token");
    cJSON_Delete(root);
    out->token_count = ok ? n : 0;
    qsort(out->by_token, (size_t)out->token_count, sizeof *out->by_token, by_token);
    return ok;
}

// The file that the module's config names, by its last word: the path is as it was where the module was made.
static const char *named_file(const char *path, const char *root, arena *a, bool *ok, diag *d) {
    const char *config = hub_path(a, path, "config.json"), *named = NULL;
    if (!hub_is_file(config)) return NULL;
    cJSON *json = hub_json_load(config, false, d);
    const hub_fields f = {config, "", json, d};
    *ok = json && hub_field_text(&f, "path", false, &named);
    const char *slash = named ? strrchr(named, '/') : NULL, *file = slash ? slash + 1 : named, *found = NULL;
    if (*ok && named && hub_ends_with(named, ".json")) {
        found = hub_path(a, path, file);
        if (!hub_is_file(found)) found = hub_path(a, root, file);
        if (!hub_is_file(found))
            *ok = hub_field_wrong(&f, "path", "%.100s is neither in the module's folder nor in the model's",
                                  file);
    }
    cJSON_Delete(json);
    return found;
}

bool hub_query_weights_open(const char *path, const char *root, arena *a, hub_query_weights *out, diag *d) {
    bool ok = true;
    const char *named = named_file(path, root, a, &ok, d), *tensors = hub_path(a, path, "model.safetensors"),
               *idf = hub_path(a, path, "idf.json");
    *out = (hub_query_weights){.folder = path};
    if (!ok) return false;
    if (named) return read_tokens(named, a, out, d);
    if (hub_is_file(tensors)) return read_tensor(tensors, a, out, d);
    if (!hub_is_file(idf)) idf = hub_path(a, root, "idf.json");
    return hub_is_file(idf) ? read_tokens(idf, a, out, d)
                            : diag_error(d, path, "holds neither model.safetensors nor idf.json");
}
