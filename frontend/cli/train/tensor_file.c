#include "frontend/cli/train/tensor_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend/cli/cli.h"
#include "ir/memory.h"
#include "ir/output_file.h"

typedef struct listed {
    int index;
    bertc_train_tensor tensor;
} listed;

static int compare_names(const void *a, const void *b) {
    return strcmp(((const listed *)a)->tensor.name, ((const listed *)b)->tensor.name);
}

// NULL with a diagnostic where the file is there and none; NULL without one where it is not there.
static safetensors *open_where_there(const char *path, diag *d) {
    return access(path, F_OK) ? NULL : safetensors_open(path, d);
}

// The tensor's bytes in the file, if it has them in float32 and that shape; else NULL.
static const void *bytes_in(const safetensors *file, const bertc_train_tensor *t) {
    const char *dtype;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    int rank;
    if (!file || !safetensors_entry(file, t->name, &dtype, &rank, &shape, &data, &bytes)) return NULL;
    bool same = !strcmp(dtype, "F32") && rank == t->rank;
    for (int i = 0; same && i < rank; i++) same = shape[i] == t->shape[i];
    return same ? data : NULL;
}

static bool describe(bertc_trainer *trainer, int i, bertc_train_tensor *out, diag *d) {
    bertc_error e;
    *out = (bertc_train_tensor)BERTC_TRAIN_TENSOR_INIT;
    return bertc_trainer_tensor_describe(trainer, i, out, &e) || runtime_failed(d, &e);
}

// What is written, by name; NULL with a diagnostic. In `a`.
static listed *list_tensors(bertc_trainer *trainer, const safetensors *model, int *count, arena *a, diag *d) {
    int all = bertc_trainer_tensor_count(trainer);
    listed *out = ARENA_ARRAY(a, listed, all + 1);
    *count = 0;
    for (int i = 0; i < all; i++) {
        listed *at = &out[*count];
        at->index = i;
        if (!describe(trainer, i, &at->tensor, d)) return NULL;
        bool states = at->tensor.kind == BERTC_TENSOR_OPTIMIZER;
        *count += states || (at->tensor.kind == BERTC_TENSOR_PARAMETER && !bytes_in(model, &at->tensor));
    }
    qsort(out, (size_t)*count, sizeof *out, compare_names);
    return out;
}

// --- Writing

// Behind its length: JSON, filled up with spaces to a multiple of 8, as the format wants it.
static bool write_header(output_file *f, const listed *v, int n, diag *d) {
    cJSON *o = cJSON_CreateObject();
    int64_t at = 0;
    for (int i = 0; i < n; i++) {
        const bertc_train_tensor *t = &v[i].tensor;
        cJSON *entry = cJSON_AddObjectToObject(o, t->name);
        cJSON_AddStringToObject(entry, "dtype", "F32");
        cJSON *shape = cJSON_AddArrayToObject(entry, "shape"),
              *offsets = cJSON_AddArrayToObject(entry, "data_offsets");
        for (int64_t k = 0; k < t->rank; k++)
            cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)t->shape[k]));
        cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)at));
        at += t->count * (int64_t)sizeof(float);
        cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)at));
    }
    static const char blanks[] = "       ";
    char *text = json_line(o);
    uint64_t size = strlen(text), fill = -size & 7,
             whole = size + fill; // little-endian, as all machines that bertc runs on
    bool ok = output_file_write(f, &whole, sizeof whole, d) && output_file_write(f, text, size, d) &&
              output_file_write(f, blanks, fill, d);
    free(text);
    cJSON_Delete(o);
    return ok;
}

static bool write_tensor(output_file *f, bertc_trainer *trainer, const listed *v, diag *d) {
    bertc_error e;
    float *data = memory_must(memory_alloc((size_t)v->tensor.count, sizeof *data));
    bool ok = bertc_trainer_tensor_read(trainer, v->index, data, &e) || runtime_failed(d, &e);
    ok = ok && output_file_write(f, data, (size_t)v->tensor.count * sizeof *data, d);
    free(data);
    return ok;
}

