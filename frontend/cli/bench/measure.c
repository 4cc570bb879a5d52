#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/bench/caller.h"
#include "frontend/cli/bench/peak.h"
#include "ir/memory.h"

#define WARM_ROUNDS    2
#define PEAK_SECONDS   0.01
#define READ_SECONDS   0.05
#define READ_TURNS     3
#define PHASE_NAMES    512
#define PROFILE_ROUNDS 20
#define LONG_SECONDS   0.1 // such a call is made once in a round: what it finds in caches hardly counts

static int64_t described_number(const bertc_model *model, const char *name, int64_t otherwise) {
    cJSON *root = cJSON_Parse(bertc_model_json(model));
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(root, "model"),
                *v = cJSON_GetObjectItemCaseSensitive(m, name);
    int64_t n = cJSON_IsNumber(v) ? (int64_t)v->valuedouble : otherwise;
    cJSON_Delete(root);
    return n;
}

static void isa_of(const bertc_model *model, char *isa, size_t size) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    snprintf(isa, size, "%s", info.isa_names ? info.isa_names : "");
}

bool workload_make(workload *w, const bench_options *o, const bertc_model *model, int64_t seq, diag *d) {
    int_list one = {1, {seq}};
    const int_list *texts = o->texts.count ? &o->texts : &one;
    *w = (workload){.batch = o->texts.count ? texts->count : o->build.batch};
    for (int i = 0; i < texts->count; i++) w->length = texts->v[i] > w->length ? texts->v[i] : w->length;
    size_t n = (size_t)(w->batch * w->length);
    w->ids = memory_zero(n, sizeof(int32_t));
    w->mask = memory_zero(n, sizeof(int32_t));
    if (!w->ids || !w->mask) return diag_error(d, NULL, "out of memory: a batch of %zu ids", n);
    int64_t vocab = described_number(model, "vocab_size", 2);
    uint32_t state = 2463534242u;
    for (int64_t row = 0; row < w->batch; row++) {
        int64_t length = texts->v[row < texts->count ? row : 0];
        for (int64_t k = 0; k < length; k++) {
            state ^= state << 13, state ^= state >> 17, state ^= state << 5;
            w->ids[row * w->length + k] = (int32_t)(state % (uint32_t)vocab);
            w->mask[row * w->length + k] = 1;
        }
        w->tokens += length;
    }
    return true;
}

void workload_free(workload *w) {
    free(w->ids);
    free(w->mask);
    *w = (workload){0};
}

static double median(double *v, int64_t n) {
    qsort(v, (size_t)n, sizeof(*v), compare_doubles);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double share_of(double rate, double of) {
    return of > 0 ? 100 * rate / of : 0;
}

static void add_work(void *user, const bertc_phase_event *event) {
    measured *m = user;
    m->flops += event->flops;
    m->weights += (double)event->weight_bytes;
}

// Anonymous memory that the process holds, as Linux says it; 0: it does not.
static double anonymous_bytes(void) {
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    double kb = 0;
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "RssAnon:", 8)) kb = strtod(line + 8, NULL);
    if (f) fclose(f);
    return kb * 1024;
}

// Floating-point operations and bytes of weights of one call, as the phases state them; and how fast so many bytes are
// read.
static bool count_work(const bench_options *o, bertc_model *model, const workload *w, int threads,
                       measured *out, diag *d) {
    caller c;
    double seconds, rates[READ_TURNS];
    *out = (measured){0};
    bool ok = caller_open(&c, o, model, w, threads, add_work, out, d) && caller_call(&c, w, &seconds, d);
    caller_close(&c);
    for (int i = 0; ok && i < READ_TURNS; i++)
        rates[i] = out->weights > 0 ? peak_read_gbs((int64_t)out->weights, threads, READ_SECONDS) : 0;
    if (ok) out->read = median(rates, READ_TURNS);
    return ok;
}

// What the model's products are computed in.
static peak_type type_of(const bertc_model *model) {
    cJSON *root = cJSON_Parse(bertc_model_json(model));
    const char *dtype = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "dtype"));
    precision p = PRECISION_F32;
    if (dtype) precision_find(dtype, &p);
    cJSON_Delete(root);
    return p == PRECISION_BF16 ? PEAK_BF16 : p == PRECISION_INT8 ? PEAK_INT8 : PEAK_F32;
}

