// Scores of dense rows. Private to frontend/cli/search/.
#ifndef BERTC_CLI_DENSE_H
#define BERTC_CLI_DENSE_H

#include "frontend/cli/search/scan.h"

// The most rows that are scored together: they stay in the cache while all queries pass over them.
enum { DENSE_ROWS = 64 };

// The scores of rows row .. row + count - 1 (at most DENSE_ROWS) for a query. squares: of the cosine, the rows' own, which
// the first query fills in for the others.
void dense_scores(const stored *s, bertc_similarity how, bool first, const float *query, float *squares,
                  int64_t row, int count, float *scores);

#endif
