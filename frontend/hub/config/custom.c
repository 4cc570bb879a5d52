// The config.json of models with modelling code of their own: keys that would make another model,
// activations that say how the feed-forward is gated, sizes that are rounded up.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "frontend/hub/config/config.h"

static bool is_usual(const cJSON *v, bool yes) {
    if (cJSON_IsNumber(v)) return (v->valuedouble < 0 || v->valuedouble > 0) == yes;
    return yes ? cJSON_IsTrue(v) : cJSON_IsFalse(v);
}

// "key=TEXT": the config must say that, or nothing.
static bool says_only(const hub_fields *f, const char *rule) {
    char key[64];
    const char *text = strchr(rule, '=') + 1, *said = text;
    snprintf(key, sizeof key, "%.*s", (int)(text - 1 - rule), rule);
    if (!hub_field_text(f, key, false, &said)) return false;
    return !strcmp(said, text) ||
           hub_field_wrong(f, key, "\"%.100s\" is not supported; known is %s", said, text);
}

bool hub_config_refusals(const hub_fields *f, const hub_config *c) {
    bool ok = true;
    for (int i = 0; i < HUB_MOST_REFUSED && c->family->refused[i]; i++) {
        const char *key = c->family->refused[i];
        if (strchr(key, '=')) {
            ok &= says_only(f, key);
            continue;
        }
        bool yes = *key == '+';
        const cJSON *v = hub_field(f, key + yes);
        if (!v || is_usual(v, yes)) continue;
        ok = cJSON_IsNumber(v)
                 ? hub_field_wrong(f, key + yes, "%.15g is not supported", v->valuedouble)
                 : hub_field_wrong(f, key + yes, "%s is not supported",
                                   cJSON_IsBool(v) ? (yes ? "false" : "true") : hub_json_kind(v));
    }
    return ok;
}

bool hub_config_gate(const hub_fields *f, const char *key, hub_config *c) {
    const hub_gate *gates = c->family->gates;
    const char *name = c->family->defaults.activation;
    if (!hub_field_text(f, key, !name, &name)) return false;
    for (int i = 0; i < HUB_MOST_GATES && gates[i].name; i++) {
        if (strcmp(name, gates[i].name)) continue;
        c->activation = gates[i].activation;
        c->predict = gates[i].predict;
        return true;
    }
    char known[100] = "";
    for (int i = 0; i < HUB_MOST_GATES && gates[i].name; i++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", gates[i].name);
    return hub_field_wrong(f, key, "\"%.100s\" is not supported; known are %s", name, known);
}

static int64_t up_to(int64_t n, int64_t multiple) {
    return multiple > 1 ? (n + multiple - 1) / multiple * multiple : n;
}

bool hub_config_rounding(const hub_fields *f, hub_config *c) {
    int64_t multiple = 1, *sizes = c->sizes;
    if (!hub_config_number(f, c, KEY_VOCAB_MULTIPLE, 1 << 16, 1, &multiple)) return false;
    sizes[SIZE_VOCAB] = up_to(sizes[SIZE_VOCAB], multiple);
    sizes[SIZE_INNER] = up_to(sizes[SIZE_INNER], c->family->inner_multiple);
    return sizes[SIZE_VOCAB] <= INT32_MAX || hub_field_wrong(f, "vocab_size", "is too large");
}

// How much of each head is turned: SIZE_TURNED. Without it positions are a table, as BERT's. Where texts
// beyond the training's would be turned by other angles, there are no such texts.
bool hub_config_fraction(const hub_fields *f, hub_config *c) {
    const char *key = hub_family_key(c->family, KEY_FRACTION);
    double fraction = key ? 0 : 1, factor = 0;
    int64_t *sizes = c->sizes, trained = 2048;
    if (key && !hub_field_real(f, key, false, 0, 1, &fraction)) return false;
    if (!(fraction > 0)) c->rotary = ROTARY_NONE;
    sizes[SIZE_TURNED] = (int64_t)(fraction * (double)sizes[SIZE_HEAD]);
    if (!key || c->rotary == ROTARY_NONE) return true;
    if (sizes[SIZE_TURNED] % 2 || !sizes[SIZE_TURNED])
        return hub_field_wrong(f, key, "%g of a head of %" PRId64 " is no even number", fraction,
                               sizes[SIZE_HEAD]);
    bool ok = hub_field_real(f, "rotary_scaling_factor", false, 0, 1e9, &factor);
    ok &= hub_field_int(f, "max_trained_positions", false, 1, INT32_MAX, &trained);
    if (!ok || !(factor > 0) || sizes[SIZE_POSITIONS] <= trained) return ok;
    sizes[SIZE_POSITIONS] = trained;
    diag_note(f->d, f->file,
              "rotary_scaling_factor: texts have up to max_trained_positions, %" PRId64
              ", tokens: longer ones, which it is for, are not supported",
              trained);
    return true;
}
