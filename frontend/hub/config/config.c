#include "frontend/hub/config/config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "frontend/hub/files/json.h"

// Bounds that keep products and lists small; far above any encoder there is.
#define MOST_WIDTH    (1 << 20)
#define MOST_LAYERS   1000
#define MOST_LABELS   100000
#define MOST_IDS      INT32_MAX
#define MOST_DISTANCE (1 << 16) // of a table that is made, not read

// --- Sizes and the like

static bool has_key(const hub_fields *f, const hub_config *c, hub_key key) {
    const char *name = hub_family_key(c->family, key);
    return name && hub_field(f, name);
}

static bool read_heads(const hub_fields *f, hub_config *c, bool width) {
    if (!hub_config_number(f, c, KEY_HEADS, MOST_WIDTH, 0, &c->heads)) return false;
    int64_t *sizes = c->sizes, ratio = 1;
    bool convolves =
        c->family->keys[KEY_RATIO] != NULL; // half of the width is a convolution's, and fewer heads are
    if (!hub_config_number(f, c, KEY_RATIO, MOST_WIDTH, 1, &ratio)) return false;
    int64_t named = c->heads;
    if (convolves) c->heads = c->heads < ratio ? 1 : c->heads / ratio;
    int64_t parts = c->heads * (1 + convolves), each = width ? sizes[SIZE_INSIDE] / parts : 1;
    bool ok = hub_config_number(f, c, KEY_HEAD, MOST_WIDTH, each ? each : 1, &sizes[SIZE_HEAD]);
    ok &= hub_config_number(f, c, KEY_KEY_HEADS, MOST_WIDTH, c->heads, &c->key_heads);
    sizes[SIZE_HEADS] = c->heads;
    sizes[SIZE_ATTENTION] = c->heads * sizes[SIZE_HEAD];
    sizes[SIZE_KEYS] = c->key_heads * sizes[SIZE_HEAD];
    sizes[SIZE_CONTEXT] = sizes[SIZE_ATTENTION] * (1 + convolves);
    bool said = has_key(f, c, KEY_HEAD) || c->family->defaults.values[KEY_HEAD];
    if (ok && width && !said && sizes[SIZE_INSIDE] % parts) {
        return hub_field_wrong(f, hub_config_key(f, c, KEY_HEADS),
                               "%" PRId64 " heads don't divide the width of %" PRId64, named,
                               sizes[SIZE_INSIDE]);
    }
    if (ok && (sizes[SIZE_ATTENTION] > MOST_WIDTH || c->heads % c->key_heads)) {
        return hub_field_wrong(f, hub_config_key(f, c, KEY_HEADS), "%" PRId64 " heads don't fit", c->heads);
    }
    return ok;
}

static bool read_layers(const hub_fields *f, hub_config *c) {
    bool ok = hub_config_number(f, c, KEY_LAYERS, MOST_LAYERS, 0, &c->layers);
    ok &= hub_config_number(f, c, KEY_GROUPS, MOST_LAYERS, ok ? c->layers : 1, &c->groups);
    ok &= hub_config_number(f, c, KEY_INNER_GROUPS, MOST_LAYERS, 1, &c->inner_groups);
    if (!ok) return false;
    if (c->groups > c->layers)
        return hub_field_wrong(f, hub_family_key(c->family, KEY_GROUPS), "is above the number of layers");
    if (c->layers * c->inner_groups > MOST_LAYERS)
        return hub_field_wrong(f, hub_family_key(c->family, KEY_INNER_GROUPS), "makes too many layers");
    if (c->layers * c->stages > MOST_LAYERS)
        return hub_field_wrong(f, hub_family_key(c->family, KEY_STAGES), "makes too many layers");
    c->layers *= c->inner_groups;
    return true;
}

// Half of the buckets are for each side, and half of those for one distance each.
static bool read_buckets(const hub_fields *f, hub_config *c) {
    int64_t *buckets = &c->sizes[SIZE_BUCKETS];
    bool ok = hub_config_number(f, c, KEY_BUCKETS, MOST_IDS, 32, buckets);
    ok &= hub_config_number(f, c, KEY_FARTHEST, MOST_DISTANCE, 128, &c->farthest);
    if (!ok || !(c->family->modules[MODULE_BUCKET] || c->family->modules[MODULE_LAYER_BUCKET])) return ok;
    if (*buckets < 4) return hub_field_wrong(f, hub_family_key(c->family, KEY_BUCKETS), "is below 4");
    return c->farthest > *buckets / 4 ||
           hub_field_wrong(f, hub_family_key(c->family, KEY_BUCKETS),
                           "%" PRId64 " buckets are too many for distances up to %" PRId64, *buckets,
                           c->farthest);
}

