// The graph of a checked checkpoint, plain and unfused: one op a node, and what people may want to see has a
// name.
#ifndef BERTC_HUB_ENCODER_H
#define BERTC_HUB_ENCODER_H

#include "checkpoint.h"

typedef struct hub_builder {
    graph *g;
    const hub_config *config;
    const hub_checkpoint *checkpoint;
    value ids, types, positions, bounds;
    value tasks;           // VALUE_NONE: the model has no task types
    value rows;            // VALUE_NONE: the head reads no chosen rows
    value *hidden;         // [layers + 1]: the embeddings, then each layer's output, f32[T,H]
    value *queries, *keys; // [layers], f32[T,H]
    value pooled;          // f32[S,H], once it is built
    value *constants;      // [set + 1][module][part], once they are made
} hub_builder;

// Inputs, embeddings and layers.
void hub_build_encoder(hub_builder *b);
// The probabilities of layer `i`, f32[T,heads,M].
value hub_build_attentions(hub_builder *b, int i);

// The head and its outputs, then those that `outputs` (a comma list, or NULL) asks for.
bool hub_build_head(hub_builder *b, const char *outputs, diag *d);

// The attention of q, k and v f32[T,H]: f32[T,H].
value hub_build_context(hub_builder *b, value q, value k, value v);

// A tensor as a constant, float32; one of a linear layer's weight is turned to [in, out].
value hub_build_weight(hub_builder *b, hub_module m, int layer, hub_part p, bool turned);
bool hub_build_has(const hub_builder *b, hub_module m); // of no layer: does the model read it?
value hub_build_decoder(hub_builder *b);                // [width,V]: the word embeddings, where it is tied
value hub_build_linear(hub_builder *b, value x, hub_module m, int layer);
value hub_build_norm(hub_builder *b, value x, hub_module m, int layer);
value hub_build_named(hub_builder *b, value v, const char *name); // names v and returns it
value hub_build_layer_named(hub_builder *b, value v, int layer, const char *what);

#endif
