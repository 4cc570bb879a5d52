// Which labels' rates are compared between groups.
#ifndef BERTC_CLI_RATES_H
#define BERTC_CLI_RATES_H

#include "frontend/cli/evaluate/evaluate.h"

// Labels [*first, *last): that of --positive; the second of two; each one of several. None where the kind has no labels.
void rates_range(const evaluation *v, int *first, int *last);

#endif
