// bench_serve: what a server of embeddings carries, by an open-loop load (load.h).
//   bench_serve --at 127.0.0.1:8080 [OPTION]...
//
// Texts have the lengths of --lengths, in tokens, in equal shares; of a vocabulary in which letters are tokens. Each is first asked for
// alone, one after the other. Every later answer must be that one, byte for byte. Then come as many requests as --connections take
// (the throughput), and requests at --rate, or --load of that throughput, at exponential intervals, for --seconds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/options.h"
#include "load.h"

enum { TEXTS = 64, BODY = 1200 };

typedef struct serve_options {
    const char *at, *path, *answers;
    int_list lengths;
    int64_t connections, seed, pid;
    double seconds, full_seconds, rate, load, per_second;
    bool json;
} serve_options;

static void table_init(option_table *t, serve_options *o) {
    *t = (option_table){
        .usage = "bench_serve --at WHERE [OPTION]...",
        .summary =
            "Throughput and latencies of a server of embeddings, and whether its answers keep their bits."};
    *o = (serve_options){.at = "127.0.0.1:8080",
                         .path = "/embed",
                         .connections = 256,
                         .seed = 1,
                         .seconds = 30,
                         .full_seconds = 10,
                         .load = 0.7};
    options_add(t, (option_row){"at", 0, OPTION_TEXT, "WHERE", "ADDRESS:PORT or unix:PATH", &o->at});
    options_add(t, (option_row){"path", 0, OPTION_TEXT, "PATH", "default /embed", &o->path});
    options_add(t, (option_row){"lengths", 0, OPTION_INTS, "LIST", "tokens of texts (default 8,16,...,128)",
                                &o->lengths, 3, 512});
    options_add(t, (option_row){"connections", 0, OPTION_INT, "N", "default 256", &o->connections, 1});
    options_add(t, (option_row){"seconds", 0, OPTION_NUMBER, "S", "of the load (default 30)", &o->seconds});
    options_add(t, (option_row){"full-seconds", 0, OPTION_NUMBER, "S",
                                "of the throughput (default 10; 0: none)", &o->full_seconds});
    options_add(
        t, (option_row){"rate", 0, OPTION_NUMBER, "R", "requests per second (default: by --load)", &o->rate});
    options_add(t, (option_row){"load", 0, OPTION_NUMBER, "X",
                                "share of --per-second, else of the throughput (default 0.7)", &o->load});
    options_add(
        t, (option_row){"per-second", 0, OPTION_NUMBER, "R", "what --load is a share of", &o->per_second});
    options_add(t, (option_row){"pid", 0, OPTION_INT, "PID", "the server's, for its memory", &o->pid, 1});
    options_add(t, (option_row){"seed", 0, OPTION_INT, "N", "default 1", &o->seed});
    options_add(t, (option_row){"answers", 0, OPTION_TEXT, "FILE",
                                "writes a line of JSON per text: {\"text\", \"answer\"}", &o->answers});
}

// n tokens, with [CLS] and [SEP]: letters, which differ from text to text.
static void make_body(char *to, int64_t n, int which) {
    size_t at = (size_t)sprintf(to, "{\"inputs\": \"");
    for (int64_t k = 0; k < n - 2; k++)
        at +=
            (size_t)sprintf(to + at, "%s%c", k ? " " : "", 'a' + (char)((which * 7 + k * (which + 3)) % 26));
    sprintf(to + at, "\"}");
}

static double memory_mb(int64_t pid) {
    char path[64], line[256];
    double kb = 0;
    snprintf(path, sizeof path, "/proc/%lld/status", (long long)pid);
    FILE *f = pid ? fopen(path, "r") : NULL;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %lf", &kb) == 1) break;
    if (f) fclose(f);
    return kb / 1024;
}

