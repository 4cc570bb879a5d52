// README.md of what training writes: the model, its data, the options, and the dev file's metrics.
#ifndef BERTC_CLI_TRAIN_CARD_H
#define BERTC_CLI_TRAIN_CARD_H

#include "frontend/cli/train/run.h"

// In `a`.
const char *card_text(const train_run *r, arena *a);

#endif
