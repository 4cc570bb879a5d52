// A tokenizer as its files describe it, on the way to the table that the runtime reads. Everything lives in
// the arena.
#ifndef BERTC_HUB_TOKENIZER_SPEC_H
#define BERTC_HUB_TOKENIZER_SPEC_H

#include "frontend/hub/files/json.h"
#include "frontend/hub/hub.h"

#define TOKENIZER_MOST_IDS   (1 << 24)
#define TOKENIZER_MOST_STEPS 32
#define TOKENIZER_MOST_ITEMS 64

typedef struct tokenizer_piece {
    const char *text;
    int32_t id;
    double score; // Unigram
} tokenizer_piece;

typedef struct tokenizer_step {
    uint32_t kind; // bertc_normalizer_kind or bertc_split_kind
    uint32_t flags;
    const char *text, *text2; // NULL: none
} tokenizer_step;

typedef struct tokenizer_steps {
    tokenizer_step at[TOKENIZER_MOST_STEPS];
    int count;
} tokenizer_steps;

typedef struct tokenizer_template {
    bertc_template_item at[TOKENIZER_MOST_ITEMS];
    int count;
} tokenizer_template;

typedef struct tokenizer_added {
    const char *text;
    int32_t id;
    uint32_t flags; // BERTC_ADDED_*
} tokenizer_added;

#define TOKENIZER_SPECIALS 7
extern const char *const tokenizer_specials[TOKENIZER_SPECIALS]; // special.c: bos_token, ..., mask_token

// What stands round texts: tokenizer.json's template, or one that a class builds of its tokens.
typedef enum tokenizer_form {
    TEMPLATE_FILE,
    TEMPLATE_BERT,       // cls A sep B sep, with types 0 and 1
    TEMPLATE_ROBERTA,    // cls A sep sep B sep, of type 0
    TEMPLATE_XLM_ROBERTA // the same of bos and eos
} tokenizer_form;

// The class of Transformers that reads tokenizer.json: class.c.
typedef struct tokenizer_class {
    const char *name;
    const struct class_row *row;
    bool known;  // false: tokenizer.json stands alone
    bool builds; // of tokenizer.json it reads the vocabulary alone
    tokenizer_form form;
    uint32_t trim;    // BERTC_TOKENIZER_TRIM*, of a class that builds
    bool types;       // token_type_ids are among its inputs, where tokenizer_config.json doesn't say
    bool mask_strips; // its mask takes the space before it, where nothing else is said of it
} tokenizer_class;

typedef struct tokenizer_spec {
    arena *a;
    diag *d;
    const char *file; // opens every message
    bertc_tokenizer_model model;
    tokenizer_piece *pieces; // the model's vocabulary; of equal texts the last counts
    int piece_count;
    const tokenizer_piece *by_text; // the same, ascending, each text once
    int text_count;
    tokenizer_added *added; // special ones first, in the file's order
    int added_count, added_capacity;
    int *added_slots;   // of a hash table by text: indices in `added` + 1, 0: free
    uint32_t slot_mask; // their number - 1
    int32_t next_added; // above the ids of all added tokens
    tokenizer_steps normalizer, pretokenizer;
    bool byte_level; // the last pre-tokeniser step is ByteLevel, and the model reads bytes
    tokenizer_template single, pair;
    tokenizer_class class;
    const char *no_types; // not NULL: why the model is given no types
    const char *prefix, *suffix;
    uint32_t flags;            // BERTC_TOKENIZER_*
    double unk_score;          // Unigram
    const bertc_merge *merges; // BPE: by rank
    int merge_count;
    uint32_t byte_ids[256];
    bool joins_space;   // BPE: a merge joins U+2581 to what is before it and is none
    bool byte_fallback; // Unigram: byte_ids are the pieces of unknown bytes
    const void *charsmap;
    size_t charsmap_bytes;
    uint32_t max_chars, max_length;
    int32_t unk_id, pad_id, cls_id, sep_id, mask_id, eos_id; // -1: none
} tokenizer_spec;

// --- open.c
// What is known of the model that takes the tokens.
typedef struct tokenizer_use {
    bool lower;                 // texts are put in lower case before all else
    bool one_type;              // it has one type of tokens
    const char *const *markers; // texts that each begin with a single token, where the tokenizer knows it
    int marker_count;
    const char *const *words; // tokens to look up
    int word_count;
    int32_t *ids; // set, [word_count]: of the words; -1: there is none
    int32_t *eos; // NULL, or set: the token that ends texts; -1: there is none
    bool bare;    // no special tokens stand round texts, and no class says how they are read
} tokenizer_use;
// The table of a file, or of a folder's.
bool tokenizer_open(const char *path, tokenizer_use use, arena *a, const void **table, size_t *bytes,
                    diag *d);
