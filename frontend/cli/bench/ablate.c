#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/bench/caller.h"
#include "frontend/cli/bench/peak.h"
#include "ir/memory.h"

#define READ_SECONDS 0.02
#define READ_TURNS   5 // of which the best counts
#define ABLATE_TURNS 5 // with and without in turn, so that both see the same neighbours

// Bytes that kernels read and write in one call by the model of bertc_phase, and those of them that are
// weights.
typedef struct traffic {
    int64_t bytes, weights, phases;
    double flops;
} traffic;

static void add_traffic(void *user, const bertc_phase_event *event) {
    traffic *t = user;
    t->bytes += event->bytes;
    t->weights += event->weight_bytes;
    t->flops += event->flops;
    t->phases++;
}

typedef struct contender {
    opened model;
    double milliseconds[ABLATE_TURNS];
    double fastest; // milliseconds, since the duel began
    double best;    // GFLOP/s, of all bursts
    traffic traffic;
} contender;

static bool contender_open(contender *c, const bench_options *o, const char *path, const char *passes,
                           const workload *w, diag *d) {
    build_options b = o->build;
    b.passes = passes;
    *c = (contender){0};
    if (!opened_open(&c->model, path, &b, d)) return false;
    caller one;
    double unused;
    bool ok = caller_open(&one, o, c->model.model, w, (int)o->threads.v[0], add_traffic, &c->traffic, d) &&
              caller_call(&one, w, &unused, d);
    caller_close(&one);
    return ok;
}

static bool duel(const bench_options *o, const char *label, contender *a, contender *b, const workload *w,
                 int threads, diag *d) {
    bench_options few = *o;
    few.progress = NULL; // a turn is short
    few.rounds = o->rounds / ABLATE_TURNS > 1 ? o->rounds / ABLATE_TURNS : 1;
    a->fastest = b->fastest = INFINITY;
    for (int i = 0; i < ABLATE_TURNS; i++) {
        measured x, y;
        progress_at(o->progress, label, (double)i / ABLATE_TURNS);
        if (!bench_measure(&few, a->model.model, w, threads, &x, d) ||
            !bench_measure(&few, b->model.model, w, threads, &y, d))
            return false;
        a->milliseconds[i] = x.seconds * 1e3;
        b->milliseconds[i] = y.seconds * 1e3;
        a->fastest = fmin(a->fastest, x.fastest * 1e3);
        b->fastest = fmin(b->fastest, y.fastest * 1e3);
        a->best = b->best = fmax(fmax(a->best, x.best), y.best);
    }
    qsort(a->milliseconds, ABLATE_TURNS, sizeof(double), compare_doubles);
    qsort(b->milliseconds, ABLATE_TURNS, sizeof(double), compare_doubles);
    return true;
}

// The roofline in milliseconds: arithmetic, or one read of the weights, each at the best rate that was seen: in
// bursts (of as many bytes), or in the calls themselves, for neighbours may have disturbed every burst. Rows may
// stay in caches, so their bytes bound nothing.
static double bound_of(const bench_options *o, const contender *c) {
    double weights = (double)c->traffic.weights, gflops = fmax(c->best, c->traffic.flops / c->fastest * 1e-6);
    double gbs = weights / c->fastest * 1e-6;
    for (int i = 0; i < READ_TURNS; i++)
        gbs = fmax(gbs, peak_read_gbs(c->traffic.weights, (int)o->threads.v[0], READ_SECONDS));
    double arithmetic = c->traffic.flops / gflops * 1e-6;
    return weights > 0 ? fmax(arithmetic, weights / gbs * 1e-6) : arithmetic;
}

// Of values between kernels; parameters and their optimiser's states are not in it.
static double arena_megabytes(const contender *c) {
    return (double)c->model.build.module->graphs[0]->variants[0].arena_bytes * 1e-6;
}

static void print_row(const bench_options *o, const char *pass, const contender *with,
                      const contender *without) {
    double x = with->milliseconds[ABLATE_TURNS / 2], y = without->milliseconds[ABLATE_TURNS / 2];
    double bound = bound_of(o, without);
    if (o->out->form != FORMAT_TEXT) {
        cJSON *j = cJSON_CreateObject();
        cJSON_AddStringToObject(j, "without", pass);
        json_figure(j, "milliseconds", y);
        json_figure(j, "default_milliseconds", x);
        json_figure(j, "ratio", y / x);
        json_figure(j, "fastest_milliseconds", without->fastest);
        json_figure(j, "default_fastest_milliseconds", with->fastest);
        json_figure(j, "fastest_ratio", without->fastest / with->fastest);
        json_figure(j, "megabytes", (double)without->traffic.bytes * 1e-6);
        json_figure(j, "default_megabytes", (double)with->traffic.bytes * 1e-6);
        json_figure(j, "arena_megabytes", arena_megabytes(without));
        json_figure(j, "default_arena_megabytes", arena_megabytes(with));
        cJSON_AddNumberToObject(j, "phases", (double)without->traffic.phases);
        cJSON_AddNumberToObject(j, "default_phases", (double)with->traffic.phases);
        json_figure(j, "gflop", without->traffic.flops * 1e-9);
        json_figure(j, "bound_milliseconds", bound);
        form_row(o->out, j);
        return;
    }
    printf("%-16s %10.3f %10.3f %8.3f %10.3f %10.3f %8.3f %10.1f %9.1f %7" PRId64 " %8.2f %10.3f\n", pass, y,
           x, y / x, without->fastest, with->fastest, without->fastest / with->fastest,
           (double)without->traffic.bytes * 1e-6, arena_megabytes(without), without->traffic.phases,
           without->traffic.flops * 1e-9, bound);
}

