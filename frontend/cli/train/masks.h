// Which tokens a masked language model has to guess, and the pairs of texts of next sentence prediction. Both are drawn anew in each
// epoch, as functions of the seed, the epoch and the example.
#ifndef BERTC_CLI_MASKS_H
#define BERTC_CLI_MASKS_H

#include "frontend/cli/train/set.h"

// The epoch of the dev file: it is masked and paired in the same way each time.
#define DEV_EPOCH ((int64_t)UINT32_MAX)

typedef struct mask_rule {
    uint64_t seed;
    double share;     // of tokens that are guessed: 0.15
    bool whole_words; // all tokens of a word, or none
    int32_t mask_id, vocabulary;
} mask_rule;

// Of the tokens whose word is not -1 each is chosen with that chance, one at least; of the chosen ones 80 % become the mask, 10 % any
// token, 10 % stay (Devlin et al. 2018). rows[i]: 1 where it is chosen; labels[i]: what it was, or FEATURE_IGNORED. Returns how many are
// chosen.
int64_t mask_tokens(const mask_rule *rule, int64_t epoch, int64_t example, const int32_t *words, int64_t n,
                    int32_t *ids, int32_t *labels, int32_t *rows);

// How the tokenizer joins two texts: prefix, first text, middle, second text, suffix.
typedef struct pair_template {
    int prefix, middle, suffix; // how many tokens
    int32_t ids[12], types[12]; // of these, in this order
    int32_t first_type, second_type;
} pair_template;
// From the tokens of any pair. False: it is no such template.
bool pair_template_of(bertc_tokenizer_handle *tokenizer, pair_template *out, bertc_error *e);
static inline int pair_template_tokens(const pair_template *t) {
    return t->prefix + t->middle + t->suffix;
}

// The pair that entry `i` of a set gives in that epoch: its passage, cut in two between lines (of one line: between words); or, every
// second time, its first part and what follows a cut of another document's passage, of at most as many tokens (label 1).
bool pair_read(train_set *s, int64_t i, const pair_template *t, uint64_t seed, int64_t epoch, feature *out,
               arena *a, diag *d);

#endif
