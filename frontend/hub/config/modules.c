// The modules that a config's model reads: their names in the checkpoint, and their shapes.
#include <inttypes.h>
#include <string.h>

#include "frontend/hub/config/config.h"

#define MOST_POSITIONS (1 << 20) // of a table that is made

int64_t hub_weight_sets(const hub_config *c) {
    return c->groups * c->inner_groups * (c->stages > 1 ? c->stages : 1);
}

int64_t hub_module_sets(const hub_config *c, hub_module m) {
    hub_scope scope = hub_module_of(m)->scope;
    if (scope == SCOPE_STAGE) return c->groups * c->inner_groups * c->stages;
    return scope == SCOPE_LAYER ? c->groups * c->inner_groups : 0;
}

// As ALBERT: the layers are dealt to the groups in order, and each passes through all that is in its group.
int hub_weight_set(const hub_config *c, int layer) {
    if (layer < 0) return -1;
    int64_t outer = c->layers / c->inner_groups, i = layer / c->inner_groups;
    return (int)(i * c->groups / outer * c->inner_groups + layer % c->inner_groups);
}

// A pattern with the layer's numbers in place of its %d (of two, the second counts `inner`), without the
// part in brackets.
static char *fill_in(arena *a, int inner, const char *pattern, int set, const char *end) {
    const char *hole = strstr(pattern, "%d"), *rest = hole ? hole + 2 : NULL;
    int n = (int)strcspn(pattern, "[");
    if (!hole) return arena_printf(a, "%.*s%s", n, pattern, end);
    const char *second = strstr(rest, "%d");
    int left = (int)strcspn(rest, "[");
    if (!second) return arena_printf(a, "%.*s%d%.*s%s", (int)(hole - pattern), pattern, set, left, rest, end);
    return arena_printf(a, "%.*s%d%.*s%d%s%s", (int)(hole - pattern), pattern, set / inner,
                        (int)(second - rest), rest, set % inner, second + 2, end);
}

static const char *name_of(const hub_config *c, hub_module m) {
    const char *modern = c->modern ? c->family->modern[m] : NULL,
               *native = c->native ? c->family->native[m] : NULL;
    return native ? native : modern ? modern : c->family->modules[m];
}

char *hub_tensor_name(arena *a, const hub_config *c, hub_module m, int set, hub_part p) {
    int inner = (int)(hub_module_of(m)->scope == SCOPE_STAGE ? c->stages : c->inner_groups);
    if (p == PART_BIAS && hub_config_own_bias(c, m)) return fill_in(a, inner, c->family->biases[m], set, "");
    const char *end = p == PART_BIAS ? ".bias" : hub_module_of(m)->kind == KIND_VECTOR ? "" : ".weight";
    return fill_in(a, inner, name_of(c, m), set, end);
}

bool hub_config_has(const hub_config *c, hub_module m, hub_part p) {
    return p == PART_WEIGHT || c->biased[m];
}

bool hub_config_own_bias(const hub_config *c, hub_module m) {
    const char *bias = c->family->biases[m];
    return bias && *bias && *bias != '?';
}

hub_slice hub_module_slice(const hub_config *c, hub_module m) {
    const char *at = strchr(name_of(c, m), '[');
    if (!at) return (hub_slice){0, 1, false};
    return (hub_slice){at[1] - '0', at[3] - '0', at[4] == 'h'};
}

bool hub_module_groups_first(const hub_config *c, hub_module m) {
    return c->groups_of[m] > 1 && c->family->traits & TRAIT_GROUPS_FIRST;
}

int hub_tensor_shape(const hub_config *c, hub_module m, hub_part p, int64_t shape[3]) {
    const hub_module_shape *s = hub_module_of(m);
    int parts = p == PART_BIAS && hub_config_own_bias(c, m) ? 1 : hub_module_slice(c, m).parts;
    shape[0] = c->sizes[s->rows] * parts;
    if (s->kind == KIND_NORM || s->kind == KIND_VECTOR || p == PART_BIAS) return 1;
    shape[1] = c->sizes[s->columns] / c->groups_of[m];
    shape[2] = c->sizes[SIZE_TAPS];
    if (hub_module_groups_first(c, m)) {
        shape[2] = shape[0] / c->groups_of[m];
        shape[0] = c->groups_of[m];
        return 3;
    }
    return s->kind == KIND_CONVOLUTION ? 3 : 2;
}

// RoFormer's rotary positions are a table, a distance of BERT's a row of one.
static bool positions_end(const hub_config *c) {
    return hub_module_use(c, MODULE_POSITION) || c->family->modules[MODULE_ROTARY] || c->distances ||
           c->dynamic ||
           (c->rotary == ROTARY_NONE && !hub_module_use(c, MODULE_RELATIVE) &&
            !hub_module_use(c, MODULE_BUCKET) && !hub_module_use(c, MODULE_LAYER_BUCKET) && !c->alibi);
}

