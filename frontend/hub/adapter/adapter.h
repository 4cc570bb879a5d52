// LoRA adapters, which are added to a checkpoint's weights: folders of PEFT's (adapter_config.json and
// adapter_model.safetensors or .bin), and the tasks that Jina's checkpoints hold within. The checkpoint then has their tensors
// under the model's names, and what is added to a weight becomes a part of its recipe.
#ifndef BERTC_HUB_ADAPTER_H
#define BERTC_HUB_ADAPTER_H

#include "frontend/hub/files/checkpoint.h"
#include "frontend/hub/files/json.h"
#include "frontend/hub/files/weights_file.h"

// One low-rank matrix, and what it counts: part `index` of the tensor's first axis; -1: all of it.
typedef struct hub_factor {
    const char *tensor; // as the checkpoint finds it
    elem e;
    int64_t rows, columns, index, parts; // parts: of the first axis, where index is not -1
    double scale;
} hub_factor;

// What is added to a tensor of the checkpoint: the product of a sum of `left` ones and a sum of `right` ones. `vector`:
// left[0] is added as it is, to a bias.
typedef struct hub_delta {
    const char *tensor;
    hub_factor *left, *right;
    int count;
    int order;
    bool turned; // the product of the transposed factors, right by left: of tables of embeddings
    bool vector;
} hub_delta;

typedef struct hub_adapters {
    hub_delta *deltas;
    int count, room;
    // What the first adapter says of the model; NULL: nothing.
    const char *head;
    // The config.json beside it, which says what the labels of its classifier are called; NULL: there is none.
    const char *config;
} hub_adapters;

// Opens the folders of options->adapters, and options->task, over `c`, whose config.json is `config`. Every problem is
// in `d`. *out lives in the checkpoint's arena; where there is no adapter it is empty.
bool hub_adapters_open(const hub_options *options, const char *config, hub_checkpoint *c, hub_adapters *out,
                       diag *d);
// Is anything added to that tensor?
bool hub_adapter_changes(const hub_adapters *s, const char *of);
// `r`, the checkpoint's tensor as a matrix or vector, with all that is added to it, as f32; `r` itself where nothing is.
recipe *hub_adapted(const hub_adapters *s, arena *a, const char *of, recipe *r);

// The names of `count` labels in that config.json, in `a`; NULL: it has none for so many.
const char **hub_adapter_labels(const hub_adapters *s, int64_t count, arena *a);

// --- What the files of this folder share

// An adapter_config.json.
typedef struct adapter_config {
    const char *file;
    double alpha, rank;
    bool rooted;      // the scale is alpha / sqrt(r), not alpha / r
    cJSON *root;      // the patterns are read while tensors are
    const char *head; // that its task_type names; NULL: none
} adapter_config;
// config.c. False for all that makes another model. adapter_config_close also after a failure.
bool adapter_config_open(const char *path, adapter_config *out, diag *d);
void adapter_config_close(adapter_config *c);
// The rank that the config says for a layer, and what its product counts.
bool adapter_layer(const adapter_config *c, const char *layer, double *rank, double *scale, diag *d);
// What a module's product of rank r counts. An error where the config says another rank.
bool adapter_scale(const adapter_config *c, const char *layer, int64_t rank, double *scale, diag *d);

// A folder with its weight.
typedef struct adapter_folder {
    const char *path, *weights; // weights: the file
    const char *label;          // under which the checkpoint finds its tensors: LABEL/NAME
    double weight;
    adapter_config config;
} adapter_folder;
// tensors.c: the tensors of a folder that has been opened. `shown`: where names of the model go.
typedef struct adapter_names adapter_names;
bool adapter_read(const adapter_folder *f, hub_checkpoint *c, const weights_file *file, adapter_names *names,
                  hub_adapters *out, diag *d);
// merge.c: in the order in which hub_adapted looks them up.
void adapter_sort(hub_adapters *s);
// Deltas of one tensor become one product, as PEFT's "linear" combines adapters.
bool adapter_combine(hub_adapters *s, hub_checkpoint *c, diag *d);
// task.c: tasks within the checkpoint.
bool adapter_task(const hub_options *options, const char *config, hub_checkpoint *c, adapter_names *names,
                  hub_adapters *out, bool *found, diag *d);

// names.c: the model's names for tensors.
adapter_names *adapter_names_new(hub_checkpoint *c);
// The checkpoint's tensor that an adapter means by a module's name; NULL: it has none. The first name that is found says
// which prefix the adapter's names have more, or less.
const char *adapter_names_find(adapter_names *names, const char *of);
// The same tensor's name where the checkpoint lacks it.
const char *adapter_names_own(const adapter_names *names, const char *of);
// `tensor`: what the checkpoint finds under `shown` from now on. False: another adapter has replaced it.
bool adapter_names_put(adapter_names *names, const char *shown, const char *of);
void adapter_names_hide(adapter_names *names, const char *of); // is no tensor of the model
void adapter_names_forget_prefix(adapter_names *names);        // before another adapter
void adapter_names_settle(adapter_names *names);               // when all are put

// A delta more, with room for `count` factors on each side.
hub_delta *adapter_delta(hub_adapters *s, arena *a, const char *of, int count);

#endif
