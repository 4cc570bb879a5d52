// What the files of passes/ share: the running pass, its report, and helpers that several passes use.
#ifndef BERTC_PASSES_PASS_H
#define BERTC_PASSES_PASS_H

#include "passes/passes.h"

// What a pass may rely on (`requires` and `produces` of passes.def). The first two are read from the graph itself, so
// that passes can continue from IR text of any stage. The others are established for each variant.
typedef enum fact {
    FACT_ROW_WEIGHTS = 1,    // no constant is packed yet
    FACT_WEIGHTS_PLACED = 2, // every constant of the top level has `at`
    FACT_SCHEDULED = 4,      // the variant has schedules and its row tile
    FACT_PLANNED = 8         // the variant has places
} fact;

typedef struct pass {
    const pass_context *c;
    const char *name;
    const module *module; // of the graph
    variant *variant;     // for passes that run once per variant; else NULL
    int fired;            // number of changes
    int told;             // number of changes that the report lists
} pass;

// False: it failed, with a diagnostic.
typedef bool (*pass_function)(graph *g, pass *p);

#define PASS(name, requires, produces, on, stage, summary) bool pass_##name(graph *g, pass *p);
#include "passes/passes.def"
#undef PASS

// --- report.c

// The fusion report. pass_fired: the pass changed something at value v of g. pass_missed: it did not, although one
// would expect it. `format` says what was changed, or why not. Changes are counted even without a report.
void pass_fired(pass *p, const graph *g, value v, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void pass_missed(const pass *p, const graph *g, value v, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// Prints the name of v, or of the output that it is, or "%12", into `buf`; returns it.
const char *pass_where(const graph *g, value v, char *buf, size_t size);

// --- describe.c: what a top-level node is, as a kernel.

typedef enum kernel_kind {
    KERNEL_ROWS,      // pointwise, norms, gathers: row by row
    KERNEL_MATMUL,    // one matmul with a weight, and the ops that were fused into it
    KERNEL_OUTER,     // one matmul that sums over T, S or R
    KERNEL_MLP,       // two matmuls with weights; the second reads the first one's result
    KERNEL_POOLED,    // per_sequence with one matmul with a weight in panels, and a reduction over the tokens
    KERNEL_ATTENTION, // per_sequence with another matmul in it
    KERNEL_SEQUENCE   // any other per_sequence
} kernel_kind;

typedef struct kernel_shape {
    kernel_kind kind;
    dim rows; // leading axis of the first result that has a symbol there; outer: the axis that is summed
    // Inner axis and columns of a matmul. mlp: k of the first product, n of the second. outer: the result's axes.
    int64_t k, n;
    int64_t hidden;   // mlp: columns of the first product
    int64_t heads;    // attention: leading axis of the scores; 1 if there is none
    int64_t group;    // matmul whose tail only quantises groups of columns: columns of a group; else 0
    int64_t together; // matmul: elements of k whose sums are scaled together: all, or those of a group
    bool norm;        // does the result need whole rows? A norm or another reduction follows the anchor
    elem left, right; // element types of the first matmul's operands
    elem result;      // element type of the kernel's first result
    int64_t written;  // bytes per row of all results that are read and have `rows` as their leading axis
} kernel_shape;
kernel_shape kernel_describe(const graph *g, value v);

static inline bool op_is(const graph *g, value v, op o) {
    return graph_node(g, v)->op == o;
}

#endif
