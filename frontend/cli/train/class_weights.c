#include "frontend/cli/train/class_weights.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// How often each label occurs in the set, in what training sees of it.
static bool count_labels(train_set *s, int64_t *counts, diag *d) {
    int labels = data_labels_count(s->rule->labels);
    for (int64_t i = 0; i < s->count; i++) {
        feature f;
        arena *a = arena_new();
        bool ok = set_read(s, i, &f, a, d);
        for (int64_t k = 0; ok && f.labels && k < f.tokens; k++)
            if (f.labels[k] != FEATURE_IGNORED) counts[f.labels[k]]++;
        for (int k = 0; ok && f.values && k < labels; k++) counts[k] += f.values[k] > 0;
        if (ok && s->rule->form == DATA_LABEL) counts[f.label]++;
        arena_free(a);
        if (!ok) return false;
    }
    return true;
}

// A label that does not occur counts 1.
static bool balance(train_set *s, float *out, int labels, arena *a, diag *d) {
    int64_t *counts = ARENA_ARRAY(a, int64_t, labels), all = 0, occurring = 0;
    if (!count_labels(s, counts, d)) return false;
    for (int i = 0; i < labels; i++) {
        all += counts[i];
        occurring += counts[i] > 0;
    }
    for (int i = 0; i < labels; i++) {
        double n = (double)counts[i], texts = (double)s->count;
        if (!counts[i]) continue;
        if (s->rule->form != DATA_LABELS)
            out[i] = (float)((double)all / ((double)occurring * n));
        else if (n < texts)
            out[i] = (float)((texts - n) / n);
    }
    return true;
}

// "name=2": the name may hold a "=".
static bool take(const data_labels *labels, const char *item, float *out, bool *taken, arena *a, diag *d) {
    static const char option[] = "--class-weights";
    const char *equals = strrchr(item, '=');
    if (!equals) return diag_error(d, option, "'%.100s': is neither balanced nor LABEL=NUMBER", item);
    char *end;
    errno = 0;
    double x = strtod(equals + 1, &end);
    if (end == equals + 1 || *end || !(x > 0) || !(x <= 1e30))
        return diag_error(d, option, "'%.100s': a weight is a number above 0", item);
    data_label of = {.name = arena_strndup(a, item, (size_t)(equals - item))};
    of.number = strtod(of.name, &end);
    if (end == of.name || *end) of.number = (double)NAN;
    int i = data_labels_find(labels, &of);
    if (i < 0) return diag_error(d, option, "%s", data_labels_unknown(labels, &of, a));
    if (taken[i])
        return diag_error(d, option, "'%.100s': %.100s has a weight already", item,
                          data_labels_name(labels, i));
    taken[i] = true;
    out[i] = (float)x;
    return true;
}

const float *class_weights_read(const char *asked, train_set *s, arena *a, diag *d) {
    const data_labels *labels = s->rule->labels;
    int count = data_labels_count(labels);
    float *out = ARENA_ARRAY(a, float, count);
    for (int i = 0; i < count; i++) out[i] = 1;
    if (!strcmp(asked, "balanced")) return balance(s, out, count, a, d) ? out : NULL;
    bool *taken = ARENA_ARRAY(a, bool, count);
    for (const char *at = asked;; at++) {
        size_t n = strcspn(at, ",");
        if (!take(labels, arena_strndup(a, at, n), out, taken, a, d)) return NULL;
        at += n;
        if (!*at) return out;
    }
}
