// What the files of the encoder share: the text on its way through normaliser, pre-tokeniser and model.
#ifndef BERTC_TOKENIZER_ENCODER_H
#define BERTC_TOKENIZER_ENCODER_H

#include "runtime/tokenizer/tokenizer.h"
#include "runtime/tokenizer/trie.h"
#include "runtime/tokenizer/unicode.h"

// A stretch of text on its way. Byte i comes from the character at `source[i]` of the encoder's text, or,
// where `source` is NULL, is byte base + i of it. A source with SOURCE_EMPTY is the empty place before that
// character.
typedef struct span {
    const uint8_t *bytes;
    const uint32_t *source;
    uint32_t base;
    size_t size;
} span;
#define SOURCE_EMPTY 0x80000000u

static inline uint32_t span_source(const span *s, size_t at) {
    return s->source ? s->source[at] : s->base + (uint32_t)at;
}

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

// The first two bytes of some texts; a text of one byte counts with all second bytes.
typedef struct byte_pairs {
    bool first[256];
    uint8_t second[256][32]; // one bit for each second byte
} byte_pairs;

typedef struct split {
    uint32_t start, end;
} split;
typedef struct split_list {
    split *at;
    size_t count, capacity;
} split_list;

// A symbol of a word under BPE, a way through a word under Unigram, and a merge that may come.
typedef struct bpe_symbol {
    uint32_t id, start, end;
    int32_t before, next; // -1: none
} bpe_symbol;
typedef struct bpe_merge {
    uint32_t rank, at, id, left, right; // at: index of the left one
} bpe_merge;
typedef struct unigram_node {
    double score;
    uint32_t start, id; // start UINT32_MAX: not reached
} unigram_node;

// A character on its way through composition. change: how the output length differs from the input: 0
// replaces one input character, -n replaces n + 1, +1 is inserted.
typedef struct composed {
    uint32_t c;
    int32_t change;
    uint8_t class;
} composed;

// Changes as they are applied to `in`: Hugging Face's NormalizedString::transform.
typedef struct transform {
    const span *in;
    size_t at; // the first character that came in and has not been taken
    uint32_t c;
    int64_t change;
    bool waits; // c has not been written: characters after it may be dropped
} transform;

typedef struct cached_word cached_word; // cache.c
typedef struct matcher matcher;         // pattern.c
// Matches of a step's pattern in `size` bytes, one after the other.
typedef struct matches {
    const uint8_t *bytes;
    size_t size, next; // where the search goes on
    size_t last;       // end of the last match
    size_t counted;    // starts below are tried with their work counted
    bool any;
} matches;

// A place in a text, in bytes and in characters.
typedef struct text_place {
    size_t bytes, chars;
} text_place;

// Why a call ends without tokens.
typedef enum encoder_failure {
    ENCODER_NO_MEMORY,
    ENCODER_TOO_LONG,  // texts grow beyond what is allowed
    ENCODER_WORK_DONE, // the work that is allowed is used up
    ENCODER_UNKNOWN    // a text needs an unknown token, and there is none
} encoder_failure;

struct encoder {
    const tokenizer *t;
    size_t max_text; // bytes that the buffers below are made for; they grow where a text needs more
    bool failed;     // what is there is cut short
    encoder_failure failure;
    bool plain;            // of this call: no text becomes one of `special_ids`
    bool skips_special;    // special added tokens are not looked for
    uint32_t *special_ids; // of the special added tokens but the unknown one, ascending
    size_t special_count;
    const bertc_step *step, *failed_step; // that runs, and that failed; NULL: none
    uint64_t work;                        // left of the call's budget
    size_t longest;                       // bytes that a normalised text may have
    size_t grown, rewritten; // bytes that the text's parts have behind the normaliser and the pre-tokeniser

    const uint8_t *text; // being encoded: valid UTF-8
    size_t text_size;
    // For each byte of `text`, and for its end: the offset in the caller's text. NULL: the same offset.
    const uint32_t *original;
    bool ascii;        // all of `text`
    uint8_t *repaired; // `text` where the caller's is no UTF-8
    uint32_t *repaired_at;