const char *tokenizer_file(const char *folder, arena *a); // that tokenizer_open reads; NULL: it has none
// A file of sentencepiece's in a folder, which is not read; NULL: it has none.
const char *tokenizer_unread(const char *folder, arena *a);
#define TOKENIZER_UNREAD                                                                                     \
    "is sentencepiece's, which is not read; AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) "  \
    "of Transformers writes the tokenizer.json that is"

// Fills `s` (its a, d, file are set) from tokenizer.json's text and tokenizer_config.json's object, to which
// the names of the class's special tokens are added.
bool tokenizer_from_json(tokenizer_spec *s, const void *data, size_t size, cJSON *config);
// The same from the lines of vocab.txt and, where not NULL, tokenizer_config.json's object.
// `added`: added_tokens.json's object, or NULL.
bool tokenizer_from_vocab(tokenizer_spec *s, const void *data, size_t size, const cJSON *config,
                          const cJSON *added);
// The same from vocab.json's object and the lines of merges.txt at `path`: RoBERTa's kin, and DeBERTa.
bool tokenizer_from_merges(tokenizer_spec *s, const cJSON *vocab, const char *path, const char *merges,
                           size_t size, const cJSON *config, const cJSON *added);

// --- lines.c
// Whether a file of lines is UTF-8 without a NUL, and how many lines it has; the error names the line.
bool tokenizer_check_lines(const tokenizer_spec *s, const char *path, const char *data, size_t size,
                           int *count);
// The line at *at, which moves behind it; NULL: there is none.
const char *tokenizer_line(const tokenizer_spec *s, const char *data, size_t size, size_t *at);

// --- index.c
// Makes `by_text`, once `pieces` are there.
void tokenizer_index(tokenizer_spec *s);
// The id of a text in the vocabulary, -1 where it is not there.
int32_t tokenizer_find(const tokenizer_spec *s, const char *text);
// The id of an added token or a piece, -1: neither.
int32_t tokenizer_find_any(const tokenizer_spec *s, const char *text);
// The added token of that text, NULL: there is none.
tokenizer_added *tokenizer_find_added(const tokenizer_spec *s, const char *text);
// Appends one that is not there yet; tokenizer_add also holds its id against the vocabulary's.
void tokenizer_append_added(tokenizer_spec *s, const char *text, int32_t id, uint32_t flags);
bool tokenizer_add(tokenizer_spec *s, const char *text, int32_t id, uint32_t flags);
// Puts special tokens first, and checks that no text is there twice.
bool tokenizer_sort_added(tokenizer_spec *s, const char *path);
// Does the list of names hold a class, without its ending "Tokenizer" or "TokenizerFast"?
bool tokenizer_class_is(const char *class, const char *names);

// --- config.c
// A JSON object beside the tokenizer: NULL, without a diagnostic, where there is none.
bool tokenizer_beside(const tokenizer_spec *s, const char *name, cJSON **out);
// tokenizer_config.json's object, completed from the files in which older folders have its keys; the caller
// frees it. `vocabulary`: its class is needed.
bool tokenizer_config(const tokenizer_spec *s, bool vocabulary, cJSON **config);
// Puts `v`, which it takes, under a key.
bool tokenizer_set_key(const tokenizer_spec *s, cJSON *config, const char *key, cJSON *v);
// --- special.c
// A token's text: of "[CLS]", or of {"content": "[CLS]", ...}; NULL: it is neither.
const char *tokenizer_token_text(const cJSON *v);
// `more` and the rules in a token's object, if it is one. A token that isn't special matches normalised text,
// unless it says otherwise.
uint32_t tokenizer_token_flags(const cJSON *v, uint32_t more);
// The names of tokenizer_config.json's special tokens, ascending; and: is one among them?
const char **tokenizer_names(const tokenizer_spec *s, const cJSON *config, size_t *count);
bool tokenizer_is_named(const char *const *names, size_t count, const char *name);
// Added tokens of tokenizer_config.json's object and of added_tokens.json's.
bool tokenizer_config_added(tokenizer_spec *s, const cJSON *config, const cJSON *added);
// A special token of a class: its key in tokenizer_config.json, and its name and rules where the file
// doesn't say them. A token that is no piece is left out; it is an error where `needed`.
typedef struct tokenizer_special {
    const char *key, *usual;
    uint32_t flags;
    bool needed;
    int32_t *id; // set
} tokenizer_special;
bool tokenizer_add_special(tokenizer_spec *s, const cJSON *config, tokenizer_special special);
// Those that the class has no name for.
bool tokenizer_add_listed(tokenizer_spec *s, const cJSON *config);
// Takes pad_token and the other special tokens, and model_max_length, from tokenizer_config.json's object;
// tokens that it doesn't name have their usual names.
bool tokenizer_roles(tokenizer_spec *s, const cJSON *config);

