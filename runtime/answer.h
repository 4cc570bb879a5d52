// The text side of a session: its encoder, the tokens of the group that is being put together, and the memory
// of the answers.
#ifndef BERTC_ANSWER_H
#define BERTC_ANSWER_H

#include "session.h"
#include "store.h"
#include "tokenizer.h"

enum {
    ANSWER_TEXTS = 1024,
    ANSWER_TOP = 32
}; // texts a call, and choices a mask, that the store has room for at opening

struct answer_state {
    encoder *encoder;
    store store;
    bertc_token *tokens; // [max_tokens], as packed
    int outputs[2];      // that the task reads; -1: none
    const bertc_text *texts;
    const bertc_text_options *options;
    bertc_result *results;
};

// Sets s->text, where the model has a tokenizer.
bool answer_open(bertc_session *s, size_t max_text_bytes, bertc_error *error);
void answer_close(bertc_session *s);

// The answer for text `q` of the group that has just been run, written to its place among the results. false:
// no memory.
bool answer_decode(bertc_session *s, int64_t q);

#endif
