// The cost model behind schedule: modelled seconds of one phase under one split. Only ratios between splits
// matter.
#ifndef BERTC_PASSES_COST_H
#define BERTC_PASSES_COST_H

#include "passes/pass.h"

typedef struct cost_site {
    kernel_shape shape;
    const target *target;
    int32_t tile_rows, tile_columns;
    int64_t capacity; // most rows of a call: T, S or R
    int64_t expected; // rows of a full call: of T all tokens, of S the batch, of R an eighth of the tokens
} cost_site;

// The register tile that `t` holds: MR x NV accumulators, NV vectors of the weights and one of the left
// operand.
void cost_tile(const target *t, int32_t *rows, int32_t *columns);
// The split of a matmul for a class of thread counts.
task_split cost_matmul_split(const cost_site *s, int thread_class);

#endif
