#include "frontend/hub/sentence/router.h"

#include <string.h>

#include "frontend/hub/files/file.h"

#define MOST_STEPS 32

// --- Modules

typedef struct reading {
    const char *folder;
    arena *a;
    hub_sentence *s;
    bool encoder;              // and no more is read
    bool transformer, pooling; // are there
} reading;

static bool read_first(reading *r, const char *kind, const char *path, diag *d) {
    r->transformer = true;
    r->s->predicts = !strcmp(kind, "MLMTransformer"); // the name before version 6
    r->s->folder = path;
    // The file has stood beside modules.json, and in the transformer's own folder.
    return hub_transformer_open(r->folder, r->a, r->s, d) &&
           (!strcmp(path, r->folder) || hub_transformer_open(path, r->a, r->s, d));
}

// Tokens' rows of a table; their mean.
static bool read_table(reading *r, const char *path) {
    r->transformer = r->pooling = true;
    r->s->fixed = true;
    r->s->folder = path;
    r->s->poolings[0] = POOLING_MEAN;
    r->s->pooling_count = 1;
    return true;
}

static bool read_step(reading *r, const hub_fields *f, const char *kind, const char *name, const char *path) {
    hub_step *step = &r->s->steps[r->s->step_count];
    const hub_late *l = &r->s->late;
    const char *rows = !l->present ? "sentence_embedding" : l->converted ? NULL : "token_embeddings";
    bool ok, none = false;
    if (!strcmp(kind, "Dropout")) return true; // of training
    // One is left for what hub_late_finish adds.
    if (r->s->step_count == MOST_STEPS - 1) return hub_field_wrong(f, "type", "is one module too many");
    if (!strcmp(kind, "Normalize"))
        ok = hub_normalize_open(path, rows, r->a, step, &none, f->d);
    else if (!strcmp(kind, "Dense"))
        ok = hub_dense_open(path, name, rows, r->a, step, f->d);
    else
        ok = hub_norm_open(path, name, r->a, step, f->d);
    none |= l->converted && !strcmp(kind, "Normalize"); // it stands at the end
    r->s->step_count += ok && !none;
    return ok;
}

// Jina's own Transformer, of jina-embeddings-v3, is the plain one with a choice of tasks (frontend/hub/adapter/task.c).
static bool is_jina(const reading *r, const char *kind) {
    if (strcmp(kind, "custom_st.Transformer") != 0) return false;
    diag d; // what is wrong with the file is said where it is read as a whole
    diag_init(&d);
    cJSON *root = hub_json_load(hub_path(r->a, r->folder, "config.json"), false, &d);
    const cJSON *tasks = cJSON_GetObjectItemCaseSensitive(root, "lora_adaptations");
    bool jina = cJSON_IsArray(tasks) && cJSON_HasObjectItem(root, "use_flash_attn");
    cJSON_Delete(root);
    diag_free(&d);
    return jina;
}

// Behind the Transformer of a model that gives a vector per token.
static bool read_late(reading *r, const hub_fields *f, const char *kind, const char *name, const char *path) {
    static const char *const steps[] = {"Dense", "LayerNorm", "Normalize", "Dropout"};
    r->pooling = true;
    if (!strcmp(kind, "MultiVectorMask")) return hub_mask_open(path, r->a, r->s, f->d);
    if (!strcmp(kind, "Pooling") && r->s->late.converted) return true;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (!strcmp(kind, steps[i])) return read_step(r, f, kind, name, path);
    return hub_field_wrong(
        f, "type",
        "%.100s is not supported here; behind the Transformer of a model that gives a vector per "
        "token Dense, LayerNorm, Normalize, MultiVectorMask are",
        kind);
}

// PyLate's only class of modules; its Dense is as sentence-transformers'.
static bool is_pylates(const reading *r, const char *kind) {
    return r->s->late.present && !strcmp(kind, "pylate.models.Dense.Dense");
}

static bool read_kind(reading *r, const hub_fields *f, const char *kind, const char *name, const char *path) {
    static const char *const steps[] = {"Dense", "LayerNorm", "Normalize", "Dropout"};
    if (!strcmp(kind, "StaticEmbedding") && !r->transformer) return read_table(r, path);
    if ((!strcmp(kind, "Transformer") || !strcmp(kind, "MLMTransformer")) && !r->transformer)
        return read_first(r, kind, path, f->d);
    if (r->s->late.present && r->transformer && !r->s->predicts && !r->s->scores)
        return read_late(r, f, kind, name, path);
    if (!strcmp(kind, r->s->predicts ? "SpladePooling" : "Pooling") && r->transformer && !r->s->scores &&
        !r->pooling) {
        r->pooling = true;
        return r->s->predicts ? hub_splade_open(path, r->a, r->s, f->d)
                              : hub_pooling_open(path, r->a, r->s, f->d);
    }
    if (r->s->predicts)
        return hub_field_wrong(
            f, "type", "%.100s is not supported here; behind a masked LM a SpladePooling is, and no more",
            kind);
    for (size_t i = 0; r->pooling && i < sizeof steps / sizeof *steps; i++) {
        if (!strcmp(kind, steps[i])) return read_step(r, f, kind, name, path);
    }
    return hub_field_wrong(f, "type",
                           "%.100s is not supported here; a Transformer is, then a Pooling, then any of "
                           "Dense, LayerNorm, Normalize, Dropout",
                           kind);
}

