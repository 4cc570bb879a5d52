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

// --- States (verify_state.c). The faults of one node, NULL: none.

const char *state_constant_fault(const node *n, level l);
const char *state_assign_fault(const graph *g, const node *n, level l);
const char *state_fuse_fault(const graph *g, const node *n);

// What is wrong with the states of the graph as a whole; false where something is. The nodes are right by
// themselves.
typedef struct state_fault {
    value at;
    char cause[480];
} state_fault;
bool state_check(const graph *g, state_fault *f);

// Is v a state, or does it lie in one? Then what is wrong with its place.
bool state_placed(const graph *g, value v);
const char *state_place_fault(const graph *g, value v, const place *p);

// What is wrong with a region whose operands and body are right by themselves, or NULL.
const char *region_fault(const graph *g, value v);

#define LENGTH_MAX ((int64_t)1 << 40) // of an axis, so that sums of two never overflow

#endif
