// Families of encoders as data (families*.def): a family's names for its classes, config keys and tensors,
// where its positions start, and which parts it has. Code outside the table never asks which family it
// works on.
#ifndef BERTC_HUB_FAMILY_H
#define BERTC_HUB_FAMILY_H

#include "ir/ir.h"
#include "runtime/abi.h"

// The sizes in the shapes of tensors.
typedef enum hub_size {
    SIZE_NONE,
    SIZE_VOCAB,
    SIZE_TYPES,
    SIZE_TASKS,
    SIZE_POSITIONS,
    SIZE_BOXES,     // positions on a page, along each axis
    SIZE_WORD,      // width of the word embeddings, where they are transformed to that of the others
    SIZE_TRIGRAM,   // of a token's and its neighbours', or of its own
    SIZE_EMBEDDING, // width of the embeddings, where they are projected to the hidden size
    SIZE_NORMED,    // width that the embeddings have in their norm
    SIZE_HIDDEN,
    SIZE_INSIDE,  // width inside of a layer, where it is narrower
    SIZE_QUERIED, // width of the rows that queries and keys are computed from, and values
    SIZE_VALUED,
    SIZE_INNER,
    SIZE_HEADS,
    SIZE_HEAD,      // width of a head
    SIZE_TURNED,    // the first columns of a head, which rotary positions turn
    SIZE_ATTENTION, // width of all heads together
    SIZE_KEYS,      // width of all heads of keys and values, which may be fewer
    SIZE_CONTEXT,   // width of attention's result, with that of a convolution beside it
    SIZE_TAPS,      // tokens that a convolution reads
    SIZE_KERNELS,   // convolution kernels of all heads
    SIZE_BUCKETS,   // of distances
    SIZE_DISTANCES, // distances in both directions, of all positions
    SIZE_RELATIVE,  // positions relative to a token's, both ways
    SIZE_TRANSFORM, // width that the decoder of a masked LM reads
    SIZE_DECODER,   // the part of it that the decoder's own table reads, which may be the word embeddings
    SIZE_REST,      // the part of it that another table reads
    SIZE_LABELS,
    SIZE_ONE, // always 1
    SIZE_TWO, // always 2: next sentence, start and end
    SIZE_COUNT
} hub_size;

typedef enum hub_head {
    HEAD_MODEL,
    HEAD_MASKED_LM,
    HEAD_NEXT_SENTENCE,
    HEAD_PRETRAINING,
    HEAD_SEQUENCE,
    HEAD_TOKEN,
    HEAD_ANSWER,
    HEAD_DISCRIMINATOR, // of each token: was it replaced?
    HEAD_EMBEDDING,
    HEAD_SPARSE,  // a masked LM's predictions of all tokens of a text, pooled
    HEAD_VECTORS, // a vector per token: late interaction
    HEAD_SEVERAL, // BGE-M3's
    HEAD_COUNT
} hub_head;
const char *hub_head_name(hub_head h); // "masked-lm"
bool hub_head_find(const char *name, hub_head *h);
const char *hub_head_names(void); // all, for messages
// Does it end in the decoder over the vocabulary?
bool hub_head_predicts(hub_head h);
// The head whose class a checkpoint for this one names.
hub_head hub_head_class(hub_head h);

// A module is a group of tensors with a name in the checkpoint: a table or a linear layer [rows, columns]
// (with bias [rows]), a convolution [rows, columns, taps] (likewise), a norm (weight and bias [rows]), a
// vector [rows]. SCOPE_STAGE: one of the feed-forwards of a layer that has several.
typedef enum hub_kind { KIND_TABLE, KIND_LINEAR, KIND_CONVOLUTION, KIND_NORM, KIND_VECTOR } hub_kind;
typedef enum hub_scope { SCOPE_BASE, SCOPE_LAYER, SCOPE_STAGE, SCOPE_HEAD, SCOPE_COUNT } hub_scope;

