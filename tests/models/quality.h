// The trained checkpoints of ../shared on their whole dev sets: what the programs that count right answers
// share.
#ifndef BERTC_TESTS_QUALITY_H
#define BERTC_TESTS_QUALITY_H

#include "frontend/cli/cli.h"
#include "main.h"

typedef struct quality {
    opened model;
    bertc_session *session;
    diag d;
    FILE *lines;
    char *line;
    size_t capacity;
} quality;

// NULL, or the kind (tests/main.h) of what is not here: the checkpoint or the data, or xzcat.
const char *quality_lacks(const char *model, const char *data);
#define QUALITY_NEEDS(model, data)                                                                           \
    do {                                                                                                     \
        const char *lacks = quality_lacks(model, data);                                                      \
        if (lacks) SKIP(lacks, "%s on %s", model, data);                                                     \
    } while (0)
// How a checkpoint is compiled; all NULL: in float32 for this CPU.
typedef struct quality_way {
    const char *dtype, *mcpu;
    const char *calibrate; // of int8: a file with a text a line; NULL: rows have scales of their own
} quality_way;
// Compiles ../shared/models/`model` for texts of `length` tokens, and opens ../shared/data/`data`.dev.jsonl.xz.
void quality_open_as(quality *q, const char *model, const char *data, int64_t length, const quality_way *way);
void quality_open(quality *q, const char *model, const char *data, int64_t length);
// The next line, which the caller deletes; NULL: the end.
cJSON *quality_next(quality *q);
void quality_close(quality *q);
// A string of an object, which must be there.
const char *quality_string(const cJSON *o, const char *name);
bertc_result quality_answer(quality *q, const bertc_text *text, const bertc_text_options *options);

// SQuAD's official comparison: lower case, without punctuation, articles and further spaces; the best of the
// given answers.
typedef struct squad_score {
    double exact, f1;
} squad_score;
squad_score squad_compare(const char *answer, size_t size, const cJSON *gold);

// Spearman's rank correlation; equal values share their mean rank.
double spearman(const double *a, const double *b, int n);

#endif