// The class is the last word of the type: "sentence_transformers.models.Pooling". Other packages' classes,
// and those of code in the folder ("custom_st.Transformer"), may do anything under the same name.
static const char *class_of(const reading *r, const hub_fields *f, const char *class) {
    const char *dot = strrchr(class, '.');
    if (!strncmp(class, "sentence_transformers.", strlen("sentence_transformers.")) || is_pylates(r, class) ||
        is_jina(r, class))
        return dot + 1;
    hub_field_wrong(f, "type", "%.100s is none of sentence-transformers' own classes", class);
    return NULL;
}

// The way of documents is the model; queries have static weights.
static bool read_router(reading *r, const hub_fields *f, const char *path) {
    hub_router router;
    if (!hub_router_read(path, r->a, &router, f->d)) return false;
    for (int i = 0; i < router.count; i++) {
        const char *kind = class_of(r, f, router.modules[i].type), *name = router.modules[i].name;
        if (!kind) return false;
        if (!hub_name_stays_inside(name, true)) return hub_field_wrong(f, "path", "leads out of the folder");
        if (!read_kind(r, f, kind, name, hub_path(r->a, path, name))) return false;
        if (r->encoder && r->transformer) return true;
    }
    if (!r->s->predicts) return hub_field_wrong(f, "type", "a Router is supported for sparse encoders alone");
    const char *query = hub_path(r->a, path, router.query);
    bool ok = hub_query_weights_open(query, r->folder, r->a, &r->s->queries, f->d);
    r->s->queries.by_default = router.query_by_default;
    return ok;
}

static bool read_module(reading *r, const hub_fields *f) {
    const char *class = NULL, *name = NULL;
    if (!hub_field_text(f, "type", true, &class) || !hub_field_text(f, "path", true, &name)) return false;
    const char *kind = class_of(r, f, class);
    if (!kind) return false;
    if (!hub_name_stays_inside(name, false)) return hub_field_wrong(f, "path", "leads out of the folder");
    const char *path = hub_path(r->a, r->folder, name);
    bool router = !strcmp(kind, "Router") || !strcmp(kind, "Asym");
    return router && !r->transformer ? read_router(r, f, path) : read_kind(r, f, kind, name, path);
}

static bool read_modules(reading *r, diag *d) {
    const char *file = hub_path(r->a, r->folder, "modules.json");
    cJSON *root = hub_json_load(file, true, d);
    bool ok = root != NULL;
    int i = 0;
    const cJSON *v;
    cJSON_ArrayForEach(v, root) {
        const char *within = arena_printf(r->a, "[%d]", i++);
        const hub_fields f = {file, within, v, d};
        ok = cJSON_IsObject(v) ? read_module(r, &f) : diag_error(d, file, "%s is no object", within);
        if (!ok || (r->encoder && r->transformer)) break;
    }
    if (ok && !r->pooling && !r->s->scores && !(r->encoder && r->transformer))
        ok = diag_error(d, file, "names no Transformer and %s", r->s->predicts ? "SpladePooling" : "Pooling");
    cJSON_Delete(root);
    return ok;
}

bool hub_sentence_fixed(const char *folder, arena *a, hub_sentence *s) {
    const char *path = hub_path(a, folder, "config.json"), *model = NULL;
    bool normalize = false;
    diag d; // another model's config is read where the model is
    diag_init(&d);
    cJSON *root = hub_is_file(path) ? hub_json_load(path, false, &d) : NULL;
    const hub_fields f = {path, "", root, &d};
    bool fixed = root && hub_field_text(&f, "model_type", false, &model) && model &&
                 !strcmp(model, "model2vec") && hub_field_bool(&f, "normalize", false, &normalize);
    cJSON_Delete(root);
    diag_free(&d);
    if (!fixed) return false;
    reading r = {.folder = folder, .a = a, .s = s};
    read_table(&r, folder);
    s->skips_unknown = true;
    s->max_length = 512; // of its encode
    s->steps = ARENA_ARRAY(a, hub_step, 1);
    s->steps[0] = (hub_step){.kind = STEP_NORMALIZE, .config = path};
    s->step_count = normalize;
    return true;
}

bool hub_sentence_read(const char *folder, arena *a, hub_sentence *s, diag *d) {
    *s = hub_sentence_plain();
    s->folder = folder;
    s->steps = ARENA_ARRAY(a, hub_step, MOST_STEPS);
    if (!hub_late_find(folder, a, s, d)) return false;
    if (!hub_is_file(hub_path(a, folder, "modules.json"))) return true;
    s->present = true;
    reading r = {.folder = folder, .a = a, .s = s};
    if (!read_modules(&r, d) || !hub_settings_read(folder, a, s, d)) return false;
    hub_late_finish(s);
    return true;
}

bool hub_sentence_encoder(const char *folder, arena *a, hub_sentence *s, diag *d) {
    *s = hub_sentence_plain();
    s->folder = folder;
    if (!hub_late_find(folder, a, s, d)) return false;
    if (!hub_is_file(hub_path(a, folder, "modules.json"))) return true;
    s->present = true;
    reading r = {.folder = folder, .a = a, .s = s, .encoder = true};
    return read_modules(&r, d) && (!s->late.present || hub_settings_read(folder, a, s, d));
}
