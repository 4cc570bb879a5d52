// Token ids back to text, as Hugging Face's decoders do for each way of writing pieces of words.
#ifndef BERTC_CLI_DECODE_H
#define BERTC_CLI_DECODE_H

#include "runtime/bertc.h"

#include "frontend/hub/files/out.h"

// How a vocabulary says where words begin and end.
typedef enum decode_kind {
    DECODE_WORDS,     // each token is a word
    DECODE_WORDPIECE, // ##ing goes on with a word
    DECODE_BYTES,     // a character for each byte, a space is U+0120
    DECODE_METASPACE, // a space is U+2581
    DECODE_SUFFIX     // </w> ends a word
} decode_kind;

// What most tokens of the model's vocabulary show.
decode_kind decode_kind_of(const bertc_model *model);
// Writes the text of n tokens, given as the vocabulary has them, as valid UTF-8: bytes of half characters become U+FFFD.
void decode_tokens(out *o, decode_kind kind, const char *const *tokens, size_t n);

#endif
