// Files of torch.save, as PyTorch has written them since version 1.6: a zip file of data.pkl, a pickle, and a file a
// storage of numbers. **No code is ever run**: the pickle is read by frontend/hub/files/pickle.h, which knows
// dictionaries of tensors and refuses all else by name. Tensors are views into the mapped file, as safetensors' are;
// those whose elements don't lie one after the other there are copied.
#ifndef BERTC_HUB_TORCH_H
#define BERTC_HUB_TORCH_H

#include "frontend/hub/files/file.h"
#include "ir/ir.h"

typedef struct torch_file torch_file;

// Maps and checks a file. The tensors of dictionaries in dictionaries have their keys with dots between them as names.
// NULL: it is damaged, it holds something that is not read, or it is of before version 1.6.
torch_file *torch_open(const char *path, diag *d);
void torch_close(torch_file *t);
// As hub_file_unchanged.
bool torch_unchanged(const torch_file *t, diag *d);
const hub_file *torch_mapped(const torch_file *t);

int torch_count(const torch_file *t);
const char *torch_name(const torch_file *t, int i); // in the file's order
// As safetensors_entry, with its names of types.
bool torch_entry(const torch_file *t, const char *name, const char **dtype, int *rank, const int64_t **shape,
                 const void **data, size_t *bytes);

#endif
