// The parts of a graph that trains. A step is forward and backward over one micro-batch or several, which add up their
// gradients in states, and then one update. Which part a node belongs to follows from what it is for:
//
//   forward    what outputs need that no gradient makes: the loss, the model's own outputs
//   backward   what else the writers of gradients need: states of zeros whose name begins with "gradient."
//   update     all else: the norm of the gradients, and the optimiser
//
// A node of the update sees what other parts computed through states alone, so that it can run without them.
#ifndef BERTC_IR_PARTS_H
#define BERTC_IR_PARTS_H

#include "ir/graph.h"

typedef enum graph_part {
    PART_NONE, // constants and inputs, which every part may read
    PART_FORWARD,
    PART_BACKWARD,
    PART_UPDATE
} graph_part;

// What names of these states begin with.
#define GRADIENT_PREFIX "gradient."

bool node_is_gradient(const node *n); // a state that gradients are added up in?
bool graph_trains(const graph *g);    // has it one?
// out[v]: the part of each value.
void graph_parts(const graph *g, graph_part *out);
// Do the nodes stand in the order of the parts, and does the update read states alone?
bool parts_in_order(const graph *g, const graph_part *parts);

#endif
