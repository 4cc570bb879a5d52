// Late interaction's three layouts: a MultiVectorEncoder of sentence-transformers 6, PyLate's ColBERT, and Stanford's
// HF_ColBERT. The last two are read as sentence-transformers 6 reads them: their markers become prompts.
#include <stdio.h>
#include <string.h>

#include "frontend/hub/files/file.h"
#include "frontend/hub/sentence/sentence.h"

enum { MOST_WORDS = 4096, CLASSIC_EXPANSION = 32 };

// Python's string.punctuation.
static const char *const punctuation[] = {"!", "\"", "#", "$", "%", "&", "'", "(", ")", "*", "+",
                                          ",", "-",  ".", "/", ":", ";", "<", "=", ">", "?", "@",
                                          "[", "\\", "]", "^", "_", "`", "{", "|", "}", "~"};

static void skip_punctuation(hub_late *l) {
    l->skipped = punctuation;
    l->skipped_count = sizeof punctuation / sizeof *punctuation;
    l->skips_documents = true;
}

// A list of strings; *count -1: the key is missing, or null.
static bool read_words(const hub_fields *f, const char *key, arena *a, const char *const **out, int *count) {
    const cJSON *list = hub_field(f, key), *v;
    *count = -1;
    if (!list || cJSON_IsNull(list)) return true;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > MOST_WORDS)
        return hub_field_wrong(f, key, "is no array of at most %d strings", MOST_WORDS);
    const char **words = ARENA_ARRAY(a, const char *, cJSON_GetArraySize(list) + 1);
    *count = 0;
    cJSON_ArrayForEach(v, list) {
        if (!cJSON_IsString(v)) return hub_field_wrong(f, key, "holds %s", hub_json_kind(v));
        words[(*count)++] = arena_strdup(a, v->valuestring);
    }
    *out = words;
    return true;
}

// --- MultiVectorMask

// One name, or a list of them.
static bool read_tasks(const hub_fields *f, arena *a, hub_late *l) {
    const char *one = cJSON_GetStringValue(hub_field(f, "skiplist_tasks")), *const *tasks = &one;
    int count = 1;
    l->skips_documents = true;
    if (!one && !read_words(f, "skiplist_tasks", a, &tasks, &count)) return false;
    if (count < 0) return true;
    l->skips_documents = l->skips_queries = false;
    for (int i = 0; i < count; i++) {
        if (!strcmp(tasks[i], "query"))
            l->skips_queries = true;
        else if (!strcmp(tasks[i], "document"))
            l->skips_documents = true;
        else
            return hub_field_wrong(f, "skiplist_tasks", "\"%.60s\" is none of query and document", tasks[i]);
    }
    return true;
}

static bool read_kept(const hub_fields *f, arena *a, hub_late *l) {
    const cJSON *list = hub_field(f, "keep_only_token_ids"), *v;
    if (!list || cJSON_IsNull(list)) return true;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > MOST_WORDS)
        return hub_field_wrong(f, "keep_only_token_ids", "is no array of at most %d ids", MOST_WORDS);
    int32_t *ids = ARENA_ARRAY(a, int32_t, cJSON_GetArraySize(list) + 1);
    cJSON_ArrayForEach(v, list) {
        int64_t id;
        if (!hub_json_int(v, &id) || id < 0 || id > INT32_MAX)
            return hub_field_wrong(f, "keep_only_token_ids", "holds what is no id");
        ids[l->kept_count++] = (int32_t)id;
    }
    l->kept = l->kept_count ? ids : NULL;
    return true;
}

bool hub_mask_open(const char *path, arena *a, hub_sentence *s, diag *d) {
    const char *file = hub_path(a, path, "config.json");
    cJSON *root = hub_json_load(file, false, d);
    if (!root) return false;
    const hub_fields f = {file, "", root, d};
    hub_late *l = &s->late;
    bool ok = read_words(&f, "skiplist_words", a, &l->skipped, &l->skipped_count);
    if (l->skipped_count < 0) l->skipped_count = 0;
    ok = ok && read_tasks(&f, a, l) && read_kept(&f, a, l);
    cJSON_Delete(root);
    return ok;
}

// --- Queries that are filled up

