// One call of a model on a batch of random ids: an answer, with the outputs in buffers of the caller; or, of a model that trains, a
// whole step on random targets (forward, backward, update), whose rate is so small that the weights stay what they are.
#ifndef BERTC_CLI_BENCH_CALLER_H
#define BERTC_CLI_BENCH_CALLER_H

#include "frontend/cli/bench/bench.h"
#include "runtime/bertc_train.h"

#define CALLER_TARGETS_MAX 8

typedef struct caller {
    bertc_session *session; // NULL: it trains
    bertc_trainer *trainer;
    bertc_target targets[CALLER_TARGETS_MAX];
    void *target_rows[CALLER_TARGETS_MAX];
    int target_count;
    int32_t *rows, step;
    float **buffers;
    int outputs;
} caller;

// `hook` may be NULL. caller_close in both cases.
bool caller_open(caller *c, const bench_options *o, bertc_model *model, const workload *w, int threads,
                 bertc_phase_hook hook, void *user, diag *d);
void caller_close(caller *c);
bool caller_call(caller *c, const workload *w, double *seconds, diag *d);

#endif
