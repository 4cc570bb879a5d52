// Builds the graph of a checked checkpoint, plain and unfused: every node is one op, and values that people
// may want to look at have names.
#ifndef BERTC_HUB_ENCODER_H
#define BERTC_HUB_ENCODER_H

#include "frontend/hub/encoder/weights.h"

// What attention reads of a layer: f32[T,..]; of relative positions f32[2 span,..].
typedef struct hub_projections {
    value q, k, v, global_q, global_k, global_v, relative_keys, relative_queries, distances;
    value q_norm, k_norm; // f32[d]: of the norms of each head's row
} hub_projections;

typedef struct hub_builder {
    graph *g;
    const hub_config *config;
    const hub_weights *weights;
    value ids, types, positions, bounds;
    // These and all that follow are VALUE_NONE where the model does not read them.
    value columns, tasks, global, mask, prompt;
    value cosines[2], sines[2];      // of the tokens' angles, f32[T,d/2]; [1]: in layers with a window
    value buckets;                   // f32[heads,1,distances], added to scores; of all layers
    value slopes;                    // f32[heads,1,1], of alibi
    value relative;                  // embeddings of relative positions, f32[2 span,H]
    value distances;                 // by distance: the row of `relative`, i32[1,distances]
    value transforms[2];             // matrices of the transform over columns, f32[H,H], once they are made
    value turns[2];                  // cosines and sines of the texts' transform over tokens, f32[T,M]
    value rows;                      // VALUE_NONE: the head reads no chosen rows
    value *hidden;                   // [layers + 1]: the embeddings, then each layer's output, f32[T,H]
    hub_projections *projections;    // [layers]
    value pooled;                    // f32[S,H], once it is built
    value *constants;                // [set + 1][module][part], once they are made
    struct hub_low_ranks *low_ranks; // adapters' products so far (linear.c)
    value seed, tokens; // of the call, i32[2], and the tokens' numbers, i32[T], where something is dropped
    int streams;        // of random numbers so far
} hub_builder;

// Inputs, embeddings and layers.
void hub_build_encoder(hub_builder *b);
// The probabilities of layer `i`, f32[T,heads,M].
value hub_build_attentions(hub_builder *b, int i);

// The head and its outputs, then the further ones that `outputs` names (a list separated by commas, or NULL).
bool hub_build_head(hub_builder *b, const char *outputs, diag *d);

// --- embedding.c
// [T,W] -> [S,n W]: a text's row by each of n poolings, side by side. POOLING_LATE is not among them.
value hub_build_pooled(hub_builder *b, value x, int n, const hub_pooling *poolings);
// The embedding of a text, [S,..]: the last layer's rows, pooled, then the folder's further modules.
value hub_build_embedding(hub_builder *b);
// The vectors of the tokens, [T,..]: the last layer's rows through those modules.
value hub_build_vectors(hub_builder *b);
// BGE-M3's: the first row, of length 1, [S,H]; a vector per token, likewise, [T,..]; a weight per token, [T].
value hub_build_dense(hub_builder *b);
value hub_build_head_vectors(hub_builder *b);
value hub_build_token_weights(hub_builder *b);

// The attention of a layer whose projections are built: f32[T,heads d].
value hub_build_context(hub_builder *b, int layer);
// Beside it, ConvBERT's convolution of `x`, whose kernels are made from q: f32[T,heads d].
value hub_build_span_convolution(hub_builder *b, int layer, value x, value q);
// DeBERTa-v2's convolution of the embeddings, f32[T,H].
value hub_build_convolution(hub_builder *b, value x);
// [T,W] -> [T,3 W]: the next token's row, the token's own and the previous token's.
value hub_build_trigrams(hub_builder *b, value x);
// FNet's transform over columns and tokens, its real part: [T,H].
value hub_build_fourier(hub_builder *b, value x);
value hub_build_is_shown(graph *body, value mask, int rank,
                         const dim *shape); // a mask i32[L] as i1 of that shape
// The seed, where the model drops anything (dropout.c).
void hub_build_seed(hub_builder *b);
// x as it is, or with numbers dropped. [T,..] or [S,..]
value hub_build_dropped(hub_builder *b, value x, hub_drop at);
// The same where the share is not one of the config's.
value hub_build_dropped_by(hub_builder *b, value x, double share);
// The same of attention's probabilities, [heads,L,L], in its body.
value hub_build_dropped_scores(hub_builder *b, graph *body, value p, value seed, value tokens);
// cosines to distances, and turns, where the model has them; what distances add to the scores of a layer (VALUE_NONE: nothing).
void hub_build_positions(hub_builder *b);
void hub_build_turns(hub_builder *b);
value hub_build_buckets(hub_builder *b, int layer);
value hub_build_numbers(graph *g, type t, const int32_t *data); // a literal, i32

// A tensor as a float32 constant. A linear layer's weight is transposed to [in, out]; a convolution's to
// [taps in, out], or to [taps, columns] where each column is convolved by itself.
value hub_build_weight(hub_builder *b, hub_module m, int layer, hub_part p, bool turned);
// A tensor's part, as float32; of a matrix turned round.
recipe *hub_build_recipe(hub_builder *b, const hub_weight *w, bool turned);
bool hub_build_has(const hub_builder *b, hub_module m); // does the model read it?
value hub_build_decoder(hub_builder *b);                // [width,V]: the word embeddings, where it is tied
// x W + b, and what an adapter that is trained adds.
value hub_build_linear(hub_builder *b, value x, hub_module m, int layer);
value hub_build_norm(hub_builder *b, value x, hub_module m, int layer);
value hub_build_named(hub_builder *b, value v, const char *name); // names v and returns it
value hub_build_layer_named(hub_builder *b, value v, int layer, const char *what);

#endif
