// The verifier. It runs on every graph that is read from text, and after every pass if pass_context.verify is set.
#ifndef BERTC_IR_VERIFY_H
#define BERTC_IR_VERIFY_H
#include "ir/graph.h"

// Checks
//   the topological order, numbers of operands, attributes, and that types are those of shape inference;
//   regions: params match operands, a fuse holds no region;
//   that names are unique, constants have a value or a recipe, and outputs are values of the graph;
//   of variants: places are inside the arena and aligned to 64, and no two live values overlap.
// `stage` ("after merge_qkv") begins each message.
bool graph_verify(const graph *g, const char *stage, diag *d);
#endif