    norm_text norm[4]; // two of the normaliser, two of the pre-tokeniser: steps read one and write the other
    int norm_next;     // the one of the normaliser's to write
    mark_run run;
    composed *changes;
    size_t change_capacity;
    matcher *matcher; // NULL: no step has a pattern
    split_list splits, other_splits;
    uint8_t ascii_map[128]; // BERT's normaliser for ASCII, ENCODER_DROPPED: dropped
    bool map_keeps[128];    // ASCII characters that sentencepiece's map leaves as they are

    bpe_symbol *symbols;
    bpe_merge *heap;
    unigram_node *ways;
    cached_word *cache; // NULL: the model needs none
    size_t symbol_capacity, heap_capacity, way_capacity;

    byte_pairs raw_pairs, normalized_pairs; // that an added token begins with
    pattern *patterns;                      // ascending, each text once
    size_t pattern_count;
    uint8_t *pattern_bytes;

    bertc_token *raw, *out; // the tokens of the texts, and these within their template
    size_t raw_count, raw_capacity, out_capacity;
    size_t raw_first; // of the text being encoded
    size_t raw_stop;  // the word that reaches so many is the last
    bool stopped;
    int32_t text_index, word;
    text_place at; // where the last token begins
};

#define ENCODER_DROPPED 0xff

// special.c: fills `special_ids`; false: out of memory. Whether a piece may be a text's token in this call.
bool special_open(encoder *e);
bool encoder_takes_piece(const encoder *e, uint32_t id);
static inline bool encoder_takes(const encoder *e, uint32_t id) {
    return !e->plain || encoder_takes_piece(e, id);
}

// budget.c: what a call may cost.
// The most bytes that a normalised text may have: so many a byte of the text, and so many beside.
#define ENCODER_GROWTH       16u
#define ENCODER_GROWTH_LEAST 65536u
// Begins a call on `size` bytes of text in all; one of its texts.
void budget_open(encoder *e, size_t size);
void budget_text(encoder *e, size_t size);
// Ends the call; returns false. The first failure counts.
bool encoder_fail(encoder *e, encoder_failure failure);
// Takes work from the call's budget: about a nanosecond each. False: it is used up, and the call has failed.
static inline bool encoder_work(encoder *e, uint64_t n) {
    if (n > e->work) return encoder_fail(e, ENCODER_WORK_DONE);
    e->work -= n;
    return true;
}
// Whether a normalised text, or all of a text's parts together, may have so many bytes.
bool budget_length(encoder *e, size_t bytes);
// The most bytes that `size` bytes of text become, as far as the call is allowed to.
size_t budget_room(const tokenizer *t, size_t size);
// Why the call on `size` bytes failed; returns false.
bool budget_error(const encoder *e, size_t size, bertc_error *error);

// text.c.
// Room for `need` elements of `size` bytes at *array; false, and e->failed, where memory runs out.
bool encoder_room(encoder *e, void *array, size_t *capacity, size_t need, size_t size);
void split_add(encoder *e, split_list *list, size_t start, size_t end);
// Sets e->text from the caller's bytes.
void text_open(encoder *e, const char *text, size_t size);
// Characters of the caller's bytes; bytes that are no UTF-8 count as the U+FFFD that replace them.
size_t text_characters(const char *text, size_t size);
// Appends a token for bytes [start, end) of `s`, and returns it, NULL where memory ran out; an id that is
// none becomes the unknown token.
bertc_token *text_token(encoder *e, const span *s, size_t start, size_t end, uint32_t id);
// A token of the same bytes as the last one; of its offsets.
bertc_token *text_again(encoder *e, uint32_t id);
// The same as text_token for the unknown token; NULL, and e->failed, where there is none.
bertc_token *text_unknown(encoder *e, const span *s, size_t start, size_t end);
// The same for a piece, which byte-level BPE trims.
void text_piece(encoder *e, const span *s, size_t start, size_t end, uint32_t id);
// Leaves the spaces at both ends of a token's text out of its offsets, if the tokenizer trims. NULL: no
// token.
void text_trim_text(encoder *e, bertc_token *token, const uint8_t *text, size_t size);
// The same for tokens from `first` on, by their pieces' texts; an unknown token of Unigram is none.
void text_trim_pieces(encoder *e, size_t first);

