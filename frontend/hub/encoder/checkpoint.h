// The tensors of a checkpoint: files found, mapped and looked up by name; and what the model reads of them,
// checked against the config: every tensor that is missing, or has another shape or type, is reported.
#ifndef BERTC_HUB_CHECKPOINT_H
#define BERTC_HUB_CHECKPOINT_H

#include "frontend/hub/config/config.h"
#include "frontend/hub/hub.h"

// One tensor that the model reads, under the name that the checkpoint gives it. tensor: NULL where it has
// none.
typedef struct hub_weight {
    const char *tensor;
    elem e;
    int rank; // as hub_tensor_shape says
    int64_t shape[3];
    bool one_more;     // the tensor has one axis more, of 1
    int64_t groups;    // of columns, each read by its own rows; shape[1] is one group's
    bool groups_first; // the shape is [groups, columns, rows]
    hub_slice slice;   // of its rows
} hub_weight;

typedef struct hub_checkpoint {
    arena *arena; // its own
    int file_count;
    safetensors **files;
    const char *where; // the file or index, for messages
    bool sharded;
    struct hub_shard_entry *index; // by name, where it is sharded
    int index_count;
    struct hub_module_file *modules; // sentence-transformers' modules that have weights
    int module_count;

    hub_weight *weights; // [set + 1][module][part]; row 0: what belongs to no layer
    bool tied;           // the decoder reads the word embeddings
    int64_t parameters;  // elements that the model reads, shared ones once
} hub_checkpoint;

// Opens `weights`: a .safetensors or .st file, or a model.safetensors.index.json. Ends with
// hub_checkpoint_close, whatever came of it.
bool hub_checkpoint_open(const char *weights, hub_checkpoint *c, diag *d);
void hub_checkpoint_close(hub_checkpoint *c);
bool hub_checkpoint_find(void *checkpoint, const char *name, tensor_view *out); // tensor_source.find

int hub_checkpoint_count(const hub_checkpoint *c);
const char *hub_checkpoint_name(const hub_checkpoint *c, int i);
bool hub_checkpoint_entry(const hub_checkpoint *c, const char *name, const char **dtype, int *rank,
                          const int64_t **shape, const void **data);
// Whose tensors they are, by their names with a family's prefix.
hub_hint hub_checkpoint_hint(const hub_checkpoint *c);
// F32, F16 and BF16 are element types of weights.
bool hub_weight_elem(const char *dtype, elem *e);

// Opens the weights of a module: its tensors are then found as FOLDER/NAME.
bool hub_checkpoint_add(hub_checkpoint *c, const char *folder, const char *weights, diag *d);

// The modules behind the pooling: their widths follow each other, and their tensors are there.
bool hub_steps_check(hub_checkpoint *c, const hub_config *config, diag *d);
// Looks up all that the config's head reads.
bool hub_checkpoint_check(hub_checkpoint *c, const hub_config *config, diag *d);
// set: of a layer's weights (hub_weight_set), -1 for what belongs to no layer.
const hub_weight *hub_weight_of(const hub_checkpoint *c, hub_module m, int set, hub_part p);

#endif
