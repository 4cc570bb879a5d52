#include "frontend/hub/encoder/lora.h"

#include <math.h>
#include <string.h>

#include "frontend/hub/adapter/adapter.h"
#include "frontend/hub/encoder/draw.h"
#include "frontend/hub/files/text.h"

typedef struct choosing {
    hub_adapted_layers *out;
    const hub_config *config;
    const hub_fresh *fresh;
    hub_weights *weights;
    arena *a;
    bool *found; // by targets: does it mean a layer?
    int named;   // of the modules to save: so many were asked for
    bool *named_found;
    const char *list;        // of the layers that there are, for messages
    adapter_config settings; // of ranks and alphas
    diag *d;
} choosing;

// --- Names

const char *hub_class_module(arena *a, const hub_config *c, hub_module m, int set) {
    bool bare = hub_head_class(c->head) == HEAD_MODEL || hub_module_of(m)->scope == SCOPE_HEAD;
    const char *own = hub_tensor_name(a, c, m, set, PART_WEIGHT), *end = ".weight";
    size_t n = strlen(own);
    if (hub_ends_with(own, end)) n -= strlen(end);
    return arena_printf(a, "%s%.*s", bare ? "" : c->family->base_prefix, (int)n, own);
}

static const char **split(arena *a, const char *list, int *count) {
    int n = 1;
    for (const char *at = list; *at; at++) n += *at == ',';
    const char **out = ARENA_ARRAY(a, const char *, n);
    *count = 0;
    for (const char *at = list; *at;) {
        size_t length = strcspn(at, ",");
        if (length) out[(*count)++] = arena_strndup(a, at, length);
        at += length + (at[length] == ',');
    }
    return out;
}

static void add(arena *a, const char ***list, int *count, const char *name) {
    for (int i = 0; i < *count; i++)
        if (!strcmp((*list)[i], name)) return;
    const char **grown = ARENA_ARRAY(a, const char *, *count + 1);
    if (*count) memcpy(grown, *list, sizeof *grown * (size_t)*count);
    grown[(*count)++] = name;
    *list = grown;
}

// The whole name, or its end behind a dot.
static bool is_target(const char *name, const char *end) {
    size_t n = strlen(name), k = strlen(end);
    return hub_ends_with(name, end) && (n == k || name[n - k - 1] == '.');
}

// As PEFT looks for modules to save: the module, or one that it is a part of, has a name that ends so.
static bool saves(arena *a, const char *name, const char *end) {
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.'))
        if (hub_ends_with(arena_strndup(a, name, (size_t)(dot - name)), end)) return true;
    return hub_ends_with(name, end);
}

static bool is_saved(const hub_adapted_layers *s, arena *a, const char *name) {
    for (int i = 0; i < s->saved_count; i++)
        if (saves(a, name, s->saved[i])) return true;
    return false;
}

