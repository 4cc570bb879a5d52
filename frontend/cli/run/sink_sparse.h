// Sparse answers to many texts as a matrix in CSR form, a row a text: an .npz as scipy.sparse.load_npz reads. It is not there
// before it is whole.
#ifndef BERTC_CLI_SINK_SPARSE_H
#define BERTC_CLI_SINK_SPARSE_H

#include "frontend/cli/arrays/npz.h"
#include "frontend/cli/run/lines.h"

typedef struct sparse_sink {
    npz_writer file;
    npz_array *columns, *bounds, *values;
    int64_t rows, width, count;
} sparse_sink;

// `width`: of the vocabulary.
bool sparse_sink_begin(sparse_sink *s, const char *path, int64_t width, diag *d);
// Adds a row; an empty one where it has no answer.
bool sparse_sink_put(sparse_sink *s, const row *r, diag *d);
// Writes the file where all rows are there (`whole`), and ends the sink in both cases.
bool sparse_sink_end(sparse_sink *s, bool whole, diag *d);

#endif
