// config.json, checked field by field; and what a sentence-transformers folder adds to it.
#ifndef BERTC_HUB_CONFIG_H
#define BERTC_HUB_CONFIG_H

#include <cJSON.h>

#include "family.h"

typedef enum hub_problem { PROBLEM_NONE, PROBLEM_SINGLE, PROBLEM_MULTI, PROBLEM_REGRESSION } hub_problem;
typedef enum hub_pooling { POOLING_CLS, POOLING_MEAN } hub_pooling;

// A sentence-transformers folder (modules.json).
typedef struct hub_sentence {
    bool present;
    const char *folder; // of the transformer's config and weights
    hub_pooling pooling;
    bool normalize;
    int64_t width;      // that 1_Pooling expects; 0: not said
    int64_t max_length; // 0: not said
} hub_sentence;

typedef struct hub_config {
    const char *file; // for messages
    const hub_family *family;
    hub_head head;
    int64_t sizes[SIZE_COUNT];
    int64_t layers, heads;
    int64_t groups, inner_groups; // of layers that share their weights; groups = layers: each has its own
    int64_t pad_id;
    int32_t position_start; // of the first token
    bool has_tasks;         // task type embeddings
    double eps;
    const char *activation;
    bool tied;
    hub_problem problem;
    const char **labels; // sizes[SIZE_LABELS] of them
    hub_sentence sentence;
} hub_config;

// Reads `path`. `head`: NULL or "auto": by the architecture, or the folder. Every problem found is in `d`.
bool hub_config_read(const char *path, const char *head, const hub_sentence *sentence, arena *a,
                     hub_config *c, diag *d);

// The same from an object; `path` is for messages.
bool hub_config_from(const cJSON *root, const char *path, const char *head, const hub_sentence *sentence,
                     arena *a, hub_config *c, diag *d);

// Reads modules.json and what it names, where the folder has one.
bool hub_sentence_read(const char *folder, arena *a, hub_sentence *s, diag *d);
bool hub_pooling_find(const char *name, hub_pooling *p);

// Layers that share their weights have one set of them, the set that hub_weight_set(c, layer) numbers from 0
// on.
int64_t hub_weight_sets(const hub_config *c);
int hub_weight_set(const hub_config *c, int layer);
// The name of a module's tensor as the family spells it, without prefix. set: -1 where it is of no layer.
char *hub_tensor_name(arena *a, const hub_config *c, hub_module m, int set, hub_part p);
// The shape of a module's tensor: its rank, and shape[0..rank).
int hub_tensor_shape(const hub_config *c, hub_module m, hub_part p, int64_t shape[2]);
// Does the head read the module? OPTIONAL: where the checkpoint has it.
typedef enum hub_use { USE_NO, USE_OPTIONAL, USE_YES } hub_use;
hub_use hub_module_use(const hub_config *c, hub_module m);

#endif
