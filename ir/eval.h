// The reference evaluator: plain scalar C, float storage, sums in double. The oracle of every op, pass and kernel test.
#ifndef BERTC_IR_EVAL_H
#define BERTC_IR_EVAL_H
#include "ir/graph.h"

// A value of concrete shape, row-major. f32 as float, i32 as int32_t, i1 as uint8_t. (f16, bf16: uint16_t bits.)
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

// Called once a top-level node, in order, with its value (valid until the call returns). False stops the evaluation.
typedef bool (*eval_observer)(void *context, const graph *g, value v, const tensor *t);

typedef struct eval_options {
    const tensor_source *source; // for recipes; may be NULL where there are none
    int input_count;
    const eval_input *inputs;
    int64_t length; // binds M (0: the longest sequence); T, S and R come from the inputs' shapes
    eval_observer observe;
    void *observe_context;
} eval_options;

// Evaluates; results[i] (allocated in `a`) is the value of output i. Frees intermediates after their last use.
bool graph_eval(const graph *g, const eval_options *o, arena *a, tensor *results, diag *d);
#endif
