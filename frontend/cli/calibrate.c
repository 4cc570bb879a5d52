#include "frontend/cli/calibrate.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/data/line_reader.h"
#include "frontend/hub/files/text.h"
#include "ir/memory.h"

// --- Texts

typedef struct texts {
    int count, room;
    const char **line;
} texts;

static bool is_blank(const char *line) {
    while (isspace((unsigned char)*line)) line++;
    return !*line;
}

static void add_text(texts *t, arena *a, const char *line) {
    if (t->count == t->room) {
        int room = t->room ? 2 * t->room : 64;
        const char **more = ARENA_ARRAY(a, const char *, room);
        if (t->count) memcpy(more, t->line, sizeof(*more) * (size_t)t->count);
        t->line = more;
        t->room = room;
    }
    t->line[t->count++] = arena_strdup(a, line);
}

// As `bertc run --input` reads lines: a byte order mark and CR are no part of them.
static bool read_line(line_reader *in, texts *t, arena *a, diag *d) {
    int64_t n = line_reader_next(in, d);
    if (n == LINE_END) return false;
    if (n == LINE_OVER)
        return diag_error(d, in->name, "line %lld is longer than 64 MiB", (long long)in->number);
    char *line = in->buffer;
    if (in->number == 1 && !strncmp(line, "\xef\xbb\xbf", 3)) line += 3, n -= 3;
    while (n && line[n - 1] == '\r') line[--n] = 0;
    size_t good = hub_utf8_prefix(line, (size_t)n);
    if (good < (size_t)n)
        return diag_error(d, in->name, "line %lld is not UTF-8 from byte %zu on", (long long)in->number,
                          good + 1);
    if (!is_blank(line)) add_text(t, a, line);
    return true;
}

static bool read_texts(const char *file, arena *a, texts *t, diag *d) {
    line_reader in;
    *t = (texts){0};
    bool ok = line_reader_open(&in, file, d);
    while (ok && read_line(&in, t, a, d)) {
    }
    line_reader_close(&in);
    if (!ok || diag_failed(d)) return false;
    return t->count || diag_error(d, file, "holds no text to calibrate by: one text per line");
}

// --- What the values reach

typedef struct collector {
    const graph *g;
    const variant *x; // that runs the call
    bindings sizes;   // of the call
    float **largest;  // by value, of its channels; NULL: it is no rows, or has no name
    double **sums;    // the same: [2,N], of the channels and of their squares
    int64_t *rows;    // by value: summed
} collector;

static collector collector_of(const graph *g, arena *a) {
    collector c = {.g = g,
                   .largest = ARENA_ARRAY(a, float *, g->count),
                   .sums = ARENA_ARRAY(a, double *, g->count),
                   .rows = ARENA_ARRAY(a, int64_t, g->count)};
    for (value v = 0; v < g->count; v++) {
        const node *n = graph_node(g, v);
        const type *t = &n->type;
        bool rows = t->rank == 2 && t->e == ELEM_F32 && t->d[0].s != SYM_NONE && t->d[1].s == SYM_NONE;
        if (!rows || !n->name || n->op == OP_input) continue;
        c.largest[v] = ARENA_ARRAY(a, float, t->d[1].n);
        c.sums[v] = ARENA_ARRAY(a, double, 2 * t->d[1].n);
    }
    return c;
}

static void collect(collector *c, value v, const float *got) {
    const type *t = graph_type(c->g, v);
    int64_t ld = c->x->places[v].ld, rows = dim_value(t->d[0], &c->sizes), n = t->d[1].n;
    float *largest = c->largest[v];
    double *sum = c->sums[v], *squares = sum + n;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t k = 0; k < n; k++) {
            double x = (double)got[i * ld + k];
            largest[k] = fmaxf(largest[k], (float)fabs(x));
            sum[k] += x;
            squares[k] += x * x;
        }
    }
    c->rows[v] += rows;
}

static void on_phase(void *user, const bertc_phase_event *event) {
    collector *c = user;
    if (event->node < 0 || event->node >= c->g->count) return;
    const node *n = graph_node(c->g, (value)event->node);
    for (int i = 0, k = 0; i < node_yield_count(n) && k < event->result_count; i++) {
        value v = graph_result_find(c->g, (value)event->node, i);
        if (v == VALUE_NONE) continue;
        const void *got = event->results[k++];
        if (c->largest[v]) collect(c, v, got);
    }
}

static channel_range range_of(const collector *c, value v, arena *a) {
    int64_t n = graph_type(c->g, v)->d[1].n, rows = c->rows[v];
    float *mean = ARENA_ARRAY(a, float, n), *deviation = ARENA_ARRAY(a, float, n);
    for (int64_t k = 0; k < n && rows; k++) {
        double m = c->sums[v][k] / (double)rows, square = c->sums[v][n + k] / (double)rows;
        mean[k] = (float)m;
        deviation[k] = (float)sqrt(fmax(square - m * m, 0));
    }
    return (channel_range){arena_strdup(a, graph_node(c->g, v)->name), n, c->largest[v], mean, deviation};
}

static calibration calibration_of(const collector *c, arena *a) {
    calibration out = {0};
    channel_range *ranges = ARENA_ARRAY(a, channel_range, c->g->count);
    for (value v = 0; v < c->g->count; v++)
        if (c->largest[v]) ranges[out.count++] = range_of(c, v, a);
    out.ranges = ranges;
    return out;
}

// --- Runs

