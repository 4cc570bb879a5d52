// --class-weights: how much each label counts.
#ifndef BERTC_CLI_TRAIN_CLASS_WEIGHTS_H
#define BERTC_CLI_TRAIN_CLASS_WEIGHTS_H

#include "frontend/cli/train/set.h"

// "balanced": labels that are rare in `s` count more, as in scikit-learn (all labels / (how many labels occur * how often this one
// does)); of texts with any number of labels, a label counts as often as there are texts without it for one with it. Else
// "name=2,other=0.5": labels that are not named count 1. [labels], in `a`; NULL with a diagnostic.
const float *class_weights_read(const char *asked, train_set *s, arena *a, diag *d);

#endif
