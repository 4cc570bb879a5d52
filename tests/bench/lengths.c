// bench_lengths: what a text of n tokens costs, for n one by one: whether a token more costs a token more.
//   bench_lengths [OPTION]... MODEL.so...
//
// One round makes a call of each length with each artefact, in turn, so two builds of bertc are compared by giving
// an artefact of each. `step` is t(n) / t(n-1), and `eight` t(n) / t(n-8), over the same of n: 1 where time goes with
// the tokens. `read` is the rate at which weights were read, over that of a loop that does nothing but read as many
// bytes (peak.c).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/cli/bench/peak.h"
#include "frontend/cli/options.h"
#include "runtime/bertc.h"

#define MOST_ARTEFACTS 4
#define READ_SECONDS   0.05

typedef struct lengths_options {
    int64_t from, to, rounds, threads, worst_from;
    bool cpu, huge_pages, fastest;
} lengths_options;

typedef struct contender {
    const char *path;
    bertc_model *model;
    bertc_session *session;
    int64_t weight_bytes; // read by a call
    float **buffers;
    double *times;  // [lengths][rounds]
    double *middle; // [lengths]: seconds
} contender;

static double seconds_of(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int64_t n) {
    qsort(v, (size_t)n, sizeof(*v), compare_doubles);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void add_weights(void *user, const bertc_phase_event *event) {
    *(int64_t *)user += event->weight_bytes;
}

static bool call(contender *c, bertc_session *s, int64_t n, const int32_t *ids, bertc_error *e) {
    bertc_batch b = {BERTC_SIZED(bertc_batch), 1, n, ids, NULL, NULL};
    return bertc_run(s, &b, c->buffers, NULL, e);
}

static bool count_weights(contender *c, const int32_t *ids, bertc_error *e) {
    bertc_session_options o = {BERTC_SIZED(bertc_session_options), .threads = 1, .hook = add_weights,
                               .hook_user = &c->weight_bytes};
    bertc_session *s = bertc_open(c->model, &o, e);
    bool ok = s && call(c, s, 1, ids, e);
    if (s) bertc_close(s);
    return ok;
}

static bool contender_open(contender *c, const lengths_options *o, const int32_t *ids, bertc_error *e) {
    int64_t lengths = o->to + 1;
    c->model = bertc_load(c->path, e);
    if (!c->model) return false;
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    if (!bertc_model_describe(c->model, &info, e)) return false;
    if (info.max_length < o->to) {
        snprintf(e->message, sizeof(e->message), "%s: takes texts of at most %d tokens", c->path,
                 (int)info.max_length);
        return false;
    }
    bertc_session_options so = {BERTC_SIZED(bertc_session_options), .threads = (int)o->threads,
                                .huge_pages = o->huge_pages};
    c->session = bertc_open(c->model, &so, e);
    c->buffers = calloc((size_t)info.output_count + 1, sizeof(float *));
    c->times = calloc((size_t)(lengths * o->rounds), sizeof(double));
    c->middle = calloc((size_t)lengths, sizeof(double));
    bool room = c->buffers && c->times && c->middle;
    for (int i = 0; room && i < info.output_count; i++) {
        c->buffers[i] = malloc(bertc_output_bytes(c->model, i, 1, o->to) + 1);
        room = c->buffers[i] != NULL;
    }
    if (!room) snprintf(e->message, sizeof(e->message), "out of memory");
    return room && c->session && count_weights(c, ids, e);
}

// One round more; *read: GB/s of the loop that reads.
static bool run_round(contender *all, int count, const lengths_options *o, int64_t round, const int32_t *ids,
                      double *read, bertc_error *e) {
    clockid_t id = o->cpu ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    *read = peak_read_gbs(all[0].weight_bytes, (int)o->threads, READ_SECONDS);
    for (int i = 0; i < count; i++) // brings weights and threads back
        if (!call(&all[i], all[i].session, o->from, ids, e)) return false;
    for (int64_t n = o->from; n <= o->to; n++)
        for (int i = 0; i < count; i++) {
            contender *c = &all[(i + round) % count];
            double start = seconds_of(id);
            if (!call(c, c->session, n, ids, e)) return false;
            c->times[n * o->rounds + round] = seconds_of(id) - start;
        }
    return true;
}

// t(n) / t(n - by), over n / (n - by); 0: t(n - by) is not known.
static double beyond_work(const contender *c, const lengths_options *o, int64_t n, int64_t by) {
    if (n - by < o->from) return 0;
    return c->middle[n] / c->middle[n - by] * (double)(n - by) / (double)n;
}

static void print_lengths(const contender *all, int count, const lengths_options *o, double read) {
    printf("| tokens |");
    for (int i = 0; i < count; i++) printf(" %10s | %5s | %5s | %5s |", "ms", "step", "eight", "read");
    printf("\n| ------ |");
    for (int i = 0; i < count; i++) printf(" ---------- | ----- | ----- | ----- |");
    printf("\n");
    for (int64_t n = o->from; n <= o->to; n++) {
        printf("| %6d |", (int)n);
        for (int i = 0; i < count; i++) {
            const contender *c = &all[i];
            double rate = (double)c->weight_bytes / c->middle[n] * 1e-9;
            printf(" %10.3f | %5.3f | %5.3f | %4.0f%% |", c->middle[n] * 1e3, beyond_work(c, o, n, 1),
                   beyond_work(c, o, n, 8), 100 * rate / read);
        }
        printf("\n");
    }
}

static void print_worst(const contender *c, const lengths_options *o, int64_t by) {
    double worst = 0;
    int64_t at = 0;
    for (int64_t n = o->worst_from + by; n <= o->to; n++) {
        double x = beyond_work(c, o, n, by);
        if (x > worst) worst = x, at = n;
    }
    if (at) printf("%s: t(%d) / t(%d) is %.3f of the work\n", c->path, (int)at, (int)(at - by), worst);
}

static void report(contender *all, int count, const lengths_options *o, double read) {
    for (int i = 0; i < count; i++)
        for (int64_t n = o->from; n <= o->to; n++) {
            double middle = median(all[i].times + n * o->rounds, o->rounds); // which sorts them
            all[i].middle[n] = o->fastest ? all[i].times[n * o->rounds] : middle;
        }
    print_lengths(all, count, o, read);
    for (int i = 0; i < count; i++) {
        print_worst(&all[i], o, 1);
        print_worst(&all[i], o, 8);
        printf("%s: reads %.1f MB of weights; the loop that reads as many: %.2f GB/s\n", all[i].path,
               (double)all[i].weight_bytes * 1e-6, read);
    }
}

static bool measure(contender *all, int count, const lengths_options *o, bertc_error *e) {
    int32_t *ids = calloc((size_t)o->to, sizeof(*ids));
    double *reads = calloc((size_t)o->rounds, sizeof(*reads));
    bool ok = ids && reads;
    if (!ok) snprintf(e->message, sizeof(e->message), "out of memory");
    for (int64_t i = 0; ok && i < o->to; i++) ids[i] = (int32_t)(i * 7 % 100);
    for (int i = 0; ok && i < count; i++) ok = contender_open(&all[i], o, ids, e);
    for (int64_t r = 0; ok && r < o->rounds; r++) ok = run_round(all, count, o, r, ids, &reads[r], e);
    if (ok) report(all, count, o, median(reads, o->rounds));
    free(ids);
    free(reads);
    return ok;
}

static void contender_close(contender *c) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    if (c->model) bertc_model_describe(c->model, &info, NULL);
    for (int i = 0; c->buffers && i < info.output_count; i++) free(c->buffers[i]);
    free(c->buffers);
    free(c->times);
    free(c->middle);
    if (c->session) bertc_close(c->session);
    if (c->model) bertc_unload(c->model);
}

