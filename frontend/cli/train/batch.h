// A micro-batch: the tokens of its texts one after the other, without padding, and what the loss is held against.
#ifndef BERTC_CLI_TRAIN_BATCH_H
#define BERTC_CLI_TRAIN_BATCH_H

#include "frontend/cli/train/masks.h"
#include "frontend/cli/train/order.h"

// The same texts as a teacher's tokens.
typedef struct teacher_texts {
    int64_t tokens;
    int32_t *bounds, *ids, *types, *words; // [texts + 1], [tokens]; bounds NULL: they are the batch's own
} teacher_texts;

typedef struct train_batch {
    int64_t texts, tokens, examples;
    // What its loss is a sum over: classes, numbers (of all labels of a text), tags, answers, masks, anchors or pairs.
    int64_t labels;
    double weight;   // of these labels: their number, or the sum of their classes' weights
    int32_t *bounds; // [texts + 1]
    int32_t *ids;    // [tokens], as are the next four
    int32_t *types;
    int32_t *words;         // the word of its text that a token is of; -1: special
    int32_t *token_labels;  // of tags and masks, or FEATURE_IGNORED; NULL: none
    int32_t *rows;          // 1: masked; NULL: none
    int32_t *text_labels;   // [texts]: classes, or whether a pair's second text is another's; NULL: none
    int32_t *starts, *ends; // [texts]: of answers; NULL: none
    // [texts] of embeddings: the text that this one goes with, or FEATURE_IGNORED (it is no first text); 1: it is no first text
    int32_t *partners, *candidates;
    float *values; // [texts, width]; NULL: none
    int64_t width;
    const uint32_t **byte_starts, **byte_ends; // [examples] of answers: each one's tokens'; NULL: none
    teacher_texts known;
    float *teacher;                       // a teacher's answers: [texts or tokens, width]; NULL: none
    float *teacher_starts, *teacher_ends; // [tokens]: of answers
    int64_t *lines;                       // [examples]: of the file, for messages
    uint32_t *entries;                    // [examples]: of the set
} train_batch;

typedef struct batch_rule {
    const mask_rule *mask;      // TRAIN_MLM, TRAIN_PRETRAIN
    const pair_template *pairs; // TRAIN_PRETRAIN
    const float *weights;       // of classes (cross-entropy); NULL: each counts 1
} batch_rule;

// These examples in that epoch, in `a`; memory for the texts goes with it. Of none it is empty. False, with a diagnostic, where the file
// has changed.
bool batch_make(train_batch *out, const batch_rule *rule, train_set *s, const order_part *part, int64_t epoch,
                arena *a, diag *d);
// "lines 3, 8, 13": of examples, for messages; in `a`.
const char *batch_lines(const train_set *s, const order_part *part, arena *a);

#endif