static const char *last_part(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

// --- Which modules there are

typedef void visitor(choosing *c, hub_module m, int set, const hub_config *config, const hub_weight *w);

static void visit(choosing *c, visitor *see) {
    for (int m = 0; m < MODULE_COUNT; m++) {
        if (!c->config->family->modules[m]) continue;
        bool layers = hub_module_of((hub_module)m)->scope == SCOPE_LAYER;
        int64_t sets = hub_module_sets(c->config, (hub_module)m);
        for (int64_t i = sets ? 0 : -1; i < (sets ? sets : 0); i++) {
            const hub_config *config = hub_config_of_layer(c->config, layers ? (int)i : -1);
            const hub_weight *w = hub_weight_of(c->weights, (hub_module)m, (int)i, PART_WEIGHT);
            if (w->tensor) see(c, (hub_module)m, (int)i, config, w);
        }
    }
}

// As PEFT does it, the classifier. What is drawn would be lost.
static void name_saved(choosing *c, hub_module m, int set, const hub_config *config, const hub_weight *w) {
    const char *name = hub_class_module(c->a, config, m, set), *prefix = config->family->base_prefix;
    hub_adapted_layers *out = c->out;
    if (hub_fresh_is_classifier(m))
        add(c->a, &out->saved, &out->saved_count, arena_strndup(c->a, name, strcspn(name, ".")));
    for (int i = 0; i < c->fresh->count; i++) {
        const char *drawn = c->fresh->names[i];
        const hub_weight *bias = hub_weight_of(c->weights, m, set, PART_BIAS);
        if (strcmp(drawn, w->tensor) && (!bias->tensor || strcmp(drawn, bias->tensor))) continue;
        if (is_saved(out, c->a, name)) continue;
        if (hub_module_of(m)->kind == KIND_VECTOR && !out->asked->merged)
            diag_error(c->d, "--lora-rank",
                       "the folder lacks \"%s\", which is no module that an adapter could keep: --lora-merge "
                       "writes the whole model",
                       drawn);
        bool begins = !strncmp(name, prefix, strlen(prefix));
        add(c->a, &out->saved, &out->saved_count, begins ? name + strlen(prefix) : name);
    }
}

// The numbers that the adapter which a run goes on with has for a tensor. False: it has none, or, with a diagnostic, others.
static bool stored(choosing *c, const char *name, const char *from, int rank, const int64_t *shape) {
    const char *dtype;
    const int64_t *own;
    const void *data;
    int own_rank;
    hub_checkpoint *k = c->weights->checkpoint;
    if (!hub_checkpoint_borrow_wide(k, name, from)) return false;
    bool same = hub_checkpoint_entry(k, name, &dtype, &own_rank, &own, &data) && own_rank == rank;
    for (int i = 0; same && i < rank; i++) same = own[i] == shape[i];
    if (!same)
        diag_error(c->d, hub_checkpoint_where(k, name),
                   "tensor \"%.300s\": has another shape than the model's", from);
    return same;
}

static void take_stored(choosing *c, const hub_weight *w, const char *from) {
    for (int i = 0; i < c->fresh->count; i++)
        if (!strcmp(c->fresh->names[i], w->tensor)) return; // it was looked for already
    if (stored(c, w->tensor, from, w->rank, w->shape)) c->weights->items[w - c->weights->items].e = ELEM_F32;
}

static void take_whole(choosing *c, hub_module m, int set, const hub_config *config, const hub_weight *w) {
    hub_adapted_layers *out = c->out;
    const char *name = hub_class_module(c->a, config, m, set);
    for (int i = 0; i < c->named; i++) c->named_found[i] |= saves(c->a, name, out->saved[i]);
    if (!is_saved(out, c->a, name)) return;
    const hub_weight *bias = hub_weight_of(c->weights, m, set, PART_BIAS);
    take_stored(c, w, arena_printf(c->a, LORA_WRAPPER "%s.weight", name));
    if (bias->tensor) take_stored(c, bias, arena_printf(c->a, LORA_WRAPPER "%s.bias", name));
    add(c->a, &out->whole, &out->whole_count, w->tensor);
    if (bias->tensor) add(c->a, &out->whole, &out->whole_count, bias->tensor);
}

// --- The adapters

// FNV-1a
static uint64_t hash(const char *text) {
    uint64_t h = 0xcbf29ce484222325u;
    for (; *text; text++) h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return h;
}

// PyTorch's kaiming_uniform_ with a = sqrt 5. The numbers depend on the seed and the name alone.
static void draw(uint64_t seed, const char *name, int64_t columns, float *out, int64_t n) {
    uint64_t state = seed * 0x2545f4914f6cdd1du + hash(name);
    double bound = 1 / sqrt((double)columns);
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)(bound * (2 * ((double)(hub_draw(&state) >> 11) * 0x1p-53) - 1));
}

static void give(choosing *c, const char *name, int64_t rows, int64_t columns, bool drawn) {
    float *data = ARENA_ARRAY(c->a, float, rows *columns);
    if (drawn) draw(c->fresh->seed, name, columns, data, rows * columns);
    hub_checkpoint_give(c->weights->checkpoint, name, 2, (int64_t[]){rows, columns}, data);
}

