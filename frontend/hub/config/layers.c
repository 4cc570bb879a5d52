// The keys of config.json that change the shape of layers: bottlenecks and stages (MobileBERT),
// convolutions (ConvBERT's in each layer, DeBERTa-v2's beside the first).
#include <inttypes.h>
#include <string.h>

#include "frontend/hub/config/config.h"

#define MOST_WIDTH       (1 << 20)
#define MOST_STAGES      1000
#define MOST_TAPS        101
#define MOST_TRANSFORMED 32768 // products of two columns fit an int32

// --- Bottlenecks

// The embeddings' sizes where the words' are transformed to the hidden size.
static bool read_transformed(const hub_fields *f, hub_config *c) {
    int64_t *sizes = c->sizes, hidden = sizes[SIZE_HIDDEN], word = sizes[SIZE_EMBEDDING];
    c->trigrams = true;
    bool ok = hub_field_bool(f, "trigram_input", false, &c->trigrams);
    if (word > hidden)
        ok = hub_field_wrong(f, hub_family_key(c->family, KEY_EMBEDDING), "is above the hidden size");
    sizes[SIZE_WORD] = sizes[SIZE_DECODER] = word;
    sizes[SIZE_TRIGRAM] = c->trigrams ? 3 * word : word;
    sizes[SIZE_EMBEDDING] = hidden;
    sizes[SIZE_REST] = hidden - word;
    return ok;
}

static bool read_bottleneck(const hub_fields *f, hub_config *c) {
    int64_t *sizes = c->sizes, inside = sizes[SIZE_HIDDEN];
    bool all = false;
    c->narrows = c->shares = true;
    bool ok = hub_field_bool(f, "use_bottleneck", false, &c->narrows);
    ok &= hub_field_bool(f, "use_bottleneck_attention", false, &all);
    ok &= hub_field_bool(f, "key_query_shared_bottleneck", false, &c->shares);
    ok &= hub_config_number(f, c, KEY_INSIDE, MOST_WIDTH, 128, &inside);
    c->shares &= c->narrows && !all;
    if (!ok || !c->narrows) return ok;
    sizes[SIZE_INSIDE] = inside;
    c->narrow_queries = c->narrow_values = all;
    if (all) sizes[SIZE_VALUED] = inside;
    if (all || c->shares) sizes[SIZE_QUERIED] = inside;
    if (all || c->shares || inside == sizes[SIZE_HIDDEN]) return true;
    return hub_field_wrong(f, "key_query_shared_bottleneck",
                           "is false: queries of %" PRId64 " can't be made from a width of %" PRId64, inside,
                           sizes[SIZE_HIDDEN]);
}

static bool read_norms(const hub_fields *f, hub_config *c) {
    const char *kind = "no_norm";
    if (!hub_field_text(f, "normalization_type", false, &kind)) return false;
    c->plain_norms = !strcmp(kind, "no_norm");
    return c->plain_norms || !strcmp(kind, "layer_norm") ||
           hub_field_wrong(f, "normalization_type", "\"%.100s\" is not known; known are no_norm, layer_norm",
                           kind);
}

bool hub_config_narrowing(const hub_fields *f, hub_config *c) {
    int64_t feed_forwards = 1;
    bool ok = true;
    if (c->family->modules[MODULE_TRIGRAM]) ok &= read_transformed(f, c);
    if (!c->family->modules[MODULE_BOTTLENECK]) return ok;
    ok &= read_bottleneck(f, c);
    ok &= read_norms(f, c);
    ok &= hub_config_number(f, c, KEY_STAGES, MOST_STAGES, 4, &feed_forwards);
    c->stages = feed_forwards - 1;
    return ok;
}

// --- The Fourier transform

// As Transformers does for TPUs where texts are short: a transform of fixed length; a text takes the part
// for its own length.
bool hub_config_fourier(const hub_fields *f, hub_config *c) {
    const int64_t most = 4096; // beyond, it takes each text's own length all the same
    int64_t positions = c->sizes[SIZE_POSITIONS], length = 512;
    bool fixed = false;
    if (!(c->family->traits & TRAIT_FOURIER)) return true;
    if (positions > MOST_TRANSFORMED)
        return hub_field_wrong(f, hub_family_key(c->family, KEY_POSITIONS), "is above %d", MOST_TRANSFORMED);
    bool ok = hub_field_bool(f, "use_tpu_fourier_optimizations", false, &fixed);
    ok &= hub_field_int(f, "tpu_short_seq_length", false, 1, MOST_TRANSFORMED, &length);
    c->transformed = fixed && positions <= most ? length : 0;
    return ok;
}

// --- Convolutions

static bool read_taps(const hub_fields *f, hub_config *c) {
    const char *key = hub_family_key(c->family, KEY_TAPS);
    int64_t *taps = &c->sizes[SIZE_TAPS];
    if (!hub_field_int(f, key, false, 0, MOST_TAPS, taps)) return false;
    if (*taps % 2 || (!*taps && !c->family->modules[MODULE_DEPTHWISE])) return true;
    return hub_field_wrong(f, key, "%" PRId64 " is even: a token has as many neighbours on each side", *taps);
}

bool hub_config_convolutions(const hub_fields *f, arena *a, hub_config *c) {
    if (!hub_family_key(c->family, KEY_TAPS)) return true;
    c->sizes[SIZE_TAPS] = c->family->defaults.values[KEY_TAPS];
    c->convolve = "tanh";
    bool ok = read_taps(f, c);
    ok &= hub_config_activation(f, "conv_act", a, &c->convolve);
    c->sizes[SIZE_KERNELS] = c->heads * c->sizes[SIZE_TAPS];
    return ok;
}
