// What the verifier asks of one node beside its shape; the parser asks it too, where it knows the line.
// Private to ir/.
#ifndef BERTC_IR_VERIFY_NODE_H
#define BERTC_IR_VERIFY_NODE_H
#include "ir/graph.h"

// Where a graph stands.
typedef enum level { LEVEL_TOP, LEVEL_SEQUENCE, LEVEL_FUSE, LEVEL_FUSE_IN_SEQUENCE } level;

// The level of the body of op `o` in a graph of level `l`.
level level_within(level l, op o);
// What is wrong with the node itself (its type, its place, a constant's making), or NULL. Not its operands,
// shape or body.
const char *node_fault(const graph *g, value v, level l);

#define LENGTH_MAX ((int64_t)1 << 40) // of an axis, so that sums of two never overflow

#endif