// 0 types are none.
static bool read_kinds(const hub_fields *f, hub_config *c) {
    const hub_family *family = c->family;
    int64_t types = family->defaults.values[KEY_TYPES];
    bool ok = true;
    c->sizes[SIZE_TYPES] = types < 0 ? 0 : types ? types : 2;
    if (family->traits & TRAIT_TYPES)
        ok = hub_field_int(f, hub_family_key(family, KEY_TYPES), false, 0, MOST_IDS, &c->sizes[SIZE_TYPES]);
    ok &= hub_config_number(f, c, KEY_BOXES, MOST_IDS, 1024, &c->sizes[SIZE_BOXES]);
    ok &= hub_config_number(f, c, KEY_TASKS, MOST_IDS, 3, &c->sizes[SIZE_TASKS]);
    return ok && read_buckets(f, c);
}

static bool read_widths(const hub_fields *f, hub_config *c) {
    int64_t *sizes = c->sizes, hidden;
    if (!hub_config_number(f, c, KEY_HIDDEN, MOST_WIDTH, 0, &sizes[SIZE_HIDDEN])) return false;
    hidden = sizes[SIZE_HIDDEN];
    bool ok = hub_config_number(f, c, KEY_EMBEDDING, MOST_WIDTH, hidden, &sizes[SIZE_EMBEDDING]);
    ok &= hub_config_number(f, c, KEY_OUTPUT_EMBEDDING, MOST_WIDTH,
                            c->family->traits & TRAIT_DECODES_EMBEDDING ? sizes[SIZE_EMBEDDING] : hidden,
                            &sizes[SIZE_DECODER]);
    sizes[SIZE_WORD] = sizes[SIZE_EMBEDDING];
    sizes[SIZE_INSIDE] = sizes[SIZE_QUERIED] = sizes[SIZE_VALUED] = hidden;
    ok = ok && hub_config_narrowing(f, c);
    sizes[SIZE_NORMED] = c->family->traits & TRAIT_PROJECTS_FIRST ? hidden : sizes[SIZE_EMBEDDING];
    sizes[SIZE_TRANSFORM] = sizes[SIZE_DECODER] + sizes[SIZE_REST];
    return ok;
}

static bool read_sizes(const hub_fields *f, hub_config *c) {
    bool ok = hub_config_number(f, c, KEY_VOCAB, MOST_IDS, 0, &c->sizes[SIZE_VOCAB]);
    ok &= hub_config_number(f, c, KEY_POSITIONS, MOST_IDS, 0, &c->sizes[SIZE_POSITIONS]);
    c->sizes[SIZE_DISTANCES] = 2 * c->sizes[SIZE_POSITIONS] - 1;
    ok &= hub_config_number(f, c, KEY_INNER, MOST_WIDTH, 0, &c->sizes[SIZE_INNER]);
    bool width = read_widths(f, c);
    ok &= read_heads(f, c, width) && width;
    ok &= read_layers(f, c);
    ok &= read_kinds(f, c);
    ok = ok && hub_config_rounding(f, c);
    c->sizes[SIZE_ONE] = 1;
    c->sizes[SIZE_TWO] = 2;
    return ok;
}

static bool read_positions(const hub_fields *f, hub_config *c) {
    int64_t pad = c->family->defaults.pad_id, positions = c->sizes[SIZE_POSITIONS];
    bool ok = hub_field_int(f, "pad_token_id", false, -1, MOST_IDS - 1, &pad);
    c->pad_id = pad;
    if (ok && c->sizes[SIZE_VOCAB] && pad >= c->sizes[SIZE_VOCAB] && hub_field(f, "pad_token_id"))
        ok = hub_field_wrong(f, "pad_token_id", "%" PRId64 " is not below the vocabulary's size", pad);
    c->position_rule = c->rotary == ROTARY_NONE ? c->family->position_rule : BERTC_POSITION_COLUMN;
    if (c->position_rule == BERTC_POSITION_COUNT) c->position_start = (int32_t)pad + 1;
    if (ok && positions && positions <= c->position_start) {
        ok = hub_field_wrong(f, hub_family_key(c->family, KEY_POSITIONS), "leaves no position after %d",
                             (int)c->position_start);
    }
    return ok;
}

