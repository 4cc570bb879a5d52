// `bertc verify`: what its files share.
#ifndef BERTC_CLI_VERIFY_H
#define BERTC_CLI_VERIFY_H

#include "frontend/cli/cli.h"

typedef struct inputs {
    int64_t tokens;
    int32_t *ids, *types, *positions, *rows;
    int32_t bounds[2];
    int32_t step, seed[2]; // numbers of the call, none of them 0: what they scale is seen
    float rate;
} inputs;

typedef struct kernel_check { // one result against what it should be
    const char *name;
    elem e;      // of the result
    double step; // verify_step_inside
    double error, largest;
    int64_t at;          // index of the largest error
    bool seen, unfinite; // unfinite: what it should be holds infinities or what is no number
    double cost;         // of the precision, see verify_own_graph; 0: not known, or none
} kernel_check;

typedef struct check {
    const graph *graph;
    const variant *variant;
    arena *arena;
    tensor *want;       // by value; as f32, whatever the value's type
    kernel_check *rows; // by value
    const progress_hook *progress;
    // Of a graph with narrow values: what the compiled code gave, by value, as it lies in the arena. Each kernel is then
    // evaluated on these, for a rounding more or less would else be seen in all that follows. NULL: no such graph.
    const void **given;
} check;

// --- verify_run.c

#define VERIFY_TOKENS    16
#define VERIFY_TOLERANCE 5e-5 // times the larger of 1 and the largest value

// Evaluates the graph that the opened model runs on one random text, of `o`'s length or VERIFY_TOKENS, and, where
// `compiled`, runs the compiled code on it. All that is filled in is allocated in the build's arena.
bool verify_run(opened *m, const build_options *o, bool compiled, check *c, inputs *x, tensor **results,
                diag *d);

// --- verify_evaluate.c

// One random text of n tokens.
inputs verify_inputs(arena *a, const hub_model *m, int64_t n);
// Evaluates a graph of the model on it. `observe`: may be NULL.
// `replace`: as in eval_options; may be NULL.
bool verify_evaluate(const graph *g, const hub_model *m, const inputs *x, eval_observer observe,
                     void (*replace)(void *, const graph *, value, tensor *), void *context, arena *a,
                     tensor *results, diag *d);
// Are values of the graph rounded to bf16, or quantised?
bool verify_is_narrow(const graph *g);
// A copy of value v as it lies at `got`.
const void *verify_copy(const check *c, value v, const void *got);
// Its elements into *t.
void verify_unpack(const check *c, value v, const void *rows, tensor *t);
// Value v, as it lies at `got`, as rows that are *ld elements apart.
const void *verify_rows(const check *c, value v, const void *got, int64_t *ld);
// Adds to *r how far `got`, elements of r->e as they lie in memory with `ld` from row to row, is from `want`, which is f32.
void verify_compare(kernel_check *r, const void *got, int64_t ld, const tensor *want);

// What v may be off by for what its kernel rounds inside, as a share of the largest value.
double verify_step_inside(const graph *g, value v);
// The error in terms of what is allowed: `tolerance` times the larger of 1 and the largest value; of f16 and bf16 a step in
// their last place, if that is more; of integers a step, for what is rounded to them.
double verify_row_excess(const kernel_check *r, double tolerance);
// Is it more than is allowed?
bool verify_row_fails(const kernel_check *r, double tolerance);

// --- verify_own.c

// How the graph's values are held against those of the graph that the checkpoint makes, without any pass.
typedef struct own_graph {
    kernel_check *outputs; // the head's, in its order
    int output_count;
    kernel_check *values; // of the same name and shape in both graphs, where they differ
    int seen, differ;
    double largest; // error of the values that don't
} own_graph;
#define OWN_TOLERANCE 2e-5 // both are the evaluator's
// `values`: of c->want too; else the outputs alone. What is compared gets its cost, here and in c->rows: the root of the
// mean square of the difference, as a share of that of the checkpoint's value. smooth: not NULL where spread_outliers has
// run by it; then it runs on the checkpoint's graph too, in float32, so that its values have the same names.
bool verify_own_graph(const build_options *o, const calibration *smooth, const inputs *x, const check *c,
                      const tensor *results, bool values, own_graph *out, diag *d);

#endif