bool bench_measure(const bench_options *o, bertc_model *model, const workload *w, int threads, measured *out,
                   diag *d) {
    char isa[64];
    isa_of(model, isa, sizeof(isa));
    double *times = memory_zero((size_t)o->rounds, sizeof(double)),
           *peaks = memory_zero((size_t)o->rounds, sizeof(double));
    if (!times || !peaks) {
        free(times);
        free(peaks);
        return diag_error(d, NULL, "out of memory: %" PRId64 " rounds", o->rounds);
    }
    caller c = {0};
    bool ok =
        count_work(o, model, w, threads, out, d) && caller_open(&c, o, model, w, threads, NULL, NULL, d);
    if (ok) {
        double last = 0;
        for (int i = 0; ok && i < WARM_ROUNDS && last < LONG_SECONDS; i++) ok = caller_call(&c, w, &last, d);
        for (int64_t i = 0; ok && i < o->rounds; i++) {
            progress_at(o->progress, o->timed, (double)i / (double)o->rounds);
            peaks[i] = peak_gops(type_of(model), isa, threads, PEAK_SECONDS);
            if (last < LONG_SECONDS) ok = caller_call(&c, w, &last, d); // it brings the weights back
            ok = ok && caller_call(&c, w, &times[i], d);
            last = times[i];
        }
        out->anonymous = anonymous_bytes();
    }
    caller_close(&c);
    if (ok) {
        double middle = median(times, o->rounds), peak = median(peaks, o->rounds); // which sorts them
        out->seconds = middle, out->fastest = times[0];
        out->peak = peak, out->best = peaks[o->rounds - 1];
    }
    free(times);
    free(peaks);
    return ok;
}

// --- Profile

typedef struct profile {
    int count;
    phase_time rows[PHASE_NAMES];
    char names[PHASE_NAMES][64];
} profile;

// "layer.11.attention.query" -> "layer.*.attention.query": twelve layers make one row.
static void general_name(const char *name, char *out, size_t size) {
    size_t n = 0;
    for (const char *p = name; *p && n + 2 < size; p++) {
        bool number = *p >= '0' && *p <= '9' && p > name && p[-1] == '.';
        if (!number) {
            out[n++] = *p;
            continue;
        }
        while (p[1] >= '0' && p[1] <= '9') p++;
        out[n++] = '*';
    }
    out[n] = 0;
}

static void add_phase(void *user, const bertc_phase_event *event) {
    profile *p = user;
    char name[64];
    general_name(event->name, name, sizeof(name));
    int i = 0;
    while (i < p->count && strcmp(p->names[i], name)) i++;
    if (i == PHASE_NAMES) return;
    if (i == p->count) snprintf(p->names[p->count++], sizeof(p->names[0]), "%s", name);
    p->rows[i].seconds += event->seconds;
    p->rows[i].flops += event->flops;
    p->rows[i].bytes += event->bytes;
}

static void print_phase(const bench_options *o, const char *name, const phase_time *r, double total,
                        int64_t rounds, const measured *m) {
    double peak = m->peak, read = m->read;
    double rate = r->seconds > 0 ? r->flops / r->seconds * 1e-9 : 0;
    double traffic = r->seconds > 0 ? (double)r->bytes / r->seconds * 1e-9 : 0;
    double milliseconds = r->seconds / (double)rounds * 1e3;
    if (o->out->form == FORMAT_TEXT) {
        printf("  %-32s %9.3f %5.1f%% %9.1f %6.1f%% %8.2f %6.1f%%\n", name, milliseconds,
               100 * r->seconds / total, rate, 100 * rate / peak, traffic, share_of(traffic, read));
        return;
    }
    cJSON *j = cJSON_CreateObject();
    cJSON_AddStringToObject(j, "phase", name);
    json_figure(j, "milliseconds", milliseconds);
    json_figure(j, "percent_of_time", 100 * r->seconds / total);
    json_figure(j, "gflops", rate);
    json_figure(j, "percent_of_peak", 100 * rate / peak);
    json_figure(j, "gigabytes_per_second", traffic);
    json_figure(j, "percent_of_read", share_of(traffic, read));
    form_row(o->out, j);
}

bool bench_profile(const bench_options *o, bertc_model *model, const workload *w, int threads,
                   const measured *m, diag *d) {
    profile *p = memory_zero(1, sizeof(*p));
    if (!p) return diag_error(d, NULL, "out of memory: a profile");
    caller c;
    double seconds, total = 0;
    int64_t rounds = o->rounds < PROFILE_ROUNDS ? o->rounds : PROFILE_ROUNDS;
    bool ok = caller_open(&c, o, model, w, threads, add_phase, p, d) && caller_call(&c, w, &seconds, d);
    p->count = 0;
    memset(p->rows, 0, sizeof(p->rows));
    for (int64_t i = 0; ok && i < rounds; i++) ok = caller_call(&c, w, &seconds, d);
    caller_close(&c);
    for (int i = 0; i < p->count; i++) total += p->rows[i].seconds;
    if (ok && o->out->form == FORMAT_TEXT)
        printf("  %-32s %9s %6s %9s %7s %8s %7s\n", "phase", "ms", "share", "GFLOP/s", "% peak", "GB/s",
               "% read");
    for (int i = 0; ok && i < p->count; i++) print_phase(o, p->names[i], &p->rows[i], total, rounds, m);
    free(p);
    return ok;
}
