// What makes a folder one of sentence-transformers': modules.json, and the folders that it names.
#include <string.h>

#include "frontend/hub/save/save.h"

static const char *modules_of(const saving *s) {
    return hub_path(s->a, s->from->model, "modules.json");
}

// Did the model come with modules, for what it is now?
static bool has_own(const saving *s) {
    const hub_config *c = s->from->config;
    bool fits = c->head == HEAD_EMBEDDING || (c->head == HEAD_SEQUENCE && c->sentence.scores);
    return fits && c->sentence.present && hub_is_folder(s->from->model) && hub_is_file(modules_of(s));
}

bool save_has_modules(const saving *s) {
    return s->from->config->head == HEAD_EMBEDDING || has_own(s);
}

// The folder that a module names, within the model's; NULL: it names none that is.
static const char *path_of(const cJSON *listed) {
    const char *path = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(listed, "path"));
    return path && (!*path || hub_name_stays_inside(path, false)) ? path : NULL;
}

const char *save_transformer(saving *s) {
    if (!has_own(s)) return "";
    cJSON *root = hub_json_load(modules_of(s), true, s->d);
    const char *path = root ? path_of(root->child) : NULL;
    if (root && !path) diag_error(s->d, modules_of(s), "names no folder for its first module");
    path = path ? arena_strdup(s->a, path) : NULL;
    cJSON_Delete(root);
    return path;
}

static bool copy_module(saving *s, const cJSON *listed) {
    static const char *const files[] = {"config.json", "sentence_bert_config.json"};
    const char *path = path_of(listed);
    if (!path || !*path) return true;
    const char *from = hub_path(s->a, s->from->model, path), *to = hub_path(s->a, s->to->folder, path);
    if (!save_make_folder(to, s->d)) return false;
    bool weights = !strcmp(to, s->weights); // whose config is written
    for (int i = weights; i < 2; i++)
        if (!save_copy(s, hub_path(s->a, from, files[i]), hub_path(s->a, to, files[i]))) return false;
    return true;
}

static bool copy_own(saving *s) {
    static const char *const files[] = {"modules.json", "config_sentence_transformers.json",
                                        "sentence_bert_config.json"};
    cJSON *root = hub_json_load(modules_of(s), true, s->d);
    bool ok = root;
    const cJSON *one;
    if (root) cJSON_ArrayForEach(one, root) ok = ok && copy_module(s, one);
    cJSON_Delete(root);
    for (int i = 0; i < 3; i++)
        ok = ok &&
             save_copy(s, hub_path(s->a, s->from->model, files[i]), hub_path(s->a, s->to->folder, files[i]));
    return ok;
}

static void add_module(cJSON *list, int i, const char *path, const char *kind) {
    char name[4];
    snprintf(name, sizeof name, "%d", i);
    cJSON *m = cJSON_CreateObject();
    cJSON_AddNumberToObject(m, "idx", i);
    cJSON_AddStringToObject(m, "name", name);
    cJSON_AddStringToObject(m, "path", path);
    cJSON_AddStringToObject(m, "type", kind);
    cJSON_AddItemToArray(list, m);
}

static bool is_pooled(const hub_sentence *s, hub_pooling p) {
    for (int i = 0; i < s->pooling_count; i++)
        if (s->poolings[i] == p) return true;
    return false;
}

static bool write_pooling(saving *s) {
    static const struct {
        const char *key;
        hub_pooling pooling;
    } modes[] = {{"pooling_mode_cls_token", POOLING_CLS},
                 {"pooling_mode_mean_tokens", POOLING_MEAN},
                 {"pooling_mode_max_tokens", POOLING_MAX},
                 {"pooling_mode_mean_sqrt_len_tokens", POOLING_MEAN_SQRT},
                 {"pooling_mode_weightedmean_tokens", POOLING_WEIGHTED},
                 {"pooling_mode_lasttoken", POOLING_LAST}};
    const hub_config *c = s->from->config;
    const char *folder = hub_path(s->a, s->to->folder, "1_Pooling");
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "word_embedding_dimension", (double)c->sizes[SIZE_HIDDEN]);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        cJSON_AddBoolToObject(json, modes[i].key, is_pooled(&c->sentence, modes[i].pooling));
    cJSON_AddTrueToObject(json, "include_prompt");
    if (!save_make_folder(folder, s->d)) return cJSON_Delete(json), false;
    return save_json(s, hub_path(s->a, folder, "config.json"), json);
}

static bool write_new(saving *s) {
    cJSON *list = cJSON_CreateArray(), *settings = cJSON_CreateObject(), *lengths = cJSON_CreateObject();
    add_module(list, 0, "", "sentence_transformers.models.Transformer");
    add_module(list, 1, "1_Pooling", "sentence_transformers.models.Pooling");
    cJSON_AddStringToObject(settings, "similarity_fn_name", "cosine");
    cJSON_AddNumberToObject(lengths, "max_seq_length", (double)s->from->longest);
    cJSON_AddFalseToObject(lengths, "do_lower_case");
    const char *folder = s->to->folder;
    bool ok = save_json(s, hub_path(s->a, folder, "modules.json"), list);
    ok &= save_json(s, hub_path(s->a, folder, "config_sentence_transformers.json"), settings);
    ok &= save_json(s, hub_path(s->a, folder, "sentence_bert_config.json"), lengths);
    return ok && write_pooling(s);
}

bool save_modules(saving *s) {
    return has_own(s) ? copy_own(s) : write_new(s);
}
