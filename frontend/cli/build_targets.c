// The targets that a model is compiled for: what --mcpu names, and the levels of `portable`.
#include <string.h>

#include "frontend/cli/cli.h"

precision build_precision(const build_options *o) {
    precision p = PRECISION_F32;
    if (o->dtype) precision_find(o->dtype, &p);
    return p;
}

const char *build_mcpu(const build_options *o) {
    if (o->mcpu) return o->mcpu;
    return o->usual_mcpu ? o->usual_mcpu : "native";
}

static void place_target(build *b, const target *t) {
    int i = b->target_count++;
    for (; i > 0 && b->targets[i - 1].rank < t->rank; i--) b->targets[i] = b->targets[i - 1];
    b->targets[i] = *t;
}

// Adds the target of a CPU where its rank belongs, the highest first.
static bool add_target(build *b, const build_options *o, const char *name, diag *d) {
    const char *asked = build_mcpu(o);
    target t;
    if (b->target_count == BUILD_TARGETS_MAX)
        return diag_error(d, "--mcpu", "'%s' names more than %d CPUs", asked, BUILD_TARGETS_MAX);
    if (!target_init(&t, o->triple, name, build_precision(o), d)) return false;
    for (int i = 0; i < b->target_count; i++)
        if (!strcmp(b->targets[i].level, t.level))
            return diag_error(d, "--mcpu", "'%s' names two CPUs of the same level, %s: one of them does",
                              asked, t.level);
    place_target(b, &t);
    return true;
}

static bool add_portable(build *b, const build_options *o, diag *d) {
    const char *names[TARGET_MOST_LEVELS];
    int n = target_portable(o->triple, build_precision(o), names);
    for (int i = 0; i < n; i++)
        if (!add_target(b, o, names[i], d)) return false;
    return true;
}

bool build_targets(build *b, const build_options *o, diag *d) {
    for (const char *at = build_mcpu(o);;) {
        size_t n = strcspn(at, ",");
        char name[64];
        if (n == 0 || n >= sizeof(name))
            return diag_error(d, "--mcpu", "'%s': takes names of `bertc targets`, with commas between them",
                              build_mcpu(o));
        memcpy(name, at, n);
        name[n] = 0;
        bool portable = !strcmp(name, "portable");
        if (!(portable ? add_portable(b, o, d) : add_target(b, o, name, d))) return false;
        if (!at[n]) return true;
        at += n + 1;
    }
}

const char *build_keep(const build_options *o, arena *a) {
    const char *all = NULL;
    for (int i = 0; i < o->keeps.count; i++)
        all = arena_printf(a, "%s%s%s", all ? all : "", all ? "," : "", o->keeps.v[i] + 4);
    return all;
}

void build_settle(build *b) {
    target all[BUILD_TARGETS_MAX];
    int n = b->target_count;
    memcpy(all, b->targets, sizeof(all));
    b->target_count = 0;
    while (n-- > 0) { // the lowest first
        target_settle(&all[n], module_find(b->module, all[n].class));
        int i = 0;
        while (i < b->target_count && strcmp(b->targets[i].isa, all[n].isa)) i++;
        if (i == b->target_count) place_target(b, &all[n]);
    }
}

// Is a step of training made, with gradients and an optimiser?
bool build_makes_step(const build_options *o) {
    return o->optimizer && o->hub.train.task && strcmp(o->hub.train.task, "states");
}
