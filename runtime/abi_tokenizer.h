// The tokenizer of an artefact, in a form that is used as it lies: no parsing, no allocation at load.
// Written by the frontend (frontend/hub), read in place by the runtime. Every `at` counts bytes from the
// bertc_tokenizer itself and is a multiple of 8. Little-endian. The table may be hostile: a reader checks the
// sections' bounds once and each element where it uses it, so that opening costs the same for any vocabulary.
//
// It names components as data, in the order in which they run: added tokens that match the raw text,
// normaliser steps, added tokens that match the normalised text, pre-tokeniser steps, the model, the
// post-processor's templates.
#ifndef BERTC_ABI_TOKENIZER_H
#define BERTC_ABI_TOKENIZER_H

#include <stdint.h>

#define BERTC_TOKENIZER_MAGIC   0x4b544342u // "BCTK"
#define BERTC_TOKENIZER_VERSION 1u

typedef enum bertc_tokenizer_model { BERTC_TOKENIZER_WORDPIECE = 1 } bertc_tokenizer_model;

// `count` elements from `at`; 0, 0: absent.
typedef struct bertc_section {
    uint32_t at, count;
} bertc_section;

// A double-array trie over bytes, root 0. The child of node n by byte c > 0 is (base & BERTC_TRIE_BASE) ^ c,
// if its `check` is n. Where BERTC_TRIE_VALUE is set the path down to n is an entry: the child by 0 holds its
// value in `base`. The number of nodes is a multiple of 256.
#define BERTC_TRIE_VALUE 0x80000000u
#define BERTC_TRIE_BASE  0x7fffffffu
typedef struct bertc_trie_node {
    uint32_t base, check;
} bertc_trie_node;

typedef enum bertc_added_flag {
    BERTC_ADDED_SINGLE_WORD = 1, // only where no word character touches it
    BERTC_ADDED_LSTRIP = 2,      // takes the whitespace before it
    BERTC_ADDED_RSTRIP = 4,      // and behind it
    BERTC_ADDED_NORMALIZED = 8,  // its normalised text is looked for in the normalised text
    BERTC_ADDED_SPECIAL = 16
} bertc_added_flag;
typedef struct bertc_added_token {
    uint32_t id, flags;
    uint32_t text, size; // in `strings`, ends in NUL
} bertc_added_token;

// One step of the normaliser or of the pre-tokeniser.
typedef enum bertc_step_kind {
    BERTC_STEP_BERT_NORMALIZER = 1, // flags: BERTC_BERT_*
    BERTC_STEP_BERT_SPLIT = 64      // at whitespace (dropped) and round each punctuation character
} bertc_step_kind;
#define BERTC_BERT_CLEAN     1u // drop control characters, whitespace becomes a space
#define BERTC_BERT_CHINESE   2u // spaces round each CJK ideograph
#define BERTC_BERT_STRIP     4u // NFD, then drop nonspacing marks
#define BERTC_BERT_LOWERCASE 8u
typedef struct bertc_step {
    uint32_t kind, flags;
    uint32_t text, size;   // a string that the step needs, in `strings`
    uint32_t text2, size2; // and another
} bertc_step;

// A template is a list of these: a sequence (0: the text, 1: the pair) or a special token.
#define BERTC_TEMPLATE_SPECIAL 2u
typedef struct bertc_template_item {
    uint32_t kind; // 0, 1 or BERTC_TEMPLATE_SPECIAL
    int32_t id;    // of the special token
    int32_t type;
} bertc_template_item;

typedef struct bertc_tokenizer {
    uint32_t magic, version;
    uint32_t bytes;      // of the whole table
    uint32_t model;      // bertc_tokenizer_model
    uint32_t vocab_size; // ids are below; not every one need have a text
    uint32_t max_chars;  // WordPiece: a longer word is unknown
    uint32_t max_length; // tokens of a text, special ones included, that the files name; 0: none
    uint32_t reserved;
    int32_t unk_id, pad_id, cls_id, sep_id, mask_id; // -1: none
    uint32_t prefix, prefix_size;                    // continuing subword prefix, in `strings`
    uint32_t reserved2;
    bertc_section strings;      // char: the first and the last are NUL
    bertc_section pieces;       // uint32_t[vocab_size]: an id's text in `strings`, ends in NUL; 0: none
    bertc_section trie;         // bertc_trie_node: the model's pieces, values are ids
    bertc_section added;        // bertc_added_token
    bertc_section added_trie;   // bertc_trie_node: added tokens that match the raw text, values index `added`
    bertc_section normalizer;   // bertc_step
    bertc_section pretokenizer; // bertc_step
    bertc_section single, pair; // bertc_template_item
} bertc_tokenizer;

#endif