// The shortest variant that holds n tokens, which is the one that the runtime takes.
static const variant *variant_of(const graph *g, int64_t n) {
    const variant *best = NULL;
    for (int i = 0; i < g->variant_count; i++) {
        const variant *x = &g->variants[i];
        if (x->length >= n && (!best || x->length < best->length)) best = x;
    }
    return best;
}

static int64_t longest_of(const graph *g) {
    int64_t most = 0;
    for (int i = 0; i < g->variant_count; i++)
        most = g->variants[i].length > most ? g->variants[i].length : most;
    return most;
}

typedef struct call {
    int64_t most; // tokens
    int32_t *ids, *types;
    float **outputs;
} call;

static bool run_text(bertc_session *s, collector *c, const char *text, const call *x, diag *d) {
    const bertc_text one = {.text = text, .size = strlen(text)};
    const bertc_token *tokens;
    bertc_error e;
    size_t n;
    if (!bertc_tokenize(s, &one, x->most, BERTC_TRUNCATE_LONGEST_FIRST, &tokens, &n, &e))
        return runtime_failed(d, &e);
    for (size_t i = 0; i < n; i++) {
        x->ids[i] = tokens[i].id;
        x->types[i] = tokens[i].type;
    }
    c->sizes = (bindings){.v = {[SYM_T] = (int64_t)n, [SYM_S] = 1, [SYM_R] = (int64_t)n}};
    c->x = variant_of(c->g, (int64_t)n);
    bertc_batch b = {BERTC_SIZED(bertc_batch), 1, (int64_t)n, x->ids, NULL, x->types};
    return bertc_run(s, &b, x->outputs, NULL, &e) || runtime_failed(d, &e);
}

static bool run_texts(opened *m, collector *c, const texts *t, arena *a, diag *d) {
    bertc_error e;
    bertc_session_options so = {BERTC_SIZED(bertc_session_options), .threads = 1, .hook = on_phase,
                                .hook_user = c};
    bertc_session *s = bertc_open(m->model, &so, &e);
    if (!s) return runtime_failed(d, &e);
    call x = {.most = longest_of(c->g)};
    x.ids = ARENA_ARRAY(a, int32_t, x.most);
    x.types = ARENA_ARRAY(a, int32_t, x.most);
    x.outputs = ARENA_ARRAY(a, float *, c->g->output_count);
    for (int i = 0; i < c->g->output_count; i++)
        x.outputs[i] = arena_alloc(a, bertc_output_bytes(m->model, i, 1, x.most));
    bool ok = true;
    for (int i = 0; i < t->count && ok; i++) {
        progress_at(m->build.artefact.progress, "calibrating", (double)i / t->count);
        ok = run_text(s, c, t->line[i], &x, d);
    }
    bertc_close(s);
    return ok;
}

// The ranges of the model that `o` makes, compiled for this machine.
static bool run_model(const build_options *o, const texts *t, arena *a, calibration *out, diag *d) {
    opened m;
    bool ok = opened_open(&m, o->hub.model, o, d);
    if (ok && !m.build.model.tokenizer)
        ok = diag_error(d, o->hub.model, "has no tokenizer to read the texts of --calibrate with");
    if (ok) {
        const graph *g = m.build.module->graphs[0];
        collector c = collector_of(g, a);
        ok = run_texts(&m, &c, t, a, d);
        if (ok) *out = calibration_of(&c, a);
    }
    progress_line_clear(&m.build.line);
    opened_close(&m);
    return ok;
}

// What the second run knows, and of the first what has no row of its own any more: norms that were smoothed, which will
// be smoothed again by the same numbers.
static calibration both(const calibration *first, const calibration *second, arena *a) {
    channel_range *ranges = ARENA_ARRAY(a, channel_range, first->count + second->count);
    calibration out = {second->count, ranges};
    memcpy(ranges, second->ranges, sizeof(*ranges) * (size_t)second->count);
    for (int i = 0; i < first->count; i++)
        if (!calibration_find(second, first->ranges[i].name, first->ranges[i].n))
            ranges[out.count++] = first->ranges[i];
    return out;
}

// The list with spread_outliers, which is on for int8, and off where the list says so.
static const char *with_spread(const char *list, arena *a) {
    static const char name[] = "spread_outliers";
    if (!list) return arena_printf(a, "+%s", name);
    bool changes = *list == '+' || *list == '-';
    return !changes || strstr(list, name) ? list : arena_printf(a, "%s,+%s", list, name);
}

bool calibrate(const build_options *o, const char *file, arena *a, calibration *out, diag *d) {
    texts t;
    if (build_precision(o) != PRECISION_INT8)
        return diag_error(d, "--calibrate", "has no effect without --dtype int8");
    if (o->graph) return diag_error(d, "--calibrate", "is of the checkpoint's own graph, not of --graph");
    if (!read_texts(file, a, &t, d)) return false;
    build_options with = *o;
    with.keeps.count = 0;
    with.dtype = with.calibrate = with.mcpu = with.triple = with.print_after = with.report = NULL;
    with.usual_mcpu = NULL;
    with.stops = with.graph_only = false;
    with.batch = 1;
    calibration first;
    if (!run_model(&with, &t, a, &first, d)) return false;
    with.calibration = &first;
    with.passes = with_spread(o->passes, a);
    calibration second;
    if (!run_model(&with, &t, a, &second, d)) return false;
    *out = both(&first, &second, a);
    return true;
}

bool calibrate_options(build_options *o, const char *path, arena *a, diag *d) {
    if (!o->calibrate) return true;
    build_options with = *o;
    calibration *ranges = ARENA_NEW(a, calibration);
    with.hub.model = path;
    o->calibration = ranges;
    return calibrate(&with, o->calibrate, a, ranges, d);
}
