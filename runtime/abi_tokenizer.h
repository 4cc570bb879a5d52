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
#define BERTC_TOKENIZER_VERSION 4u

typedef enum bertc_tokenizer_model {
    BERTC_TOKENIZER_WORDPIECE = 1,
    BERTC_TOKENIZER_BPE = 2, // a word's bytes or characters, merged pair by pair
    BERTC_TOKENIZER_UNIGRAM = 3,
    BERTC_TOKENIZER_WORDLEVEL = 4 // a word is a piece, or unknown
} bertc_tokenizer_model;

// bertc_tokenizer.flags
#define BERTC_TOKENIZER_TRIM          1u  // offsets leave out a token's spaces at both ends
#define BERTC_TOKENIZER_TRIM_PREFIXED 2u  // but not one at a text's start, which the pre-tokeniser put there
#define BERTC_TOKENIZER_IGNORE_MERGES 4u  // BPE: a word that is a piece is one token
#define BERTC_TOKENIZER_CHARACTERS    8u  // BPE: of characters, not byte-level
#define BERTC_TOKENIZER_FUSE_UNKNOWN  16u // BPE of characters: unknown ones in a row are one token
#define BERTC_TOKENIZER_DROP_UNKNOWN  32u // BPE of characters: unknown ones leave no token
// BPE of characters: U+2581 is a piece, and no merge joins it to another character before it.
#define BERTC_TOKENIZER_SPACE_BEGINS  64u
#define BERTC_TOKENIZER_NO_UNKNOWN    128u // there is no unknown token: a text that needs one is an error
#define BERTC_TOKENIZER_TRUNCATE_LEFT 256u // a text that is cut keeps its end, where a call doesn't say
#define BERTC_TOKENIZER_SPLIT_SPECIAL 512u // special added tokens are text like any other

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
    BERTC_ADDED_RSTRIP = 4,      // and after it
    BERTC_ADDED_NORMALIZED = 8,  // its normalised text is looked for in the normalised text
    BERTC_ADDED_SPECIAL = 16
} bertc_added_flag;
typedef struct bertc_added_token {
    uint32_t id, flags;
    uint32_t text, size; // in `strings`, ends in NUL
} bertc_added_token;

// One step of the normaliser or of the pre-tokeniser.
typedef enum bertc_normalizer_kind {
    BERTC_STEP_BERT_NORMALIZER = 1, // flags: BERTC_BERT_*
    BERTC_STEP_NFD,
    BERTC_STEP_NFKD,
    BERTC_STEP_LOWERCASE,
    BERTC_STEP_STRIP_ACCENTS, // drops marks
    BERTC_STEP_REPLACE,       // `text` by `text2`
    BERTC_STEP_COLLAPSE,      // runs of two or more of the character `text` by `text2`
    BERTC_STEP_STRIP,         // whitespace at the start (flag 1) and at the end (flag 2)
    BERTC_STEP_PREPEND,       // `text`
    BERTC_STEP_CHARSMAP,      // sentencepiece's map in `charsmap`
    BERTC_STEP_NFC,
    BERTC_STEP_NFKC,
    BERTC_STEP_NMT,             // sentencepiece's clean-up: control characters go, odd spaces become a space
    BERTC_STEP_REPLACE_PATTERN, // matches of the PCRE2 pattern `text` by `text2`
    BERTC_STEP_NORMALIZE_BYTES  // each byte by the character that GPT-2 writes it as
} bertc_normalizer_kind;
typedef enum bertc_split_kind {
    BERTC_STEP_BERT_SPLIT = 64,  // at whitespace (dropped) and round each punctuation character
    BERTC_STEP_WHITESPACE_SPLIT, // at whitespace (dropped)
    BERTC_STEP_METASPACE,        // spaces become `text`, words begin with it; flags: BERTC_METASPACE_*
    BERTC_STEP_BYTE_LEVEL,       // GPT-2's pattern; flags: BERTC_BYTE_LEVEL_*
    BERTC_STEP_WORDS,            // runs of word characters, runs of neither those nor whitespace
    // What these match is a delimiter; flags: bertc_split_behaviour, BERTC_SPLIT_INVERT
    BERTC_STEP_PUNCTUATION,   // each punctuation character
    BERTC_STEP_DIGITS,        // each numeric character
    BERTC_STEP_SPLIT_TEXT,    // each `text`
    BERTC_STEP_SPLIT_PATTERN, // matches of the PCRE2 pattern `text`
    BERTC_STEP_SPLIT_BYTES,   // cuts nothing: each byte becomes the character that GPT-2 writes it as
    BERTC_STEP_FIXED_LENGTH   // each `flags` characters
} bertc_split_kind;
// What becomes of delimiters, the flags' low bits.
typedef enum bertc_split_behaviour {
    BERTC_SPLIT_REMOVED,
    BERTC_SPLIT_ISOLATED,
    BERTC_SPLIT_WITH_PREVIOUS,
    BERTC_SPLIT_WITH_NEXT,
    BERTC_SPLIT_CONTIGUOUS // those in a row are one
} bertc_split_behaviour;
#define BERTC_SPLIT_BEHAVIOUR 7u
#define BERTC_SPLIT_INVERT    8u // what lies between matches is the delimiter
// How patterns are compiled, here and where they are checked.
#define BERTC_PATTERN_OPTIONS   (PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C)
#define BERTC_METASPACE_ALWAYS  1u // `text` before every split that does not begin with it
#define BERTC_METASPACE_FIRST   2u // before the one at the text's start
#define BERTC_METASPACE_SPLIT   4u
#define BERTC_BYTE_LEVEL_PREFIX 1u // a space before a split that does not begin with one
#define BERTC_BYTE_LEVEL_SPLIT  2u
#define BERTC_BERT_CLEAN        1u // drop control characters, whitespace becomes a space
#define BERTC_BERT_CHINESE      2u // spaces round each CJK ideograph
#define BERTC_BERT_STRIP        4u // NFD, then drop nonspacing marks
#define BERTC_BERT_LOWERCASE    8u
typedef struct bertc_step {
    uint32_t kind; // bertc_normalizer_kind or bertc_split_kind
    uint32_t flags;
    uint32_t text, size;   // a string that the step needs, in `strings`
    uint32_t text2, size2; // and another
} bertc_step;