// MODULE(id, kind, rows, columns, scope)
#define HUB_MODULES(MODULE)                                                                                  \
    MODULE(WORD, TABLE, VOCAB, WORD, BASE)                                                                   \
    MODULE(TRIGRAM, LINEAR, EMBEDDING, TRIGRAM, BASE) /* of the word embeddings */                           \
    MODULE(TYPE, TABLE, TYPES, EMBEDDING, BASE)                                                              \
    MODULE(TASK, TABLE, TASKS, EMBEDDING, BASE)                                                              \
    MODULE(POSITION, TABLE, POSITIONS, EMBEDDING, BASE)                                                      \
    MODULE(BOX_X, TABLE, BOXES, EMBEDDING, BASE)                                                             \
    MODULE(BOX_Y, TABLE, BOXES, EMBEDDING, BASE)                                                             \
    MODULE(BOX_HEIGHT, TABLE, BOXES, EMBEDDING, BASE)                                                        \
    MODULE(BOX_WIDTH, TABLE, BOXES, EMBEDDING, BASE)                                                         \
    MODULE(EMBEDDING_NORM, NORM, NORMED, NONE, BASE)                                                         \
    MODULE(PROJECTION, LINEAR, HIDDEN, EMBEDDING, BASE) /* of the embeddings to the hidden size */           \
    MODULE(ROTARY, TABLE, POSITIONS, HEAD, BASE)        /* sines, then cosines */                            \
    MODULE(BUCKET, TABLE, BUCKETS, HEADS, BASE)         /* what a distance adds to a head's scores */        \
    MODULE(RELATIVE, TABLE, RELATIVE, HIDDEN, BASE)                                                          \
    MODULE(RELATIVE_NORM, NORM, HIDDEN, NONE, BASE)                                                          \
    MODULE(BOTTLENECK, LINEAR, INSIDE, HIDDEN, LAYER) /* into the layer */                                   \
    MODULE(BOTTLENECK_NORM, NORM, INSIDE, NONE, LAYER)                                                       \
    MODULE(SHARED, LINEAR, INSIDE, HIDDEN, LAYER) /* for queries and keys */                                 \
    MODULE(SHARED_NORM, NORM, INSIDE, NONE, LAYER)                                                           \
    MODULE(QUERY, LINEAR, ATTENTION, QUERIED, LAYER)                                                         \
    MODULE(KEY, LINEAR, KEYS, QUERIED, LAYER)                                                                \
    MODULE(VALUE, LINEAR, KEYS, VALUED, LAYER)                                                               \
    MODULE(QUERY_NORM, NORM, HEAD, NONE, LAYER) /* of each head's row, before its positions */               \
    MODULE(KEY_NORM, NORM, HEAD, NONE, LAYER)                                                                \
    MODULE(QUERY_ROW_NORM, NORM, ATTENTION, NONE, LAYER) /* of all heads together */                         \
    MODULE(KEY_ROW_NORM, NORM, KEYS, NONE, LAYER)                                                            \
    MODULE(DISTANCE, TABLE, DISTANCES, HEAD, LAYER)    /* BERT's relative_key */                             \
    MODULE(LAYER_BUCKET, TABLE, BUCKETS, HEADS, LAYER) /* as BUCKET, where each layer has its own */         \
    MODULE(RELATIVE_QUERY, LINEAR, ATTENTION, HIDDEN, LAYER)                                                 \
    MODULE(RELATIVE_KEY, LINEAR, ATTENTION, HIDDEN, LAYER)                                                   \
    MODULE(GLOBAL_QUERY, LINEAR, ATTENTION, HIDDEN, LAYER) /* of tokens that attend to all */                \
    MODULE(GLOBAL_KEY, LINEAR, ATTENTION, HIDDEN, LAYER)                                                     \
    MODULE(GLOBAL_VALUE, LINEAR, ATTENTION, HIDDEN, LAYER)                                                   \
    MODULE(DEPTHWISE, CONVOLUTION, HIDDEN, ONE, LAYER) /* ConvBERT's span-dynamic convolution */             \
    MODULE(POINTWISE, LINEAR, ATTENTION, HIDDEN, LAYER)                                                      \
    MODULE(KERNEL, LINEAR, KERNELS, ATTENTION, LAYER)                                                        \
    MODULE(CONVOLVED, LINEAR, ATTENTION, HIDDEN, LAYER)                                                      \
    MODULE(ATTENTION_OUTPUT, LINEAR, INSIDE, CONTEXT, LAYER)                                                 \
    MODULE(ATTENTION_RESULT_NORM, NORM, INSIDE, NONE, LAYER) /* before the sum */                            \
    MODULE(ATTENTION_NORM, NORM, INSIDE, NONE, LAYER)                                                        \
    MODULE(SECOND_NORM, NORM, INSIDE, NONE, LAYER) /* of the first one's result, with the input once more */ \
    MODULE(STAGE_UP, LINEAR, INNER, INSIDE, STAGE) /* of the feed-forwards before the last */                \
    MODULE(STAGE_DOWN, LINEAR, INSIDE, INNER, STAGE)                                                         \
    MODULE(STAGE_NORM, NORM, INSIDE, NONE, STAGE)                                                            \
    MODULE(UP, LINEAR, INNER, INSIDE, LAYER)                                                                 \
    MODULE(GATE, LINEAR, INNER, INSIDE, LAYER) /* multiplies what is activated */                            \
    MODULE(DOWN, LINEAR, INSIDE, INNER, LAYER)                                                               \
    MODULE(OUTPUT_RESULT_NORM, NORM, INSIDE, NONE, LAYER) /* before the sum */                               \
    MODULE(OUTPUT_NORM, NORM, INSIDE, NONE, LAYER)                                                           \
    MODULE(WIDENING, LINEAR, HIDDEN, INSIDE, LAYER) /* out of the layer */                                   \
    MODULE(WIDENING_NORM, NORM, HIDDEN, NONE, LAYER)                                                         \
    MODULE(CONVOLUTION, CONVOLUTION, HIDDEN, HIDDEN, BASE) /* beside the first layer */                      \
    MODULE(CONVOLUTION_NORM, NORM, HIDDEN, NONE, BASE)                                                       \
    MODULE(FINAL_NORM, NORM, HIDDEN, NONE, BASE)                                                             \
    MODULE(POOLER, LINEAR, HIDDEN, HIDDEN, BASE)                                                             \
    MODULE(TRANSFORM, LINEAR, TRANSFORM, HIDDEN, HEAD)                                                       \
    MODULE(TRANSFORM_NORM, NORM, TRANSFORM, NONE, HEAD)                                                      \
    MODULE(DECODER, TABLE, VOCAB, DECODER, HEAD)                                                             \
    MODULE(DECODER_REST, TABLE, REST, VOCAB, HEAD)     /* below the decoder, turned */                       \
    MODULE(DECODER_BIAS, VECTOR, VOCAB, NONE, HEAD)    /* of the decoder itself */                           \
    MODULE(PREDICTION_BIAS, VECTOR, VOCAB, NONE, HEAD) /* read where the decoder has none */                 \
    MODULE(RELATIONSHIP, LINEAR, TWO, HIDDEN, HEAD)                                                          \
    MODULE(CLASSIFIER_DENSE, LINEAR, HIDDEN, HIDDEN, HEAD) /* before a text's classifier, for the pooler */  \
    MODULE(CLASSIFIER, LINEAR, LABELS, HIDDEN, HEAD)       /* of texts */                                    \
    MODULE(TAGGER, LINEAR, LABELS, HIDDEN, HEAD)           /* of tokens */                                   \
    MODULE(SPAN, LINEAR, TWO, HIDDEN, HEAD)                                                                  \
    MODULE(DETECTOR_DENSE, LINEAR, HIDDEN, HIDDEN, HEAD)                                                     \
    MODULE(DETECTOR, LINEAR, ONE, HIDDEN, HEAD)

