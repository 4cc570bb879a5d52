// An adapter's settings as those of a run that goes on with it.
#include <math.h>
#include <string.h>

#include "frontend/hub/adapter/adapter.h"
#include "frontend/hub/files/file.h"
#include "frontend/hub/files/out.h"
#include "frontend/hub/hub.h"
#include "ir/memory.h"

// Settings that a run has no options for: they must be unset.
static bool unset(const hub_fields *f, const char *key) {
    const cJSON *v = hub_field(f, key);
    bool empty = !v || cJSON_IsFalse(v) || ((cJSON_IsArray(v) || cJSON_IsObject(v)) && !v->child);
    return empty || hub_field_wrong(f, key, "is set, and such an adapter can't be trained on");
}

// PEFT names these whatever the model has; a run keeps what there is of them by itself.
static bool is_usual(const char *name) {
    return !strcmp(name, "classifier") || !strcmp(name, "score") || !strcmp(name, "qa_outputs");
}

// Names as one text with commas; NULL: there are none.
static bool names_of(const hub_fields *f, const char *key, const char **list, arena *a) {
    const cJSON *v = hub_field(f, key), *item;
    *list = NULL;
    if (!v) return true;
    if (cJSON_IsString(v) && !strcmp(v->valuestring, "all-linear")) return *list = "all-linear", true;
    if (cJSON_IsString(v))
        return hub_field_wrong(
            f, key, "is a pattern: an adapter can be trained on whose layers are listed by their names");
    if (!cJSON_IsArray(v)) return hub_field_wrong(f, key, "is no list of names");
    cJSON_ArrayForEach(item, v) {
        if (!cJSON_IsString(item) || !*item->valuestring || strchr(item->valuestring, ','))
            return hub_field_wrong(f, key, "holds what is no name");
        if (is_usual(item->valuestring)) continue;
        *list =
            *list ? arena_printf(a, "%s,%s", *list, item->valuestring) : arena_strdup(a, item->valuestring);
    }
    return true;
}

// As text; NULL: it is empty, or not there.
static const char *pattern_of(const hub_fields *f, const char *key, arena *a) {
    const cJSON *v = hub_field(f, key);
    if (!v || !v->child) return NULL;
    out text = {0};
    out_json(&text, v);
    if (text.bad) memory_exhausted();
    const char *copy = arena_strndup(a, text.text, text.size);
    out_free(&text);
    return copy;
}

static bool read(const adapter_config *c, arena *a, hub_lora *lora, diag *d) {
    static const char *const others[] = {"layers_to_transform", "exclude_modules", "fan_in_fan_out",
                                         "lora_bias"};
    const hub_fields f = {c->file, "", c->root, d};
    const char *bias = "none";
    bool ok = true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) ok &= unset(&f, others[i]);
    if (!hub_field_text(&f, "bias", false, &bias)) return false;
    if (c->rank != floor(c->rank) || c->rank > 4096)
        ok = hub_field_wrong(&f, "r", "is no rank from 1 to 4096");
    *lora = (hub_lora){.rank = (int64_t)c->rank,
                       .alpha = c->alpha,
                       .rooted = c->rooted,
                       .rank_pattern = pattern_of(&f, "rank_pattern", a),
                       .alpha_pattern = pattern_of(&f, "alpha_pattern", a),
                       .bias = strcmp(bias, "none") ? arena_strdup(a, bias) : NULL};
    return ok && hub_field_real(&f, "lora_dropout", false, 0, 0.999, &lora->dropout) &&
           names_of(&f, "target_modules", &lora->targets, a) &&
           names_of(&f, "modules_to_save", &lora->saved, a);
}

bool hub_lora_read(const char *folder, arena *a, hub_lora *lora, const char **weights, const char **head,
                   diag *d) {
    adapter_config c;
    bool ok = adapter_config_open(hub_path(a, folder, "adapter_config.json"), &c, d) && read(&c, a, lora, d);
    *head = c.head;
    adapter_config_close(&c);
    *weights = hub_path(a, folder, "adapter_model.safetensors");
    if (!hub_is_file(*weights)) *weights = hub_path(a, folder, "adapter_model.bin");
    return ok && (hub_is_file(*weights) ||
                  diag_error(d, folder, "holds neither adapter_model.safetensors nor adapter_model.bin"));
}
