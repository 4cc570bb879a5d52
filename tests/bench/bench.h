// bench_compare: bertc and its peers on the same weights and the same ids, in turn. What its files share.
//
//   plan.c      models, artefacts and rows of the table; operations of a row
//   prepare.c   checkpoint (bertc synth) -> artefact (bertc compile) and ONNX graphs (onnx_graph.py), in a work folder
//   peer.c      a contender: a process that makes one call when it is told to
//   measure.c   one row: outputs compared, then rounds A B A B with bursts of the peak loop between calls
//   start.c     load to first answer, each time in a new process
//   peers.c     which peers are there
//   report.c    the table, or a JSON object a row; training.c the same of steps of training
#ifndef BERTC_TESTS_BENCH_H
#define BERTC_TESTS_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "frontend/cli/options.h"
#include "ir/diag.h"

#define PATH_BYTES 4096
#define TEXTS_MAX  32

// --- plan.c

typedef struct bench_model {
    const char *name, *shape, *head; // of bertc synth
} bench_model;

typedef struct bench_build {
    const char *name;
    const bench_model *model;
    const char *lengths, *batch, *mcpu; // of bertc compile; mcpu NULL: native
    const char *dtype;                  // NULL: float32
    const char *train;                  // NULL, or the task of a step of training
    const char *dropout;                // of that step; NULL: none
} bench_build;

typedef struct bench_row {
    const char *name;
    const bench_build *build;
    int texts;
    int64_t lengths[TEXTS_MAX];
    const char *beside; // a row whose bertc runs in the same rounds, to compare the time of a token with
    bool alone;         // without peers
    bool start;         // load to first answer
    bool by_name_only;  // not one of `all`
} bench_row;

// Sizes of a checkpoint, from its config.json.
typedef struct model_sizes {
    int64_t layers, hidden, inner, vocabulary, labels; // labels 0: no classifier
} model_sizes;

const bench_row *plan_row(const char *name); // NULL: there is none
const bench_row *plan_rows(int *count);
int64_t row_length(const bench_row *r); // of the longest text
int64_t row_tokens(const bench_row *r); // that the mask shows
// Floating-point operations that a row needs, 2 a multiply-add: products and attention of the tokens that the
// mask shows; of a classifier's last layer only what the first row of each text needs. A step of training: three times as
// many.
double row_flops(const bench_row *r, const model_sizes *m);
// Those of scores and contexts alone.
double row_attention_flops(const bench_row *r, const model_sizes *m);
// Bytes of the layers' matrices as the row's artefact stores them.
double row_weight_bytes(const bench_row *r, const model_sizes *m);
bool row_is(const bench_row *r, const char *dtype); // "f32" too
bool row_trains(const bench_row *r);                // its call is a step

// --- Options and peers

enum { PEER_ORT = 1, PEER_EAGER = 2, PEER_INDUCTOR = 4 };

typedef struct bench_options {
    const char *work;                            // folder for what is made; kept
    const char *bertc, *bertc_peer, *ort_peer;   // programs
    const char *scripts, *python, *ort, *shapes; // ort: libonnxruntime.so, a folder with it, or `python`
    const char *peers, *passes;
    int_list threads;
    int64_t rounds;
    bool json, huge_pages, probe;
    int64_t started;              // seconds since 1970: artefacts older than this are compiled anew
    unsigned found;               // PEER_... that can run
    char ort_library[PATH_BYTES]; // empty: onnxruntime for Python
    const char *python_onnx;      // NULL: none with onnx and numpy
    const char *python_torch;
} bench_options;

// peers.c: finds the peers that o->peers names; false where one was asked for by name and is not there.
bool peers_find(bench_options *o, diag *d);

// --- peer.c
//
// The protocol, a line each way. The peer first says `ready MILLISECONDS ISA` (time to load the model, "-":
// no ISA to tell), then answers
//   batch FILE B L   int32 ids[B,L] and mask[B,L], the next calls' input               `ok`
//   go N             N calls one after another                                       the last one's
//   milliseconds out FILE         writes the last call's outputs, float32, one after another      `ok COUNT`
// or `error MESSAGE`; it ends with its standard input.

typedef struct peer {
    pid_t pid;
    FILE *to, *from;
    char name[64], log[PATH_BYTES];
    double load_ms;
    char isa[32];
} peer;

