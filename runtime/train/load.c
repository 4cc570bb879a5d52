// What training changes, from a safetensors file: all of it is checked before the first tensor is changed.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/session/parameters.h"
#include "runtime/train/stored.h"
#include "runtime/train/train.h"

#define MOST_HEADER 100000000 // the format's own limit

typedef struct source {
    const char *path;
    int fd;
    char *text;   // the header
    int64_t data; // the file's first byte behind it
    stored_list tensors;
} source;

// --- The file

static bool read_at(const source *f, void *data, size_t size, int64_t at, bertc_error *error) {
    for (char *to = data; size;) {
        ssize_t n = pread(f->fd, to, size < 1 << 30 ? size : 1 << 30, at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return error_set(error, "%s: %s", f->path, n ? strerror(errno) : "the file has become shorter");
        to += n;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static bool read_header(source *f, bertc_error *error) {
    unsigned char bytes[8];
    struct stat about;
    uint64_t size = 0;
    if (fstat(f->fd, &about) != 0) return error_set(error, "%s: %s", f->path, strerror(errno));
    if (!S_ISREG(about.st_mode)) return error_set(error, "%s: is no file", f->path);
    if (about.st_size < 8) return error_set(error, "%s: is too short for a safetensors file", f->path);
    if (!read_at(f, bytes, 8, 0, error)) return false;
    for (int i = 0; i < 8; i++) size |= (uint64_t)bytes[i] << 8 * i;
    if (size > MOST_HEADER || size > (uint64_t)about.st_size - 8)
        return error_set(error,
                         "%s: a header of %" PRIu64 " bytes: is no safetensors file, or not all of one",
                         f->path, size);
    f->text = heap_alloc((size_t)size + 1, 1);
    if (!f->text) return error_set(error, "out of memory");
    f->text[size] = 0;
    f->data = 8 + (int64_t)size;
    return read_at(f, f->text, (size_t)size, 8, error) &&
           (stored_read(f->text, (size_t)size, about.st_size - f->data, &f->tensors, error) ||
            error_prefix(error, "%s", f->path));
}

// --- Elements

static float widen_f16(uint16_t x) {
    const uint32_t sign = (uint32_t)(x & 0x8000) << 16, exponent = x >> 10 & 31, fraction = x & 0x3ff;
    uint32_t bits = sign | (exponent + 112) << 23 | fraction << 13;
    float out;
    if (exponent == 0) {
        out = (float)fraction * 0x1p-24f;
        return sign ? -out : out;
    }
    if (exponent == 31) bits = sign | 0x7f800000 | fraction << 13;
    memcpy(&out, &bits, sizeof out);
    return out;
}

// The bytes of an element; 0: its type is not taken.
static int64_t element_size(const char *dtype) {
    return !strcmp(dtype, "F32") ? 4 : !strcmp(dtype, "F16") || !strcmp(dtype, "BF16") ? 2 : 0;
}

// 16-bit numbers, which fill the first half of `data`, become floats where they lie, from the last one on. Little-endian.
static void widen(float *data, int64_t count, bool bf16) {
    for (int64_t i = count; i-- > 0;) {
        uint16_t x;
        memcpy(&x, (char *)data + 2 * i, sizeof x);
        const uint32_t bits = (uint32_t)x << 16;
        if (bf16)
            memcpy(&data[i], &bits, sizeof bits);
        else
            data[i] = widen_f16(x);
    }
}

// --- The trainer's tensors

static void shape_text(char *out, size_t room, int64_t rank, const int64_t *shape) {
    size_t n = (size_t)snprintf(out, room, "[");
    for (int64_t i = 0; i < rank && i < STORED_MOST_RANK && n < room; i++)
        n += (size_t)snprintf(out + n, room - n, "%s%" PRId64, i ? "," : "", shape[i]);
    if (n < room) snprintf(out + n, room - n, "]");
}

static bool fits(const source *f, const bertc_train_tensor *want, const stored_tensor *got,
                 bertc_error *error) {
    char wanted[160], stored[160];
    if (!got) return error_set(error, "%s: has no tensor '%s'; nothing was loaded", f->path, want->name);
    int64_t size = element_size(got->dtype);
    if (!size)
        return error_set(error, "%s: tensor '%s' is %s: F32, F16 and BF16 are read; nothing was loaded",
                         f->path, want->name, got->dtype);
    if (got->rank != want->rank || memcmp(got->shape, want->shape, (size_t)want->rank * sizeof *got->shape)) {
        shape_text(wanted, sizeof wanted, want->rank, want->shape);
        shape_text(stored, sizeof stored, got->rank, got->shape);
        return error_set(error, "%s: tensor '%s' has the shape %s, the trainer's %s; nothing was loaded",
                         f->path, want->name, stored, wanted);
    }
    return got->end - got->begin == want->count * size ||
           error_set(error,
                     "%s: tensor '%s' has %" PRId64 " bytes, its shape needs %" PRId64 "; nothing was loaded",
                     f->path, want->name, got->end - got->begin, want->count * size);
}

// Checks all tensors of the kind; *most: the numbers of the largest.
static bool check_all(const source *f, const bertc_model *m, bertc_tensor_kind kind, int64_t *most,
                      bertc_error *error) {
    *most = 0;
    for (int i = 0; i < m->tensor_count; i++) {
        if (tensor_kind(m, i) != kind) continue;
        const bertc_train_tensor want = tensor_describe(m, i);
        if (!fits(f, &want, stored_find(&f->tensors, want.name), error)) return false;
        if (want.count > *most) *most = want.count;
    }
    return *most || error_set(error, "the model has no tensors of kind %d", (int)kind);
}

static bool load_all(bertc_session *s, const source *f, bertc_tensor_kind kind, float *buffer,
                     bertc_error *error) {
    const bertc_model *m = s->model;
    for (int i = 0; i < m->tensor_count; i++) {
        if (tensor_kind(m, i) != kind) continue;
        const stored_tensor *t = stored_find(&f->tensors, tensor_name(m, i));
        if (!read_at(f, buffer, (size_t)(t->end - t->begin), f->data + t->begin, error)) return false;
        if (element_size(t->dtype) == 2) widen(buffer, (t->end - t->begin) / 2, !strcmp(t->dtype, "BF16"));
        parameter_copy(s, i, NULL, buffer);
    }
    return true;
}

static bool load(bertc_session *s, source *f, bertc_tensor_kind kind, bertc_error *error) {
    int64_t most;
    if (!read_header(f, error) || !check_all(f, s->model, kind, &most, error)) return false;
    float *buffer = heap_alloc((size_t)most, sizeof *buffer);
    if (!buffer) return error_set(error, "out of memory");
    bool ok = load_all(s, f, kind, buffer, error);
    free(buffer);
    return ok;
}

bool bertc_trainer_load(bertc_trainer *t, const char *path, bertc_tensor_kind kind, bertc_error *error) {
    if (!t) return error_set(error, "trainer is NULL");
    if (!path) return error_set(error, "path is NULL");
    if ((int)kind < 0 || kind > BERTC_TENSOR_OPTIMIZER) return error_set(error, "kind %d is none", (int)kind);
    // A name that is a pipe must not wait for a writer.
    source f = {.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (f.fd < 0) return error_set(error, "%s: %s", path, strerror(errno));
    bool ok = session_enter(t->session, error);
    if (ok) {
        ok = load(t->session, &f, kind, error);
        session_leave(t->session);
    }
    close(f.fd);
    free(f.text);
    free(f.tensors.items);
    return ok;
}
