// adapter_config.json, as PEFT writes it of a LoRA.
#include <string.h>

#include "frontend/hub/save/save.h"

// PEFT's task_type; NULL: it has none for the task.
static const char *task_type(hub_head h) {
    if (h == HEAD_SEQUENCE) return "SEQ_CLS";
    if (h == HEAD_TOKEN) return "TOKEN_CLS";
    if (h == HEAD_ANSWER) return "QUESTION_ANS";
    return h == HEAD_EMBEDDING ? "FEATURE_EXTRACTION" : NULL;
}

static cJSON *text_or_null(const char *text) {
    return text ? cJSON_CreateString(text) : cJSON_CreateNull();
}

static cJSON *names_or_null(const char *const *names, int count) {
    return count ? cJSON_CreateStringArray(names, count) : cJSON_CreateNull();
}

static void add_false(cJSON *root, const char *const *keys, int count) {
    for (int i = 0; i < count; i++) cJSON_AddFalseToObject(root, keys[i]);
}

static void add_pattern(cJSON *root, const char *key, const char *text) {
    if (text) cJSON_AddItemToObject(root, key, cJSON_Parse(text));
}

bool save_adapter(saving *s) {
    static const char *const off[] = {"fan_in_fan_out", "lora_bias", "use_dora"};
    const hub_adapted_layers *lora = s->lora;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "peft_type", "LORA");
    cJSON_AddItemToObject(root, "task_type", text_or_null(task_type(s->from->config->head)));
    cJSON_AddStringToObject(root, "base_model_name_or_path", s->from->model);
    cJSON_AddTrueToObject(root, "inference_mode");
    cJSON_AddNumberToObject(root, "r", (double)lora->asked->rank);
    cJSON_AddNumberToObject(root, "lora_alpha", lora->asked->alpha);
    cJSON_AddNumberToObject(root, "lora_dropout", lora->asked->dropout);
    cJSON_AddItemToObject(root, "target_modules", names_or_null(lora->targets, lora->target_count));
    cJSON_AddItemToObject(root, "modules_to_save", names_or_null(lora->saved, lora->saved_count));
    add_pattern(root, "rank_pattern", lora->asked->rank_pattern);
    add_pattern(root, "alpha_pattern", lora->asked->alpha_pattern);
    cJSON_AddStringToObject(root, "bias", lora->asked->bias ? lora->asked->bias : "none");
    cJSON_AddTrueToObject(root, "init_lora_weights");
    add_false(root, off, (int)(sizeof off / sizeof *off));
    cJSON_AddBoolToObject(root, "use_rslora", lora->asked->rooted);
    return save_json(s, hub_path(s->a, s->to->folder, "adapter_config.json"), root);
}
