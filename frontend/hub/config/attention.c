// The keys of attention in config.json: windows, relative positions.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "frontend/hub/config/config.h"

#define MOST_POSITIONS INT32_MAX
#define MOST_TABLE     (1 << 20) // positions of a table that is made, not read

// --- Windows

static void all_windows(arena *a, hub_config *c) {
    c->windows = ARENA_ARRAY(a, int64_t, c->layers);
    for (int64_t i = 0; i < c->layers; i++) c->windows[i] = 0;
}

// Longformer: a window's whole width, or one for each layer.
static bool read_attention_window(const hub_fields *f, hub_config *c) {
    const cJSON *v = hub_field(f, "attention_window");
    int64_t whole = 512;
    bool list = cJSON_IsArray(v);
    if (list && cJSON_GetArraySize(v) != c->layers)
        return hub_field_wrong(f, "attention_window", "must have a number a layer");
    if (v && !list && !hub_field_int(f, "attention_window", false, 2, MOST_POSITIONS, &whole)) return false;
    for (int64_t i = 0; i < c->layers; i++) {
        if (list &&
            (!hub_json_int(cJSON_GetArrayItem(v, (int)i), &whole) || whole < 2 || whole > MOST_POSITIONS))
            return hub_field_wrong(f, "attention_window", "must hold whole numbers from 2 on");
        if (whole % 2) return hub_field_wrong(f, "attention_window", "%" PRId64 " is odd", whole);
        c->windows[i] = whole / 2;
    }
    return true;
}

// Which layers have the window `reach`: layer_types, or else all whose number, counted from `first`, `every` does not
// divide.
static bool read_layer_kinds(const hub_fields *f, int64_t reach, int64_t first, int64_t every,
                             hub_config *c) {
    const cJSON *kinds = hub_field(f, "layer_types");
    if (kinds && (!cJSON_IsArray(kinds) || cJSON_GetArraySize(kinds) != c->layers))
        return hub_field_wrong(f, "layer_types", "must be an array with a word a layer");
    for (int64_t i = 0; i < c->layers; i++) {
        const char *kind = (i + first) % every ? "sliding_attention" : "full_attention";
        const cJSON *v = kinds ? cJSON_GetArrayItem(kinds, (int)i) : NULL;
        if (kinds) kind = cJSON_IsString(v) ? v->valuestring : "";
        bool local = !strcmp(kind, "sliding_attention");
        if (!local && strcmp(kind, "full_attention"))
            return hub_field_wrong(f, "layer_types",
                                   "holds what is neither full_attention nor sliding_attention");
        c->windows[i] = local ? reach : 0;
    }
    return true;
}

// ModernBERT: one width for all layers that have a window, and which those are.
static bool read_local_attention(const hub_fields *f, hub_config *c) {
    int64_t whole = 128, every = 3;
    bool ok = hub_field_int(f, "local_attention", false, 1, MOST_POSITIONS, &whole);
    ok &= hub_field_int(f, "global_attn_every_n_layers", false, 1, MOST_POSITIONS, &every);
    return ok && read_layer_kinds(f, whole / 2, 0, every, c);
}

// Gemma 3: a causal window ends at the token itself; one that is not is centred there.
static bool read_sliding_window(const hub_fields *f, hub_config *c) {
    int64_t whole = 4096, every = 6;
    bool ok = hub_field_int(f, c->family->window, false, 2, MOST_POSITIONS, &whole);
    ok &= hub_field_int(f, "sliding_window_pattern", false, 1, MOST_POSITIONS, &every);
    return ok && read_layer_kinds(f, c->causal ? whole - 1 : whole / 2, 1, every, c);
}

// Layers of one kind alone.
static bool read_full_attention(const hub_fields *f) {
    const cJSON *kinds = hub_field(f, "layer_types"), *v;
    if (kinds && !cJSON_IsArray(kinds)) return hub_field_wrong(f, "layer_types", "is no array");
    cJSON_ArrayForEach(v, kinds) {
        if (!cJSON_IsString(v) || strcmp(v->valuestring, "full_attention"))
            return hub_field_wrong(f, "layer_types", "holds another kind than full_attention");
    }
    return true;
}

// --- Which keys a token attends to, and the scale of its scores

static bool read_causal(const hub_fields *f, hub_config *c) {
    const char *key = c->family->causal;
    bool opposite = key && *key == '!', yes = !opposite;
    if (!(c->family->traits & TRAIT_CAUSAL)) return true;
    if (key && !hub_field_bool(f, key + opposite, false, &yes)) return false;
    c->causal = yes != opposite;
    return true;
}

