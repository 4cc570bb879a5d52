// What the files of the encoder share: the text on its way through normaliser, pre-tokeniser and model.
#ifndef BERTC_TOKENIZER_ENCODER_H
#define BERTC_TOKENIZER_ENCODER_H

#include "tokenizer.h"
#include "tokenizer_trie.h"
#include "unicode.h"

// A stretch of text on its way. Byte i comes from the character at `source[i]` of the encoder's text, or,
// where `source` is NULL, is byte base + i of it.
typedef struct span {
    const uint8_t *bytes;
    const uint32_t *source;
    uint32_t base;
    size_t size;
} span;

// Where a normaliser step writes.
typedef struct norm_text {
    uint8_t *bytes;
    uint32_t *source;
    size_t size, capacity;
} norm_text;

// Characters of a run of marks that wait to be put in canonical order.
typedef struct pending_mark {
    uint32_t c;
    uint8_t class;
    bool added; // a further character of a decomposition: HF gives it the source of the character before it
} pending_mark;
typedef struct mark_run {
    pending_mark *marks, *sorted;
    uint32_t *sources; // of the characters that came in
    size_t count, source_count, capacity;
    uint32_t last; // source of the last character that went out
    bool unsorted;
} mark_run;

// An added token as it looks after the normaliser.
typedef struct pattern {
    const uint8_t *bytes;
    uint32_t size, token; // index in the table's `added`
} pattern;

typedef struct split {
    uint32_t start, end;
} split;

// A place in a text, in bytes and in characters.
typedef struct text_place {
    size_t bytes, chars;
} text_place;

struct encoder {
    const tokenizer *t;
    size_t max_text; // bytes that the buffers below are made for

    const uint8_t *text; // being encoded: valid UTF-8
    size_t text_size;
    const uint32_t
        *original;     // offset in the caller's text of each byte of `text` and of its end; NULL: the same
    bool ascii;        // all of `text`
    uint8_t *repaired; // `text` where the caller's is no UTF-8
    uint32_t *repaired_at;

    norm_text norm;
    mark_run run;
    split *splits;
    uint8_t ascii_map[128]; // BERT's normaliser for ASCII, UNICODE_DROPPED: dropped

    bool first_raw[256], first_normalized[256]; // bytes that an added token begins with
    pattern *patterns;                          // ascending, one a text
    size_t pattern_count;
    uint8_t *pattern_bytes;

    bertc_token *raw, *out; // the tokens of the texts, and these within their template
    size_t raw_count, token_capacity;
    size_t raw_stop; // no word begins once there are so many
    int32_t text_index, word;
    text_place at; // where the last token begins
};

#define ENCODER_DROPPED 0xff

// tokenizer_text.c: sets e->text from the caller's bytes.
void text_open(encoder *e, const char *text, size_t size);
// Appends a token for bytes [start, end) of `s`; an id that is none becomes the unknown token.
void text_token(encoder *e, const span *s, size_t start, size_t end, uint32_t id);

// tokenizer_normalize.c: runs the normaliser's steps over `in`; *out lies in the encoder until the next call.
void normalize_open(encoder *e);
void normalize(encoder *e, const span *in, span *out);

// tokenizer_added.c: calls `plain` for what lies between added tokens, and appends these.
typedef void (*added_rest)(encoder *e, const span *s);
bool added_open(encoder *e);
void added_split_raw(encoder *e, const span *s, added_rest rest);
void added_split_normalized(encoder *e, const span *s, added_rest rest);

// tokenizer_split.c: the words of `s` in e->splits; returns their number.
size_t pretokenize(encoder *e, const span *s);

// tokenizer_wordpiece.c: appends the tokens of one word.
void wordpiece_encode(encoder *e, const span *s, split word);

#endif
