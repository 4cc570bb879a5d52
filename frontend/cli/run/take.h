// What a line of --input becomes, by the form of the output: text that goes to a file as it is, or numbers.
#ifndef BERTC_CLI_TAKE_H
#define BERTC_CLI_TAKE_H

#include "frontend/cli/run/crew.h"
#include "frontend/cli/run/csv.h"
#include "frontend/cli/run/format.h"

typedef struct taker {
    const run_options *options;
    csv_table table; // of FORMAT_CSV
    int64_t width;   // of numbers
} taker;

// The function for o->format, which gets a taker. `csr`: sparse rows. `several`: many vectors per text.
crew_take take_of(answer_format f, bool csr, bool several);
// A copy in the order of the ids; the caller frees it. NULL: there is no memory.
bertc_score *scores_by_id(const bertc_score *v, int count);

#endif