// norm.c: room for so many more bytes; appends a character.
bool norm_room(encoder *e, norm_text *out, size_t more);
void norm_put(encoder *e, norm_text *out, uint32_t c, uint32_t source);

// normalize.c: runs the normaliser's steps over `in`; *out lies in the encoder until the next call.
void normalize_open(encoder *e);
void normalize(encoder *e, const span *in, span *out);
// bert.c.
void bert_open(encoder *e);
void normalize_bert(encoder *e, unsigned flags, const span *in, norm_text *out);
// steps.c: whether a step leaves a text as it is, as far as a look can tell; the plain steps.
bool normalize_keeps(const encoder *e, const bertc_step *step, const span *in);
void normalize_decompose(encoder *e, bool compatibility, const span *in, norm_text *out);
void normalize_lowercase(encoder *e, const span *in, norm_text *out);
void normalize_strip_accents(encoder *e, const span *in, norm_text *out);
// `least` of the step's text in a row or more.
void normalize_replace(encoder *e, const bertc_step *step, size_t least, const span *in, norm_text *out);
void normalize_replace_pattern(encoder *e, const bertc_step *step, const span *in, norm_text *out);
void normalize_strip(encoder *e, unsigned flags, const span *in, norm_text *out);
void normalize_prepend(encoder *e, const bertc_step *step, const span *in, norm_text *out);
void normalize_nmt(encoder *e, const span *in, norm_text *out);
// compose.c: NFC and NFKC; and changes one by one.
void normalize_compose(encoder *e, bool compatibility, const span *in, norm_text *out);
void transform_next(encoder *e, norm_text *out, transform *t, uint32_t c, int64_t change);
void transform_flush(encoder *e, norm_text *out, transform *t);
// charsmap.c.
void charsmap_open(encoder *e);
void normalize_charsmap(encoder *e, const span *in, norm_text *out);
// bytelevel.c: bytes as the characters that GPT-2 writes them as.
void normalize_bytes(encoder *e, const span *in, norm_text *out);
// decompose.c: characters one by one to their decompositions in canonical order; BERTC_BERT_STRIP
// and _LOWERCASE of `flags` are done on the way out.
bool decompose_room(encoder *e, size_t need); // marks in a row
void decompose_put(encoder *e, norm_text *out, uint32_t c, uint32_t source, unsigned flags);
void decompose_next(encoder *e, norm_text *out, uint32_t c, uint32_t source, bool compatibility,
                    unsigned flags);
void decompose_flush(encoder *e, norm_text *out, unsigned flags);

// added.c: calls `rest` for the text between added tokens, and appends the added tokens.
typedef void (*added_rest)(encoder *e, const span *s);
bool added_open(encoder *e, bertc_error *error);
void added_split_raw(encoder *e, const span *s, added_rest rest);
void added_split_normalized(encoder *e, const span *s, added_rest rest);

// split.c: the words of `s` in e->splits; a step that rewrites the text makes `s` the new one.
void pretokenize(encoder *e, span *s);
// bytelevel.c: GPT-2's pattern.
void split_byte_level(encoder *e, const span *s, split part, split_list *out);

// delimit.c: the kinds of split that have a behaviour; words.
void split_delimiters(encoder *e, const bertc_step *step, const span *s, split part, split_list *out);
void split_words(encoder *e, const span *s, split part, split_list *out);

// pattern.c: the steps' patterns, compiled. A match that takes too long sets e->failed.
bool matcher_open(encoder *e, bertc_error *error);
void matcher_close(encoder *e);
bool matcher_next(encoder *e, const bertc_step *step, matches *m, size_t *start, size_t *end);

// cache.c. False: out of memory.
bool cache_open(encoder *e);
// Appends a word's tokens, if it is there.
bool cache_give(encoder *e, const span *s, split word);
void cache_clear(encoder *e);
// Keeps a word, if its pieces, which end at `ends` of `s`, are all of it.
void cache_put(encoder *e, const span *s, split word, const uint32_t *ids, const uint32_t *ends,
               size_t count);

// Models: append the tokens of one word.
void wordpiece_encode(encoder *e, const span *s, split word);
void wordlevel_encode(encoder *e, const span *s, split word);
void bpe_encode(encoder *e, const span *s, split word);
void unigram_encode(encoder *e, const span *s, split word);

#endif