static void add_layer(choosing *c, const hub_weight *w, const char *name) {
    hub_adapted_layers *out = c->out;
    double said = 1, scale = 1;
    if (hub_lora_of(out, w->tensor) || !adapter_layer(&c->settings, name, &said, &scale, c->d))
        return; // another slice of it
    if (said != floor(said) || said < 1 || said > 4096) {
        diag_error(c->d, c->settings.file, "rank_pattern: %g is no rank from 1 to 4096, for %.200s", said,
                   name);
        return;
    }
    int64_t rank = (int64_t)said;
    hub_adapted_layer *grown = ARENA_ARRAY(c->a, hub_adapted_layer, out->count + 1);
    if (out->count) memcpy(grown, out->layers, sizeof *grown * (size_t)out->count);
    out->layers = grown;
    hub_adapted_layer *x = &out->layers[out->count++];
    *x = (hub_adapted_layer){.tensor = w->tensor,
                             .a = arena_printf(c->a, LORA_WRAPPER "%s.lora_A.weight", name),
                             .b = arena_printf(c->a, LORA_WRAPPER "%s.lora_B.weight", name),
                             .rows = w->shape[0],
                             .columns = w->shape[1],
                             .rank = rank,
                             .scale = scale};
    if (!stored(c, x->a, x->a, 2, (int64_t[]){rank, x->columns})) give(c, x->a, rank, x->columns, true);
    if (!stored(c, x->b, x->b, 2, (int64_t[]){x->rows, rank})) give(c, x->b, x->rows, rank, false);
}

// A linear layer that may have an adapter: its weight is one matrix.
static bool is_plain(hub_module m, const hub_weight *w) {
    return hub_module_of(m)->kind == KIND_LINEAR && w->rank == 2 && w->groups == 1 && !w->one_more;
}

static bool contains(const char *list, const char *name) {
    for (const char *at = list; (at = strstr(at, name)); at++) {
        size_t n = strlen(name);
        if ((at == list || at[-1] == ' ') && (!at[n] || at[n] == ',')) return true;
    }
    return false;
}

static void take_layer(choosing *c, hub_module m, int set, const hub_config *config, const hub_weight *w) {
    const char *name = hub_class_module(c->a, config, m, set);
    hub_adapted_layers *out = c->out;
    if (!is_plain(m, w) || is_saved(out, c->a, name)) return;
    const char *last = last_part(name), *targets = out->asked->targets;
    if (!contains(c->list, last)) c->list = arena_printf(c->a, "%s%s%s", c->list, *c->list ? ", " : "", last);
    bool chosen = false;
    if (!targets && (m == MODULE_QUERY || m == MODULE_VALUE)) {
        add(c->a, &out->targets, &out->target_count, last);
        chosen = true;
    } else if (targets && !strcmp(targets, "all-linear")) {
        add(c->a, &out->targets, &out->target_count, name);
        chosen = true;
    }
    for (int i = 0; c->found && i < out->target_count; i++) {
        if (!is_target(name, out->targets[i])) continue;
        c->found[i] = chosen = true;
    }
    if (chosen) add_layer(c, w, name);
}

// Of a bias: PEFT has it under the layer that its adapter wraps, or the layer's own name.
static void take_bias(choosing *c, const hub_weight *w, const char *name) {
    hub_adapted_layers *out = c->out;
    for (int i = 0; i < out->whole_count; i++)
        if (!strcmp(out->whole[i], w->tensor)) return; // of a module that is saved
    take_stored(c, w, arena_printf(c->a, LORA_WRAPPER "%s.base_layer.bias", name));
    take_stored(c, w, arena_printf(c->a, LORA_WRAPPER "%s.bias", name));
    add(c->a, &out->whole, &out->whole_count, w->tensor);
}

static void take_biases(choosing *c, hub_module m, int set, const hub_config *config, const hub_weight *w) {
    const char *name = hub_class_module(c->a, config, m, set), *end = ".bias";
    const hub_weight *bias = hub_weight_of(c->weights, m, set, PART_BIAS);
    bool all = !strcmp(c->out->asked->bias, "all");
    if (bias->tensor && (all || hub_lora_of(c->out, w->tensor)))
        take_bias(c, bias, name);
    else if (all && hub_module_of(m)->kind == KIND_VECTOR && hub_ends_with(name, end))
        take_bias(c, w, arena_strndup(c->a, name, strlen(name) - strlen(end)));
}

bool hub_lora_is_wrapped(const hub_adapted_layers *s, const hub_weights *w, hub_module m, int set) {
    const hub_weight *weight = hub_weight_of(w, m, set, PART_WEIGHT);
    return weight->tensor && hub_lora_of(s, weight->tensor);
}

