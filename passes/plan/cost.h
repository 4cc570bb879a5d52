// The cost model of schedule: the predicted seconds of one phase under one split. Only ratios between splits matter.
#ifndef BERTC_PASSES_COST_H
#define BERTC_PASSES_COST_H

#include "passes/pass.h"

typedef struct cost_site {
    kernel_shape shape;
    const target *target;
    const target_product *product; // of the shape's element types
    int32_t tile_rows, tile_columns;
    int64_t capacity; // most rows of a call: T, S or R
    int64_t expected; // rows of a full call: for T all tokens, for S the batch, for R an eighth of the tokens
} cost_site;

// The split of a matmul for a class of thread counts.
task_split cost_matmul_split(const cost_site *s, int thread_class);

// The split of a product that sums over rows [X,k] and [X,n]: rows and columns of the blocks of its result [k,n].
task_split cost_outer_split(const cost_site *s, int thread_class);

#endif
