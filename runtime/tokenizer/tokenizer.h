// Text to tokens. Private to the runtime: sessions hold an encoder, bertc_tokenizer_open wraps one.
//
// A `tokenizer` is a checked view of a table (abi_tokenizer.h) that any number of encoders share; an
// `encoder` is the buffers of one session. Opening a tokenizer costs the same for any vocabulary; encoding
// allocates nothing for texts of up to the encoder's max_text_bytes, and grows the buffers once for a longer
// one.
#ifndef BERTC_TOKENIZER_H
#define BERTC_TOKENIZER_H

#include "runtime/abi_tokenizer.h"
#include "runtime/bertc.h"

typedef struct trie {
    const bertc_trie_node *nodes;
    uint32_t count; // 0: empty
} trie;

typedef struct tokenizer {
    const bertc_tokenizer *table;
    const char *strings;
    const uint32_t *pieces, *byte_ids;
    trie pieces_trie, added_trie;
    const double *scores;
    const bertc_merge *merges;
    const uint8_t *charsmap;
    const bertc_added_token *added;
    const bertc_step *normalizer, *pretokenizer;
    const bertc_template_item *single, *pair;
    bool bytes;             // BPE of bytes
    uint32_t continuing;    // node of the continuing subword prefix in pieces_trie, UINT32_MAX: none
    uint32_t specials[2];   // special tokens that `single` and `pair` add
    uint32_t normalized;    // added tokens that match the normalised text
    uint32_t charsmap_trie; // units of the map's trie
} tokenizer;

// Checks the sections of a table of `size` bytes (8-byte aligned) that the caller keeps. false: *error says
// why.
bool tokenizer_view(tokenizer *t, const void *table, size_t size, bertc_error *error);
// Does a pre-tokeniser's step change the text of its splits?
bool tokenizer_rewrites(const bertc_step *step);
// Text of an id as the vocabulary has it ("##able"), NULL where it has none.
const char *tokenizer_text(const tokenizer *t, int32_t id);

// What is asked of one text.
typedef struct encode_options {
    int64_t max_tokens; // special tokens included; 0: no limit
    bertc_truncation truncation;
    bertc_truncation_side side;
    bool plain; // text makes no special tokens
    bool whole; // it is never read in windows: an error about its length doesn't offer them
} encode_options;
// Of the caller's struct; NULL: none is set.
bool encode_options_take(const bertc_text_options *given, encode_options *out, bertc_error *error);

// Whether they are of the enumerations.
bool truncation_check(bertc_truncation truncation, bertc_truncation_side side, bertc_error *error);
// Whether these can be encoded at all; the error names the one that can't.
bool encode_arguments(const bertc_text *text, const encode_options *options, bertc_error *error);

typedef struct encoder encoder;
#define ENCODER_TEXT_MAX ((size_t)1 << 30) // bytes of a text

// max_text_bytes 0: 65536, for the text and the pair each. The encoder keeps `t`. NULL: out of memory or a
// broken table.
encoder *encoder_new(const tokenizer *t, size_t max_text_bytes, bertc_error *error);
void encoder_free(encoder *e);
// Does what bertc_tokenize_with promises. The tokens live until the next call on this encoder.
bool encoder_encode(encoder *e, const bertc_text *text, const encode_options *options,
                    const bertc_token **tokens, size_t *count, bertc_error *error);

#endif
