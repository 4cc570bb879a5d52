// A sentence-transformers folder: modules.json lists a Transformer, a Pooling, and further modules for the
// pooled row, each with a folder of its own; config_sentence_transformers.json holds prompts. The
// modules.json of a cross-encoder lists a Transformer alone, which ends in a classifier; that of a sparse encoder a
// Transformer that ends in a masked LM, and a SpladePooling.
#ifndef BERTC_HUB_SENTENCE_H
#define BERTC_HUB_SENTENCE_H

#include "frontend/hub/files/json.h"
#include "runtime/abi_task.h"

// How a text's row is computed from its tokens' rows. LATE: the classifier runs on each token; its results'
// mean.
typedef enum hub_pooling {
    POOLING_CLS, // the first
    POOLING_MAX,
    POOLING_MEAN,
    POOLING_MEAN_SQRT, // the sum divided by the square root of the number of tokens
    POOLING_WEIGHTED,  // the mean, the n-th token counting n times
    POOLING_LAST,
    POOLING_SUM, // of predictions
    POOLING_LATE
} hub_pooling;
#define HUB_POOLINGS_MOST 16 // side by side

typedef enum hub_step_kind {
    STEP_NORMALIZE, // to length 1
    STEP_DENSE,     // a linear layer and its activation, and perhaps its input added
    STEP_NORM       // a layer norm
} hub_step_kind;

// A tensor of a module: its name among all of the checkpoint, "2_Dense/linear.weight".
typedef struct hub_step_tensor {
    const char *name;
    elem e;
    int rank;
    int64_t shape[2];
} hub_step_tensor;

// A module after the pooling, [S,in] -> [S,out]; without a pooling, [T,in] -> [T,out].
typedef struct hub_step {
    hub_step_kind kind;
    const char *folder;  // as modules.json names it
    const char *config;  // its config.json, for messages
    const char *weights; // NULL: the encoder's own file, whose tensor says `out`
    int64_t in, out;
    const char *activation; // by ACT2FN's name
    bool biased, residual;
    hub_step_tensor weight, bias, shortcut; // shortcut: of a residual between two widths
} hub_step;

typedef struct hub_prompt {
    const char *name, *text;
} hub_prompt;

// How a text's predictions become weights of the vocabulary: over its tokens the maximum or the sum of
// log(1 + relu(logit)), or of log(1 + log(1 + relu(logit))).
typedef struct hub_splade {
    bool sum, twice;
} hub_splade;

// Late interaction: a vector per token. Queries and documents are told apart by their prompts, may be filled up, and
// leave tokens out.
typedef struct hub_late {
    bool present;
    bool converted; // the folder lists other modules beside: what it has of a text's one row is dropped
    bool mean;      // likeness is the mean over a query's vectors, not the sum
    // What the prompts `query` and `document` begin with, single tokens; NULL: nothing known.
    const char *markers[2];
    int64_t expansion;           // tokens that queries are filled up to; 0: they are not
    bool attends, at_least;      // the others attend to these; longer queries stay longer
    const char *expansion_token; // NULL: the mask token, or where there is none the eos token
    const char *const *skipped;  // tokens that get no vector
    int skipped_count;
    bool skips_queries, skips_documents;
    const int32_t *kept; // in documents none but these ids get one; NULL: all
    int kept_count;
} hub_late;

// The answers that BGE-M3 gives of one pass over a text.
typedef enum hub_answer { ANSWER_DENSE, ANSWER_SPARSE, ANSWER_VECTORS, HUB_ANSWERS } hub_answer;

// Weights that a sparse encoder's queries have by their tokens alone: by id, or, in order, by token.
typedef struct hub_token_weight {
    const char *token;
    float weight;
} hub_token_weight;
typedef struct hub_query_weights {
    const char *folder; // of the module; NULL: there is none
    float *by_id;       // [count]; NULL: by_token has them
    int64_t count, token_count;
    hub_token_weight *by_token;
    bool by_default; // texts are queries where nothing else is said
} hub_query_weights;