bool hub_late_expansion(const hub_fields *f, arena *a, hub_sentence *s) {
    const cJSON *o = hub_field(f, "query_expansion"), *v;
    hub_late *l = &s->late;
    const char *strategy = NULL;
    if (!o || cJSON_IsNull(o)) return true;
    if (!cJSON_IsObject(o))
        return hub_field_wrong(f, "query_expansion", "is %s where an object is expected", hub_json_kind(o));
    const hub_fields of = {f->file, "query_expansion", o, f->d};
    cJSON_ArrayForEach(v, o) {
        if (strcmp(v->string, "strategy") && strcmp(v->string, "attend") && strcmp(v->string, "token") &&
            strcmp(v->string, "length"))
            return hub_field_wrong(&of, v->string, "is not supported");
    }
    bool ok = hub_field_text(&of, "strategy", true, &strategy) &&
              hub_field_bool(&of, "attend", false, &l->attends) &&
              hub_field_int(&of, "length", true, 1, INT32_MAX, &l->expansion) &&
              hub_field_text(&of, "token", false, &l->expansion_token);
    if (!ok) return false;
    l->at_least = !strcmp(strategy, "min");
    if (l->expansion_token) l->expansion_token = arena_strdup(a, l->expansion_token);
    if (s->query_length && s->query_length < l->expansion)
        return hub_field_wrong(f, "query_length", "is less than the length that queries are filled up to");
    return l->at_least || !strcmp(strategy, "fixed") ||
           hub_field_wrong(&of, "strategy", "\"%.60s\" is not supported; fixed and min are", strategy);
}

// --- PyLate

