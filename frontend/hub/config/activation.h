// Activations by the names that Transformers' ACT2FN gives them, as ops.
#ifndef BERTC_HUB_ACTIVATION_H
#define BERTC_HUB_ACTIVATION_H

#include "ir/ir.h"

bool hub_activation_known(const char *name);
const char *hub_activation_names(arena *a);
// The activation of x. `name` must be known, or be one of PyTorch's that ACT2FN lacks: elu, selu, softplus,
// softsign, hardtanh, hardsigmoid, hardswish, log_sigmoid, tanhshrink.
value hub_activation(graph *g, const char *name, value x);

#endif
