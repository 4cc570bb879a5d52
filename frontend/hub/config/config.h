// config.json, checked field by field.
#ifndef BERTC_HUB_CONFIG_H
#define BERTC_HUB_CONFIG_H

#include <cJSON.h>

#include "frontend/hub/config/family.h"
#include "frontend/hub/files/json.h"
#include "frontend/hub/sentence/sentence.h"

typedef enum hub_problem { PROBLEM_NONE, PROBLEM_SINGLE, PROBLEM_MULTI, PROBLEM_REGRESSION } hub_problem;

// Rotary frequencies, one for each pair of columns, and the factor of their cosines and sines. NULL: the
// frequencies follow from the family's base alone.
typedef struct hub_rope {
    float *frequencies; // [turned columns of a head / 2]
    double scale;
} hub_rope;

typedef struct hub_config {
    const char *file; // for messages
    const hub_family *family;
    hub_head head;
    int64_t sizes[SIZE_COUNT];
    int64_t layers, heads;
    int64_t *pruned; // by layer: how many of its heads pruned_heads names; NULL: it names none
    struct hub_config *
        *smaller; // by layer: as this, with the heads that are left; NULL, or NULL there: all are
    int64_t groups, inner_groups; // of layers that share their weights; groups = layers: each has its own
    int64_t stages;               // feed-forwards of a layer before its last
    bool narrow_queries, narrow_values; // computed from the layer's narrower rows
    bool narrows;                       // the layers are narrower inside
    bool shares;                        // queries and keys are computed from a module of their own
    bool trigrams;                      // word embeddings with their neighbours'
    bool plain_norms;                   // x gamma + beta, but for the prediction head's
    int64_t pad_id;
    bertc_position_rule position_rule;
    int32_t position_start; // of the first token
    int64_t key_heads;      // heads of keys and values
    hub_rotary rotary;
    double theta[2]; // as hub_family's
    hub_rope ropes[2];
    bool dynamic;                    // texts beyond the positions would have other frequencies
    int64_t *windows;                // by layer: how many columns away a token attends to; 0: all
    bool causal;                     // and to none behind it
    bool alibi;                      // as the trait
    double score_scale;              // 0: 1 / the root of a head's width
    int64_t farthest;                // distance that has a bucket of its own side
    int64_t groups_of[MODULE_COUNT]; // as hub_family's
    bool biased[MODULE_COUNT], off[MODULE_COUNT];
    // Scores of queries, and of keys, with embedded distances: relative_key, relative_key_query.
    bool distances, distances_of_keys;
    struct {
        // The terms of disentangled attention; shared: they use the projections of the content.
        bool keys, queries, shared;
        int64_t span, buckets, most; // positions each way; of which the far ones share buckets (0: none do)
    } relative;
    int64_t mask_id, sep_id;         // -1: none
    bool drops_masked, turns_values; // values are turned as keys are
    bertc_rule global_rule;
    hub_pooling pooling;            // of what a text's classifier reads
    int64_t transformed;            // tokens that a Fourier transform counts; 0: the text's
    double drops[DROP_COUNT];       // shares that training drops; 0: none
    const char *predict, *classify; // activations of the heads
    const char *convolve;           // and of the convolution beside the first layer
    double eps;
    const char *activation;
    bool tied, modern; // modern: as hub_family's
    bool native;       // the tensors have the names of `native`
    hub_problem problem;
    bool identity;       // of one label, the folder wants the logit
    const char **labels; // label_room of them; the first sizes[SIZE_LABELS] are the head's
    int64_t label_room;
    int64_t num_labels; // the key, where id2label has another number; else 0
    int64_t entailment; // the number, from 1, that label2id gives it, where id2label does not; else 0
    hub_sentence sentence;
} hub_config;

// What the tensors' names say where the config names no family: the family that they belong to, and a
// second one whose names there are too. NULL: none.
typedef struct hub_hint {
    const hub_family *family, *other;
    int custom_count; // rows that are for configs of a kind, and whose tensors are there
    const hub_family *custom[4];
} hub_hint;

// Reads `path`. `head`: NULL or "auto": by the architecture, or the folder. `hint`: NULL: the config must
// name its family. Every problem found is in `d`.
bool hub_config_read(const char *path, const char *head, const hub_hint *hint, const hub_sentence *sentence,
                     arena *a, hub_config *c, diag *d);

// The same from an object; `path` is for messages.
bool hub_config_from(const cJSON *root, const char *path, const char *head, const hub_hint *hint,
                     const hub_sentence *sentence, arena *a, hub_config *c, diag *d);
