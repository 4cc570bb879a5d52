// The options of a parameter, by the names of its tensors.
#include <ctype.h>
#include <string.h>

#include "passes/optimize/optimize.h"

static bool contains(const char *name, const char *part) {
    size_t n = strlen(part);
    for (; *name; name++)
        if (!strncasecmp(name, part, n)) return true;
    return false;
}

// Has the name a part, between dots, that is `norm` or ends with `_norm`?
static bool has_norm(const char *name) {
    while (*name) {
        size_t n = strcspn(name, ".");
        if (n >= 4 && !strncasecmp(name + n - 4, "norm", 4) && (n == 4 || name[n - 5] == '_')) return true;
        name += n + (name[n] == '.');
    }
    return false;
}

static bool name_is_spared(const char *name) {
    return contains(name, "bias") || contains(name, "layernorm") || contains(name, "rmsnorm") ||
           has_norm(name);
}

bool recipe_is_spared(const recipe *r) {
    if (recipe_names_tensor(r)) return name_is_spared(r->tensor);
    for (int i = 0; i < r->part_count; i++)
        if (!recipe_is_spared(r->parts[i])) return false;
    return true;
}

double recipe_rate(const recipe *r, const optimizer_options *o) {
    if (!o->rate) return 1;
    if (recipe_names_tensor(r)) return o->rate(o->context, r->tensor);
    double first = recipe_rate(r->parts[0], o);
    for (int i = 1; i < r->part_count; i++) {
        double other = recipe_rate(r->parts[i], o);
        if (other < first || other > first) return -1;
    }
    return first;
}

recipe *recipe_zeros_like(arena *a, const recipe *r, const char *prefix) {
    int64_t shape[IR_MAX_RANK];
    for (int i = 0; i < r->type.rank; i++) shape[i] = r->type.d[i].n;
    if (recipe_names_tensor(r))
        return recipe_zeros(a, arena_printf(a, "%s%s", prefix, r->tensor), r->type.rank, shape);
    recipe **parts = ARENA_ARRAY(a, recipe *, r->part_count);
    for (int i = 0; i < r->part_count; i++) parts[i] = recipe_zeros_like(a, r->parts[i], prefix);
    switch ((int)r->kind) {
    case RECIPE_TRANSPOSE: return recipe_transpose(a, parts[0]);
    case RECIPE_CONCAT: return recipe_concat(a, r->axis, r->part_count, parts);
    case RECIPE_RESHAPE: return recipe_reshape(a, parts[0], r->type.rank, shape);
    case RECIPE_SLICE: return recipe_slice(a, parts[0], r->axis, r->begin, r->begin + shape[r->axis]);
    default: return parts[0]; // a cast to f32, which zeros are already
    }
}
