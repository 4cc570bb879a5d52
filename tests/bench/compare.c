// bench_compare: the figures of docs/benchmarks.md, each in one run.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define ROWS_MAX 64

typedef struct row_list {
    int count;
    const bench_row *v[ROWS_MAX];
} row_list;

// bf16, int8 and int8w name all of their rows but those of the tiny model and of training; training names these.
static const char *group_of(const bench_row *r) {
    bool tiny = strstr(r->name, "tiny") != NULL;
    if (row_trains(r)) return tiny ? "" : "training";
    return tiny || !r->build->dtype ? "" : r->build->dtype;
}

static int choose_rows(const option_table *t, const char *shapes, row_list *out) {
    int n;
    const bench_row *all = plan_rows(&n);
    out->count = 0;
    if (!strcmp(shapes, "all")) {
        for (int i = 0; i < n; i++) {
            if (!all[i].by_name_only) out->v[out->count++] = &all[i];
        }
        return -1;
    }
    for (const char *at = shapes;; at++) {
        char name[64];
        size_t length = strcspn(at, ",");
        snprintf(name, sizeof(name), "%.*s", (int)length, at);
        int before = out->count;
        for (int i = 0; i < n; i++) {
            bool one = !strcmp(all[i].name, name), group = !strcmp(name, group_of(&all[i]));
            if ((one || group) && out->count < ROWS_MAX) out->v[out->count++] = &all[i];
        }
        if (out->count == before) return usage_error(t, "--shapes: no row '%s'", name);
        at += length;
        if (!*at) return -1;
    }
}

static bool make_folder(const char *path, diag *d) {
    if (mkdir(path, 0777) == 0 || errno == EEXIST) return true;
    return diag_error(d, path, "can't be made: %s", strerror(errno));
}

static void say_who(const bench_options *o) {
    fprintf(stderr, "bench_compare: %lld rounds; ONNX Runtime: %s; PyTorch: %s%s\n", (long long)o->rounds,
            !(o->found & PEER_ORT) ? "none"
            : *o->ort_library      ? o->ort_library
                                   : "for Python",
            o->found & PEER_EAGER ? "eager " : "", o->found & PEER_INDUCTOR ? "inductor" : "");
}

static bool one_row(const bench_options *o, const bench_row *r, int threads, diag *d) {
    if (r->start) return measure_start(o, r, threads, d);
    measured m;
    bool ok = measure_row(o, r, threads, &m, d);
    if (ok && row_trains(r)) report_training(o, &m);
    if (ok && !row_trains(r)) report_row(o, &m);
    measured_free(&m);
    return ok;
}

// Tables of other columns come behind the first: steps of training, and starts.
enum { TABLE_CALLS, TABLE_TRAINING, TABLE_STARTS, TABLES };

static int table_of(const bench_row *r) {
    return r->start ? TABLE_STARTS : row_trains(r) ? TABLE_TRAINING : TABLE_CALLS;
}

static bool one_table(const bench_options *o, const row_list *rows, int table, diag *d) {
    bool begun = false;
    for (int i = 0; i < rows->count; i++) {
        if (table_of(rows->v[i]) != table) continue;
        if (!begun && table == TABLE_CALLS) report_head(o);
        if (!begun && table == TABLE_TRAINING) report_training_head(o);
        begun = true;
        for (int k = 0; k < o->threads.count; k++)
            if (!one_row(o, rows->v[i], (int)o->threads.v[k], d)) return false;
    }
    return true;
}

static bool compare(bench_options *o, const row_list *rows, diag *d) {
    if (!peers_find(o, d)) return false;
    say_who(o);
    if (o->probe) return true;
    if (!make_folder(o->work, d)) return false;
    for (int table = 0; table < TABLES; table++)
        if (!one_table(o, rows, table, d)) return false;
    return true;
}

static void add_options(option_table *t, bench_options *o) {
    option_row rows[] = {
        {"shapes", 0, OPTION_TEXT, "ROWS",
         "all (default: those of float32), or names by commas: base-32, base-128, ...; bf16, int8, int8w, "
         "training: all of these",
         &o->shapes},
        {"threads", 'j', OPTION_INTS, "LIST", "default 1,2", &o->threads, 1},
        {"rounds", 0, OPTION_INT, "N", "default 15", &o->rounds, 1},
        {"json", 0, OPTION_FLAG, NULL, "a JSON object per row", &o->json},
        {"peers", 0, OPTION_TEXT, "LIST", "ort, eager, inductor, or none (default: those that are here)",
         &o->peers},
        {"probe", 0, OPTION_FLAG, NULL, "only say which peers are here; fails where one of --peers is not",
         &o->probe},
        {"ort", 0, OPTION_TEXT, "PATH",
         "libonnxruntime.so, a node_modules folder, or `python` (default: BERTC_BENCH_ORT, or " BENCH_ORT ")",
         &o->ort},
        {"python", 0, OPTION_TEXT, "PROGRAM", "with onnx and numpy (default: python3, /usr/bin/python3)",
         &o->python},
        {"passes", 0, OPTION_TEXT, "LIST", "of bertc compile", &o->passes},
        {"huge-pages", 0, OPTION_FLAG, NULL, "bertc's weights in 2 MB pages", &o->huge_pages},
        {"work", 0, OPTION_TEXT, "FOLDER", "checkpoints, artefacts, graphs: some GB (default bench-work)",
         &o->work},
        {"bertc", 0, OPTION_TEXT, "PROGRAM", "default: BERTC, or beside this program", &o->bertc},
        {"bertc-peer", 0, OPTION_TEXT, "PROGRAM", "default: beside this program", &o->bertc_peer},
        {"ort-peer", 0, OPTION_TEXT, "PROGRAM", "default: beside this program", &o->ort_peer},
        {"scripts", 0, OPTION_TEXT, "FOLDER", "with onnx_graph.py and the like (default " BENCH_SCRIPTS ")",
         &o->scripts},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) options_add(t, rows[i]);
}

int main(int argc, char **argv) {
    bench_options o = {.shapes = "all", .threads = {2, {1, 2}}, .rounds = 15, .work = "bench-work"};
    o.ort = getenv("BERTC_BENCH_ORT") ? getenv("BERTC_BENCH_ORT") : BENCH_ORT;
    o.scripts = BENCH_SCRIPTS;
    o.started = time(NULL);
    option_table t = {
        .usage = "bench_compare [OPTION]...",
        .summary =
            "Times bertc, ONNX Runtime and PyTorch on the same weights, in turn; compares their outputs "
            "first.",
        .example = "bench_compare --shapes base-128,minilm-128 --threads 1,2"};
    add_options(&t, &o);
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count) return usage_error(&t, "takes no argument");
    row_list rows;
    status = choose_rows(&t, o.shapes, &rows);
    if (status >= 0) return status;
    static char bertc[PATH_BYTES], bertc_peer[PATH_BYTES], ort_peer[PATH_BYTES];
    o.bertc = peer_program(o.bertc, "BERTC", "bertc", bertc);
    o.bertc_peer = peer_program(o.bertc_peer, "BERTC_BENCH_PEER", "bertc_peer", bertc_peer);
    o.ort_peer = peer_program(o.ort_peer, "BERTC_BENCH_ORT_PEER", "ort_peer", ort_peer);
    signal(SIGPIPE, SIG_IGN);
    diag d;
    diag_init(&d);
    compare(&o, &rows, &d);
    diag_print(&d, stderr);
    status = diag_failed(&d) ? EXIT_FAILED : EXIT_OK;
    diag_free(&d);
    return status;
}
