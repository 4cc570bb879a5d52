// The verifier. It runs after every pass in debug and test builds, and always on a graph that comes from
// outside.
#ifndef BERTC_IR_VERIFY_H
#define BERTC_IR_VERIFY_H
#include "ir/graph.h"

// Topological order, arities, attributes, types equal to what shape inference says, regions (params match
// operands, one output, no nested fuse in fuse), names unique, constants with value or recipe, outputs in
// range; where variants exist: places within the arena, aligned to 64, no two live values overlapping.
// `stage` ("after merge_qkv") opens each message.
bool graph_verify(const graph *g, const char *stage, diag *d);
#endif
