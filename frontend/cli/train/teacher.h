// Distillation: another model, which answers the texts of each batch in forward alone. Its answers become targets of the step.
//
// Texts of classify, regress, embed and tag have the teacher's own tokens (of tag, a word's answer is that of its first token). Of
// answer and mlm the tokens themselves are answered, so the vocabularies must be the same.
#ifndef BERTC_CLI_TRAIN_TEACHER_H
#define BERTC_CLI_TRAIN_TEACHER_H

#include "frontend/cli/train/batch.h"
#include "frontend/cli/train/options.h"

typedef struct teacher {
    const char *path;
    opened opened;
    bertc_session *session; // NULL: there is no teacher
    train_task task;
    int64_t max_tokens; // of its longest text
    int output_count;
    int *order; // [labels]: the teacher's number of each label of the model; NULL: as they are
} teacher;

// Opens the folder or artefact. False, with a diagnostic, where it is of another task. teacher_close in both cases.
bool teacher_open(teacher *t, const train_options *o, int threads, diag *d);
void teacher_close(teacher *t);
// Its labels, into `out`; none where its task has none.
void teacher_labels(const teacher *t, data_labels *out);
// Have the two the same labels, by name, whatever their order? (Of classify and tag.)
bool teacher_check_labels(teacher *t, const data_labels *labels, arena *a, diag *d);
// And the same vocabulary? (Of answer and mlm.)
bool teacher_check_tokens(const teacher *t, const bertc_tokenizer_handle *tokenizer, diag *d);
// Are its answers as wide as the model's target?
bool teacher_check_width(const teacher *t, const bertc_model *model, diag *d);
// Answers the batch: sets its teacher's arrays, in `a`. A tagged word that the teacher's longest text cuts off is not learnt.
bool teacher_answer(teacher *t, train_batch *b, const float *weights, arena *a, diag *d);

#endif
