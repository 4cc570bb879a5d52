// The reference evaluator: plain scalar C, float storage, sums in double. The tests of ops, passes and kernels
// compare with it.
#ifndef BERTC_IR_EVAL_H
#define BERTC_IR_EVAL_H
#include "ir/graph.h"

// A value of concrete shape. It is row-major, whatever the type's layout, and each element is separate: f32 as float,
// i32 as int32_t, i8 and i4 as int8_t, u8 and i1 as uint8_t, f16 and bf16 as their bits in uint16_t.
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

// Called once for each top-level node that is no constant, in order, with its value, which is valid until the call
// returns. If it returns false, the evaluation stops, and graph_eval returns false without a diagnostic or results.
typedef bool (*eval_observer)(void *context, const graph *g, value v, const tensor *t);

typedef struct eval_options {
    const tensor_source *source; // for recipes; may be NULL if there are none
    int input_count;
    const eval_input *inputs;
    // The size of M; 0: the longest sequence of the input "bounds". T, S and R follow from the inputs' shapes.
    int64_t length;
    // Indexed by value, for trainable constants. Before the call: the state's value, row-major whatever its layout
    // (data NULL: the recipe's). After the call: what an assign wrote, allocated in graph_eval's arena. So the same
    // array serves call after call. NULL: each call begins with the recipes. If the evaluation fails, some may have
    // been written.
    tensor *states;
    eval_observer observe;
    void *observe_context;
    // NULL, or called after `observe` (which may be NULL) with each value except the inputs. It may change the elements
    // of *t, but not the type or the shape. Later nodes are computed from the changed elements.
    void (*replace)(void *context, const graph *g, value v, tensor *t);
} eval_options;

// Evaluates a graph that verifies. results[i] (allocated in `a`) becomes the value of output i, row-major. Constants
// are computed when they are first needed, and every value is freed after its last use. False, with a diagnostic that
// names the node, if
//   an input is missing or has another type,
//   bounds don't ascend from 0 to the number of rows, or a text is empty,
//   an id is outside its table,
//   the source lacks a tensor, or memory runs out.
bool graph_eval(const graph *g, const eval_options *o, arena *a, tensor *results, diag *d);
#endif
