// What the files of passes/ share: the pass that runs, its report, and questions that several passes ask.
#ifndef BERTC_PASSES_PASS_H
#define BERTC_PASSES_PASS_H

#include "passes/passes.h"

// What a pass may rely on (`requires` and `produces` of passes.def). The first two are read off the graph, so
// that IR text of any stage can go on from there; the others are made anew for each variant.
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
    variant *variant;     // for passes that run once for each variant; NULL for others
    int fired;            // changes
    int told;             // changes that the report lists
} pass;

// False: it failed, with a diagnostic.
typedef bool (*pass_function)(graph *g, pass *p);

#define PASS(name, requires, produces, on, stage, summary) bool pass_##name(graph *g, pass *p);
#include "passes/passes.def"
#undef PASS

// --- report.c

// The fusion report: the pass changed something at value v of g (pass_fired), or did not where one would
// expect it (pass_missed). `format` says what was changed, or why it was not. Changes are counted without a
// report too.
void pass_fired(pass *p, const graph *g, value v, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void pass_missed(const pass *p, const graph *g, value v, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// The name of v or of the output that it is, or "%12"; into `buf`, which is returned.
const char *pass_where(const graph *g, value v, char *buf, size_t size);

// --- describe.c: what a top-level node is, as a kernel.

typedef enum kernel_kind {
    KERNEL_ROWS,      // pointwise, norms, gathers: row by row
    KERNEL_MATMUL,    // one matmul with a weight, and the ops that were fused to it
    KERNEL_OUTER,     // one matmul that sums over T, S or R
    KERNEL_MLP,       // two matmuls with weights; the second reads the first one's result
    KERNEL_POOLED,    // per_sequence with one matmul with a weight in panels, and a reduction over the tokens
    KERNEL_ATTENTION, // per_sequence with another matmul in it
    KERNEL_SEQUENCE   // any other per_sequence
} kernel_kind;

typedef struct kernel_shape {
    kernel_kind kind;
    dim rows; // leading axis of the result; of several, of the first that has a symbol there; of outer: what is summed
    int64_t k,
        n; // inner axis and columns of a matmul; of mlp: k of the first product, n of the second; of outer: the result's axes
    int64_t hidden;   // mlp: columns of the first product
    int64_t heads;    // attention: leading axis of the scores; 1 where there is none
    int64_t group;    // matmul: columns of the groups in which it is quantised, and nothing else; or 0
    int64_t together; // matmul: elements of k whose sums are scaled together: all, or those of a group
    bool norm;        // the result needs whole rows: a norm or another reduction follows the anchor
    elem left, right,
        result;      // element types: of the first matmul's operands, and of the kernel's first result
    int64_t written; // bytes of a row of the results, of all that are read and lead with `rows`
} kernel_shape;
kernel_shape kernel_describe(const graph *g, value v);

static inline bool op_is(const graph *g, value v, op o) {
    return graph_node(g, v)->op == o;
}

#endif
