// Reads the modules of a sentence-transformers folder from their config.json files: Pooling in both of its
// spellings, Dense, LayerNorm, Normalize. encoder/embedding.c builds them.
#include <string.h>

#include "frontend/hub/files/file.h"
#include "frontend/hub/sentence/sentence.h"

// --- Pooling

// In the order in which sentence-transformers puts side by side those that the old spelling switches on.
static const struct {
    const char *name, *flag;
    hub_pooling pooling;
} poolings[] = {{"cls", "pooling_mode_cls_token", POOLING_CLS},
                {"max", "pooling_mode_max_tokens", POOLING_MAX},
                {"mean", "pooling_mode_mean_tokens", POOLING_MEAN},
                {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", POOLING_MEAN_SQRT},
                {"weightedmean", "pooling_mode_weightedmean_tokens", POOLING_WEIGHTED},
                {"lasttoken", "pooling_mode_lasttoken", POOLING_LAST}};
#define POOLINGS (sizeof poolings / sizeof *poolings)

const char *hub_pooling_names(void) {
    return "cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken, splade";
}

static bool add_pooling(const char *name, size_t n, hub_sentence *s) {
    for (size_t i = 0; i < POOLINGS && s->pooling_count < HUB_POOLINGS_MOST; i++) {
        if (strlen(poolings[i].name) != n || strncmp(poolings[i].name, name, n)) continue;
        s->poolings[s->pooling_count++] = poolings[i].pooling;
        return true;
    }
    return false;
}

bool hub_pooling_read(const char *names, hub_sentence *s) {
    s->pooling_count = 0;
    s->predicts = !strcmp(names, "splade");
    if (s->predicts) s->similarity = BERTC_SIMILARITY_DOT;
    if (s->predicts) return true;
    for (;; names++) {
        size_t n = strcspn(names, ",");
        if (!add_pooling(names, n, s)) return false;
        names += n;
        if (!*names) return true;
    }
}

// "pooling_mode": "mean", or a list.
static bool read_modes(const hub_fields *f, const cJSON *v, hub_sentence *s) {
    const cJSON *one = cJSON_IsArray(v) ? v->child : v;
    if (!cJSON_IsArray(v) && !cJSON_IsString(v))
        return hub_field_wrong(f, "pooling_mode", "is %s where a string or an array is expected",
                               hub_json_kind(v));
    if (cJSON_GetArraySize(v) > HUB_POOLINGS_MOST)
        return hub_field_wrong(f, "pooling_mode", "has more than %d modes", HUB_POOLINGS_MOST);
    if (!one) return hub_field_wrong(f, "pooling_mode", "is empty");
    for (; one; one = cJSON_IsArray(v) ? one->next : NULL) {
        const char *name = cJSON_GetStringValue(one);
        if (!name || !add_pooling(name, strlen(name), s))
            return hub_field_wrong(f, "pooling_mode", "\"%.100s\" is not known; known are %s",
                                   name ? name : hub_json_kind(one), hub_pooling_names());
    }
    return true;
}

// The old spelling: a flag a mode, "pooling_mode_mean_tokens": true. Without any it is the mean.
static bool read_flags(const hub_fields *f, hub_sentence *s) {
    const cJSON *v;
    bool ok = true;
    cJSON_ArrayForEach(v, f->object) {
        bool known = strncmp(v->string, "pooling_mode_", strlen("pooling_mode_")) != 0;
        for (size_t i = 0; i < POOLINGS; i++) known |= !strcmp(v->string, poolings[i].flag);
        if (!known) ok = hub_field_wrong(f, v->string, "is not known");
    }
    for (size_t i = 0; i < POOLINGS; i++) {
        bool on = false;
        ok &= hub_field_bool(f, poolings[i].flag, false, &on);
        if (on) s->poolings[s->pooling_count++] = poolings[i].pooling;
    }
    if (!s->pooling_count) s->poolings[s->pooling_count++] = POOLING_MEAN;
    return ok;
}

bool hub_pooling_open(const char *path, arena *a, hub_sentence *s, diag *d) {
    const char *file = hub_path(a, path, "config.json");
    cJSON *root = hub_json_load(file, false, d);
    if (!root) return false;
    const hub_fields f = {file, "", root, d};
    bool pools_prompt = true;
    bool ok = hub_field_int(&f, "word_embedding_dimension", false, 1, INT32_MAX, &s->width);
    ok &= hub_field_int(&f, "embedding_dimension", false, 1, INT32_MAX, &s->width);
    ok &= hub_field_bool(&f, "include_prompt", false, &pools_prompt);
    const cJSON *v = hub_field(&f, "pooling_mode");
    s->pooling_count = 0;
    s->skips_prompt = !pools_prompt;
    ok &= v ? read_modes(&f, v, s) : read_flags(&f, s);
    cJSON_Delete(root);
    return ok;
}

// --- Pooling of a masked LM's predictions

static bool read_choice(const hub_fields *f, const char *key, const char *first, const char *second,
                        bool *is_second) {
    const char *given = first;
    if (!hub_field_text(f, key, false, &given)) return false;
    *is_second = !strcmp(given, second);
    return *is_second || !strcmp(given, first) ||
           hub_field_wrong(f, key, "\"%.100s\" is not known; known are %s and %s", given, first, second);
}

// chunk_size says how many tokens are pooled at a time, which changes no answer; nor does the dimension,
// which is the vocabulary's, or null.
bool hub_splade_open(const char *path, arena *a, hub_sentence *s, diag *d) {
    const char *file = hub_path(a, path, "config.json");
    cJSON *root = hub_json_load(file, false, d);
    if (!root) return false;
    const hub_fields f = {file, "", root, d};
    bool ok = read_choice(&f, "pooling_strategy", "max", "sum", &s->splade.sum);
    ok &= read_choice(&f, "activation_function", "relu", "log1p_relu", &s->splade.twice);
    cJSON_Delete(root);
    return ok;
}

// --- Modules after the pooling

#define MOST_WIDTH (1 << 20)

// What a module reads and writes must be these rows.
static bool reads_rows(const hub_fields *f, const char *rows) {
    static const char *const keys[] = {"module_input_name", "module_output_name"};
    bool ok = true;
    for (int i = 0; rows && i < 2; i++) {
        const char *name = rows;
        if (!hub_field_text(f, keys[i], false, &name)) return false;
        if (strcmp(name, rows) != 0)
            ok = hub_field_wrong(f, keys[i], "\"%.100s\" is not supported; %s is", name, rows);
    }
    return ok;
}

static hub_step_tensor tensor_of(arena *a, const char *folder, const char *name, int rank, int64_t rows,
                                 int64_t columns) {
    return (hub_step_tensor){
        .name = arena_printf(a, "%s/%s", folder, name), .rank = rank, .shape = {rows, columns}};
}

static bool find_weights(const char *path, arena *a, hub_step *step, diag *d) {
    static const char *const names[] = {"model.safetensors", "pytorch_model.bin"};
    for (int i = 0; i < 2; i++) {
        step->weights = hub_path(a, path, names[i]);
        if (hub_is_file(step->weights)) return true;
    }
    return diag_error(d, path, "holds no model.safetensors, and no pytorch_model.bin");
}

const char *hub_torch_class(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && !strncmp(name, "torch.", strlen("torch.")) ? dot + 1 : NULL;
}

static bool read_activation(const hub_fields *f, const char **out) {
    static const struct {
        const char *class, *name;
    } classes[] = {{"Tanh", "tanh"},
                   {"Identity", "linear"},
                   {"ReLU", "relu"},
                   {"ReLU6", "relu6"},
                   {"GELU", "gelu"},
                   {"SiLU", "silu"},
                   {"Mish", "mish"},
                   {"Sigmoid", "sigmoid"},
                   {"LeakyReLU", "leaky_relu"},
                   {"ELU", "elu"},
                   {"CELU", "elu"},
                   {"SELU", "selu"},
                   {"Softplus", "softplus"},
                   {"Softsign", "softsign"},
                   {"Hardtanh", "hardtanh"},
                   {"Hardsigmoid", "hardsigmoid"},
                   {"Hardswish", "hardswish"},
                   {"LogSigmoid", "log_sigmoid"},
                   {"Tanhshrink", "tanhshrink"}};
    const char *given = "torch.nn.modules.activation.Tanh";
    if (!hub_field_text(f, "activation_function", false, &given)) return false;
    const char *class = hub_torch_class(given);
    for (size_t i = 0; class && i < sizeof classes / sizeof *classes; i++) {
        if (!strcmp(class, classes[i].class)) return *out = classes[i].name, true;
    }
    return hub_field_wrong(f, "activation_function",
                           "\"%.100s\" is not known; known are torch.nn's Tanh, Identity, ReLU, ReLU6, GELU, "
                           "SiLU, Mish, Sigmoid, LeakyReLU, ELU, CELU, SELU, Softplus, Softsign, Hardtanh, "
                           "Hardsigmoid, Hardswish, LogSigmoid, Tanhshrink",
                           given);
}

// A step with weights, and its config; NULL: it can't be read.
static cJSON *step_begin(hub_step *step, hub_step_kind kind, const char *path, const char *name, arena *a,
                         diag *d) {
    *step = (hub_step){.kind = kind,
                       .folder = arena_strdup(a, name),
                       .config = hub_path(a, path, "config.json"),
                       .biased = true};
    return hub_json_load(step->config, false, d);
}

bool hub_dense_open(const char *path, const char *name, const char *rows, arena *a, hub_step *step, diag *d) {
    cJSON *root = step_begin(step, STEP_DENSE, path, name, a, d);
    if (!root) return false;
    const hub_fields f = {step->config, "", root, d};
    bool ok = hub_field_int(&f, "in_features", true, 1, MOST_WIDTH, &step->in);
    ok &= hub_field_int(&f, "out_features", true, 1, MOST_WIDTH, &step->out);
    ok &= hub_field_bool(&f, "bias", false, &step->biased);
    ok &= hub_field_bool(&f, "use_residual", false, &step->residual);
    ok &= read_activation(&f, &step->activation);
    ok &= reads_rows(&f, rows);
    cJSON_Delete(root);
    step->weight = tensor_of(a, step->folder, "linear.weight", 2, step->out, step->in);
    step->bias = tensor_of(a, step->folder, "linear.bias", 1, step->out, 0);
    step->shortcut = tensor_of(a, step->folder, "residual.weight", 2, step->out, step->in);
    return ok && find_weights(path, a, step, d);
}

bool hub_norm_open(const char *path, const char *name, arena *a, hub_step *step, diag *d) {
    cJSON *root = step_begin(step, STEP_NORM, path, name, a, d);
    if (!root) return false;
    const hub_fields f = {step->config, "", root, d};
    bool ok = hub_field_int(&f, "dimension", true, 1, MOST_WIDTH, &step->in);
    cJSON_Delete(root);
    step->out = step->in;
    step->weight = tensor_of(a, step->folder, "norm.weight", 1, step->in, 0);
    step->bias = tensor_of(a, step->folder, "norm.bias", 1, step->in, 0);
    return ok && find_weights(path, a, step, d);
}

// A folder that old versions left empty: then it works on a text's row.
bool hub_normalize_open(const char *path, const char *rows, arena *a, hub_step *step, bool *none, diag *d) {
    static const char sentence[] = "sentence_embedding";
    *step = (hub_step){.kind = STEP_NORMALIZE, .config = hub_path(a, path, "config.json")};
    *none = rows && strcmp(rows, sentence) != 0;
    if (!hub_is_file(step->config)) return true;
    cJSON *root = hub_json_load(step->config, false, d);
    if (!root) return false;
    const hub_fields f = {step->config, "", root, d};
    const char *name = sentence;
    bool ok = hub_field_text(&f, "module_input_name", false, &name);
    *none = ok && *none && !strcmp(name, sentence);
    ok = ok && (*none || reads_rows(&f, rows));
    cJSON_Delete(root);
    return ok;
}
