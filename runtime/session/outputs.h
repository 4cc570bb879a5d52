// Outputs of a call on the caller's side: a grid of texts and columns, or cells without padding.
#ifndef BERTC_OUTPUTS_H
#define BERTC_OUTPUTS_H

#include "runtime/session/session.h"

typedef struct output_grid {
    int64_t batch, length;
    const int32_t *bounds; // [batch + 1]: text b is cells bounds[b] to bounds[b + 1] - 1. NULL: a grid
} output_grid;

// Writes output `output` of the group that was executed last; cells of hidden tokens stay as they are. With `bounds` it must
// not be ragged.
void output_scatter(const bertc_session *s, int output, const output_grid *grid, float *buffer);
// What bertc_run says of the output.
bertc_tensor output_describe(const bertc_model *m, int index, const output_grid *grid, const float *data);

#endif