// BPE's merges: open addressing, from bertc_merge_slot on, at most `merge_probes` slots; rank UINT32_MAX:
// free. The number of slots is a power of 2.
typedef struct bertc_merge {
    uint32_t left, right, rank, id;
} bertc_merge;
static inline uint32_t bertc_merge_slot(uint32_t left, uint32_t right) {
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 32);
}

// The character that byte-level BPE writes a byte as: printable bytes are themselves, the others are 256 and
// up, in their order.
static inline uint32_t bertc_byte_character(uint8_t byte) {
    if (byte <= ' ') return 256u + byte;
    if (byte < 0x7f) return byte;
    if (byte <= 0xa0) return 256u + ' ' + 1 + (byte - 0x7fu);
    return byte == 0xad ? 0x143 : byte;
}

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
    uint32_t flags;      // BERTC_TOKENIZER_*
    uint32_t vocab_size; // ids are below; not every one need have a text
    uint32_t max_chars;  // WordPiece: a longer word is unknown
    uint32_t max_length; // tokens of a text, special ones included, that the files name; 0: none
    int32_t unk_id, pad_id, cls_id, sep_id, mask_id; // -1: none
    uint32_t prefix, prefix_size;                    // WordPiece: continuing subword prefix, in `strings`
    uint32_t merge_probes;
    // BPE of characters: what a word's last character ends in, in `strings`; `prefix` begins all but the
    // first.
    uint32_t suffix, suffix_size;
    double unk_score;      // Unigram: of a character that is no piece
    bertc_section strings; // char: the first and the last are NUL
    bertc_section pieces;  // uint32_t[vocab_size]: an id's text in `strings`, ends in NUL; 0: none
    bertc_section trie;    // bertc_trie_node: the model's pieces (BPE: as raw bytes), values are ids
    bertc_section scores;  // Unigram: double[], by id
    bertc_section merges;  // BPE: bertc_merge
    // BPE: uint32_t[256], the piece of each byte; Unigram: the pieces for the bytes of an unknown
    // character, or absent.
    bertc_section byte_ids;
    bertc_section charsmap;   // char: uint32_t size of a darts-clone trie in bytes, the trie, NUL-ended texts
    bertc_section added;      // bertc_added_token
    bertc_section added_trie; // bertc_trie_node: added tokens that match the raw text, values index `added`
    bertc_section normalizer; // bertc_step
    bertc_section pretokenizer; // bertc_step
    bertc_section single, pair; // bertc_template_item
} bertc_tokenizer;

#endif
