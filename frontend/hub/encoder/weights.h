// What the model reads of a checkpoint, checked against the config: every tensor that is missing, or has
// another shape or type, is reported.
#ifndef BERTC_HUB_WEIGHTS_H
#define BERTC_HUB_WEIGHTS_H

#include "frontend/hub/config/config.h"
#include "frontend/hub/encoder/fresh.h"
#include "frontend/hub/files/checkpoint.h"

// One tensor that the model reads, under the name that the checkpoint gives it. tensor: NULL where it has
// none.
typedef struct hub_weight {
    const char *tensor;
    elem e;
    int rank; // as hub_tensor_shape says
    int64_t shape[3];
    bool one_more;     // the tensor has one axis more, of 1
    int64_t groups;    // of columns, each read by its own rows; shape[1] is one group's
    bool groups_first; // the shape is [groups, columns, rows]
    hub_slice slice;   // of its rows
} hub_weight;

typedef struct hub_weights {
    hub_checkpoint *checkpoint;
    hub_weight *items;                     // [set + 1][module][part]; row 0: what belongs to no layer
    bool tied;                             // the decoder reads the word embeddings
    const struct hub_adapted_layers *lora; // adapters that are trained in place of the weights; NULL: none
    int64_t parameters;                    // elements that the model reads, shared ones once
} hub_weights;

// Looks up all that the config's head reads; where id2label leaves gaps, the classifier's rows settle the
// config's number of labels. Memory from the checkpoint's arena.
// fresh: NULL, or where what the head lacks comes from.
bool hub_weights_read(hub_checkpoint *c, hub_config *config, hub_fresh *fresh, hub_weights *out, diag *d);
// Checks the modules after the pooling: each one's width is the next one's, and their tensors are there.
bool hub_weights_add_steps(hub_weights *w, const hub_config *config, diag *d);
// The same of BGE-M3's heads that are asked for.
bool hub_weights_add_heads(hub_weights *w, hub_config *config, diag *d);
// set: of a layer's weights (hub_weight_set), -1 for modules that belong to no layer.
const hub_weight *hub_weight_of(const hub_weights *w, hub_module m, int set, hub_part p);

// Which family the tensors belong to, by the prefix of their names.
hub_hint hub_checkpoint_hint(const hub_checkpoint *c);

#endif
