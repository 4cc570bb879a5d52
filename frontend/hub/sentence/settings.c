// config_sentence_transformers.json: prompts, how embeddings are compared and how many numbers they have, and the
// activation of a cross-encoder.
#include <stdio.h>
#include <string.h>

#include "frontend/hub/files/file.h"
#include "frontend/hub/hub.h"
#include "frontend/hub/sentence/sentence.h"

#define MOST_PROMPTS 1024

// What sentence-transformers adds to the prompts of every model with embeddings.
static const hub_prompt usual[] = {{"query", ""}, {"document", ""}};
#define USUAL ((int)(sizeof usual / sizeof *usual))

hub_sentence hub_sentence_plain(void) {
    return (hub_sentence){.poolings = {POOLING_MEAN},
                          .pooling_count = 1,
                          .prompts = usual,
                          .prompt_count = USUAL,
                          .default_prompt = -1};
}

// --- Prompts

static int find_prompt(const hub_sentence *s, const char *name) {
    for (int i = 0; i < s->prompt_count; i++)
        if (!strcmp(name, s->prompts[i].name)) return i;
    return -1;
}

static bool check_prompts(const hub_fields *f, const cJSON *list) {
    const cJSON *v;
    if (!list) return true;
    if (!cJSON_IsObject(list))
        return hub_field_wrong(f, "prompts", "is %s where an object is expected", hub_json_kind(list));
    if (cJSON_GetArraySize(list) > MOST_PROMPTS)
        return hub_field_wrong(f, "prompts", "has more than %d prompts", MOST_PROMPTS);
    cJSON_ArrayForEach(v, list) {
        char key[80];
        snprintf(key, sizeof key, "prompts.%.60s", v->string);
        if (!cJSON_IsNull(v) && !cJSON_IsString(v))
            return hub_field_wrong(f, key, "is %s where a string is expected", hub_json_kind(v));
    }
    return true;
}

// The folder's, then those of the usual ones that it lacks.
static bool read_prompts(const hub_fields *f, arena *a, hub_sentence *s) {
    const cJSON *list = hub_field(f, "prompts"), *v;
    const char *name = NULL;
    if (!check_prompts(f, list)) return false;
    hub_prompt *prompts = ARENA_ARRAY(a, hub_prompt, cJSON_GetArraySize(list) + USUAL);
    s->prompts = prompts;
    s->prompt_count = 0;
    cJSON_ArrayForEach(v, list) {
        const char *text = cJSON_GetStringValue(v);
        prompts[s->prompt_count++] =
            (hub_prompt){arena_strdup(a, v->string), arena_strdup(a, text ? text : "")};
    }
    s->own_prompts = s->prompt_count;
    for (int i = 0; i < USUAL && !s->scores; i++)
        if (find_prompt(s, usual[i].name) < 0) prompts[s->prompt_count++] = usual[i];
    if (!hub_field_text(f, "default_prompt_name", false, &name)) return false;
    if (name) s->default_prompt = find_prompt(s, name);
    return !name || s->default_prompt >= 0 ||
           hub_field_wrong(f, "default_prompt_name", "\"%.100s\" is none of the prompts", name);
}

// --- Embeddings

const char *hub_similarity_name(int i) {
    static const char *const names[] = {
        [BERTC_SIMILARITY_COSINE] = "cosine",       [BERTC_SIMILARITY_DOT] = "dot",
        [BERTC_SIMILARITY_EUCLIDEAN] = "euclidean", [BERTC_SIMILARITY_MANHATTAN] = "manhattan",
        [BERTC_SIMILARITY_MAXSIM] = "MaxSim",       [BERTC_SIMILARITY_MEAN_MAXSIM] = "MeanMaxSim"};
    return i >= 0 && i < (int)(sizeof names / sizeof *names) ? names[i] : NULL;
}

bool hub_similarity_find(const char *name, bertc_similarity *out) {
    const char *one;
    for (int i = 0; (one = hub_similarity_name(i)); i++)
        if (!strcmp(one, name)) return *out = (bertc_similarity)i, true;
    return false;
}

// sentence-transformers takes any other name for the cosine.
static void read_similarity(const hub_fields *f, hub_sentence *s) {
    const cJSON *v = hub_field(f, "similarity_fn_name");
    const char *name = cJSON_GetStringValue(v);
    bool known =
        name && hub_similarity_find(name, &s->similarity) && s->similarity <= BERTC_SIMILARITY_MANHATTAN;
    if (v && !known) s->similarity = BERTC_SIMILARITY_COSINE;
    if (v && !known)
        diag_note(f->d, f->file,
                  "similarity_fn_name: %.100s is none of cosine, dot, euclidean and manhattan: taken for "
                  "cosine, as "
                  "sentence-transformers does",
                  name ? name : hub_json_kind(v));
}

static bool read_dimensions(const hub_fields *f, hub_sentence *s) {
    if (!hub_field_int(f, "truncate_dim", false, INT32_MIN, INT32_MAX, &s->dimensions)) return false;
    return s->dimensions || !hub_field(f, "truncate_dim") ||
           hub_field_wrong(f, "truncate_dim", "is 0, which leaves nothing of an embedding");
}

bool hub_settings_read(const char *folder, arena *a, hub_sentence *s, diag *d) {
    const char *path = hub_path(a, folder, "config_sentence_transformers.json");
    if (s->scores) s->prompt_count = 0;
    if (s->predicts) s->similarity = BERTC_SIMILARITY_DOT; // what SparseEncoder does where nothing is said
    if (!hub_is_file(path)) return true;
    cJSON *root = hub_json_load(path, false, d);
    if (!root) return false;
    const hub_fields f = {path, "", root, d};
    bool ok = read_prompts(&f, a, s) && hub_field_text(&f, "activation_fn", false, &s->activation);
    if (s->late.present) ok = ok && hub_late_settings(&f, a, s);
    if (s->activation) s->activation = arena_strdup(a, s->activation);
    if (ok && !s->scores && !s->late.present) {
        read_similarity(&f, s);
        ok = read_dimensions(&f, s);
    }
    cJSON_Delete(root);
    return ok;
}
