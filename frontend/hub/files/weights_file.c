#include "frontend/hub/files/weights_file.h"

// What can't be opened is taken for safetensors, whose error says why.
bool weights_file_open(const char *path, weights_file *out, diag *d) {
    *out = (weights_file){0};
    if (hub_is_torch(path))
        out->torch = torch_open(path, d);
    else
        out->safe = safetensors_open(path, d);
    return out->safe || out->torch;
}

void weights_file_close(weights_file *f) {
    safetensors_close(f->safe);
    torch_close(f->torch);
    *f = (weights_file){0};
}

bool weights_file_unchanged(const weights_file *f, diag *d) {
    return f->torch ? torch_unchanged(f->torch, d) : safetensors_unchanged(f->safe, d);
}

const hub_file *weights_file_mapped(const weights_file *f) {
    return f->torch ? torch_mapped(f->torch) : safetensors_mapped(f->safe);
}

int weights_file_count(const weights_file *f) {
    return f->torch ? torch_count(f->torch) : safetensors_count(f->safe);
}

const char *weights_file_name(const weights_file *f, int i) {
    return f->torch ? torch_name(f->torch, i) : safetensors_name(f->safe, i);
}

bool weights_file_entry(const weights_file *f, const char *name, const char **dtype, int *rank,
                        const int64_t **shape, const void **data) {
    size_t bytes;
    return f->torch ? torch_entry(f->torch, name, dtype, rank, shape, data, &bytes)
                    : safetensors_entry(f->safe, name, dtype, rank, shape, data, &bytes);
}