// --- class.c
// Finds the class that reads tokenizer.json, whose object is `root`, and adds its tokens' names to `config`.
bool tokenizer_class_find(tokenizer_spec *s, cJSON *config, const cJSON *root);
// For a class that builds: its normaliser and pre-tokeniser, in place of the file's; the options of the
// file's model are dropped. A note where that differs from the file.
bool tokenizer_class_build(tokenizer_spec *s, const cJSON *config, cJSON *root);

// --- added.c
// tokenizer.json's added tokens, whose list is `v`.
bool tokenizer_file_added(tokenizer_spec *s, const cJSON *v);
// Those that a class adds: tokenizer_config.json's, those of tokenizer.json that it keeps, its special ones.
bool tokenizer_class_added(tokenizer_spec *s, const cJSON *config, const cJSON *listed);

// normalizers.c, pretokenizers.c and post.c: the components of tokenizer.json.
bool tokenizer_normalizer(tokenizer_spec *s, const cJSON *v, const char *path);
bool tokenizer_pretokenizer(tokenizer_spec *s, const cJSON *v, const char *path);
// Where the last step is ByteLevel: the model reads its characters, not bytes.
bool tokenizer_byte_characters(tokenizer_spec *s);
bool tokenizer_post_processor(tokenizer_spec *s, const cJSON *v, const char *path);
// The templates that a class builds.
bool tokenizer_class_template(tokenizer_spec *s, const cJSON *config);
// Puts all types to 0. Where `why` is not NULL, a note that names it if there were others.
void tokenizer_one_type(tokenizer_spec *s, const char *why);
bool tokenizer_decoder(tokenizer_spec *s, const cJSON *v, const char *path);

// "FILE: PATH: cause"; returns false.
bool tokenizer_wrong(const tokenizer_spec *s, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Every key of `v`, which must be an object, is in the space-separated list.
bool tokenizer_keys(const tokenizer_spec *s, const cJSON *v, const char *path, const char *known);
// The component's name ("": it has none); and: is that its name?
const char *tokenizer_type(const cJSON *v);
bool tokenizer_is(const cJSON *v, const char *kind);
bool tokenizer_flag(const tokenizer_spec *s, const cJSON *v, const char *path, const char *key, bool usual,
                    bool *out);
// Calls `one` for each component of a Sequence, whose list is `key`.
bool tokenizer_each(tokenizer_spec *s, const cJSON *v, const char *path, const char *key,
                    bool (*one)(tokenizer_spec *, const cJSON *, const char *));
bool tokenizer_add_step(tokenizer_spec *s, tokenizer_steps *to, tokenizer_step step, const char *path);

// pattern.c: {"pattern": {"String": "x"}} or {"pattern": {"Regex": "x"}}: *text is one, the pattern
// that the runtime compiles where *regex.
bool tokenizer_read_pattern(tokenizer_spec *s, const cJSON *v, const char *path, const char **text,
                            bool *regex);

// models.c: "model" of tokenizer.json, and the ids of a piece's bytes under byte-level BPE.
bool tokenizer_model(tokenizer_spec *s, const cJSON *model);
// The bytes that a byte-level text encodes, as a text; NULL where it encodes none, or a NUL.
char *tokenizer_bytes(arena *a, const char *text);

// table.c: the table, in the arena. The vocabulary is indexed, added tokens are sorted.
bool tokenizer_table(const tokenizer_spec *s, const void **table, size_t *bytes);

// trie.c: a double-array trie of texts that ascend and differ, none empty. Values below 2^31.
typedef struct trie_entry {
    const char *text;
    uint32_t value;
} trie_entry;
bertc_trie_node *trie_build(const trie_entry *entries, size_t count,
                            uint32_t *node_count); // the caller frees it; NULL: too many nodes

#endif
