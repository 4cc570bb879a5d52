// Models that are a table of embeddings alone.
#ifndef BERTC_HUB_STATIC_EMBEDDING_H
#define BERTC_HUB_STATIC_EMBEDDING_H

#include "frontend/hub/encoder/encoder.h"

// A tensor [rows,columns], or [rows]. tensor: NULL: there is none.
typedef struct hub_table {
    const char *tensor;
    elem e;
    int64_t rows, columns;
} hub_table;

typedef struct hub_static {
    hub_table table, weights; // weights: what each token's row counts
    int32_t *mapping;         // [vocabulary]: the row of each id; NULL: its own
    int64_t vocabulary;
} hub_static;

// Finds the tensors, and fills in what of a config such a model has. Memory from the checkpoint's arena.
bool hub_static_read(hub_checkpoint *c, const hub_sentence *sentence, hub_static *out, hub_config *config,
                     diag *d);
// Inputs and the tokens' rows, as hub_build_encoder leaves them. `unknown`: the id of the token that is not counted; -1:
// all are.
void hub_build_static(hub_builder *b, const hub_static *s, int32_t unknown);

#endif
