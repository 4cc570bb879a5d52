#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "frontend/cli/cli.h"
#include "ir/memory.h"

typedef struct compile_options {
    build_options build;
    const char *output, *emit, *linker;
    bool json;
} compile_options;

static void table_init(option_table *t, compile_options *o) {
    *t = (option_table){
        .usage = "bertc compile MODEL -o FILE [OPTION]...",
        .summary =
            "Compiles a checkpoint (a Hugging Face folder, or model.safetensors / model.st with its "
            "config.json\n"
            "beside it) to one shared object that libbertc loads: code, weights, tokenizer and labels.",
        .example = "bertc compile examples/models/mini-sst2 -o sentiment.so --seq 32,128"};
    *o = (compile_options){0};
    options_add(t, (option_row){"output", 'o', OPTION_TEXT, "FILE",
                                "what to write (`-` for standard output with --emit ir)", &o->output});
    options_add(t, (option_row){"emit", 0, OPTION_TEXT, "KIND", "so (default), obj, asm, llvm, ir, header",
                                &o->emit});
    options_add(t, (option_row){"linker", 0, OPTION_TEXT, "PROGRAM",
                                "default: ld.lld, ld or cc, whichever is there", &o->linker});
    build_options_add(t, &o->build);
    options_add(t, (option_row){"json", 0, OPTION_FLAG, NULL, "print the figures as JSON", &o->json});
}

static bool emit_kind_of(const char *word, emit_kind *kind) {
    static const char *const words[] = {[EMIT_SO] = "so",
                                        [EMIT_OBJ] = "obj",
                                        [EMIT_ASM] = "asm",
                                        [EMIT_LLVM] = "llvm",
                                        [EMIT_HEADER] = "header"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!strcmp(word, words[i])) {
            *kind = (emit_kind)i;
            return true;
        }
    }
    return false;
}

// The op-graph IR.
static bool write_ir(const build *b, const char *output, diag *d) {
    if (!strcmp(output, "-")) {
        graph_print(b->model.graph, &b->model.source, stdout);
        return flush_stdout(d);
    }
    char *text = NULL;
    size_t size = 0;
    FILE *f = memory_must(memory_stream(&text, &size));
    graph_print(b->model.graph, &b->model.source, f);
    if (!memory_stream_end(f, &text)) memory_exhausted();
    bool ok = backend_write_text(output, text, size, d);
    free(text);
    return ok;
}

static void print_times(const build *b, const backend_times *t, double total) {
    printf("  checkpoint %.3f s, passes %.3f, emit %.3f, optimise %.3f, code %.3f, weights %.3f, link %.3f: "
           "%.3f s\n",
           b->checkpoint_seconds, b->pass_seconds, t->emit, t->optimise, t->codegen, t->weights, t->link,
           total);
}

static void print_memory(const build *b) {
    const graph *g = b->model.graph;
    char text[32];
    printf("  weights %s\n", size_text(g->weight_bytes, text, sizeof(text)));
    for (int i = 0; i < g->variant_count; i++) {
        const variant *v = &g->variants[i];
        printf("  %-16s arena %s for %lld tokens\n", v->name, size_text(v->arena_bytes, text, sizeof(text)),
               (long long)v->tokens);
    }
}

// The figures as JSON; `name` is the output's, quoted.
static void print_figures_json(const char *name, const build *b, const backend_times *t, double total,
                               long resident) {
    const struct {
        const char *name;
        double value;
    } rows[] = {{"seconds", total},
                {"checkpoint_seconds", b->checkpoint_seconds},
                {"pass_seconds", b->pass_seconds},
                {"emit_seconds", t->emit},
                {"optimise_seconds", t->optimise},
                {"codegen_seconds", t->codegen},
                {"weights_seconds", t->weights},
                {"link_seconds", t->link},
                {"artefact_bytes", (double)t->artefact_bytes},
                {"code_bytes", (double)t->code_bytes},
                {"resident_kb", (double)resident},
                {"linker_peak_kb", (double)t->linker_peak_kb}};
    printf("{\"output\":%s", name);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        printf(",\"%s\":%.15g", rows[i].name, rows[i].value);
    puts("}");
}

// `name`: the output's as JSON, where that is asked for. The target is written by now, so nothing here may fail
// for want of memory.
static void print_figures(const compile_options *o, const char *name, const build *b, const backend_times *t,
                          double total) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    char size[32], code[32];
    if (name) {
        print_figures_json(name, b, t, total, r.ru_maxrss);
        return;
    }
    printf("%s: %s (code %s), %.2f s\n", o->output, size_text(t->artefact_bytes, size, sizeof(size)),
           size_text(t->code_bytes, code, sizeof(code)), total);
    const char *report = o->build.report;
    if (report && !strcmp(report, "time")) print_times(b, t, total);
    if (report && !strcmp(report, "memory")) {
        print_memory(b);
        printf("  resident at most %ld kB with the mapped files, linker %ld kB\n", r.ru_maxrss,
               t->linker_peak_kb);
    }
}

static char *json_text(const char *text) {
    cJSON *j = cJSON_CreateString(text);
    char *quoted = cJSON_PrintUnformatted(j);
    cJSON_Delete(j);
    return quoted;
}

static bool compile(const compile_options *o, diag *d) {
    double start = seconds_now();
    build b;
    backend_times times = {0};
    bool ir = o->emit && !strcmp(o->emit, "ir");
    emit_options e = {.output = o->output, .linker = o->linker, .optimise = (int)o->build.optimise};
    if (o->emit && !ir) emit_kind_of(o->emit, &e.kind);
    build_options with = o->build;
    with.graph_only = ir;
    if (!spares_checkpoint(&o->build.hub, o->output, d)) return false;
    bool ok = build_open(&b, &with, d);
    char *name = o->json ? json_text(o->output) : NULL;
    if (ok && ir) ok = write_ir(&b, o->output, d);
    if (ok && !ir) ok = backend_write(&b.artefact, &e, &times, d);
    progress_line_clear(&b.line);
    if (ok && !ir) print_figures(o, name, &b, &times, seconds_now() - start);
    cJSON_free(name);
    build_close(&b);
    return ok && flush_stdout(d);
}

int command_compile(int argc, char **argv) {
    option_table t;
    compile_options o;
    arguments rest;
    table_init(&t, &o);
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count != 1) return usage_error(&t, "needs one MODEL");
    if (!o.output) return usage_error(&t, "needs -o FILE");
    emit_kind kind;
    if (o.emit && strcmp(o.emit, "ir") && !emit_kind_of(o.emit, &kind)) {
        return usage_error(&t, "--emit: '%s' is none of so, obj, asm, llvm, ir, header", o.emit);
    }
    if (!strcmp(o.output, "-") && (!o.emit || strcmp(o.emit, "ir")))
        return usage_error(&t, "-o - is for --emit ir");
    o.build.hub.model = rest.v[0];
    diag d;
    diag_init(&d);
    compile(&o, &d);
    return finish(&d);
}
