#include "frontend/cli/tensor_rates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_number(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9') return false;
    return n > 0 && n < 10;
}

// One part of a word against one of a name. "layer" is "layers" too, as some families have it.
static bool is_part(const char *word, size_t n, const char *name, size_t m) {
    const char *dash = memchr(word, '-', n);
    bool range =
        dash && is_number(word, (size_t)(dash - word)) && is_number(dash + 1, n - 1 - (size_t)(dash - word));
    if (range) return is_number(name, m) && atol(name) >= atol(word) && atol(name) <= atol(dash + 1);
    if (n == m) return !memcmp(word, name, n);
    return n == 5 && m == 6 && !memcmp(word, "layer", 5) && !memcmp(name, "layers", 6);
}

// From its start on, does the name have the word's parts?
static bool begins(const char *word, size_t n, const char *name) {
    const char *end = word + n;
    for (;;) {
        const char *dot = memchr(word, '.', (size_t)(end - word));
        size_t part = dot ? (size_t)(dot - word) : (size_t)(end - word), m = strcspn(name, ".");
        if (!is_part(word, part, name, m)) return false;
        if (!dot) return true;
        if (!name[m]) return false;
        word = dot + 1;
        name += m + 1;
    }
}

// Has the name the word's parts anywhere?
static bool word_names(const char *word, size_t n, const char *name) {
    for (const char *at = name; n && at; at = strchr(at, '.')) {
        at += *at == '.';
        if (begins(word, n, at)) return true;
    }
    return false;
}

// Is the tensor frozen? Each word that names it is marked as found.
static bool is_frozen(tensor_rates *r, const char *name) {
    bool frozen = false;
    int i = 0;
    for (const char *word = r->frozen; word && *word; i++) {
        size_t n = strcspn(word, ",");
        if (word_names(word, n, name)) {
            frozen = true;
            if (i < FREEZE_MAX) r->found[i] = true;
        }
        word += n + (word[n] == ',');
    }
    return frozen;
}

bool tensor_rates_check(const tensor_rates *r, diag *d) {
    int i = 0;
    for (const char *word = r->frozen; word && *word; i++) {
        int n = (int)strcspn(word, ",");
        if (i == FREEZE_MAX) return diag_error(d, "--freeze", "more than %d names", FREEZE_MAX);
        if (!r->found[i])
            return diag_error(d, "--freeze", "'%.*s' names no parameter that is trained", n, word);
        word += n + (word[n] == ',');
    }
    return !r->frozen || i || diag_error(d, "--freeze", "names nothing");
}

// The number behind "layer." or "layers."; -1: there is none.
static int64_t layer_of(const char *name) {
    for (const char *at = name; at; at = strchr(at, '.')) {
        at += *at == '.';
        size_t n = strcspn(at, ".");
        if (is_part("layer", 5, at, n) && at[n] && is_number(at + n + 1, strcspn(at + n + 1, ".")))
            return atol(at + n + 1);
    }
    return -1;
}

double tensor_rate(void *context, const char *name) {
    tensor_rates *r = context;
    if (is_frozen(r, name)) return 0;
    if (r->decay == 1) return 1;
    int64_t layer = layer_of(name);
    if (layer >= 0) return pow(r->decay, (double)(r->layers + 1 - layer));
    return word_names("embeddings", 10, name) ? pow(r->decay, (double)(r->layers + 2)) : 1;
}
