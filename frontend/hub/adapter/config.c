// adapter_config.json: what of PEFT's options is the plain sum of a weight and a low-rank product, and what makes another
// model.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "frontend/hub/adapter/adapter.h"
#include "frontend/hub/files/file.h"

// Options that change what a layer computes; they must be unset.
static bool plain_options(const hub_fields *f) {
    static const struct {
        const char *key, *why;
    } refused[] = {
        {"use_dora", "DoRA, which scales the columns of the sum, is not supported: merge it into its model"},
        {"use_qalora", "QALoRA is not supported"},
        {"use_bdlora", "BD-LoRA is not supported"},
        {"alora_invocation_tokens", "activated LoRA, which counts from a token on, is not supported"},
        {"layer_replication", "replicated layers are not supported"},
        {"target_parameters", "parameters that are no layer's weight are not supported"},
        {"trainable_token_indices", "trained rows of a table are not supported"},
        {"arrow_config", "a choice among adapters at run time (Arrow) is not supported"},
        {"kasa_config", "KaSA is not supported"},
        {"monteclora_config", "MonteCLoRA is not supported"},
        {"velora_config", "VeLoRA is not supported"}};
    bool ok = true;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const cJSON *v = hub_field(f, refused[i].key);
        bool empty = !v || cJSON_IsFalse(v) || ((cJSON_IsArray(v) || cJSON_IsObject(v)) && !v->child);
        if (!empty) ok = hub_field_wrong(f, refused[i].key, "%s", refused[i].why);
    }
    return ok;
}

// Some ways to begin change the base model's weights, which the adapter is then no sum with.
static bool plain_beginning(const hub_fields *f) {
    static const char *const known[] = {"gaussian", "eva", "orthogonal", "lora_ga"};
    const cJSON *v = hub_field(f, "init_lora_weights");
    if (!v || cJSON_IsBool(v)) return true;
    for (size_t i = 0; cJSON_IsString(v) && i < sizeof known / sizeof *known; i++)
        if (!strcmp(v->valuestring, known[i])) return true;
    return hub_field_wrong(
        f, "init_lora_weights",
        "\"%.40s\" begins by changing the base model's weights: convert the adapter to a plain "
        "LoRA (save_pretrained with path_initial_model_for_weight_conversion)",
        cJSON_IsString(v) ? v->valuestring : hub_json_kind(v));
}

static const char *head_of(const char *task) {
    static const char *const heads[][2] = {{"SEQ_CLS", "sequence-classification"},
                                           {"TOKEN_CLS", "token-classification"},
                                           {"QUESTION_ANS", "question-answering"},
                                           {"FEATURE_EXTRACTION", "embedding"}};
    for (size_t i = 0; task && i < sizeof heads / sizeof *heads; i++)
        if (!strcmp(task, heads[i][0])) return heads[i][1];
    return NULL;
}

bool adapter_config_open(const char *path, adapter_config *out, diag *d) {
    *out = (adapter_config){.file = path, .alpha = 8, .rank = 8};
    out->root = hub_json_load(path, false, d);
    if (!out->root) return false;
    const hub_fields f = {path, "", out->root, d};
    const char *kind = NULL, *task = NULL, *bias = "none";
    if (!hub_field_text(&f, "peft_type", true, &kind)) return false;
    if (strcmp(kind, "LORA") != 0)
        return hub_field_wrong(&f, "peft_type", "\"%.40s\" is not supported: \"LORA\" is", kind);
    bool ok = plain_options(&f);
    ok &= plain_beginning(&f);
    ok &= hub_field_text(&f, "task_type", false, &task) && hub_field_text(&f, "bias", false, &bias);
    ok &= hub_field_real(&f, "r", false, 1, 1e9, &out->rank) &&
          hub_field_real(&f, "lora_alpha", false, -1e9, 1e9, &out->alpha) &&
          hub_field_bool(&f, "use_rslora", false, &out->rooted);
    if (ok && strcmp(bias, "none") != 0 && strcmp(bias, "all") != 0 && strcmp(bias, "lora_only") != 0)
        ok = hub_field_wrong(&f, "bias", "\"%.40s\" is none of none, all, lora_only", bias);
    static const char *const patterns[] = {"alpha_pattern", "rank_pattern"};
    for (int i = 0; ok && i < 2; i++) {
        const cJSON *pattern = hub_field(&f, patterns[i]);
        if (pattern && !cJSON_IsObject(pattern)) ok = hub_field_wrong(&f, patterns[i], "is no object");
    }
    if (ok) out->head = head_of(task);
    return ok;
}

void adapter_config_close(adapter_config *c) {
    cJSON_Delete(c->root);
    c->root = NULL;
}

// Does the whole name match, from its start or from behind a dot, as PEFT looks for it? -1: it is no pattern.
static int matches(const char *pattern, const char *name) {
    char whole[1024];
    int n = snprintf(whole, sizeof whole, "^(?:.*\\.)?(?:%s)$", pattern), error, found = -1;
    PCRE2_SIZE at;
    if (n < 0 || (size_t)n >= sizeof whole) return -1;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)whole, (size_t)n, PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &error, &at, NULL);
    pcre2_match_data *data = code ? pcre2_match_data_create_from_pattern(code, NULL) : NULL;
    pcre2_match_context *limits = data ? pcre2_match_context_create(NULL) : NULL;
    if (limits) {
        pcre2_set_match_limit(limits, 100000);
        pcre2_set_depth_limit(limits, 1000);
        int result = pcre2_match(code, (PCRE2_SPTR)name, strlen(name), 0, 0, data, limits);
        found = result >= 0 ? 1 : result == PCRE2_ERROR_NOMATCH ? 0 : -1;
    }
    pcre2_match_context_free(limits);
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return found;
}

// What a pattern's first match says of a layer; *said stays where none matches.
static bool of_layer(const adapter_config *c, const char *patterns, const char *layer, double *said,
                     diag *d) {
    const hub_fields f = {c->file, patterns, hub_field(&(hub_fields){c->file, "", c->root, d}, patterns), d};
    const cJSON *v;
    cJSON_ArrayForEach(v, f.object) {
        int found = matches(v->string, layer);
        if (found < 0) return hub_field_wrong(&f, v->string, "is no pattern that can be matched");
        if (!cJSON_IsNumber(v) || !isfinite(v->valuedouble))
            return hub_field_wrong(&f, v->string, "is no number");
        if (!found) continue;
        *said = v->valuedouble;
        break;
    }
    return true;
}

bool adapter_layer(const adapter_config *c, const char *layer, double *rank, double *scale, diag *d) {
    double alpha = c->alpha;
    *rank = c->rank;
    if (!of_layer(c, "alpha_pattern", layer, &alpha, d) || !of_layer(c, "rank_pattern", layer, rank, d))
        return false;
    *scale = alpha / (c->rooted ? sqrt(*rank) : *rank);
    return true;
}

bool adapter_scale(const adapter_config *c, const char *layer, int64_t rank, double *scale, diag *d) {
    double said;
    if (!adapter_layer(c, layer, &said, scale, d)) return false;
    // Scales are made with the config's rank, so one that is not the tensors' is a config of other tensors.
    if (said != (double)rank)
        return diag_error(d, c->file,
                          "r (or rank_pattern) is %g for %.200s, and its tensors have rank %" PRId64, said,
                          layer, rank);
    return true;
}
