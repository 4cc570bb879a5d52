// Graph to graph. passes.def lists the pipeline; each pass is one file. The one public header of passes/.
#ifndef BERTC_PASSES_H
#define BERTC_PASSES_H

#include "ir/ir.h"

// What a value of rows was over texts (bertc compile --calibrate), channel by channel: the largest magnitude, and mean and
// deviation (NULL: not known).
typedef struct channel_range {
    const char *name; // of the value, after the passes of STAGE_FUSED
    int64_t n;
    const float *largest, *mean, *deviation;
} channel_range;
typedef struct calibration {
    int count;
    const channel_range *ranges;
    bool rough; // of few and random tokens: enough to find large channels, not for static scales
} calibration;
// NULL where it has none of that name and width. `c` may be NULL.
const channel_range *calibration_find(const calibration *c, const char *name, int64_t n);

// What `optimize` makes of gradients: AdamW.
typedef struct optimizer_options {
    double beta1, beta2, epsilon, weight_decay;
    // The factor of the rate for a tensor of the checkpoint, 0: it is frozen. NULL: 1 for all.
    double (*rate)(void *context, const char *name);
    void *context;
} optimizer_options;
// As Transformers' options have them.
#define OPTIMIZER_USUAL {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8}

// What a step of training keeps of its forward part for its backward part; the rest is made again there.
typedef enum keep_policy {
    KEEP_PRODUCTS,   // what products and attention make, and numbers at random: the default
    KEEP_EVERYTHING, // nothing is made again
    KEEP_LINEAR,     // what products with weights make
    KEEP_NOTHING,    // as little memory as can be
    KEEP_BUDGET,     // what fits
    KEEP_COUNT
} keep_policy;
// By its word ("products", "everything", "linear", "nothing"); false for others.
bool keep_policy_find(const char *word, keep_policy *out);

// What `recompute` chose.
typedef struct memory_choice {
    bool made;                         // did the pass run, over a graph that trains?
    int64_t state_bytes;               // of states and weights
    int64_t arena_bytes, arena_before; // of the largest variant, and with everything kept
    double share;                      // of the step's time that making again is expected to take
    int count;
    const struct memory_line { // values that are made again, by their names with N for numbers
        const char *name;
        int values;
        int64_t bytes;
    } *lines;
} memory_choice;

typedef struct memory_options {
    keep_policy policy;
    int64_t budget; // of KEEP_BUDGET: bytes of states, weights, arena, and of what is
    int64_t beside; // beside these
    // The largest variant that will be added, and for what. No target: sizes are those of 16 texts of 128 tokens.
    int64_t length, batch;
    const target *targets;
    int target_count;
    // Gets what was chosen for the first graph, and lives as long as that. NULL: nobody asks.
    memory_choice *choice;
} memory_options;

typedef struct pass_context {
    const target *target;        // schedule needs it; NULL where only graph passes run
    const tensor_source *source; // fold_constants may read small tensors; may be NULL
    diag *diag;
    FILE *report;            // fusion report (what fired, what did not and why), or NULL
    const char *print_after; // name of a pass, "all", or NULL; printed to `print_to`
    FILE *print_to;
    bool verify;         // after each pass
    precision precision; // what lower_precision makes of products
    const char *keep;    // names and patterns of what it leaves as it is, by commas; NULL: none
    // Different arithmetic classes that the model is compiled for; none: one graph stays one. See passes_run_to.
    const char *const *classes;
    int class_count;
    // For int8: static scales of the rows that it knows, and what spread_outliers smooths by. NULL: none.
    const calibration *calibration;
    bool train;                         // the default list is that of a training step
    const optimizer_options *optimizer; // NULL: OPTIMIZER_USUAL
    const memory_options *memory;       // what recompute keeps; NULL: KEEP_PRODUCTS
} pass_context;

// How far a graph has come.
typedef enum pass_stage {
    STAGE_INPUT,  // as the frontend writes it: one op a node
    STAGE_FUSED,  // one kernel a node, weights as they stand in the checkpoint
    STAGE_PACKED, // a graph a class; weights in the order in which kernels read them, each with its place
    STAGE_FINAL   // with variants
} pass_stage;
const char *passes_stage_name(pass_stage stage); // "fused"
// By its name; false for other words.
bool passes_stage_find(const char *name, pass_stage *out);
// The stage that a graph has surely reached: one without packed weights and places is STAGE_INPUT, fused or
// not; one in which a weight is packed is STAGE_FUSED.
pass_stage passes_stage_of(const graph *g);

typedef struct pass_info {
    const char *name, *summary;
    bool on_by_default; // whatever the precision
    bool on_for_int8;   // where products are computed in int8
    bool per_variant;   // schedule, plan_memory: those of STAGE_FINAL
    bool needed;        // by a later pass
    pass_stage stage;
    bool for_training; // on where a step of training is made: it takes a graph with a loss
} pass_info;
int passes_count(void);
const pass_info *passes_info(int i);

// The passes that such a list (see passes_run) comes to for a graph of that stage, in their order, and those of a variant behind them;
// `out` has room for `most` names. How many; -1: the list is wrong, as running it says.
int passes_listed(const char *list, pass_stage reached, const pass_context *c, const char **out, int most);

// Runs the graph passes. `list`: NULL for the default pipeline; "a,b,c": exactly these, in this order;
// "-a,+b": the default pipeline without a and with b. Unknown names are errors.
// An error where there are passes to run and the graph has variants, which they would make wrong.
bool passes_run(graph *g, const char *list, const pass_context *c);
// The same over all graphs of a module, pass by pass. Before the first pass of STAGE_PACKED a module of one
// graph of class f32 becomes one of a graph for each of c->classes: what comes before runs once a model.
bool passes_run_module(module *m, const char *list, const pass_context *c);
// The same up to a stage: passes of later ones are left out. Of the default pipeline, those are too that
// belong to the stage that the graphs have reached, so that text of any stage goes on from there. An error
// where the graphs have reached different ones.
bool passes_run_to(module *m, pass_stage last, const char *list, const pass_context *c);
// Adds a variant for texts of up to `length` tokens, length x batch in one call: schedule and plan_memory for
// c->target. Returns its index, -1 on failure.
int passes_add_variant(graph *g, int64_t length, int64_t batch, const pass_context *c);

#endif
