// A file of tensors, of whichever format: safetensors, or torch.save's. Its first bytes tell.
#ifndef BERTC_HUB_WEIGHTS_FILE_H
#define BERTC_HUB_WEIGHTS_FILE_H

#include "frontend/hub/files/safetensors.h"
#include "frontend/hub/files/torch.h"

typedef struct weights_file {
    safetensors *safe; // or NULL, and `torch`
    torch_file *torch;
} weights_file;

bool weights_file_open(const char *path, weights_file *out, diag *d);
void weights_file_close(weights_file *f);
bool weights_file_unchanged(const weights_file *f, diag *d); // as hub_file_unchanged
const hub_file *weights_file_mapped(const weights_file *f);
int weights_file_count(const weights_file *f);
const char *weights_file_name(const weights_file *f, int i);
// As safetensors_entry.
bool weights_file_entry(const weights_file *f, const char *name, const char **dtype, int *rank,
                        const int64_t **shape, const void **data);

#endif
