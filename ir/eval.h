// The reference evaluator: plain scalar C, float storage, sums in double. The oracle of every op, pass and
// kernel test.
#ifndef BERTC_IR_EVAL_H
#define BERTC_IR_EVAL_H
#include "ir/graph.h"

// A value of concrete shape, row-major whatever its layout, every element by itself: f32 as float, i32 as int32_t, i8 and i4 as
// int8_t, u8 and i1 as uint8_t, f16 and bf16 as uint16_t bits.
typedef struct tensor {
    elem e;
    int rank;
    int64_t shape[IR_MAX_RANK];
    void *data;
} tensor;

int64_t tensor_count(const tensor *t);

typedef struct eval_input {
    const char *name;
    tensor value; // borrowed
} eval_input;

// Called once for each top-level node that is no constant, in order, with its value (valid until the call
// returns). False stops the evaluation: graph_eval then returns false, without a diagnostic and without
// results.
typedef bool (*eval_observer)(void *context, const graph *g, value v, const tensor *t);

typedef struct eval_options {
    const tensor_source *source; // for recipes; may be NULL where there are none
    int input_count;
    const eval_input *inputs;
    // The size of M; 0: the longest sequence of the input "bounds". T, S and R come from the inputs' shapes.
    int64_t length;
    // By value, for trainable constants: what the state is before the call (data NULL: as its recipe makes it),
    // row-major whatever its layout; then, allocated in graph_eval's arena, what an assign has written. So the
    // array goes from one call to the next. NULL: each call begins with the recipes. Where the evaluation fails,
    // some may be written.
    tensor *states;
    eval_observer observe;
    void *observe_context;
    // NULL, or called after `observe` (which may be NULL) with each value but the inputs: what follows is computed from the elements that it leaves
    // in *t, whose type and shape stay.
    void (*replace)(void *context, const graph *g, value v, tensor *t);
} eval_options;

// Evaluates a graph that verifies. results[i] (allocated in `a`) is the value of output i, row-major.
// Constants are made when they are first needed, and everything is freed after its last use. False, with a
// diagnostic that names the node, where an input is missing or of another type, bounds don't ascend from 0 to
// the number of rows, a text is empty, an id is outside its table, the source lacks a tensor, or memory runs
// out.
bool graph_eval(const graph *g, const eval_options *o, arena *a, tensor *results, diag *d);
#endif