bool hub_config_architecture(const hub_fields *f, const char *wanted, const hub_hint *hint, arena *a,
                             hub_config *c);

// Layers that share their weights have one set of them: hub_weight_set(c, layer), numbered from 0. A module
// with stages has one set for each stage: those of layer i are i * stages to (i + 1) * stages - 1.
int64_t hub_weight_sets(const hub_config *c);               // the most that a module has
int64_t hub_module_sets(const hub_config *c, hub_module m); // 0: it belongs to no layer
int hub_weight_set(const hub_config *c, int layer);
// The name of a module's tensor as the family spells it, without prefix. set: -1 where it is of no layer.
char *hub_tensor_name(arena *a, const hub_config *c, hub_module m, int set, hub_part p);
// Has the module such a tensor?
bool hub_config_has(const hub_config *c, hub_module m, hub_part p);
bool hub_config_own_bias(const hub_config *c, hub_module m); // has the bias a name of its own?
// The config of a layer: this one, or, of a layer whose tensors lack the pruned heads, `smaller`'s.
const hub_config *hub_config_of_layer(const hub_config *c, int layer);
// Can a layer of this config have fewer heads than the others?
bool hub_config_prunes(const hub_config *c);
// The same for layer `layer`, without the heads that are pruned there.
hub_config *hub_config_without_heads(const hub_config *c, int layer, arena *a);
// Reads pruned_heads, after the layers and heads. What it says of layers and heads that there are not is
// ignored, as Transformers 5 ignores the key.
bool hub_config_pruned(const hub_fields *f, arena *a, hub_config *c);
// A number as Python's int() reads it: spaces round it, a sign, digits that underscores may part. False: it is
// no number. Beyond `most` digits don't count.
bool hub_number_read(const char *text, int64_t most, int64_t *out);
// Which part of the tensor the module is: 0 of 1, or as the family says.
typedef struct hub_slice {
    int part, parts;
    bool by_head;
} hub_slice;
hub_slice hub_module_slice(const hub_config *c, hub_module m);
// Lets the positions end at `longest` tokens, where that is more and nothing but the config's number ends them:
// rotary positions, or distances alone. Transformers takes texts of any length there.
void hub_config_lengthen(hub_config *c, int64_t longest, diag *d);
// Are there tokens that get a vector, and that no other token attends to?
bool hub_config_hides(const hub_config *c);
// --- fields.c

// The name that `key` has in this config: the family's, or the older one where only that is there. NULL: the
// family has no such key.
const char *hub_config_key(const hub_fields *f, const hub_config *c, hub_key key);
// Reads a whole number, at least 1; where no default is known (0), the key is required. *out is left as it
// is where the family has no such key.
bool hub_config_number(const hub_fields *f, const hub_config *c, hub_key key, int64_t most,
                       int64_t by_default, int64_t *out);
// Reads an activation that is known. *out is left as it is where `key` is NULL or the config says nothing.
bool hub_config_activation(const hub_fields *f, const char *key, arena *a, const char **out);
// Reads the keys of layers that are narrower inside (after the hidden size is read), and of convolutions
// (after the heads are).
bool hub_config_narrowing(const hub_fields *f, hub_config *c);
// custom.c: after which keys, the activation, the sizes, the heads are read.
bool hub_config_refusals(const hub_fields *f, const hub_config *c);
bool hub_config_gate(const hub_fields *f, const char *key, hub_config *c);
bool hub_config_rounding(const hub_fields *f, hub_config *c);
bool hub_config_fraction(const hub_fields *f, hub_config *c);
bool hub_config_rotary(const hub_fields *f, arena *a, hub_config *c);
bool hub_config_fourier(const hub_fields *f, hub_config *c);
bool hub_config_convolutions(const hub_fields *f, arena *a, hub_config *c);
// Reads the keys of attention: rotary, windows, relative positions. Call it after sizes and layers are read.
bool hub_config_attention(const hub_fields *f, arena *a, hub_config *c);
// The shape of a module's tensor in the checkpoint, but for axes of 1 at its end: its rank, and
// shape[0..rank).
int hub_tensor_shape(const hub_config *c, hub_module m, hub_part p, int64_t shape[3]);
// Is the tensor's shape [groups, columns, rows], with the columns and rows of one group?
bool hub_module_groups_first(const hub_config *c, hub_module m);
// Does the head read the module? OPTIONAL: where the checkpoint has it.
typedef enum hub_use { USE_NO, USE_OPTIONAL, USE_YES } hub_use;
hub_use hub_module_use(const hub_config *c, hub_module m);

#endif