static bool read_arithmetic(const hub_fields *f, arena *a, hub_config *c) {
    const hub_family *family = c->family;
    const char *eps = hub_config_key(f, c, KEY_EPS);
    c->activation = family->defaults.activation ? family->defaults.activation : "gelu";
    c->eps = family->defaults.eps > 0 ? family->defaults.eps : 1e-12;
    c->tied = !family->defaults.untied;
    const char *activation = hub_config_key(f, c, KEY_ACTIVATION);
    bool gates = family->gates[0].name;
    bool ok = gates || hub_config_activation(f, activation, a, &c->activation);
    c->predict = family->predict ? family->predict : c->activation;
    if (gates) ok = hub_config_gate(f, activation, c);
    c->classify = family->classify ? family->classify : c->activation;
    ok &= hub_config_activation(f, hub_config_key(f, c, KEY_HEAD_ACTIVATION), a, &c->predict);
    ok &= hub_config_activation(f, hub_config_key(f, c, KEY_POOLER_ACTIVATION), a, &c->classify);
    if (eps) ok &= hub_field_real(f, eps, false, 0, 1, &c->eps);
    ok &= hub_field_bool(f, "tie_word_embeddings", false, &c->tied);
    if (family->legacy_key) {
        bool legacy = true;
        ok &= hub_field_bool(f, family->legacy_key, false, &legacy);
        c->modern = !legacy;
        c->tied |= c->modern;
    }
    return ok;
}

static bool read_groups(const hub_fields *f, hub_config *c, hub_module m) {
    const char *key = c->family->groups[m];
    const hub_module_shape *s = hub_module_of(m);
    c->groups_of[m] = 1;
    if (!key) return true;
    if (m != MODULE_ATTENTION_OUTPUT && c->family->defaults.groups)
        c->groups_of[m] = c->family->defaults.groups;
    if (!hub_field_int(f, key, false, 1, MOST_WIDTH, &c->groups_of[m])) return false;
    if (c->sizes[s->columns] % c->groups_of[m] == 0 && c->sizes[s->rows] % c->groups_of[m] == 0) return true;
    return hub_field_wrong(f, key, "%" PRId64 " groups don't divide the layer", c->groups_of[m]);
}

// Biases and modules that keys switch.
static bool read_switches(const hub_fields *f, hub_config *c) {
    const hub_family *family = c->family;
    bool ok = true;
    for (int m = 0; m < MODULE_COUNT; m++) {
        hub_kind kind = hub_module_of((hub_module)m)->kind;
        const char *bias = family->biases[m], *on = family->switches[m];
        c->biased[m] = (kind == KIND_LINEAR || kind == KIND_CONVOLUTION ||
                        (kind == KIND_NORM && !(family->traits & TRAIT_RMS_NORM))) &&
                       (!bias || (*bias && *bias != '?'));
        if (bias && *bias == '?') {
            c->biased[m] = bias[1] == '+';
            ok &= hub_field_bool(f, bias + 1 + c->biased[m], false, &c->biased[m]);
        }
        bool yes = !on || *on == '+';
        if (on) ok &= hub_field_bool(f, on + (*on == '+'), false, &yes);
        c->off[m] = !yes;
        ok &= read_groups(f, c, (hub_module)m);
    }
    return ok;
}

// Absolute, rotary, or, as BERT once knew them, by the distance of query and key.
static bool read_position_type(const hub_fields *f, hub_config *c, const char *kind) {
    const char *own = c->family->rotary ? "rotary" : "absolute";
    bool query = !strcmp(kind, "relative_key_query");
    if (!strcmp(kind, own) || (c->family->rotary && !strcmp(kind, "rope"))) return true;
    if (c->family->traits & TRAIT_ALIBI && !strcmp(kind, "alibi")) return c->alibi = true;
    bool table = c->family->modules[MODULE_POSITION];
    if (c->family->rotary && !strcmp(kind, "absolute")) {
        // ESM-1. What has no table of positions turns them all the same: ModernBERT's configs say "absolute".
        if (table) c->rotary = ROTARY_NONE;
        return true;
    }
    if (c->family->rotary && !table && !strcmp(kind, "sans_pos")) return true; // mmBERT
    if (c->family->modules[MODULE_DISTANCE] && (query || !strcmp(kind, "relative_key"))) {
        c->distances = true;
        c->distances_of_keys = query;
        c->off[MODULE_POSITION] = true;
        return true;
    }
    return hub_field_wrong(f, "position_embedding_type", "\"%.100s\" is not supported; known is %s%s", kind,
                           own,
                           c->family->modules[MODULE_DISTANCE] ? ", relative_key, relative_key_query" : "");
}

