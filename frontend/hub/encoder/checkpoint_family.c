// The family of a checkpoint by the names of its tensors, for configs that don't name it.
#include <string.h>

#include "frontend/hub/encoder/weights.h"

static bool holds(const hub_checkpoint *c, const char *name) {
    const char *dtype;
    int rank;
    const int64_t *shape;
    const void *data;
    return hub_checkpoint_entry(c, name, &dtype, &rank, &shape, &data);
}

// The module of layer 0, or of none; norms by their older names, too.
static bool holds_module(const hub_checkpoint *c, const hub_family *f, const char *prefix, hub_module m) {
    const hub_config config = {.family = f, .inner_groups = 1, .stages = 1};
    if (!f->modules[m]) return true;
    int set = hub_module_of(m)->scope == SCOPE_BASE ? -1 : 0;
    const char *name = hub_tensor_name(c->arena, &config, m, set, PART_WEIGHT);
    const char *whole = arena_printf(c->arena, "%s%s", prefix, name);
    if (holds(c, whole)) return true;
    int stem = (int)(strlen(whole) - strlen("weight"));
    return hub_module_of(m)->kind == KIND_NORM && holds(c, arena_printf(c->arena, "%.*sgamma", stem, whole));
}

static bool fits(const hub_checkpoint *c, const hub_family *f, const char *prefix) {
    static const hub_module telling[] = {MODULE_WORD, MODULE_QUERY, MODULE_UP, MODULE_OUTPUT_NORM};
    for (size_t i = 0; i < sizeof(telling) / sizeof(telling[0]); i++)
        if (!holds_module(c, f, prefix, telling[i])) return false;
    return true;
}

// Families that share a prefix and these names (RoBERTa's) compute the same: the first is taken for all.
hub_hint hub_checkpoint_hint(const hub_checkpoint *c) {
    hub_hint hint = {0};
    for (int i = 0; i < hub_family_count && !hint.other; i++) {
        const hub_family *f = &hub_families[i];
        if (f->when || !fits(c, f, f->base_prefix)) continue;
        if (!hint.family)
            hint.family = f;
        else if (strcmp(hint.family->base_prefix, f->base_prefix))
            hint.other = f;
    }
    for (int i = 0; i < hub_family_count && hint.custom_count < 4; i++) {
        const hub_family *f = &hub_families[i];
        if (f->when && (fits(c, f, f->base_prefix) || fits(c, f, ""))) hint.custom[hint.custom_count++] = f;
    }
    return hint;
}
