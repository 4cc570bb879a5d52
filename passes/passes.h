// Passes rewrite the graph. passes.def lists the pipeline; each pass is one file. The one public header of passes/.
#ifndef BERTC_PASSES_H
#define BERTC_PASSES_H

#include "ir/ir.h"

// What was measured of a value over texts (bertc compile --calibrate), channel by channel: the largest magnitude,
// and the mean and the deviation (NULL: not known).
typedef struct channel_range {
    const char *name; // of the value, after the passes of STAGE_FUSED
    int64_t n;
    const float *largest, *mean, *deviation;
} channel_range;
typedef struct calibration {
    int count;
    const channel_range *ranges;
    bool rough; // measured on a few random tokens: good enough to find large channels, not for static scales
} calibration;
// NULL if there is no range of that name and width. `c` may be NULL.
const channel_range *calibration_find(const calibration *c, const char *name, int64_t n);

// The optimiser of the pass `optimize`: AdamW.
typedef struct optimizer_options {
    double beta1, beta2, epsilon, weight_decay;
    // The factor of the learning rate for a tensor of the checkpoint; 0: it is frozen. NULL: 1 for all.
    double (*rate)(void *context, const char *name);
    void *context;
} optimizer_options;
// Transformers' defaults.
#define OPTIMIZER_USUAL {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8}

// What a training step keeps of its forward part for its backward part. The rest is computed again there.
typedef enum keep_policy {
    KEEP_PRODUCTS,   // results of products and attention, and random numbers: the default
    KEEP_EVERYTHING, // nothing is computed again
    KEEP_LINEAR,     // results of products with weights
    KEEP_NOTHING,    // as little as possible
    KEEP_BUDGET,     // what fits
    KEEP_COUNT
} keep_policy;
// Finds a policy by its word ("products", "everything", "linear", "nothing"); false for other words.
bool keep_policy_find(const char *word, keep_policy *out);

// What `recompute` chose.
typedef struct memory_choice {
    bool made;                         // did the pass run, on a graph that trains?
    int64_t state_bytes;               // of states and weights
    int64_t arena_bytes, arena_before; // of the largest variant; before: with everything kept
    double share;                      // of the step's time, spent on computing again, by the cost model
    int count;
    const struct memory_line { // values that are computed again, grouped by name, with N for numbers
        const char *name;
        int values;
        int64_t bytes;
    } *lines;
} memory_choice;

typedef struct memory_options {
    keep_policy policy;
    int64_t budget; // for KEEP_BUDGET: the most bytes of states, weights, arena, and `beside`
    int64_t beside; // bytes of everything else
    // The largest variant that will be added, and its targets. No target: sizes are those of 16 texts of 128 tokens.
    int64_t length, batch;
    const target *targets;
    int target_count;
    // Receives what was chosen for the first graph; its contents live as long as that graph. May be NULL.
    memory_choice *choice;
} memory_options;

typedef struct pass_context {
    const target *target;        // schedule needs it; NULL if only graph passes run
    const tensor_source *source; // fold_constants may read small tensors; may be NULL
    diag *diag;
    FILE *report;            // fusion report (what fired, what did not and why), or NULL
    const char *print_after; // name of a pass, "all", or NULL; printed to `print_to`
    FILE *print_to;
    bool verify;         // after each pass
    precision precision; // what lower_precision makes of products
    const char *keep;    // names and patterns of what it leaves in f32, separated by commas; NULL: none
    // The different arithmetic classes that the model is compiled for. None: one graph stays one. See passes_run_to.
    const char *const *classes;
    int class_count;
    // For int8: measured ranges. They give static scales to values, and spread_outliers uses them. NULL: none.
    const calibration *calibration;
    bool train;                         // the default list is that of a training step
    const optimizer_options *optimizer; // NULL: OPTIMIZER_USUAL
    const memory_options *memory;       // what recompute keeps; NULL: KEEP_PRODUCTS
} pass_context;

// Which passes a graph has behind it.
typedef enum pass_stage {
    STAGE_INPUT,  // none: one op per node
    STAGE_FUSED,  // one kernel per node; weights as in the checkpoint
    STAGE_PACKED, // one graph per class; weights in the order in which kernels read them, each with its place
    STAGE_FINAL   // with variants
} pass_stage;
const char *passes_stage_name(pass_stage stage); // "fused"
// Finds a stage by its name; false for other words.
bool passes_stage_find(const char *name, pass_stage *out);
// The stage that a graph has reached for certain. Without packed weights and places that is STAGE_INPUT, even if
// it is fused; with a packed weight, STAGE_FUSED.
pass_stage passes_stage_of(const graph *g);

typedef struct pass_info {
    const char *name, *summary;
    bool on_by_default; // whatever the precision
    bool on_for_int8;   // on if products are computed in int8
    bool per_variant;   // schedule and plan_memory, of STAGE_FINAL
    bool needed;        // by a later pass
    pass_stage stage;
    bool for_training; // on for a training step: the pass needs a graph with a loss
} pass_info;
int passes_count(void);
const pass_info *passes_info(int i);

// The passes that a list (see passes_run) would run on a graph of that stage, in order, followed by the passes of a
// variant. `out` has room for `most` names. Returns how many; -1: the list is wrong (passes_run reports why).
int passes_listed(const char *list, pass_stage reached, const pass_context *c, const char **out, int most);

// Runs the graph passes. `list`:
//   NULL       the default pipeline
//   "-a,+b"    the default pipeline without a and with b
//   "a,b,c"    exactly these, in this order
// Unknown names are errors. So are passes to run on a graph that has variants, which they would make wrong.
bool passes_run(graph *g, const char *list, const pass_context *c);
// The same for all graphs of a module, pass by pass. Before the first pass of STAGE_PACKED, a module of one graph of
// class f32 becomes one graph for each of c->classes. So earlier passes run once per model.
bool passes_run_module(module *m, const char *list, const pass_context *c);
// The same up to a stage: passes of later stages are left out. The default pipeline also leaves out the passes up to
// the stage that the graphs have reached, so that it continues from text of any stage. It is an error if the graphs
// have reached different stages.
bool passes_run_to(module *m, pass_stage last, const char *list, const pass_context *c);
// Runs schedule and plan_memory for c->target, and adds a variant for texts of up to `length` tokens, and up to
// length x batch tokens per call. Returns its index; -1 on failure.
int passes_add_variant(graph *g, int64_t length, int64_t batch, const pass_context *c);

#endif
