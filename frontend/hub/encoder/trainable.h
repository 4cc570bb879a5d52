// Every parameter of a model as a state (docs/ir.md, States), so that training can change it.
//
// A tensor that one constant alone is made of, moved and widened at most, is trained as that constant: a linear layer's
// weight turned round, or the rows of one that holds several. Any other tensor (one that several constants are made
// of, as of a tied decoder; one that is scaled, shifted or cut into columns) becomes a state as it stands in the
// checkpoint, and ops make of it what its constants were: so it is one state, and its gradients add up.
//
//     %word = constant {tensor("w")}                  %w = constant {tensor("w"), trainable}
//     %decoder = constant {transpose(tensor("w"))} -> %decoder = transpose %w
#ifndef BERTC_HUB_TRAINABLE_H
#define BERTC_HUB_TRAINABLE_H

#include "frontend/hub/encoder/weights.h"

// Values of `g` change, but for its outputs' names. False, with a diagnostic that names tensor and family, where a
// tensor can't be a state. Tables that Transformers never trains (RoFormer's sines) stay constants, and so do, where adapters
// are trained (LoRA), all tensors but theirs and those of modules that are trained whole.
bool hub_make_trainable(graph *g, const hub_weights *w, const hub_config *config, diag *d);

#endif
