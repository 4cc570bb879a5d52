// The folder that training starts from, before it is compiled: its tokenizer, its labels, how long its texts may be.
#ifndef BERTC_CLI_TRAIN_BASE_H
#define BERTC_CLI_TRAIN_BASE_H

#include "frontend/cli/train/masks.h"
#include "frontend/cli/train/options.h"
#include "frontend/cli/train/teacher.h"

typedef struct train_base {
    arena *arena;
    hub_model model; // as the folder is, not for training
    bool open;
    bertc_tokenizer_handle *tokenizer;
    // The labels of a head for the task that the folder has; where it has none they are learnt from the data.
    data_labels *labels;
    bool learns;
    bool named; // the folder has none: they are the teacher's, or those of the adapter that is trained on
    feature_rule rule;
    mask_rule mask;
    pair_template pairs;
} train_base;

// base_close in both cases.
// `known`: NULL, or a teacher, whose labels a new head has.
bool base_open(train_base *b, const train_options *o, const teacher *known, diag *d);
// The labels are learnt: they get their numbers.
bool base_settle(train_base *b, const char *data, diag *d);
void base_close(train_base *b);

#endif
