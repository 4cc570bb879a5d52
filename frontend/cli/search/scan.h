// The best of stored vectors for queries: one pass over the file for all of them, on several threads.
#ifndef BERTC_CLI_SCAN_H
#define BERTC_CLI_SCAN_H

#include "frontend/cli/search/stored.h"
#include "runtime/bertc.h"

typedef struct scan_hit {
    int64_t index;
    float score;
} scan_hit;

typedef struct scan_query {
    // Dense or sparse: `width` numbers, of length 1 where scores are to be cosines. Several: rows of these.
    const float *numbers;
    int64_t rows;
    // Of sparse vectors that are compared by distance: the sum of all numbers' squares (euclidean) or magnitudes (manhattan).
    double whole;
    scan_hit *best; // room for `top`; best first, of equal ones the lower index
    int64_t count;
} scan_query;

// What is searched, and how two vectors are compared. Several by MaxSim, which is divided by the query's rows where `mean`.
typedef struct scan {
    const stored *from;
    bertc_similarity how; // of dense and sparse ones, any but MaxSim
    bool mean;
    int64_t top;
    int threads;
    int query_count;
    scan_query *queries;
} scan;

// Fills in each query's best. Rows whose score is NaN, sparse rows without a number and rows without vectors (lines without
// an answer) are left out. False, with a diagnostic, where
// memory or threads run out, or where a sparse row has a column that is none.
bool scan_run(const scan *s, diag *d);

#endif
