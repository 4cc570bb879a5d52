#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "frontend/cli/calibrate.h"
#include "frontend/cli/forms.h"
#include "frontend/cli/step.h"
#include "frontend/hub/files/file.h"
#include "ir/memory.h"
#include "ir/output_file.h"

typedef struct compile_options {
    build_options build;
    const char *output, *emit, *stage, *linker;
    form_choice figures;
    step_options step;
} compile_options;

static void table_init(option_table *t, compile_options *o) {
    *t = (option_table){
        .usage = "bertc compile MODEL -o FILE [OPTION]...",
        .summary =
            "Compiles a checkpoint (a Hugging Face folder, or a file of weights with its "
            "config.json\n"
            "beside it) to one shared object that libbertc loads: code, weights, tokenizer and labels.",
        .example = "bertc compile examples/models/mini-sst2 -o sentiment.so --seq 32,128"};
    *o = (compile_options){0};
    options_add(t, (option_row){"output", 'o', OPTION_TEXT, "FILE",
                                "the file to write (with --emit ir, `-` is standard output)", &o->output});
    options_add(t, (option_row){"emit", 0, OPTION_TEXT, "KIND", "so (default), obj, asm, llvm, ir, header",
                                &o->emit});
    options_add(t, (option_row){"stage", 0, OPTION_TEXT, "STAGE",
                                "for --emit ir, how far the graph has come: input (as it was read), fused, "
                                "packed (weights in the kernels' order), final (default: with variants)",
                                &o->stage});
    options_add(t, (option_row){"linker", 0, OPTION_TEXT, "PROGRAM",
                                "the linker (default: the first of ld.lld, ld and cc that is installed)",
                                &o->linker});
    options_add(t,
                (option_row){"dimensions", 0, OPTION_INT, "N",
                             "keep the first N numbers of an embedding (default: as the folder says, or all)",
                             &o->build.hub.dimensions, 1});
    options_add(t, (option_row){"normalize", 0, OPTION_FLAG, NULL,
                                "scale embeddings to length 1, after --dimensions", &o->build.hub.normalize});
    form_options_add(t, &o->figures, "print the figures as JSON", false);
    build_options_add(t, &o->build, "portable");
    t->group = "of --train: the step that the artefact makes";
    step_options_add(t, &o->step);
    options_add(t, (option_row){"dropout", 0, OPTION_NUMBER, "P",
                                "the share that is dropped wherever the model drops any (default 0)",
                                &o->build.hub.train.dropout, .ceiling = 0.999999});
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
        module_print(b->module, &b->model.source, stdout);
        return hub_unchanged(&b->model, d) && flush_stdout(d);
    }
    char *text = NULL;
    size_t size = 0;
    FILE *f = memory_must(memory_stream(&text, &size));
    module_print(b->module, &b->model.source, f);
    if (!memory_stream_end(f, &text)) memory_exhausted();
    bool ok =
        hub_unchanged(&b->model, d) && flush_stdout(d) && output_file_text(output, text, size, false, d);
    free(text);
    return ok;
}

// Of levels that threads make side by side, the threads' seconds, and what the clock says.
static void print_times(const build *b, const backend_times *t, double total) {
    printf("  checkpoint %.3f s, passes %.3f, emit %.3f, optimise %.3f, code %.3f", b->checkpoint_seconds,
           b->pass_seconds, t->emit, t->optimise, t->codegen);
    if (t->threads > 1) printf(" (both on %d threads, %.3f)", t->threads, t->code);
    printf(", weights %.3f, link %.3f: %.3f s\n", t->weights, t->link, total);
}

static void print_memory(const build *b) {
    const module *m = b->module;
    char text[32];
    printf("  weights %s\n", size_text(module_weight_bytes(m), text, sizeof(text)));
    for (int i = 0; i < module_variant_count(m); i++) {
        const variant *v = module_variant(m, i, NULL);
        printf("  %-16s arena %s for %lld tokens\n", v->name, size_text(v->arena_bytes, text, sizeof(text)),
               (long long)v->tokens);
    }
}