static bool check_targets(const choosing *c) {
    static const char option[] = "--lora-target-modules";
    const hub_adapted_layers *out = c->out;
    if (!*c->list)
        return diag_error(c->d, option, "the model has no linear layer that an adapter could be of");
    for (int i = 0; c->found && i < out->target_count; i++)
        if (!c->found[i])
            return diag_error(
                c->d, option,
                "'%.100s' ends the name of none of the model's linear layers; their names end in %.2000s (or "
                "all-linear)",
                out->targets[i], c->list);
    return out->count ||
           diag_error(c->d, option,
                      "no layer is chosen: names of the model's linear layers end in %.2000s (or all-linear)",
                      c->list);
}

static bool check_saved(const choosing *c) {
    for (int i = 0; i < c->named; i++)
        if (!c->named_found[i])
            return diag_error(c->d, "--modules-to-save", "'%.100s' ends the name of no module of the model",
                              c->out->saved[i]);
    return true;
}

// What the patterns of an adapter that a run goes on with say.
static adapter_config settings_of(const hub_lora *asked) {
    adapter_config c = {.file = "adapter_config.json",
                        .alpha = asked->alpha,
                        .rank = (double)asked->rank,
                        .rooted = asked->rooted,
                        .root = cJSON_CreateObject()};
    if (asked->rank_pattern) cJSON_AddItemToObject(c.root, "rank_pattern", cJSON_Parse(asked->rank_pattern));
    if (asked->alpha_pattern)
        cJSON_AddItemToObject(c.root, "alpha_pattern", cJSON_Parse(asked->alpha_pattern));
    return c;
}

bool hub_lora_choose(const hub_lora *asked, const hub_config *config, const hub_fresh *fresh, hub_weights *w,
                     diag *d) {
    arena *a = w->checkpoint->arena;
    hub_adapted_layers *out = ARENA_NEW(a, hub_adapted_layers);
    hub_lora *kept = ARENA_NEW(a, hub_lora);
    *kept = *asked;
    if (kept->targets) kept->targets = arena_strdup(a, kept->targets);
    if (kept->saved) kept->saved = arena_strdup(a, kept->saved);
    if (kept->rank_pattern) kept->rank_pattern = arena_strdup(a, kept->rank_pattern);
    if (kept->alpha_pattern) kept->alpha_pattern = arena_strdup(a, kept->alpha_pattern);
    if (kept->bias) kept->bias = arena_strdup(a, kept->bias);
    asked = kept;
    *out = (hub_adapted_layers){.asked = asked};
    choosing c = {.out = out, .config = config, .fresh = fresh, .weights = w, .a = a, .list = "", .d = d};
    bool named = asked->targets && strcmp(asked->targets, "all-linear") != 0;
    if (named) out->targets = split(a, asked->targets, &out->target_count);
    if (named) c.found = ARENA_ARRAY(a, bool, out->target_count + 1);
    if (asked->saved) out->saved = split(a, asked->saved, &out->saved_count);
    c.named = out->saved_count;
    c.named_found = ARENA_ARRAY(a, bool, c.named + 1);
    visit(&c, name_saved);
    visit(&c, take_whole);
    c.settings = settings_of(asked);
    visit(&c, take_layer);
    adapter_config_close(&c.settings);
    if (asked->bias) visit(&c, take_biases);
    w->lora = out;
    return !diag_failed(d) && check_targets(&c) && check_saved(&c);
}

// --- Looking up

const hub_adapted_layer *hub_lora_of(const hub_adapted_layers *s, const char *weight) {
    for (int i = 0; s && i < s->count; i++)
        if (!strcmp(s->layers[i].tensor, weight)) return &s->layers[i];
    return NULL;
}

bool hub_lora_trains(const hub_adapted_layers *s, const char *name) {
    for (int i = 0; i < s->count; i++)
        if (!strcmp(s->layers[i].a, name) || !strcmp(s->layers[i].b, name)) return true;
    for (int i = 0; i < s->whole_count; i++)
        if (!strcmp(s->whole[i], name)) return true;
    return false;
}
