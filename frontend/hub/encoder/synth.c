// Checkpoints of a known shape with random weights, for measurements without real ones. Weights are written
// as they are drawn, so memory does not grow with the model.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/hub/config/config.h"
#include "frontend/hub/encoder/draw.h"
#include "frontend/hub/files/file.h"
#include "frontend/hub/files/json.h"
#include "frontend/hub/files/out.h"
#include "frontend/hub/files/safetensors.h"
#include "ir/memory.h"

static const struct {
    const char *name;
    int layers, hidden, heads, inner;
} shapes[] = {
    {"bert-tiny", 2, 128, 2, 512},    {"bert-mini", 4, 256, 4, 1024},   {"bert-small", 4, 512, 8, 2048},
    {"bert-medium", 8, 512, 8, 2048}, {"bert-base", 12, 768, 12, 3072}, {"bert-large", 24, 1024, 16, 4096},
    {"minilm-l6", 6, 384, 12, 1536},
};

typedef struct synth {
    const synth_options *options;
    arena *a;
    diag *d;
    cJSON *json;
    hub_config config;
    elem e;
    const char *dtype, *config_dtype;
    int count;
    safetensors_item *items;
    bool *gammas; // by item: near 1, not near 0
} synth;

// --- The shape

static cJSON *named_shape(const char *name) {
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (strcmp(name, shapes[i].name)) continue;
        cJSON *c = cJSON_CreateObject();
        cJSON_AddStringToObject(c, "model_type", "bert");
        cJSON_AddStringToObject(c, "hidden_act", "gelu");
        cJSON_AddNumberToObject(c, "hidden_size", shapes[i].hidden);
        cJSON_AddNumberToObject(c, "intermediate_size", shapes[i].inner);
        cJSON_AddNumberToObject(c, "layer_norm_eps", 1e-12);
        cJSON_AddNumberToObject(c, "max_position_embeddings", 512);
        cJSON_AddNumberToObject(c, "num_attention_heads", shapes[i].heads);
        cJSON_AddNumberToObject(c, "num_hidden_layers", shapes[i].layers);
        cJSON_AddNumberToObject(c, "pad_token_id", 0);
        cJSON_AddNumberToObject(c, "type_vocab_size", 2);
        cJSON_AddNumberToObject(c, "vocab_size", 30522);
        return c;
    }
    return NULL;
}

static bool find_shape(synth *s) {
    const char *shape = s->options->shape, *head = s->options->head;
    const hub_sentence none = hub_sentence_plain();
    s->json = named_shape(shape);
    if (s->json) {
        if (!head) head = "model";
    } else if (hub_is_folder(shape) || hub_is_file(shape)) {
        if (hub_is_folder(shape)) shape = hub_path(s->a, shape, "config.json");
        s->json = hub_json_load(shape, false, s->d);
        if (!s->json) return false;
    } else {
        char *known = arena_strdup(s->a, "");
        for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
            known = arena_printf(s->a, "%s%s, ", known, shapes[i].name);
        }
        return diag_error(s->d, shape, "is no known shape; known are %sor a config.json", known);
    }
    return hub_config_from(s->json, shape, head, NULL, &none, s->a, &s->config, s->d);
}

static bool find_dtype(synth *s) {
    static const struct {
        const char *name, *config;
        elem e;
    } known[] = {{"F32", "float32", ELEM_F32}, {"F16", "float16", ELEM_F16}, {"BF16", "bfloat16", ELEM_BF16}};
    const char *dtype = s->options->dtype ? s->options->dtype : "F32";
    for (int i = 0; i < 3; i++) {
        if (strcasecmp(dtype, known[i].name) && strcasecmp(dtype, known[i].config)) continue;
        s->dtype = known[i].name;
        s->config_dtype = known[i].config;
        s->e = known[i].e;
        return true;
    }
    return diag_error(s->d, "--dtype", "%s is not known; known are f32, f16, bf16", dtype);
}

// --- The tensors

static bool written(const synth *s, hub_module m) {
    hub_use use = hub_module_use(&s->config, m);
    hub_head h = s->config.head;
    if (use != USE_OPTIONAL) return use == USE_YES;
    if (m == MODULE_POOLER) return h == HEAD_MODEL || h == HEAD_EMBEDDING;
    // A tied decoder is not written; its bias is, under the decoder's name where there is no other.
    bool own_bias = m == MODULE_PREDICTION_BIAS ||
                    (m == MODULE_DECODER_BIAS && !s->config.family->modules[MODULE_PREDICTION_BIAS]);
    return own_bias || !s->config.tied;
}

static void add_tensor(synth *s, hub_module m, int set, hub_part p) {
    const hub_family *f = s->config.family;
    bool bare = s->config.head == HEAD_MODEL || s->config.head == HEAD_EMBEDDING;
    const char *prefix = bare || hub_module_of(m)->scope == SCOPE_HEAD ? "" : f->base_prefix;
    safetensors_item *t = &s->items[s->count];
    t->name = arena_printf(s->a, "%s%s", prefix, hub_tensor_name(s->a, &s->config, m, set, p));
    t->dtype = s->dtype;
    t->rank = hub_tensor_shape(&s->config, m, p, t->shape);
    s->gammas[s->count++] =
        hub_module_of(m)->kind == KIND_NORM && p == PART_WEIGHT && !(f->traits & TRAIT_ONE_MORE);
    if (!safetensors_shape_bytes(t->dtype, t->rank, t->shape, &t->bytes))
        t->bytes = SIZE_MAX; // refused by the writer
}

