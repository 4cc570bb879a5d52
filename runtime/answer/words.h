// Which tokens of a text are one word.
#ifndef BERTC_WORDS_H
#define BERTC_WORDS_H

#include "runtime/load/model.h"

// Does b, the token behind a in the first text, go on with a's word? Both are of one word of the
// pre-tokeniser, nothing lies between them, and letters or digits meet there, of a script that puts spaces
// between its words: so punctuation belongs to no word, and a token of Chinese or Thai is a word by itself.
bool words_join(const bertc_text *text, const bertc_token *a, const bertc_token *b);

// The same by the rule of Transformers' token-classification pipeline. With a prefix of continuing pieces: the
// token's text in the vocabulary is longer or shorter than what it stands for; else: there is no space before
// it, nor at its start.
bool words_join_as_transformers(const bertc_model *m, const bertc_text *text, const bertc_token *b);

// Is it the unknown token?
bool words_unknown(const bertc_model *m, const bertc_token *t);

#endif