static bool write_all(bertc_trainer *trainer, const char *path, const listed *v, int n, diag *d) {
    output_file f;
    bool ok = output_file_open(&f, path, d) && write_header(&f, v, n, d);
    for (int i = 0; ok && i < n; i++) ok = write_tensor(&f, trainer, &v[i], d);
    if (ok && output_file_sync(&f, d) && output_file_keep(&f, d)) return true;
    output_file_drop(&f);
    return false;
}

bool tensor_file_write(bertc_trainer *trainer, const char *path, const char *model, diag *d) {
    int n = 0;
    arena *a = arena_new();
    safetensors *file = open_where_there(model, d);
    listed *v = diag_failed(d) ? NULL : list_tensors(trainer, file, &n, a, d);
    bool ok = v && write_all(trainer, path, v, n, d);
    if (file) safetensors_close(file);
    arena_free(a);
    return ok;
}

// --- Reading

static bool put_tensor(bertc_trainer *trainer, int index, const void *data, int64_t count, diag *d) {
    bertc_error e;
    float *copy =
        memory_must(memory_alloc((size_t)count, sizeof *copy)); // a file's bytes need not be aligned
    memcpy(copy, data, (size_t)count * sizeof *copy);
    bool ok = bertc_trainer_tensor_write(trainer, index, copy, &e) || runtime_failed(d, &e);
    free(copy);
    return ok;
}

// Where a tensor is missing that the model's file should have.
static bool no_tensor(const char *path, const char *model, bool is_there, const bertc_train_tensor *t,
                      diag *d) {
    if (t->kind == BERTC_TENSOR_PARAMETER && !is_there)
        return diag_error(d, model, "is missing: it holds the run's parameters");
    return diag_error(d, path, "has no float32 tensor '%s' of the model's shape", t->name);
}

static bool read_all(bertc_trainer *trainer, const char *path, const safetensors *file,
                     const char *model_path, const safetensors *model, bool states, diag *d) {
    for (int i = 0; i < bertc_trainer_tensor_count(trainer); i++) {
        bertc_train_tensor t;
        if (!describe(trainer, i, &t, d)) return false;
        bool parameter = t.kind == BERTC_TENSOR_PARAMETER;
        if (!parameter && (t.kind != BERTC_TENSOR_OPTIMIZER || !states)) continue;
        const void *data = parameter ? bytes_in(model, &t) : NULL;
        if (!data) data = bytes_in(file, &t);
        if (!data) return no_tensor(path, model_path, model != NULL, &t, d);
        if (!put_tensor(trainer, i, data, t.count, d)) return false;
    }
    return true;
}

bool tensor_file_read(bertc_trainer *trainer, const char *path, const char *model, bool states, diag *d) {
    safetensors *file = safetensors_open(path, d), *other = file ? open_where_there(model, d) : NULL;
    bool ok = file && !diag_failed(d) && read_all(trainer, path, file, model, other, states, d);
    if (file) safetensors_close(file);
    if (other) safetensors_close(other);
    return ok;
}

static bool read_unchanged(const tensor_source *from, const char *name, float *out, int64_t count, diag *d) {
    tensor_view t;
    if (!from->find(from->context, name, &t))
        return diag_error(d, NULL, "the checkpoint has no tensor '%s'", name);
    elem_convert(t.e, t.data, ELEM_F32, out, count);
    return true;
}

bool tensor_read_parameter(void *user, const char *name, float *out, int64_t count, diag *d) {
    const parameter_source *s = user;
    bertc_train_tensor t;
    bertc_error e;
    int i = bertc_trainer_tensor_find(s->trainer, name);
    if (i < 0) return read_unchanged(s->checkpoint, name, out, count, d);
    if (!describe(s->trainer, i, &t, d)) return false;
    if (t.count != count)
        return diag_error(d, NULL, "the tensor '%s' has %" PRId64 " numbers, not %" PRId64, name, t.count,
                          count);
    return bertc_trainer_tensor_read(s->trainer, i, out, &e) || runtime_failed(d, &e);
}
