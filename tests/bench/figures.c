// bench_figures: what compiling, loading and verifying a model costs: seconds, sizes, memory.
//   bench_figures [OPTION]... SHAPE|FOLDER...
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define LOADS 5

typedef struct figures_options {
    const char *bertc, *bertc_peer, *work, *lengths, *linker, *dtype;
    bool json, no_verify;
} figures_options;

typedef struct figures {
    run_usage compile, portable, verify; // portable: for every level, otherwise as `compile`
    double code_bytes, artefact_bytes, weight_bytes, linker_kb, load_ms;
    double portable_code_bytes, portable_artefact_bytes;
} figures;

static bool is_folder(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

// The JSON object in a command's output.
static cJSON *read_json(const char *log) {
    FILE *f = fopen(log, "r");
    char *text = calloc(1, 65536);
    if (f && text) text[fread(text, 1, 65535, f)] = 0;
    if (f) fclose(f);
    cJSON *j = text && strchr(text, '{') ? cJSON_Parse(strchr(text, '{')) : NULL;
    free(text);
    return j;
}

static double number_of(const cJSON *j, const char *name) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(j, name);
    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static bool checkpoint(const figures_options *o, const char *model, char *folder, const char *log, diag *d) {
    if (is_folder(model)) return snprintf(folder, PATH_BYTES, "%s", model) < PATH_BYTES;
    snprintf(folder, PATH_BYTES, "%s/figures-%s", o->work, model);
    if (is_folder(folder)) return true;
    const char *argv[] = {o->bertc, "synth", model, "-o", folder, NULL};
    return run_command(argv, log, NULL, d);
}

// Compiles for `mcpu`; what bertc printed, or NULL with a diagnostic.
static cJSON *compile_for(const figures_options *o, const char *mcpu, const char *folder,
                          const char *artefact, const char *log, run_usage *usage, diag *d) {
    const char *argv[16] = {o->bertc, "compile", folder, "-o", artefact, "--json", "--mcpu", mcpu};
    int n = 8;
    if (o->lengths) argv[n++] = "--seq", argv[n++] = o->lengths;
    if (o->linker) argv[n++] = "--linker", argv[n++] = o->linker;
    if (o->dtype) argv[n++] = "--dtype", argv[n++] = o->dtype;
    if (!run_command(argv, log, usage, d)) return NULL;
    cJSON *j = read_json(log);
    if (!j) diag_error(d, log, "holds no JSON");
    return j;
}

// Portable, then native, which stays.
static bool compile(const figures_options *o, const char *folder, const char *artefact, const char *log,
                    figures *f, diag *d) {
    cJSON *j = compile_for(o, "portable", folder, artefact, log, &f->portable, d);
    if (!j) return false;
    f->portable_code_bytes = number_of(j, "code_bytes");
    f->portable_artefact_bytes = number_of(j, "artefact_bytes");
    cJSON_Delete(j);
    j = compile_for(o, "native", folder, artefact, log, &f->compile, d);
    if (!j) return false;
    f->code_bytes = number_of(j, "code_bytes");
    f->artefact_bytes = number_of(j, "artefact_bytes");
    f->linker_kb = number_of(j, "linker_peak_kb");
    cJSON_Delete(j);
    struct stat s;
    char weights[PATH_BYTES + 32];
    snprintf(weights, sizeof(weights), "%s/model.safetensors", folder);
    if (!stat(weights, &s)) f->weight_bytes = (double)s.st_size;
    return true;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Load and open, in new processes, the file in the page cache.
static bool load(const figures_options *o, const char *artefact, const char *log, figures *f, diag *d) {
    double ms[LOADS];
    const char *argv[] = {o->bertc_peer, artefact, "1", NULL};
    for (int i = 0; i < LOADS; i++) {
        peer p;
        bool ok = peer_start(&p, "bertc_peer", argv, log, d);
        ms[i] = p.load_ms;
        peer_stop(&p);
        if (!ok) return false;
    }
    qsort(ms, LOADS, sizeof(*ms), compare_doubles);
    f->load_ms = ms[LOADS / 2];
    return true;
}

static void print_text(const char *model, const figures *f, const figures_options *o) {
    const char *slash = strrchr(model, '/');
    if (slash && slash[1]) model = slash + 1;
    printf("| %-18s | %9.2f | %12.1f | %10.1f | %8.0f | %11.1f | %10.2f | %11.0f | %7.2f |", model,
           f->compile.seconds, (double)f->compile.anonymous_kb / 1e3, f->linker_kb / 1e3, f->code_bytes / 1e3,
           f->artefact_bytes / 1e6, f->portable.seconds, f->portable_code_bytes / 1e3, f->load_ms);
    if (o->no_verify)
        printf(" %8s | %9s |\n", "", "");
    else
        printf(" %8.2f | %9.1f |\n", f->verify.seconds, (double)f->verify.anonymous_kb / 1e3);
}

static void print_json(const char *model, const figures *f, const figures_options *o) {
    cJSON *j = cJSON_CreateObject();
    cJSON_AddStringToObject(j, "model", model);
    cJSON_AddNumberToObject(j, "compile_seconds", f->compile.seconds);
    cJSON_AddNumberToObject(j, "compile_anonymous_kb", (double)f->compile.anonymous_kb);
    cJSON_AddNumberToObject(j, "linker_peak_kb", f->linker_kb);
    cJSON_AddNumberToObject(j, "code_bytes", f->code_bytes);
    cJSON_AddNumberToObject(j, "artefact_bytes", f->artefact_bytes);
    cJSON_AddNumberToObject(j, "portable_seconds", f->portable.seconds);
    cJSON_AddNumberToObject(j, "portable_code_bytes", f->portable_code_bytes);
    cJSON_AddNumberToObject(j, "portable_artefact_bytes", f->portable_artefact_bytes);
    cJSON_AddNumberToObject(j, "checkpoint_bytes", f->weight_bytes);
    cJSON_AddNumberToObject(j, "load_milliseconds", f->load_ms);
    if (!o->no_verify) {
        cJSON_AddNumberToObject(j, "verify_seconds", f->verify.seconds);
        cJSON_AddNumberToObject(j, "verify_anonymous_kb", (double)f->verify.anonymous_kb);
    }
    char *text = cJSON_PrintUnformatted(j);
    if (text) puts(text);
    cJSON_free(text);
    cJSON_Delete(j);
}

static bool one_model(const figures_options *o, const char *model, diag *d) {
    char folder[PATH_BYTES], log[PATH_BYTES], artefact[PATH_BYTES];
    snprintf(log, sizeof(log), "%s/figures.log", o->work);
    snprintf(artefact, sizeof(artefact), "%s/figures.so", o->work);
    figures f = {0};
    if (!checkpoint(o, model, folder, log, d) || !compile(o, folder, artefact, log, &f, d) ||
        !load(o, artefact, log, &f, d))
        return false;
    unlink(artefact);
    const char *argv[8] = {o->bertc, "verify", folder};
    if (o->dtype) argv[3] = "--dtype", argv[4] = o->dtype;
    if (!o->no_verify && !run_command(argv, log, &f.verify, d)) return false;
    if (o->json)
        print_json(model, &f, o);
    else
        print_text(model, &f, o);
    fflush(stdout);
    return true;
}

static void print_head(void) {
    printf("| %-18s | %9s | %12s | %10s | %8s | %11s | %10s | %11s | %7s | %8s | %9s |\n", "model",
           "compile s", "anonymous MB", "linker MB", "code kB", "artefact MB", "portable s", "its code kB",
           "load ms", "verify s", "verify MB");
    printf(
        "| ------------------ | --------- | ------------ | ---------- | -------- | ----------- | ---------- "
        "| ----------- | ------- | -------- | --------- |\n");
}

int main(int argc, char **argv) {
    figures_options o = {.work = "bench-work"};
    option_table t = {.usage = "bench_figures SHAPE|FOLDER... [OPTION]...",
                      .summary =
                          "What compiling, loading and verifying a checkpoint costs. SHAPE: of bertc synth.",
                      .example = "bench_figures bert-base examples/models/mini-sst2"};
    options_add(&t, (option_row){"dtype", 0, OPTION_TEXT, "TYPE", "of bertc compile", &o.dtype});
    options_add(&t, (option_row){"seq", 0, OPTION_TEXT, "LENGTHS", "of bertc compile", &o.lengths});
    options_add(&t, (option_row){"linker", 0, OPTION_TEXT, "PROGRAM", "of bertc compile", &o.linker});
    options_add(&t, (option_row){"no-verify", 0, OPTION_FLAG, NULL, "without bertc verify", &o.no_verify});
    options_add(&t, (option_row){"json", 0, OPTION_FLAG, NULL, "a JSON object a model", &o.json});
    options_add(&t, (option_row){"work", 0, OPTION_TEXT, "FOLDER", "default bench-work", &o.work});
    options_add(&t,
                (option_row){"bertc", 0, OPTION_TEXT, "PROGRAM", "default: beside this program", &o.bertc});
    options_add(&t, (option_row){"bertc-peer", 0, OPTION_TEXT, "PROGRAM", "default: beside this program",
                                 &o.bertc_peer});
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (!rest.count) return usage_error(&t, "needs a SHAPE or FOLDER");
    static char bertc[PATH_BYTES], bertc_peer[PATH_BYTES];
    o.bertc = peer_program(o.bertc, NULL, "bertc", bertc);
    o.bertc_peer = peer_program(o.bertc_peer, NULL, "bertc_peer", bertc_peer);
    signal(SIGPIPE, SIG_IGN);
    diag d;
    diag_init(&d);
    if (mkdir(o.work, 0777) && errno != EEXIST) diag_error(&d, o.work, "can't be made: %s", strerror(errno));
    if (!o.json && !diag_failed(&d)) print_head();
    for (int i = 0; i < rest.count && !diag_failed(&d); i++) one_model(&o, rest.v[i], &d);
    diag_print(&d, stderr);
    status = diag_failed(&d) ? EXIT_FAILED : EXIT_OK;
    diag_free(&d);
    return status;
}