typedef enum hub_module {
#define MODULE(id, kind, rows, columns, scope) MODULE_##id,
    HUB_MODULES(MODULE)
#undef MODULE
        MODULE_COUNT
} hub_module;

typedef struct hub_module_shape {
    hub_kind kind;
    hub_size rows, columns;
    hub_scope scope;
} hub_module_shape;
const hub_module_shape *hub_module_of(hub_module m);

typedef enum hub_part { PART_WEIGHT, PART_BIAS, PART_COUNT } hub_part;

// Keys of config.json, by meaning.
typedef enum hub_key {
    KEY_VOCAB,
    KEY_TYPES,
    KEY_TASKS,
    KEY_POSITIONS,
    KEY_BOXES,
    KEY_EMBEDDING,
    KEY_HIDDEN,
    KEY_INNER,
    KEY_OUTPUT_EMBEDDING, // width that the decoder reads
    KEY_LAYERS,
    KEY_GROUPS,       // of layers that share their weights
    KEY_INNER_GROUPS, // layers of a group, one after the other
    KEY_HEADS,
    KEY_KEY_HEADS,
    KEY_HEAD,           // width of one
    KEY_RATIO,          // how many heads a convolution replaces
    KEY_TAPS,           // tokens that a convolution reads
    KEY_INSIDE,         // width inside of a layer
    KEY_STAGES,         // feed-forwards of a layer
    KEY_BUCKETS,        // of distances
    KEY_FARTHEST,       // distance that has a bucket of its own side
    KEY_VOCAB_MULTIPLE, // the vocabulary is rounded up to a multiple of it
    KEY_FRACTION,       // of a head that rotary positions turn; 0: positions are a table
    KEY_ACTIVATION,
    KEY_HEAD_ACTIVATION,   // of the prediction head
    KEY_POOLER_ACTIVATION, // of the classifier's dense layer
    KEY_EPS,
    KEY_COUNT
} hub_key;

