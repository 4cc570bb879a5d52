// Tasks that a checkpoint holds within: Jina's have, beside each weight, the factors of all tasks, as PyTorch's
// parametrizations name them: MODULE.parametrizations.weight.original, .0.lora_A and .0.lora_B. config.json lists the tasks.
#include <inttypes.h>
#include <string.h>

#include "frontend/hub/adapter/adapter.h"
#include "frontend/hub/files/text.h"

#define ORIGINAL ".parametrizations.weight.original"

typedef struct tasks {
    hub_checkpoint *c;
    adapter_names *names;
    hub_adapters *out;
    const char *file;
    int64_t index, count; // of the task that is asked for; -1: none
    double scale;
    diag *d;
} tasks;

static bool wrong(const tasks *t, const char *of, const char *cause) {
    char where[900];
    snprintf(where, sizeof where, "%.500s: tensor \"%.300s\"", t->c->where, of);
    return diag_error(t->d, where, "%s", cause);
}

static bool factor(const tasks *t, const char *name, hub_factor *out) {
    const char *dtype;
    const int64_t *shape;
    const void *data;
    int rank;
    if (!hub_checkpoint_entry(t->c, name, &dtype, &rank, &shape, &data)) return wrong(t, name, "is missing");
    if (!hub_weight_elem(dtype, &out->e)) return wrong(t, name, "is no weight: " HUB_WEIGHT_DTYPES);
    if (rank != 3 || shape[0] != t->count)
        return wrong(
            t, name,
            arena_printf(t->c->arena, "must have three axes, the first of %" PRId64 " tasks", t->count));
    *out = (hub_factor){.tensor = name,
                        .e = out->e,
                        .rows = shape[1],
                        .columns = shape[2],
                        .index = t->index,
                        .parts = t->count,
                        .scale = 1};
    return true;
}

// B A of a linear layer, A B of a table.
static bool add_task(const tasks *t, const char *shown, const char *original, const char *first,
                     const char *second) {
    const char *dtype;
    const int64_t *shape;
    const void *data;
    int rank;
    hub_factor a, b;
    if (!factor(t, first, &a) || !factor(t, second, &b)) return false;
    hub_checkpoint_entry(t->c, original, &dtype, &rank, &shape, &data);
    bool linear = rank == 2 && b.rows == shape[0] && a.columns == shape[1] && b.columns == a.rows;
    bool table = rank == 2 && a.rows == shape[0] && b.columns == shape[1] && a.columns == b.rows;
    if (!linear && !table) return wrong(t, first, "and lora_B don't fit the weight beside them");
    hub_delta *delta = adapter_delta(t->out, t->c->arena, shown, 1);
    delta->left[0] = linear ? b : a;
    delta->right[0] = linear ? a : b;
    delta->left[0].scale = t->scale;
    return true;
}

static bool read_weight(const tasks *t, const char *original) {
    arena *a = t->c->arena;
    const char *layer = arena_strndup(a, original, strlen(original) - strlen(ORIGINAL));
    const char *shown = arena_printf(a, "%s.weight", layer),
               *first = arena_printf(a, "%s.parametrizations.weight.0.lora_A", layer),
               *second = arena_printf(a, "%s.parametrizations.weight.0.lora_B", layer);
    if (!adapter_names_put(t->names, shown, original)) return wrong(t, original, "stands there twice");
    adapter_names_hide(t->names, original);
    adapter_names_hide(t->names, first);
    adapter_names_hide(t->names, second);
    return t->index < 0 || add_task(t, shown, original, first, second);
}

static bool find_task(tasks *t, const char *task, const cJSON *names) {
    char list[400] = "";
    const cJSON *v;
    t->index = -1;
    cJSON_ArrayForEach(v, names) {
        size_t n = strlen(list);
        if (!cJSON_IsString(v)) return diag_error(t->d, t->file, "lora_adaptations: must be a list of names");
        if (task && t->index < 0 && !strcmp(v->valuestring, task)) t->index = t->count;
        snprintf(list + n, sizeof list - n, "%s%.60s", t->count ? ", " : "", v->valuestring);
        t->count++;
    }
    if (task && t->index < 0)
        return diag_error(t->d, "--task", "the model has no task \"%.60s\"; it has %s", task, list);
    if (!task && t->count)
        diag_note(t->d, t->file, "lora_adaptations: no task's LoRA is added: --task takes one of %s", list);
    return true;
}

// The scale is lora_alpha / lora_rank.
static bool read_scale(tasks *t, const cJSON *root) {
    const hub_fields f = {t->file, "", root, t->d};
    double alpha = 1, rank = 4;
    if (!hub_field_real(&f, "lora_alpha", false, -1e9, 1e9, &alpha) ||
        !hub_field_real(&f, "lora_rank", false, 1, 1e9, &rank))
        return false;
    t->scale = alpha / rank;
    return true;
}

static bool read_tasks(tasks *t, const char *task, const cJSON *root, const cJSON *names) {
    if (!find_task(t, task, names) || !read_scale(t, root)) return false;
    const int count = hub_checkpoint_count(t->c);
    int found = 0;
    for (int i = 0; i < count; i++) {
        const char *name = hub_checkpoint_name(t->c, i);
        if (!hub_ends_with(name, ORIGINAL)) continue;
        if (!read_weight(t, name)) return false;
        found++;
    }
    return found || !task || diag_error(t->d, t->c->where, "holds no LoRA for the task \"%.60s\"", task);
}

bool adapter_task(const hub_options *options, const char *config, hub_checkpoint *c, adapter_names *names,
                  hub_adapters *out, bool *found, diag *d) {
    diag own; // what is wrong with the file is said where it is read as a whole
    diag_init(&own);
    cJSON *root = hub_json_load(config, false, &own);
    diag_free(&own);
    *found = false;
    if (!root) return true;
    tasks t = {.c = c, .names = names, .out = out, .file = config, .d = d};
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "lora_adaptations");
    *found = cJSON_IsArray(list) && list->child;
    bool ok = !*found || read_tasks(&t, options->task, root, list);
    cJSON_Delete(root);
    return ok;
}
