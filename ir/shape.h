// Shape inference: the type of a node from its operands, attributes and body. One rule an op.
#ifndef BERTC_IR_SHAPE_H
#define BERTC_IR_SHAPE_H
#include "ir/graph.h"

// Fills *out. Constants, inputs and params carry their own type. False, with a diagnostic, where the operands
// don't fit.
bool shape_infer(const graph *g, const node *n, type *out, const char *where, diag *d);
// The type of the param that stands for an operand in the body of `o`: of per_sequence, cut to a sequence.
type shape_param(op o, int bounds, const type *operand);
#endif
