#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/cli.h"
#include "frontend/cli/graph.h"
#include "frontend/cli/memory.h"

typedef struct opt_options {
    const char *passes, *print_after, *report, *dtype, *mcpu, *memory;
    int64_t length, batch; // of the calls that --memory is for
} opt_options;

// What --memory asks of the pass `recompute`, for calls on `t`.
static bool read_memory(const opt_options *o, const target *t, memory_options *out, memory_choice *choice,
                        diag *d) {
    *out = (memory_options){.length = o->length, .batch = o->batch, .targets = t, .target_count = 1};
    out->choice = choice;
    return memory_read(o->memory, out, d);
}

static void opt(const char *path, const opt_options *o, diag *d) {
    precision p = PRECISION_F32;
    target t;
    size_t size;
    memory_options memory;
    memory_choice choice = {0};
    if (o->dtype) precision_find(o->dtype, &p);
    // Text of a class keeps it.
    if (!target_init(&t, NULL, o->mcpu, p, d)) return;
    if (o->memory && !read_memory(o, &t, &memory, &choice, d)) return;
    char *text = may_be_graph(path, d) ? read_text(path, &size, d) : NULL;
    if (!text) return;
    const char *class = t.class;
    arena *a = arena_new();
    module *m = graph_parse_classes(a, strcmp(path, "-") ? path : "<stdin>", text, size, d);
    pass_context c = {.diag = d, .print_after = o->print_after, .print_to = stderr, .verify = true};
    c.report = o->report ? stderr : NULL;
    c.precision = p;
    c.classes = &class;
    c.class_count = p == PRECISION_F32 ? 0 : 1;
    c.memory = o->memory ? &memory : NULL;
    bool ok = m && passes_run_module(m, o->passes, &c);
    if (ok && o->memory && !choice.made)
        ok = diag_error(d, "--memory", "the pass recompute did not run over a step of training");
    if (ok && o->memory) memory_tell(&memory, stderr);
    if (ok) {
        module_print(m, NULL, stdout);
        flush_stdout(d);
    }
    arena_free(a);
    free(text);
}

int command_opt(int argc, char **argv) {
    opt_options o = {.length = 128, .batch = 16};
    bool list = false;
    precision known;
    option_table t = {
        .usage = "bertc opt FILE.ir [OPTION]...",
        .summary = "Reads an op graph as text (`-`: standard input), runs passes over it and prints "
                   "it. Without --passes it\n"
                   "runs the default pipeline. `bertc compile MODEL --emit ir --stage input` writes such a "
                   "graph, and --graph takes one.",
        .example = "bertc compile examples/models/mini-sst2 --emit ir --stage input -o "
                   "encoder.ir\n"
                   "         bertc opt encoder.ir --passes merge_qkv,fuse_epilogue"};
    options_add(&t,
                (option_row){"passes", 0, OPTION_TEXT, "LIST",
                             "a,b,c: exactly these passes; -a,+b: the default pipeline without a and with b",
                             &o.passes});
    options_add(&t, (option_row){"print-after", 0, OPTION_TEXT, "PASS",
                                 "print the IR after this pass (or after `all`) on stderr", &o.print_after});
    options_add(&t,
                (option_row){"report", 0, OPTION_TEXT, "WHAT",
                             "fusion: print on stderr what was fused, and what was not and why", &o.report});
    options_add(
        &t, (option_row){"dtype", 0, OPTION_TEXT, "TYPE",
                         "element type that lower_precision gives products: f32 (default), bf16, int8, int8w",
                         &o.dtype});
    options_add(&t, (option_row){
                        "mcpu", 0, OPTION_TEXT, "CPU",
                        "the CPU whose arithmetic class is used where the graph names none (default: native)",
                        &o.mcpu});
    options_add(&t,
                (option_row){"memory", 0, OPTION_TEXT, "SIZE",
                             "for the pass recompute: " MEMORY_HELP "; what it chose is printed on stderr",
                             &o.memory});
    options_add(&t, (option_row){"seq", 0, OPTION_INT, "N", "with --memory: tokens of a text (default 128)",
                                 &o.length, 1});
    options_add(&t, (option_row){"batch", 0, OPTION_INT, "N", "with --memory: texts of a call (default 16)",
                                 &o.batch, 1});
    options_add(&t, (option_row){"list", 0, OPTION_FLAG, NULL, "list the passes in the order of the pipeline",
                                 &list});
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (!list && rest.count != 1) return usage_error(&t, "needs one FILE");
    if (o.report && strcmp(o.report, "fusion"))
        return usage_error(&t, "--report takes fusion, not '%s'", o.report);
    if (o.dtype && !precision_find(o.dtype, &known))
        return usage_error(&t, "--dtype takes f32, bf16, int8 or int8w, not '%s'", o.dtype);
    if (!o.memory && (o.length != 128 || o.batch != 16))
        return usage_error(&t, "--seq and --batch go with --memory");
    diag d;
    diag_init(&d);
    for (int i = 0; list && i < passes_count(); i++) {
        const pass_info *p = passes_info(i);
        printf("%-16s %s%s%s\n", p->name, p->summary,
               p->on_by_default  ? ""
               : p->on_for_int8  ? " (on for int8)"
               : p->for_training ? " (on for training)"
                                 : " (off by default)",
               p->per_variant ? " (once a variant)" : "");
    }
    if (!list) opt(rest.v[0], &o, &d);
    return finish(&d);
}
