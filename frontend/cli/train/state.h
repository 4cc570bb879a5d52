// How far a run has come: state.json of a checkpoint. With the model and the optimiser's states beside it, it is all that a run
// needs to go on: random numbers have no state (chance.h).
#ifndef BERTC_CLI_TRAIN_STATE_H
#define BERTC_CLI_TRAIN_STATE_H

#include <cjson/cJSON.h>

#include "ir/ir.h"

typedef struct train_state {
    int64_t step, steps;      // done, and of the whole run
    int64_t epoch, batches;   // whole epochs done; batches done of the next one
    int64_t log_bytes;        // of log.jsonl
    double best;              // the best value of the metric so far; NaN: none
    int64_t best_step, worse; // the step it was reached at; evaluations since
    // The dev file's metrics, by name, of the last epoch, or, where the best one is kept, of that; NULL: none yet. Owned.
    cJSON *metrics;
    bool finished; // of the output folder's own: nothing is left to do
    uint64_t data; // which examples there are (data_set's fingerprint)
    // What the run was started with: an object of strings, by the options' names. Owned; state_free ends it.
    cJSON *options;
    cJSON *files; // of a checkpoint: intact_files. NULL: none. Owned.
} train_state;

// With a hash of its own, which state_read checks.
bool state_write(const char *path, const train_state *s, diag *d);
// state_free in both cases.
bool state_read(const char *path, train_state *s, diag *d);
void state_free(train_state *s);
// Is a run of these options and data the one that `s` is of? An error names what differs.
bool state_matches(const train_state *s, const char *path, const cJSON *options, uint64_t data, diag *d);

#endif
