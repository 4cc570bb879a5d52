// A text with mask tokens, and the words that stand for them (data_example.labels of DATA_TEXT).
#ifndef BERTC_CLI_CLOZE_H
#define BERTC_CLI_CLOZE_H

#include "frontend/cli/data/data.h"

// Are there words, and does the text hold the mask token (its spelling: "[MASK]")?
bool cloze_is(const data_example *e, const char *mask);
// The text with the words in place of the masks, one for each. NULL, or what is wrong, in `a`.
const char *cloze_fill(const data_example *e, const char *mask, bertc_text *out, arena *a);
// labels[i]: the token of the filled text where the other one, of as many tokens, has its i-th token a mask; else -100. NULL, or what is
// wrong: a word that is not one token.
const char *cloze_labels(const data_example *e, const bertc_token *masked, size_t n,
                         const bertc_token *filled, size_t filled_n, int32_t mask_id, int32_t *labels,
                         arena *a);

#endif