static bool names_pylate(const cJSON *root) {
    static const char *const keys[] = {"query_prefix", "document_prefix", "do_query_expansion",
                                       "attend_to_expansion_tokens", "skiplist_words"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (cJSON_GetObjectItemCaseSensitive(root, keys[i])) return true;
    return false;
}

static void set_prompt(arena *a, hub_sentence *s, const char *name, const char *text) {
    hub_prompt *prompts = ARENA_ARRAY(a, hub_prompt, s->prompt_count + 1);
    for (int i = 0; i < s->prompt_count; i++) prompts[i] = s->prompts[i];
    for (int i = 0; i < s->prompt_count; i++)
        if (!strcmp(prompts[i].name, name)) prompts[i].text = text;
    s->prompts = prompts;
}

static const char *prompt_text(const hub_sentence *s, const char *name) {
    for (int i = 0; i < s->prompt_count; i++)
        if (!strcmp(s->prompts[i].name, name)) return s->prompts[i].text;
    return "";
}

// The marker goes before the prompt, unless that begins with it.
static bool read_markers(const hub_fields *f, arena *a, hub_sentence *s) {
    static const char *const keys[] = {"query_prefix", "document_prefix"}, *const names[] = {"query",
                                                                                             "document"};
    for (int i = 0; i < 2; i++) {
        const char *marker = NULL, *text = prompt_text(s, names[i]);
        if (!hub_field_text(f, keys[i], false, &marker)) return false;
        if (!hub_field(f, keys[i])) continue;
        marker = arena_strdup(a, marker ? marker : "");
        bool there = !strncmp(text, marker, strlen(marker));
        s->late.markers[i] = marker;
        set_prompt(a, s, names[i], there ? text : arena_printf(a, "%s%s", marker, text));
    }
    return true;
}

static bool read_pylate_expansion(const hub_fields *f, hub_sentence *s) {
    bool expands = true, attends = false;
    int64_t length = 0;
    bool ok = hub_field_bool(f, "do_query_expansion", false, &expands) &&
              hub_field_bool(f, "attend_to_mask_tokens", false, &attends) &&
              hub_field_bool(f, "attend_to_expansion_tokens", false, &attends) &&
              hub_field_int(f, "query_length", false, 1, INT32_MAX, &length);
    if (!ok) return false;
    if (!expands) {
        if (!s->query_length) s->query_length = length;
        return true;
    }
    s->late.expansion = length ? length : s->query_length ? s->query_length : CLASSIC_EXPANSION;
    s->late.attends = attends;
    return true;
}

bool hub_late_settings(const hub_fields *f, arena *a, hub_sentence *s) {
    const char *how = NULL;
    int64_t length = 0;
    hub_late *l = &s->late;
    if (!hub_field_text(f, "similarity_fn_name", false, &how)) return false;
    l->mean = how && !strcmp(how, "MeanMaxSim");
    if (how && !l->mean && strcmp(how, "MaxSim") != 0 && !l->converted)
        diag_note(f->d, f->file, "similarity_fn_name: %.60s compares no lists of vectors: taken for MaxSim",
                  how);
    if (!names_pylate(f->object)) return true;
    if (!read_markers(f, a, s) || !hub_field_int(f, "document_length", false, 1, INT32_MAX, &length))
        return false;
    if (!s->document_length) s->document_length = length;
    if (!l->expansion && !hub_field(f, "query_expansion") && !read_pylate_expansion(f, s)) return false;
    if (!l->converted) return true;
    int count;
    const char *const *words = NULL;
    if (!read_words(f, "skiplist_words", a, &words, &count)) return false;
    if (count < 0) {
        skip_punctuation(l);
    } else {
        l->skipped = words;
        l->skipped_count = count;
        l->skips_documents = true;
    }
    return true;
}

void hub_late_finish(hub_sentence *s) {
    if (!s->late.present || !s->late.converted) return;
    s->steps[s->step_count++] = (hub_step){.kind = STEP_NORMALIZE};
}

// --- Stanford

static bool read_metadata(const char *folder, arena *a, hub_sentence *s, diag *d) {
    const char *file = hub_path(a, folder, "artifact.metadata");
    hub_late *l = &s->late;
    const char *query = "[unused0]", *document = "[unused1]", *how = NULL;
    bool masks = true;
    l->expansion = CLASSIC_EXPANSION;
    if (hub_is_file(file)) {
        cJSON *root = hub_json_load(file, false, d);
        if (!root) return false;
        const hub_fields f = {file, "", root, d};
        bool ok = hub_field_text(&f, "query_token_id", false, &query) &&
                  hub_field_text(&f, "doc_token_id", false, &document) &&
                  hub_field_text(&f, "similarity", false, &how) &&
                  hub_field_int(&f, "query_maxlen", false, 1, INT32_MAX, &l->expansion) &&
                  hub_field_int(&f, "doc_maxlen", false, 1, INT32_MAX, &s->document_length) &&
                  hub_field_bool(&f, "attend_to_mask_tokens", false, &l->attends) &&
                  hub_field_bool(&f, "mask_punctuation", false, &masks);
        if (ok && how && strcmp(how, "cosine") != 0)
            ok = hub_field_wrong(&f, "similarity", "\"%.60s\" is not supported; cosine is", how);
        query = arena_strdup(a, query);
        document = arena_strdup(a, document);
        cJSON_Delete(root);
        if (!ok) return false;
    } else {
        diag_note(d, folder, "holds no artifact.metadata: markers, lengths and punctuation are as is usual");
    }
    if (masks) skip_punctuation(l);
    l->markers[0] = arena_printf(a, "%s ", query);
    l->markers[1] = arena_printf(a, "%s ", document);
    set_prompt(a, s, "query", l->markers[0]);
    set_prompt(a, s, "document", l->markers[1]);
    s->own_prompts = s->prompt_count;
    return true;
}

// The encoder, the projection in its file, rows of length 1.
static bool read_stanford(const char *folder, arena *a, hub_sentence *s, diag *d) {
    s->late.present = true;
    s->steps[s->step_count++] = (hub_step){.kind = STEP_DENSE,
                                           .config = hub_path(a, folder, "config.json"),
                                           .activation = "linear",
                                           .weight = {.name = "linear.weight", .rank = 2}};
    s->steps[s->step_count++] = (hub_step){.kind = STEP_NORMALIZE};
    return read_metadata(folder, a, s, d);
}

static bool names_stanford(const char *folder, arena *a) {
    const char *path = hub_path(a, folder, "config.json");
    bool found = false;
    const cJSON *v;
    diag quiet; // what is wrong with the config is said when it is read as a whole
    if (!hub_is_file(path)) return false;
    diag_init(&quiet);
    cJSON *root = hub_json_load(path, false, &quiet);
    cJSON_ArrayForEach(v, cJSON_GetObjectItemCaseSensitive(root, "architectures")) {
        found |= cJSON_IsString(v) && !strcmp(v->valuestring, "HF_ColBERT");
    }
    cJSON_Delete(root);
    diag_free(&quiet);
    return found;
}

bool hub_late_find(const char *folder, arena *a, hub_sentence *s, diag *d) {
    const char *path = hub_path(a, folder, "config_sentence_transformers.json"), *kind = NULL;
    bool listed = hub_is_file(hub_path(a, folder, "modules.json"));
    if (listed && hub_is_file(path)) {
        cJSON *root = hub_json_load(path, false, d);
        if (!root) return false;
        kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "model_type"));
        s->late.present =
            kind ? !strcmp(kind, "MultiVectorEncoder") || !strcmp(kind, "ColBERT") : names_pylate(root);
        s->late.converted = s->late.present && (!kind || !strcmp(kind, "ColBERT"));
        cJSON_Delete(root);
    }
    if (listed || !s->steps || !names_stanford(folder, a)) return true;
    return read_stanford(folder, a, s, d);
}
