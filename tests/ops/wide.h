// The evaluator with doubles in place of floats: what gradients are held against. (tests/CMakeLists.txt builds it.)
#ifndef TEST_OPS_WIDE_H
#define TEST_OPS_WIDE_H

#include "ir/ir.h"

// graph_eval; the tensors of f32, inputs, states and results, hold doubles.
bool graph_eval_wide(const graph *g, const eval_options *o, arena *a, tensor *results, diag *d);

#endif
