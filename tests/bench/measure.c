#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "frontend/cli/bench/peak.h"

#define PEAK_SECONDS 0.01
#define READ_SECONDS 0.02
#define WARM_BELOW_MS                                                                                        \
    100.0 // a shorter call is made twice, and the second counts: the first brings weights and threads back
#define RETIRE_AFTER 3 // rounds, after which the slower form of ONNX Runtime's graph leaves
#define RETIRE_RATIO 1.08
#define TOLERANCE    2e-4 // of max(1, largest value), between bertc and a peer
// Of another precision, the root of the mean square over that of bertc's float32 outputs. Random weights, which know no
// large and small channels, lose more than trained ones.
#define TOLERANCE_BF16 0.05
#define TOLERANCE_INT8 0.2

const char *const contender_names[CONTENDER_KINDS] = {[BERTC] = "bertc",
                                                      [BESIDE] = "beside",
                                                      [ORT_EXPORTER] = "ort-exporter",
                                                      [ORT_FUSED] = "ort-fused",
                                                      [ORT_INT8_S8] = "ort-int8-s8",
                                                      [ORT_INT8_U8] = "ort-int8-u8",
                                                      [TORCH_EAGER] = "torch-eager",
                                                      [TORCH_INDUCTOR] = "torch-inductor"};

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median_of(double *v, int64_t n, double *low, double *high) {
    qsort(v, (size_t)n, sizeof(*v), compare_doubles);
    if (low) *low = v[n / 4];
    if (high) *high = v[(3 * n) / 4];
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

// --- Contenders

static bool torch_has(const bench_row *r) {
    return row_is(r, "f32") || row_is(r, "bf16");
}

bool contender_wanted(const bench_options *o, const bench_row *r, contender_kind kind) {
    if (row_trains(r) && kind != BERTC && kind != BESIDE && kind != TORCH_EAGER) return false;
    switch (kind) {
    case BERTC: return true;
    case BESIDE: return r->beside != NULL;
    case ORT_EXPORTER:
    case ORT_FUSED: return !r->alone && row_is(r, "f32") && (o->found & PEER_ORT);
    case ORT_INT8_S8:
    case ORT_INT8_U8: return row_is(r, "int8") && (o->found & PEER_ORT);
    case TORCH_EAGER: return !r->alone && !r->start && torch_has(r) && (o->found & PEER_EAGER);
    case TORCH_INDUCTOR: return !r->alone && !r->start && torch_has(r) && (o->found & PEER_INDUCTOR);
    case CONTENDER_KINDS: break;
    }
    return false;
}

typedef struct start_line {
    const char *argv[8];
    char model[PATH_BYTES], script[PATH_BYTES], threads[16], log[PATH_BYTES], name[64];
} start_line;

static bool bertc_line(start_line *s, const bench_options *o, const bench_row *r, diag *d) {
    if (!prepare_artefact(o, r->build, s->model, d)) return false;
    s->argv[0] = o->bertc_peer;
    s->argv[1] = s->model;
    s->argv[2] = s->threads;
    if (o->huge_pages) s->argv[3] = "huge-pages";
    return true;
}

static bool ort_line(start_line *s, const bench_options *o, contender_kind kind, const bench_row *r,
                     diag *d) {
    const char *form = kind == ORT_FUSED     ? "fused"
                       : kind == ORT_INT8_S8 ? "int8-s8"
                       : kind == ORT_INT8_U8 ? "int8-u8"
                                             : "exporter";
    if (!prepare_onnx(o, r->build->model, form, s->model, d)) return false;
    int n = 0;
    if (!*o->ort_library) {
        snprintf(s->script, sizeof(s->script), "%s/ort_peer.py", o->scripts);
        s->argv[n++] = o->python_onnx;
        s->argv[n++] = s->script;
    } else {
        s->argv[n++] = o->ort_peer;
        s->argv[n++] = o->ort_library;
    }
    s->argv[n++] = s->model;
    s->argv[n++] = s->threads;
    return true;
}

static bool torch_line(start_line *s, const bench_options *o, contender_kind kind, const bench_row *r,
                       diag *d) {
    model_sizes unused;
    if (!prepare_checkpoint(o, r->build->model, s->model, &unused, d)) return false;
    bool trains = row_trains(r);
    const char *share = r->build->dropout ? r->build->dropout : "0";
    snprintf(s->script, sizeof(s->script), "%s/%s", o->scripts,
             trains ? "torch_step_peer.py" : "torch_peer.py");
    s->argv[0] = o->python_torch;
    s->argv[1] = s->script;
    s->argv[2] = s->model;
    s->argv[3] = s->threads;
    s->argv[4] = trains ? share : kind == TORCH_EAGER ? "eager" : "inductor";
    if (row_is(r, "bf16")) s->argv[5] = "bf16";
    return true;
}

bool contender_open(contender *c, const bench_options *o, contender_kind kind, const bench_row *r,
                    int threads, model_sizes *sizes, diag *d) {
    *c = (contender){.kind = kind, .row = kind == BESIDE ? plan_row(r->beside) : r};
    char folder[PATH_BYTES], batch[PATH_BYTES];
    if (!prepare_checkpoint(o, c->row->build->model, folder, sizes, d) ||
        !prepare_batch(o, c->row, sizes->vocabulary, batch, d))
        return false;
    start_line s = {0};
    snprintf(s.threads, sizeof(s.threads), "%d", threads);
    snprintf(s.name, sizeof(s.name), "%s of %s", contender_names[kind], r->name);
    snprintf(s.log, sizeof(s.log), "%s/%s.%s.log", o->work, r->name, contender_names[kind]);
    bool ok = false;
    if (kind == BERTC || kind == BESIDE) ok = bertc_line(&s, o, c->row, d);
    if (kind >= ORT_EXPORTER && kind <= ORT_INT8_U8) ok = ort_line(&s, o, kind, c->row, d);
    if (kind == TORCH_EAGER || kind == TORCH_INDUCTOR) ok = torch_line(&s, o, kind, c->row, d);
    if (!ok) return false;
    c->running = true;
    if (!peer_start(&c->peer, s.name, s.argv, s.log, d)) return false;
    c->times = calloc((size_t)o->rounds, sizeof(double));
    if (!c->times) return diag_error(d, NULL, "out of memory");
    return peer_batch(&c->peer, batch, c->row->texts, row_length(c->row), d);
}

void contender_close(contender *c) {
    if (c->running) peer_stop(&c->peer);
    free(c->times);
    free(c->first);
    c->times = NULL;
    c->first = NULL;
    c->running = false;
}

// --- Outputs

// Largest difference over what the mask shows, relative to max(1, the largest of a). Values are [texts,
// length, hidden] first where there are so many, and then one row a text.
static double difference(const float *a, const float *b, int64_t n, const bench_row *r, int64_t hidden) {
    double largest = 1, worst = 0;
    int64_t length = row_length(r), grid = r->texts * length * hidden;
    for (int64_t i = 0; i < n; i++) {
        bool shown = n < grid || i >= grid || (i / hidden) % length < r->lengths[i / hidden / length];
        if (!shown) continue;
        double delta = fabs((double)a[i] - (double)b[i]);
        if (!(delta <= worst)) worst = delta; // also where it is no number
        if (fabs((double)a[i]) > largest) largest = fabs((double)a[i]);
    }
    return worst / largest;
}

// The root of the mean square of what b is off, over that of a.
static double mean_difference(const float *a, const float *b, int64_t n) {
    double off = 0, all = 0;
    for (int64_t i = 0; i < n; i++) {
        off += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        all += (double)a[i] * (double)a[i];
    }
    return sqrt(off / all);
}

static bool close_enough(const measured *m, contender *c, const float *reference, const float *other,
                         int64_t n, diag *d) {
    bool f32 = row_is(m->row, "f32");
    double tolerance = f32 ? TOLERANCE : row_is(m->row, "bf16") ? TOLERANCE_BF16 : TOLERANCE_INT8;
    c->difference =
        f32 ? difference(reference, other, n, m->row, m->sizes.hidden) : mean_difference(reference, other, n);
    if (c->difference <= tolerance) return true;
    return diag_error(d, c->peer.name, "its outputs differ from bertc's in float32 by %g, above %g",
                      c->difference, tolerance);
}

// Of a float32 row every peer is held against bertc, by the largest difference; of another precision everyone, bertc too,
// against bertc's float32, the row beside.
static bool compare_outputs(const bench_options *o, measured *m, diag *d) {
    char file[PATH_BYTES];
    snprintf(file, sizeof(file), "%s/%s.out", o->work, m->row->name);
    int64_t n, k;
    int reference = 0;
    for (int i = 0; i < m->count && !row_is(m->row, "f32"); i++)
        if (m->contenders[i].kind == BESIDE) reference = i;
    float *own = peer_outputs(&m->contenders[reference].peer, file, &n, d);
    bool ok = own != NULL;
    for (int i = 0; ok && i < m->count; i++) {
        contender *c = &m->contenders[i];
        if (c->kind == BESIDE || i == reference) continue;
        float *other = peer_outputs(&c->peer, file, &k, d);
        ok = other != NULL;
        if (ok && k != n)
            ok = diag_error(d, c->peer.name, "gives %lld numbers, bertc %lld", (long long)k, (long long)n);
        if (ok) ok = close_enough(m, c, own, other, n, d);
        free(other);
    }
    free(own);
    return ok;
}

// Loss and norm of the first step, by the same rules. What dropout drops is another matter in each program.
static bool compare_steps(measured *m, diag *d) {
    int reference = 0;
    for (int i = 0; i < m->count && !row_is(m->row, "f32"); i++)
        if (m->contenders[i].kind == BESIDE) reference = i;
    bool ok = true;
    for (int i = 0; ok && i < m->count && !m->row->build->dropout; i++)
        ok = close_enough(m, &m->contenders[i], m->contenders[reference].first, m->contenders[i].first, 2, d);
    return ok;
}

// --- Rounds

static bool time_call(contender *c, diag *d) {
    double ms;
    double last = c->count > 0 ? c->times[c->count - 1] : c->watched;
    bool long_call = last >= WARM_BELOW_MS;
    if (!peer_go(&c->peer, long_call ? 1 : 2, &ms, d)) return false;
    c->times[c->count++] = ms;
    peer_settle(&c->peer); // ONNX Runtime's threads spin for 20 ms and more, on CPUs that the next one needs
    return true;
}

static void summarise(contender *c) {
    c->median = median_of(c->times, c->count, &c->low, &c->high);
}

// Of the two forms of ONNX Runtime's graph the slower one has shown that it is after a few rounds.
static void retire_slower_form(measured *m) {
    contender *a = NULL, *b = NULL;
    for (int i = 0; i < m->count; i++) {
        contender_kind kind = m->contenders[i].kind;
        if (kind == ORT_EXPORTER || kind == ORT_INT8_S8) a = &m->contenders[i];
        if (kind == ORT_FUSED || kind == ORT_INT8_U8) b = &m->contenders[i];
    }
    if (!a || !b || a->retired || b->retired || a->count != RETIRE_AFTER) return;
    double x[RETIRE_AFTER], y[RETIRE_AFTER];
    memcpy(x, a->times, sizeof(x));
    memcpy(y, b->times, sizeof(y));
    double ratio = median_of(x, RETIRE_AFTER, NULL, NULL) / median_of(y, RETIRE_AFTER, NULL, NULL);
    if (ratio > RETIRE_RATIO) a->retired = true;
    if (ratio < 1 / RETIRE_RATIO) b->retired = true;
}

typedef struct bursts {
    double *products, *attention, *reads;
    int64_t count, read_count;
} bursts;

static peak_type products_type(const bench_row *r) {
    return row_is(r, "bf16") ? PEAK_BF16 : row_is(r, "int8") ? PEAK_INT8 : PEAK_F32;
}

// Attention is in bf16 where the level multiplies it and rows are not float32; so peak_gops takes it for.
static peak_type attention_type(const bench_row *r) {
    return row_is(r, "bf16") || row_is(r, "int8") ? PEAK_BF16 : PEAK_F32;
}

static void burst(const measured *m, bursts *b) {
    peak_type products = products_type(m->row), attention = attention_type(m->row);
    double peak = peak_gops(products, m->isa, m->threads, PEAK_SECONDS);
    b->products[b->count] = peak;
    b->attention[b->count++] =
        products == attention ? peak : peak_gops(attention, m->isa, m->threads, PEAK_SECONDS);
}

static void find_bound(measured *m, bursts *b) {
    m->peak = median_of(b->products, b->count, &m->peak_low, &m->peak_high);
    m->attention_peak = median_of(b->attention, b->count, NULL, NULL);
    m->read_gbs = median_of(b->reads, b->read_count, NULL, NULL);
    double attention = row_attention_flops(m->row, &m->sizes);
    double computing = (m->flops - attention) / m->peak + attention / m->attention_peak;
    double reading = row_weight_bytes(m->row, &m->sizes) / m->read_gbs;
    m->bound = 1e-6 * fmax(computing, reading);
}

static bool run_rounds(const bench_options *o, measured *m, diag *d) {
    size_t most = (size_t)(o->rounds * CONTENDER_KINDS);
    double *times = calloc(3 * most, sizeof(double));
    if (!times) return diag_error(d, NULL, "out of memory");
    bursts b = {times, times + most, times + 2 * most, 0, 0};
    bool ok = true;
    for (int i = 0; i < m->count; i++) peer_settle(&m->contenders[i].peer);
    for (int64_t round = 0; ok && round < o->rounds; round++) {
        b.reads[b.read_count++] =
            peak_read_gbs((int64_t)row_weight_bytes(m->row, &m->sizes), m->threads, READ_SECONDS);
        for (int i = 0; ok && i < m->count; i++) {
            if (m->contenders[i].retired) continue;
            burst(m, &b);
            ok = time_call(&m->contenders[i], d);
        }
        retire_slower_form(m);
    }
    if (ok) {
        find_bound(m, &b);
        for (int i = 0; i < m->count; i++) summarise(&m->contenders[i]);
    }
    free(times);
    return ok;
}

// A step's loss and norm are compared as the first step has them; the second one is looked at, since by then the optimiser has
// all its states.
static bool watch_step(const bench_options *o, contender *c, const measured *m, diag *d) {
    char file[PATH_BYTES];
    snprintf(file, sizeof(file), "%s/%s.out", o->work, m->row->name);
    int64_t n;
    c->first = peer_outputs(&c->peer, file, &n, d);
    return c->first && peer_watch(&c->peer, &c->anonymous_kb, &c->watched, d);
}

// One more contender of the row. A peer that was not asked for by name and can't run is left out, with a
// note.
static bool add_contender(const bench_options *o, measured *m, contender_kind kind, diag *d) {
    contender *c = &m->contenders[m->count++];
    double unused;
    diag own;
    diag_init(&own);
    model_sizes sizes;
    bool ok = contender_open(c, o, kind, m->row, m->threads, &sizes, &own) &&
              peer_go(&c->peer, 1, &unused, &own) && (!row_trains(m->row) || watch_step(o, c, m, &own));
    bool needed = kind == BERTC || kind == BESIDE || o->peers;
    const char *why = own.count ? own.items[own.count - 1].text : "can't run";
    if (!ok && needed) diag_error(d, NULL, "%s", why);
    if (!ok && !needed) {
        diag_note(d, NULL, "left out: %s", why);
        contender_close(c);
        m->count--;
    }
    diag_free(&own);
    if (ok && kind == BERTC) {
        m->sizes = sizes;
        snprintf(m->isa, sizeof(m->isa), "%s", c->peer.isa);
    }
    return ok || !needed;
}

bool measure_row(const bench_options *o, const bench_row *r, int threads, measured *m, diag *d) {
    *m = (measured){.row = r, .threads = threads};
    for (int kind = 0; kind < CONTENDER_KINDS; kind++) {
        if (!contender_wanted(o, r, (contender_kind)kind)) continue;
        if (!add_contender(o, m, (contender_kind)kind, d)) return false;
    }
    m->flops = row_flops(r, &m->sizes);
    return (row_trains(r) ? compare_steps(m, d) : compare_outputs(o, m, d)) && run_rounds(o, m, d);
}

void measured_free(measured *m) {
    for (int i = 0; i < m->count; i++) contender_close(&m->contenders[i]);
    m->count = 0;
}

const contender *measured_find(const measured *m, contender_kind kind) {
    for (int i = 0; i < m->count; i++) {
        if (m->contenders[i].kind == kind) return &m->contenders[i];
    }
    return NULL;
}

const contender *measured_best_ort(const measured *m) {
    const contender *best = NULL;
    for (int i = 0; i < m->count; i++) {
        const contender *c = &m->contenders[i];
        if (c->kind < ORT_EXPORTER || c->kind > ORT_INT8_U8) continue;
        if (!best || c->median < best->median) best = c;
    }
    return best;
}