typedef struct hub_sentence {
    bool present, scores; // scores: a cross-encoder
    bool predicts;        // a sparse encoder: a masked LM, and splade
    hub_splade splade;
    hub_query_weights queries;
    const char *asked_by;   // who asked for the head that is read, for messages: "--train mlm"; NULL: --head
    const char *activation; // of its scores, as PyTorch calls the class; NULL: not said
    const char *folder;     // of the transformer's config and weights
    hub_pooling poolings[HUB_POOLINGS_MOST];
    int pooling_count;
    bool skips_prompt;  // a prompt's tokens are not pooled
    bool fixed;         // a table of embeddings in place of a transformer: StaticEmbedding
    bool skips_unknown; // of such a table: the unknown token is not pooled, as in model2vec
    hub_step *steps;
    int step_count;
    int64_t width;                         // that 1_Pooling expects; 0: not said
    int64_t max_length;                    // 0: not said
    int64_t query_length, document_length; // of texts that are queries, or documents; 0: max_length
    hub_late late;
    bool several[HUB_ANSWERS];           // that are asked for; dense alone is an embedding
    bool offers_several;                 // the folder has the heads of them
    hub_step weights_head, vectors_head; // of the tokens' rows: [T,1], [T,..]
    bool lower_case;                     // texts, before they are tokenized
    const hub_prompt *prompts;
    // The first own_prompts are the folder's. default_prompt -1: none.
    int prompt_count, own_prompts, default_prompt;
    bertc_similarity similarity;
    // How many numbers of an embedding are its answer. 0: all; below: all but so many, as Python's slices.
    int64_t dimensions;
    bool normalize; // and are made of length 1
} hub_sentence;

// A plain embedding: the mean of all tokens.
hub_sentence hub_sentence_plain(void);
// Reads modules.json and the files that it names. Without a modules.json, *s is a plain embedding.
bool hub_sentence_read(const char *folder, arena *a, hub_sentence *s, diag *d);

// Where a folder has no modules.json: is it one of model2vec's, as its config.json says? *s is then such a table.
bool hub_sentence_fixed(const char *folder, arena *a, hub_sentence *s);

// The same, but only what tokenizing needs: the transformer's folder, length and case.
bool hub_sentence_encoder(const char *folder, arena *a, hub_sentence *s, diag *d);

// --- settings.c: config_sentence_transformers.json, after the modules.
bool hub_settings_read(const char *folder, arena *a, hub_sentence *s, diag *d);

// Parses "mean", or several poolings separated by commas, or "splade", into *s; false where one is not known.
bool hub_pooling_read(const char *names, hub_sentence *s);
const char *hub_pooling_names(void); // all, for messages

// The word of an activation's class: "Tanh" of "torch.nn.modules.activation.Tanh"; NULL: it is none of
// PyTorch's.
const char *hub_torch_class(const char *name);

// --- transformer.c: sentence_bert_config.json in a folder, where there is one.
bool hub_transformer_open(const char *folder, arena *a, hub_sentence *s, diag *d);

// --- late.c: late interaction, in its three layouts.
// Is the folder one of them, by config_sentence_transformers.json, or by the architecture in its config.json where it has
// no modules.json? Sets s->late, and reads what a folder of Stanford's says.
bool hub_late_find(const char *folder, arena *a, hub_sentence *s, diag *d);
// query_expansion of a Transformer's config.
bool hub_late_expansion(const hub_fields *f, arena *a, hub_sentence *s);
bool hub_mask_open(const char *path, arena *a, hub_sentence *s, diag *d); // a MultiVectorMask's folder
// PyLate's keys in config_sentence_transformers.json, beside the prompts that are read already; and what its folders leave
// to their class.
bool hub_late_settings(const hub_fields *f, arena *a, hub_sentence *s);
void hub_late_finish(hub_sentence *s);

// --- several.c: BGE-M3.
// Notes the answers that --outputs names (dense, sparse, colbert); the rest of the list, NULL: nothing.
const char *hub_several_read(const char *outputs, arena *a, hub_sentence *s);
bool hub_several_there(const char *folder, arena *a);
bool hub_several_open(const char *folder, arena *a, hub_sentence *s, diag *d); // their heads' files

// --- modules.c: one module's folder. `path`: the folder; `name`: as modules.json spells it.
bool hub_splade_open(const char *path, arena *a, hub_sentence *s, diag *d);
bool hub_pooling_open(const char *path, arena *a, hub_sentence *s, diag *d);
// `rows`: what it must work on, sentence_embedding or token_embeddings; NULL: either.
bool hub_dense_open(const char *path, const char *name, const char *rows, arena *a, hub_step *step, diag *d);
bool hub_norm_open(const char *path, const char *name, arena *a, hub_step *step, diag *d);
// *none: it works on rows that there are not, and does nothing.
bool hub_normalize_open(const char *path, const char *rows, arena *a, hub_step *step, bool *none, diag *d);

#endif