typedef enum hub_traits {
    TRAIT_TYPES = 1,              // token type embeddings, unless the config says 0 of them
    TRAIT_POSITIONS = 2,          // absolute positions, a table
    TRAIT_POOLER = 4,             // the base model ends in a pooler
    TRAIT_PRE_NORM = 8,           // norms come before attention and feed-forward, and one after all layers
    TRAIT_PROJECTS = 16,          // the embeddings are projected even where they have the hidden size
    TRAIT_DECODES_EMBEDDING = 32, // the decoder reads rows of the embeddings' width
    TRAIT_RMS_NORM = 64,
    TRAIT_TRANSFORMS = 128,     // classifiers read the prediction head's transform
    TRAIT_PROJECTS_FIRST = 256, // the embeddings are projected before their norm
    TRAIT_ROTARY_COLUMNS = 512, // rotary positions are columns, whatever positions are given
    TRAIT_FIRST_BARE = 2048,    // the first layer has no norm before its attention: the embeddings end in one
    TRAIT_DROPS_MASKED = 1024,  // ESM: mask tokens are zero, and the others scaled by how many there are
    TRAIT_HIDDEN_ROWS = 4096,   // hidden tokens are read too: a grid's text consists of all its columns
    TRAIT_FOURIER = 8192,       // tokens are mixed by a Fourier transform instead of attention
    TRAIT_GROUPS_FIRST = 16384, // grouped linear layers have the shape [groups, columns, rows]
    TRAIT_CAUSAL = 32768, // a token attends to those before it and itself alone, unless the config says else
    TRAIT_UNSCALED = 65536,      // scores are not divided by the root of a head's width
    TRAIT_ONE_MORE = 131072,     // norms multiply by 1 + their weight
    TRAIT_SCALED_WORDS = 262144, // word embeddings are multiplied by the root of the hidden size
    TRAIT_ALIBI = 524288, // scores fall with the distance, at both sides, each head's at a rate of its own
    TRAIT_NTK = 1048576   // rotary positions may be stretched as Alibaba does, "ntk"
} hub_traits;

// Which columns rotary positions turn together: halves of a head, or pairs of neighbours.
typedef enum hub_rotary { ROTARY_NONE, ROTARY_HALVES, ROTARY_PAIRS } hub_rotary;

// Where training drops numbers at random.
typedef enum hub_drop {
    DROP_EMBEDDING, // the embeddings, behind their norm
    DROP_SCORES,    // attention's probabilities
    DROP_MIX,       // what attention gives
    DROP_INNER,     // the feed-forward's inner rows
    DROP_FED,       // what it gives
    DROP_DENSE,     // what a text's classifier reads, before its dense layer
    DROP_TEXT,      // and behind it
    DROP_TOKEN,     // what a classifier of tokens reads, of spans, of the order of sentences
    DROP_SPAN,
    DROP_ORDER,
    DROP_COUNT
} hub_drop;
// The config's key, the one that is read where that is missing or null (NULL: none), and the share where both are.
typedef struct hub_drop_key {
    const char *key, *other;
    double usual;
} hub_drop_key;

