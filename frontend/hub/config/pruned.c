// Layers that have lost heads: pruned_heads, as Transformers before version 5 wrote it. Where the tensors have
// lost them too, the layer is one of fewer heads; else it is read whole.
#include <inttypes.h>
#include <stdlib.h>

#include "frontend/hub/config/config.h"

static int compare_numbers(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

// How many different heads the list names.
static int64_t count_heads(const cJSON *list, int64_t heads, arena *a) {
    int64_t *named = ARENA_ARRAY(a, int64_t, cJSON_GetArraySize(list) + 1), n = 0, count = 0, i;
    const cJSON *v;
    cJSON_ArrayForEach(v, list) {
        if (hub_json_int(v, &i) && i >= 0 && i < heads) named[n++] = i;
    }
    qsort(named, (size_t)n, sizeof(*named), compare_numbers);
    for (i = 0; i < n; i++) count += !i || named[i] != named[i - 1];
    return count;
}

bool hub_config_pruned(const hub_fields *f, arena *a, hub_config *c) {
    const cJSON *object = hub_field(f, "pruned_heads"), *v;
    if (!object || !object->child) return true;
    if (!cJSON_IsObject(object))
        return hub_field_wrong(f, "pruned_heads", "is %s where an object is expected", hub_json_kind(object));
    c->pruned = ARENA_ARRAY(a, int64_t, c->layers + 1);
    cJSON_ArrayForEach(v, object) {
        int64_t layer;
        if (hub_number_read(v->string, c->layers, &layer) && layer >= 0 && layer < c->layers)
            c->pruned[layer] = cJSON_IsArray(v) ? count_heads(v, c->heads, a) : 0;
    }
    return true;
}

bool hub_config_prunes(const hub_config *c) {
    const hub_family *f = c->family;
    bool own = c->groups == c->layers && c->inner_groups == 1; // no layer shares its weights with another
    bool parts = f->modules[MODULE_QUERY] && hub_module_slice(c, MODULE_QUERY).parts > 1;
    return own && f->modules[MODULE_QUERY] && !parts && c->key_heads == c->heads &&
           !f->modules[MODULE_BUCKET] && !f->modules[MODULE_LAYER_BUCKET] && !f->modules[MODULE_RELATIVE] &&
           !f->modules[MODULE_GLOBAL_QUERY] && !f->modules[MODULE_DEPTHWISE] && !f->groups[MODULE_QUERY];
}

hub_config *hub_config_without_heads(const hub_config *c, int layer, arena *a) {
    hub_config *less = ARENA_NEW(a, hub_config);
    *less = *c;
    less->heads = less->key_heads = less->sizes[SIZE_HEADS] = c->heads - c->pruned[layer];
    less->sizes[SIZE_ATTENTION] = less->sizes[SIZE_KEYS] = less->sizes[SIZE_CONTEXT] =
        less->heads * c->sizes[SIZE_HEAD];
    return less;
}

const hub_config *hub_config_of_layer(const hub_config *c, int layer) {
    return layer >= 0 && c->smaller && c->smaller[layer] ? c->smaller[layer] : c;
}
