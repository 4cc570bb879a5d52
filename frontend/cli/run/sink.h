// Where the answers to many texts go. JSON lines and .npy grow: the file is written beside its target, under the name FILE.partial,
// and renamed when it is whole; what a stopped run left can be gone on with, and is not written over otherwise. Text, CSV, and .npz
// of rows (sink_matrix.h), of vectors of tokens (sink_npz.h) or of sparse vectors (sink_sparse.h) are not there before they are whole.
#ifndef BERTC_CLI_SINK_H
#define BERTC_CLI_SINK_H

#include "frontend/cli/run/csv.h"
#include "frontend/cli/run/sink_matrix.h"
#include "frontend/cli/run/sink_npz.h"
#include "frontend/cli/run/sink_sparse.h"
#include "ir/output_file.h"

typedef enum sink_kind {
    SINK_LINES, // of JSON
    SINK_TEXT,
    SINK_CSV,
    SINK_NPY,
    SINK_ROWS,    // .npz: one per text,
    SINK_VECTORS, // many,
    SINK_SPARSE   // or what is not 0
} sink_kind;

typedef struct sink {
    FILE *file;
    const char *path; // NULL: standard output
    output_file out;
    sink_kind kind;
    csv_table table; // of SINK_CSV
    npz_sink arrays;
    sparse_sink weights;
    matrix_sink matrix;
    bool begun;                  // an .npz is
    int64_t before;              // rows that were there
    int64_t width, rows, failed; // of an embedding; rows there, and those of them without an answer
} sink;

// What sink_open needs beside the path.
typedef struct sink_shape {
    sink_kind kind;
    int64_t width;             // of rows and vectors, or of the vocabulary
    const char *const *labels; // of SINK_ROWS: NULL, or the names of the columns
    csv_table table;           // of SINK_CSV
} sink_shape;

// `path` NULL: standard output, for lines, text and CSV. `resume`: whole rows that are there already stay, and are counted in `rows`.
bool sink_open(sink *s, const char *path, bool resume, const sink_shape *shape, diag *d);
bool sink_put(sink *s, const row *r, diag *d);
bool sink_flush(sink *s, diag *d);
// `whole`: all rows are there; false leaves what there is for --resume.
bool sink_close(sink *s, bool whole, diag *d);

#endif