// A gated feed-forward's activation, by its name in the config: the activation of its gating half, and of the
// prediction head.
typedef struct hub_gate {
    const char *name, *activation, *predict;
} hub_gate;

#define HUB_MOST_REFUSED 12
#define HUB_MOST_GATES   3

typedef struct hub_family {
    const char *model_type; // config.json's
    // A key, or "key=TEXT": the row is for configs that have it, with a text that begins so (or false), and comes
    // before one without `when`. Of several that the config has, the checkpoint's tensors pick one.
    const char *when;
    const char *base_prefix; // of the base model's tensors inside a model with a head, "bert."
    int traits;
    bertc_position_rule position_rule; // COUNT: positions start after the pad's id; COLUMN: at 0
    const char *classes[HEAD_COUNT];   // architectures; NULL: the family has no such head
    const char *larger;                // the class of models with another head, read as the base model
    const char *keys[KEY_COUNT];       // NULL: BERT's name, where BERT has the key; "": none
    const char *old_keys[KEY_COUNT];   // read where the key is missing
    const char *aliases[KEY_COUNT];    // read before the key: Transformers' attribute_map
    // Names of tensors, %d is the layer; NULL: no such module. "NAME[1/3]": rows of the second of three equal
    // parts of the tensor; "NAME[1/3h]": of the second of three parts of each head's rows.
    const char *modules[MODULE_COUNT];
    // Where a key of the config is false: other names, and no decoder but the word embeddings.
    const char *legacy_key, *modern[MODULE_COUNT];
    // Names that Transformers has for modules whose tensors it renames as it reads them; a checkpoint may have
    // those instead, all of them or, where the family has none for queries, one by one.
    const char *native[MODULE_COUNT];
    // Keys: how many groups of columns a linear layer has, each read by its own rows. NULL: 1.
    const char *groups[MODULE_COUNT];
    // The bias of a linear layer or norm. NULL: it has one, by its own name; "": none; "?key": where the
    // config's key is true ("?+key": or missing); else the name of the tensor.
    const char *biases[MODULE_COUNT];
    // Modules that a config's key switches: "key" (false where it is missing) or "+key" (true).
    const char *switches[MODULE_COUNT];
    double eps[MODULE_COUNT]; // of norms that don't use the config's; 0: it does
    hub_rotary rotary;
    double theta[2]; // base of the rotary frequencies; of layers with a window, where it differs
    // Keys: causal or not (where the family is), as "key" or, of the opposite, "!key"; the window's width, and 1 /
    // the square of the scores' scale. NULL: none.
    const char *causal, *window, *scale;
    // The activation after the prediction head's and the classifier's dense layer; NULL: the config's.
    const char *predict, *classify;
    // The output of the classifier of pairs beside predictions; NULL: seq_relationship_logits.
    const char *order;
    // Keys that would make another model of it: "key" must be false, 0 or missing, "+key" true or missing,
    // "key=TEXT" that text or missing.
    const char *refused[HUB_MOST_REFUSED];
    hub_gate gates[HUB_MOST_GATES]; // the activations that there are; none: all, and nothing is gated by them
    int64_t inner_multiple; // the feed-forward's width is rounded up to a multiple of it; 0: it is not
    const char *pooling;    // default of classifier_pooling; NULL: the first row, whatever the config says
    hub_drop_key drops[DROP_COUNT]; // key NULL: nothing is dropped there; all NULL: that is not known
    bool cuts_normal;               // new weights are cut off, and by layer: as fresh.h says of ModernBERT's
    // What Transformers takes where a key is missing; NULL or 0: what BERT takes, or that the key must be
    // there. Types: -1 for none.
    struct {
        int64_t values[KEY_COUNT], pad_id, groups;
        const char *activation, *positions; // positions: position_embedding_type
        double eps;
        bool untied;
    } defaults;
} hub_family;

extern const hub_family hub_families[];
extern const int hub_family_count;
bool hub_family_head(const hub_family *f, const char *architecture, hub_head *h); // by a class of the family
const char *hub_family_key(const hub_family *f, hub_key k);                       // NULL: it has no such key

#endif
