// The verifier's checks of one node, besides its shape. The parser calls them too, because it knows the line. Private
// to ir/.
#ifndef BERTC_IR_VERIFY_NODE_H
#define BERTC_IR_VERIFY_NODE_H
#include "ir/graph.h"

// Where a graph is: the top level, or the body of which region.
typedef enum level { LEVEL_TOP, LEVEL_SEQUENCE, LEVEL_FUSE, LEVEL_FUSE_IN_SEQUENCE } level;

// The level of the body of op `o` in a graph of level `l`.
level level_within(level l, op o);
// What is wrong with the node itself (its type, its level, how a constant is made), or NULL. Doesn't check its
// operands, shape or body.
const char *node_fault(const graph *g, value v, level l);

// --- States (verify_state.c). The fault of one node, or NULL.

const char *state_constant_fault(const node *n, level l);
const char *state_assign_fault(const graph *g, const node *n, level l);
const char *state_fuse_fault(const graph *g, const node *n);

// Checks the states of the graph as a whole; false with the fault if something is wrong. Each node must have passed
// the checks above.
typedef struct state_fault {
    value at;
    char cause[480];
} state_fault;
bool state_check(const graph *g, state_fault *f);

// Is v a state, or what is assigned to one?
bool state_placed(const graph *g, value v);
// What is wrong with the place of such a value, or NULL.
const char *state_place_fault(const graph *g, value v, const place *p);

// What is wrong with a region, or NULL. Its operands and its body must have been checked.
const char *region_fault(const graph *g, value v);

#define LENGTH_MAX ((int64_t)1 << 40) // of an axis, so that sums of two never overflow

#endif
