// Shape inference: the type of a node from its operands, attributes and body. One rule per op.
#ifndef BERTC_IR_SHAPE_H
#define BERTC_IR_SHAPE_H
#include "ir/graph.h"

// Fills in *out. Constants, inputs and params have a type of their own. False, with a diagnostic, if the operands don't
// fit.
bool shape_infer(const graph *g, const node *n, type *out, const char *where, diag *d);
// The type of the param for an operand in the body of `o`; in a per_sequence it is cut to one sequence.
type shape_param(op o, int bounds, const type *operand);
#endif
