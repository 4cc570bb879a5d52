// The queue and the thread that answers. Texts of requests that ask for the same are put together, by tokens, into one call
// of the model; kernels pack them, so a text gets the same bits whatever runs beside it.
#ifndef BERTC_CLI_ENGINE_H
#define BERTC_CLI_ENGINE_H

#include "frontend/cli/serve/metrics.h"
#include "frontend/cli/serve/models.h"

typedef enum work_kind {
    WORK_ANSWER,    // bertc_answer_texts
    WORK_ZERO_SHOT, // bertc_zero_shot
    WORK_SUMMARY,   // bertc_summarize
    WORK_OUTPUT     // ids in, one of the model's outputs out
} work_kind;

// What is kept of an answer.
typedef enum keep_kind { KEEP_JSON, KEEP_EMBEDDING, KEEP_SPARSE, KEEP_VECTORS, KEEP_SCORES } keep_kind;

// One text. The request owns what it points at.
typedef struct job {
    struct work *of;
    struct job *next;
    bertc_text text;
    int32_t *ids; // of WORK_OUTPUT: [tokens], and their types
    int32_t *types;
    int64_t tokens; // as they were counted
    double arrived, started, ended;
    // The answer, freed by work_free.
    char *json;
    float *numbers; // an embedding; [rows, width] of vectors and outputs
    int64_t rows, width;
    int32_t *places;     // of vectors: [rows], the token of each
    bertc_score *scores; // of labels, or of sparse weights
    int score_count;
    char *error; // NULL: it has an answer
    bool late;   // the error is that it waited too long
} job;

// The texts of one request.
typedef struct work {
    served *model;
    work_kind kind;
    keep_kind keep;
    int output; // of WORK_OUTPUT
    bertc_text_options options;
    bertc_zero_shot_options labels;
    bertc_summary_options summary;
    // Texts are put into one call where these are the same; NULL: each is a call by itself.
    char *key;
    job *jobs;
    int count, left;          // left: not answered yet, under the engine's lock
    void (*done)(void *user); // on the engine's thread, when all have an answer or an error
    void *user;
} work;
// Frees the answers, the jobs and the key.
void work_free(work *w);

typedef struct engine_options {
    int64_t max_batch_tokens, max_batch_requests, max_concurrent_requests;
    int64_t max_wait_us; // -1: as pace.h says
    double timeout;      // seconds that a text may wait
} engine_options;

typedef struct engine engine;
engine *engine_open(const engine_options *o, metrics *counts, diag *d);
// Answers what is queued, and ends the thread; nothing more is taken.
void engine_stop(engine *e);
void engine_free(engine *e); // after engine_stop
// False where as many texts as may wait or be answered already do, or it was stopped; nothing was queued then.
bool engine_submit(engine *e, work *w);

#endif
