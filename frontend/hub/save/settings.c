// config.json: the one that was read, with what the task says of class and labels.
#include <string.h>

#include "frontend/hub/save/save.h"

static void put(cJSON *root, const char *key, cJSON *json) {
    cJSON_DeleteItemFromObjectCaseSensitive(root, key);
    if (json) cJSON_AddItemToObject(root, key, json);
}

static void put_labels(cJSON *root, const hub_config *c) {
    cJSON *names = cJSON_CreateObject(), *numbers = cJSON_CreateObject();
    for (int64_t i = 0; i < c->sizes[SIZE_LABELS]; i++) {
        char key[24];
        snprintf(key, sizeof key, "%lld", (long long)i);
        cJSON_AddStringToObject(names, key, c->labels[i]);
        put(numbers, c->labels[i], cJSON_CreateNumber((double)i));
    }
    put(root, "num_labels", NULL); // Transformers counts id2label
    put(root, "id2label", names);
    put(root, "label2id", numbers);
}

static const char *problem_name(const hub_config *c) {
    switch (c->problem) {
    case PROBLEM_SINGLE: return "single_label_classification";
    case PROBLEM_MULTI: return "multi_label_classification";
    case PROBLEM_REGRESSION: return "regression";
    case PROBLEM_NONE: break;
    }
    return NULL;
}

bool save_config(saving *s) {
    const hub_config *c = s->from->config;
    cJSON *root = hub_json_load(c->file, false, s->d);
    if (!root) return false;
    const char *class = c->family->classes[hub_head_class(c->head)], *problem = problem_name(c);
    if (class) put(root, "architectures", cJSON_CreateStringArray(&class, 1));
    put(root, "torch_dtype", NULL);
    put(root, "dtype", cJSON_CreateString(s->config_dtype));
    if (c->head == HEAD_SEQUENCE || c->head == HEAD_TOKEN) put_labels(root, c);
    if (c->head == HEAD_SEQUENCE) put(root, "problem_type", problem ? cJSON_CreateString(problem) : NULL);
    return save_json(s, hub_path(s->a, s->weights, "config.json"), root);
}
