// The keys of rotary positions in config.json: the base of the frequencies, and their scaling for texts
// longer than those that the model was first trained on. Computed as in Transformers
// (modeling_rope_utils.py), in float where it uses float.
#include <math.h>
#include <string.h>

#include "frontend/hub/config/config.h"

#define MOST_TABLE (1 << 20) // positions of a table that is made, not read

typedef struct scaling {
    const char *kind;
    double factor, original;      // the positions of the first training
    double fast, slow, attention; // yarn: turns between which it ramps; scale of the sines, 0: by the factor
    double mscale, mscale_all, low, high; // yarn's, llama3's
    bool truncate, dynamic, ntk;          // ntk: the family knows that kind
    bool has_mixed;
    double mixed; // of ntk: how the stretching grows from wave to wave
} scaling;

static double *float_powers(arena *a, int64_t n, double base) { // of base^(2j / 2n), as floats
    double *powers = ARENA_ARRAY(a, double, n);
    for (int64_t j = 0; j < n; j++) powers[j] = (double)powf((float)base, (float)(2 * j) / (float)(2 * n));
    return powers;
}

// --- Kinds

static void linear(const scaling *s, int64_t n, const double *powers, float *out) {
    for (int64_t j = 0; j < n; j++) out[j] = 1 / (float)powers[j] / (float)s->factor;
}

// The column whose wave makes that many turns within the first training's positions.
static double column_of(double turns, double original, double base, int64_t n) {
    return (double)n * log(original / (turns * 6.283185307179586)) / log(base);
}

// Fast waves stay as they are, slow ones are stretched by the factor, and there is a ramp between.
static void yarn(const scaling *s, double base, int64_t n, const double *powers, float *out) {
    double low = column_of(s->fast, s->original, base, n), high = column_of(s->slow, s->original, base, n);
    if (s->truncate) low = floor(low), high = ceil(high);
    low = fmax(low, 0);
    high = fmin(high, (double)(2 * n - 1));
    if (low == high) high += 0.001;
    for (int64_t j = 0; j < n; j++) {
        float ramp = ((float)j - (float)low) / (float)(high - low), kept;
        ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
        kept = 1 - ramp;
        out[j] = 1 / ((float)s->factor * (float)powers[j]) * (1 - kept) + 1 / (float)powers[j] * kept;
    }
}

