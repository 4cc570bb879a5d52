// What frontend/hub knows of safetensors beyond hub.h: dtypes, and a writer that streams.
#ifndef BERTC_HUB_SAFETENSORS_H
#define BERTC_HUB_SAFETENSORS_H

#include "frontend/hub/files/file.h"
#include "frontend/hub/hub.h"
#include "ir/output_file.h"

// Bytes of an element; 0: no dtype that is known.
size_t safetensors_dtype_size(const char *dtype);
// Bytes of a shape; false where they overflow, or a dimension is negative.
bool safetensors_shape_bytes(const char *dtype, int rank, const int64_t *shape, size_t *bytes);

// Begins a file with these entries; their `data` is not read. The caller then writes their bytes in this
// order. False: the file is dropped.
bool safetensors_begin(output_file *o, const char *path, int n, const safetensors_item *items, diag *d);

// As hub_file_unchanged.
bool safetensors_unchanged(const safetensors *s, diag *d);
const hub_file *safetensors_mapped(const safetensors *s);

#endif
