// From an example of the data to what a model reads: token ids, and what its loss is held against. Long texts become several
// features: windows of a context, pieces of a text.
#ifndef BERTC_CLI_FEATURES_H
#define BERTC_CLI_FEATURES_H

#include "frontend/cli/data/data.h"

typedef enum train_task {
    TRAIN_CLASSIFY,
    TRAIN_TAG,
    TRAIN_ANSWER,
    TRAIN_REGRESS,
    TRAIN_EMBED,
    TRAIN_MLM,
    TRAIN_PRETRAIN
} train_task;

// No label: such a token adds nothing to the loss, as in PyTorch.
#define FEATURE_IGNORED (-100)

typedef struct feature {
    int64_t tokens; // of all its texts
    int32_t *ids, *types;
    int32_t *words; // the word that a token is of; -1: it is a special token
    // TRAIN_TAG: of each token, or FEATURE_IGNORED; TRAIN_MLM: where the data choose the masks; else NULL
    int32_t *labels;
    int texts; // 1; TRAIN_EMBED: the first text, its positive (or the other text of a scored pair), negatives
    int64_t *bounds; // [texts + 1]: their first tokens
    int32_t label;   // TRAIN_CLASSIFY, of one label
    int64_t numbers; // TRAIN_REGRESS, TRAIN_CLASSIFY of several labels, TRAIN_EMBED of scored pairs
    float *values;
    int32_t start, end; // TRAIN_ANSWER: the answer's first and last token; both 0 where the window has none
    // TRAIN_ANSWER: each token's bytes in the context; both 0: it is not of the context. Else NULL.
    uint32_t *byte_starts, *byte_ends;
    const struct feature *known; // the same texts as a teacher's tokens; NULL: there is none
} feature;

typedef struct feature_rule {
    train_task task;
    data_form form;
    bertc_tokenizer_handle *tokenizer;
    const data_labels *labels; // of classes and tags, settled; NULL while they are learnt: no labels are made
    int64_t max_tokens;        // of a text, special tokens counted
    int64_t pair_room;         // TRAIN_PRETRAIN: tokens of a pair's two texts; else 0
    int64_t stride;            // TRAIN_ANSWER: tokens that neighbouring windows share
    double score_scale;        // TRAIN_EMBED: scores are divided by it, and then lie between -1 and 1
    int32_t mask_id, vocabulary; // TRAIN_MLM, TRAIN_PRETRAIN: the mask token, and how many tokens there are
    bool label_all;              // TRAIN_TAG: all pieces of a word have its label, not the first one alone
    bertc_session *teacher;      // whose tokens the texts get too; NULL: none
    int64_t teacher_tokens;      // its longest text
} feature_rule;

typedef struct feature_list {
    int64_t count;
    feature *v;
} feature_list;

// The features of an example, in `a`. NULL, or why there are none: a label that is none, a text that can't be tokenized.
// Without tokens (of an empty line of a plain text) there are none, which is no error.
const char *features_of(const feature_rule *rule, const data_example *e, feature_list *out, arena *a);

#endif