static double mscale_of(double factor, double mscale) {
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

static double yarn_attention(const scaling *s) {
    if (s->attention > 0) return s->attention;
    if (s->mscale > 0 && s->mscale_all > 0)
        return mscale_of(s->factor, s->mscale) / mscale_of(s->factor, s->mscale_all);
    return mscale_of(s->factor, 1);
}

// All waves are stretched, the slowest ones most: by the factor in the base of their lengths, and a little besides.
static void ntk(const scaling *s, double base, int64_t n, arena *a, float *out) {
    double factor = s->factor > 1 ? s->factor : 1; // waves are never made shorter
    const double *powers = float_powers(a, n, base * factor);
    float more = powf((float)factor, 1 / (float)n);
    for (int64_t j = 0; j < n; j++) out[j] = 1 / (float)powers[j] / more;
}

// The same by another law: wave j by exp(a (j + 1)^mixed), and the last one by the factor.
static void ntk_mixed(const scaling *s, int64_t n, const double *powers, float *out) {
    float mixed = (float)s->mixed, a = s->factor > 1 ? logf((float)s->factor) / powf((float)n, mixed) : 0;
    for (int64_t j = 0; j < n; j++) out[j] = 1 / (float)powers[j] / expf(a * powf((float)(j + 1), mixed));
}

// Waves longer than original / low are stretched, those shorter than original / high are not, and others in
// part.
static void llama3(const scaling *s, int64_t n, const double *powers, float *out) {
    for (int64_t j = 0; j < n; j++) {
        float frequency = 1 / (float)powers[j], wave = (float)6.283185307179586 / frequency;
        float share = ((float)s->original / wave - (float)s->low) / (float)(s->high - s->low);
        out[j] = frequency;
        if (wave > (float)(s->original / s->low))
            out[j] = frequency / (float)s->factor;
        else if (!(wave < (float)(s->original / s->high)))
            out[j] = (1 - share) * frequency / (float)s->factor + share * frequency;
    }
}

static void scale(const scaling *s, double base, int64_t n, arena *a, hub_rope *rope) {
    const double *powers = float_powers(a, n, base);
    rope->frequencies = ARENA_ARRAY(a, float, n);
    rope->scale = 1;
    if (!strcmp(s->kind, "linear")) linear(s, n, powers, rope->frequencies);
    if (!strcmp(s->kind, "ntk") && s->has_mixed)
        ntk_mixed(s, n, powers, rope->frequencies);
    else if (!strcmp(s->kind, "ntk"))
        ntk(s, base, n, a, rope->frequencies);
    if (!strcmp(s->kind, "llama3")) llama3(s, n, powers, rope->frequencies);
    if (strcmp(s->kind, "yarn")) return;
    yarn(s, base, n, powers, rope->frequencies);
    rope->scale = yarn_attention(s);
}

// --- Reading

static bool read_base(const hub_fields *f, const char *key, double *theta) {
    if (!hub_field_real(f, key, false, 0, 1e12, theta)) return false;
    return *theta > 0 || hub_field_wrong(f, key, "must be above 0");
}

static bool read_yarn(const hub_fields *f, scaling *s) {
    bool ok = hub_field_real(f, "beta_fast", false, 0, 1e9, &s->fast);
    ok &= hub_field_real(f, "beta_slow", false, 0, 1e9, &s->slow);
    ok &= hub_field_real(f, "attention_factor", false, 0, 1e9, &s->attention);
    ok &= hub_field_real(f, "mscale", false, 0, 1e9, &s->mscale);
    ok &= hub_field_real(f, "mscale_all_dim", false, 0, 1e9, &s->mscale_all);
    ok &= hub_field_bool(f, "truncate", false, &s->truncate);
    if (!(s->fast > 0)) s->fast = 32;
    if (!(s->slow > 0)) s->slow = 1;
    return ok;
}

static bool read_llama3(const hub_fields *f, scaling *s) {
    bool ok = hub_field_real(f, "low_freq_factor", true, 1e-9, 1e9, &s->low);
    ok &= hub_field_real(f, "high_freq_factor", true, 1e-9, 1e9, &s->high);
    return ok && (s->high > s->low || hub_field_wrong(f, "high_freq_factor", "is not above low_freq_factor"));
}

// Transformers turns whole heads in these families, whatever part a config says.
static bool read_part(const hub_fields *f, const char *key) {
    double part = 1;
    if (!hub_field_real(f, key, false, 0, 1, &part)) return false;
    return part >= 1 || hub_field_wrong(f, key, "%g is not supported", part);
}

// dynamic scales texts alone that are longer than the positions, and such don't fit: as the default.
static bool read_kind(const hub_fields *f, scaling *s) {
    static const char *const kinds[] = {"default", "dynamic", "linear", "yarn", "llama3", "ntk"};
    size_t i = 0, n = sizeof(kinds) / sizeof(kinds[0]) - !s->ntk;
    const char *kind = "default";
    bool ok = hub_field_text(f, "type", false, &kind) && hub_field_text(f, "rope_type", false, &kind);
    ok = read_part(f, "partial_rotary_factor") && ok;
    while (ok && i < n && strcmp(kind, kinds[i])) i++;
    if (ok && i == n)
        return hub_field_wrong(
            f, "rope_type", "\"%.100s\" is not supported; known are default, dynamic, linear, yarn, llama3%s",
            kind, s->ntk ? ", ntk" : "");
    s->has_mixed = hub_field(f, "mixed_b") != NULL;
    if (ok && s->has_mixed && strcmp(kind, "ntk") != 0)
        return hub_field_wrong(f, "mixed_b", "is of ntk alone, and the kind is %.100s", kind);
    s->dynamic = i == 1;
    if (!ok || i < 2) return ok;
    s->kind = kinds[i];
    ok &= hub_field_real(f, "factor", true, 1e-6, 1e9, &s->factor);
    ok &= hub_field_real(f, "original_max_position_embeddings", false, 1, 1e12, &s->original);
    ok &= hub_field_real(f, "mixed_b", false, 0, 100, &s->mixed);
    if (!strcmp(kind, "yarn")) ok &= read_yarn(f, s);
    if (!strcmp(kind, "llama3")) ok &= read_llama3(f, s);
    return ok;
}

// An object for all layers, or one for each kind of layer; `both`: the object's keys are for both kinds.
static bool read_object(const hub_fields *f, const char *key, bool both, double theta[2], scaling s[2]) {
    static const char *const kinds[] = {"full_attention", "sliding_attention"};
    const cJSON *o = hub_field(f, key), *v;
    char within[64];
    if (!o) return true;
    if (!cJSON_IsObject(o))
        return hub_field_wrong(f, key, "is %s where an object is expected", hub_json_kind(o));
    hub_fields all = {f->file, key, o, f->d};
    bool ok = read_kind(&all, &s[0]);
    if (both) s[1] = s[0];
    ok &= read_base(&all, "rope_theta", &theta[0]);
    for (int i = 0; i < 2; i++) {
        if (!(v = hub_field(&all, kinds[i]))) continue;
        snprintf(within, sizeof(within), "%s.%s", key, kinds[i]);
        hub_fields one = {f->file, within, v, f->d};
        if (!cJSON_IsObject(v)) return hub_field_wrong(&all, kinds[i], "is no object");
        ok &= read_kind(&one, &s[i]);
        ok &= read_base(&one, "rope_theta", &theta[i]);
    }
    return ok;
}

bool hub_config_rotary(const hub_fields *f, arena *a, hub_config *c) {
    double *theta = c->theta;
    bool two = c->family->theta[1] > 0;
    theta[0] = c->family->theta[0];
    theta[1] = c->family->theta[1];
    if (c->family->rotary == ROTARY_PAIRS && !hub_field_bool(f, "rotary_value", false, &c->turns_values))
        return false;
    if (c->rotary == ROTARY_NONE || c->family->modules[MODULE_ROTARY]) return true;
    bool whole = !hub_family_key(c->family, KEY_FRACTION);
    if (!read_part(f, "partial_rotary_factor") || (whole && !read_part(f, "rotary_emb_fraction")))
        return false;
    if (c->sizes[SIZE_TURNED] % 2)
        return hub_field_wrong(f, hub_family_key(c->family, KEY_HEADS), "heads of odd width can't be turned");
    if (c->sizes[SIZE_POSITIONS] > MOST_TABLE)
        return hub_field_wrong(f, hub_family_key(c->family, KEY_POSITIONS), "is too large");
    scaling s[2] = {{.original = (double)c->sizes[SIZE_POSITIONS],
                     .truncate = true,
                     .ntk = c->family->traits & TRAIT_NTK}};
    s[1] = s[0];
    bool ok = read_base(f, "rotary_emb_base", &theta[0]);
    ok &= read_base(f, "rope_theta", &theta[0]);
    if (two) {
        ok &= read_base(f, "global_rope_theta", &theta[0]);
        ok &= read_base(f, "local_rope_theta", &theta[1]);
        ok &= read_base(f, "rope_local_base_freq", &theta[1]);
    }
    ok &= read_object(f, "rope_parameters", false, theta, s);
    ok &= read_object(f, "rope_scaling", two && !c->family->window, theta, s);
    c->dynamic = s[0].dynamic || s[1].dynamic;
    for (int i = 0; ok && i < 1 + two; i++)
        if (s[i].kind) scale(&s[i], theta[i], c->sizes[SIZE_TURNED] / 2, a, &c->ropes[i]);
    return ok;
}
