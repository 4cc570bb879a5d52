// Graph to graph. passes.def lists the pipeline; each pass is one file. The one public header of passes/.
#ifndef BERTC_PASSES_H
#define BERTC_PASSES_H

#include "ir/ir.h"

typedef struct pass_context {
    const target *target;        // schedule needs it; NULL where only graph passes run
    const tensor_source *source; // fold_constants may read small tensors; may be NULL
    diag *diag;
    FILE *report;            // fusion report (what fired, what did not and why), or NULL
    const char *print_after; // name of a pass, "all", or NULL; printed to `print_to`
    FILE *print_to;
    bool verify; // after each pass
} pass_context;

typedef struct pass_info {
    const char *name, *summary;
    bool on_by_default;
    bool per_variant; // schedule, plan_memory
    bool needed;      // by a later pass
} pass_info;
int passes_count(void);
const pass_info *passes_info(int i);

// Runs the graph passes. `list`: NULL for the default pipeline; "a,b,c": exactly these, in this order;
// "-a,+b": the default pipeline without a and with b. Unknown names are errors.
bool passes_run(graph *g, const char *list, const pass_context *c);
// Adds a variant for texts of up to `length` tokens, length x batch in one call: schedule and plan_memory for
// c->target. Returns its index, -1 on failure.
int passes_add_variant(graph *g, int64_t length, int64_t batch, const pass_context *c);

#endif
