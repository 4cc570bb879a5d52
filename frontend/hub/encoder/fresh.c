#include "frontend/hub/encoder/fresh.h"
#include "frontend/hub/encoder/lora.h"

#include <math.h>
#include <string.h>

#include "frontend/hub/encoder/draw.h"

bool hub_fresh_may(hub_module m) {
    return hub_module_of(m)->scope == SCOPE_HEAD || m == MODULE_POOLER;
}

bool hub_fresh_is_classifier(hub_module m) {
    return m == MODULE_CLASSIFIER || m == MODULE_TAGGER || m == MODULE_SPAN;
}

static double deviation(const hub_fresh *f, const hub_config *c, hub_module m) {
    if (!c->family->cuts_normal) return f->range;
    if (hub_fresh_is_classifier(m)) return 1 / sqrt((double)c->sizes[SIZE_HIDDEN]);
    return f->range / sqrt(2 * (double)c->layers);
}

// FNV-1a
static uint64_t hash(const char *text) {
    uint64_t h = 0xcbf29ce484222325u;
    for (; *text; text++) h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return h;
}

static void draw(const hub_fresh *f, const hub_config *c, hub_module m, const char *name, float *out,
                 int64_t n) {
    uint64_t state = f->seed * 0x2545f4914f6cdd1du + hash(name);
    double scale = deviation(f, c, m);
    for (int64_t i = 0; i < n; i++) {
        float x = hub_draw_normal(&state);
        while (c->family->cuts_normal && fabs((double)x) > f->cutoff) x = hub_draw_normal(&state);
        out[i] = (float)(scale * (double)x);
    }
}

static void add_name(hub_fresh *f, arena *a, const char *name) {
    const char **names = ARENA_ARRAY(a, const char *, f->count + 1);
    if (f->count) memcpy(names, f->names, sizeof *names * (size_t)f->count);
    names[f->count++] = name;
    f->names = names;
}

void hub_fresh_give(hub_fresh *f, hub_checkpoint *c, const hub_config *config, hub_module m, hub_part p,
                    const char *name) {
    arena *a = c->arena;
    hub_kind kind = hub_module_of(m)->kind;
    int64_t shape[3], n = 1;
    const char *own = hub_tensor_name(a, config, m, -1, p);
    const char *prefix = hub_module_of(m)->scope == SCOPE_HEAD ? "" : config->family->base_prefix;
    if (hub_checkpoint_borrow(c, name, name)) return;
    if (hub_checkpoint_borrow(c, name, arena_printf(a, "%s%s", prefix, own))) return;
    // An adapter's, of a module that is saved whole.
    if (hub_checkpoint_borrow_wide(c, name, arena_printf(a, LORA_WRAPPER "%s%s", prefix, own))) return;
    int rank = hub_tensor_shape(config, m, p, shape);
    for (int i = 0; i < rank; i++) n *= shape[i];
    float *data = ARENA_ARRAY(a, float, n); // zeros
    bool gamma = kind == KIND_NORM && p == PART_WEIGHT && !(config->family->traits & TRAIT_ONE_MORE);
    if (kind != KIND_NORM && kind != KIND_VECTOR && p == PART_WEIGHT) draw(f, config, m, own, data, n);
    for (int64_t i = 0; gamma && i < n; i++) data[i] = 1;
    hub_checkpoint_give(c, name, rank, shape, data);
    add_name(f, a, name);
}