// Where a program is: as given, as the environment's `variable` (NULL: none) says, or, into `buf`, beside
// this one.
const char *peer_program(const char *given, const char *variable, const char *name, char *buf);
// argv[0] is found in PATH; stderr goes to `log`. On failure the diagnostic names the log.
bool peer_start(peer *p, const char *name, const char *const argv[], const char *log, diag *d);
bool peer_batch(peer *p, const char *file, int64_t batch, int64_t length, diag *d);
bool peer_go(peer *p, int calls, double *milliseconds, diag *d);
// The same once, by a peer that is looked at every millisecond meanwhile: the most anonymous memory that it held.
bool peer_watch(peer *p, long *anonymous_kb, double *milliseconds, diag *d);
// Waits until the peer's threads, which may spin after a call, have fallen asleep (or have not within half a
// second).
void peer_settle(const peer *p);
// The outputs of the last call, through `file`; the caller frees.
float *peer_outputs(peer *p, const char *file, int64_t *count, diag *d);
void peer_stop(peer *p);

typedef struct run_usage {
    double seconds;
    long anonymous_kb; // the most anonymous memory that the process itself held, looked at every millisecond
} run_usage;
// Runs a command to its end, its output into `log`. usage may be NULL.
bool run_command(const char *const argv[], const char *log, run_usage *usage, diag *d);

// --- prepare.c: each makes what is missing and says where it is.

bool prepare_checkpoint(const bench_options *o, const bench_model *m, char *folder, model_sizes *sizes,
                        diag *d);
bool prepare_artefact(const bench_options *o, const bench_build *b, char *path, diag *d);
bool prepare_onnx(const bench_options *o, const bench_model *m, const char *form, char *path, diag *d);
// Random ids of the row's texts and their mask, as `batch` of the protocol reads them.
bool prepare_batch(const bench_options *o, const bench_row *r, int64_t vocabulary, char *path, diag *d);

// --- measure.c

typedef enum contender_kind {
    BERTC,
    BESIDE,
    ORT_EXPORTER,
    ORT_FUSED,
    ORT_INT8_S8, // quantised by ONNX Runtime's dynamic scheme, weights signed or not
    ORT_INT8_U8,
    TORCH_EAGER,
    TORCH_INDUCTOR,
    CONTENDER_KINDS
} contender_kind;
extern const char *const contender_names[CONTENDER_KINDS];

typedef struct contender {
    contender_kind kind;
    const bench_row *row;
    peer peer;
    bool running, retired;
    double *times; // milliseconds
    int64_t count;
    double median, low, high; // quartiles
    double difference;        // of outputs: see compare_outputs
    // Of a step of training: loss and norm of the first one, and the most memory that the second one held.
    float *first;
    long anonymous_kb;
    double watched; // milliseconds of that one
} contender;

typedef struct measured {
    const bench_row *row;
    int threads, count;
    contender contenders[CONTENDER_KINDS];
    model_sizes sizes;
    char isa[32];
    double flops, peak; // peak: of as many threads, in the type of the row's products, median of all bursts
    double peak_low, peak_high; // its quartiles
    double attention_peak;      // the same in the type of its attention
    double read_gbs;            // of as many bytes as the row's weights
    double bound; // milliseconds: the larger of operations over these peaks and bytes over that rate
} measured;

// Starts one contender of a row and hands it the row's batch.
bool contender_open(contender *c, const bench_options *o, contender_kind kind, const bench_row *r,
                    int threads, model_sizes *sizes, diag *d);
void contender_close(contender *c);
// Which kinds run for a row.
bool contender_wanted(const bench_options *o, const bench_row *r, contender_kind kind);
bool measure_row(const bench_options *o, const bench_row *r, int threads, measured *m, diag *d);
void measured_free(measured *m);
const contender *measured_find(const measured *m, contender_kind kind); // NULL: did not run
const contender *measured_best_ort(const measured *m);
double median_of(double *v, int64_t n, double *low, double *high); // sorts; quartiles where not NULL

// --- start.c, training.c, report.c

bool measure_start(const bench_options *o, const bench_row *r, int threads, diag *d);
// Rows of steps of training have a table of their own, with peak memory.
void report_training_head(const bench_options *o);
void report_training(const bench_options *o, const measured *m);
void report_head(const bench_options *o);
void report_row(const bench_options *o, const measured *m);

#endif