static bool write_answers(const char *path, char bodies[][BODY], char *const *answers) {
    FILE *f = path ? fopen(path, "w") : NULL;
    if (!path) return true;
    if (!f) return perror(path), false;
    for (int i = 0; i < TEXTS; i++) {
        size_t n = strlen(bodies[i]);
        fprintf(f, "{\"text\": %.*s, \"answer\": %s}\n", (int)(n - strlen("{\"inputs\": }")),
                bodies[i] + strlen("{\"inputs\": "), answers[i]);
    }
    return fclose(f) == 0;
}

static void print(const char *what, const load_options *l, const load_result *r) {
    printf("{\"what\": \"%s\", \"rate\": %.2f, \"seconds\": %.2f, \"sent\": %lld, \"answered\": %lld, "
           "\"refused\": %lld, "
           "\"failed\": %lld, \"wrong\": %lld, \"late\": %lld, \"per_second\": %.2f, \"p50_ms\": %.3f, "
           "\"p90_ms\": %.3f, "
           "\"p99_ms\": %.3f, \"max_ms\": %.3f, \"p99_over_p50\": %.3f}\n",
           what, l->rate, r->seconds, (long long)r->sent, (long long)r->answered, (long long)r->refused,
           (long long)r->failed, (long long)r->wrong, (long long)r->late, (double)r->answered / r->seconds,
           1e3 * load_quantile(r, 0.5), 1e3 * load_quantile(r, 0.9), 1e3 * load_quantile(r, 0.99),
           1e3 * load_quantile(r, 1), load_quantile(r, 0.99) / load_quantile(r, 0.5));
    fflush(stdout);
}

// The texts' answers, each alone.
static bool ask_alone(const serve_options *o, char bodies[][BODY], char **answers) {
    for (int i = 0; i < TEXTS; i++) {
        int status;
        make_body(bodies[i], o->lengths.v[i % o->lengths.count], i);
        answers[i] = load_ask(o->at, o->path, bodies[i], &status);
        if (status == 200) continue;
        fprintf(stderr, "bench_serve: %s%s: status %d: %s\n", o->at, o->path, status,
                answers[i] ? answers[i] : "no reply");
        return false;
    }
    return true;
}

static bool measure(const serve_options *o, load_options *l) {
    load_result r = {0};
    bool good = true;
    double full = o->per_second;
    if (o->full_seconds > 0) {
        l->seconds = o->full_seconds;
        if (!load_run(l, &r)) return false;
        print("full", l, &r);
        good = !r.wrong && !r.failed;
        if (!(full > 0)) full = (double)r.answered / r.seconds;
        load_free(&r);
    }
    l->rate = o->rate > 0 ? o->rate : o->load * full;
    l->seconds = o->seconds;
    if (!(l->rate > 0) || !(o->seconds > 0)) return good;
    double before = memory_mb(o->pid);
    if (!load_run(l, &r)) return false;
    print("load", l, &r);
    if (o->pid)
        printf("{\"what\": \"memory\", \"before_mb\": %.1f, \"after_mb\": %.1f}\n", before,
               memory_mb(o->pid));
    good = good && !r.wrong && !r.failed;
    load_free(&r);
    return good;
}

int main(int argc, char **argv) {
    static char bodies[TEXTS][BODY];
    char *answers[TEXTS] = {NULL};
    const char *sent[TEXTS], *expected[TEXTS];
    option_table t;
    serve_options o;
    arguments rest;
    table_init(&t, &o);
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (!o.lengths.count)
        for (int i = 0; i < 16; i++) o.lengths.v[o.lengths.count++] = 8 + 8 * i;
    bool ok = ask_alone(&o, bodies, answers) && write_answers(o.answers, bodies, answers);
    for (int i = 0; i < TEXTS; i++) sent[i] = bodies[i], expected[i] = answers[i];
    load_options l = {.at = o.at,
                      .path = o.path,
                      .bodies = sent,
                      .body_count = TEXTS,
                      .connections = (int)o.connections,
                      .seed = (uint64_t)o.seed,
                      .expected = expected};
    ok = ok && measure(&o, &l);
    for (int i = 0; i < TEXTS; i++) free(answers[i]);
    return ok ? EXIT_OK : EXIT_FAILED;
}
