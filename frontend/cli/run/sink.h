// Where the answers to many texts go: JSON lines, embeddings as .npy, or vectors of tokens (sink_npz.h) and sparse vectors
// (sink_sparse.h) as .npz, which is not there before it is whole. Else a file is written beside its target,
// under the name FILE.partial, and renamed when it is whole; what a stopped run left can be gone on with, and
// is not written over otherwise.
#ifndef BERTC_CLI_SINK_H
#define BERTC_CLI_SINK_H

#include "frontend/cli/run/sink_npz.h"
#include "frontend/cli/run/sink_sparse.h"
#include "ir/output_file.h"

typedef struct sink {
    FILE *file;
    const char *path; // NULL: standard output
    output_file out;
    bool npy, npz;
    bool csr;                    // of npz: the caller sets it before sink_open
    npz_sink arrays;             // else
    sparse_sink weights;         // of csr
    int64_t before;              // rows that were there
    int64_t width, rows, failed; // of an embedding; rows there, and those of them without an answer
} sink;

bool sink_is_npy(const char *path);
bool sink_is_npz(const char *path);
// `resume`: whole rows that are there already stay, and are counted in `rows`. `width`: of the embeddings, or of the
// vocabulary.
bool sink_open(sink *s, const char *path, bool resume, int64_t width, diag *d);
bool sink_put(sink *s, const row *r, diag *d);
bool sink_flush(sink *s, diag *d);
// `whole`: all rows are there; false leaves what there is for --resume.
bool sink_close(sink *s, bool whole, diag *d);

#endif
