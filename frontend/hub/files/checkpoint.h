// The tensors of a checkpoint: files found, mapped and looked up by name, whatever the model.
#ifndef BERTC_HUB_CHECKPOINT_H
#define BERTC_HUB_CHECKPOINT_H

#include "frontend/hub/hub.h"

// A name that stands for another tensor's.
typedef struct hub_renamed {
    const char *name, *tensor;
} hub_renamed;

typedef struct hub_checkpoint {
    arena *arena; // its own
    int file_count;
    struct weights_file *files;
    const char *where; // the file or index, for messages
    bool sharded;
    struct hub_shard_entry *index; // by name, where it is sharded
    int index_count;
    struct hub_module_file *modules; // sentence-transformers' modules that have weights
    int module_count;
    const hub_renamed *renamed; // by name
    int renamed_count;
    const char **shown; // all names; NULL: those of the files
    int shown_count;
    const struct hub_adapters *adapters; // what is added to its tensors; NULL: nothing
    struct weights_file *other;          // NULL, or a file of tensors that the checkpoint lacks
    const char *other_path;
    bool *borrowed; // by its tensors: whether one is read
    struct hub_given *given;
    int given_count;
} hub_checkpoint;

// Opens `weights`: a file of safetensors or of torch.save, or an index of such files (.json). The caller calls
// hub_checkpoint_close, also after a failure.
bool hub_checkpoint_open(const char *weights, hub_checkpoint *c, diag *d);
void hub_checkpoint_close(hub_checkpoint *c);
// Are its files as they were when they were opened?
bool hub_checkpoint_unchanged(const hub_checkpoint *c, diag *d);
// XXH64 of its files' bytes, those of adapters among them, in the order in which they were opened.
uint64_t hub_checkpoint_hash(const hub_checkpoint *c);
// tensor_source.find: tensors of the types below, and of I32, I8 and U8.
bool hub_checkpoint_find(void *checkpoint, const char *name, tensor_view *out);

int hub_checkpoint_count(const hub_checkpoint *c);
const char *hub_checkpoint_name(const hub_checkpoint *c, int i);
bool hub_checkpoint_entry(const hub_checkpoint *c, const char *name, const char **dtype, int *rank,
                          const int64_t **shape, const void **data);
// F32, F16, BF16, F64, F8_E4M3 and F8_E5M2 are element types of weights; for messages:
#define HUB_WEIGHT_DTYPES "F64, F32, F16, BF16, F8_E4M3 and F8_E5M2 are"
bool hub_weight_elem(const char *dtype, elem *e);

// Opens the weights of a module: its tensors are then found as FOLDER/NAME.
bool hub_checkpoint_add(hub_checkpoint *c, const char *folder, const char *weights, diag *d);

// Opens a file of further tensors, which are found once they are borrowed.
bool hub_checkpoint_open_other(hub_checkpoint *c, const char *path, diag *d);
// From now on `name` finds the other file's tensor `from`. False: there is none.
bool hub_checkpoint_borrow(hub_checkpoint *c, const char *name, const char *from);
// The same, as float32; it must be of floats.
bool hub_checkpoint_borrow_wide(hub_checkpoint *c, const char *name, const char *from);
// Notes which tensors of the other file were not borrowed. None was: an error; `lacked`, or NULL, is a tensor that it should hold.
bool hub_checkpoint_check_other(const hub_checkpoint *c, const char *lacked, diag *d);
// The file that a tensor is read of, for messages: the checkpoint's, or the other.
const char *hub_checkpoint_where(const hub_checkpoint *c, const char *name);
// From now on `name` finds these numbers, which stay where they are.
void hub_checkpoint_give(hub_checkpoint *c, const char *name, int rank, const int64_t *shape,
                         const float *data);

// The file of such a module; NULL: there is none.
const struct weights_file *hub_checkpoint_module(const hub_checkpoint *c, const char *folder);
// From now on the tensors are those of `shown`, and a name of `renamed` (in order) finds the other's tensor. Both stay
// where they are.
void hub_checkpoint_rename(hub_checkpoint *c, const char **shown, int shown_count, const hub_renamed *renamed,
                           int renamed_count);
// The tensor that a name stands for: itself, unless it is renamed.
const char *hub_checkpoint_tensor(const hub_checkpoint *c, const char *name);

#endif