int main(int argc, char **argv) {
    lengths_options o = {.from = 1, .to = 72, .rounds = 15, .threads = 1, .worst_from = 17};
    option_table t = {.usage = "bench_lengths [OPTION]... MODEL.so...",
                      .summary = "What one text of n tokens costs, for n one by one.",
                      .example = "bench_lengths --to 65 old.so new.so"};
    options_add(&t, (option_row){"from", 0, OPTION_INT, "N", "fewest tokens (1)", &o.from, 1});
    options_add(&t, (option_row){"to", 0, OPTION_INT, "N", "most tokens (72)", &o.to, 1, 4096});
    options_add(&t, (option_row){"rounds", 0, OPTION_INT, "N", "default 15", &o.rounds, 1, 1000});
    options_add(&t, (option_row){"threads", 'j', OPTION_INT, "N", "default 1", &o.threads, 1, 256});
    options_add(&t, (option_row){"worst-from", 0, OPTION_INT, "N",
                                 "the worst steps are those from N tokens on (17)", &o.worst_from, 1});
    options_add(&t, (option_row){"fastest", 0, OPTION_FLAG, NULL, "the fastest call counts, not the median",
                                 &o.fastest});
    options_add(&t, (option_row){"cpu", 0, OPTION_FLAG, NULL,
                                 "time of the calling thread's CPU: where the machine is busy, one thread",
                                 &o.cpu});
    options_add(&t, (option_row){"huge-pages", 0, OPTION_FLAG, NULL, "weights in 2 MB pages", &o.huge_pages});
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count < 1 || rest.count > MOST_ARTEFACTS) return usage_error(&t, "needs 1 to 4 artefacts");
    if (o.from > o.to) return usage_error(&t, "--from is above --to");
    contender all[MOST_ARTEFACTS] = {0};
    for (int i = 0; i < rest.count; i++) all[i].path = rest.v[i];
    bertc_error e = {0};
    bool ok = measure(all, rest.count, &o, &e);
    for (int i = 0; i < rest.count; i++) contender_close(&all[i]);
    if (!ok) fprintf(stderr, "bench_lengths: error: %s\n", e.message);
    return ok ? EXIT_OK : EXIT_FAILED;
}
