#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/bench/bench.h"
#include "frontend/cli/bench/peak.h"
#include "ir/memory.h"

#define READ_SECONDS 0.02
#define READ_TURNS   5 // of which the best counts
#define ABLATE_TURNS 5 // with and without in turn, so that both see the same neighbours

// Bytes that kernels read and write in one call by the model of bertc_phase, and those of them that are
// weights.
typedef struct traffic {
    int64_t bytes, weights;
    double flops;
} traffic;

static void add_traffic(void *user, const bertc_phase_event *event) {
    traffic *t = user;
    t->bytes += event->bytes;
    t->weights += event->weight_bytes;
    t->flops += event->flops;
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
    bertc_error e;
    bertc_session_options so = {BERTC_SIZED(bertc_session_options), .threads = 1, .hook = add_traffic,
                                .hook_user = &c->traffic};
    bertc_session *s = bertc_open(c->model.model, &so, &e);
    if (!s) return runtime_failed(d, &e);
    int n = c->model.build.module->graphs[0]->output_count;
    float **none = memory_zero((size_t)n, sizeof(*none));
    bertc_batch batch = {BERTC_SIZED(bertc_batch), w->batch, w->length, w->ids, w->mask, NULL};
    bool ok = none ? bertc_run(s, &batch, none, NULL, &e) || runtime_failed(d, &e)
                   : diag_error(d, NULL, "out of memory");
    free(none);
    bertc_close(s);
    return ok;
}

static bool duel(const bench_options *o, contender *a, contender *b, const workload *w, int threads,
                 diag *d) {
    bench_options few = *o;
    few.rounds = o->rounds / ABLATE_TURNS > 3 ? o->rounds / ABLATE_TURNS : 3;
    a->fastest = b->fastest = INFINITY;
    for (int i = 0; i < ABLATE_TURNS; i++) {
        measured x, y;
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

static void print_row(const bench_options *o, const char *pass, const contender *with,
                      const contender *without) {
    double x = with->milliseconds[ABLATE_TURNS / 2], y = without->milliseconds[ABLATE_TURNS / 2];
    double bound = bound_of(o, without);
    if (o->json) {
        cJSON *j = cJSON_CreateObject();
        cJSON_AddStringToObject(j, "without", pass);
        cJSON_AddNumberToObject(j, "milliseconds", y);
        cJSON_AddNumberToObject(j, "default_milliseconds", x);
        cJSON_AddNumberToObject(j, "ratio", y / x);
        cJSON_AddNumberToObject(j, "fastest_milliseconds", without->fastest);
        cJSON_AddNumberToObject(j, "default_fastest_milliseconds", with->fastest);
        cJSON_AddNumberToObject(j, "fastest_ratio", without->fastest / with->fastest);
        cJSON_AddNumberToObject(j, "megabytes", (double)without->traffic.bytes * 1e-6);
        cJSON_AddNumberToObject(j, "default_megabytes", (double)with->traffic.bytes * 1e-6);
        cJSON_AddNumberToObject(j, "gflop", without->traffic.flops * 1e-9);
        cJSON_AddNumberToObject(j, "bound_milliseconds", bound);
        print_json(j);
        return;
    }
    printf("%-16s %10.3f %10.3f %8.3f %10.3f %10.3f %8.3f %10.1f %8.2f %10.3f\n", pass, y, x, y / x,
           without->fastest, with->fastest, without->fastest / with->fastest,
           (double)without->traffic.bytes * 1e-6, without->traffic.flops * 1e-9, bound);
}

static void print_failure(const bench_options *o, const char *pass, const char *why) {
    if (!o->json) {
        printf("%-16s does not compile: %s\n", pass, why);
        return;
    }
    cJSON *j = cJSON_CreateObject();
    cJSON_AddStringToObject(j, "without", pass);
    cJSON_AddStringToObject(j, "error", why);
    print_json(j);
}

// Both are compiled anew for each pass, the first one in turn: where its weights lie is worth a few per cent
// to a model.
static bool ablate_pass(const bench_options *o, const char *path, const pass_info *p, bool turn,
                        const workload *w, diag *d) {
    char list[80];
    snprintf(list, sizeof(list), "%c%s", p->on_by_default ? '-' : '+', p->name);
    contender with = {0}, without = {0};
    diag own;
    diag_init(&own);
    bool ok = !turn || contender_open(&with, o, path, o->build.passes, w, d);
    bool compiles = ok && contender_open(&without, o, path, list, w, &own);
    if (ok && !compiles) print_failure(o, list, own.count ? own.items[0].text : "?");
    diag_free(&own);
    if (compiles) ok = turn || contender_open(&with, o, path, o->build.passes, w, d);
    if (ok && compiles) {
        contender *first = turn ? &with : &without, *second = turn ? &without : &with;
        ok = duel(o, first, second, w, (int)o->threads.v[0], d);
        if (ok) print_row(o, list, &with, &without);
    }
    opened_close(&with.model);
    opened_close(&without.model);
    fflush(stdout);
    return ok;
}

bool bench_ablate(const bench_options *o, const char *path, diag *d) {
    opened probe;
    workload w = {0};
    bool ok = opened_open(&probe, path, &o->build, d) &&
              workload_make(&w, o, probe.model, o->build.lengths.v[0], d);
    opened_close(&probe);
    if (ok && !o->json)
        printf("%-16s %10s %10s %8s %10s %10s %8s %10s %8s %10s\n", "pass list", "ms", "default", "ratio",
               "fastest", "default", "ratio", "MB moved", "GFLOP", "bound ms");
    for (int i = 0; ok && i < passes_count(); i++) {
        const pass_info *p = passes_info(i);
        if (!p->per_variant && !p->needed && !p->for_training) ok = ablate_pass(o, path, p, i % 2, &w, d);
    }
    workload_free(&w);
    return ok;
}