static void add_module(synth *s, hub_module m, int set) {
    if (!written(s, m)) return;
    if (m == MODULE_ATTENTION_NORM && set == 0 && s->config.family->traits & TRAIT_FIRST_BARE) return;
    for (int p = 0; p < PART_COUNT; p++) {
        bool first = hub_module_slice(&s->config, m).part == 0 ||
                     (p == PART_BIAS && hub_config_own_bias(&s->config, m));
        if (first && hub_config_has(&s->config, m, (hub_part)p)) add_tensor(s, m, set, (hub_part)p);
    }
}

static void list_tensors(synth *s) {
    size_t most = ((size_t)hub_weight_sets(&s->config) + 1) * MODULE_COUNT * PART_COUNT;
    s->items = ARENA_ARRAY(s->a, safetensors_item, most);
    s->gammas = ARENA_ARRAY(s->a, bool, most);
    for (int scope = 0; scope < SCOPE_COUNT; scope++) {
        bool more = true;
        for (int i = 0; more; i++) {
            more = false;
            for (int m = 0; m < MODULE_COUNT; m++) {
                if (hub_module_of((hub_module)m)->scope != (hub_scope)scope) continue;
                int64_t sets = hub_module_sets(&s->config, (hub_module)m);
                add_module(s, (hub_module)m, sets ? i : -1);
                more |= i + 1 < sets;
            }
        }
    }
}

// --- The numbers

#define BLOCK 16384

static bool write_tensor(const synth *s, int i, output_file *o, float *block, void *narrow) {
    const safetensors_item *t = &s->items[i];
    size_t size = elem_size(s->e), n = t->bytes / size;
    uint64_t state = s->options->seed * 0x2545f4914f6cdd1du + (uint64_t)i;
    state = hub_draw(&state);
    float center = s->gammas[i] ? 1 : 0;
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        for (size_t k = 0; k < m; k++) block[k] = center + 0.02f * hub_draw_normal(&state);
        elem_convert(ELEM_F32, block, s->e, narrow, (int64_t)m);
        if (!output_file_write(o, narrow, m * size, s->d)) return false;
    }
    return true;
}

static bool write_weights(const synth *s, const char *path) {
    output_file o;
    if (!safetensors_begin(&o, path, s->count, s->items, s->d)) return false;
    float *block = memory_alloc(2 * BLOCK, sizeof(float));
    bool ok = block || diag_error(s->d, path, "out of memory");
    size_t total = 0, done = 0;
    for (int i = 0; i < s->count; i++) total += s->items[i].bytes;
    for (int i = 0; i < s->count && ok; i++) {
        progress_at(s->options->progress, "writing weights", (double)done / (double)total);
        ok = write_tensor(s, i, &o, block, block + BLOCK);
        done += s->items[i].bytes;
    }
    free(block);
    ok = ok && output_file_keep(&o, s->d);
    output_file_drop(&o);
    return ok;
}

static void set_string(cJSON *json, const char *key, const char *text) {
    cJSON_DeleteItemFromObjectCaseSensitive(json, key);
    cJSON_AddStringToObject(json, key, text);
}

static void print_config(synth *s, out *text) {
    const char *class = s->config.family->classes[hub_head_class(s->config.head)];
    cJSON_DeleteItemFromObjectCaseSensitive(s->json, "architectures");
    cJSON_AddItemToObject(s->json, "architectures", cJSON_CreateStringArray(&class, 1));
    cJSON_DeleteItemFromObjectCaseSensitive(s->json, "torch_dtype");
    set_string(s->json, "dtype", s->config_dtype);
    out_json_pages(text, s->json);
}

// The folder that the shape is read from may hold the weights that its config.json belongs to.
static bool spares_weights(synth *s) {
    const char *shape = s->options->shape;
    struct stat own, other;
    if (!hub_is_file(hub_path(s->a, s->options->output, "model.safetensors"))) return true;
    bool same = !stat(hub_path(s->a, s->options->output, "config.json"), &own) &&
                !stat(hub_is_folder(shape) ? hub_path(s->a, shape, "config.json") : shape, &other) &&
                own.st_dev == other.st_dev && own.st_ino == other.st_ino;
    return !same || diag_error(s->d, s->options->output,
                               "holds weights beside this config.json, and random ones would replace them");
}

// What needs memory is done before anything is written.
static bool write_folder(synth *s, const out *config) {
    const char *folder = s->options->output;
    if (config->bad) return diag_error(s->d, folder, "out of memory");
    if (!spares_weights(s)) return false;
    const char *weights = hub_path(s->a, folder, "model.safetensors"),
               *config_path = hub_path(s->a, folder, "config.json");
    bool created = !mkdir(folder, 0777);
    if (!created && (errno != EEXIST || !hub_is_folder(folder))) {
        return diag_error(s->d, folder, "can't be made: %s", strerror(errno));
    }
    bool ok = write_weights(s, weights);
    if (ok && !output_file_text(config_path, config->text, config->size, false, s->d)) {
        ok = false;
        unlink(weights);
    }
    if (!ok && created) rmdir(folder);
    return ok;
}

bool hub_synth(const synth_options *options, diag *d) {
    synth s = {.options = options, .a = arena_new(), .d = d};
    bool ok = find_shape(&s) && find_dtype(&s);
    if (ok) {
        list_tensors(&s);
        out config = {0};
        print_config(&s, &config);
        ok = write_folder(&s, &config);
        out_free(&config);
    }
    cJSON_Delete(s.json);
    arena_free(s.a);
    return ok;
}
