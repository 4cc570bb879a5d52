// Token ids in, raw tensors out.
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/cli/run/run.h"
#include "ir/memory.h"

// The tensors that a file may hold, by Transformers' names; the first must be there.
static const char *const names[] = {"input_ids",    "attention_mask", "token_type_ids",
                                    "position_ids", "task_type_ids",  "global_attention_mask",
                                    "bbox"};
enum { IDS, MASK, TYPES, POSITIONS, TASKS, GLOBAL, BOXES, NAME_COUNT };

typedef struct grid {
    int64_t batch, length;
    int32_t *data[NAME_COUNT]; // NULL: the file has none
} grid;

static bool place_error(diag *d, const char *file, const char *name, const char *cause) {
    char spot[512];
    snprintf(spot, sizeof(spot), "%s: tensor \"%s\"", file, name);
    return diag_error(d, spot, "%s", cause);
}

static bool convert(const void *data, bool wide, size_t n, int32_t *out) {
    if (!wide) {
        memcpy(out, data, n * sizeof(int32_t));
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        memcpy(&v, (const char *)data + i * sizeof(v), sizeof(v));
        if (v < INT32_MIN || v > INT32_MAX) return false;
        out[i] = (int32_t)v;
    }
    return true;
}

// Reads one tensor of whole numbers, [batch,length], of boxes [batch,length,4].
static bool read_grid(const safetensors *s, const char *file, int which, grid *g, diag *d) {
    const char *name = names[which];
    bool required = which == IDS, boxes = which == BOXES;
    int32_t **out = &g->data[which];
    const char *dtype;
    const int64_t *shape;
    const void *data;
    size_t bytes;
    int rank;
    if (!safetensors_entry(s, name, &dtype, &rank, &shape, &data, &bytes)) {
        return !required || place_error(d, file, name, "is missing");
    }
    bool wide = !strcmp(dtype, "I64");
    if (!wide && strcmp(dtype, "I32")) return place_error(d, file, name, "must be I32 or I64");
    if (rank != 2 + boxes || shape[0] < 1 || shape[1] < 1 || (boxes && shape[2] != 4))
        return place_error(d, file, name, boxes ? "must be [batch, length, 4]" : "must be [batch, length]");
    if (required) {
        g->batch = shape[0];
        g->length = shape[1];
    } else if (shape[0] != g->batch || shape[1] != g->length) {
        return place_error(d, file, name, "has another shape than input_ids");
    }
    size_t n = bytes / (wide ? 8 : 4);
    *out = memory_alloc(n, sizeof(int32_t));
    if (!*out) return diag_error(d, file, "out of memory: %zu token ids", n);
    return convert(data, wide, n, *out) || place_error(d, file, name, "holds a number beyond 32 bits");
}

static bool read_inputs(const char *file, grid *g, diag *d) {
    safetensors *s = safetensors_open(file, d);
    if (!s) return false;
    bool ok = true;
    for (int i = 0; i < NAME_COUNT && ok; i++) ok = read_grid(s, file, i, g, d);
    safetensors_close(s);
    return ok;
}

static bool write_outputs(const char *file, int n, const bertc_tensor *tensors, diag *d) {
    safetensors_item *items = memory_zero((size_t)n, sizeof(*items));
    if (!items) return diag_error(d, file, "out of memory");
    for (int i = 0; i < n; i++) {
        const bertc_tensor *t = &tensors[i];
        size_t count = 1;
        items[i] = (safetensors_item){.name = t->name, .dtype = "F32", .rank = t->rank, .data = t->data};
        for (int k = 0; k < t->rank; k++) {
            items[i].shape[k] = t->shape[k];
            count *= (size_t)t->shape[k];
        }
        items[i].bytes = count * sizeof(float);
    }
    bool ok = safetensors_write(file, n, items, d);
    free(items);
    return ok;
}

static bool run_grid(const bertc_model *model, bertc_session *s, const grid *g, const char *in,
                     const char *out, diag *d) {
    bertc_model_info info = BERTC_MODEL_INFO_INIT;
    bertc_model_describe(model, &info, NULL);
    int n = info.output_count;
    float **buffers = memory_zero((size_t)n, sizeof(*buffers));
    bertc_tensor *tensors = memory_zero((size_t)n, sizeof(*tensors));
    bool ok = buffers && tensors;
    if (ok) tensors[0].size = sizeof *tensors;
    for (int i = 0; ok && i < n; i++) {
        buffers[i] = memory_alloc(bertc_output_bytes(model, i, g->batch, g->length), 1);
        ok = buffers[i] != NULL;
    }
    if (!ok) diag_error(d, in, "out of memory: outputs of %" PRId64 " x %" PRId64, g->batch, g->length);
    bertc_batch b = {BERTC_SIZED(bertc_batch),
                     .batch = g->batch,
                     .length = g->length,
                     .input_ids = g->data[IDS],
                     .attention_mask = g->data[MASK],
                     .token_type_ids = g->data[TYPES],
                     .position_ids = g->data[POSITIONS],
                     .task_type_ids = g->data[TASKS],
                     .global_attention_mask = g->data[GLOBAL],
                     .bbox = g->data[BOXES]};
    bertc_error e;
    if (ok && !bertc_run(s, &b, buffers, tensors, &e)) ok = diag_error(d, in, "%s", e.message);
    ok = ok && write_outputs(out, n, tensors, d);
    for (int i = 0; buffers && i < n; i++) free(buffers[i]);
    free(buffers);
    free(tensors);
    return ok;
}

bool run_tensors(const bertc_model *model, bertc_session *s, const char *in, const char *out, diag *d) {
    grid g = {0};
    bool ok = read_inputs(in, &g, d) && run_grid(model, s, &g, in, out, d);
    for (int i = 0; i < NAME_COUNT; i++) free(g.data[i]);
    return ok;
}
