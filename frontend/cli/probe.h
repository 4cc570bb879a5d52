// What the values of a checkpoint's own graph are on a few random tokens, so that spread_outliers finds channels that are
// large in every row without any texts.
#ifndef BERTC_CLI_PROBE_H
#define BERTC_CLI_PROBE_H

#include "frontend/cli/cli.h"

// By the reference evaluator: under a second for BERT-base. False, with a diagnostic, where it fails.
bool probe(const hub_model *m, arena *a, calibration *out, diag *d);

#endif
