// What the files of `bertc run --explain` share.
#ifndef BERTC_CLI_EXPLAIN_H
#define BERTC_CLI_EXPLAIN_H

#include "frontend/cli/run/draw.h"
#include "frontend/cli/run/run.h"

// --- explain_words.c

// The mask token as text that is read as it; "" where there is none. *id (may be NULL): the token's, -1.
const char *explain_mask(const bertc_model *model, bertc_session *s, int32_t *id);
// The words of a text's tokens, as the tokenizer has them, with weight 0; for the caller to free. of (may be NULL), [n]: the
// word of each token; -1: of none. NULL: no memory.
word_weight *explain_words(const bertc_text *text, const bertc_token *tokens, size_t n, int64_t *of,
                           size_t *count);

// --- explain_spans.c: entities of a text, or answers to a question.

// One explanation for each, in memory of theirs; explanations_free frees it.
bool explain_spans(const run_options *o, const bertc_model *model, bertc_session *s, const bertc_text *text,
                   explanation **out, size_t *count, diag *d);
void explanations_free(explanation *list, size_t count);

// --- explain_print.c
void explanation_print(const explanation *x);
cJSON *explanation_json(const explanation *x);

#endif
