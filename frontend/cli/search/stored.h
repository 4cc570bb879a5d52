// Vectors in files, one or several a text: what `--input -o` writes, or numpy and scipy. The files are mapped and not
// trusted.
//
//   dense     .npy, float32 [rows, width], or .npz with embeddings, the same
//   sparse    .npz as scipy.sparse.load_npz reads: CSR, float32, of shape [rows, width]
//   several   .npz with vectors, float32 [all, width], and bounds, [rows + 1]: row i has vectors bounds[i] to bounds[i + 1] - 1
#ifndef BERTC_CLI_STORED_H
#define BERTC_CLI_STORED_H

#include "frontend/cli/arrays/npz.h"

typedef enum stored_kind { STORED_DENSE, STORED_SPARSE, STORED_SEVERAL } stored_kind;

typedef struct stored {
    const char *path;
    stored_kind kind;
    int64_t rows, width;
    npy_array values;  // dense rows, vectors, or the numbers of sparse rows
    npy_array columns; // of sparse numbers
    npy_array bounds;  // by row: its first number or vector; one more at the end
    npz_file file;     // private
} stored;

// Maps and checks a file; the bounds too, but not the columns, which the scan checks as it comes by. False with a diagnostic that
// names what is wrong. stored_close in both cases.
bool stored_open(stored *s, const char *path, diag *d);
void stored_close(stored *s);
// "dense vectors of 384 numbers", for messages; into buf, which is returned.
const char *stored_describe(const stored *s, char *buf, size_t size);
// The first number or vector of a row.
int64_t stored_bound(const stored *s, int64_t row);

#endif