// What would make another model of it.
static bool read_variations(const hub_fields *f, hub_config *c) {
    bool decoder = false, cross = false;
    const char *positions = c->family->rotary ? "rotary" : "absolute";
    if (c->family->defaults.positions) positions = c->family->defaults.positions;
    bool ok = hub_field_bool(f, "is_decoder", false, &decoder);
    ok &= hub_field_bool(f, "add_cross_attention", false, &cross);
    ok &= hub_field_text(f, "position_embedding_type", false, &positions);
    if (decoder) ok = hub_field_wrong(f, "is_decoder", "is true: only encoders are supported");
    if (cross) ok = hub_field_wrong(f, "add_cross_attention", "is true: only encoders are supported");
    if (hub_field(f, "quantization_config"))
        ok = hub_field_wrong(f, "quantization_config",
                             "quantised weights are not read: save the model with its "
                             "weights as floats");
    ok &= read_position_type(f, c, positions);
    return ok;
}

// --- Labels

// One more than the largest number of a label that id2label has; -1 with a diagnostic where a key is none.
static int64_t labels_end(const hub_fields *f, const cJSON *names) {
    const cJSON *v;
    int64_t end = 0, i;
    char where[120];
    cJSON_ArrayForEach(v, names) {
        snprintf(where, sizeof(where), "id2label.%.80s", v->string);
        if (!hub_number_read(v->string, MOST_LABELS, &i))
            return hub_field_wrong(f, where, "the key is no number"), -1;
        if (!cJSON_IsString(v))
            return hub_field_wrong(f, where, "is %s where a string is expected", hub_json_kind(v)), -1;
        if (i >= MOST_LABELS) return hub_field_wrong(f, where, "is above %d", MOST_LABELS), -1;
        if (i >= end) end = i + 1;
    }
    return end;
}

// How many labels there are: id2label's entries, else num_labels; 0 with a diagnostic.
static int64_t count_labels(const hub_fields *f, const cJSON *names, hub_config *c) {
    int64_t said = 0;
    if (!hub_field_int(f, "num_labels", false, 1, MOST_LABELS, &said)) return 0;
    if (!names) return said ? said : 2;
    if (!cJSON_IsObject(names))
        return hub_field_wrong(f, "id2label", "is %s where an object is expected", hub_json_kind(names)), 0;
    int64_t n = cJSON_GetArraySize(names);
    if (n < 1) return hub_field_wrong(f, "id2label", "is empty"), 0;
    if (n > MOST_LABELS) return hub_field_wrong(f, "id2label", "has more than %d labels", MOST_LABELS), 0;
    c->num_labels = said == n ? 0 : said;
    if (c->num_labels)
        diag_note(f->d, f->file, "num_labels: %" PRId64 ", but id2label has %" PRId64, said, n);
    return n;
}

static bool entails(const char *name) {
    return !strncasecmp(name, "entail", strlen("entail"));
}

// Answers have id2label's names. But which label is the entailment, Transformers asks label2id.
static void read_entailment(const hub_fields *f, hub_config *c) {
    const cJSON *v, *numbers = hub_field(f, "label2id");
    int64_t named = 0;
    for (int64_t i = c->label_room; i > 0; i--)
        if (entails(c->labels[i - 1])) named = i;
    if (!cJSON_IsObject(numbers)) return;
    cJSON_ArrayForEach(v, numbers) {
        if (!entails(v->string)) continue;
        bool good = cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble < (double)c->label_room;
        if (!good) {
            diag_note(f->d, f->file, "label2id: \"%.80s\" has no number of a label, and is not read",
                      v->string);
        } else if ((int64_t)v->valuedouble + 1 != named) {
            c->entailment = (int64_t)v->valuedouble + 1;
            diag_note(f->d, f->file,
                      "label2id: says that label %" PRId64
                      " is \"%.80s\", and id2label calls it \"%.80s\": zero-shot labels "
                      "follow label2id, answers have id2label's names",
                      c->entailment - 1, v->string, c->labels[c->entailment - 1]);
        }
        return;
    }
}

// id2label in the order of its numbers, LABEL_0 and so on where none is named. Where there are gaps, the
// checkpoint says how many labels there are (hub_weights_read).
static bool read_labels(const hub_fields *f, arena *a, hub_config *c) {
    const cJSON *names = hub_field(f, "id2label"), *v;
    int64_t n = count_labels(f, names, c), i;
    if (!n) return false;
    int64_t end = names ? labels_end(f, names) : n;
    if (end < 0) return false;
    c->label_room = end > n ? end : n;
    c->labels = ARENA_ARRAY(a, const char *, c->label_room);
    if (names) cJSON_ArrayForEach(v, names) {
            if (hub_number_read(v->string, MOST_LABELS, &i) && i >= 0)
                c->labels[i] = arena_strdup(a, v->valuestring);
        }
    for (i = 0; i < c->label_room; i++) {
        if (!c->labels[i]) c->labels[i] = arena_printf(a, "LABEL_%" PRId64, i);
    }
    c->sizes[SIZE_LABELS] = n;
    if (names) read_entailment(f, c); // else Transformers makes both anew
    return true;
}

