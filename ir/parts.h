// The parts of a graph that trains. A step runs forward and backward over one micro-batch or several, which
// add up their gradients in states, and then one update. A node's part follows from what the node is for:
//
//   forward    what the loss and the model's own outputs need
//   backward   what else is needed to write the gradients: states of zeros whose name begins with "gradient."
//   update     all others: the norm of the gradients, and the optimiser
//
// The update reads results of the other parts only through states, so it can run without them.
#ifndef BERTC_IR_PARTS_H
#define BERTC_IR_PARTS_H

#include "ir/graph.h"

typedef enum graph_part {
    PART_NONE, // constants and inputs, which every part may read
    PART_FORWARD,
    PART_BACKWARD,
    PART_UPDATE
} graph_part;

// Names of gradient states begin with it.
#define GRADIENT_PREFIX "gradient."

bool node_is_gradient(const node *n); // is it a state in which gradients are added up?
bool graph_trains(const graph *g);    // does it have such a state?
// out[v]: the part of each value.
void graph_parts(const graph *g, graph_part *out);
// Are the nodes in the order of the parts, and does the update read the other parts only through states?
bool parts_in_order(const graph *g, const graph_part *parts);

#endif
