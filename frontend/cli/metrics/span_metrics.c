#include <math.h>
#include <string.h>

#include "frontend/cli/metrics/metrics.h"

// --- Where spans are

typedef struct span {
    const char *type;
    int start, end; // words, the end behind the last
} span;

// Steps over a text's tags and finds its spans one by one.
typedef struct chunker {
    const char *const *tags;
    int n, at;
    bool strict;
    char prefix; // of the tag before `at`
    const char *type;
    int begin;
} chunker;

static chunker chunker_of(const char *const *tags, int n, bool strict) {
    return (chunker){.tags = tags, .n = n, .strict = strict, .prefix = 'O', .type = ""};
}

// What stands behind the tag's mark and the first dash; "_" where that is nothing.
static const char *type_of(const char *tag) {
    const char *dash = *tag ? strchr(tag + 1, '-') : NULL, *name = dash ? dash + 1 : *tag ? tag + 1 : "";
    return *name ? name : "_";
}

// seqeval's rules, which are conlleval's.
static bool ends(char before, char tag, bool same_type) {
    if (before == 'E' || before == 'S') return true;
    if ((before == 'B' || before == 'I') && (tag == 'B' || tag == 'S' || tag == 'O')) return true;
    return before != 'O' && before != '.' && !same_type;
}

static bool starts(char before, char tag, bool same_type) {
    if (tag == 'B' || tag == 'S') return true;
    if ((before == 'E' || before == 'S' || before == 'O') && (tag == 'E' || tag == 'I')) return true;
    return tag != 'O' && tag != '.' && !same_type;
}

static bool next_lenient(chunker *c, span *out) {
    bool found = false;
    for (; !found && c->at <= c->n; c->at++) {
        const char *tag = c->at < c->n ? c->tags[c->at] : "O", *name = type_of(tag);
        bool same = !strcmp(name, c->type);
        if (ends(c->prefix, *tag, same)) {
            *out = (span){c->type, c->begin, c->at};
            found = true;
        }
        if (starts(c->prefix, *tag, same)) c->begin = c->at;
        c->prefix = *tag;
        c->type = name;
    }
    return found;
}

static bool next_strict(chunker *c, span *out) {
    while (c->at < c->n && c->tags[c->at][0] != 'B') c->at++;
    if (c->at >= c->n) return false;
    *out = (span){type_of(c->tags[c->at]), c->at, c->at + 1};
    while (out->end < c->n && c->tags[out->end][0] == 'I' && !strcmp(type_of(c->tags[out->end]), out->type))
        out->end++;
    c->at = out->end;
    return true;
}

static bool next_span(chunker *c, span *out) {
    return c->strict ? next_strict(c, out) : next_lenient(c, out);
}

// --- Counts

void span_metrics_open(span_metrics *m, bool strict, arena *a) {
    *m = (span_metrics){.arena = a, .strict = strict};
}

static span_type *type_named(span_metrics *m, const char *name) {
    int at = 0;
    while (at < m->type_count && strcmp(m->types[at].name, name) < 0) at++;
    if (at < m->type_count && !strcmp(m->types[at].name, name)) return &m->types[at];
    if (m->type_count == m->room) {
        int room = 2 * m->room + 8;
        span_type *types = ARENA_ARRAY(m->arena, span_type, room);
        if (m->type_count) memcpy(types, m->types, (size_t)m->type_count * sizeof *types);
        m->types = types;
        m->room = room;
    }
    memmove(&m->types[at + 1], &m->types[at], (size_t)(m->type_count - at) * sizeof *m->types);
    m->type_count++;
    m->types[at] = (span_type){.name = arena_strdup(m->arena, name)};
    return &m->types[at];
}

void span_metrics_add(span_metrics *m, const char *const *gold, const char *const *found, int n) {
    chunker a = chunker_of(gold, n, m->strict), b = chunker_of(found, n, m->strict);
    span x, y;
    bool want = next_span(&a, &x), got = next_span(&b, &y);
    while (want || got) {
        bool same = want && got && x.start == y.start && x.end == y.end && !strcmp(x.type, y.type);
        bool first = want && (!got || x.start <= y.start); // of the two that differ, the gold one goes on
        if (same) {
            type_named(m, x.type)->right++;
            want = next_span(&a, &x);
            got = next_span(&b, &y);
        } else if (first) {
            type_named(m, x.type)->missed++;
            want = next_span(&a, &x);
        } else {
            type_named(m, y.type)->wrong++;
            got = next_span(&b, &y);
        }
    }
    m->words += n;
    for (int i = 0; i < n; i++) m->tagged += !strcmp(gold[i], found[i]);
}

prf_means span_metrics_means(const span_metrics *m) {
    prf_sum s = {0};
    for (int i = 0; i < m->type_count; i++)
        prf_sum_add(&s, m->types[i].right, m->types[i].wrong, m->types[i].missed);
    return prf_sum_means(&s);
}

void span_metrics_list(const span_metrics *m, metric_list *out) {
    prf_means means = span_metrics_means(m);
    metric_add(out, "f1", means.micro.f1);
    metric_add(out, "precision", means.micro.precision);
    metric_add(out, "recall", means.micro.recall);
    metric_add(out, "f1_macro", means.macro.f1);
    metric_add(out, "precision_macro", means.macro.precision);
    metric_add(out, "recall_macro", means.macro.recall);
    metric_add(out, "f1_weighted", means.weighted.f1);
    metric_add(out, "precision_weighted", means.weighted.precision);
    metric_add(out, "recall_weighted", means.weighted.recall);
    metric_add(out, "accuracy", m->words ? (double)m->tagged / (double)m->words : NAN);
}
