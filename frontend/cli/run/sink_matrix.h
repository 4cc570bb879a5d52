// A row of numbers per text as .npz: `embeddings` [texts,width], or `scores` [texts,width] and `labels` [width], the names of their
// columns as Unicode. A text without an answer has a row of NaN, as in .npy.
#ifndef BERTC_CLI_SINK_MATRIX_H
#define BERTC_CLI_SINK_MATRIX_H

#include "frontend/cli/arrays/npz.h"
#include "frontend/cli/run/lines.h"

typedef struct matrix_sink {
    npz_writer file;
    npz_array *rows, *labels; // labels NULL: none
    int64_t width, count;
    char descr[24]; // of the labels
} matrix_sink;

// `labels`: `width` names, or NULL for embeddings.
bool matrix_sink_begin(matrix_sink *s, const char *path, int64_t width, const char *const *labels, diag *d);
bool matrix_sink_put(matrix_sink *s, const row *r, diag *d);
// `whole`: all texts are there, and the file is made; else nothing is left.
bool matrix_sink_end(matrix_sink *s, bool whole, diag *d);

#endif