static bool read_problem(const hub_fields *f, hub_config *c) {
    static const char *const names[] = {"", "single_label_classification", "multi_label_classification",
                                        "regression"};
    const char *name = NULL;
    if (!hub_field_text(f, "problem_type", false, &name)) return false;
    c->problem = PROBLEM_NONE;
    if (!name) return true;
    for (int i = 1; i < 4; i++) {
        if (!strcmp(name, names[i])) return c->problem = (hub_problem)i, true;
    }
    return hub_field_wrong(f, "problem_type", "\"%.100s\" is not known; known are %s, %s, %s", name, names[1],
                           names[2], names[3]);
}

// The activation that a cross-encoder's folder names: beside modules.json, in a key of this file, or in one that
// is older. NULL: none that sentence-transformers would follow.
static bool read_score_activation(const hub_fields *f, const hub_config *c, const char **class) {
    const hub_fields own = {f->file, "sentence_transformers", hub_field(f, "sentence_transformers"), f->d};
    const char *given = NULL;
    *class = NULL;
    if (!hub_field_text(f, "sbert_ce_default_activation_function", false, &given) ||
        (cJSON_IsObject(own.object) && !hub_field_text(&own, "activation_fn", false, &given)))
        return false;
    if (c->sentence.scores && c->sentence.activation) given = c->sentence.activation;
    if (!given) return true;
    *class = hub_torch_class(given);
    if (!*class) {
        diag_note(f->d, f->file,
                  "activation_fn: \"%.100s\" is none of torch's: the default one is taken, as "
                  "sentence-transformers does",
                  given);
        return true;
    }
    return !strcmp(*class, "Sigmoid") || !strcmp(*class, "Identity") || !strcmp(*class, "Softmax") ||
           hub_field_wrong(f, "activation_fn",
                           "\"%.100s\" is not known; known are torch.nn's Sigmoid, Identity, Softmax", given);
}

// What becomes of the logits. The folder's own activation goes before problem_type.
static bool read_scores(const hub_fields *f, hub_config *c) {
    const char *class;
    if (!read_problem(f, c) || !read_score_activation(f, c, &class)) return false;
    if (class && !strcmp(class, "Sigmoid")) c->problem = PROBLEM_MULTI;
    if (class && !strcmp(class, "Softmax")) c->problem = PROBLEM_SINGLE;
    c->identity = class && !strcmp(class, "Identity");
    return true;
}

bool hub_config_from(const cJSON *root, const char *path, const char *head, const hub_hint *hint,
                     const hub_sentence *sentence, arena *a, hub_config *c, diag *d) {
    *c = (hub_config){.file = arena_strdup(a, path), .sentence = *sentence};
    hub_fields f = {c->file, "", root, d};
    bool ok = true;
    if (!hub_config_architecture(&f, head, hint, a, c)) return false;
    ok &= read_sizes(&f, c);
    ok &= read_arithmetic(&f, a, c);
    ok &= read_switches(&f, c);
    c->rotary = c->family->rotary;
    ok &= hub_config_refusals(&f, c);
    ok &= hub_config_fraction(&f, c);
    ok &= read_variations(&f, c);
    ok &= read_positions(&f, c);
    if (ok) ok = hub_config_pruned(&f, a, c);
    if (ok)
        ok = hub_config_fourier(&f, c) && hub_config_convolutions(&f, a, c) && hub_config_attention(&f, a, c);
    if (c->head == HEAD_SEQUENCE || c->head == HEAD_TOKEN) ok &= read_labels(&f, a, c);
    if (c->head == HEAD_SEQUENCE) ok &= read_scores(&f, c);
    if (ok && sentence->width && sentence->width != c->sizes[SIZE_HIDDEN]) {
        ok = hub_field_wrong(&f, "hidden_size",
                             "%" PRId64 " is not the width that the pooling expects, %" PRId64,
                             c->sizes[SIZE_HIDDEN], sentence->width);
    }
    return ok;
}

bool hub_config_read(const char *path, const char *head, const hub_hint *hint, const hub_sentence *sentence,
                     arena *a, hub_config *c, diag *d) {
    cJSON *root = hub_json_load(path, false, d);
    bool ok = root && hub_config_from(root, path, head, hint, sentence, a, c, d);
    cJSON_Delete(root);
    return ok;
}