void hub_config_lengthen(hub_config *c, int64_t longest, diag *d) {
    int64_t *positions = &c->sizes[SIZE_POSITIONS];
    if (longest <= *positions || positions_end(c)) return;
    if (longest > MOST_POSITIONS) longest = MOST_POSITIONS;
    diag_note(d, c->file,
              "%s: is %" PRId64 ": texts of up to %" PRId64 " tokens go beyond what it is made for",
              hub_family_key(c->family, KEY_POSITIONS), *positions, longest);
    *positions = longest;
}

bool hub_config_hides(const hub_config *c) {
    const hub_late *l = &c->sentence.late;
    return c->head == HEAD_VECTORS && l->expansion && !l->attends;
}

static hub_use use_if(bool yes) {
    return yes ? USE_YES : USE_NO;
}

static hub_use base_use(const hub_config *c, hub_module m) {
    int traits = c->family->traits;
    hub_head h = c->head;
    if (m == MODULE_TYPE) return use_if(traits & TRAIT_TYPES && c->sizes[SIZE_TYPES]);
    if (m == MODULE_POSITION) return use_if(traits & TRAIT_POSITIONS || c->rotary != c->family->rotary);
    if (m == MODULE_DISTANCE) return use_if(c->distances);
    if (m == MODULE_ROTARY) return USE_OPTIONAL; // made where the checkpoint has none: it is never trained
    if (m == MODULE_RELATIVE_QUERY) return use_if(c->relative.queries && !c->relative.shared);
    if (m == MODULE_RELATIVE_KEY) return use_if(c->relative.keys && !c->relative.shared);
    if (m == MODULE_TRIGRAM) return use_if(c->trigrams || c->sizes[SIZE_WORD] != c->sizes[SIZE_EMBEDDING]);
    if (m == MODULE_BOTTLENECK || m == MODULE_BOTTLENECK_NORM || m == MODULE_WIDENING ||
        m == MODULE_WIDENING_NORM)
        return use_if(c->narrows);
    if (m == MODULE_SHARED || m == MODULE_SHARED_NORM) return use_if(c->shares);
    if (hub_module_of(m)->scope == SCOPE_STAGE) return use_if(c->stages);
    if (m == MODULE_CONVOLUTION || m == MODULE_CONVOLUTION_NORM) return use_if(c->sizes[SIZE_TAPS]);
    if (m == MODULE_PROJECTION)
        return use_if(traits & TRAIT_PROJECTS || c->sizes[SIZE_EMBEDDING] != c->sizes[SIZE_HIDDEN]);
    if (m != MODULE_POOLER) return USE_YES;
    if (!(traits & TRAIT_POOLER)) return USE_NO;
    bool text = h == HEAD_SEQUENCE && !c->family->modules[MODULE_CLASSIFIER_DENSE];
    if (text || h == HEAD_NEXT_SENTENCE || h == HEAD_PRETRAINING) return USE_YES;
    return h == HEAD_SEQUENCE ? USE_NO : USE_OPTIONAL;
}

static hub_use head_use(const hub_config *c, hub_module m) {
    hub_head h = c->head;
    bool predicts = hub_head_predicts(h);
    bool classifies = h == HEAD_SEQUENCE || h == HEAD_TOKEN || h == HEAD_ANSWER;
    if (m == MODULE_TRANSFORM || m == MODULE_TRANSFORM_NORM)
        return use_if(predicts || (classifies && c->family->traits & TRAIT_TRANSFORMS));
    if (m == MODULE_DECODER) return !predicts ? USE_NO : c->tied ? USE_OPTIONAL : USE_YES;
    if (m == MODULE_DECODER_REST) return use_if(predicts && c->sizes[SIZE_REST]);
    if (m == MODULE_DECODER_BIAS || m == MODULE_PREDICTION_BIAS) return predicts ? USE_OPTIONAL : USE_NO;
    if (m == MODULE_RELATIONSHIP) return use_if(h == HEAD_NEXT_SENTENCE || h == HEAD_PRETRAINING);
    if (m == MODULE_CLASSIFIER || m == MODULE_CLASSIFIER_DENSE) return use_if(h == HEAD_SEQUENCE);
    if (m == MODULE_TAGGER) return use_if(h == HEAD_TOKEN);
    if (m == MODULE_SPAN) return use_if(h == HEAD_ANSWER);
    return use_if(h == HEAD_DISCRIMINATOR);
}

hub_use hub_module_use(const hub_config *c, hub_module m) {
    if (!c->family->modules[m] || c->off[m]) return USE_NO;
    if (c->modern && (m == MODULE_DECODER || m == MODULE_DECODER_BIAS)) return USE_NO;
    return hub_module_of(m)->scope == SCOPE_HEAD ? head_use(c, m) : base_use(c, m);
}
