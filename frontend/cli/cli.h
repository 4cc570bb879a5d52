// The bertc command: each subcommand is one file. They share two steps: checkpoint -> graph with variants
// (`build`), and checkpoint or artefact -> loaded model (`opened`).
#ifndef BERTC_CLI_H
#define BERTC_CLI_H

#include <cjson/cJSON.h>

#include "backend/backend.h"
#include "frontend/cli/options.h"
#include "frontend/cli/progress_line.h"
#include "frontend/hub/hub.h"
#include "ir/ir.h"
#include "passes/passes.h"
#include "runtime/bertc.h"

// --- Subcommands: argv[0] is the subcommand's name; the exit status is returned.
int command_compile(int argc, char **argv);
int command_run(int argc, char **argv);
int command_serve(int argc, char **argv);
int command_evaluate(int argc, char **argv);
int command_tokenize(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_opt(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_synth(int argc, char **argv);
int command_train(int argc, char **argv);
int command_targets(int argc, char **argv);

// --- build.c: from a checkpoint to an artefact's graph, for the backend.

#define BUILD_TARGETS_MAX 8

typedef struct build_options {
    hub_options hub;
    text_list adapters, keeps; // of keeps each "f32:NAMES"
    int_list lengths;          // empty: 128 and the smaller of 512 and the model's positions
    int64_t batch, optimise;
    const char *mcpu;       // one or several, separated by commas; NULL: usual_mcpu
    const char *usual_mcpu; // "portable", or "native" (NULL too)
    const char *triple, *dtype, *passes, *print_after, *report;
    const char *calibrate; // NULL, or a file of texts for static scales: calibrate_options
    const char *graph;     // NULL, or op-graph text in place of the checkpoint's own graph
    bool stops;            // the graph is wanted as it is at `last`, and no code
    pass_stage last;
    const calibration *calibration; // for int8; NULL: none
    // The graph is only printed: no variants are made where the chosen passes leave the weights without
    // places.
    bool graph_only;
    // With hub.train.task: a step is made, with gradients and AdamW. NULL: none.
    const optimizer_options *optimizer;
    // Of the step: --memory, NULL: the default; bytes of its budget that are for something else; where to say what was chosen,
    // NULL: nowhere.
    const char *memory;
    int64_t memory_beside;
    FILE *memory_told;
    int64_t *layers; // NULL, or where the number of the model's layers goes before the passes run
} build_options;

typedef struct build {
    arena *arena;
    hub_model model;
    module *module; // the graphs that are compiled: the checkpoint's own, or those of --graph
    bool model_open;
    int target_count;
    target targets[BUILD_TARGETS_MAX];
    artefact artefact;
    char *json;
    const calibration *calibration; // of the passes, for int8; NULL: none
    double checkpoint_seconds, pass_seconds;
    pass_stage reached; // of the graph that was read
    progress_line line;
} build;

// `hub`, and the longest of the lengths.
hub_options build_hub(const build_options *o);
// Adds the options of compiling to the table, and sets `o` to their defaults. usual_mcpu: without --mcpu.
void build_options_add(option_table *t, build_options *o, const char *usual_mcpu);
// Compile options make no sense for an artefact. Returns a usage error if `path` is one and any was given,
// else -1. `sizes`: --seq and --batch are allowed, since the command gives them a meaning of their own.
int build_options_check(const option_table *t, const build_options *o, const char *path, bool sizes);
// Reads the checkpoint, runs the passes, adds the variants. False with diagnostics. build_close in both
// cases.
bool build_open(build *b, const build_options *o, diag *d);
// What the artefact was made by and of: "bertc", "llvm", "checkpoint", "options", "passes".
void describe_making(cJSON *root, const build *b, const build_options *o);
// Text that JSON and people read: model, task, variants, kernels.
char *build_describe(const build *b, const build_options *o);
void build_close(build *b);

// --- build_targets.c

// Is a step of training made, with gradients and an optimiser?
bool build_makes_step(const build_options *o);
// Of `dtype`; f32 where none was asked for.
precision build_precision(const build_options *o);
// The names of all --keep, "a,b" in `a`; NULL: there are none.
const char *build_keep(const build_options *o, arena *a);
// The CPUs that are asked for, by --mcpu or because the command usually takes them.
const char *build_mcpu(const build_options *o);
// One target for each name of these, and one for each level that `portable` stands for, the highest rank first.
bool build_targets(build *b, const build_options *o, diag *d);
// When the graphs are packed: of targets whose code is equal (target_settle) the one of the lowest level is kept, with
// its tuning.
void build_settle(build *b);

// --- open.c: a model to run, from an artefact or, by JIT, from a checkpoint.

typedef struct opened {
    bertc_model *model;
    build build; // where it was a checkpoint
    jit *jit;
    backend_times times;
} opened;
// False, with a diagnostic that says what it is and what helps, where a file is of another kind.
bool may_be_artefact(const char *path, diag *d);
bool opened_open(opened *o, const char *path, const build_options *options, diag *d);
// When all sessions that there will be are open: memory that only opening took goes back to the system.
void opened_settle(opened *o);
void opened_close(opened *o);

// --- Small things

// Prints the diagnostics, ends them; EXIT_FAILED where there are errors, else EXIT_OK.
int finish(diag *d);
// Adds the message of a runtime function.
bool runtime_failed(diag *d, const bertc_error *e);
double seconds_now(void);                          // monotonic
int compare_doubles(const void *a, const void *b); // for qsort
bool is_checkpoint(const char *path);              // a folder, or weights by their ending or first bytes
// Flushes stdout; false, with a diagnostic, where it or stderr can't be written (a full disk). Said once.
bool flush_stdout(diag *d);
// Do two paths lead to the same regular file?
bool same_file(const char *a, const char *b);
// False, with a diagnostic, where the output would take the place of a file that the checkpoint is read from.
bool spares_checkpoint(const hub_options *o, const char *output, diag *d);
// "12.3 MB"; into buf, which is returned.
const char *size_text(int64_t bytes, char *buf, size_t size);
// Prints a cJSON value on one line and deletes it.
void print_json(cJSON *json);
// One line of JSON (frontend/hub/files/out.h has the style); freed by the caller.
char *json_line(const cJSON *json);
// That line and a line break, as a file that is whole or absent.
bool json_file(const char *path, const cJSON *json, diag *d);
// Adds a measured number, or one that is computed for reading. It is rounded to a float: more than nine digits would say nothing.
// NaN and infinity become null.
void json_figure(cJSON *o, const char *name, double x);

#endif