static void print_figures(const compile_options *o, const build *b, const backend_times *t, double total) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    char size[32], code[32];
    if (o->figures.json) {
        cJSON *j = cJSON_CreateObject();
        cJSON_AddStringToObject(j, "output", o->output);
        json_figure(j, "seconds", total);
        json_figure(j, "checkpoint_seconds", b->checkpoint_seconds);
        json_figure(j, "pass_seconds", b->pass_seconds);
        json_figure(j, "emit_seconds", t->emit);
        json_figure(j, "optimise_seconds", t->optimise);
        json_figure(j, "codegen_seconds", t->codegen);
        json_figure(j, "code_seconds", t->code);
        cJSON_AddNumberToObject(j, "code_threads", t->threads);
        json_figure(j, "weights_seconds", t->weights);
        json_figure(j, "link_seconds", t->link);
        cJSON_AddNumberToObject(j, "artefact_bytes", (double)t->artefact_bytes);
        cJSON_AddNumberToObject(j, "code_bytes", (double)t->code_bytes);
        cJSON_AddNumberToObject(j, "resident_kb", (double)r.ru_maxrss);
        cJSON_AddNumberToObject(j, "linker_peak_kb", (double)t->linker_peak_kb);
        print_json(j);
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

typedef struct compilation {
    const compile_options *options;
    build build;
    double start;
} compilation;

// The last that may fail without a trace: the status then says whether the output was replaced.
static bool before_output(void *user, const backend_times *times, diag *d) {
    compilation *c = user;
    progress_line_clear(&c->build.line);
    if (!hub_unchanged(&c->build.model, d)) return false;
    print_figures(c->options, &c->build, times, seconds_now() - c->start);
    return flush_stdout(d);
}

static void compile(compile_options *o, diag *d) {
    compilation c = {.options = o, .start = seconds_now()};
    bool ir = o->emit && !strcmp(o->emit, "ir");
    emit_options e = {.output = o->output,
                      .linker = o->linker,
                      .optimise = (int)o->build.optimise,
                      .ready = before_output,
                      .user = &c};
    if (o->emit && !ir) emit_kind_of(o->emit, &e.kind);
    build_options with = o->build;
    with.graph_only = ir;
    optimizer_options optimizer = step_optimizer(&o->step);
    if (o->build.hub.train.task) with.optimizer = &optimizer;
    with.memory = o->step.memory;
    with.memory_told = !with.memory ? NULL : strcmp(o->output, "-") ? stdout : stderr;
    with.layers = &o->step.rates.layers;
    if (!spares_checkpoint(&o->build.hub, o->output, d)) return;
    if (o->build.graph && same_file(o->build.graph, o->output)) {
        diag_error(d, o->output, "is the graph that is read, and would be replaced");
        return;
    }
    arena *a = arena_new();
    bool ok = calibrate_options(&with, o->build.hub.model, a, d);
    ok = ok && build_open(&c.build, &with, d);
    if (ok && !(o->build.stops && o->build.last == STAGE_INPUT)) ok = tensor_rates_check(&o->step.rates, d);
    if (ok && ir) write_ir(&c.build, o->output, d);
    ok = ok && (ir || backend_write(&c.build.artefact, &e, NULL, d));
    progress_line_clear(&c.build.line);
    bool whole = !o->emit || !strcmp(o->emit, "so") || !strcmp(o->emit, "obj");
    if (ok && whole && !c.build.model.tokenizer && !o->build.hub.train.task)
        diag_note(
            d, o->output,
            "has no tokenizer, so it takes token ids (bertc run --tensors, bertc bench) and no texts: put "
            "tokenizer.json or vocab.txt beside the weights, or name it with --tokenizer FILE");
    build_close(&c.build);
    arena_free(a);
}

// Whoever names a model of the Hub, as a first try, learns that bertc reads folders before that -o is missing.
static int lacks_output(const option_table *t, const char *model) {
    diag d;
    diag_init(&d);
    bool there = hub_is_there(model, &d);
    int status = finish(&d);
    return there ? usage_error(t, "needs -o FILE") : status;
}

int command_compile(int argc, char **argv) {
    option_table t;
    compile_options o;
    arguments rest;
    table_init(&t, &o);
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count != 1) return usage_error(&t, "needs one MODEL");
    if (!o.output) return lacks_output(&t, rest.v[0]);
    status = form_options_check(&t, &o.figures, false, NULL);
    if (status >= 0) return status;
    emit_kind kind;
    if (o.emit && strcmp(o.emit, "ir") && !emit_kind_of(o.emit, &kind)) {
        return usage_error(&t, "--emit: '%s' is none of so, obj, asm, llvm, ir, header", o.emit);
    }
    if (o.stage && (!o.emit || strcmp(o.emit, "ir"))) return usage_error(&t, "--stage goes with --emit ir");
    if (o.stage && !passes_stage_find(o.stage, &o.build.last))
        return usage_error(&t, "--stage: '%s' is none of input, fused, packed, final", o.stage);
    o.build.stops = o.stage && o.build.last < STAGE_FINAL;
    if (!strcmp(o.output, "-") && (!o.emit || strcmp(o.emit, "ir")))
        return usage_error(&t, "-o - is for --emit ir");
    o.build.hub.model = rest.v[0];
    if ((step_options_given(&o.step) || o.build.hub.train.dropout > 0) && !o.build.hub.train.task)
        return usage_error(&t, "options of a step go with --train");
    diag d;
    diag_init(&d);
    compile(&o, &d);
    return finish(&d);
}