static void print_failure(const bench_options *o, const char *pass, const char *why) {
    if (o->out->form == FORMAT_TEXT) {
        printf("%-16s does not compile: %s\n", pass, why);
        return;
    }
    cJSON *j = cJSON_CreateObject();
    cJSON_AddStringToObject(j, "without", pass);
    cJSON_AddStringToObject(j, "error", why);
    form_row(o->out, j);
}

// Both are compiled anew for each pass, the first one in turn: where its weights lie is worth a few per cent
// to a model.
static bool ablate_list(const bench_options *o, const char *path, const char *list, const char *label,
                        bool turn, const workload *w, diag *d) {
    contender with = {0}, without = {0};
    diag own;
    diag_init(&own);
    bool ok = !turn || contender_open(&with, o, path, o->build.passes, w, d);
    bool compiles = ok && contender_open(&without, o, path, list, w, &own);
    if (ok && !compiles) print_failure(o, label, own.count ? own.items[0].text : "?");
    diag_free(&own);
    if (compiles) ok = turn || contender_open(&with, o, path, o->build.passes, w, d);
    if (ok && compiles) {
        contender *first = turn ? &with : &without, *second = turn ? &without : &with;
        ok = duel(o, label, first, second, w, (int)o->threads.v[0], d);
        progress_line_clear(o->line);
        if (ok) print_row(o, label, &with, &without);
    }
    opened_close(&with.model);
    opened_close(&without.model);
    fflush(stdout);
    return ok;
}

static bool makes_step(const bench_options *o) {
    return o->build.optimizer && strcmp(o->build.hub.train.task, "states");
}

// Is there a model, or a step, without it?
static bool may_be_left_out(const bench_options *o, const pass_info *p) {
    if (p->per_variant || p->needed) return false;
    bool is_step = !strcmp(p->name, "differentiate") || !strcmp(p->name, "optimize");
    return !p->for_training || (makes_step(o) && !is_step);
}

static bool is_fusion(const pass_info *p) {
    return p->on_by_default && !strncmp(p->name, "fuse_", 5);
}

static bool named(const char *names, const char *name) {
    size_t n = strlen(name);
    if (!*names) return true;
    for (const char *at = names; at; at = strchr(at, ','), at = at ? at + 1 : NULL)
        if (!strncmp(at, name, n) && (!at[n] || at[n] == ',')) return true;
    return false;
}

static bool ablate_pass(const bench_options *o, const char *path, int i, const workload *w, diag *d) {
    const pass_info *p = passes_info(i);
    char list[80];
    bool on = p->on_by_default || p->for_training;
    snprintf(list, sizeof(list), "%c%s", on ? '-' : '+', p->name);
    return ablate_list(o, path, list, list, i % 2, w, d);
}

static bool ablate_fusions(const bench_options *o, const char *path, const workload *w, diag *d) {
    char list[512] = "";
    size_t n = 0;
    for (int i = 0; i < passes_count() && n < sizeof(list); i++) {
        const pass_info *p = passes_info(i);
        if (is_fusion(p) || (makes_step(o) && !strcmp(p->name, "fuse_rows")))
            n += (size_t)snprintf(list + n, sizeof(list) - n, "%s-%s", n ? "," : "", p->name);
    }
    return ablate_list(o, path, list, "-fuse_*", false, w, d);
}

static bool check_names(const bench_options *o, diag *d) {
    const char *list = o->ablate;
    while (*list) {
        char name[64];
        size_t n = strcspn(list, ",");
        snprintf(name, sizeof(name), "%.*s", (int)n, list);
        bool found = !strcmp(name, "fusions");
        for (int i = 0; !found && i < passes_count(); i++)
            found = !strcmp(passes_info(i)->name, name) && may_be_left_out(o, passes_info(i));
        if (!found)
            return diag_error(d, "--ablate", "'%s' is no pass that can be turned off here, nor `fusions`",
                              name);
        list += n + (list[n] == ',');
    }
    return true;
}

bool bench_ablate(const bench_options *o, const char *path, diag *d) {
    opened probe = {0};
    workload w = {0};
    bool ok = check_names(o, d) && opened_open(&probe, path, &o->build, d) &&
              workload_make(&w, o, probe.model, o->build.lengths.v[0], d);
    opened_close(&probe);
    if (ok && o->out->form == FORMAT_TEXT)
        printf("%-16s %10s %10s %8s %10s %10s %8s %10s %9s %7s %8s %10s\n", "pass list", "ms", "default",
               "ratio", "fastest", "default", "ratio", "MB moved", "arena MB", "phases", "GFLOP", "bound ms");
    for (int i = 0; ok && i < passes_count(); i++) {
        const pass_info *p = passes_info(i);
        if (may_be_left_out(o, p) && named(o->ablate, p->name)) ok = ablate_pass(o, path, i, &w, d);
    }
    if (ok && named(o->ablate, "fusions")) ok = ablate_fusions(o, path, &w, d);
    workload_free(&w);
    return ok;
}
