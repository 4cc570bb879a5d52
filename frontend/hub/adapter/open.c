// The folders of --adapter and the task of --task, over a checkpoint that is open.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/hub/adapter/adapter.h"
#include "frontend/hub/files/file.h"

#define MOST_ADAPTERS 64

typedef struct opening {
    const hub_options *options;
    hub_checkpoint *c;
    adapter_names *names;
    hub_adapters *out;
    adapter_folder folders[MOST_ADAPTERS];
    int count;
    diag *d;
} opening;

// --- DIR=WEIGHT,DIR=WEIGHT

static bool add_folder(opening *o, const char *path, double weight) {
    if (o->count == MOST_ADAPTERS)
        return diag_error(o->d, "--adapter", "more than %d adapters", MOST_ADAPTERS);
    if (!hub_is_folder(path))
        return diag_error(o->d, path, "is no folder with an adapter (--adapter DIR=WEIGHT,...)");
    o->folders[o->count] = (adapter_folder){.path = path, .weight = weight};
    o->folders[o->count].label = arena_printf(o->c->arena, "adapter.%d", o->count);
    o->count++;
    return true;
}

// "DIR" or "DIR=0.5". A folder whose name has a "=" is found as it is.
static bool add_item(opening *o, const char *item) {
    const char *equals = strrchr(item, '=');
    if (!equals || hub_is_folder(item)) return add_folder(o, item, 1);
    char *end;
    errno = 0;
    double weight = strtod(equals + 1, &end);
    if (end == equals + 1 || *end || !isfinite(weight))
        return diag_error(o->d, "--adapter", "\"%.200s\": what follows the = is no weight", item);
    return add_folder(o, arena_strndup(o->c->arena, item, (size_t)(equals - item)), weight);
}

static bool add_list(opening *o, const char *list) {
    if (hub_is_folder(list)) return add_folder(o, list, 1);
    while (true) {
        size_t n = strcspn(list, ",");
        if (!n) return diag_error(o->d, "--adapter", "a folder's name is missing in the list");
        if (!add_item(o, arena_strndup(o->c->arena, list, n))) return false;
        if (!list[n]) return true;
        list += n + 1;
    }
}

// --- A folder

static bool open_folder(opening *o, adapter_folder *f) {
    arena *a = o->c->arena;
    f->weights = hub_path(a, f->path, "adapter_model.safetensors");
    const char *config = hub_path(a, f->path, "adapter_config.json");
    if (!hub_is_file(config)) return diag_error(o->d, f->path, "holds no adapter_config.json");
    if (!hub_is_file(f->weights)) f->weights = hub_path(a, f->path, "adapter_model.bin");
    if (!hub_is_file(f->weights))
        return diag_error(o->d, f->path, "holds neither adapter_model.safetensors nor adapter_model.bin");
    if (!adapter_config_open(config, &f->config, o->d) ||
        !hub_checkpoint_add(o->c, f->label, f->weights, o->d))
        return false;
    if (!o->out->head) o->out->head = f->config.head;
    const char *labels = hub_path(a, f->path, "config.json");
    if (!o->out->config && hub_is_file(labels)) o->out->config = labels;
    return adapter_read(f, o->c, hub_checkpoint_module(o->c, f->label), o->names, o->out, o->d);
}

static bool open_task(opening *o, const char *config) {
    const char *task = o->options->task;
    bool found = false;
    if (!adapter_task(o->options, config, o->c, o->names, o->out, &found, o->d)) return false;
    if (found || !task) return true;
    const char *folder =
        hub_path(o->c->arena, o->options->model, arena_printf(o->c->arena, "adapters/%s", task));
    if (hub_name_stays_inside(task, true) && hub_is_folder(folder)) return add_folder(o, folder, 1);
    return diag_error(
        o->d, "--task",
        "\"%.60s\": the model has no tasks: neither lora_adaptations in its config.json, nor a folder "
        "adapters/%.60s",
        task, task);
}

static bool open_all(opening *o, const char *config) {
    bool ok = true;
    if (hub_is_file(config)) ok = open_task(o, config);
    for (int i = 0; ok && i < o->options->adapter_count; i++) ok = add_list(o, o->options->adapters[i]);
    for (int i = 0; ok && i < o->count; i++) ok = open_folder(o, &o->folders[i]);
    for (int i = 0; i < o->count; i++) adapter_config_close(&o->folders[i].config);
    return ok;
}

static bool check_way(const opening *o, bool *linear) {
    const char *how = o->options->combine;
    *linear = how && !strcmp(how, "linear");
    if (how && !*linear && strcmp(how, "sum") != 0)
        return diag_error(o->d, "--combine", "\"%.40s\" is none of sum, linear", how);
    if (how && !o->options->adapter_count)
        return diag_error(o->d, "--combine", "says how adapters add up, and there is none (--adapter)");
    return true;
}

bool hub_adapters_open(const hub_options *options, const char *config, hub_checkpoint *c, hub_adapters *out,
                       diag *d) {
    opening *o = ARENA_NEW(c->arena, opening);
    bool linear;
    *out = (hub_adapters){0};
    *o = (opening){.options = options, .c = c, .names = adapter_names_new(c), .out = out, .d = d};
    if (!check_way(o, &linear) || !open_all(o, config)) return false;
    if (linear && !adapter_combine(out, c, d)) return false;
    adapter_sort(out);
    adapter_names_settle(o->names);
    return true;
}

const char **hub_adapter_labels(const hub_adapters *s, int64_t count, arena *a) {
    diag ignored; // what is wrong with the file only costs the names
    diag_init(&ignored);
    cJSON *root = s && s->config ? hub_json_load(s->config, false, &ignored) : NULL;
    const cJSON *names = root ? cJSON_GetObjectItemCaseSensitive(root, "id2label") : NULL;
    const char **out = cJSON_GetArraySize(names) == count ? ARENA_ARRAY(a, const char *, count) : NULL;
    for (int64_t i = 0; out && i < count; i++) {
        char key[24];
        snprintf(key, sizeof key, "%lld", (long long)i);
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(names, key));
        if (name)
            out[i] = arena_strdup(a, name);
        else
            out = NULL;
    }
    cJSON_Delete(root);
    diag_free(&ignored);
    return out;
}
