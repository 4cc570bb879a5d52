// What the files of `bertc bench` share. Times are medians over rounds in which the compared programs take
// turns.
#ifndef BERTC_CLI_BENCH_H
#define BERTC_CLI_BENCH_H

#include "frontend/cli/cli.h"
#include "frontend/cli/forms.h"
#include "frontend/cli/step.h"

typedef struct bench_options {
    build_options build;
    int_list threads, texts; // texts: the length of each text of the batch; empty: batch x seq
    int64_t rounds;
    bool profile, huge_pages;
    form_choice *out;   // how rows are printed
    const char *ablate; // NULL: no; "": each pass; else names by commas, of which `fusions` is all of them
    step_options step;  // of --train TASK
    // How far the rounds are, drawn between them, never while a call is timed. NULL: nowhere.
    const progress_hook *progress;
    progress_line *line; // to be cleared before a row is printed
    const char *timed;   // what the rounds time, as the line says it; where it lives longer than they
} bench_options;

// One batch of random ids.
typedef struct workload {
    int64_t batch, length, tokens; // the grid, and the tokens that its mask shows
    int32_t *ids, *mask;
} workload;

typedef struct phase_time {
    const char *name;
    double seconds, flops;
    int64_t bytes;
} phase_time;

typedef struct measured {
    double seconds;   // median
    double fastest;   // seconds of the fastest call
    double flops;     // of one call
    double peak;      // GFLOP/s of as many threads, median of bursts between the rounds
    double best;      // GFLOP/s of the best burst
    double weights;   // bytes of weights that one call reads
    double read;      // GB/s at which as many threads read as many bytes and do nothing else
    double anonymous; // bytes of memory that no file is behind, of the whole process between calls
} measured;

double share_of(double rate, double of); // percent; 0 where `of` is not known
bool workload_make(workload *w, const bench_options *o, const bertc_model *model, int64_t seq, diag *d);
void workload_free(workload *w);
// Rounds of one call each on `threads` threads, with bursts of the peak loop between them.
bool bench_measure(const bench_options *o, bertc_model *model, const workload *w, int threads, measured *out,
                   diag *d);
// Prints one row for each phase, beside what bench_measure found; the phases of equal layers are added up.
bool bench_profile(const bench_options *o, bertc_model *model, const workload *w, int threads,
                   const measured *m, diag *d);
// Times the model with each pass off in turn: what the pass is worth on this shape.
bool bench_ablate(const bench_options *o, const char *path, diag *d);

#endif