static bool read_scale(const hub_fields *f, hub_config *c) {
    double width = 256;
    if (c->family->traits & TRAIT_UNSCALED) c->score_scale = 1;
    if (!c->family->scale) return true;
    if (!hub_field_real(f, c->family->scale, false, 1e-6, 1e12, &width)) return false;
    c->score_scale = 1 / sqrt(width);
    return true;
}

// --- Disentangled attention: DeBERTa

static bool has_term(const cJSON *terms, const char *name) {
    const cJSON *v;
    if (cJSON_IsString(terms)) return strstr(terms->valuestring, name) != NULL; // "c2p|p2c"
    cJSON_ArrayForEach(v, terms) {
        if (cJSON_IsString(v) && !strcmp(v->valuestring, name)) return true;
    }
    return false;
}

static bool read_relative(const hub_fields *f, hub_config *c) {
    int64_t most = -1, buckets = -1;
    bool talking = false;
    const char *norm = "none";
    const cJSON *terms = hub_field(f, "pos_att_type");
    bool ok = hub_field_int(f, "max_relative_positions", false, -1, MOST_POSITIONS, &most);
    ok &= hub_field_int(f, "position_buckets", false, -1, MOST_POSITIONS, &buckets);
    ok &= hub_field_bool(f, "share_att_key", false, &c->relative.shared);
    ok &= hub_field_bool(f, "talking_head", false, &talking);
    ok &= hub_field_text(f, "norm_rel_ebd", false, &norm);
    if (talking) ok = hub_field_wrong(f, "talking_head", "is not supported");
    c->off[MODULE_RELATIVE_NORM] |= !strstr(norm, "layer_norm");
    c->relative.most = most < 1 ? c->sizes[SIZE_POSITIONS] : most;
    c->relative.buckets = buckets > 0 && c->family->modules[MODULE_RELATIVE_NORM] ? buckets : 0;
    c->relative.span = c->relative.buckets ? buckets : c->relative.most;
    c->sizes[SIZE_RELATIVE] = 2 * c->relative.span;
    c->relative.keys = has_term(terms, "c2p");
    c->relative.queries = has_term(terms, "p2c");
    if (c->relative.most > MOST_TABLE) ok = hub_field_wrong(f, "max_relative_positions", "is too large");
    return ok;
}

static bool read_pooling(const hub_fields *f, hub_config *c) {
    const char *pooling = c->family->pooling;
    if (!strcmp(pooling, "last")) return c->pooling = POOLING_LAST, true; // whatever the config says
    const char *key = hub_field(f, "classifier_pooling") ? "classifier_pooling" : "clf_pooling"; // EuroBERT's
    if (!hub_field_text(f, key, false, &pooling)) return false;
    bool ok = true;
    if (!strcmp(pooling, "mean"))
        c->pooling = POOLING_MEAN;
    else if (!strcmp(pooling, "late"))
        c->pooling = POOLING_LATE;
    else if (strcmp(pooling, "cls") && strcmp(pooling, "bos"))
        ok = hub_field_wrong(f, key, "\"%.100s\" is not known; known are cls, bos, mean, late", pooling);
    return ok;
}

bool hub_config_attention(const hub_fields *f, arena *a, hub_config *c) {
    const hub_family *family = c->family;
    bool ok = hub_config_rotary(f, a, c), two = family->theta[1] > 0;
    ok &= read_causal(f, c);
    ok &= read_scale(f, c);
    if (family->modules[MODULE_GLOBAL_QUERY] || two) all_windows(a, c);
    if (family->modules[MODULE_GLOBAL_QUERY]) ok &= read_attention_window(f, c);
    if (two) ok &= family->window ? read_sliding_window(f, c) : read_local_attention(f, c);
    if (family->traits & TRAIT_CAUSAL && !family->window) ok &= read_full_attention(f);
    if (family->modules[MODULE_RELATIVE]) {
        if (c->off[MODULE_RELATIVE])
            c->off[MODULE_RELATIVE_NORM] = true;
        else
            ok &= read_relative(f, c);
    }
    c->mask_id = -1;
    c->sep_id = 2; // RoBERTa's
    c->pooling = POOLING_CLS;
    ok &= hub_field_int(f, "mask_token_id", false, -1, MOST_POSITIONS, &c->mask_id);
    ok &= hub_field_int(f, "sep_token_id", false, -1, MOST_POSITIONS, &c->sep_id);
    if (family->traits & TRAIT_DROPS_MASKED)
        ok &= hub_field_bool(f, "token_dropout", false, &c->drops_masked);
    if (c->head == HEAD_SEQUENCE) c->global_rule = BERTC_RULE_FIRST;
    if (c->head == HEAD_ANSWER) c->global_rule = BERTC_RULE_BEFORE;
    if (family->pooling) ok &= read_pooling(f, c);
    return ok;
}
